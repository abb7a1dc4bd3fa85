"""What calls use: their begin and end, those whose worker died, and what was spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Call, CallOutcome


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
