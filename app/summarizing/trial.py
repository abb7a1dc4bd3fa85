"""One small call of each configured model, to see whether it works (``zhaiyao doctor``)."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app import calls
from app.ingestion import Tools
from app.llm import CallFailed, Detail, Mode, PaperText, Trouble, is_chain
from app.models import CallOutcome
from app.summarizing.making import OUTCOMES

if TYPE_CHECKING:
    from app.llm.chain import ModelChain


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
            tokens, problem, outcome = error.tokens, error.detail, OUTCOMES[error.trouble]
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
