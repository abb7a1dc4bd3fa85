"""Digests on the wire."""

from datetime import date, datetime

from pydantic import BaseModel, Field, model_validator

from app.api.fields import Day, Language, Line, Query
from app.api.schemas.common import In, IncompleteListingRead, PeriodRead
from app.api.schemas.papers import AuthorRead, LinksRead
from app.digests import MAX_PAPERS, Difference
from app.models import Digest, DigestKind, DigestRevision, Order
from app.render.document import ReasonKind, Receipt


class DigestCreate(In):
    """A digest to create: of a channel's day (or period), or over named papers."""

    channel: str | None = Field(default=None, max_length=80, examples=["cs.CL"])
    date: Day | None = Field(
        default=None,
        description="Batch date, US Eastern, or any day of a channel's week or month; without one, the newest announced",
    )
    from_: Day | None = Field(
        default=None, alias="from", description="First day of a roll-up in place of `date`, or of what a query searches"
    )
    to: Day | None = Field(default=None, description="Last day of it")
    paper_ids: list[str] | None = Field(
        default=None, min_length=1, max_length=MAX_PAPERS, examples=[["2404.02342", "hep-th/9901001"]]
    )
    query: Query | None = None
    categories: list[str] | None = Field(
        default=None, min_length=1, max_length=50, description="Where a query searches; without them, everywhere"
    )
    order: Order = Field(default=Order.ID, description="Of the papers that a query finds")
    limit: int | None = Field(default=None, ge=1, le=MAX_PAPERS, description="Papers that a query may give (100)")
    title: Line | None = Field(
        default=None, min_length=1, max_length=300, description="Of a digest over named papers or a query"
    )
    language: Language | None = Field(default=None, description="Without one, the channel's or the service's first")

    @model_validator(mode="after")
    def _one_question(self) -> "DigestCreate":
        if sum(one is not None for one in (self.channel, self.paper_ids, self.query)) != 1:
            raise ValueError("give one of channel, paper_ids and query")
        if self.paper_ids is not None and any((self.date, self.from_, self.to)):
            raise ValueError("date, from and to belong to a channel's digest or a query's, not to one over paper_ids")
        if self.query is None and (self.categories or self.limit or "order" in self.model_fields_set):
            raise ValueError("categories, order and limit belong to a digest over a query")
        if self.query is not None and self.date is not None:
            raise ValueError("a query takes from and to, not date")
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

    not_matching: int = Field(description="Stored papers that the channel's query, authors or exclusions leave out")
    shown_before: int = Field(description="Papers that another digest of the channel has shown")
    held_over: int = Field(description="Papers that the channel's size limit leaves to a later digest")
    carried_over: int = Field(
        description="Papers from earlier days; stored + carried_over = items + not_matching + shown_before + held_over"
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


class ReasonRead(BaseModel):
    """Why a paper is in a digest."""

    kind: ReasonKind = Field(
        description="A category it was announced in, an author, words of the query, or its id, named"
    )
    value: str


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
    announced_on: date | None = Field(description="The batch date that brought the paper here")
    submitted_at: datetime | None = Field(description="Of the first version")
    updated_at: datetime | None
    comments: str | None
    journal_ref: str | None
    doi: str | None
    license: str | None
    withdrawn: bool
    links: LinksRead
    reasons: list[ReasonRead] = Field(description="Why the paper is here")
    summary_status: str
    summary_error: str | None
    summary: ProvenanceRead | None
    added_at: datetime | None = Field(description="Since when the digest shows the paper")
    changed_at: datetime | None = Field(description="Since when it shows of it what it shows now")


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

    first_created_at: datetime | None = Field(description="When its first revision was written")

    items: list[DigestItemRead]


class DigestListed(DigestHead):
    """A digest in a list; `created_at` is when the digest was first created."""

    kind: DigestKind = Field(
        description="`channel`: of its schedule; `rollup`: of another period; `papers`: named; `query`: found"
    )

    @classmethod
    def of(cls, row: Digest, receipt: Receipt) -> "DigestListed":
        """From the stored row and the receipt of its newest revision."""
        period = PeriodRead.model_validate({"from": row.period_from, "to": row.period_to}) if row.period_to else None
        return cls(
            id=row.id,
            kind=DigestKind(row.kind),
            channel=row.channel,
            title=row.title,
            period=period,
            language=row.language,
            revision=row.revision,
            created_at=row.created_at,
            receipt=ReceiptRead.of(receipt),
        )


class RevisionRead(BaseModel):
    """A revision of a digest."""

    revision: int
    created_at: datetime
    receipt: ReceiptRead

    @classmethod
    def of(cls, row: DigestRevision, receipt: Receipt) -> "RevisionRead":
        """From the stored row and its receipt."""
        return cls(revision=row.revision, created_at=row.created_at, receipt=ReceiptRead.of(receipt))


class ItemChangeRead(BaseModel):
    """A paper that both revisions show, differently."""

    arxiv_id: str
    fields: list[str] = Field(description="The names of what differs")


class DigestDiffRead(BaseModel):
    """What a revision has changed."""

    id: str
    revision: int
    against: int = Field(description="The earlier revision; 0 is nothing")
    added: list[str]
    removed: list[str]
    changed: list[ItemChangeRead]
    receipt_before: ReceiptRead | None
    receipt_after: ReceiptRead

    @classmethod
    def of(cls, found: Difference) -> "DigestDiffRead":
        """From the comparison."""
        return cls(
            id=found.after.id,
            revision=found.after.revision,
            against=found.before.revision if found.before else 0,
            added=list(found.added),
            removed=list(found.removed),
            changed=[ItemChangeRead(arxiv_id=one.arxiv_id, fields=list(one.fields)) for one in found.changed],
            receipt_before=ReceiptRead.of(found.before.receipt) if found.before else None,
            receipt_after=ReceiptRead.of(found.after.receipt),
        )
