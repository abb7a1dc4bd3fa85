"""Calls of language models: who may call now, what was used, and how each model stands, for all workers together.

Limits hold in the database: a call is a row that reserves its tokens and money before it is made. Taking a place is one
short transaction under a lock; nothing is held while the model works.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.llm import CallFailed, Detail, Expected, Mode, Trouble
from app.models import Call, CallOutcome, ModelState

SAVING_FROM = Decimal("0.8")
"""From this share of a budget on only titles and sentences are asked for; at the whole of it everything waits."""

SHORT_WAIT = timedelta(seconds=0.1)
_LONGEST_REST = timedelta(hours=1)


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


@dataclass(frozen=True, slots=True)
class Spent:
    """What the calls of a period used; money in US dollars."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Spendings:
    """What was used today and this month (UTC)."""

    day: Spent
    month: Spent


async def spent(session: AsyncSession) -> Spendings:
    """What was used today and this month; calls that are running are not in it yet."""
    query = text(
        """
        SELECT coalesce(sum(calls), 0)::bigint, coalesce(sum(input_tokens), 0)::bigint,
               coalesce(sum(output_tokens), 0)::bigint, coalesce(sum(cost), 0)
        FROM spendings WHERE spent_on >= date_trunc(:period, now() AT TIME ZONE 'UTC')::date
        """
    )
    periods = [Spent(*(await session.execute(query, {"period": period})).one()) for period in ("day", "month")]
    return Spendings(*periods)


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


async def begin_call(session: AsyncSession, model: str, provider: str) -> int:
    """A call outside the limits, such as a trial; returns its number."""
    call = Call(
        summary_ids=[],
        arxiv_id=None,
        model=model,
        provider=provider,
        outcome=CallOutcome.RUNNING,
        input_tokens=0,
        output_tokens=0,
    )
    session.add(call)
    await session.flush()
    return call.id


async def end_call(
    session: AsyncSession,
    call_id: int,
    outcome: CallOutcome,
    *,
    tokens: tuple[int, int] = (0, 0),
    cost: float | None = None,
    detail: str | None = None,
) -> None:
    """Write down what a call used, and how it ended: the last thing in a transaction, because all calls of a day share the
    row of its spending.
    """
    values: dict[str, Any] = {
        "id": call_id,
        "outcome": outcome,
        "input": tokens[0],
        "output": tokens[1],
        "cost": Decimal(str(cost or 0)),
        "detail": detail,
    }
    await session.execute(_END, values)


# A call that was given up as lost, and whose worker lives after all, has been counted: what it had reserved is given back.
_END = text(
    """
    WITH call AS (
        SELECT id, outcome = 'lost' AS lost, input_tokens, output_tokens, cost FROM calls WHERE id = :id FOR UPDATE
    ), ended AS (
        UPDATE calls SET outcome = :outcome, finished_at = clock_timestamp(), input_tokens = CAST(:input AS int),
            output_tokens = CAST(:output AS int), cost = CAST(:cost AS numeric), detail = :detail
        FROM call WHERE calls.id = call.id
    )
    INSERT INTO spendings AS old (spent_on, calls, input_tokens, output_tokens, cost)
    SELECT (now() AT TIME ZONE 'UTC')::date, CASE WHEN lost THEN 0 ELSE 1 END,
           CAST(:input AS int) - CASE WHEN lost THEN input_tokens ELSE 0 END,
           CAST(:output AS int) - CASE WHEN lost THEN output_tokens ELSE 0 END,
           CAST(:cost AS numeric) - CASE WHEN lost THEN cost ELSE 0 END
    FROM call
    ON CONFLICT (spent_on) DO UPDATE SET calls = old.calls + excluded.calls,
        input_tokens = old.input_tokens + excluded.input_tokens,
        output_tokens = old.output_tokens + excluded.output_tokens, cost = old.cost + excluded.cost
    """
)


async def is_running(session: AsyncSession, call_id: int) -> bool:
    """Whether a call has not been given up. Hold its summaries: whoever gives it up does."""
    return await session.scalar(select(Call.outcome).where(Call.id == call_id)) == CallOutcome.RUNNING


_SPEND = text(
    """
    INSERT INTO spendings AS old (spent_on, calls, input_tokens, output_tokens, cost)
    VALUES ((now() AT TIME ZONE 'UTC')::date, :calls, :input, :output, CAST(:cost AS numeric))
    ON CONFLICT (spent_on) DO UPDATE SET calls = old.calls + excluded.calls,
        input_tokens = old.input_tokens + excluded.input_tokens,
        output_tokens = old.output_tokens + excluded.output_tokens, cost = old.cost + excluded.cost
    """
)

_LOSE = text(
    """
    UPDATE calls SET outcome = 'lost', finished_at = clock_timestamp(), detail = 'Its worker died; what it had reserved counts.'
    WHERE outcome = 'running' AND summary_ids && CAST(:ids AS bigint[])
    RETURNING input_tokens, output_tokens, cost
    """
)


