"""What keys, limits and the other layers around the routes cost, without a network.

    .venv/bin/python -m bench.access [requests] [rounds]

The limit is the same application without the layers, in the same run and in turns with it; the routes are one that
answers without a database, and a list of 20 channels. Prints microseconds of CPU a request (medians) and what the layers add.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from app.db import upgrade
from app.main import create_app
from app.models import Scope
from app.postgres import EmbeddedPostgres
from app.rates import Rate
from tests.access.service import FAR, a_key, running

BASE = "without the layers"
HOME = ("127.0.0.1", 40_000)


async def asked(app: FastAPI, path: str, client: tuple[str, int], headers: list[tuple[bytes, bytes]]) -> int:
    """One request to an application, as uvicorn makes it; gives the status."""
    status = 0

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": b"limit=20" if path == "/v1/channels" else b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"accept", b"*/*"), (b"user-agent", b"bench"), *headers], "client": client,
        "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip
    await app(scope, receive, send)
    return status


async def taken(ask: Callable[[], Awaitable[int]], requests: int) -> float:
    """Microseconds of this process's CPU a request: the machine's other work does not count, nor the database's."""
    begin = time.process_time()
    for _ in range(requests):
        assert await ask() == 200
    return 1e6 * (time.process_time() - begin) / requests


async def main(requests: int, rounds: int) -> None:
    """Measure everything in turns and print the table."""
    rate = Rate(6_000, 1)  # as large a share at a time as the usual limits give, and never used up
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder), tests=True) as server:
        await asyncio.to_thread(upgrade, server.url())
        async with running(server.url(), Path(folder), rate_limit=rate, key_rate_limit=rate) as service:
            unlimited = service.tools.settings.model_copy(update={"rate_limit": None})
            home = create_app(replace(service.tools, settings=unlimited))
            bare = create_app(service.tools)
            bare.user_middleware.clear()
            key = (b"authorization", f"Bearer {await a_key(service, Scope.READ)}".encode())
            callers: dict[str, tuple[FastAPI, tuple[str, int], list[tuple[bytes, bytes]]]] = {
                BASE: (bare, HOME, []),
                "caller on this machine": (home, HOME, []),
                "caller elsewhere, limited": (service.app, FAR, []),
                "with a key, limited": (service.app, FAR, [key]),
            }
            for path in ("/docs", "/v1/channels"):
                await _measure(path, callers, requests, rounds)


async def _measure(path: str, callers: dict[str, Any], requests: int, rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in callers}
    for _ in range(rounds):
        for name, (app, client, headers) in callers.items():
            times[name].append(await taken(partial(asked, app, path, client, headers), requests))
    found = {name: statistics.median(one) for name, one in times.items()}
    print(path)
    for name, one in found.items():
        print(f"  {name:<28} {one:8.0f} us {one - found[BASE]:+7.0f} us   {found[BASE] / one:5.2f} of the rate without")


if __name__ == "__main__":
    asyncio.run(main(*(int(word) for word in (*sys.argv[1:], *("100", "9")[len(sys.argv) - 1 :]))))
