"""Summaries: which are wanted, how far each has come, and which of several speaks for a paper.

"Once only" is the unique index on (paper, abstract, language, origin, model, prompt version): a wanted summary is a row
with status ``pending``, and whoever inserts it enqueues its job in the same transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, ColumnElement, Text, any_, func, literal, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFound
from app.jobs import JobKind, NewJob, enqueue
from app.llm import PaperText, Summariser, SummaryDraft
from app.models import Paper, Summary, SummaryOrigin, SummaryStatus

_ORIGIN_RANK = {
    SummaryOrigin.HUMAN: 3,
    SummaryOrigin.LLM: 2,
    SummaryOrigin.IMPORTED: 1,
    SummaryOrigin.EXTRACTIVE: 0,
}

_REQUEST = text(
    """
    INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, model, provider, prompt_version)
    SELECT paper.arxiv_id, paper.version, paper.abstract_hash, lang.language, 'pending', :origin, :model, :provider, :prompt
    FROM papers AS paper CROSS JOIN unnest(CAST(:languages AS text[])) AS lang(language)
    WHERE paper.arxiv_id = ANY(:arxiv_ids)
      AND NOT EXISTS (
        SELECT 1 FROM summaries AS have
        WHERE have.arxiv_id = paper.arxiv_id AND have.language = lang.language AND have.status = 'done'
          AND (have.abstract_hash = paper.abstract_hash
               OR coalesce(have.paper_version, 1) = coalesce(paper.version, 1))
          AND have.origin IN ('human', 'llm', 'imported'))
    ORDER BY paper.arxiv_id, lang.language
    ON CONFLICT ON CONSTRAINT uq_summaries_once DO NOTHING
    RETURNING id
    """
)


async def request(
    session: AsyncSession, arxiv_ids: Iterable[str], languages: Sequence[str], summariser: Summariser
) -> int:
    """Ask for the summaries that these papers lack, each with its job; returns how many were asked for."""
    rows = await session.scalars(
        _REQUEST,
        {
            "arxiv_ids": list(arxiv_ids),
            "languages": list(languages),
            "origin": summariser.origin,
            "model": summariser.model,
            "provider": summariser.provider,
            "prompt": summariser.prompt_version,
        },
    )
    jobs = [NewJob(JobKind.SUMMARIZE, {"summary_id": summary_id}, priority=-1) for summary_id in rows]
    await enqueue(session, jobs)
    return len(jobs)


@dataclass(frozen=True, slots=True)
class Task:
    """A summary to be made: from this text, in this language."""

    arxiv_id: str
    language: str
    text: PaperText


async def begin(session: AsyncSession, summary_id: int) -> Task | None:
    """Mark a summary as running and hand out its text.

    None if there is nothing to do: it is done already, or the paper has moved on, which is recorded. ``NotFound`` if the
    row is gone.
    """
    summary = await session.get(Summary, summary_id, with_for_update=True)
    if summary is None:
        raise NotFound(f"There is no summary {summary_id}.")
    if summary.status == SummaryStatus.DONE:
        return None
    paper = await session.get_one(Paper, summary.arxiv_id)
    if paper.abstract_hash != summary.abstract_hash:
        summary.status = SummaryStatus.FAILED
        summary.error = f"The paper has moved on to version {paper.version} before this summary was made."
        return None
    summary.status = SummaryStatus.RUNNING
    return Task(paper.arxiv_id, summary.language, PaperText(paper.arxiv_id, paper.title, paper.abstract))


# A digest that is being composed reads summaries and writes what it read; a summary that ends looks for digests that wait
# for it. Side by side, each could miss the other, and the digest would show "pending" for ever. So composing excludes the
# ends of summaries, which do not exclude each other.
_HOLD_STILL = text("SELECT pg_advisory_xact_lock(hashtext('summaries'))")
_BEFORE_AN_END = text("SELECT pg_advisory_xact_lock_shared(hashtext('summaries'))")


async def hold_still(session: AsyncSession) -> None:
    """Let no summary end until this transaction has: what it reads of them is what it writes."""
    await session.execute(_HOLD_STILL)


async def finish(session: AsyncSession, summary_id: int, draft: SummaryDraft) -> None:
    """Store a summary that was made."""
    await session.execute(_BEFORE_AN_END)
    await session.execute(
        update(Summary)
        .where(Summary.id == summary_id)
        .values(
            status=SummaryStatus.DONE,
            title=draft.title,
            abstract=draft.abstract,
            tldr=draft.tldr,
            tldr_en=draft.tldr_en,
            tokens=draft.tokens,
            error=None,
            made_at=func.now(),
        )
    )


async def fail(session: AsyncSession, summary_id: int, reason: str) -> None:
    """Record why a summary could not be made; the paper stays in its digests with this status."""
    await session.execute(_BEFORE_AN_END)
    await session.execute(
        update(Summary)
        .where(Summary.id == summary_id, Summary.status != SummaryStatus.DONE)
        .values(status=SummaryStatus.FAILED, error=reason, made_at=func.now())
    )


async def waiting(session: AsyncSession, arxiv_ids: Iterable[str], language: str) -> list[int]:
    """The summaries of these papers in this language that are still to be made."""
    query = select(Summary.id).where(
        _of(arxiv_ids),
        Summary.language == language,
        Summary.status.in_([SummaryStatus.PENDING, SummaryStatus.RUNNING]),
    )
    return list(await session.scalars(query.order_by(Summary.id)))


@dataclass(frozen=True, slots=True)
class Current:
    """The summary that speaks for a paper; ``stale`` if it was made from an earlier text."""

    summary: Summary
    stale: bool


async def current(session: AsyncSession, papers: dict[str, Paper], language: str) -> dict[str, Current]:
    """For each paper that has any, its best summary in ``language``.

    Done before not done, in the language before one that only brings the English sentence (a stale translation, marked
    as such, is more use to its reader than none), made from the present text before stale, then human, model, imported,
    extracted, and the newest. An English digest needs only the English sentence, so that any language's summary that has
    one will do.
    """
    wanted = Summary.language == language
    if _is_english(language):
        wanted |= Summary.tldr_en.is_not(None)
    rows = await session.scalars(select(Summary).where(_of(papers), wanted))
    best: dict[str, tuple[tuple[object, ...], Current]] = {}
    for row in rows:
        stale = is_stale(row, papers[row.arxiv_id])
        # An error of an earlier text is no news about the present one.
        if stale and row.status != SummaryStatus.DONE:
            continue
        rank = (
            row.status == SummaryStatus.DONE,
            row.language == language,
            row.tldr is not None,
            not stale,
            _ORIGIN_RANK[SummaryOrigin(row.origin)],
            row.made_at,
            row.id,
        )
        if row.arxiv_id not in best or rank > best[row.arxiv_id][0]:
            best[row.arxiv_id] = (rank, Current(row, stale))
    return {arxiv_id: chosen for arxiv_id, (_, chosen) in best.items()}


def is_stale(summary: Summary, paper: Paper) -> bool:
    """Whether the paper's text has changed since.

    A summary of the same version is not stale even if its abstract differs: the older archive knew only the beginning.
    Where a version is not known it counts as the first.
    """
    return summary.abstract_hash != paper.abstract_hash and (summary.paper_version or 1) != (paper.version or 1)


def _of(arxiv_ids: Iterable[str]) -> ColumnElement[bool]:
    # One array, because Postgres takes no more than 32,767 parameters, and an archive's year has more papers.
    return Summary.arxiv_id == any_(literal(list(arxiv_ids), ARRAY(Text)))


def _is_english(language: str) -> bool:
    return language.split("-")[0] == "en"
