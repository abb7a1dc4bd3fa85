"""Channels and digests."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Channel(Base):
    """A named stream of digests. Every category and archive of arXiv is one from the start (``builtin``)."""

    __tablename__ = "channels"

    slug: Mapped[str] = mapped_column(primary_key=True)
    title: Mapped[str]
    categories: Mapped[list[str]]
    announce_types: Mapped[list[str]]
    language: Mapped[str | None] = mapped_column(comment="NULL: the service's own languages")
    builtin: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Digest(Base):
    """A digest; its id is made from what was asked for, so that asking twice gives the same one."""

    __tablename__ = "digests"
    __table_args__ = (Index("ix_digests_channel_period", "channel", "language", "period_to"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    channel: Mapped[str | None] = mapped_column(ForeignKey("channels.slug", ondelete="CASCADE"))
    title: Mapped[str]
    period_from: Mapped[date | None]
    period_to: Mapped[date | None]
    language: Mapped[str]
    paper_ids: Mapped[list[str] | None] = mapped_column(comment="the papers named, for an ad hoc digest")
    revision: Mapped[int] = mapped_column(comment="the newest revision")
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
