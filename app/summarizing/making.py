"""Making summaries: load, work, save. What goes wrong is put off or failed with its reason; nothing is left behind.

The extractive summariser just works. A language model is asked by leave (``app.calls``): within the limits and the budget
of all workers together; a failed call is tried again later, on the next model of the chain where there is one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from app import calls, summaries
from app.calls import Limits, Place, Wait
from app.config import Settings
from app.delays import growing
from app.ingestion import Tools
from app.llm import (
    CallFailed,
    Detail,
    ExtractiveSummariser,
    Mode,
    Summariser,
    SummariserError,
    Trouble,
    is_chain,
)
from app.models import CallOutcome
from app.summaries import Provenance, Task
from app.summarizing.ending import about, give_up, put_off, refresh_digests
from app.summarizing.turns import turns_of

if TYPE_CHECKING:
    from app.llm.chain import Answer, ModelChain
    from app.llm.checks import Finding

MAX_BAD_ANSWERS = 4
"""Calls whose answers may be refused before a summary fails."""

MAX_FAILURES = 10
"""Calls that may fail for the endpoint's sake before a summary fails; waiting for a limit does not count."""

LONGEST_HOLD = timedelta(seconds=10)
"""A job that must wait longer gives up its worker's place and is queued again."""


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
            return shown | await put_off(
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


async def _ask_models(tools: Tools, chain: "ModelChain", task: Task) -> dict[str, Any]:
    """Ask the models until one answers, or none can now."""
    turns = turns_of(tools, chain)
    if not await turns.take():
        # The worker is asked to stop; nothing was paid for yet.
        async with tools.database.transaction() as session:
            return await put_off(session, task, None, None, timedelta(0))
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
                delay = max(place.until - tools.now(), timedelta(0)) + about(tools.settings.llm_retry_delay)
                return await put_off(session, task, place.reason, place.detail, delay)
        model = chain.models[place.model]
        try:
            answer = await chain.ask(
                model,
                task.text,
                list(task.languages),
                detail=place.detail,
                mode=place.mode,
                complaints=task.complaints,
                attempt=task.refusals,
            )
        except CallFailed as error:
            done = await _failed(asking, place, error)
            if done is not None:
                return done
            avoid = None if error.trouble == Trouble.UNSUPPORTED else place.model
            continue
        return await _answered(asking, place, answer)
    async with tools.database.transaction() as session:
        return await put_off(
            session, task, "unavailable", "No model of the chain could answer.", about(tools.settings.llm_retry_delay)
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


OUTCOMES = {
    Trouble.LATER: CallOutcome.LATER,
    Trouble.STOPPED: CallOutcome.STOPPED,
    Trouble.BAD_ANSWER: CallOutcome.BAD_ANSWER,
    Trouble.UNSUPPORTED: CallOutcome.BAD_ANSWER,
}


async def _failed(asking: _Asking, place: Place, error: CallFailed) -> dict[str, Any] | None:
    """Record a failed call; None if another one is worth a try at once."""
    tools, model = asking.tools, asking.chain.models[place.model]
    outcome = OUTCOMES[error.trouble]
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
            return await put_off(session, task, error.reason, error.detail, asking.limits.probe_interval)
        counts = error.reason != "rate_limited"
        if counts and task.attempts + 1 >= MAX_FAILURES:
            return await give_up(session, task, error.reason, error.detail)
        delay = max(error.retry_after or timedelta(0), growing(delay, task.attempts + 1, calls.LONGEST_DELAY))
        return await put_off(session, task, error.reason, error.detail, delay, is_attempt=counts)
    await calls.model_answered(session, model.name, place.mode, None)
    if task.refusals + 1 >= MAX_BAD_ANSWERS:
        return await give_up(session, task, error.reason, error.detail)
    found = [{"check": error.reason, "reason": error.detail, "is_fault": True}]
    checks = dict.fromkeys(task.summary_ids, found) if error.reason == "broken_answer" else None
    return await put_off(session, task, error.reason, error.detail, about(delay), is_refusal=True, checks=checks)


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
            if task.refusals + 1 >= MAX_BAD_ANSWERS:
                result = await give_up(session, task, "check_failed", said, only=list(bad), checks=bad)
            else:
                delay = about(tools.settings.llm_retry_delay)
                result = await put_off(
                    session, task, "check_failed", said, delay, is_refusal=True, checks=bad, only=list(bad)
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
