"""Making summaries: load, work, save. What goes wrong is put off or failed with its reason; nothing is left behind.

The extractive summariser just works. A language model is asked by leave (``app.calls``): within the limits and the budget
of all workers together; a failed call is tried again later, on the next model of the chain where there is one.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app import calls, digests, summaries
from app.calls import Limits, Place, Wait
from app.config import Settings
from app.errors import ZhaiyaoError
from app.ingestion import Tools
from app.jobs import JobKind, NewJob, enqueue_once
from app.llm import (
    CallFailed,
    Detail,
    ExtractiveSummariser,
    Mode,
    PaperText,
    Summariser,
    SummariserError,
    Trouble,
    is_chain,
)
from app.models import CallOutcome
from app.summaries import Provenance, Task

if TYPE_CHECKING:
    from app.llm.chain import Answer, ModelChain
    from app.llm.checks import Finding

MAX_BAD_ANSWERS = 4
"""Calls whose answers may be refused before a summary fails."""

MAX_FAILURES = 10
"""Calls that may fail for the endpoint's sake before a summary fails; waiting for a limit does not count."""

LONGEST_HOLD = timedelta(seconds=10)
"""A job that must wait longer gives up its worker's place and is queued again."""

REFRESH_DELAY = timedelta(seconds=3)
"""Summaries that arrive within this time make one new revision of a digest, not one each."""


def limits_of(settings: Settings) -> Limits:
    """The limits that hold for all workers together."""
    return Limits(
        settings.llm_concurrency,
        settings.llm_rpm,
        settings.llm_tpm,
        settings.llm_budget_day,
        settings.llm_budget_month,
        settings.llm_timeout,
        settings.llm_probe_interval,
    )


async def summarize(tools: Tools, summary_ids: Sequence[int]) -> dict[str, Any]:
    """Make the summaries of one paper, or as far as it goes now; returns what became of them."""
    async with tools.database.transaction() as session:
        task = await summaries.begin(session, summary_ids)
        if task is None:
            return {"summary_ids": list(summary_ids), "status": "nothing to do"}
        if task.was_left:
            await calls.lose_calls(session, task.summary_ids)
    shown = {"summary_ids": task.summary_ids, "arxiv_id": task.arxiv_id}
    if task.origin != "llm":
        return shown | await _extract(tools, task)
    if not is_chain(tools.summariser):
        async with tools.database.transaction() as session:
            return shown | await _put_off(
                session, task, "no_model", "No language model is configured: set ZHAIYAO_LLM_MODEL.", timedelta(hours=1)
            )
    return shown | await _ask_models(tools, tools.summariser, task)


async def _extract(tools: Tools, task: Task) -> dict[str, Any]:
    # What was asked for before a model was configured is still made as it was asked for.
    configured = tools.summariser
    summariser: Summariser = ExtractiveSummariser() if is_chain(configured) else cast(Summariser, configured)
    try:
        made = await summariser.summarize(task.text, list(task.languages))
    except SummariserError as error:
        async with tools.database.transaction() as session:
            await summaries.fail(session, task.summary_ids, "no_text", str(error))
            await refresh_digests(session, task.arxiv_id)
        return {"status": "failed", "error": str(error)}
    async with tools.database.transaction() as session:
        for language, draft in made.drafts.items():
            await summaries.finish(session, task.languages[language], draft)
        await refresh_digests(session, task.arxiv_id)
    return {"status": "done"}


@dataclass(frozen=True, slots=True)
class _Asking:
    """What does not change while a task is worked at."""

    tools: Tools
    chain: "ModelChain"
    task: Task
    limits: Limits

    @property
    def names(self) -> list[str]:
        return [model.name for model in self.chain.models]


