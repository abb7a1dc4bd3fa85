"""A 650-paper digest over HTTP, in one process on a real database: composed, loaded, rendered in every format, not modified.

    .venv/bin/python -m bench.digests [papers] [rounds]

Each answer is timed beside its limit in the same run: the SQL statements that it takes, sent by asyncpg alone. Targets
(issue 5): at most 3 statements for a whole digest, 1 for a 304. Prints milliseconds, the statements, and the ratio.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from app.api.rendering import REMEMBERED
from app.db import upgrade
from app.ingestion import ingest
from app.postgres import EmbeddedPostgres
from app.render import FORMATS
from app.worker import work_off
from tests.api import Service, serving, statements
from tests.feeds import TUESDAY, Item, rss

WORDS = "We propose a method that reads every listing twice, with $x_i^2 \\le \\alpha$, and say what it found in a sentence. "


def document(papers: int) -> bytes:
    """A listing of invented papers, one abstract in eight with formulas."""
    return rss(
        "cs.CL",
        TUESDAY,
        *(
            Item(
                f"2601.{number:05}",
                title=f"Paper {number} on listings that arrive late",
                abstract=(WORDS if number % 8 == 0 else WORDS.replace("$x_i^2 \\le \\alpha$", "patience")) * 11,
                creator=", ".join(f"Author {k} Name" for k in range(5)),
            )
            for number in range(1, papers + 1)
        ),
    )


async def taken(work: Callable[[], Awaitable[Any]], rounds: int) -> float:
    """The median time in milliseconds."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        await work()
        times.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(times)


async def bare(connection: asyncpg.Connection, sent: list[tuple[str, Any]]) -> None:
    """The same statements without anything around them: the limit."""
    for statement, parameters in sent:
        await connection.fetch(statement, *parameters)


async def main(papers: int, rounds: int) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "pg", tests=True) as server:
        url = server.url("postgres")
        upgrade(url)
        async with serving(url, Path(folder)) as service:
            file = Path(folder) / "feed.xml"
            file.write_bytes(document(papers))
            await ingest(service.tools, "cs.CL", source=str(file))
            await work_off(service.tools, url)
            begin = time.perf_counter()
            digest = (await service.client.post("/v1/digests", json={"channel": "cs.CL", "language": "en"})).json()
            print(f"{papers} papers; composed and written: {1e3 * (time.perf_counter() - begin):.0f} ms")
            connection = await asyncpg.connect(url)
            for name in FORMATS:
                await report(service, connection, f"/v1/digests/{digest['id']}.{name}", {}, rounds)
            feed = "/v1/channels/cs.CL/feed.atom?language=en"
            await report(service, connection, feed, {}, rounds)
            await report(service, connection, f"{feed}&entries=papers", {}, rounds)
            for path in (f"/v1/digests/{digest['id']}.html", feed):
                tag = (await service.client.get(path)).headers["etag"]
                await report(service, connection, path, {"If-None-Match": tag}, rounds * 10)
            await connection.close()


async def report(
    service: Service, connection: asyncpg.Connection, path: str, headers: dict[str, str], rounds: int
) -> None:
    """One line for an address; what was rendered before is forgotten each time."""

    async def ask() -> httpx.Response:
        REMEMBERED.clear()
        return await service.client.get(path, headers=headers)

    begin = time.perf_counter()
    with statements(service.tools) as sent:
        answer = await ask()
    first = 1e3 * (time.perf_counter() - begin)
    ours = await taken(ask, rounds)
    limit = await taken(lambda: bare(connection, sent), rounds)
    what = path.rsplit("/", 1)[1].replace(path.split("/")[3].split(".")[0], "digest")
    print(
        f"{answer.status_code} {what}: {len(sent)} statements, first {first:.1f} ms, then {ours:.2f} ms; "
        f"the statements alone {limit:.2f} ms, {ours / limit:.1f} times"
    )


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:3]]
    asyncio.run(main(*given, *(650, 10)[len(given) :]))
