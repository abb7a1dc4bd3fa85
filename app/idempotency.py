"""Requests that are carried out once however often they are sent: the key of each is kept with what was answered.

The row is written in the very transaction of what the request does. A twin that comes meanwhile waits on the primary key until
that transaction has ended: then it finds the answer, or, after a failure, carries the request out itself.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import AnswerNotKept, IdempotencyKeyReused
from app.models import IdempotencyKey

KEPT = timedelta(hours=24)
_CLEARED = KEPT + timedelta(minutes=10)
"""When rows go: later, so that a request that was told of one in its last second still finds it."""

MAX_BODY = 8_000_000
"""Bytes of an answer that are kept; the largest, a digest of a thousand papers, has three million."""

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose request this is, by which key, and what it asks for."""

    caller: str
    key: str
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered: status, headers, body."""

    status: int
    headers: Headers
    body: bytes


def fingerprint(method: str, address: str, body: bytes) -> bytes:
    """What two requests share that ask for the same."""
    return hashlib.sha256(b"\0".join((method.encode(), address.encode(), body))).digest()


async def claim(session: AsyncSession, wanted: Claim) -> Answer | None:
    """None if the request is to be carried out now, in this session's transaction; otherwise what was answered before.

    Raises ``IdempotencyKeyReused`` if the key belongs to another request, ``AnswerNotKept`` if its answer was too large.
    """
    key = {"caller": wanted.caller, "key": wanted.key}
    fresh = {"fingerprint": wanted.fingerprint, "created_at": func.now(), "status": None, "headers": None, "body": None}
    statement = insert(IdempotencyKey).values(**key, fingerprint=wanted.fingerprint)
    taken = await session.execute(
        statement.on_conflict_do_update(
            index_elements=["caller", "key"], set_=fresh, where=IdempotencyKey.created_at <= func.now() - KEPT
        ).returning(IdempotencyKey.key)
    )
    if taken.first() is not None:
        return None
    row = (await session.scalars(select(IdempotencyKey).filter_by(**key))).one()
    if row.fingerprint != wanted.fingerprint:
        raise IdempotencyKeyReused(
            "This Idempotency-Key came with another request in the last 24 hours; take a new key for each thing to do."
        )
    if row.status is None or row.body is None:
        raise AnswerNotKept("The request of this Idempotency-Key was carried out; its answer was too large to be kept.")
    return Answer(row.status, [(name, value) for name, value in row.headers or []], row.body)


async def keep(session: AsyncSession, claimed: Claim, answer: Answer) -> None:
    """Keep what a claimed request is answered, to be committed together with what it did."""
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.caller == claimed.caller, IdempotencyKey.key == claimed.key)
        .values(
            status=answer.status,
            headers=[list(pair) for pair in answer.headers],
            body=answer.body if len(answer.body) <= MAX_BODY else None,
        )
    )


async def clean_up(session: AsyncSession) -> None:
    """Drop the answers that were kept long enough."""
    await session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= func.now() - _CLEARED))
