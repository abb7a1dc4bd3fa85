"""Papers: storing what the sources say of them, and finding them again.

The rule of the upsert: a paper never goes backwards. Texts are taken from the higher version; of the same version from
the later listing, but never a cut abstract over a whole one; a field that the newer source does not have stays.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, and_, any_, exists, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import ids, taxonomy
from app.arxiv.entries import Author
from app.errors import InvalidInput, NotFound
from app.models import Announcement, Paper, PaperEntry


@dataclass(frozen=True, slots=True)
class PaperRecord:
    """What one source says of a paper; ``None`` or empty where it says nothing. ``raw`` is the record as received."""

    arxiv_id: str
    version: int | None
    title: str | None
    abstract: str | None
    abstract_is_cut: bool
    authors: tuple[Author, ...]
    authors_omitted: int
    primary_category: str | None
    categories: tuple[str, ...]
    listed_in: tuple[str, ...]
    license: str | None
    doi: str | None
    journal_ref: str | None
    first_announced_on: date | None
    text_as_of: date | None
    format: str
    raw: str


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did: ids of papers that were created, and of those that were changed."""

    created: frozenset[str]
    changed: frozenset[str]


def text_hash(value: str | None) -> str:
    """The sha256 of a text in hexadecimal; a missing text has the hash of the empty one."""
    return hashlib.sha256((value or "").encode()).hexdigest()


# `newer` decides for all texts at once, so that a title never comes from one version and an abstract from another.
_UPSERT = text(
    """
    WITH incoming AS (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(
            arxiv_id text, order_key text, version int, title text, abstract text, abstract_hash text,
            abstract_is_cut bool, authors jsonb, authors_omitted int, primary_category text, categories text[],
            listed_in text[], license text, doi text, journal_ref text, first_announced_on date, text_as_of date)
    ), merged AS (
        SELECT new.arxiv_id, new.order_key,
            CASE WHEN newer THEN coalesce(new.version, old.version) ELSE old.version END AS version,
            CASE WHEN newer THEN coalesce(new.title, old.title) ELSE coalesce(old.title, new.title) END AS title,
            CASE WHEN takes_abstract THEN new.abstract ELSE old.abstract END AS abstract,
            CASE WHEN takes_abstract THEN new.abstract_hash ELSE old.abstract_hash END AS abstract_hash,
            CASE WHEN takes_abstract THEN new.abstract_is_cut ELSE old.abstract_is_cut END AS abstract_is_cut,
            CASE WHEN takes_authors THEN new.authors ELSE old.authors END AS authors,
            CASE WHEN takes_authors THEN new.authors_omitted ELSE old.authors_omitted END AS authors_omitted,
            CASE WHEN newer THEN coalesce(new.primary_category, old.primary_category)
                 ELSE coalesce(old.primary_category, new.primary_category) END AS primary_category,
            CASE WHEN newer AND (new.categories <> '{}') OR coalesce(old.categories, '{}') = '{}'
                 THEN new.categories ELSE old.categories END AS categories,
            ARRAY(SELECT DISTINCT unnest(coalesce(old.listed_in, '{}') || new.listed_in) ORDER BY 1) AS listed_in,
            CASE WHEN newer THEN coalesce(new.license, old.license) ELSE coalesce(old.license, new.license) END AS license,
            CASE WHEN newer THEN coalesce(new.doi, old.doi) ELSE coalesce(old.doi, new.doi) END AS doi,
            CASE WHEN newer THEN coalesce(new.journal_ref, old.journal_ref)
                 ELSE coalesce(old.journal_ref, new.journal_ref) END AS journal_ref,
            least(old.first_announced_on, new.first_announced_on) AS first_announced_on,
            CASE WHEN newer THEN coalesce(new.text_as_of, old.text_as_of) ELSE old.text_as_of END AS text_as_of
        FROM incoming AS new
        LEFT JOIN papers AS old USING (arxiv_id)
        CROSS JOIN LATERAL (SELECT
            old.arxiv_id IS NULL
            OR coalesce(new.version, 0) > coalesce(old.version, 0)
            OR (coalesce(new.version, 0) = coalesce(old.version, 0)
                AND coalesce(new.text_as_of, '-infinity') >= coalesce(old.text_as_of, '-infinity')) AS newer) AS age
        CROSS JOIN LATERAL (SELECT
            new.abstract IS NOT NULL AND (
                old.abstract IS NULL
                OR coalesce(new.version, 0) > coalesce(old.version, 0)
                OR (coalesce(new.version, 0) = coalesce(old.version, 0)
                    AND (old.abstract_is_cut AND NOT new.abstract_is_cut
                         OR newer AND (old.abstract_is_cut OR NOT new.abstract_is_cut)))
            ) AS takes_abstract,
            new.authors <> '[]' AND (newer OR coalesce(old.authors, '[]') = '[]') AS takes_authors) AS choice
    )
    INSERT INTO papers AS paper (
        arxiv_id, order_key, version, title, abstract, abstract_hash, abstract_is_cut, authors, authors_omitted,
        primary_category, categories, listed_in, license, doi, journal_ref, first_announced_on, text_as_of)
    SELECT arxiv_id, order_key, version, title, abstract, coalesce(abstract_hash, :no_abstract),
        coalesce(abstract_is_cut, false), coalesce(authors, '[]'), coalesce(authors_omitted, 0), primary_category,
        categories, listed_in, license, doi, journal_ref, first_announced_on, text_as_of
    FROM merged ORDER BY arxiv_id
    ON CONFLICT (arxiv_id) DO UPDATE SET
        version = excluded.version, title = excluded.title, abstract = excluded.abstract,
        abstract_hash = excluded.abstract_hash, abstract_is_cut = excluded.abstract_is_cut, authors = excluded.authors,
        authors_omitted = excluded.authors_omitted, primary_category = excluded.primary_category,
        categories = excluded.categories, listed_in = excluded.listed_in, license = excluded.license,
        doi = excluded.doi, journal_ref = excluded.journal_ref, first_announced_on = excluded.first_announced_on,
        text_as_of = excluded.text_as_of, changed_at = now()
    WHERE (paper.version, paper.title, paper.abstract, paper.abstract_is_cut, paper.authors, paper.authors_omitted,
           paper.primary_category, paper.categories, paper.listed_in, paper.license, paper.doi, paper.journal_ref,
           paper.first_announced_on, paper.text_as_of)
        IS DISTINCT FROM
          (excluded.version, excluded.title, excluded.abstract, excluded.abstract_is_cut, excluded.authors,
           excluded.authors_omitted, excluded.primary_category, excluded.categories, excluded.listed_in,
           excluded.license, excluded.doi, excluded.journal_ref, excluded.first_announced_on, excluded.text_as_of)
    RETURNING paper.arxiv_id, (xmax = 0) AS created
    """
)

