"""Channels and digests."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of
from app.models.states import DigestKind, Order, Schedule


class Channel(Base):
    """A named stream of digests. Every category and archive of arXiv is one from the start (``builtin``)."""

    __tablename__ = "channels"
    __table_args__ = (
        one_of("order_by", Order),
        one_of("schedule", Schedule),
        CheckConstraint("weekday BETWEEN 1 AND 7", name="weekday_known"),
        CheckConstraint("size_limit > 0", name="size_limit_positive"),
    )

    slug: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    categories: Mapped[list[str]]
    announce_types: Mapped[list[str]]
    language: Mapped[str | None] = mapped_column(comment="NULL: the service's own languages")
    query: Mapped[str | None] = mapped_column(comment="a paper must match it, or be of one of the authors")
    authors: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    exclude_words: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    exclude_categories: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))
    translate: Mapped[list[str]] = mapped_column(
        server_default=text("'{title,abstract,tldr}'"), comment="the texts that are shown in the digest's language"
    )
    order_by: Mapped[str] = mapped_column(server_default=text("'id'"))
    size_limit: Mapped[int | None] = mapped_column(comment="papers in a digest; the others come with the next one")
    schedule: Mapped[str] = mapped_column(server_default=text("'announcement'"))
    weekday: Mapped[int] = mapped_column(
        server_default=text("5"), comment="1 is Monday: the last day of a weekly digest"
    )
    repeats: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="shows each day's announcements, also of papers that it has shown before"
    )
    builtin: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class ChannelPaper(Base):
    """The ledger: which digest of a channel has shown a paper, or (``digest_id`` NULL) that a later one will."""

    __tablename__ = "channel_papers"
    __table_args__ = (Index("ix_channel_papers_digest_id", "digest_id"),)

    channel: Mapped[str] = mapped_column(ForeignKey("channels.slug", ondelete="CASCADE"), primary_key=True)
    language: Mapped[str] = mapped_column(primary_key=True)
    arxiv_id: Mapped[str] = mapped_column(primary_key=True)
    digest_id: Mapped[str | None] = mapped_column(ForeignKey("digests.id", ondelete="CASCADE"))
    announced_on: Mapped[date]
    announce_type: Mapped[str]
    category: Mapped[str] = mapped_column(comment="where it was announced")


class Digest(Base):
    """A digest; its id is made from what was asked for, so that asking twice gives the same one."""

    __tablename__ = "digests"
    __table_args__ = (
        Index("ix_digests_channel_period", "channel", "language", "period_to"),
        Index("ix_digests_waiting_for", "waiting_for", postgresql_using="gin"),
        one_of("kind", DigestKind),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    channel: Mapped[str | None] = mapped_column(ForeignKey("channels.slug", ondelete="CASCADE"))
    title: Mapped[str]
    period_from: Mapped[date | None]
    period_to: Mapped[date | None]
    language: Mapped[str]
    paper_ids: Mapped[list[str] | None] = mapped_column(comment="the papers named, for an ad hoc digest")
    query: Mapped[dict[str, Any] | None] = mapped_column(comment="what was searched for, for a digest over a query")
    definition: Mapped[dict[str, Any] | None] = mapped_column(
        comment="the channel's rules as they were when somebody last asked for the digest"
    )
    revision: Mapped[int] = mapped_column(comment="the newest revision; 0: none is written yet")
    waiting_for: Mapped[list[str]] = mapped_column(
        server_default=text("'{}'"), comment="papers whose summary is still to come, or may become better"
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    position: Mapped[int] = mapped_column(
        BigInteger,
        Identity(always=True),
        unique=True,
        comment="order of creation: the key of the list's cursor",
    )


class DigestRevision(Base):
    """A digest as it stood at one moment. Once written it never changes."""

    __tablename__ = "digest_revisions"

    digest_id: Mapped[str] = mapped_column(ForeignKey("digests.id", ondelete="CASCADE"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content_hash: Mapped[str]
    receipt: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class DigestItem(Base):
    """One paper of a revision, with all its texts as they stood then."""

    __tablename__ = "digest_items"
    __table_args__ = (
        ForeignKeyConstraint(
            ["digest_id", "revision"],
            ["digest_revisions.digest_id", "digest_revisions.revision"],
            ondelete="CASCADE",
        ),
        Index("ix_digest_items_arxiv_id", "arxiv_id"),
    )

    digest_id: Mapped[str] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    arxiv_id: Mapped[str]
    summary_status: Mapped[str]
    content: Mapped[dict[str, Any]]
    added_at: Mapped[datetime | None] = mapped_column(comment="since when the digest shows the paper")
    changed_at: Mapped[datetime | None] = mapped_column(comment="since when it shows of it what it shows now")
