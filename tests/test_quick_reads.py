"""Quick reads on the pool's own connections: bounded, with the time limit, and not harmed by what becomes of a connection."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from sqlalchemy import Float, Integer, bindparam, func, select, text
from sqlalchemy.exc import DBAPIError

from app import db
from app.db import Database, hold_moment, prepare
from app.ingestion import Tools
from tests.api import ok

ECHO = prepare(
    select(
        bindparam("number", type_=Integer()).label("number"),
        func.pg_backend_pid().label("pid"),
        func.pg_sleep(bindparam("seconds", type_=Float())),
    )
)
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """At most four connections, and no statement of more than half a second."""
    opened = Database(database_url, pool_size=2, patience=timedelta(seconds=0.5))
    yield opened
    await opened.close()


async def echo(database: Database, number: int = 0, seconds: float = 0.0) -> tuple[int, int]:
    """The same number, and the server's process that said it."""
    [row] = await database.fetch(ECHO, {"number": number, "seconds": seconds})
    return row["number"], row["pid"]


async def admin(url: str, statement: str) -> list[object]:
    """What another connection is told."""
    other = Database(url, pool_size=1)
    async with other.transaction() as session:
        found = list(await session.scalars(text(statement)))
    await other.close()
    return found


async def test_callers_read_on_when_the_server_has_cut_every_connection(
    client: httpx.AsyncClient, tools: Tools, database_url: str
) -> None:
    addresses = ["/v1/papers", "/v1/papers?category=cs.CL&limit=5", "/v1/papers?sort=announced"] * 3
    for _ in range(3):
        answers = await asyncio.gather(*(client.get(address) for address in addresses))
        assert [ok(answer)["items"] for answer in answers] == [[]] * len(addresses)
        assert await admin(database_url, f"SELECT pg_terminate_backend(pid) {OTHERS}")


async def test_there_are_never_more_connections_than_were_agreed_and_they_are_kept(
    database: Database, database_url: str
) -> None:
    seen: set[int] = set()
    for _ in range(3):
        answers = await asyncio.gather(*(echo(database, number, 0.01) for number in range(30)))
        assert [number for number, _ in answers] == list(range(30))
        seen |= {pid for _, pid in answers}
    assert len(seen) == 4
    assert len({pid for _, pid in [await echo(database) for _ in range(8)]}) == 1  # the last that was used
    assert set(await admin(database_url, f"SELECT pid {OTHERS}")) >= seen


async def test_a_read_that_takes_too_long_is_ended_and_its_connection_serves_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, pid = await echo(database)
    fetch, tries = Database._fetch, []

    async def counted(self: Database, sql: str, *arguments: Any, **more: Any) -> list[Any]:
        tries.append(sql)
        return await fetch(self, sql, *arguments, **more)

    monkeypatch.setattr(Database, "_fetch", counted)
    with pytest.raises(DBAPIError) as raised:
        await echo(database, seconds=5.0)
    assert raised.value.orig is not None
    assert getattr(raised.value.orig, "sqlstate", None) == "57014"
    assert not raised.value.connection_invalidated
    assert len(tries) == 1  # once more would take as long
    assert await echo(database, 7) == (7, pid)


async def test_a_reader_who_goes_away_leaves_no_answer_to_the_next(database: Database) -> None:
    await echo(database)
    for number in range(1, 9):
        left = asyncio.create_task(echo(database, -number, 0.4))
        await asyncio.sleep(0.01)
        left.cancel()
        with pytest.raises(asyncio.CancelledError):
            await left
        answers = await asyncio.gather(*(echo(database, number * 10 + more) for more in range(6)))
        assert [one for one, _ in answers] == [number * 10 + more for more in range(6)]


@pytest.mark.parametrize("is_tried", [True, False])
async def test_a_connection_that_was_left_in_the_middle_is_not_used_again(database: Database, is_tried: bool) -> None:
    """What ends a statement may reach the server when it is at the next one already."""
    _, pid = await echo(database)

    async def ask() -> None:
        async with database.connection(is_tried=is_tried) as connection:
            await connection.fetchrow("SELECT pg_sleep(0.4)")

    left = asyncio.create_task(ask())
    await asyncio.sleep(0.05)
    left.cancel()
    with pytest.raises(asyncio.CancelledError):
        await left
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # it is a QueuePool
    assert (await echo(database, 1))[1] != pid


async def test_a_connection_that_the_driver_has_lost_is_not_used_again(database: Database) -> None:
    _, pid = await echo(database)
    with pytest.raises(DBAPIError) as raised:
        async with database.connection():
            raise asyncpg.InternalClientError("a message that was not due")
    assert raised.value.connection_invalidated
    assert database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # it is a QueuePool
    assert (await echo(database, 1))[1] != pid


async def test_a_quick_read_tries_its_connection_only_after_a_rest(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = 0
    try_out = Database._try_out

    def counted(self: Database, *arguments: object) -> None:
        nonlocal tries
        tries += self._is_trying
        try_out(self, *arguments)

    monkeypatch.setattr(Database, "_try_out", counted)
    own = Database(database.url, pool_size=1)
    _, pid = await echo(own)
    made = tries
    assert {await echo(own, 1) for _ in range(5)} == {(1, pid)}
    assert tries == made
    monkeypatch.setattr(db, "PING_AFTER", -1.0)
    assert await echo(own, 2) == (2, pid)
    assert tries == made + 1
    await own.close()


async def test_a_session_and_a_quick_read_share_the_pool_and_leave_nothing_open(
    database: Database, database_url: str
) -> None:
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))
        assert (await echo(database, 3))[0] == 3
    assert await admin(database_url, f"SELECT state {OTHERS} AND backend_type = 'client backend'") == ["idle"] * 2


async def test_what_a_user_sets_for_itself_ends_with_it(database: Database) -> None:
    async with database.transaction() as session:
        await hold_moment(session)
        assert await session.scalar(text("SHOW transaction_isolation")) == "repeatable read"
        pid = await session.scalar(text("SELECT pg_backend_pid()"))
    assert await echo(database, 1) == (1, pid)
    left = await database.ask(
        "SELECT pg_backend_pid() AS pid, current_setting('transaction_isolation') AS level,"
        " array(SELECT name FROM pg_settings WHERE source = 'session' AND name NOT LIKE 'transaction%') AS names"
    )
    assert tuple(left) == (pid, "read committed", [])