_KEEP_RAW = text(
    """
    INSERT INTO paper_entries (arxiv_id, version, format, raw, raw_hash)
    SELECT arxiv_id, version, format, raw, raw_hash
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(arxiv_id text, version int, format text, raw text, raw_hash text)
    ORDER BY arxiv_id
    ON CONFLICT (arxiv_id, raw_hash) DO NOTHING
    """
)

# Two processes that store the same papers in one moment would each merge with what they saw before the other's commit.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('papers'))")


async def upsert(session: AsyncSession, records: Sequence[PaperRecord]) -> Upserted:
    """Store or update papers, each id at most once in ``records``, and keep their raw records.

    Running it again with the same records changes nothing.
    """
    if not records:
        return Upserted(frozenset(), frozenset())
    await session.execute(_LOCK)
    result = await session.execute(
        _UPSERT, {"rows": json.dumps([_row(record) for record in records]), "no_abstract": text_hash(None)}
    )
    outcome = {row.arxiv_id: row.created for row in result}
    raw = [
        {
            "arxiv_id": record.arxiv_id,
            "version": record.version,
            "format": record.format,
            "raw": record.raw,
            "raw_hash": text_hash(record.raw),
        }
        for record in records
    ]
    await session.execute(_KEEP_RAW, {"rows": json.dumps(raw)})
    created = frozenset(arxiv_id for arxiv_id, is_new in outcome.items() if is_new)
    return Upserted(created, frozenset(outcome) - created)


_COPIED = (
    "arxiv_id",
    "version",
    "title",
    "abstract",
    "abstract_is_cut",
    "authors_omitted",
    "primary_category",
    "categories",
    "listed_in",
    "license",
    "doi",
    "journal_ref",
)


