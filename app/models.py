"""CONTRACT: storage. Every table of the service; the job engine's own tables come from its package.

Instants are UTC and end in ``_at``; days are arXiv's batch dates (US Eastern) and end in ``_on``. Once-only rules are
unique indexes. ``NULL`` means that nobody said, never that a value is empty.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The declarative base; constraint names are fixed so that migrations can address them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own way to configure a base
        str: Text,
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
    }


class ListingState(StrEnum):
    """What is known of one category on one batch date."""

    ANNOUNCED = "announced"
    EMPTY = "empty"
    NOT_YET = "not_yet"
    STALE = "stale"
    TRUNCATED = "truncated"
    FAILED = "failed"


class SummaryStatus(StrEnum):
    """How far a summary has come."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SummaryOrigin(StrEnum):
    """Who made a summary."""

    LLM = "llm"
    EXTRACTIVE = "extractive"
    HUMAN = "human"
    IMPORTED = "imported"


class RunState(StrEnum):
    """How an ingestion run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class FetchOutcome(StrEnum):
    """How a request to arXiv ended."""

    RUNNING = "running"
    OK = "ok"
    NOT_MODIFIED = "not_modified"
    REDIRECTED = "redirected"
    LATER = "later"
    REFUSED = "refused"
    REJECTED = "rejected"
    CUT = "cut"
    TOO_LARGE = "too_large"
    INTERRUPTED = "interrupted"


def _one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=f"{column}_known")


class Paper(Base):
    """A paper in its newest known version, texts as arXiv gives them (TeX intact)."""

    __tablename__ = "papers"
    __table_args__ = (
        Index("ix_papers_listed_in", "listed_in", postgresql_using="gin"),
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
    authors: Mapped[list[dict[str, Any]]] = mapped_column(server_default=text("'[]'"))
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
    __table_args__ = (Index("ix_ingestions_kind_category", "kind", "category"), _one_of("state", RunState))

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
    __table_args__ = (_one_of("state", ListingState),)

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
        _one_of("status", SummaryStatus),
        _one_of("origin", SummaryOrigin),
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
    tokens: Mapped[int | None]
    error: Mapped[str | None]
    entry_id: Mapped[int | None] = mapped_column(
        ForeignKey("paper_entries.id", ondelete="SET NULL"),
        comment="the archive record an imported summary comes from",
    )
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())


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


class JobOutcome(Base):
    """What a job gave back, or why it failed: the job engine keeps neither."""

    __tablename__ = "job_outcomes"

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    finished_at: Mapped[datetime] = mapped_column(server_default=func.now())


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
        _one_of("outcome", FetchOutcome),
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
        _one_of("state", RunState),
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
