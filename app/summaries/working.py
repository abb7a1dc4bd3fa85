"""How a summary comes to its end: begun, finished, put off or failed; each with its digests in mind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import among
from app.errors import NotFound
from app.jobs import enqueue
from app.llm import Detail, PaperText, SummaryDraft
from app.models import Paper, Summary, SummaryStatus
from app.search import indexing
from app.summaries.requesting import job_for


@dataclass(frozen=True, slots=True)
class Task:
    """Summaries of one paper to be made: from this text, in these languages (each with its summary's number).

    ``attempts`` counts the calls that gave nothing, ``refusals`` those of them that had a bad answer, and ``complaints`` says
    what was wrong with the last one. ``was_left``: a worker had begun with them and not come to an end.
    """

    arxiv_id: str
    origin: str
    text: PaperText
    languages: Mapping[str, int]
    attempts: int = 0
    refusals: int = 0
    complaints: tuple[str, ...] = ()
    was_left: bool = False

    @property
    def summary_ids(self) -> list[int]:
        """The summaries' numbers."""
        return list(self.languages.values())


async def begin(session: AsyncSession, summary_ids: Sequence[int]) -> Task | None:
    """Mark summaries as running and hand out their paper's text.

    None if there is nothing to do: they are done already, or the paper has moved on, which is recorded. ``NotFound`` if the
    rows are gone.
    """
    query = select(Summary).where(Summary.id.in_(summary_ids)).order_by(Summary.id).with_for_update()
    rows = list(await session.scalars(query))
    if not rows:
        raise NotFound(f"There is no summary {', '.join(map(str, summary_ids))}.")
    paper = await session.get_one(Paper, rows[0].arxiv_id)
    wanted = [row for row in rows if row.status in (SummaryStatus.PENDING, SummaryStatus.RUNNING)]
    was_left = any(row.status == SummaryStatus.RUNNING for row in wanted)
    for row in wanted:
        if paper.abstract_hash != row.abstract_hash:
            row.status, row.reason, row.retry_at = SummaryStatus.FAILED, "moved_on", None
            row.error = f"The paper has moved on to version {paper.version} before this summary was made."
        else:
            row.status, row.retry_at = SummaryStatus.RUNNING, None
    running = [row for row in wanted if row.status == SummaryStatus.RUNNING]
    if not running:
        return None
    complaints = dict.fromkeys(found["reason"] for row in running for found in row.checks)
    return Task(
        paper.arxiv_id,
        running[0].origin,
        PaperText(paper.arxiv_id, paper.title, paper.abstract, tuple(paper.categories)),
        {row.language: row.id for row in running},
        max(row.attempts for row in running),
        max(row.refusals for row in running),
        tuple(complaints),
        was_left,
    )


async def hold(session: AsyncSession, summary_ids: Sequence[int]) -> None:
    """Let nobody else begin, end or put off these summaries until this transaction has ended."""
    query = select(Summary.id).where(Summary.id.in_(summary_ids)).order_by(Summary.id).with_for_update()
    await session.execute(query)


# A digest that is being composed reads summaries and writes what it read; a summary that ends looks for digests that wait
# for it. Side by side, each could miss the other, and the digest would show "pending" for ever. So composing excludes the
# ends of summaries, which do not exclude each other.
_HOLD_STILL = text("SELECT pg_advisory_xact_lock(hashtext('summaries'))")
_BEFORE_AN_END = text("SELECT pg_advisory_xact_lock_shared(hashtext('summaries'))")


async def hold_still(session: AsyncSession) -> None:
    """Let no summary end until this transaction has: what it reads of them is what it writes."""
    await session.execute(_HOLD_STILL)


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a summary comes from besides what was wanted: who answered, asked for how much, and what it used."""

    answered_by: str | None = None
    detail: Detail = Detail.FULL
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


async def finish(
    session: AsyncSession,
    summary_id: int,
    draft: SummaryDraft,
    provenance: Provenance | None = None,
    checks: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Store a summary that was made, with what was noticed about it."""
    source = provenance or Provenance()
    await session.execute(_BEFORE_AN_END)
    tokens = (source.input_tokens or 0) + (source.output_tokens or 0)
    finished = await session.scalars(
        update(Summary)
        .where(Summary.id == summary_id, Summary.status != SummaryStatus.DONE)
        .values(
            status=SummaryStatus.DONE,
            title=draft.title,
            abstract=draft.abstract,
            tldr=draft.tldr,
            tldr_en=draft.tldr_en,
            fields=dict(draft.fields),
            detail=source.detail,
            checks=list(checks),
            answered_by=source.answered_by,
            tokens=tokens or None,
            input_tokens=source.input_tokens,
            output_tokens=source.output_tokens,
            cost=Decimal(str(source.cost)) if source.cost is not None else None,
            reason=None,
            error=None,
            retry_at=None,
            made_at=func.now(),
        )
        .returning(Summary.arxiv_id)
    )
    indexing.touch(session, finished)


async def fail(
    session: AsyncSession,
    summary_ids: Iterable[int],
    reason: str,
    detail: str,
    checks: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
) -> None:
    """Record why summaries could not be made; their paper stays in its digests with this status."""
    await session.execute(_BEFORE_AN_END)
    await session.execute(
        update(Summary)
        .where(Summary.id.in_(list(summary_ids)), Summary.status != SummaryStatus.DONE)
        .values(
            status=SummaryStatus.FAILED,
            reason=reason,
            error=detail,
            attempts=Summary.attempts + 1,
            retry_at=None,
            made_at=func.now(),
        )
    )
    await _keep_checks(session, checks)


async def _keep_checks(session: AsyncSession, checks: Mapping[int, Sequence[Mapping[str, Any]]] | None) -> None:
    for summary_id, found in (checks or {}).items():
        await session.execute(update(Summary).where(Summary.id == summary_id).values(checks=list(found)))


async def put_off(
    session: AsyncSession,
    task: Task,
    reason: str | None,
    detail: str | None,
    delay: timedelta,
    *,
    is_attempt: bool,
    is_refusal: bool = False,
    checks: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    only: Sequence[int] | None = None,
) -> int:
    """Let summaries wait, with a new job for when it is time; returns its number. ``only`` some of the task's."""
    ids = list(only) if only is not None else task.summary_ids
    values = {
        "status": SummaryStatus.PENDING,
        "reason": reason,
        "error": detail,
        "retry_at": text("clock_timestamp() + CAST(:delay AS interval)").bindparams(delay=delay),
        "attempts": Summary.attempts + int(is_attempt),
        "refusals": Summary.refusals + int(is_refusal),
    }
    unfinished = (Summary.id.in_(ids), Summary.status != SummaryStatus.DONE)
    await session.execute(update(Summary).where(*unfinished).values(**values))
    await _keep_checks(session, checks)
    [job_id] = await enqueue(session, [replace(job_for(ids), delay=delay)])
    return job_id


async def waiting(session: AsyncSession, arxiv_ids: Iterable[str], language: str) -> list[int]:
    """The summaries of these papers in this language that are still to be made."""
    query = select(Summary.id).where(
        among(Summary.arxiv_id, list(arxiv_ids)),
        Summary.language == language,
        Summary.status.in_([SummaryStatus.PENDING, SummaryStatus.RUNNING]),
    )
    return list(await session.scalars(query.order_by(Summary.id)))
