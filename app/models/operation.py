"""What work leaves behind: jobs' outcomes, requests to arXiv, harvests."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, func, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of
from app.models.states import FetchOutcome, RunState


class JobOutcome(Base):
    """What a job gave back, or why it failed: the job engine keeps neither."""

    __tablename__ = "job_outcomes"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    finished_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ServiceSecret(Base):
    """A random key that all processes share, made by whoever needs it first."""

    __tablename__ = "service_secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class RateLimit(Base):
    """When the next request to a source may start, over all processes on all machines."""

    __tablename__ = "rate_limits"

    key: Mapped[str] = mapped_column(primary_key=True)
    next_at: Mapped[datetime]


class Rest(Base):
    """A source, or one target of it, that is left alone for a while because it refused or failed."""

    __tablename__ = "rests"

    key: Mapped[str] = mapped_column(primary_key=True, comment="feed, oai or api; or feed:cs.CL and the like")
    until: Mapped[datetime]
    failures: Mapped[int] = mapped_column(comment="in a row")
    reason: Mapped[str]
    since: Mapped[datetime] = mapped_column(server_default=func.now())


class Fetch(Base):
    """One request to arXiv: the row is there before the request is."""

    __tablename__ = "fetches"
    __table_args__ = (
        one_of("outcome", FetchOutcome),
        Index("ix_fetches_url_id", "url", "id"),
        Index("ix_fetches_started_at", "started_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    source: Mapped[str] = mapped_column(comment="feed, oai or api")
    target: Mapped[str] = mapped_column(comment="the category, the set, or what else was asked for")
    url: Mapped[str]
    started_at: Mapped[datetime]
    outcome: Mapped[str]
    detail: Mapped[str | None]
    status: Mapped[int | None]
    size: Mapped[int | None] = mapped_column(BigInteger, comment="bytes of the body, uncompressed")
    duration: Mapped[timedelta | None]
    headers: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    body: Mapped[bytes | None] = mapped_column(comment="as received, compressed with zlib; kept for 30 days")
    body_of: Mapped[int | None] = mapped_column(BigInteger, comment="the fetch that has the same body")


class Harvest(Base):
    """One harvest over OAI-PMH, in windows of days; the row is where it goes on after an interruption."""

    __tablename__ = "harvests"
    __table_args__ = (
        one_of("state", RunState),
        Index(
            "uq_harvests_running",
            "set_spec",
            "prefix",
            "from_on",
            "until_on",
            unique=True,
            postgresql_where=text("state = 'running'"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    set_spec: Mapped[str]
    prefix: Mapped[str]
    from_on: Mapped[date]
    until_on: Mapped[date | None] = mapped_column(comment="NULL: until now")
    state: Mapped[str]
    window_from: Mapped[date] = mapped_column(comment="first day of the window at work")
    window_until: Mapped[date | None] = mapped_column(comment="its last day; NULL: until now")
    token: Mapped[str | None] = mapped_column(comment="what the last page gave for the next")
    window_pages: Mapped[int] = mapped_column(server_default=text("0"))
    responded_on: Mapped[date | None] = mapped_column(comment="UTC day of the first answer of the last window")
    pages: Mapped[int] = mapped_column(server_default=text("0"))
    records: Mapped[int] = mapped_column(server_default=text("0"))
    counts: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    detail: Mapped[str | None]
    job_id: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class Coverage(Base):
    """The days of a set whose modifications have all been harvested (as arXivRaw), without a gap."""

    __tablename__ = "coverages"

    set_spec: Mapped[str] = mapped_column(primary_key=True)
    covered_from: Mapped[date]
    covered_before: Mapped[date] = mapped_column(comment="the first day that may still be incomplete")
    harvested_at: Mapped[datetime]
