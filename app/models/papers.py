"""Papers, where they come from, and when they were announced."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of
from app.models.states import ListingState, RunState


class Paper(Base):
    """A paper in its newest known version, texts as arXiv gives them (TeX intact)."""

    __tablename__ = "papers"
    __table_args__ = (
        Index("ix_papers_listed_in", "listed_in", postgresql_using="gin"),
        # Each order that a list may have is one of these, read forwards or backwards; a missing date is the oldest.
        Index("ix_papers_announced", text("coalesce(first_announced_on, '-infinity'::date)"), "order_key"),
        Index("ix_papers_submitted", text("coalesce(submitted_at, '-infinity'::timestamptz)"), "order_key"),
        Index("ix_papers_primary_category", "primary_category", "order_key"),
        Index("ix_papers_withdrawn", "order_key", postgresql_where=text("withdrawn")),
        CheckConstraint("version > 0", name="version_positive"),
    )

    arxiv_id: Mapped[str] = mapped_column(primary_key=True)
    order_key: Mapped[str] = mapped_column(
        Text(collation="C"), unique=True, comment="sorts in time order over both id schemes"
    )
    version: Mapped[int | None]
    title: Mapped[str | None]
    abstract: Mapped[str | None]
    abstract_hash: Mapped[str] = mapped_column(comment="sha256 of the abstract; what summaries are made from")
    abstract_is_cut: Mapped[bool] = mapped_column(server_default=text("false"))
    display_title: Mapped[str | None] = mapped_column(comment="in plain Unicode; NULL: the same as the title")
    display_abstract: Mapped[str | None] = mapped_column(comment="in plain Unicode; NULL: the same as the abstract")
    authors: Mapped[list[dict[str, Any]]] = mapped_column(
        server_default=text("'[]'"), comment="each with name, affiliations and display_name"
    )
    authors_omitted: Mapped[int] = mapped_column(server_default=text("0"))
    primary_category: Mapped[str | None]
    categories: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    listed_in: Mapped[list[str]] = mapped_column(
        server_default=text("'{}'"),
        comment="categories it carries, under every name: what the filter looks at",
    )
    comments: Mapped[str | None]
    journal_ref: Mapped[str | None]
    doi: Mapped[str | None]
    license: Mapped[str | None]
    submitted_at: Mapped[datetime | None]
    updated_at: Mapped[datetime | None]
    first_announced_on: Mapped[date | None]
    withdrawn: Mapped[bool] = mapped_column(server_default=text("false"))
    versions: Mapped[list[dict[str, Any]]] = mapped_column(
        server_default=text("'[]'"), comment="what is known of each version: version, submitted_at, size, source_type"
    )
    text_is_converted: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="the source had turned the TeX of the texts into Unicode"
    )
    categories_are_partial: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="the source named the primary category only"
    )
    datestamp: Mapped[date | None] = mapped_column(comment="UTC day of the last modification, from OAI-PMH")
    text_as_of: Mapped[date | None] = mapped_column(comment="day of the listing or record that the texts come from")
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())
    changed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class PaperEntry(Base):
    """A record of a paper exactly as it was received: the XML of a feed item, or the JSON of the older archive."""

    __tablename__ = "paper_entries"
    __table_args__ = (UniqueConstraint("arxiv_id", "raw_hash"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    arxiv_id: Mapped[str] = mapped_column(ForeignKey("papers.arxiv_id", ondelete="CASCADE"))
    version: Mapped[int | None]
    format: Mapped[str]
    raw: Mapped[str]
    raw_hash: Mapped[str] = mapped_column(comment="sha256 of raw")
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Ingestion(Base):
    """One run of reading a listing or an archive: what was read, what came of it, and if it failed, why."""

    __tablename__ = "ingestions"
    __table_args__ = (Index("ix_ingestions_kind_category", "kind", "category"), one_of("state", RunState))

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(comment="listing, archive, snapshot or details")
    category: Mapped[str | None]
    source: Mapped[str]
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    state: Mapped[str]
    outcome: Mapped[str | None] = mapped_column(comment="the listing's state after a run that succeeded")
    reason: Mapped[str | None] = mapped_column(comment="a stable word for why a run failed")
    detail: Mapped[str | None] = mapped_column(comment="the same as a sentence")
    announced_on: Mapped[date | None]
    http_status: Mapped[int | None]
    bytes: Mapped[int | None] = mapped_column(BigInteger)
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class Listing(Base):
    """One category on one batch date: what completeness is measured against."""

    __tablename__ = "listings"
    __table_args__ = (one_of("state", ListingState),)

    category: Mapped[str] = mapped_column(primary_key=True)
    announced_on: Mapped[date] = mapped_column(primary_key=True, index=True)
    state: Mapped[str]
    announced: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'"), comment="every paper that the listing named, with its announce type"
    )
    source: Mapped[str]
    reason: Mapped[str | None]
    verified_at: Mapped[datetime | None] = mapped_column(comment="when OAI-PMH was last compared with it and agreed")
    doubts: Mapped[dict[str, Any]] = mapped_column(
        server_default=text("'{}'"),
        comment="papers of which OAI-PMH leaves open whether they belong here, with the days that they may belong to",
    )
    ingestion_id: Mapped[int | None] = mapped_column(ForeignKey("ingestions.id", ondelete="SET NULL"))
    first_read_at: Mapped[datetime] = mapped_column(server_default=func.now())
    last_read_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Announcement(Base):
    """A paper in the listing of one category on one batch date."""

    __tablename__ = "announcements"
    __table_args__ = (
        Index(
            "uq_announcements_once",
            "arxiv_id",
            "version",
            "category",
            "announced_on",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_announcements_category_announced_on", "category", "announced_on"),
        Index("ix_announcements_announced_on", "announced_on"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    arxiv_id: Mapped[str] = mapped_column(ForeignKey("papers.arxiv_id", ondelete="CASCADE"))
    version: Mapped[int | None]
    category: Mapped[str]
    announced_on: Mapped[date]
    announce_type: Mapped[str]
    source: Mapped[str] = mapped_column(server_default=text("'feed'"))
    stored_at: Mapped[datetime] = mapped_column(server_default=func.now())