async def lose_calls(session: AsyncSession, summary_ids: Sequence[int]) -> int:
    """Give up the calls of these summaries that are still running: their worker is dead, or they would not begin anew."""
    lost = (await session.execute(_LOSE, {"ids": list(summary_ids)})).all()
    for input_tokens, output_tokens, cost in lost:
        await session.execute(_SPEND, {"calls": 1, "input": input_tokens, "output": output_tokens, "cost": cost})
    return len(lost)


async def model_answered(session: AsyncSession, name: str, mode: Mode, rest: timedelta | None) -> bool:
    """Record that a model answers, in this mode; True if it had been stopped, so that what waits for it may go on."""
    row = (await session.execute(_ANSWERED, {"name": name, "mode": mode, "rest": rest})).one_or_none()
    return row is not None and row.was_stopped


# A healthy model's row is written only when something about it changes: calls would queue up at its lock, which ON CONFLICT
# takes whatever its WHERE says.
_ANSWERED = text(
    """
    WITH before AS (SELECT stopped_at FROM model_states WHERE name = :name)
    INSERT INTO model_states AS old (name, mode, rest_until)
    SELECT CAST(:name AS text), CAST(:mode AS text), clock_timestamp() + CAST(:rest AS interval)
    WHERE CAST(:rest AS interval) IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM model_states WHERE name = :name AND mode = :mode AND failures = 0 AND stopped_at IS NULL)
    ON CONFLICT (name) DO UPDATE SET mode = excluded.mode, failures = 0, stopped_at = NULL,
        reason = CASE WHEN old.rest_until > clock_timestamp() AND old.stopped_at IS NULL THEN old.reason END,
        detail = CASE WHEN old.rest_until > clock_timestamp() AND old.stopped_at IS NULL THEN old.detail END,
        -- A call that was under way before the endpoint asked for a rest does not end that rest.
        rest_until = CASE WHEN old.stopped_at IS NULL THEN greatest(old.rest_until, excluded.rest_until)
                          ELSE excluded.rest_until END
    WHERE old.mode IS DISTINCT FROM excluded.mode OR old.failures > 0 OR old.stopped_at IS NOT NULL
        OR excluded.rest_until IS NOT NULL
    RETURNING coalesce((SELECT stopped_at IS NOT NULL FROM before), false) AS was_stopped
    """
)


async def model_failed(session: AsyncSession, name: str, error: CallFailed, limits: Limits, delay: timedelta) -> None:
    """Record a failure of a model's endpoint: it rests as long as it asked for, longer each time, or until it is repaired."""
    if error.trouble == Trouble.UNSUPPORTED:
        return
    # Several first calls may fail at once.
    await session.execute(insert(ModelState).values(name=name).on_conflict_do_nothing())
    state = await session.get_one(ModelState, name, with_for_update=True, populate_existing=True)
    now = await session.scalar(text("SELECT clock_timestamp()"))
    assert now is not None
    state.failures += 1
    state.reason, state.detail = error.reason, error.detail
    if error.trouble == Trouble.STOPPED:
        state.stopped_at = state.stopped_at or now
        state.rest_until = now + limits.probe_interval
    elif error.reason == "rate_limited" or error.retry_after is not None or state.failures >= 2 * limits.concurrency:
        rest = error.retry_after if error.retry_after is not None else growing(delay, min(state.failures, 6))
        state.rest_until = max(state.rest_until or now, now + min(rest, _LONGEST_REST))


def growing(delay: timedelta, failures: int) -> timedelta:
    """A delay that doubles with each failure, up to ten minutes, with up to half of it more or less by chance."""
    chance: float = random.uniform(0.5, 1.5)  # noqa: S311 - no secret
    return min(delay * 2.0 ** min(failures, 12), timedelta(minutes=10)) * chance


async def set_mode(session: AsyncSession, name: str, mode: Mode) -> None:
    """Remember how a model has to be asked for JSON."""
    statement = text(
        "INSERT INTO model_states (name, mode) VALUES (:name, :mode) ON CONFLICT (name) DO UPDATE SET mode = excluded.mode"
    )
    await session.execute(statement, {"name": name, "mode": mode})


async def resume(session: AsyncSession) -> int:
    """Forget that models rest or are stopped, and let every summary that waits try at once; returns how many do."""
    await session.execute(update(ModelState).values(rest_until=None, stopped_at=None, failures=0))
    return await wake(session)


async def wake(session: AsyncSession) -> int:
    """Let every summary that waits for its time try now."""
    forget = "UPDATE summaries SET retry_at = NULL, reason = NULL WHERE status = 'pending' AND retry_at > now()"
    await session.execute(text(forget))
    woken = text(
        """
        UPDATE procrastinate_jobs SET scheduled_at = now()
        WHERE task_name = 'summarize' AND status = 'todo' AND scheduled_at > now() RETURNING id
        """
    )
    return len((await session.execute(woken)).all())
