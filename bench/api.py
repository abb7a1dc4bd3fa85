"""Hot reads over HTTP beside their limit: a bare Starlette with asyncpg that passes on JSON which Postgres builds.

    .venv/bin/python -m bench.api [papers] [rounds] [seconds]

Limit and service are one process each, under the same uvicorn, on the same embedded Postgres with 200,000 invented papers of
real size; they are asked in turn, several times, by wrk (from Debian; without it by a small client in this file, which costs
more) over 16 connections. The limit runs the one statement that answers, on a connection of asyncpg's own pool that is not even
reset, and sends the same bytes; a digest, which the service writes in Python, it finds written in a table. It has no entity
tags, cursors, keys, limits, request ids or errors. Targets (DESIGN section 10): a list of 20 papers at least 0.70 of the limit,
the others 0.60.

Prints requests per second (medians), their ratio, and the ratio of the CPU time that a request takes of both processes (of the
limit by that of the service): on a machine that others use, the second says more. At the end the memory of the service's
processes when they have nothing to do.
"""

import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.cli.common import collect_seldom
from app.db import upgrade
from app.papers import PaperFilter, PaperQuery
from app.papers.reading import _one, _page
from app.postgres import EmbeddedPostgres
from tests.corpus import fill

CONNECTIONS = 16
LIST = "/v1/papers?category={category}"

_HEAD = (
    "SELECT digests.id, r.revision, r.created_at FROM digests JOIN digest_revisions AS r ON r.digest_id = digests.id"
    " AND r.revision = digests.revision WHERE digests.id = $1"
)
_DIGEST = "SELECT body FROM bench_rendered WHERE id = $1"


class Unreset(asyncpg.Connection):  # type: ignore[misc]  # asyncpg is not typed
    """A connection that the pool gives back as it is: its usual reset is another round trip, which would flatter the service."""

    def get_reset_query(self) -> str:
        """Nothing."""
        return ""


def limit() -> Starlette:
    """The bare application: one statement by asyncpg, its text sent on."""
    collect_seldom()  # as the service does
    pool: Any = None
    listing, one = _page(PaperQuery(PaperFilter(category="cs.CL")), False), _one()

    async def papers(request: Request) -> Response:
        rows = await pool.fetch(listing.sql, [request.query_params["category"]], 21)
        return _json('{"items":[' + ",".join([row[0] for row in rows[:20]]) + "]}")

    async def paper(request: Request) -> Response:
        return _json(await pool.fetchval(one.sql, request.path_params["id"]))

    async def digest(request: Request) -> Response:
        if "if-none-match" in request.headers:
            row = await pool.fetchrow(_HEAD, request.path_params["id"])
            return Response(status_code=304, headers={"ETag": f'"{row[1]}"'})
        return _json(await pool.fetchval(_DIGEST, request.path_params["id"]))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        nonlocal pool
        pool = await asyncpg.create_pool(
            os.environ["ZHAIYAO_DATABASE_URL"],
            min_size=CONNECTIONS,
            max_size=CONNECTIONS,
            connection_class=Unreset,
            server_settings={"timezone": "UTC"},
        )
        yield
        await pool.close()

    routes = [Route("/v1/papers", papers), Route("/v1/papers/{id}", paper), Route("/v1/digests/{id}", digest)]
    return Starlette(routes=routes, lifespan=lifespan)


def _json(text: str) -> Response:
    return Response(text.encode(), media_type="application/json")


