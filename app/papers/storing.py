"""Storing what the sources say of papers.

The rule of the upsert: a paper never goes backwards. Texts are taken from the higher version; of the same version from the
later source, but never a cut abstract over a whole one, nor a text whose TeX was converted over one as it was submitted; a
field that the newer source does not have stays. Categories are those of the newest source that names them all, so that a
paper that was moved is found where it is now. A version that nobody calls withdrawn ends a withdrawal.

Papers that are new are copied into the tables; those that are known are merged by one statement. Both are indexed in the same
transaction (``app.search.indexing``).
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import copy_rows
from app.papers.records import COLUMNS, ENTRY_COLUMNS, PaperRecord, Rows, document, rows
from app.search import indexing


@dataclass(frozen=True, slots=True)
class Upserted:
    """What an upsert did: ids of papers that were created, and of those that were changed."""

    created: frozenset[str]
    changed: frozenset[str]


# Two processes that store the same papers in one moment would each merge with what they saw before the other's commit.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('papers'))")
_KNOWN = text("SELECT arxiv_id FROM papers WHERE arxiv_id = ANY(:arxiv_ids)")
_WITHDRAWN: Final = COLUMNS.index("withdrawn")


async def upsert(session: AsyncSession, records: Sequence[PaperRecord], *, with_summaries: bool = False) -> Upserted:
    """Store or update papers, each id at most once in ``records``, and keep their raw records.

    Running it again with the same records changes nothing. ``with_summaries``: the transaction stores summaries of them, too,
    so that new papers are indexed at its end.
    """
    prepared: list[Rows] = []
    for first in range(0, len(records), indexing.AT_ONCE):
        prepared += await asyncio.to_thread(_prepare, records[first : first + indexing.AT_ONCE])
    return await _upsert(session, prepared, [] if with_summaries else records)


def _prepare(records: Sequence[PaperRecord]) -> list[Rows]:
    return [rows(record) for record in records]


async def upsert_rows(session: AsyncSession, prepared: Sequence[Rows]) -> Upserted:
    """As ``upsert``, of records that were made ready elsewhere."""
    return await _upsert(session, prepared, [])


async def _upsert(session: AsyncSession, prepared: Sequence[Rows], to_read: Sequence[PaperRecord]) -> Upserted:
    """Store what is prepared; the words of the records ``to_read`` are read for the index if they are new."""
    if not prepared:
        return Upserted(frozenset(), frozenset())
    await session.execute(_LOCK)
    known = set(await session.scalars(_KNOWN, {"arxiv_ids": [paper[0] for paper, *_ in prepared]}))
    fresh = [both for both in prepared if both[0][0] not in known]
    # To read the words of a listing takes a third of a second, in which Postgres stores the texts, and others have their turn.
    reading = asyncio.create_task(_documents([record for record in to_read if record.arxiv_id not in known]))
    try:
        await _insert(session, fresh)
        documents = await reading
    finally:
        reading.cancel()  # without effect on one that is done
    await indexing.insert(session, [*documents, *(read for *_, read in fresh if read is not None)])
    changed = await _merge(session, [both for both in prepared if both[0][0] in known])
    unindexed = [] if to_read else [paper[0] for paper, _, read in fresh if read is None]
    indexing.touch(session, [*unindexed, *changed])
    return Upserted(frozenset(paper[0] for paper, *_ in fresh), changed)


async def _documents(records: Sequence[PaperRecord]) -> list[bytes]:
    documents: list[bytes] = []
    for first in range(0, len(records), indexing.AT_ONCE):
        some = records[first : first + indexing.AT_ONCE]
        documents += await asyncio.to_thread(_read_words, some)
    return documents


def _read_words(records: Sequence[PaperRecord]) -> list[bytes]:
    return [document(record) for record in records]


async def _insert(session: AsyncSession, prepared: Sequence[Rows]) -> None:
    """Copy papers that are not stored; the lock on ``papers`` makes sure that they still are not."""
    if prepared:
        await copy_rows(session, "papers", COLUMNS, [_first(paper) for paper, *_ in prepared])
        await copy_rows(session, "paper_entries", ENTRY_COLUMNS, [entry for _, entry, _ in prepared])


def _first(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A paper of which nothing is known is not withdrawn unless somebody says so."""
    return values if values[_WITHDRAWN] is not None else (*values[:_WITHDRAWN], False, *values[_WITHDRAWN + 1 :])


