"""What is still to be made, why it waits, and when it will be done at the present rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import among
from app.models import ModelState, Summary, SummaryStatus
from app.summaries.requesting import Maker

RATE_OVER = timedelta(minutes=10)

STOPPED = ("unauthorized", "no_credit", "unknown_model", "budget", "no_model")
"""Why summaries wait until somebody repairs something, or a day has gone by."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many unfinished summaries of a language, for this reason; None while they simply have not had their turn."""

    status: str
    language: str
    reason: str | None
    count: int
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Unfinished summaries by status and reason; summaries finished per minute, lately; when the rest is made at that rate
    (None while nothing is finished); and the models that cannot be asked now.
    """

    groups: list[Waiting]
    per_minute: float
    pending: int
    expected_at: datetime | None
    models: list[ModelState]


async def backlog(
    session: AsyncSession, arxiv_ids: Sequence[str] | None = None, language: str | None = None
) -> Backlog:
    """How things stand. With papers and a language, ``pending`` and ``expected_at`` are theirs: what is queued before them is
    reckoned in.
    """
    grouped = await session.execute(
        select(Summary.status, Summary.language, Summary.reason, func.count(), func.min(Summary.retry_at))
        .where(Summary.status != SummaryStatus.DONE)
        .group_by(Summary.status, Summary.language, Summary.reason)
        .order_by(Summary.status, Summary.language, Summary.reason)
    )
    groups = [Waiting(*row) for row in grouped]
    pending = sum(group.count for group in groups if group.status != SummaryStatus.FAILED)
    now, made, since = (await session.execute(_RATE, {"over": RATE_OVER})).one()
    seconds = max((now - since).total_seconds(), 1.0) if since is not None else RATE_OVER.total_seconds()
    per_minute = 60 * made / seconds
    resting = await session.scalars(
        select(ModelState)
        .where(ModelState.stopped_at.is_not(None) | (ModelState.rest_until > func.now()))
        .order_by(ModelState.name)
    )
    if arxiv_ids is not None:
        pending, before = (await session.execute(_AHEAD, {"arxiv_ids": list(arxiv_ids), "language": language})).one()
        expected = now + timedelta(minutes=before / per_minute) if per_minute and pending else None
        return Backlog(groups, round(per_minute, 1), pending, expected, list(resting))
    # What waits for a model, or for money, has no rate: nobody knows when it goes on.
    going = sum(group.count for group in groups if group.status != SummaryStatus.FAILED and group.reason != "budget")
    expected = now + timedelta(minutes=going / per_minute) if per_minute and going else None
    return Backlog(groups, round(per_minute, 1), pending, expected, list(resting))


_AHEAD = text(
    """
    SELECT count(*), coalesce((SELECT count(*) FROM summaries
                               WHERE status IN ('pending', 'running') AND id <= max(mine.id)), 0)
    FROM summaries AS mine
    WHERE mine.arxiv_id = ANY(:arxiv_ids) AND mine.language = :language AND mine.status IN ('pending', 'running')
    """
)

_RATE = text(
    """
    SELECT now(), count(*), min(made_at) FROM summaries
    WHERE status = 'done' AND origin IN ('llm', 'extractive') AND made_at > now() - CAST(:over AS interval)
    """
)


_COUNT = text(
    """
    SELECT count(*) FILTER (WHERE status = 'done') AS done, count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status IN ('pending', 'running')) AS pending,
           count(*) FILTER (WHERE status = 'pending' AND reason = ANY(:stopped)) AS stopped
    FROM summaries JOIN papers USING (arxiv_id)
    WHERE summaries.arxiv_id = ANY(:arxiv_ids) AND language = ANY(:languages) AND origin = :origin AND model = :model
      AND prompt_version = :prompt AND summaries.abstract_hash = papers.abstract_hash
    """
)


async def count(
    session: AsyncSession, arxiv_ids: Sequence[str], languages: Sequence[str], maker: Maker, stopped: Sequence[str]
) -> dict[str, int]:
    """How far these papers' summaries are: ``done``, ``failed``, ``pending``, and of those ``stopped`` for one of these
    reasons.
    """
    parameters = {
        "arxiv_ids": list(arxiv_ids),
        "languages": list(languages),
        "origin": maker.origin,
        "model": maker.model,
        "prompt": maker.prompt_version,
        "stopped": list(stopped),
    }
    return dict((await session.execute(_COUNT, parameters)).mappings().one())


async def in_the_making(session: AsyncSession, arxiv_ids: Sequence[str], language: str) -> int:
    """How many of the summaries of these papers will be made soon: not those that a budget or a stopped model holds."""
    query = select(func.count()).where(
        among(Summary.arxiv_id, arxiv_ids),
        Summary.language == language,
        (Summary.status == SummaryStatus.RUNNING)
        | (
            (Summary.status == SummaryStatus.PENDING)
            & (Summary.reason.is_(None) | Summary.reason.not_in(STOPPED))
            & (Summary.retry_at.is_(None) | (Summary.retry_at <= func.now() + RATE_OVER))
        ),
    )
    return await session.scalar(query) or 0


async def hurry(session: AsyncSession, arxiv_ids: Sequence[str]) -> None:
    """Let the summaries of these papers have their turn before others."""
    statement = text(
        """
        UPDATE procrastinate_jobs SET priority = 1
        WHERE task_name = 'summarize' AND status = 'todo' AND EXISTS (
            SELECT 1 FROM jsonb_array_elements_text(args -> 'summary_ids') AS named(id)
            JOIN summaries ON summaries.id = named.id::bigint WHERE summaries.arxiv_id = ANY(:arxiv_ids))
        """
    )
    await session.execute(statement, {"arxiv_ids": list(arxiv_ids)})
