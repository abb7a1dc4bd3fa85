"""Random keys that all processes of the service share, so that one takes what another has signed."""

import secrets
from typing import Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import ServiceSecret

CURSORS: Final = "cursors"
"""Signs the cursors of lists."""

_BYTES: Final = 32


async def get_secret(session: AsyncSession, name: str) -> bytes:
    """The key of this name: made at the first call, the same ever after, also for callers who came at the same moment."""
    query = select(ServiceSecret.value).where(ServiceSecret.name == name)
    found = await session.scalar(query)
    if found is None:
        fresh = insert(ServiceSecret).values(name=name, value=secrets.token_bytes(_BYTES))
        await session.execute(fresh.on_conflict_do_nothing())
        found = (await session.scalars(query)).one()
    return found
