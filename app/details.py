"""Details by id through the search API, only when somebody asks for them: it is too unsteady for the daily path (FACTS 4.3).

What it silently drops is asked for once more, and then named as unknown. Random empty pages are asked for again.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from app import papers, runs
from app.arxiv import ids, query
from app.door import Source
from app.errors import FeedRejected, InvalidInput, SourceUnavailable, ZhaiyaoError
from app.ingestion import Tools, ask_for_summaries
from app.models import RunState

BATCH = 100
"""Ids in one request; an address with many more would be refused for its length."""

MAX_IDS = 2_000
TRIES = 4
"""Times that a page is asked for which comes empty, broken, or without some of its ids."""


@dataclass(slots=True)
class Details:
    """What a fetch by id brought; ``unknown`` are ids that arXiv does not have."""

    asked: int
    created: set[str] = field(default_factory=set)
    changed: set[str] = field(default_factory=set)
    found: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """The numbers, as a run keeps them."""
        return {
            "asked": self.asked,
            "found": len(self.found),
            "papers_created": len(self.created),
            "papers_changed": len(self.changed),
            "unknown": len(self.unknown),
        }


def read_ids(texts: Sequence[str]) -> list[str]:
    """Canonical ids, each once, of identifiers in any form; ``InvalidArxivId``, or ``InvalidInput`` for none or too many.

    A version is left out: the newest is asked for, because a paper is stored in its newest version.
    """
    canonical = list(dict.fromkeys(ids.parse(text).id for text in texts))
    if not canonical:
        raise InvalidInput("No identifier was given; name at least one, such as 2404.02342.")
    if len(canonical) > MAX_IDS:
        raise InvalidInput(
            f"{len(canonical):,} papers are too many at once; the most is {MAX_IDS:,}. Harvest a set instead."
        )
    return canonical


async def fetch(
    tools: Tools,
    arxiv_ids: Sequence[str],
    *,
    job_id: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Details:
    """Fetch papers by id and store them; canonical ids as of ``read_ids``. Running it again changes nothing.

    Each batch is stored as soon as it is there. Raises ``SourceUnavailable`` or ``FeedRejected``; what was stored stays.
    """
    details = Details(len(arxiv_ids))
    async with tools.database.transaction() as session:
        run_id = await runs.begin_run(
            session, kind="details", category=None, source=tools.settings.arxiv_api_url, job_id=job_id
        )
    try:
        for batch in _batches(arxiv_ids):
            await _fetch_batch(tools, batch, details)
            progress(len(details.found) + len(details.unknown))
    except ZhaiyaoError as error:
        async with tools.database.transaction() as session:
            await runs.fail_run(session, run_id, error)
        raise
    async with tools.database.transaction() as session:
        await runs.end_run(session, run_id, state=RunState.SUCCEEDED, counts=details.counts())
    return details


def _batches(arxiv_ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(arxiv_ids), BATCH):
        yield arxiv_ids[start : start + BATCH]


async def _fetch_batch(tools: Tools, batch: Sequence[str], details: Details) -> None:
    missing = list(batch)
    for attempt in range(TRIES):
        try:
            answer = await _ask(tools, missing)
        except SourceUnavailable:
            raise
        except FeedRejected as error:
            # An error entry is arXiv's answer; everything else may be better the next time.
            if error.reason == "api_error" or attempt == TRIES - 1:
                raise
            continue
        records = {record.arxiv_id: record for record in answer.records if record.arxiv_id in set(missing)}
        async with tools.database.transaction() as session:
            upserted = await papers.upsert(session, [papers.of_record(record) for record in records.values()])
            await ask_for_summaries(session, tools, records)
        details.created |= upserted.created
        details.changed |= upserted.changed
        details.found |= records.keys()
        before, missing = len(missing), [arxiv_id for arxiv_id in missing if arxiv_id not in records]
        # A second answer without any of them is taken as arXiv's word that it does not have them.
        if not missing or (attempt > 0 and len(missing) == before):
            break
    details.unknown.extend(missing)


async def _ask(tools: Tools, arxiv_ids: Sequence[str]) -> query.Answer:
    url = query.query_url(tools.settings.arxiv_api_url, arxiv_ids)
    fetched = await tools.door.fetch(Source.API, "id_list", url)
    answer = await asyncio.to_thread(query.parse_answer, fetched.body)
    if fetched.status != 200:
        raise FeedRejected("http_status", f"{url} answered with HTTP status {fetched.status}.")
    return answer
