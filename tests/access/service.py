"""Services for the tests of access: on one database, each with settings of its own, and with keys."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from app import keys
from app.db import Database
from app.door import Door
from app.ingestion import Tools
from app.keys import NewKey
from app.llm import make_summariser
from app.main import create_app
from app.models import Scope
from app.postgres import EmbeddedPostgres
from tests.api import Service, caller
from tests.conftest import TEMPLATE, _execute, make_settings

FAR = ("203.0.113.9", 40_000)
CHANNEL = {"slug": "mine", "title": "Mine", "categories": ["cs.CL"]}


@contextmanager
def database(postgres: EmbeddedPostgres, name: str) -> Iterator[str]:
    """A migrated database for a module."""
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield postgres.url(name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@asynccontextmanager
async def running(
    url: str, folder: Path, *, pool_size: int = 5, patience: timedelta | None = None, **changes: Any
) -> AsyncIterator[Service]:
    """A service with these settings; its client is on the same machine."""
    own = Database(url, pool_size=pool_size, patience=patience)
    async with httpx.AsyncClient() as outward:
        settings = make_settings(folder).model_copy(update=changes)
        tools = Tools(settings, own, Door(own, outward, timedelta(0)), make_summariser())
        app = create_app(tools)
        async with caller(app) as client:
            try:
                yield Service(tools, app, client)
            finally:
                await own.close()


async def a_key(service: Service, scope: Scope = Scope.WRITE, **more: Any) -> str:
    """A new key."""
    async with service.tools.database.transaction() as session:
        _, secret = await keys.create_key(session, NewKey("test", scope, **more), datetime.now(UTC))
    return secret


def bearer(secret: str) -> dict[str, str]:
    """How a key is sent."""
    return {"authorization": f"Bearer {secret}"}


@dataclass
class Asked:
    """How many statements that stand alone a service has sent."""

    count: int = 0


@contextmanager
def counting(service: Service) -> Iterator[Asked]:
    """Count them meanwhile."""
    asked, ask = Asked(), service.tools.database.ask

    async def counted(*arguments: Any) -> Any:
        asked.count += 1
        return await ask(*arguments)

    service.tools.database.ask = counted  # type: ignore[method-assign, assignment]
    yield asked
    service.tools.database.ask = ask  # type: ignore[method-assign]
