"""What one source says of a paper, in the shape that is stored."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, TypeAlias

from app.arxiv import ids, taxonomy
from app.arxiv.display import display
from app.arxiv.entries import Author, Record, Version
from app.search import lexemes

_BLANKS: Final = bytes.maketrans(b"\t\n\r\f\v", b"     ")
# Of a text it gives the JSON string without the setting up that every call of json.dumps costs.
_quoted: Final = json.JSONEncoder().encode


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperRecord:
    """What one source says of a paper; ``None`` or empty where it says nothing. ``raw`` is the record as received.

    ``withdrawn`` is None where the source cannot know. ``text_as_of`` orders sources of the same version in time.
    """

    arxiv_id: str
    version: int | None
    title: str | None
    abstract: str | None
    abstract_is_cut: bool = False
    text_is_converted: bool = False
    authors: tuple[Author, ...] = ()
    authors_omitted: int = 0
    primary_category: str | None
    categories: tuple[str, ...]
    categories_are_partial: bool = False
    listed_in: tuple[str, ...]
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    license: str | None = None
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    versions: tuple[Version, ...] = ()
    withdrawn: bool | None = None
    first_announced_on: date | None = None
    text_as_of: date | None = None
    datestamp: date | None = None
    format: str
    raw: str


def of_record(record: Record) -> PaperRecord:
    """A bibliographic record as it is stored."""
    return PaperRecord(
        arxiv_id=record.arxiv_id,
        version=record.version,
        title=record.title,
        abstract=record.abstract,
        text_is_converted=record.converted,
        authors=record.authors,
        primary_category=record.primary_category,
        categories=record.categories,
        listed_in=names_listed(record.categories),
        comments=record.comments,
        journal_ref=record.journal_ref,
        doi=record.doi,
        license=record.license,
        submitted_at=record.submitted_at,
        updated_at=record.updated_at,
        versions=record.versions,
        withdrawn=record.withdrawn,
        text_as_of=record.datestamp,
        datestamp=record.datestamp,
        format=record.format,
        raw=record.raw,
    )


@lru_cache(maxsize=10_000)
def names_listed(categories: tuple[str, ...]) -> tuple[str, ...]:
    """The names under which a paper with these categories is found: as they stand, and the canonical ones."""
    return tuple(sorted({*categories, *map(taxonomy.canonical_or_same, categories)}))


def abstract_hash(abstract: str | None) -> str:
    """The sha256 of an abstract in hexadecimal, the same however its source breaks the lines; of none, the empty text's."""
    text = (abstract or "").encode().translate(_BLANKS)
    while b"  " in text:
        text = text.replace(b"  ", b" ")
    return hashlib.sha256(text.strip(b" ")).hexdigest()


def displayed(text: str | None) -> str | None:
    """The display form of a text as it is stored: None where it is the text itself."""
    if text is None:
        return None
    shown = display(text)
    return None if shown == text else shown


def raw_hash(raw: str) -> str:
    """The sha256 of a record as received, in hexadecimal."""
    return hashlib.sha256(raw.encode()).hexdigest()


COLUMNS: Final = (
    "arxiv_id",
    "order_key",
    "version",
    "title",
    "display_title",
    "abstract",
    "display_abstract",
    "abstract_hash",
    "abstract_is_cut",
    "text_is_converted",
    "authors",
    "authors_omitted",
    "primary_category",
    "categories",
    "categories_are_partial",
    "listed_in",
    "comments",
    "journal_ref",
    "doi",
    "license",
    "submitted_at",
    "updated_at",
    "versions",
    "withdrawn",
    "first_announced_on",
    "text_as_of",
    "datestamp",
)
"""The columns of ``papers`` that a source fills, in the order of ``row``."""


ENTRY_COLUMNS: Final = ("arxiv_id", "version", "format", "raw", "raw_hash")
"""The columns of ``paper_entries``, in the order of ``entry``."""

Rows: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...], bytes | None]
"""A record as it goes to the database: the values of ``COLUMNS``, those of ``ENTRY_COLUMNS``, and what searches look at, if
that is known already."""


def rows(record: PaperRecord) -> Rows:
    """Make what a source says ready to be stored, without what searches look at."""
    return row(record), entry(record), None


def rows_of_record(record: Record) -> Rows:
    """The same as ``rows(of_record(record))`` without the step between, and with what searches look at: for those who store
    millions.
    """
    paper = (
        record.arxiv_id,
        ids.order_key(record.arxiv_id),
        record.version,
        record.title,
        displayed(record.title),
        record.abstract,
        displayed(record.abstract),
        abstract_hash(record.abstract),
        False,
        record.converted,
        _authors(record.authors),
        0,
        record.primary_category,
        list(record.categories),
        False,
        list(names_listed(record.categories)),
        record.comments,
        record.journal_ref,
        record.doi,
        record.license,
        record.submitted_at,
        record.updated_at,
        _versions(record),
        record.withdrawn,
        None,
        record.datestamp,
        record.datestamp,
    )
    return paper, entry(record), document(record)


def document(record: PaperRecord | Record) -> bytes:
    """What searches look at of a paper that has no summary."""
    texts = (record.title,), (record.abstract,)
    titles, abstracts = (filter(None, some) for some in texts)
    return lexemes.document(record.arxiv_id, titles, abstracts, [author.name for author in record.authors])


def entry(record: PaperRecord | Record) -> tuple[Any, ...]:
    """The values of ``ENTRY_COLUMNS``."""
    return record.arxiv_id, record.version, record.format, record.raw, raw_hash(record.raw)


def row(record: PaperRecord) -> tuple[Any, ...]:
    """The values of ``COLUMNS``; JSON columns are JSON text."""
    return (
        record.arxiv_id,
        ids.order_key(record.arxiv_id),
        record.version,
        record.title,
        displayed(record.title),
        record.abstract,
        displayed(record.abstract),
        abstract_hash(record.abstract),
        record.abstract_is_cut,
        record.text_is_converted,
        _authors(record.authors),
        record.authors_omitted,
        record.primary_category,
        list(record.categories),
        record.categories_are_partial,
        list(record.listed_in),
        record.comments,
        record.journal_ref,
        record.doi,
        record.license,
        record.submitted_at,
        record.updated_at,
        _versions(record),
        record.withdrawn,
        record.first_announced_on,
        record.text_as_of,
        record.datestamp,
    )


# Written by hand, because json.dumps of lists of dictionaries takes half of the time that making a row does.
def _authors(authors: Sequence[Author]) -> str:
    return f"[{', '.join(map(_author, authors))}]"


def _author(author: Author) -> str:
    affiliations = json.dumps(author.affiliations) if author.affiliations else "[]"
    name, shown = _quoted(author.name), _quoted(display(author.name))
    return f'{{"name": {name}, "affiliations": {affiliations}, "display_name": {shown}}}'


def _versions(record: PaperRecord | Record) -> str:
    if not record.versions:
        return "[]" if record.version is None else f'[{{"version": {record.version}}}]'
    return f"[{', '.join(map(_version, record.versions))}]"


def _version(version: Version) -> str:
    fields = f'"version": {version.version}'
    if version.submitted_at:
        fields += f', "submitted_at": "{version.submitted_at.isoformat()}"'
    if version.size is not None:
        fields += f', "size": {_quoted(version.size)}'
    if version.source_type is not None:
        fields += f', "source_type": {_quoted(version.source_type)}'
    return f"{{{fields}}}"
