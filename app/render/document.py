"""CONTRACT: output. The one frozen document that every renderer reads.

A renderer is a pure function of a ``DigestDocument`` and a ``View``: no database, no clock, no settings.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Math(StrEnum):
    """How formulas are shown: as arXiv gives them, as MathML elements, or in plain Unicode characters."""

    TEX = "tex"
    MATHML = "mathml"
    UNICODE = "unicode"


@dataclass(frozen=True, slots=True)
class View:
    """How a caller wants a document shown.

    ``base_url`` is where the service is reached, without a slash at the end; without one (a file that the command line
    writes) the document has no links to the service.
    """

    math: Math
    base_url: str | None = None


class ReasonKind(StrEnum):
    """What can bring a paper into a digest."""

    CATEGORY = "category"
    AUTHOR = "author"
    WORDS = "words"
    NAMED = "named"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a paper is in a digest: the category it was announced in, an author who is followed, words that the query found,
    or its id, named by whoever asked for the digest (``value`` is then the id).
    """

    kind: ReasonKind
    value: str


@dataclass(frozen=True, slots=True)
class ItemAuthor:
    """An author as arXiv prints the name (TeX intact)."""

    name: str
    affiliations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of the paper at arXiv, without a version."""

    abs: str
    pdf: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a summary comes from. ``stale`` means that it was made from an earlier text of the paper."""

    origin: str  # llm, extractive, human, imported
    model: str | None
    provider: str | None
    prompt_version: str | None
    paper_version: int | None
    tokens: int | None
    made_at: datetime
    stale: bool


@dataclass(frozen=True, slots=True)
class ClassicTexts:
    """The texts as the older system stored them, for ``?style=classic``; ``None`` where its record lacked the key."""

    title: str
    link: str
    abstract: str
    translated_title: str | None
    translated_abstract: str | None
    tldr: str | None
    en_tldr: str | None


@dataclass(frozen=True, slots=True)
class DigestItem:
    """One paper of a digest.

    ``tldr`` and the translations are in the digest's language; ``tldr_en`` is the English sentence. Any text may be
    missing (``None``). ``abstract_is_cut`` marks an abstract of which only the beginning is known.
    ``summary_status`` is ``pending``, ``running``, ``done`` or ``failed``. ``submitted_at`` is that of the first version,
    ``updated_at`` that of the newest; ``license`` is an address. ``announced_on`` is the batch date that brought the paper
    here. ``added_at`` is when the digest first showed the paper, ``changed_at`` when what it shows of it last changed.
    """

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
    authors: tuple[ItemAuthor, ...]
    authors_omitted: int
    primary_category: str | None
    categories: tuple[str, ...]
    announce_type: str | None
    links: Links
    summary_status: str
    summary_error: str | None
    summary: Provenance | None
    classic: ClassicTexts | None
    announced_on: date | None = None
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    license: str | None = None
    withdrawn: bool = False
    reasons: tuple[Reason, ...] = ()
    added_at: datetime | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IncompleteListing:
    """A category's listing of a day that was not read whole; ``state`` as in GET /v1/listings, or ``unread``."""

    category: str
    announced_on: date
    state: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """The numbers that prove a digest complete.

    ``announced`` papers are named by the listings (or by the request); ``stored`` of them are in the database;
    ``missing`` names those that are not. ``summarized`` + ``pending`` + ``failed`` = number of items.
    ``untranslated`` of the summarised have no text in the digest's language. ``incomplete`` names the listings of the
    period that were not read, or not whole: of what they announced, ``announced`` counts at most a part.

    A channel that filters, limits or never repeats leaves papers out, and counts them: ``not_matching`` its query, authors
    and exclusions; ``shown_before`` by an earlier digest of the channel; ``held_over`` for a later one. ``carried_over`` came
    from an earlier one. Always ``stored + carried_over = items + not_matching + shown_before + held_over``.
    """

    announced: int
    stored: int
    summarized: int
    pending: int
    failed: int
    untranslated: int
    missing: tuple[str, ...]
    incomplete: tuple[IncompleteListing, ...] = ()
    not_matching: int = 0
    shown_before: int = 0
    held_over: int = 0
    carried_over: int = 0

    @property
    def items(self) -> int:
        """How many papers the digest shows."""
        return self.summarized + self.pending + self.failed


@dataclass(frozen=True, slots=True)
class Period:
    """First and last batch date (US Eastern), both included."""

    from_: date
    to: date


@dataclass(frozen=True, slots=True)
class DigestDocument:
    """A digest revision, whole. ``channel`` and ``period`` are ``None`` for an ad hoc digest over named papers or a query.

    ``created_at`` is when this revision was written, ``first_created_at`` when the first one was.
    """

    id: str
    channel: str | None
    title: str
    period: Period | None
    language: str
    revision: int
    created_at: datetime
    receipt: Receipt
    items: tuple[DigestItem, ...]
    first_created_at: datetime | None = None
