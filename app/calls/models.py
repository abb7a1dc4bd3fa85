"""How each model stands at its endpoint: how it gives JSON, whether it rests or is stopped, and going on after that."""

from datetime import timedelta

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.calls.taking import Limits
from app.delays import growing
from app.llm import CallFailed, Mode, Trouble
from app.models import ModelState

_LONGEST_REST = timedelta(hours=1)

LONGEST_DELAY = timedelta(minutes=10)
"""Before something is tried again that failed without saying when to come back."""


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
        rest = error.retry_after if error.retry_after is not None else growing(delay, state.failures, LONGEST_DELAY)
        state.rest_until = max(state.rest_until or now, now + min(rest, _LONGEST_REST))


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
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('wake'))"))
    forget = "UPDATE summaries SET retry_at = NULL, reason = NULL WHERE status = 'pending' AND retry_at > now()"
    await session.execute(text(forget))
    woken = text(
        """
        UPDATE procrastinate_jobs SET scheduled_at = now()
        WHERE task_name = 'summarize' AND status = 'todo' AND scheduled_at > now() RETURNING id
        """
    )
    return len((await session.execute(woken)).all())
