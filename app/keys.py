"""Keys of the API: made, listed, revoked, and recognised.

A key is 256 bits of chance, so that it cannot be guessed from its hash however fast the hash is: SHA-256 is right, and a slow
one, which passwords need, would only be a way to keep the service busy. A key is looked up by its hash; how long that takes
says nothing of the key.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import Database
from app.errors import InvalidInput, InvalidKey, NotFound
from app.models import ApiKey, Scope
from app.rates import Rate, parse_rate

PREFIX = "zy_"
"""What every key begins with, so that people and scanners of secrets recognise one."""

SHOWN = 9
"""Characters of a key that are kept to tell it by; the 37 others hold 222 bits."""

LONGEST = timedelta(days=3_660)
_USE_EVERY = timedelta(minutes=1)

_KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}", re.ASCII)
_FIND = """
SELECT id, name, scope, rate_limit, revoked_at IS NOT NULL AS is_revoked, expires_at <= now() AS is_expired,
       last_used_at IS NULL OR last_used_at < now() - $2::interval AS is_use_old
FROM api_keys WHERE hash = $1
"""
_USE = """
UPDATE api_keys SET last_used_at = now()
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - $2::interval)
"""
_ANY = "SELECT EXISTS (SELECT FROM api_keys) AS found"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to create; without ``expires_at`` it is good until somebody revokes it."""

    name: str
    scope: Scope
    expires_at: datetime | None = None
    rate_limit: Rate | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was recognised: who is asking, and for what it is good. ``is_use_old``: its last use was noted a while ago."""

    id: int
    name: str
    scope: Scope
    rate_limit: Rate | None
    is_use_old: bool


async def create_key(session: AsyncSession, new: NewKey, now: datetime) -> tuple[ApiKey, str]:
    """Store a key; gives the row and the key itself, which nobody can find out again. ``InvalidInput`` for a wrong expiry."""
    if new.expires_at is not None and not now < new.expires_at <= now + LONGEST:
        raise InvalidInput(
            "A key's expiry must lie in the next ten years; leave it out for a key that does not expire."
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        name=new.name,
        hash=_hash(secret),
        hint=secret[:SHOWN],
        scope=new.scope,
        rate_limit=str(new.rate_limit) if new.rate_limit is not None else None,
        expires_at=new.expires_at,
    )
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return row, secret


async def list_keys(session: AsyncSession, *, limit: int, before: int | None = None) -> tuple[list[ApiKey], int | None]:
    """A page of keys, the newest first, and the id to continue ``before``; those that are revoked or expired included."""
    query = select(ApiKey).order_by(ApiKey.id.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(ApiKey.id < before)
    rows = list(await session.scalars(query))
    return rows[:limit], rows[limit - 1].id if len(rows) > limit else None


async def get_key(session: AsyncSession, key_id: int) -> ApiKey:
    """A key by its number; ``NotFound``."""
    found = await session.get(ApiKey, key_id)
    if found is None:
        raise NotFound(f"There is no key {key_id}; 'zhaiyao keys list' and GET /v1/keys name them.")
    return found


async def revoke_key(session: AsyncSession, key_id: int) -> ApiKey:
    """Make a key good for nothing from the commit on; again changes nothing. ``NotFound``."""
    await session.execute(
        update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None)).values(revoked_at=func.now())
    )
    found = await get_key(session, key_id)
    await session.refresh(found)
    return found


async def forget_key(session: AsyncSession, key_id: int) -> None:
    """Remove a key's row: with the last one, a service on its own machine takes writes without a key again. ``NotFound``."""
    if await session.scalar(delete(ApiKey).where(ApiKey.id == key_id).returning(ApiKey.id)) is None:
        await get_key(session, key_id)


async def recognise(database: Database, secret: str) -> Key:
    """The key that a caller sent; ``InvalidKey`` if it is none of ours, revoked or expired. One statement on an index."""
    row = await database.ask(_FIND, _hash(secret), _USE_EVERY) if _KEY.fullmatch(secret) else None
    if row is None:
        raise InvalidKey("No such key is known here: send the whole key, as it was shown when it was made.")
    if row["is_revoked"]:
        raise InvalidKey("The key has been revoked: ask whoever runs this service for another.")
    if row["is_expired"]:
        raise InvalidKey("The key has expired: ask whoever runs this service for another.")
    rate = parse_rate(row["rate_limit"]) if row["rate_limit"] else None
    return Key(row["id"], row["name"], Scope(row["scope"]), rate, row["is_use_old"])


async def note_use(database: Database, key: Key) -> None:
    """Keep that a key is used, at most once a minute."""
    await database.ask(_USE, key.id, _USE_EVERY)


async def any_exists(database: Database) -> bool:
    """Whether there is a key, revoked and expired ones included: the end of a key must not open what it closed."""
    return bool((await database.ask(_ANY))["found"])


def read_expiry(text: str, now: datetime) -> datetime:
    """When a key ends, from a number of days (``90d``) or a day (``2027-01-31``, to its end in UTC); ``ValueError``."""
    if match := re.fullmatch(r"([0-9]{1,5})d", text, re.ASCII):
        return now + timedelta(days=int(match[1]))
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
        raise ValueError(f"{text[:40]!r} is neither a number of days such as 90d nor a day such as 2027-01-31")
    return datetime.fromisoformat(text).replace(tzinfo=UTC) + timedelta(days=1)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
