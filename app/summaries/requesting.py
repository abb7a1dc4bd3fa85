"""Asking for summaries: each paper's are one job, made with one call."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import among
from app.jobs import JobKind, NewJob, Queue, enqueue
from app.models import Paper, Summary, SummaryOrigin, SummaryStatus
from app.summaries.choosing import is_stale


class Maker(Protocol):
    """Who is to make a summary; any summariser is one."""

    @property
    def origin(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def prompt_version(self) -> str: ...


# A done summary of the present text, in this language: one of a person, a model, an older archive, or of the maker itself.
_HAS_ONE = """
    EXISTS (
        SELECT 1 FROM summaries AS have
        WHERE have.arxiv_id = paper.arxiv_id AND have.language = lang.language AND have.status = 'done'
          AND (have.abstract_hash = paper.abstract_hash
               OR coalesce(have.paper_version, 1) = coalesce(paper.version, 1)
               OR NOT :again)
          AND have.released_at IS NULL AND have.origin = ANY(:good_enough))
"""
_GOOD = [SummaryOrigin.HUMAN, SummaryOrigin.LLM, SummaryOrigin.IMPORTED]

_REQUEST = text(
    f"""
    INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, model, provider, prompt_version)
    SELECT paper.arxiv_id, paper.version, paper.abstract_hash, lang.language, 'pending', :origin, :model, :provider, :prompt
    FROM papers AS paper CROSS JOIN unnest(CAST(:languages AS text[])) AS lang(language)
    WHERE paper.arxiv_id = ANY(:arxiv_ids)
      AND (:fresh OR NOT {_HAS_ONE})
    ORDER BY paper.arxiv_id, lang.language
    ON CONFLICT ON CONSTRAINT uq_summaries_once DO NOTHING
    RETURNING id, arxiv_id
    """  # noqa: S608 - the parts are written above
)


async def request(
    session: AsyncSession,
    arxiv_ids: Iterable[str],
    languages: Sequence[str],
    maker: Maker,
    *,
    again: bool = True,
    fresh: bool = False,
) -> int:
    """Ask for the summaries that these papers lack, each paper's with one job; returns how many were asked for.

    A paper whose abstract has changed since lacks one, unless ``again`` is False (``ZHAIYAO_RESUMMARIZE``). With ``fresh``
    a paper lacks every summary that is not this maker's own of its present text.
    """
    rows = await session.execute(
        _REQUEST,
        {
            "arxiv_ids": list(arxiv_ids),
            "languages": list(languages),
            "origin": maker.origin,
            "model": maker.model,
            "provider": maker.provider,
            "prompt": maker.prompt_version,
            "again": again,
            "fresh": fresh,
            "good_enough": _GOOD,
        },
    )
    of_paper: dict[str, list[int]] = {}
    for summary_id, arxiv_id in rows:
        of_paper.setdefault(arxiv_id, []).append(summary_id)
    await enqueue(session, [job_for(summary_ids) for summary_ids in of_paper.values()])
    return sum(map(len, of_paper.values()))


_LACKING = text(
    f"""
    SELECT DISTINCT paper.arxiv_id FROM papers AS paper CROSS JOIN unnest(CAST(:languages AS text[])) AS lang(language)
    WHERE paper.arxiv_id = ANY(:arxiv_ids) AND NOT {_HAS_ONE}
    ORDER BY paper.arxiv_id DESC
    """  # noqa: S608 - the parts are written above
)


async def lacking(session: AsyncSession, arxiv_ids: Sequence[str], languages: Sequence[str], origin: str) -> list[str]:
    """Those of these papers that lack a summary in one of the languages, newest first; ``origin`` is that of whoever would
    make them, whose own are good enough.
    """
    parameters = {
        "arxiv_ids": list(arxiv_ids),
        "languages": list(languages),
        "again": True,
        "good_enough": [*_GOOD, origin],
    }
    return list(await session.scalars(_LACKING, parameters))


@dataclass(frozen=True, slots=True)
class Rest:
    """Papers without a done summary of their present text: those for which nobody has asked yet, or it has failed; and those
    whose summary is being made.
    """

    unrequested: list[str]
    making: list[str]


async def rest(session: AsyncSession, arxiv_ids: Sequence[str], language: str, maker: Maker) -> Rest:
    """Which of these papers still have no summary in a language, in the order given."""
    without = set(await lacking(session, arxiv_ids, [language], maker.origin))
    waiting = select(Summary.arxiv_id).join(Paper, Paper.arxiv_id == Summary.arxiv_id)
    waiting = waiting.where(
        among(Summary.arxiv_id, list(without)),
        Summary.language == language,
        Summary.status.in_([SummaryStatus.PENDING, SummaryStatus.RUNNING]),
        Summary.abstract_hash == Paper.abstract_hash,
    )
    making = set(await session.scalars(waiting))
    lacks = [arxiv_id for arxiv_id in arxiv_ids if arxiv_id in without]
    return Rest([one for one in lacks if one not in making], [one for one in lacks if one in making])


def job_for(summary_ids: Sequence[int]) -> NewJob:
    """The job that makes these summaries of one paper."""
    return NewJob(JobKind.SUMMARIZE, {"summary_ids": list(summary_ids)}, priority=-1, queue=Queue.SUMMARIES)


_JOB_OF = text(
    """
    SELECT id FROM procrastinate_jobs
    WHERE task_name = 'summarize' AND status IN ('todo', 'doing') AND args -> 'summary_ids' @> to_jsonb(CAST(:id AS bigint))
    ORDER BY id DESC LIMIT 1
    """
)


async def ask(
    session: AsyncSession, paper: Paper, language: str, maker: Maker, *, fresh: bool = False
) -> Summary | int:
    """The summary of a paper's present text in a language if it is done, or the number of the job that makes it.

    Of the summaries of this maker, or better ones (with ``fresh``: of this maker, model and prompt only); one that failed is
    tried again from the beginning.
    """
    await request(session, [paper.arxiv_id], [language], maker, fresh=fresh)
    query = select(Summary).where(
        Summary.arxiv_id == paper.arxiv_id, Summary.language == language, Summary.released_at.is_(None)
    )
    rows = [row for row in await session.scalars(query) if not is_stale(row, paper)]
    done = [row for row in rows if row.status == SummaryStatus.DONE]
    mine = [
        row
        for row in rows
        if (row.origin, row.model, row.prompt_version) == (maker.origin, maker.model, maker.prompt_version)
    ]
    better = [row for row in done if row in mine or (row.origin != SummaryOrigin.EXTRACTIVE and not fresh)]
    if better:
        return max(better, key=lambda row: (row.origin == SummaryOrigin.HUMAN, row in mine, row.made_at))
    [wanted] = mine
    await retry(session, [wanted.id])
    job_id: int | None = await session.scalar(_JOB_OF, {"id": wanted.id})
    if job_id is None:
        [job_id] = await enqueue(session, [job_for([wanted.id])])
    return job_id


async def retry_failed(session: AsyncSession) -> int:
    """Try every failed summary again whose paper has not moved on; returns how many."""
    query = select(Summary.id).join(Paper, Paper.arxiv_id == Summary.arxiv_id)
    failed = query.where(Summary.status == SummaryStatus.FAILED, Summary.abstract_hash == Paper.abstract_hash)
    return await retry(session, list(await session.scalars(failed)))


async def retry_failed_of(session: AsyncSession, arxiv_ids: Sequence[str], language: str, maker: Maker) -> int:
    """Try this maker's failed summaries of the present texts of these papers again; returns how many."""
    query = select(Summary.id).join(Paper, Paper.arxiv_id == Summary.arxiv_id)
    failed = query.where(
        among(Summary.arxiv_id, list(arxiv_ids)),
        Summary.language == language,
        Summary.status == SummaryStatus.FAILED,
        Summary.abstract_hash == Paper.abstract_hash,
        Summary.origin == maker.origin,
        Summary.model == maker.model,
        Summary.prompt_version == maker.prompt_version,
    )
    return await retry(session, list(await session.scalars(failed)))


