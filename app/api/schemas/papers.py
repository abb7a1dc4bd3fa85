"""Papers on the wire."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, computed_field

from app.api.fields import Language
from app.api.schemas.common import In, JobRead
from app.api.schemas.paper_queries import FieldNames, Included
from app.api.schemas.summaries import SummaryRead
from app.arxiv import ids
from app.details import MAX_IDS
from app.models import Announcement, Paper
from app.papers import Source

MAX_BATCH = 500


class AuthorRead(BaseModel):
    """An author; the name as arXiv prints it, TeX intact, and in its display form."""

    name: str
    affiliations: list[str]
    display_name: str = Field(description="The name in plain Unicode")


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


class VersionRead(BaseModel):
    """One version of a paper; `null` where no source said it."""

    version: int
    submitted_at: Annotated[datetime, AfterValidator(lambda at: at.astimezone(UTC))] | None = None
    size: str | None = Field(default=None, description="Of the source, as arXiv gives it, such as `13kb`")
    source_type: str | None = Field(default=None, description="arXiv's letters; `I` is a withdrawal")

    @computed_field(description="This version is a withdrawal")
    def withdrawn(self) -> bool:
        """Derived from the source type."""
        return "I" in (self.source_type or "")


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
    versions: list[VersionRead] = Field(description="Those that are known, the first first")
    links: LinksRead
    stored_at: datetime
    changed_at: datetime
    display_title: str | None = Field(description="The title in plain Unicode, formulas left as TeX")
    display_abstract: str | None = Field(description="The abstract in plain Unicode, formulas left as TeX")

    @classmethod
    def fields_of(cls, paper: Paper) -> dict[str, Any]:
        """The fields that the row and the wire share, and the links."""
        links = LinksRead(abs=ids.abs_url(paper.arxiv_id), pdf=ids.pdf_url(paper.arxiv_id))
        shared = {name: getattr(paper, name) for name in PaperRead.model_fields if name != "links"}
        if paper.display_title is None:
            shared["display_title"] = paper.title
        if paper.display_abstract is None:
            shared["display_abstract"] = paper.abstract
        return shared | {"links": links}

    @classmethod
    def of(cls, paper: Paper) -> "PaperRead":
        """From the stored row."""
        return cls(**cls.fields_of(paper))


def _only_the_id_is_sure(schema: dict[str, Any]) -> None:
    """With `fields` the others may be left out."""
    schema["required"] = ["arxiv_id"]


class HighlightRead(BaseModel):
    """Where a paper has what was looked for: HTML whose only element is `<mark>`, everything else of it is escaped."""

    title: str | None = Field(description="The whole title", examples=["A <mark>graph</mark> of words"])
    snippets: list[str] = Field(
        description="The best passage of the abstract, and of translations that have hits, their titles first",
        examples=[["… we draw <mark>graphs</mark> of …"]],
    )


class PaperListed(PaperRead):
    """A paper in a list; with `fields` only some of its fields, with `include=summaries` its summaries, with `q` how it was
    found.
    """

    model_config = ConfigDict(json_schema_extra=_only_the_id_is_sure)

    summaries: list[SummaryRead] | None = Field(
        default=None, description="With `include=summaries`: the done ones that speak for the paper, by language"
    )
    score: float | None = Field(
        default=None, description="With `q`: the more, the better; comparable within one answer only", examples=[11.42]
    )
    highlight: HighlightRead | None = Field(default=None, description="With `q`: where the paper has the words")


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


class PapersBatch(In):
    """Papers to read by their ids."""

    ids: list[str] = Field(
        min_length=1,
        max_length=MAX_BATCH,
        description="In any form. Versions are left out, because a paper is stored in its newest; a paper named twice is given "
        "once, at its first place",
        examples=[["2404.02342", "hep-th/9901001"]],
    )
    fields: FieldNames | None = None
    include: Included | None = None
    language: Language | None = Field(
        default=None,
        description="Of the summaries; without one, all that are included, and the service's first is requested",
    )
    request_summaries: bool = Field(
        default=False, description="Have the summaries made that these papers lack in the language, by one job"
    )


class InvalidIdRead(BaseModel):
    """What was given for an id, and why it is none."""

    id: str
    detail: str


class PapersBatchRead(BaseModel):
    """The papers that are stored, in the order asked for, and what became of the other ids."""

    items: list[PaperListed]
    unknown: list[str] = Field(description="Well-formed ids, as they were given, of papers that are not stored")
    invalid: list[InvalidIdRead] = Field(description="What is no id in any form; the others are not lost for it")
    pending: list[str] = Field(
        description="With `request_summaries`: papers whose summary is being made, or is asked for with this request"
    )
    job: JobRead | None = Field(
        description="With `request_summaries`: the job that asks for what nobody had asked for; also in `Location`"
    )


class PapersFetch(In):
    """Papers to fetch by id."""

    ids: list[str] = Field(
        min_length=1,
        max_length=MAX_IDS,
        description="In any form; versions are left out, because a paper is stored in its newest",
        examples=[["2404.02342", "hep-th/9901001"]],
    )
