"""CONTRACT: wire. What goes in and out over HTTP, as pydantic models; the OpenAPI document is made from them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.api.fields import Day, Language, Line
from app.arxiv import ids
from app.digests import MAX_PAPERS
from app.jobs import Job, JobStatus
from app.listings import count_types
from app.models import Announcement, Channel, Digest, Ingestion, Listing, ListingState, Paper, RunState
from app.papers import Source
from app.render.document import Receipt

Item = TypeVar("Item")
AnnounceTypeName = Literal["new", "cross", "replace", "replace-cross"]


class In(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is not silently without effect."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is `null` on the last."""

    items: Sequence[Item]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; also in the `Link` header")


class Problem(BaseModel):
    """An error (RFC 9457). `code` is stable; `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, Any]] | None = Field(default=None, description="What is wrong with which field, for a 422")


class AuthorRead(BaseModel):
    """An author; the name as arXiv prints it, TeX intact."""

    name: str
    affiliations: list[str]


class LinksRead(BaseModel):
    """Addresses at arXiv."""

    abs: str
    pdf: str


class SourceRead(BaseModel):
    """The newest record of a paper exactly as it was received."""

    format: str = Field(description="`rss2`, `atom`, `rss1` or `archive`")
    received_at: datetime
    raw: str


class AnnouncementRead(BaseModel):
    """A paper in the listing of one category on one batch date."""

    category: str
    announced_on: date
    announce_type: str
    version: int | None
    source: str

    @classmethod
    def of(cls, row: Announcement) -> "AnnouncementRead":
        """From the stored row."""
        return cls(
            category=row.category,
            announced_on=row.announced_on,
            announce_type=row.announce_type,
            version=row.version,
            source=row.source,
        )


class PaperRead(BaseModel):
    """A paper in its newest known version. Texts are as arXiv gives them; `null` where no source said anything."""

    arxiv_id: str
    version: int | None
    title: str | None
    abstract: str | None
    abstract_is_cut: bool = Field(description="Only the beginning of the abstract is known")
    authors: list[AuthorRead]
    authors_omitted: int = Field(description="Further authors that the source did not name")
    primary_category: str | None
    categories: list[str]
    comments: str | None
    journal_ref: str | None
    doi: str | None
    license: str | None
    submitted_at: datetime | None
    updated_at: datetime | None
    first_announced_on: date | None
    withdrawn: bool
    links: LinksRead
    stored_at: datetime
    changed_at: datetime

    @classmethod
    def fields_of(cls, paper: Paper) -> dict[str, Any]:
        """The fields that the row and the wire share, and the links."""
        links = LinksRead(abs=ids.abs_url(paper.arxiv_id), pdf=ids.pdf_url(paper.arxiv_id))
        shared = {name: getattr(paper, name) for name in PaperRead.model_fields if name != "links"}
        return shared | {"links": links}

    @classmethod
    def of(cls, paper: Paper) -> "PaperRead":
        """From the stored row."""
        return cls(**cls.fields_of(paper))


class PaperDetail(PaperRead):
    """A paper with its announcements and its raw record."""

    announcements: list[AnnouncementRead]
    source: SourceRead | None

    @classmethod
    def with_source(cls, paper: Paper, announcements: Sequence[Announcement], source: Source | None) -> "PaperDetail":
        """From the stored rows."""
        raw = SourceRead(format=source.format, received_at=source.received_at, raw=source.raw) if source else None
        return cls(
            **cls.fields_of(paper), announcements=[AnnouncementRead.of(row) for row in announcements], source=raw
        )


class ListingRead(BaseModel):
    """What is known of one category on one batch date."""

    category: str
    announced_on: date
    state: ListingState
    announced: int = Field(description="Papers that the listing named")
    counts: dict[str, int] = Field(description="Papers per announce type")
    source: str
    reason: str | None
    ingestion_id: int | None
    first_read_at: datetime
    last_read_at: datetime

    @classmethod
    def of(cls, row: Listing) -> "ListingRead":
        """From the stored row."""
        return cls(
            category=row.category,
            announced_on=row.announced_on,
            state=ListingState(row.state),
            announced=len(row.announced),
            counts=count_types(row.announced),
            source=row.source,
            reason=row.reason,
            ingestion_id=row.ingestion_id,
            first_read_at=row.first_read_at,
            last_read_at=row.last_read_at,
        )


class ChannelCreate(In):
    """A channel to create."""

    slug: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Its name in addresses", examples=["nlp-and-stats"]
    )
    title: Line = Field(min_length=1, max_length=200, examples=["Language and statistics"])
    categories: list[str] = Field(min_length=1, max_length=50, examples=[["cs.CL", "stat.ML"]])
    announce_types: list[AnnounceTypeName] = Field(
        default=["new", "cross", "replace", "replace-cross"], min_length=1, description="Which announcements it takes"
    )
    language: Language | None = Field(default=None, description="Without one, the service's own languages")


class ChannelRead(BaseModel):
    """A named stream of digests."""

    slug: str
    title: str
    categories: list[str]
    announce_types: list[str]
    language: str | None
    builtin: bool = Field(description="Every category and archive of arXiv is a channel from the start")
    created_at: datetime

    @classmethod
    def of(cls, row: Channel) -> "ChannelRead":
        """From the stored row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class PeriodRead(BaseModel):
    """First and last batch date (US Eastern), both included."""

    from_: date = Field(alias="from")
    to: date


