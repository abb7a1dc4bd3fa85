"""Taking a place for one call: within the limits and the budget, of a model that does not rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.llm import Detail, Expected, Mode
from app.models import ModelState

SAVING_FROM = Decimal("0.8")
"""From this share of a budget on only titles and sentences are asked for; at the whole of it everything waits."""

SHORT_WAIT = timedelta(seconds=0.1)


@dataclass(frozen=True, slots=True)
class Limits:
    """What all workers together may do; None is without limit. Money is US dollars, days and months are UTC's."""

    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    budget_day: Decimal | None
    budget_month: Decimal | None
    timeout: timedelta
    probe_interval: timedelta

    @property
    def has_budget(self) -> bool:
        """Whether money is limited: only then anything but whole summaries is asked for."""
        return self.budget_day is not None or self.budget_month is not None


@dataclass(frozen=True, slots=True)
class Place:
    """Leave to make one call: of the model with this index, asking for so much, in this mode."""

    call_id: int
    model: int
    mode: Mode
    detail: Detail


@dataclass(frozen=True, slots=True)
class Wait:
    """No call now, by the database's clock: why, as a stable word and a sentence, and when to ask again."""

    now: datetime
    until: datetime
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How spending and rate stand at a moment."""

    now: datetime
    running: int
    started: int
    tokens: int
    oldest: datetime | None
    spent_day: Decimal
    spent_month: Decimal


_STANDING = """
    SELECT clock_timestamp() AS now, count(*) FILTER (WHERE outcome = 'running') AS running,
           count(*) FILTER (WHERE recent) AS started,
           coalesce(sum(input_tokens + output_tokens) FILTER (WHERE recent), 0) AS tokens,
           min(started_at) FILTER (WHERE recent) AS oldest,
           coalesce((SELECT cost FROM spendings WHERE spent_on = (now() AT TIME ZONE 'UTC')::date), 0)
               + coalesce(sum(cost) FILTER (WHERE outcome = 'running'), 0) AS spent_day,
           coalesce((SELECT sum(cost) FROM spendings
                     WHERE spent_on >= date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0)
               + coalesce(sum(cost) FILTER (WHERE outcome = 'running'), 0) AS spent_month
    FROM (SELECT *, started_at > clock_timestamp() - interval '1 minute' AS recent FROM calls
          WHERE started_at > clock_timestamp() - CAST(:window AS interval) {only}) AS call
    """
_STANDING_WITH_RATES = text(_STANDING.format(only=""))
_STANDING_WITHOUT = text(_STANDING.format(only="AND outcome = 'running'"))


async def standing(session: AsyncSession, limits: Limits) -> Standing:
    """How many calls run and were begun within a minute (looked up only where that is limited), and what was spent."""
    # A call that has run for longer than two time-outs was made by a worker that died.
    window = max(2 * limits.timeout, timedelta(minutes=1))
    has_rates = limits.requests_per_minute is not None or limits.tokens_per_minute is not None
    row = (await session.execute(_STANDING_WITH_RATES if has_rates else _STANDING_WITHOUT, {"window": window})).one()
    return Standing(*row)


async def take_place(
    session: AsyncSession,
    models: Sequence[str],
    expected: Mapping[Detail, Sequence[Expected]],
    summary_ids: Sequence[int],
    arxiv_id: str | None,
    providers: Sequence[tuple[str, str]],
    limits: Limits,
    avoid: int | None = None,
) -> Place | Wait:
    """A place for one call, of the first model that can be asked now; ``avoid`` is one that just failed.

    ``expected`` says for each detail and model what the call would use; ``providers`` has each one's (model, provider).
    """
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('calls'))"))
    at = await standing(session, limits)
    states = {row.name: row for row in await session.execute(_STATES, {"models": list(models)})}
    chosen = _choose(models, states, at.now, avoid)
    if isinstance(chosen, Wait):
        return chosen
    detail = _affordable(at, limits, {detail: costs[chosen].cost or 0 for detail, costs in expected.items()})
    if isinstance(detail, Wait):
        return detail
    wants = expected[detail][chosen]
    full = _full(at, limits, wants.input_tokens + wants.output_tokens)
    if full is not None:
        return full
    state = states.get(models[chosen])
    if state is not None and state.stopped_at is not None:
        # This call tries whether it was repaired; the others wait for what comes of it.
        rest_until = at.now + limits.probe_interval
        await session.execute(update(ModelState).where(ModelState.name == state.name).values(rest_until=rest_until))
    call_id = await session.scalar(
        _BEGIN,
        {
            "summary_ids": list(summary_ids),
            "arxiv_id": arxiv_id,
            "model": providers[chosen][0],
            "provider": providers[chosen][1],
            "started_at": at.now,
            "input": wants.input_tokens,
            "output": wants.output_tokens,
            "cost": Decimal(str(wants.cost or 0)),
        },
    )
    assert call_id is not None
    mode = Mode(state.mode) if state is not None and state.mode else Mode.JSON_SCHEMA
    return Place(call_id, chosen, mode, detail)


# As text and not as objects: these two run under the lock that all calls take one after the other.
_STATES = text("SELECT name, mode, rest_until, stopped_at, reason, detail FROM model_states WHERE name = ANY(:models)")
_BEGIN = text(
    """
    INSERT INTO calls (summary_ids, arxiv_id, model, provider, started_at, outcome, input_tokens, output_tokens, cost)
    VALUES (CAST(:summary_ids AS bigint[]), :arxiv_id, :model, :provider, :started_at, 'running', :input, :output, :cost)
    RETURNING id
    """
)


def _affordable(at: Standing, limits: Limits, costs: Mapping[Detail, float]) -> Detail | Wait:
    """How much may be asked for at what was spent and this call would cost: all, then titles and sentences only, then
    nothing until the next day or month, so that a digest has the original abstract alone.
    """
    detail = Detail.FULL
    for budget, spent, name, until in (
        (limits.budget_month, at.spent_month, "month", _next_month(at.now)),
        (limits.budget_day, at.spent_day, "day", _next_day(at.now)),
    ):
        if budget is None:
            continue
        left = budget - spent
        if left <= 0 or Decimal(str(costs[Detail.BRIEF])) > left:
            return Wait(at.now, until, "budget", f"The {name}'s budget of ${budget} is spent (${spent:.4f}).")
        if spent >= budget * SAVING_FROM or Decimal(str(costs[Detail.FULL])) > left:
            detail = Detail.BRIEF
    return detail


def _next_day(now: datetime) -> datetime:
    return (now.astimezone(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)


def _next_month(now: datetime) -> datetime:
    first = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)


def _choose(models: Sequence[str], states: Mapping[str, Any], now: datetime, avoid: int | None) -> int | Wait:
    """The first model that does not rest; the one to avoid only if there is no other."""
    ready = [
        number for number, name in enumerate(models) if name not in states or (states[name].rest_until or now) <= now
    ]
    if ready:
        return next((number for number in ready if number != avoid), ready[0])
    soonest = min((states[name] for name in models), key=lambda state: state.rest_until or now)
    return Wait(now, soonest.rest_until or now, soonest.reason or "resting", soonest.detail or "The model rests.")


def _full(at: Standing, limits: Limits, tokens: int) -> Wait | None:
    """Why a call would be one too many, if it would."""
    if at.running >= limits.concurrency:
        return Wait(at.now, at.now + SHORT_WAIT, "concurrency", f"{limits.concurrency} calls run at a time.")
    next_minute = (at.oldest or at.now) + timedelta(minutes=1)
    if limits.requests_per_minute is not None and at.started >= limits.requests_per_minute:
        return Wait(
            at.now, next_minute, "requests_per_minute", f"{limits.requests_per_minute} calls a minute are allowed."
        )
    if limits.tokens_per_minute is not None and at.started and at.tokens + tokens > limits.tokens_per_minute:
        return Wait(
            at.now, next_minute, "tokens_per_minute", f"{limits.tokens_per_minute} tokens a minute are allowed."
        )
    return None