def _row(record: PaperRecord) -> dict[str, Any]:
    # dataclasses.asdict copies deeply and takes ten times as long.
    row: dict[str, Any] = {name: getattr(record, name) for name in _COPIED}
    row["order_key"] = ids.order_key(record.arxiv_id)
    row["abstract_hash"] = text_hash(record.abstract)
    row["authors"] = [{"name": author.name, "affiliations": author.affiliations} for author in record.authors]
    row["first_announced_on"] = record.first_announced_on.isoformat() if record.first_announced_on else None
    row["text_as_of"] = record.text_as_of.isoformat() if record.text_as_of else None
    return row


def check_period(from_: date | None, to: date | None) -> None:
    """Raise ``InvalidInput`` for a period that ends before it begins: it would look like a quiet time."""
    if from_ is not None and to is not None and from_ > to:
        raise InvalidInput(f"The period begins on {from_}, after its end on {to}.")


@dataclass(frozen=True, slots=True)
class PaperFilter:
    """Which papers to list; unset conditions do not restrict."""

    category: str | None = None
    announced_from: date | None = None
    announced_to: date | None = None
    arxiv_ids: tuple[str, ...] | None = None


async def list_papers(
    session: AsyncSession, wanted: PaperFilter, *, limit: int, before: str | None = None
) -> tuple[list[Paper], str | None]:
    """A page of papers, newest id first, and the ``order_key`` to continue ``before``, or None on the last page.

    ``category`` finds papers that carry the category (under any of its names) or were announced in it; with
    ``announced_from`` or ``announced_to`` it means announced there in that period, both days included.
    """
    check_period(wanted.announced_from, wanted.announced_to)
    query = select(Paper).where(*_conditions(wanted)).order_by(Paper.order_key.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Paper.order_key < before)
    rows = list(await session.scalars(query))
    more = len(rows) > limit
    return rows[:limit], rows[limit - 1].order_key if more else None


def _conditions(wanted: PaperFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    names = sorted(taxonomy.names(wanted.category)) if wanted.category else None
    if names:
        conditions.append(Paper.listed_in.overlap(names))
    if wanted.announced_from or wanted.announced_to:
        announced: list[ColumnElement[bool]] = [Announcement.arxiv_id == Paper.arxiv_id]
        if wanted.announced_from:
            announced.append(Announcement.announced_on >= wanted.announced_from)
        if wanted.announced_to:
            announced.append(Announcement.announced_on <= wanted.announced_to)
        if names:
            announced.append(Announcement.category.in_(names))
        conditions.append(exists().where(and_(*announced)))
    if wanted.arxiv_ids is not None:
        conditions.append(Paper.arxiv_id.in_(wanted.arxiv_ids))
    return conditions


async def get_paper(session: AsyncSession, arxiv_id: str) -> Paper:
    """One paper by its canonical id; ``NotFound`` if it is not stored."""
    paper = await session.get(Paper, arxiv_id)
    if paper is None:
        raise NotFound(
            f"There is no paper {arxiv_id} here. It is stored when a listing or an archive that has it is read."
        )
    return paper


async def find_papers(session: AsyncSession, arxiv_ids: Iterable[str]) -> dict[str, Paper]:
    """The stored ones of these papers, by id."""
    # One array, because Postgres takes 32,767 parameters, and a quarter of an archive has more papers.
    rows = await session.scalars(select(Paper).where(Paper.arxiv_id == any_(literal(list(arxiv_ids), ARRAY(Text)))))
    return {paper.arxiv_id: paper for paper in rows}


async def list_announcements(session: AsyncSession, arxiv_id: str) -> list[Announcement]:
    """When and where a paper was announced, the first first."""
    query = select(Announcement).where(Announcement.arxiv_id == arxiv_id)
    return list(await session.scalars(query.order_by(Announcement.announced_on, Announcement.category)))


@dataclass(frozen=True, slots=True)
class Source:
    """The newest record of a paper as it was received."""

    format: str
    received_at: datetime
    raw: str


async def find_source(session: AsyncSession, arxiv_id: str) -> Source | None:
    """The raw record that came last; earlier ones are kept in ``paper_entries``."""
    query = select(PaperEntry).where(PaperEntry.arxiv_id == arxiv_id).order_by(PaperEntry.id.desc()).limit(1)
    entry = await session.scalar(query)
    return Source(entry.format, entry.received_at, entry.raw) if entry else None