async def _merge(session: AsyncSession, prepared: Sequence[Rows]) -> frozenset[str]:
    if not prepared:
        return frozenset()
    changed = await session.scalars(_MERGE, {"rows": _as_json(COLUMNS, [paper for paper, *_ in prepared])})
    found = frozenset(changed)
    await session.execute(_KEEP_RAW, {"rows": _as_json(ENTRY_COLUMNS, [entry for _, entry, _ in prepared])})
    return found


def _as_json(columns: Sequence[str], values: Sequence[tuple[Any, ...]]) -> str:
    return json.dumps([dict(zip(columns, one, strict=True)) for one in values], default=_day_or_instant)


def _day_or_instant(value: date | datetime) -> str:
    # Not date.isoformat, which is called for instants too, and leaves their time out.
    return value.isoformat()


# `newer` decides for all texts at once, so that a title never comes from one version and an abstract from another.
_MERGE = text(
    """
    WITH incoming AS (
        SELECT row.*, CAST(row.authors AS jsonb) AS author_list, CAST(row.versions AS jsonb) AS version_list
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(
            arxiv_id text, version int, title text, display_title text, abstract text, display_abstract text,
            abstract_hash text, abstract_is_cut bool, text_is_converted bool, authors text, authors_omitted int,
            primary_category text, categories text[],
            categories_are_partial bool, listed_in text[], comments text, journal_ref text, doi text, license text,
            submitted_at timestamptz, updated_at timestamptz, versions text, withdrawn bool, first_announced_on date,
            text_as_of date, datestamp date)
    ), merged AS (
        SELECT old.arxiv_id,
            CASE WHEN newer THEN coalesce(new.version, old.version) ELSE old.version END AS version,
            CASE WHEN newer_text THEN coalesce(new.title, old.title) ELSE coalesce(old.title, new.title) END AS title,
            CASE WHEN CASE WHEN newer_text THEN new.title IS NOT NULL ELSE old.title IS NULL END
                 THEN new.display_title ELSE old.display_title END AS display_title,
            CASE WHEN takes_abstract THEN new.abstract ELSE old.abstract END AS abstract,
            CASE WHEN takes_abstract THEN new.display_abstract ELSE old.display_abstract END AS display_abstract,
            CASE WHEN takes_abstract THEN new.abstract_hash ELSE old.abstract_hash END AS abstract_hash,
            CASE WHEN takes_abstract THEN new.abstract_is_cut ELSE old.abstract_is_cut END AS abstract_is_cut,
            CASE WHEN newer_text THEN new.text_is_converted ELSE old.text_is_converted END AS text_is_converted,
            CASE WHEN takes_authors THEN new.author_list ELSE old.authors END AS authors,
            CASE WHEN takes_authors THEN new.authors_omitted ELSE old.authors_omitted END AS authors_omitted,
            CASE WHEN newer THEN coalesce(new.primary_category, old.primary_category)
                 ELSE coalesce(old.primary_category, new.primary_category) END AS primary_category,
            CASE WHEN takes_categories THEN new.categories ELSE old.categories END AS categories,
            CASE WHEN takes_categories THEN new.categories_are_partial
                 ELSE old.categories_are_partial END AS categories_are_partial,
            CASE WHEN takes_categories THEN new.listed_in
                 WHEN newer THEN ARRAY(SELECT DISTINCT unnest(old.listed_in || new.listed_in) ORDER BY 1)
                 ELSE old.listed_in END AS listed_in,
            CASE WHEN newer THEN coalesce(new.comments, old.comments)
                 ELSE coalesce(old.comments, new.comments) END AS comments,
            CASE WHEN newer THEN coalesce(new.journal_ref, old.journal_ref)
                 ELSE coalesce(old.journal_ref, new.journal_ref) END AS journal_ref,
            CASE WHEN newer THEN coalesce(new.doi, old.doi) ELSE coalesce(old.doi, new.doi) END AS doi,
            CASE WHEN newer THEN coalesce(new.license, old.license) ELSE coalesce(old.license, new.license) END AS license,
            CASE WHEN new.version_list <> '[]' THEN coalesce(new.submitted_at, old.submitted_at)
                 ELSE coalesce(old.submitted_at, new.submitted_at) END AS submitted_at,
            CASE WHEN newer THEN coalesce(new.updated_at, old.updated_at)
                 ELSE coalesce(old.updated_at, new.updated_at) END AS updated_at,
            CASE WHEN old.versions @> new.version_list THEN old.versions ELSE (
                SELECT jsonb_agg(coalesce(had.value, '{}') || coalesce(got.value, '{}') ORDER BY number)
                FROM (SELECT value, (value ->> 'version')::int AS number
                      FROM jsonb_array_elements(old.versions)) AS had
                FULL JOIN (SELECT value, (value ->> 'version')::int AS number
                           FROM jsonb_array_elements(new.version_list)) AS got USING (number)
            ) END AS versions,
            CASE WHEN NOT newer THEN old.withdrawn
                 WHEN coalesce(new.version, 0) > coalesce(old.version, 0) THEN coalesce(new.withdrawn, false)
                 ELSE coalesce(new.withdrawn, old.withdrawn) END AS withdrawn,
            least(old.first_announced_on, new.first_announced_on) AS first_announced_on,
            CASE WHEN newer_text THEN coalesce(new.text_as_of, old.text_as_of) ELSE old.text_as_of END AS text_as_of,
            greatest(old.datestamp, new.datestamp) AS datestamp
        FROM incoming AS new
        JOIN papers AS old USING (arxiv_id)
        CROSS JOIN LATERAL (SELECT
            coalesce(new.version, 0) > coalesce(old.version, 0)
            OR (coalesce(new.version, 0) = coalesce(old.version, 0)
                AND coalesce(new.text_as_of, '-infinity') >= coalesce(old.text_as_of, '-infinity')) AS newer) AS age
        CROSS JOIN LATERAL (SELECT
            newer AND (coalesce(new.version, 0) > coalesce(old.version, 0)
                       OR old.text_is_converted OR NOT new.text_is_converted) AS newer_text) AS text_age
        CROSS JOIN LATERAL (SELECT
            new.abstract IS NOT NULL AND (
                old.abstract IS NULL
                OR coalesce(new.version, 0) > coalesce(old.version, 0)
                OR (coalesce(new.version, 0) = coalesce(old.version, 0)
                    AND (old.abstract_is_cut AND NOT new.abstract_is_cut
                         OR newer_text AND (old.abstract_is_cut OR NOT new.abstract_is_cut)))
            ) AS takes_abstract,
            new.author_list <> '[]' AND (newer_text OR old.authors = '[]') AS takes_authors,
            new.categories <> '{}' AND (
                old.categories = '{}' OR newer AND (old.categories_are_partial OR NOT new.categories_are_partial)
            ) AS takes_categories) AS choice
        ORDER BY old.arxiv_id
    )
    UPDATE papers AS paper SET
        version = merged.version, title = merged.title, display_title = merged.display_title,
        abstract = merged.abstract, display_abstract = merged.display_abstract,
        abstract_hash = merged.abstract_hash, abstract_is_cut = merged.abstract_is_cut,
        text_is_converted = merged.text_is_converted, authors = merged.authors,
        authors_omitted = merged.authors_omitted, primary_category = merged.primary_category,
        categories = merged.categories, categories_are_partial = merged.categories_are_partial,
        listed_in = merged.listed_in, comments = merged.comments, journal_ref = merged.journal_ref, doi = merged.doi,
        license = merged.license, submitted_at = merged.submitted_at, updated_at = merged.updated_at,
        versions = merged.versions, withdrawn = merged.withdrawn, first_announced_on = merged.first_announced_on,
        text_as_of = merged.text_as_of, datestamp = merged.datestamp, changed_at = now()
    FROM merged
    WHERE paper.arxiv_id = merged.arxiv_id AND
          (paper.version, paper.title, paper.display_title, paper.abstract, paper.display_abstract,
           paper.abstract_is_cut, paper.text_is_converted, paper.authors,
           paper.authors_omitted, paper.primary_category, paper.categories, paper.categories_are_partial, paper.listed_in,
           paper.comments, paper.journal_ref, paper.doi, paper.license, paper.submitted_at, paper.updated_at,
           paper.versions, paper.withdrawn, paper.first_announced_on, paper.text_as_of, paper.datestamp)
        IS DISTINCT FROM
          (merged.version, merged.title, merged.display_title, merged.abstract, merged.display_abstract,
           merged.abstract_is_cut, merged.text_is_converted, merged.authors,
           merged.authors_omitted, merged.primary_category, merged.categories, merged.categories_are_partial,
           merged.listed_in, merged.comments, merged.journal_ref, merged.doi, merged.license, merged.submitted_at,
           merged.updated_at, merged.versions, merged.withdrawn, merged.first_announced_on, merged.text_as_of,
           merged.datestamp)
    RETURNING paper.arxiv_id
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
