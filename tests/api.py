"""The API for tests: what an error must look like, what is stored, and a service whose tests share a database."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import httpx
from fastapi import FastAPI
from sqlalchemy import event, text

from app.db import Database, Prepared
from app.door import Door
from app.ingestion import Tools, ingest
from app.llm import make_summariser
from app.main import create_app
from tests.conftest import make_settings
from tests.feeds import Item, rss

LOCAL = ("127.0.0.1", 50000)

_COUNTS = text(
    """
    SELECT (SELECT count(*) FROM papers) AS papers, (SELECT count(*) FROM paper_entries) AS entries,
           (SELECT count(*) FROM announcements) AS announcements, (SELECT count(*) FROM listings) AS listings,
           (SELECT count(*) FROM ingestions) AS ingestions, (SELECT count(*) FROM summaries) AS summaries,
           (SELECT count(*) FROM channels) AS channels, (SELECT count(*) FROM digests) AS digests,
           (SELECT count(*) FROM digest_revisions) AS revisions, (SELECT count(*) FROM digest_items) AS items,
           (SELECT count(*) FROM procrastinate_jobs) AS jobs
    """
)


async def counts(tools: Tools) -> dict[str, int]:
    """How many rows each table has."""
    async with tools.database.transaction() as session:
        return dict((await session.execute(_COUNTS)).mappings().one())


async def store(tools: Tools, folder: Path, category: str, day: date, *items: Item) -> None:
    """Have a listing read from a file."""
    file = folder / "feed.xml"
    file.write_bytes(rss(category, day, *items))
    await ingest(tools, category, source=str(file))


async def execute(tools: Tools, statement: str, **parameters: Any) -> None:
    """Change the database behind the service's back."""
    async with tools.database.transaction() as session:
        await session.execute(text(statement), parameters)


@contextmanager
def statements(tools: Tools) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is sent meanwhile, with its parameters, through sessions or straight to the driver."""
    sent: list[tuple[str, Any]] = []
    engine, fetch = tools.database.engine.sync_engine, tools.database.fetch

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append((statement, parameters))

    async def fetch_noted(statement: Prepared, parameters: Mapping[str, Any]) -> list[Any]:
        sent.append((statement.sql, tuple(statement.values(parameters))))
        return await fetch(statement, parameters)

    event.listen(engine, "before_cursor_execute", note)
    try:
        with patch.object(tools.database, "fetch", fetch_noted):
            yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def at(tools: Tools, instant: datetime) -> Tools:
    """The same tools at another time."""
    return replace(tools, door=replace(tools.door, now=lambda: instant))


def eastern(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """An instant that US Eastern clocks show, in UTC."""
    return datetime.combine(day, time(hour, minute), ZoneInfo("America/New_York")).astimezone(UTC)


def problem(answer: httpx.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The problem document of an answer, after checking that it is one."""
    assert answer.status_code == status, (answer.status_code, answer.text[:500])
    assert answer.headers["content-type"] == "application/problem+json", answer.headers
    body: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys()
    assert body["status"] == status
    assert body["type"] == f"urn:zhaiyao:problem:{body['code']}"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["title"]
    # One sentence or two for people: not empty, not a novel, and nothing of the machinery.
    assert 10 < len(body["detail"]) < 1_200, body["detail"]
    assert body["detail"].rstrip()[-1] in ".?", body["detail"]
    for word in ("Traceback", "sqlalchemy", "asyncpg", "pydantic", "Value error", "sys."):
        assert word not in answer.text
    if code is not None:
        assert body["code"] == code, body
    return body


def ok(answer: httpx.Response, status: int = 200) -> Any:
    """The JSON of an answer that went well."""
    assert answer.status_code == status, answer.text
    return answer.json()


def caller(app: FastAPI, address: tuple[str, int] | None = LOCAL) -> httpx.AsyncClient:
    """A client of an application, on the same machine unless another address is given."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=address)  # type: ignore[arg-type]
    return httpx.AsyncClient(transport=transport, base_url="http://zhaiyao.test", timeout=30)


@dataclass(frozen=True)
class Service:
    """A service: its tools, its application, and a client on the same machine."""

    tools: Tools
    app: FastAPI
    client: httpx.AsyncClient


@asynccontextmanager
async def serving(url: str, folder: Path, *, pool_size: int = 5) -> AsyncIterator[Service]:
    """A service on the database at ``url``."""
    database = Database(url, pool_size=pool_size)
    async with httpx.AsyncClient() as outward:
        tools = Tools(make_settings(folder), database, Door(database, outward, timedelta(0)), make_summariser())
        app = create_app(tools)
        async with caller(app) as client:
            yield Service(tools, app, client)
    await database.close()