@dataclass(frozen=True, slots=True)
class Server:
    """A process that answers under an address."""

    base: str
    process: psutil.Process

    def cpu(self) -> float:
        """Seconds of CPU time that it has taken."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextmanager
def running(command: list[str], url: str, port: int) -> Iterator[Server]:
    """A server process that answers."""
    environment = {**os.environ, "ZHAIYAO_DATABASE_URL": url, "ZHAIYAO_PORT": str(port), "ZHAIYAO_LOG_LEVEL": "warning"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        base = f"http://127.0.0.1:{port}"
        try:
            for _ in range(300):
                try:
                    httpx.get(f"{base}/v1/papers?category=cs.CL")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield Server(base, psutil.Process(process.pid))
        finally:
            process.terminate()


def asked(address: str, seconds: float, headers: dict[str, str]) -> float:
    """Requests answered per second."""
    if (wrk := shutil.which("wrk")) is None:
        return asyncio.run(_asked(address, seconds, headers))
    given = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", *given, address]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in told, told
    match = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert match is not None, told
    return float(match[1])


async def _asked(address: str, seconds: float, headers: dict[str, str]) -> float:
    """The same without wrk: raw sockets, so that the client costs little."""
    parts = httpx.URL(address)
    lines = [f"GET {parts.raw_path.decode()} HTTP/1.1", f"Host: {parts.host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    end = time.perf_counter() + seconds

    async def caller() -> int:
        reader, writer = await asyncio.open_connection(parts.host, parts.port, limit=2**20)
        answered = 0
        while time.perf_counter() < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            if length:
                await reader.readexactly(int(length[1]))
            answered += 1
        writer.close()
        return answered

    return sum(await asyncio.gather(*(caller() for _ in range(CONNECTIONS)))) / seconds


def main(papers: int, rounds: int, seconds: float) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, EmbeddedPostgres(Path(folder) / "pg", tests=True) as server:
        url = server.url("postgres")
        upgrade(url)
        asyncio.run(fill(url, papers, abstract=1_200))
        compare(url, rounds, seconds)


async def keep_rendered(url: str, digest_id: str, body: str) -> None:
    """Put a digest where the limit finds it."""
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS bench_rendered (id text PRIMARY KEY, body text)")
    await connection.execute(
        "INSERT INTO bench_rendered VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = $2", digest_id, body
    )
    await connection.close()


def compare(url: str, rounds: int, seconds: float) -> None:
    """Run both on a database that is filled, and print."""
    bare = [sys.executable, "-m", "uvicorn", "bench.api:limit", "--factory", "--port", "8642", "--log-level", "error"]
    service = running([sys.executable, "-m", "app", "api"], url, 8641)
    with service as ours, running([*bare, "--no-server-header", "--ws", "none"], url, 8642) as theirs:
        measure(url, ours, theirs, rounds, seconds)


def kinds_of(url: str, service: str) -> dict[str, tuple[str, dict[str, str], float]]:
    """What is asked, by name: address, headers, target."""
    listed = httpx.get(f"{service}/v1/papers?limit=20").json()["items"]
    categories = [paper["primary_category"] for paper in listed]
    category = max(set(categories), key=categories.count)
    body = {"paper_ids": [paper["arxiv_id"] for paper in listed], "title": "Twenty papers", "language": "en"}
    digest = httpx.post(f"{service}/v1/digests", json=body, timeout=60).json()
    answer = httpx.get(f"{service}/v1/digests/{digest['id']}")
    asyncio.run(keep_rendered(url, digest["id"], answer.text))
    tag = answer.headers["etag"]
    return {
        "list of 20 papers": (LIST.format(category=category), {}, 0.70),
        "one paper": (f"/v1/papers/{listed[0]['arxiv_id']}", {}, 0.60),
        "digest of 20 papers": (f"/v1/digests/{digest['id']}", {}, 0.60),
        "digest, 304": (f"/v1/digests/{digest['id']}", {"If-None-Match": tag}, 0.60),
    }


def measure(url: str, ours: Server, theirs: Server, rounds: int, seconds: float) -> None:
    """Ask limit and service in turn and print a line for each kind of question."""
    for name, (path, headers, target) in kinds_of(url, ours.base).items():
        sizes = [len(httpx.get(one.base + path, headers=headers).content) for one in (ours, theirs)]
        rates: dict[Server, list[float]] = {ours: [], theirs: []}
        costs: dict[Server, list[float]] = {ours: [], theirs: []}
        for turn in range(rounds):
            for one in (theirs, ours) if turn % 2 else (ours, theirs):
                busy = one.cpu()
                rate = asked(one.base + path, seconds, headers)
                rates[one].append(rate)
                costs[one].append((one.cpu() - busy) / (rate * seconds) * 1e6)
        service, limit_ = (statistics.median(rates[one]) for one in (ours, theirs))
        cost, least = (statistics.median(costs[one]) for one in (ours, theirs))
        ratios = [one / other for one, other in zip(rates[ours], rates[theirs], strict=True)]
        print(
            f"{name}: {service:.0f} requests/s of {limit_:.0f}, ratio {statistics.median(ratios):.2f}"
            f" ({min(ratios):.2f} to {max(ratios):.2f}, target {target:.2f}); {sizes[0]:,} and {sizes[1]:,} bytes;"
            f" CPU of the process {cost:.0f} and {least:.0f} µs a request, ratio {least / cost:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    given = sys.argv[1:4]
    defaults = ("200000", "5", "3")
    count, turns, length = [*given, *defaults[len(given) :]]
    main(int(count), int(turns), float(length))
