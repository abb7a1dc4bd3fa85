"""Papers that a query finds among all that are stored: Postgres names candidates, and the matching decides.

Up to ``MAX_EXACT`` papers are all held against the query. Of more, SQL first leaves those out whose texts, as arXiv gives
them, have not the beginnings of its words; that may miss a spelling (``pre-training`` for ``pretraining``, accents in TeX) until
there is an index of folded words. Papers are looked at newest first, so that a query by id stops when it has enough.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import taxonomy
from app.db import among
from app.errors import InvalidInput
from app.models import Announcement, Paper, Summary, SummaryStatus
from app.search import stemming
from app.search.matching import Candidate, Match, match
from app.search.syntax import (
    And,
    Between,
    Day,
    Feature,
    Has,
    HasId,
    In,
    InCategory,
    Not,
    Or,
    Phrase,
    Query,
    Word,
)

MAX_LOOKED_AT = 20_000
"""Papers that are looked at for one query; more would keep the caller waiting for many seconds."""

MAX_EXACT = 5_000
"""Papers that are looked at without asking SQL for their words first."""

_BATCH = 250


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
    ``InvalidInput`` if more than ``MAX_LOOKED_AT`` papers would have to be looked at.
    """
    conditions = [condition] if (condition := _narrow(query, with_words=False)) is not None else []
    if categories:
        conditions.append(Paper.listed_in.overlap(sorted({n for name in categories for n in taxonomy.names(name)})))
    if announced_from or announced_to:
        announced = [Announcement.arxiv_id == Paper.arxiv_id]
        announced += [Announcement.announced_on >= announced_from] if announced_from else []
        announced += [Announcement.announced_on <= announced_to] if announced_to else []
        conditions.append(exists().where(and_(*announced)))
    if arxiv_ids is not None:
        conditions.append(among(Paper.arxiv_id, list(arxiv_ids)))
    some = select(Paper.arxiv_id).where(*conditions).limit(MAX_EXACT + 1).subquery()
    if (await session.scalar(select(func.count()).select_from(some)) or 0) > MAX_EXACT:
        conditions += [condition] if (condition := _narrow(query, with_words=True)) is not None else []
    found: list[tuple[Paper, Match]] = []
    before: str | None = None
    for _ in range(MAX_LOOKED_AT // _BATCH):
        page = select(Paper).where(*conditions).order_by(Paper.order_key.desc()).limit(_BATCH)
        rows = list(await session.scalars(page.where(Paper.order_key < before) if before else page))
        translations = await find_translations(session, [paper.arxiv_id for paper in rows])
        # In a thread, so that other requests have their turn.
        found += await asyncio.to_thread(_matching, query, rows, translations)
        if len(rows) < _BATCH or (limit is not None and len(found) >= limit):
            return found[:limit]
        before = rows[-1].order_key
    raise InvalidInput(
        f"More than {MAX_LOOKED_AT:,} papers would have to be looked at for this query; give categories, from and to."
    )


def _matching(
    query: Query, papers: Sequence[Paper], translations: Mapping[str, Translations]
) -> list[tuple[Paper, Match]]:
    answers = ((paper, match(query, candidate(paper, translations.get(paper.arxiv_id)))) for paper in papers)
    return [(paper, answer) for paper, answer in answers if answer is not None]


def _narrow(query: Query, *, with_words: bool) -> ColumnElement[bool] | None:
    """A condition that holds for every paper that may match; None where SQL cannot tell."""
    match query:
        case Word() | Phrase():
            return _has_words(query) if with_words else None
        case And():
            known = [one for part in query.parts if (one := _narrow(part, with_words=with_words)) is not None]
            return and_(*known) if known else None
        case Or():
            parts = [_narrow(part, with_words=with_words) for part in query.parts]
            return None if any(one is None for one in parts) else or_(*[one for one in parts if one is not None])
        case InCategory():
            return and_(Paper.listed_in.overlap(sorted(taxonomy.names_or_same(query.name))))
        case HasId():
            return Paper.arxiv_id == query.arxiv_id
        case Has():
            return _has(query.feature)
        case Between():
            return _between(query)
        case Not():
            return None


def _has(feature: Feature) -> ColumnElement[bool]:
    if feature is Feature.SUMMARY:
        return exists().where(Summary.arxiv_id == Paper.arxiv_id, Summary.status == SummaryStatus.DONE)
    return Paper.withdrawn.is_(True) if feature is Feature.WITHDRAWN else Paper.doi.is_not(None)


def _between(wanted: Between) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.day is Day.ANNOUNCED:
        conditions += [Paper.first_announced_on >= wanted.from_] if wanted.from_ else []
        conditions += [Paper.first_announced_on <= wanted.to] if wanted.to else []
    else:
        conditions += [Paper.submitted_at >= datetime.combine(wanted.from_, time.min, UTC)] if wanted.from_ else []
        conditions += [Paper.submitted_at <= datetime.combine(wanted.to, time.max, UTC)] if wanted.to else []
    return and_(True, *conditions)


def _has_words(term: Word | Phrase) -> ColumnElement[bool] | None:
    """The beginning of each English word, each character of an unspaced script, somewhere in a text of the paper."""
    words = (term.text,) if isinstance(term, Word) else term.words
    beginnings = [stemming.beginning(stemming.stem(word)) for word in words]
    # Accents, hyphens and TeX commands stand between the letters of a raw text, so that only plain words narrow.
    plain = [
        one for one in beginnings if (one.isascii() and one.isalpha() and len(one) > 2) or stemming.is_unspaced(one)
    ]
    if not plain:
        return None
    if term.where is In.AUTHOR:
        return None
    texts = {
        In.TEXT: [Paper.title, Paper.abstract, Summary.title, Summary.abstract, Summary.tldr, Summary.tldr_en],
        In.TITLE: [Paper.title, Summary.title],
        In.ABSTRACT: [Paper.abstract, Summary.abstract, Summary.tldr, Summary.tldr_en],
    }[term.where]
    own = [column for column in texts if column.class_ is Paper]
    of_summaries = [column for column in texts if column.class_ is Summary]

    def one(beginning: str) -> ColumnElement[bool]:
        in_summaries = exists().where(
            Summary.arxiv_id == Paper.arxiv_id,
            or_(*(func.lower(column).contains(beginning, autoescape=True) for column in of_summaries)),
        )
        return or_(*(func.lower(column).contains(beginning, autoescape=True) for column in own), in_summaries)

    return and_(*map(one, plain))
