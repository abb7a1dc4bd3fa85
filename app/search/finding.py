"""Papers as queries see them, and all papers that a query finds: the index names candidates, and the matching decides."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date
from typing import Final, TypeVar

from sqlalchemy import ColumnElement, and_, exists, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import taxonomy
from app.db import among
from app.models import Announcement, Paper, SearchDocument, Summary, SummaryStatus
from app.search.asking import condition
from app.search.matching import Candidate, Match, match
from app.search.syntax import Query

BATCH: Final = 250
"""Papers that are looked at before others have their turn."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Translations:
    """What the done summaries of a paper add to its texts, in every language."""

    titles: tuple[str, ...] = ()
    abstracts: tuple[str, ...] = ()


async def find_translations(session: AsyncSession, arxiv_ids: Iterable[str]) -> dict[str, Translations]:
    """The translations and one-line summaries of these papers, for those that have any."""
    rows = await session.execute(
        select(Summary.arxiv_id, Summary.title, Summary.abstract, Summary.tldr, Summary.tldr_en)
        .where(
            among(Summary.arxiv_id, list(arxiv_ids)),
            Summary.status == SummaryStatus.DONE,
            Summary.released_at.is_(None),
        )
        .order_by(Summary.id)
    )
    found: dict[str, Translations] = {}
    for arxiv_id, title, *texts in rows:
        before = found.get(arxiv_id, Translations())
        found[arxiv_id] = Translations(
            (*before.titles, title) if title else before.titles, (*before.abstracts, *filter(None, texts))
        )
    return found


def candidate(paper: Paper, translations: Translations | None) -> Candidate:
    """A paper as queries see it; ``translations`` is None if it has no summary."""
    return Candidate(
        arxiv_id=paper.arxiv_id,
        title=paper.title,
        abstract=paper.abstract,
        translated_titles=translations.titles if translations else (),
        translated_abstracts=translations.abstracts if translations else (),
        authors=[author["name"] for author in paper.authors],
        categories=paper.categories,
        has_summary=translations is not None,
        withdrawn=paper.withdrawn,
        doi=paper.doi,
        announced_on=paper.first_announced_on,
        submitted_on=paper.submitted_at.astimezone(UTC).date() if paper.submitted_at else None,
    )


# Postgres does not count what it costs to fetch a vector that lies out of line, and would rather scan the table. In 4 MB, its own
# default, it cannot keep what it finds among a million papers one by one, and fetches the vectors of whole pages.
_PLAN: Final = text(
    """
    SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('enable_seqscan', 'off', true),
           set_config('work_mem', '16MB', true)
    """
)


async def plan_by_index(session: AsyncSession) -> None:
    """Have Postgres plan each search of this transaction for its own words (a plan for any words would be bad for most), and
    by the index.
    """
    await session.execute(_PLAN)


_SEEN: Final = text(
    """
    SELECT paper.order_key, paper.arxiv_id, paper.title, paper.abstract,
           ARRAY(SELECT author ->> 'name' FROM jsonb_array_elements(paper.authors) AS author) AS authors,
           paper.categories, paper.withdrawn, paper.doi, paper.first_announced_on,
           CAST(paper.submitted_at AT TIME ZONE 'UTC' AS date) AS submitted_on, done.*
    FROM papers AS paper
    CROSS JOIN LATERAL (
        SELECT count(*) > 0 AS has_summary,
               array_agg(title ORDER BY id) FILTER (WHERE place = 1 AND title <> '') AS titles,
               array_agg(one ORDER BY id, place) FILTER (WHERE one <> '') AS abstracts
        FROM summaries, unnest(ARRAY[abstract, tldr, tldr_en]) WITH ORDINALITY AS text(one, place)
        WHERE summaries.arxiv_id = paper.arxiv_id AND status = 'done' AND released_at IS NULL
    ) AS done
    WHERE paper.order_key = ANY(:keys)
    """
)


async def see(session: AsyncSession, order_keys: Sequence[str]) -> dict[str, Candidate]:
    """These papers as queries see them, by their keys: what a search needs of them, by one statement."""
    return {
        row.order_key: Candidate(
            arxiv_id=row.arxiv_id,
            title=row.title,
            abstract=row.abstract,
            translated_titles=row.titles or (),
            translated_abstracts=row.abstracts or (),
            authors=row.authors,
            categories=row.categories,
            has_summary=row.has_summary,
            withdrawn=row.withdrawn,
            doi=row.doi,
            announced_on=row.first_announced_on,
            submitted_on=row.submitted_on,
        )
        for row in await session.execute(_SEEN, {"keys": list(order_keys)})
    }


async def look_at(
    session: AsyncSession,
    order_keys: Sequence[str],
    look: Callable[[Paper, Candidate], T | None],
) -> list[T]:
    """What ``look`` finds at these papers, in their order; it is called in a thread, so that others have their turn."""
    stored = await session.scalars(select(Paper).where(among(Paper.order_key, order_keys)))
    rows = {paper.order_key: paper for paper in stored}
    translations = await find_translations(session, [paper.arxiv_id for paper in rows.values()])
    papers = [rows[key] for key in order_keys if key in rows]
    return await asyncio.to_thread(_looking, papers, translations, look)


def _looking(
    papers: Sequence[Paper], translations: Mapping[str, Translations], look: Callable[[Paper, Candidate], T | None]
) -> list[T]:
    found = (look(paper, candidate(paper, translations.get(paper.arxiv_id))) for paper in papers)
    return [one for one in found if one is not None]


async def find_papers(
    session: AsyncSession,
    query: Query,
    *,
    limit: int | None,
    categories: Sequence[str] = (),
    announced_from: date | None = None,
    announced_to: date | None = None,
    arxiv_ids: Sequence[str] | None = None,
) -> list[tuple[Paper, Match]]:
    """The papers that a query finds, newest id first: the first ``limit`` of them, or (None) all.

    They carry one of these categories, were announced in this period, and are among ``arxiv_ids``, where those are given.
    """
    conditions: list[ColumnElement[bool]] = []
    if categories:
        conditions.append(Paper.listed_in.overlap(sorted({n for name in categories for n in taxonomy.names(name)})))
    if announced_from or announced_to:
        announced = [Announcement.arxiv_id == Paper.arxiv_id]
        announced += [Announcement.announced_on >= announced_from] if announced_from else []
        announced += [Announcement.announced_on <= announced_to] if announced_to else []
        conditions.append(exists().where(and_(*announced)))
    if arxiv_ids is not None:
        conditions.append(among(Paper.arxiv_id, list(arxiv_ids)))

    def look(paper: Paper, seen: Candidate) -> tuple[Paper, Match] | None:
        answer = match(query, seen)
        return None if answer is None else (paper, answer)

    await plan_by_index(session)
    named = select(SearchDocument.order_key).join(Paper, Paper.order_key == SearchDocument.order_key)
    named = named.where(condition(query), *conditions).order_by(SearchDocument.order_key.desc())
    found: list[tuple[Paper, Match]] = []
    before: str | None = None
    while limit is None or len(found) < limit:
        size = None if limit is None else 4 * max(limit, BATCH)
        page = named.where(SearchDocument.order_key < before) if before else named
        keys = list(await session.scalars(page.limit(size)))
        for first in range(0, len(keys), BATCH):
            found += await look_at(session, keys[first : first + BATCH], look)
            if limit is not None and len(found) >= limit:
                break
        if size is None or len(keys) < size:
            break
        before = keys[-1]
    return found[:limit]
