"""What may be asked of the lists of papers, as parameters of an address."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)

from app.api.fields import Day, Language, Line
from app.api.schemas.common import AnnounceTypeName
from app.arxiv import ids, taxonomy
from app.errors import InvalidInput
from app.lookup import Lookup, Mode
from app.papers import FIELDS, Direction, PaperFilter, PaperQuery, Shown, Sort, Standing

MAX_IDS = 200
MAX_PASTED = 20_000
MAX_PARTS = 1_000
"""Values in one parameter, empty ones too; to say of each comma what is wrong with it would take a while."""


def _split(value: Any) -> Any:
    """Repeated values, each of which may hold several with commas between."""
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list):
        return value
    # What is no text is left for the validation to refuse.
    if sum(one.count(",") for one in value if isinstance(one, str)) >= MAX_PARTS:
        raise ValueError(f"it names more than {MAX_PARTS:,} values; ask for less at a time")
    return [part for one in value for part in (map(str.strip, one.split(",")) if isinstance(one, str) else [one])]


def _canonical_ids(values: list[str]) -> list[str]:
    named = [value for value in values if value]
    if len(named) > MAX_IDS:
        raise InvalidInput(f"ids names {len(named)} papers; at most {MAX_IDS} fit into one request.")
    return list(dict.fromkeys(ids.parse(value).id for value in named))


CategoryName = Annotated[str, Field(max_length=80), AfterValidator(taxonomy.canonical)]
FieldName = Annotated[str, AfterValidator(lambda name: _known_field(name))]


def _known_field(name: str) -> str:
    if name not in FIELDS:
        raise ValueError(f"a paper has no field {name[:40]!r}; it has {', '.join(FIELDS)}")
    return name


FieldNames = Annotated[
    list[FieldName],
    BeforeValidator(_split),
    Field(
        description="Only these fields of each paper, separated by commas; `arxiv_id` is always there",
        examples=[["title", "authors"]],
        max_length=100,
    ),
]
Included = Annotated[
    list[Literal["summaries"]],
    BeforeValidator(_split),
    Field(
        description="`summaries`: with each paper the done summaries that speak for it, one of each language, as digests show "
        "them; with `language` that one alone",
        max_length=10,
    ),
]


class PaperSelection(BaseModel):
    """Which papers, in which order, and what of each."""

    model_config = ConfigDict(extra="forbid")

    category: CategoryName | None = Field(
        default=None,
        description="A category or archive, under any of its names: `cs.CL`, `econ`. The paper carries it; with a period or a "
        "type of announcement, it was announced there",
    )
    primary: CategoryName | None = Field(default=None, description="A category or archive that is the paper's first")
    author: Annotated[Line, Field(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="An author's name: the words in any order, without regard to case and accents; an initial stands for every "
        "name that begins so",
        examples=["Ada Sample", "A. Sample"],
    )
    announced_from: Day | None = Field(default=None, description="Announced on or after this batch date")
    announced_to: Day | None = Field(default=None, description="Announced on or before this batch date")
    announce_type: Annotated[list[AnnounceTypeName], BeforeValidator(_split)] | None = Field(
        default=None, description="Announced as this type; repeated or separated by commas, as any of these"
    )
    submitted_from: Day | None = Field(default=None, description="First submitted on or after this day (UTC)")
    submitted_to: Day | None = Field(default=None, description="First submitted on or before this day (UTC)")
    language: Language | None = Field(
        default=None,
        description="Of which summaries `summary_status` and `include` speak; without one, the service's first",
    )
    summary_status: Standing | None = Field(
        default=None,
        description="How the summary of the paper's present text stands, as `GET /v1/stats` counts it; `none`: nobody asked "
        "for one",
    )
    withdrawn: bool | None = Field(default=None, description="Only withdrawn papers, or only the others")
    ids: Annotated[list[str], BeforeValidator(_split), AfterValidator(_canonical_ids)] | None = Field(
        default=None, description="Only these papers, in any form; repeated, or separated by commas"
    )
    q: Annotated[str, Field(min_length=1, max_length=MAX_PASTED)] | None = Field(
        default=None,
        description='What to search for: words, `"phrases"`, `-exclusions`, `OR`, prefixes such as `ti:` and `au:` '
        "(docs/search.md), in English, Chinese and other languages; or a text, such as an abstract, to find papers like it",
        examples=["graph neural -survey", "大模型 推理"],
    )
    mode: Mode = Field(
        default=Mode.LEXICAL, description="With `q`: by words, or by words and meaning together (`hybrid`)"
    )
    sort: Sort | None = Field(
        default=None,
        description="By the id (which is in time order over both schemes; usual without `q`), by `first_announced_on`, by "
        "`submitted_at`, or by relevance (usual with `q`; the best 1,000). A paper without the date counts as older than all "
        "others",
    )
    order: Direction = Field(default=Direction.DESC, description="`desc`: the newest first")
    fields: FieldNames | None = Field(default=None)
    include: Included | None = Field(default=None)

    @field_validator("mode", "sort")
    @classmethod
    def _only_with_q(cls, value: Mode | Sort | None, info: ValidationInfo) -> Mode | Sort | None:
        if value in (Mode.HYBRID, Sort.RELEVANCE) and "q" in info.data and info.data["q"] is None:
            raise ValueError(f"{value} is for searches; give q, too")
        return value

    _question: PaperQuery | None = PrivateAttr(default=None)
    _bound: list[Any] | None = PrivateAttr(default=None)

    def question(self, default_language: str) -> PaperQuery:
        """The same as the rules take it; ``default_language`` is the service's, the same for each call."""
        if self._question is None:
            self._question = self._make_question(default_language)
        return self._question

    def lookup(self, question: PaperQuery) -> Lookup | None:
        """The search that is asked for, if one is."""
        return Lookup(self.q, self.mode, question) if self.q is not None else None

    def bound(self, question: PaperQuery) -> list[Any]:
        """What a cursor of the list belongs to: its filters and its order."""
        if self._bound is None:
            self._bound = ["papers", repr(question.wanted), question.sort, question.direction, self.q, self.mode]
        return self._bound

    def _make_question(self, default_language: str) -> PaperQuery:
        wanted = PaperFilter(
            category=self.category,
            primary=self.primary,
            author=self.author,
            announced_from=self.announced_from,
            announced_to=self.announced_to,
            announce_types=tuple(sorted(set(self.announce_type))) if self.announce_type else None,
            submitted_from=self.submitted_from,
            submitted_to=self.submitted_to,
            standing=self.summary_status,
            language=(self.language or default_language) if self.summary_status else None,
            withdrawn=self.withdrawn,
            arxiv_ids=tuple(self.ids) if self.ids is not None else None,
        )
        sort = self.sort or (Sort.ID if self.q is None else Sort.RELEVANCE)
        return PaperQuery(wanted, sort, self.order, shown(self.fields, self.include, self.language))


def shown(fields: Sequence[str] | None, include: Sequence[str] | None, language: str | None) -> Shown:
    """What is told of each paper."""
    summaries = bool(include)
    named = tuple(name for name in FIELDS if name in fields) if fields else None
    return Shown(named, summaries, language if summaries else None)


class PapersQuery(PaperSelection):
    """A page of a list of papers."""

    limit: int = Field(default=20, ge=1, le=200, description="Items on a page")
    cursor: str | None = Field(default=None, description="`next_cursor` of the page before")
