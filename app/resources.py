"""What a process opens once: the database (with the embedded server if none is configured), HTTP, the summariser."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

from app.arxiv.client import make_client
from app.config import Settings
from app.db import Database
from app.ingestion import Tools
from app.llm import make_summariser
from app.postgres import EmbeddedPostgres


@asynccontextmanager
async def open_database_url(
    settings: Settings, *, progress: Callable[[str], None] | None = None, tests: bool = False
) -> AsyncIterator[str]:
    """The address of the database; the embedded server runs in the data directory while nobody configured another."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    with ExitStack() as stack:
        server = EmbeddedPostgres(settings.data_dir, tests=tests, progress=progress)
        await asyncio.to_thread(server.start)
        stack.callback(server.stop)
        yield server.url()


@asynccontextmanager
async def open_tools(settings: Settings, url: str) -> AsyncIterator[Tools]:
    """Everything that work needs, on the database at ``url``, whose schema must be current (``SchemaOutdated``)."""
    database = Database(url)
    http = make_client(settings.contact)
    try:
        await database.check_schema()
        yield Tools(settings, database, http, make_summariser())
    finally:
        await http.aclose()
        await database.close()