class DigestCreate(In):
    """A digest to create: of a channel's day (or period), or over named papers."""

    channel: str | None = Field(default=None, max_length=80, examples=["cs.CL"])
    date: Day | None = Field(
        default=None, description="Batch date, US Eastern; without one, the newest that is announced"
    )
    from_: Day | None = Field(default=None, alias="from", description="First day of a period, in place of `date`")
    to: Day | None = Field(default=None, description="Last day of the period")
    paper_ids: list[str] | None = Field(
        default=None, min_length=1, max_length=MAX_PAPERS, examples=[["2404.02342", "hep-th/9901001"]]
    )
    title: Line | None = Field(default=None, min_length=1, max_length=300, description="Of a digest over named papers")
    language: Language | None = Field(default=None, description="Without one, the channel's or the service's first")

    @model_validator(mode="after")
    def _one_question(self) -> "DigestCreate":
        if (self.channel is None) == (self.paper_ids is None):
            raise ValueError("give either channel or paper_ids")
        if self.paper_ids is not None and any((self.date, self.from_, self.to)):
            raise ValueError("date, from and to belong to a channel's digest, not to one over paper_ids")
        if self.channel is not None and self.title is not None:
            raise ValueError("title belongs to a digest over paper_ids; a channel's digest is named after its channel")
        if self.date is not None and (self.from_ is not None or self.to is not None):
            raise ValueError("give either date, or from and to")
        return self


class ReceiptRead(BaseModel):
    """The numbers that prove a digest complete."""

    announced: int = Field(description="Papers that the listings, or the request, name")
    stored: int
    summarized: int
    pending: int
    failed: int
    untranslated: int = Field(description="Summarised papers without a text in the digest's language")
    missing: list[str] = Field(description="Papers that were announced and are not stored")

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptRead":
        """From the document's receipt."""
        return cls(
            **{name: getattr(receipt, name) for name in cls.model_fields if name != "missing"},
            missing=list(receipt.missing),
        )


class ProvenanceRead(BaseModel):
    """Where a summary comes from."""

    origin: str
    model: str | None
    provider: str | None
    prompt_version: str | None
    paper_version: int | None
    tokens: int | None
    made_at: datetime
    stale: bool = Field(description="The paper's text has changed since")


class DigestItemRead(BaseModel):
    """One paper of a digest."""

    position: int
    arxiv_id: str
    version: int | None
    title: str | None
    translated_title: str | None
    tldr: str | None
    tldr_en: str | None
    translated_abstract: str | None
    abstract: str | None
    abstract_is_cut: bool
    authors: list[AuthorRead]
    authors_omitted: int
    primary_category: str | None
    categories: list[str]
    announce_type: str | None
    links: LinksRead
    summary_status: str
    summary_error: str | None
    summary: ProvenanceRead | None


class DigestHead(BaseModel):
    """A digest without its papers."""

    id: str
    channel: str | None
    title: str
    period: PeriodRead | None
    language: str
    revision: int
    created_at: datetime = Field(description="When this revision was written")
    receipt: ReceiptRead


class DigestRead(DigestHead):
    """A digest, whole, in its newest revision or the one asked for."""

    items: list[DigestItemRead]


class DigestListed(DigestHead):
    """A digest in a list; `created_at` is when the digest was first created."""

    @classmethod
    def of(cls, row: Digest, receipt: Receipt) -> "DigestListed":
        """From the stored row and the receipt of its newest revision."""
        period = PeriodRead.model_validate({"from": row.period_from, "to": row.period_to}) if row.period_to else None
        return cls(
            id=row.id,
            channel=row.channel,
            title=row.title,
            period=period,
            language=row.language,
            revision=row.revision,
            created_at=row.created_at,
            receipt=ReceiptRead.of(receipt),
        )


class IngestionCreate(In):
    """A listing to read now."""

    category: str = Field(max_length=80, description="A category or an archive", examples=["cs.CL"])


class IngestionRead(BaseModel):
    """One run of reading a listing or an archive."""

    id: int
    kind: str
    category: str | None
    source: str
    job_id: int | None
    state: RunState
    outcome: str | None
    reason: str | None = Field(description="A stable word for why it failed")
    detail: str | None
    announced_on: date | None
    http_status: int | None
    bytes: int | None
    counts: dict[str, int]
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Ingestion) -> "IngestionRead":
        """From the stored row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class JobRead(BaseModel):
    """A background job; `result` or `error` once it has ended."""

    id: int
    kind: str
    status: JobStatus
    args: dict[str, Any]
    attempts: int
    queued_at: datetime | None
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None
    error: str | None

    @classmethod
    def of(cls, job: Job) -> "JobRead":
        """From the engine's job."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class Health(BaseModel):
    """Whether the process is alive, or ready."""

    status: Literal["ok"]
