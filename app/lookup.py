"""Searching for papers as the API does: by words, or by words and meaning, told as JSON with where the words stand."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app import papers, search, similar
from app.config import Settings
from app.db import Database
from app.errors import InvalidInput
from app.papers import Direction, PaperQuery, Sort
from app.search import Hit, Key, Matched
from app.similar import Searched

BATCH: Final = 200
"""Papers that are searched at a time for a stream."""


class Mode(StrEnum):
    """How papers are searched: by their words, or by words and meaning together."""

    LEXICAL = "lexical"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Lookup:
    """A search: what for, how, and which papers, in which order, and what of each."""

    text: str
    mode: Mode
    papers: PaperQuery


@dataclass(frozen=True, slots=True)
class Told:
    """How an answer was found. ``query`` is what was searched in place of what was asked for, if another was; ``meaning`` says
    how far papers could be compared by meaning, for a hybrid search.
    """

    matched: Matched
    query: str | None
    indexed: int
    stored: int
    meaning: Searched | None = None


@dataclass(frozen=True, slots=True)
class FoundPage:
    """Papers as JSON texts, the best first or in the order asked for; the key to continue after, None on the last page."""

    texts: list[str]
    key: Key | None
    told: Told


async def find_page(
    database: Database, settings: Settings, asked: Lookup, *, limit: int, after: Key | None
) -> FoundPage:
    """A page of the papers that a search finds; ``InvalidQuery``, and ``InvalidInput`` for an order that cannot be."""
    if asked.papers.sort is Sort.RELEVANCE and asked.papers.direction is Direction.ASC:
        raise InvalidInput("Relevance has one order, the best first; leave order out, or sort by id.")
    if asked.mode is Mode.HYBRID:
        hits, key, told = await _by_meaning(database, settings, asked, limit, after)
    else:
        hits, key, told = await _by_words(database, asked, limit, after)
    found = await papers.read_papers(database, [hit.arxiv_id for hit in hits], asked.papers.shown)
    return FoundPage([_with_hit(found[hit.arxiv_id], hit) for hit in hits if hit.arxiv_id in found], key, told)


async def find_all(database: Database, settings: Settings, asked: Lookup) -> AsyncIterator[list[str]]:
    """Every paper that a search finds, as JSON texts, some at a time; in the order by relevance as many as that has."""
    after: Key | None = None
    while True:
        page = await find_page(database, settings, asked, limit=BATCH, after=after)
        if page.texts:
            yield page.texts
        if page.key is None:
            return
        after = page.key


async def _by_words(
    database: Database, asked: Lookup, limit: int, after: Key | None
) -> tuple[Sequence[Hit], Key | None, Told]:
    async with database.transaction() as session:
        found = await search.search(
            session,
            asked.text,
            conditions=papers.conditions(asked.papers.wanted),
            sort=asked.papers.sort.value,
            descending=asked.papers.direction is Direction.DESC,
            limit=limit,
            after=after,
            highlight=True,
        )
    return found.hits, found.next, Told(found.matched, found.searched, found.indexed, found.stored)


async def _by_meaning(
    database: Database, settings: Settings, asked: Lookup, limit: int, after: Key | None
) -> tuple[Sequence[Hit], Key | None, Told]:
    """Both rankings are looked at down to ``similar.DEPTH``; a page is a stretch of what they give together."""
    if asked.papers.sort is not Sort.RELEVANCE:
        raise InvalidInput("mode=hybrid finds the best papers, in the order by relevance; leave sort out, or the mode.")
    conditions = papers.conditions(asked.papers.wanted)
    async with database.transaction() as session:
        worded = await search.search(session, asked.text, conditions=conditions, limit=similar.DEPTH, highlight=True)
        lexical = {hit.arxiv_id: hit for hit in worded.hits}
        required = search.required(asked.text)
        if required is not None:
            conditions = [*conditions, search.may_be(required)]
        fused = await similar.fuse_with_meaning(
            session, settings, asked.text, list(lexical), limit=2 * similar.DEPTH, conditions=conditions
        )
        items = fused.items
        if required is not None:
            named = [arxiv_id for arxiv_id, _ in items if arxiv_id not in lexical]
            matched = await search.find_papers(session, required, limit=None, arxiv_ids=named)
            kept = {*lexical, *(paper.arxiv_id for paper, _ in matched)}
            items = [item for item in items if item[0] in kept]
    first = after.shown if after is not None else 0
    shown = items[first : first + limit]
    hits = [
        Hit(arxiv_id, score, *((hit.words, hit.title_html, hit.snippets) if (hit := lexical.get(arxiv_id)) else ()))
        for arxiv_id, score in shown
    ]
    key = Key("", shown=first + limit) if len(items) > first + limit else None
    return hits, key, Told(worded.matched, worded.searched, worded.indexed, worded.stored, fused.searched)


def _with_hit(text: str, hit: Hit) -> str:
    """A paper's JSON with how good it is, and where it has what was looked for."""
    more = {"score": hit.score, "highlight": {"title": hit.title_html, "snippets": hit.snippets}}
    return f"{text[:-1]},{json.dumps(more, ensure_ascii=False)[1:]}"
