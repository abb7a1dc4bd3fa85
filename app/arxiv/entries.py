"""CONTRACT: input. What the parsers of arXiv's formats hand to the rest of the service.

Texts are as arXiv gives them: TeX intact, nothing cut. Only what the transport added is taken away: XML and
(in the legacy format) HTML escaping, the feed's label, hard line wraps.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class AnnounceType(StrEnum):
    """Why a paper is in a listing, relative to the category that was asked (FACTS 2.2)."""

    NEW = "new"
    CROSS = "cross"
    REPLACE = "replace"
    REPLACE_CROSS = "replace-cross"


@dataclass(frozen=True, slots=True)
class Author:
    """One author; ``name`` is TeX as arXiv prints it (``Fr\\'ed\\'eric Lagoutiere``)."""

    name: str
    affiliations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a listing. ``None`` or an empty tuple means that the document does not say.

    ``categories`` are in the paper's own order where the format has them; the legacy format names the primary only.
    ``authors_omitted`` counts authors that the document says it left out ("et al. (909 additional authors not shown)").
    ``raw`` is the XML of the item as received.
    """

    arxiv_id: str
    version: int | None
    announce_type: AnnounceType
    announced_on: date
    title: str | None
    abstract: str | None
    authors: tuple[Author, ...]
    authors_omitted: int
    primary_category: str | None
    categories: tuple[str, ...]
    license: str | None
    doi: str | None
    journal_ref: str | None
    raw: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A whole listing document.

    ``format`` is ``rss2``, ``atom`` or ``rss1``. ``categories`` are the names in the document's own title, as written
    there (``("cs", "math")`` for ``cs, math updates on arXiv.org``). ``announced_on`` is the batch date in US Eastern time.
    """

    format: str
    categories: tuple[str, ...]
    announced_on: date
    generated_at: datetime | None
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a paper; ``source_type`` are arXiv's letters, of which ``I`` means a withdrawal (FACTS 3.2)."""

    version: int
    submitted_at: datetime | None = None
    size: str | None = None
    source_type: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """What a bibliographic source says of a paper: OAI-PMH in any format, the search API, the Kaggle snapshot.

    ``None`` or an empty tuple means that the source does not say. ``version`` is the newest one, and ``updated_at`` when it
    was submitted; ``submitted_at`` is the time of version 1. ``withdrawn`` is known only where versions have source types.
    ``datestamp`` is the UTC day of the record's last modification. ``converted`` says that the texts had their TeX accents
    (and Greek letters in formulas) turned into Unicode, so that a text with its TeX intact is to be preferred.
    ``format`` is ``arXivRaw``, ``arXiv``, ``arXivOld``, ``oai_dc``, ``api`` or ``snapshot``; ``raw`` is the record as received.
    """

    arxiv_id: str
    version: int | None
    title: str | None
    abstract: str | None
    authors: tuple[Author, ...]
    primary_category: str | None
    categories: tuple[str, ...]
    comments: str | None
    journal_ref: str | None
    doi: str | None
    license: str | None
    submitted_at: datetime | None
    updated_at: datetime | None
    versions: tuple[Version, ...]
    withdrawn: bool | None
    datestamp: date | None
    converted: bool
    format: str
    raw: str
