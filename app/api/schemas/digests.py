"""Channels and digests on the wire."""

from datetime import datetime

from pydantic import BaseModel, Field, model_validator

from app.api.fields import Day, Language, Line
from app.api.schemas.common import AnnounceTypeName, In, IncompleteListingRead, PeriodRead
from app.api.schemas.papers import AuthorRead, LinksRead
from app.digests import MAX_PAPERS
from app.models import Channel, Digest
from app.render.document import Receipt


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
    incomplete: list[IncompleteListingRead] = Field(
        description="Listings of the period that were not read whole, so that more may have been announced"
    )

    @classmethod
    def of(cls, receipt: Receipt) -> "ReceiptRead":
        """From the document's receipt."""
        return cls.model_validate(receipt, from_attributes=True)


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
    display_title: str | None = Field(description="The title in plain Unicode, formulas left as TeX")
    translated_title: str | None
    tldr: str | None
    tldr_en: str | None
    translated_abstract: str | None
    abstract: str | None
    display_abstract: str | None = Field(description="The abstract in plain Unicode, formulas left as TeX")
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