async def retry(session: AsyncSession, summary_ids: Sequence[int]) -> int:
    """Try failed summaries again, from the beginning; returns how many."""
    rows = list(
        await session.scalars(
            select(Summary)
            .where(Summary.id.in_(summary_ids), Summary.status == SummaryStatus.FAILED)
            .order_by(Summary.id)
            .with_for_update()
        )
    )
    of_paper: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        row.status, row.reason, row.error, row.retry_at = SummaryStatus.PENDING, None, None, None
        row.attempts = row.refusals = 0
        of_paper.setdefault((row.arxiv_id, row.origin), []).append(row.id)
    await enqueue(session, [job_for(ids) for (_, origin), ids in of_paper.items()])
    return len(rows)


# The engine's job is found by the summary it names: a live one is waiting, or at work.
_ORPHANS = text(
    """
    SELECT array_agg(summary.id ORDER BY summary.id) AS ids, summary.origin FROM summaries AS summary
    WHERE summary.status IN ('pending', 'running') AND summary.id NOT IN (
        SELECT named.id::bigint FROM procrastinate_jobs AS job
        CROSS JOIN jsonb_array_elements_text(job.args -> 'summary_ids') AS named(id)
        WHERE job.task_name = 'summarize' AND job.status IN ('todo', 'doing'))
    GROUP BY summary.arxiv_id, summary.origin
    """
)


async def adopt_orphans(session: AsyncSession) -> int:
    """Give a job to every unfinished summary that has none, whatever became of it; returns how many papers had such."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('orphans'))"))
    orphans = (await session.execute(_ORPHANS)).all()
    await enqueue(session, [job_for(ids) for ids, origin in orphans])
    return len(orphans)