class Turns:
    """The calls of one process. Its worker has more jobs at hand than it may make calls, so that the next call need not wait
    for a job to be fetched and begun; the limits themselves hold in the database.
    """

    def __init__(self, at_once: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._is_over = False

    async def take(self) -> bool:
        """Wait for one; False if no more are given."""
        await self._places.acquire()
        if self._is_over:
            self._places.release()
        return not self._is_over

    def give_back(self) -> None:
        """Let the next one have it."""
        self._places.release()

    def end(self) -> None:
        """Give no more: whoever waits is told, one by the other."""
        self._is_over = True
        self._places.release()


_turns: "WeakKeyDictionary[ModelChain, Turns]" = WeakKeyDictionary()


def begin_turns(tools: Tools) -> Turns:
    """New turns for a worker that begins."""
    turns = Turns(tools.settings.llm_concurrency)
    if is_chain(tools.summariser):
        _turns[tools.summariser] = turns
    return turns


def jobs_at_hand(settings: Settings) -> int:
    """How many jobs of summaries a worker begins at once."""
    return settings.llm_concurrency + settings.llm_concurrency // 2 + 1


async def _ask_models(tools: Tools, chain: "ModelChain", task: Task) -> dict[str, Any]:
    """Ask the models until one answers, or none can now."""
    turns = _turns.get(chain) or begin_turns(tools)
    if not await turns.take():
        # The worker is asked to stop; nothing was paid for yet.
        async with tools.database.transaction() as session:
            return await _put_off(session, task, None, None, timedelta(0))
    try:
        return await _ask_in_turn(tools, chain, task)
    finally:
        turns.give_back()


async def _ask_in_turn(tools: Tools, chain: "ModelChain", task: Task) -> dict[str, Any]:
    asking = _Asking(tools, chain, task, limits_of(tools.settings))
    if not (task.text.abstract or task.text.title):
        async with tools.database.transaction() as session:
            await summaries.fail(session, task.summary_ids, "no_text", "The paper has neither title nor abstract.")
        return {"status": "failed", "error": "The paper has neither title nor abstract."}
    avoid = None
    for _ in range(len(chain.models) + len(Mode)):
        place = await _take_place(asking, avoid)
        if isinstance(place, Wait):
            async with tools.database.transaction() as session:
                delay = max(place.until - tools.now(), timedelta(0)) + _some(tools.settings.llm_retry_delay)
                return await _put_off(session, task, place.reason, place.detail, delay)
        model = chain.models[place.model]
        try:
            answer = await chain.ask(
                model,
                task.text,
                list(task.languages),
                detail=place.detail,
                mode=place.mode,
                complaints=task.complaints,
                attempt=task.attempts,
            )
        except CallFailed as error:
            done = await _failed(asking, place, error)
            if done is not None:
                return done
            avoid = None if error.trouble == Trouble.UNSUPPORTED else place.model
            continue
        return await _answered(asking, place, answer)
    async with tools.database.transaction() as session:
        return await _put_off(
            session, task, "unavailable", "No model of the chain could answer.", _some(tools.settings.llm_retry_delay)
        )


async def _take_place(asking: _Asking, avoid: int | None) -> Place | Wait:
    """A place, waiting for it a moment if it is to be free soon."""
    chain, task = asking.chain, asking.task
    expected = {
        detail: [chain.expect(model, task.text, list(task.languages), detail) for model in chain.models]
        for detail in (Detail if asking.limits.has_budget else [Detail.FULL])
    }
    providers = [(model.model, model.provider) for model in chain.models]
    held = timedelta(0)
    while True:
        async with asking.tools.database.transaction() as session:
            place = await calls.take_place(
                session, asking.names, expected, task.summary_ids, task.arxiv_id, providers, asking.limits, avoid
            )
        if isinstance(place, Place):
            return place
        pause = max(place.until - place.now, calls.SHORT_WAIT)
        if held + pause > LONGEST_HOLD:
            return place
        held += pause
        await asyncio.sleep(pause.total_seconds())


_OUTCOMES = {
    Trouble.LATER: CallOutcome.LATER,
    Trouble.STOPPED: CallOutcome.STOPPED,
    Trouble.BAD_ANSWER: CallOutcome.BAD_ANSWER,
    Trouble.UNSUPPORTED: CallOutcome.BAD_ANSWER,
}


async def _failed(asking: _Asking, place: Place, error: CallFailed) -> dict[str, Any] | None:
    """Record a failed call; None if another one is worth a try at once."""
    tools, model = asking.tools, asking.chain.models[place.model]
    outcome = _OUTCOMES[error.trouble]
    cost = asking.chain.cost(model, *error.tokens)
    async with tools.database.transaction() as session:
        result = await _after_failure(session, asking, place, error)
        await calls.end_call(session, place.call_id, outcome, tokens=error.tokens, cost=cost, detail=error.detail)
    return result


async def _after_failure(
    session: AsyncSession, asking: _Asking, place: Place, error: CallFailed
) -> dict[str, Any] | None:
    task, model, delay = asking.task, asking.chain.models[place.model], asking.tools.settings.llm_retry_delay
    if not await _is_ours(session, task, place):
        return dict(_TAKEN_OVER)
    if error.trouble == Trouble.UNSUPPORTED:
        following = list(Mode)[list(Mode).index(place.mode) + 1 :]
        if following:
            await calls.set_mode(session, model.name, following[0])
            return None
    if error.trouble in (Trouble.LATER, Trouble.STOPPED):
        await calls.model_failed(session, model.name, error, asking.limits, delay)
        if place.model + 1 < len(asking.chain.models):
            return None
        if error.trouble == Trouble.STOPPED:
            return await _put_off(session, task, error.reason, error.detail, asking.limits.probe_interval)
        counts = error.reason != "rate_limited"
        if counts and task.attempts + 1 >= MAX_FAILURES:
            return await _give_up(session, task, error.reason, error.detail)
        delay = max(error.retry_after or timedelta(0), calls.growing(delay, task.attempts))
        return await _put_off(session, task, error.reason, error.detail, delay, is_attempt=counts)
    await calls.model_answered(session, model.name, place.mode, None)
    if task.attempts + 1 >= MAX_BAD_ANSWERS:
        return await _give_up(session, task, error.reason, error.detail)
    found = [{"check": error.reason, "reason": error.detail, "is_fault": True}]
    checks = dict.fromkeys(task.summary_ids, found) if error.reason == "broken_answer" else None
    return await _put_off(session, task, error.reason, error.detail, _some(delay), is_attempt=True, checks=checks)


_TAKEN_OVER = {"status": "taken over", "error": "This worker seemed dead, and another one has begun anew."}


async def _is_ours(session: AsyncSession, task: Task, place: Place) -> bool:
    """Whether nobody took this worker for dead meanwhile: then the summaries are another's to put off or to fail.

    Every transaction locks summaries before calls, as ``begin`` and ``lose_calls`` do.
    """
    await summaries.hold(session, task.summary_ids)
    return await calls.is_running(session, place.call_id)


async def _answered(asking: _Asking, place: Place, answer: "Answer") -> dict[str, Any]:
    """Store the drafts that passed the checks; the others are asked for again with the reasons, or fail."""
    tools, task, model = asking.tools, asking.task, asking.chain.models[place.model]
    faults = {
        language: [finding for finding in findings if finding.is_fault]
        for language, (_, findings) in answer.drafts.items()
    }
    good = [language for language, found in faults.items() if not found]
    tokens = (answer.input_tokens, answer.output_tokens)
    outcome = CallOutcome.OK if good else CallOutcome.BAD_ANSWER
    said = "; ".join(f"{language}: {found[0].reason}" for language, found in faults.items() if found) or None
    shares = max(len(good), 1)
    async with tools.database.transaction() as session:
        for language in good:
            draft, findings = answer.drafts[language]
            # One call, one bill: each language bears its share, so that the sum over summaries is what was paid.
            first = language == good[0]
            source = Provenance(
                model.model if model.model != asking.chain.model else None,
                place.detail,
                _share(answer.input_tokens, shares, first),
                _share(answer.output_tokens, shares, first),
                answer.cost / shares if answer.cost is not None else None,
            )
            await summaries.finish(session, task.languages[language], draft, source, _kept(findings))
        result: dict[str, Any] = {"status": "done", "model": model.model, "detail": place.detail}
        bad = {task.languages[language]: _kept(found) for language, found in faults.items() if found}
        if bad and not await _is_ours(session, task, place):
            result = dict(_TAKEN_OVER)
        elif bad:
            assert said is not None
            if task.attempts + 1 >= MAX_BAD_ANSWERS:
                result = await _give_up(session, task, "check_failed", said, only=list(bad), checks=bad)
            else:
                delay = _some(tools.settings.llm_retry_delay)
                result = await _put_off(
                    session, task, "check_failed", said, delay, is_attempt=True, checks=bad, only=list(bad)
                )
        await refresh_digests(session, task.arxiv_id)
        if await calls.model_answered(session, model.name, place.mode, answer.rest):
            await calls.wake(session)
        await calls.end_call(session, place.call_id, outcome, tokens=tokens, cost=answer.cost, detail=said)
    return result


def _share(tokens: int, shares: int, first: bool) -> int:
    return tokens // shares + (tokens % shares if first else 0)


def _kept(findings: Sequence["Finding"]) -> list[dict[str, Any]]:
    return [{"check": one.check, "reason": one.reason, "is_fault": one.is_fault} for one in findings]


def _some(delay: timedelta) -> timedelta:
    """About this long, so that what was put off together does not come back together."""
    return calls.growing(delay, 0)


async def _put_off(
    session: AsyncSession,
    task: Task,
    reason: str | None,
    detail: str | None,
    delay: timedelta,
    *,
    is_attempt: bool = False,
    checks: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
    only: Sequence[int] | None = None,
) -> dict[str, Any]:
    job_id = await summaries.put_off(
        session, task, reason, detail, delay, is_attempt=is_attempt, checks=checks, only=only
    )
    return {"status": "waiting", "reason": reason, "error": detail, "next_job": job_id}


async def _give_up(
    session: AsyncSession,
    task: Task,
    reason: str,
    detail: str,
    *,
    only: Sequence[int] | None = None,
    checks: Mapping[int, Sequence[Mapping[str, Any]]] | None = None,
) -> dict[str, Any]:
    ids = list(only) if only is not None else task.summary_ids
    await summaries.fail(session, ids, reason, detail, checks)
    await refresh_digests(session, task.arxiv_id)
    return {"status": "failed", "reason": reason, "error": detail}


async def give_up_job(session: AsyncSession, summary_ids: Sequence[int], reason: str) -> None:
    """Fail the summaries of a job that no worker survived."""
    try:
        task = await summaries.begin(session, summary_ids)
    except ZhaiyaoError:
        return
    if task is not None:
        await calls.lose_calls(session, task.summary_ids)
        await _give_up(session, task, "worker_died", reason)


async def refresh_digests(session: AsyncSession, arxiv_id: str, *, every: bool = False) -> None:
    """Have the digests composed again, soon, that wait for a summary of this paper, or ``every`` one that shows it."""
    for digest_id in await digests.waiting_for(session, arxiv_id, every=every):
        lock = f"compose:{digest_id}"
        # Mostly one waits already; to find that out by the unique index costs a savepoint and an error in Postgres' log.
        if not await session.scalar(_WAITS, {"lock": lock}):
            job = NewJob(JobKind.COMPOSE, {"digest_id": digest_id}, queueing_lock=lock, delay=REFRESH_DELAY)
            await enqueue_once(session, job)


_WAITS = text("SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE queueing_lock = :lock AND status = 'todo')")


@dataclass(frozen=True, slots=True)
class Trial:
    """What one call of a model showed: ``problem`` is None if it gave a summary that passes the checks."""

    model: str
    provider: str
    mode: str | None
    seconds: float
    input_tokens: int
    output_tokens: int
    cost: float | None
    problem: str | None


_TRIAL_TEXT = PaperText(
    "2601.00001",
    "Reading listings twice",
    "We propose to read every listing twice and to compare what was read. On 120 invented feeds this finds 3 of 4,000 lost "
    "papers, where $a < b$ holds for each. The method is simple and needs no training.",
)


async def try_models(tools: Tools) -> list[Trial]:
    """Ask each model of the chain for one small summary, whatever the budget says, and remember how it gives JSON."""
    if not is_chain(tools.summariser):
        return []
    chain, language = tools.summariser, tools.settings.languages[0]
    return [await _try(tools, chain, number, language) for number in range(len(chain.models))]


async def _try(tools: Tools, chain: "ModelChain", number: int, language: str) -> Trial:
    model = chain.models[number]
    tokens, begin = (0, 0), time.monotonic()
    mode, problem = None, None
    for mode in Mode:
        async with tools.database.transaction() as session:
            call_id = await calls.begin_call(session, model.model, model.provider)
        outcome = CallOutcome.OK
        try:
            answer = await chain.ask(
                model,
                _TRIAL_TEXT,
                [language],
                detail=Detail.FULL,
                mode=mode,
                complaints=(),
                attempt=call_id,
            )
            tokens = answer.input_tokens, answer.output_tokens
            faults = [one.reason for _, found in answer.drafts.values() for one in found if one.is_fault]
            problem = faults[0] if faults else None
        except CallFailed as error:
            tokens, problem, outcome = error.tokens, error.detail, _OUTCOMES[error.trouble]
            unsupported = error.trouble == Trouble.UNSUPPORTED
        else:
            unsupported = False
        async with tools.database.transaction() as session:
            await calls.end_call(
                session, call_id, outcome, tokens=tokens, cost=chain.cost(model, *tokens), detail=problem
            )
            if problem is None:
                await calls.set_mode(session, model.name, mode)
        if not unsupported:
            break
    seconds = time.monotonic() - begin
    return Trial(model.model, model.provider, mode, seconds, *tokens, chain.cost(model, *tokens), problem)
