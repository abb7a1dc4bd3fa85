"""The service over real HTTP for tests: uvicorn in a thread of its own, on a database with the bundled listing."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import uvicorn

from app import sample
from app.db import Database
from app.door import Door
from app.ingestion import Tools, ingest
from app.llm import make_summariser
from app.main import create_app
from app.protocol import BoundedProtocol
from app.worker import work_off
from tests.conftest import make_settings

Prepare = Callable[[Tools, httpx.AsyncClient], Awaitable[None]]


@contextmanager
def live(url: str, folder: Path, prepare: Prepare | None = None) -> Iterator[str]:
    """The address of a service on the database at ``url``; ``prepare`` runs before, in the service's own event loop."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    ready, failures, servers = threading.Event(), list[BaseException](), list[uvicorn.Server]()

    async def serve() -> None:
        database = Database(url, pool_size=5)
        async with httpx.AsyncClient() as outward:
            tools = Tools(make_settings(folder), database, Door(database, outward, timedelta(0)), make_summariser())
            app = create_app(tools)
            if prepare is not None:
                transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
                async with httpx.AsyncClient(transport=transport, base_url=address) as client:
                    await prepare(tools, client)
            server = uvicorn.Server(
                uvicorn.Config(
                    app, http=BoundedProtocol, log_config=None, lifespan="off", server_header=False, ws="none"
                )
            )
            servers.append(server)
            ready.set()
            await server.serve([listening])
        await database.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="live service")
    thread.start()
    ready.wait()
    try:
        if failures:
            raise failures[0]
        yield address
    finally:
        for server in servers:
            server.should_exit = True
        thread.join()


async def with_the_sample(tools: Tools, client: httpx.AsyncClient) -> None:
    """The bundled listing, summarised, with its digests."""
    for file in sample.files():
        await ingest(tools, file.category, source=str(file.path))
    await work_off(tools, tools.database.url)
