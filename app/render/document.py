"""CONTRACT: output. The one frozen document that every renderer reads.

A renderer is a pure function from ``DigestDocument`` to text: no database, no clock, no settings.
"""

from dataclasses import dataclass
from datetime import date, datetime


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
    ``summary_status`` is ``pending``, ``running``, ``done`` or ``failed``.
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
    """

    announced: int
    stored: int
    summarized: int
    pending: int
    failed: int
    untranslated: int
    missing: tuple[str, ...]
    incomplete: tuple[IncompleteListing, ...] = ()


@dataclass(frozen=True, slots=True)
class Period:
    """First and last batch date (US Eastern), both included."""

    from_: date
    to: date


@dataclass(frozen=True, slots=True)
class DigestDocument:
    """A digest revision, whole. ``channel`` and ``period`` are ``None`` for an ad hoc digest over named papers."""

    id: str
    channel: str | None
    title: str
    period: Period | None
    language: str
    revision: int
    created_at: datetime
    receipt: Receipt
    items: tuple[DigestItem, ...]
