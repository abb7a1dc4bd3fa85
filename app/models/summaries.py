"""Summaries, and the calls of language models that make them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Numeric, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of
from app.models.states import CallOutcome, SummaryOrigin, SummaryStatus


class Summary(Base):
    """A summary of one text of a paper in one language.

    ``title``, ``abstract`` and ``tldr`` are in ``language``; ``tldr_en`` is the English sentence that comes with each.
    """

    __tablename__ = "summaries"
    __table_args__ = (
        UniqueConstraint(
            "arxiv_id",
            "abstract_hash",
            "language",
            "origin",
            "model",
            "prompt_version",
            name="uq_summaries_once",
        ),
        Index("ix_summaries_unfinished", "status", "reason", postgresql_where=text("status <> 'done'")),
        Index("ix_summaries_made_at", "made_at"),
        Index("ix_summaries_done", "language", "arxiv_id", postgresql_where=text("status = 'done'")),
        one_of("status", SummaryStatus),
        one_of("origin", SummaryOrigin),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    arxiv_id: Mapped[str] = mapped_column(ForeignKey("papers.arxiv_id", ondelete="CASCADE"))
    paper_version: Mapped[int | None]
    abstract_hash: Mapped[str]
    language: Mapped[str] = mapped_column(comment="BCP 47")
    status: Mapped[str]
    origin: Mapped[str]
    title: Mapped[str | None]
    abstract: Mapped[str | None]
    tldr: Mapped[str | None]
    tldr_en: Mapped[str | None]
    model: Mapped[str] = mapped_column(server_default=text("''"))
    provider: Mapped[str] = mapped_column(server_default=text("''"))
    prompt_version: Mapped[str] = mapped_column(server_default=text("''"))
    fields: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'"), comment="motivation, method, result, conclusion, where they were asked for"
    )
    detail: Mapped[str] = mapped_column(server_default=text("'full'"), comment="brief: without the abstract, to save")
    checks: Mapped[list[dict[str, Any]]] = mapped_column(
        server_default=text("'[]'"), comment="what was noticed about the answer: check and reason"
    )
    answered_by: Mapped[str | None] = mapped_column(comment="the model that did answer, if it is another of the chain")
    author: Mapped[str | None] = mapped_column(comment="who wrote a human's text")
    released_at: Mapped[datetime | None] = mapped_column(comment="since when a human's text no longer wins")
    tokens: Mapped[int | None]
    input_tokens: Mapped[int | None]
    output_tokens: Mapped[int | None]
    cost: Mapped[Decimal | None] = mapped_column(Numeric(14, 8), comment="US dollars; NULL where no price is known")
    attempts: Mapped[int] = mapped_column(server_default=text("0"), comment="calls that did not give a summary")
    refusals: Mapped[int] = mapped_column(server_default=text("0"), comment="those of them that had a bad answer")
    reason: Mapped[str | None] = mapped_column(
        comment="why it waits or failed, as a stable word; error says it in full"
    )
    error: Mapped[str | None]
    retry_at: Mapped[datetime | None] = mapped_column(comment="when it is tried again, if it waits for that")
    entry_id: Mapped[int | None] = mapped_column(
        ForeignKey("paper_entries.id", ondelete="SET NULL"),
        comment="the archive record an imported summary comes from",
    )
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Call(Base):
    """One call of a language model: before it is made it reserves what it may use, and after it, it says what it used.

    A row that is still ``running`` when its job begins again was made by a worker that died: it becomes ``lost``, and what
    it had reserved counts as used, because the provider may have charged for it.
    """

    __tablename__ = "calls"
    __table_args__ = (
        one_of("outcome", CallOutcome),
        Index("ix_calls_started_at", "started_at"),
        Index("ix_calls_running", "summary_ids", postgresql_where=text("outcome = 'running'"), postgresql_using="gin"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    summary_ids: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    arxiv_id: Mapped[str | None] = mapped_column(comment="NULL: a call of zhaiyao doctor")
    model: Mapped[str]
    provider: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    outcome: Mapped[str]
    detail: Mapped[str | None]
    input_tokens: Mapped[int] = mapped_column(comment="reserved while it runs, then as the provider counted")
    output_tokens: Mapped[int]
    cost: Mapped[Decimal] = mapped_column(Numeric(14, 8), server_default=text("0"), comment="US dollars")


class ModelState(Base):
    """What is known of a model at its endpoint: how it gives JSON, and whether it can be asked now."""

    __tablename__ = "model_states"

    name: Mapped[str] = mapped_column(primary_key=True, comment="the model and its endpoint's host")
    mode: Mapped[str | None] = mapped_column(comment="how JSON is asked for: json_schema, tool, json_object or plain")
    failures: Mapped[int] = mapped_column(server_default=text("0"), comment="in a row, of the endpoint, not of answers")
    rest_until: Mapped[datetime | None] = mapped_column(comment="no call before")
    stopped_at: Mapped[datetime | None] = mapped_column(
        comment="since when it refuses for good: wrong key, unknown model"
    )
    reason: Mapped[str | None]
    detail: Mapped[str | None]


class Spending(Base):
    """What the calls of a day (UTC) used; kept apart so that a budget is looked up without adding up a month of calls."""

    __tablename__ = "spendings"

    spent_on: Mapped[date] = mapped_column(primary_key=True)
    calls: Mapped[int] = mapped_column(server_default=text("0"))
    input_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    output_tokens: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    cost: Mapped[Decimal] = mapped_column(Numeric(14, 8), server_default=text("0"), comment="US dollars")
