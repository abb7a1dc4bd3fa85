"""What a process opens once: the database (with the embedded server if none is configured), HTTP, the summariser."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from app.arxiv.client import make_client
from app.config import Settings
from app.db import Database
from app.door import Door
from app.errors import ConfigurationError
from app.ingestion import Tools
from app.llm import is_chain, make_summariser
from app.postgres import EmbeddedPostgres

logger = logging.getLogger(__name__)

WATCH_EVERY = 5.0
"""Seconds between two looks at the embedded server; a look takes some milliseconds."""


@asynccontextmanager
async def open_database_url(settings: Settings, *, progress: Callable[[str], None] | None = None) -> AsyncIterator[str]:
    """The address of the database; the embedded server runs in the data directory while nobody configured another."""
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    server = EmbeddedPostgres(settings.data_dir, progress=progress)
    try:
        await _in_thread(server.start)
        watch = asyncio.create_task(_keep_running(server), name="embedded postgres")
        try:
            yield server.url()
        finally:
            watch.cancel()
            with suppress(asyncio.CancelledError):
                await watch
    finally:
        # Before it starts, and after it was stopped, this does nothing.
        await _in_thread(server.stop)


async def _in_thread(function: Callable[[], object]) -> None:
    """Call ``function`` in a thread and wait for its end even when cancelled.

    A thread cannot be stopped: one that was left behind would go on starting the server while its folder is removed.
    """
    running = asyncio.ensure_future(asyncio.to_thread(function))
    try:
        await asyncio.shield(running)
    finally:
        await asyncio.gather(running, return_exceptions=True)


async def _keep_running(server: EmbeddedPostgres) -> None:
    """Start the server again if it was killed together with its supervisor; its address stays the same."""
    while True:
        await asyncio.sleep(WATCH_EVERY)
        try:
            await _in_thread(server.ensure)
        except ConfigurationError as error:
            logger.error("the embedded database does not come back: %s", error.detail)


@asynccontextmanager
async def open_api(tools: Tools) -> AsyncIterator[Tools]:
    """The same tools with connections for the API alone, whose callers cannot hold them (``ZHAIYAO_REQUEST_TIMEOUT``)."""
    database = Database(tools.database.url, patience=tools.settings.request_timeout)
    try:
        yield replace(tools, database=database)
    finally:
        await database.close()


@asynccontextmanager
async def open_tools(settings: Settings, url: str) -> AsyncIterator[Tools]:
    """Everything that work needs, on the database at ``url``, whose schema must be current (``SchemaOutdated``)."""
    database = Database(url)
    http = make_client(settings.contact)
    summariser = make_summariser(settings)
    try:
        await database.check_schema()
        yield Tools(settings, database, Door(database, http, settings.arxiv_interval), summariser)
    finally:
        if is_chain(summariser):
            await summariser.aclose()
        await http.aclose()
        await database.close()
