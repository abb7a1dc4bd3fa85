"""The log of changes while many write: whoever commits when, and whoever dies where, nothing is missed.

The writers are connections of their own that hold transactions open; a copy reads over HTTP meanwhile.
"""

import asyncio
import json
import random
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import changes
from app.changes import Start
from app.ingestion import Tools
from app.models import ChangeKind
from app.postgres import EmbeddedPostgres
from tests.api import Service, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item
from tests.mirror import Mirror, documented_sync, truth
from tests.process_tools import CommandLine, ask, held, wait_until

WRITERS = 3
SHARED = "2601.00001"
LANGUAGES = ("", "zh", "en")

STORE = """
    INSERT INTO papers (arxiv_id, order_key, abstract_hash, title) VALUES ($1, $1, 'first', $2)
    ON CONFLICT (arxiv_id) DO UPDATE SET title = excluded.title
"""
REWRITE = "UPDATE papers SET abstract_hash = $2, version = coalesce(version, 1) + 1 WHERE arxiv_id = $1"
SUMMARIZE = """
    INSERT INTO summaries (arxiv_id, abstract_hash, paper_version, language, status, origin, title)
    SELECT arxiv_id, abstract_hash, version, $3, 'done', 'human', $2 FROM papers WHERE arxiv_id = $1
    ON CONFLICT ON CONSTRAINT uq_summaries_once DO UPDATE SET title = excluded.title
"""


@pytest.fixture(scope="module")
async def busy(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service whose tests go on from whatever the others have left."""
    _execute(postgres, f"CREATE DATABASE busy TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    async with serving(postgres.url("busy"), tmp_path_factory.mktemp("busy")) as service:
        yield service
    _execute(postgres, "DROP DATABASE busy WITH (FORCE)")


class Writer:
    """A connection that changes papers of its own, and one that it shares with the others, in transactions held open."""

    def __init__(self, number: int, connection: asyncpg.Connection) -> None:
        self._number, self._connection = number, connection
        self._transaction: Any = None

    async def do(self, action: str, paper: int, word: str) -> None:
        """One step; the first after a commit begins a transaction."""
        if action in ("commit", "rollback"):
            if self._transaction is not None:
                await getattr(self._transaction, action)()
                self._transaction = None
            return
        if self._transaction is None:
            self._transaction = self._connection.transaction()
            await self._transaction.start()
        own = f"2601.{self._number + 1}000{paper}"
        if action == "store":
            await self._connection.execute(STORE, own, word)
        elif action == "delete":
            await self._connection.execute("DELETE FROM papers WHERE arxiv_id = $1", own)
        elif action == "summarize":
            await self._connection.execute(SUMMARIZE, own, word, "zh")
        elif self._number == 0:  # of the shared paper one writes the text, and the others summarise it
            await self._connection.execute(REWRITE, SHARED, word)
        else:
            await self._connection.execute(SUMMARIZE, SHARED, word, LANGUAGES[self._number])


@asynccontextmanager
async def writers_on(url: str) -> AsyncIterator[list[Writer]]:
    """Writers; what they have not committed in the end is undone."""
    connections = [await asyncpg.connect(url, command_timeout=20) for _ in range(WRITERS)]
    try:
        await connections[0].execute(STORE, SHARED, "of all")
        yield [Writer(number, connection) for number, connection in enumerate(connections)]
    finally:
        for connection in connections:
            connection.terminate()


ACTIONS = ("store", "store", "delete", "summarize", "share", "commit", "commit", "rollback")
STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.integers(0, WRITERS - 1), st.sampled_from(ACTIONS), st.integers(1, 2), st.sampled_from(("a", "b", "c"))
        ),
        st.sampled_from(("page", "sync")),
    ),
    min_size=5,
    max_size=40,
)


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
async def test_whatever_the_order_of_commits_the_copy_is_equal(busy: Service, steps: list[Any]) -> None:
    mirror = Mirror(busy.client, {"include": "bodies", "limit": 2})
    async with writers_on(busy.tools.database.url) as writers:
        for step in steps:
            if step == "page":
                await mirror.page()
            elif step == "sync":  # what is committed, and nothing else, although others hold transactions open
                await mirror.sync()
                assert mirror.things == await truth(busy.client)
            else:
                await writers[step[0]].do(*step[1:])
        for writer in writers:
            await writer.do("commit", 0, "")
    await mirror.sync()
    assert mirror.things == await truth(busy.client)


async def test_writers_and_readers_all_at_once(busy: Service) -> None:
    over = time.monotonic() + 2.5
    written = 0

    async def write(number: int, writer: Writer) -> None:
        nonlocal written
        chance = random.Random(number)
        while time.monotonic() < over:
            for _ in range(chance.randint(1, 4)):
                await writer.do(chance.choice(ACTIONS[:5]), chance.randint(1, 9), str(chance.random()))
                await asyncio.sleep(chance.random() * 0.03)
            await writer.do(chance.choice(ACTIONS[5:]), 0, "")
            written += 1
        await writer.do("commit", 0, "")

    async def read(mirror: Mirror) -> None:
        while time.monotonic() < over:
            await mirror.page()

    async def read_places() -> None:
        start, kinds = changes.BEGINNING, tuple(ChangeKind)
        while time.monotonic() < over:
            page = await changes.read_changes(busy.tools.database, start, limit=3, kinds=kinds)
            assert start.place is not None
            grown = page.place.position - start.place.position
            assert grown >= len(page.changes) if page.changes else grown == 0
            start = Start(page.place)

    async def sequence() -> None:
        while time.monotonic() < over:
            await changes.sequence(busy.tools.database, 5)

    mirrors = [Mirror(busy.client, {"include": "bodies", "limit": limit}) for limit in (3, 100)]
    async with writers_on(busy.tools.database.url) as writers:
        writing = [write(number, writer) for number, writer in enumerate(writers)]
        await asyncio.gather(*writing, *map(read, mirrors), read_places(), sequence())
    assert written > 20
    expected = await truth(busy.client)
    for mirror in mirrors:
        await mirror.sync()
        assert mirror.things == expected


async def test_a_writer_that_stays_open_holds_nobody_up_and_is_not_skipped(busy: Service) -> None:
    mirror = Mirror(busy.client)
    await mirror.sync()
    async with writers_on(busy.tools.database.url) as (slow, quick, _):
        await mirror.sync()
        await slow.do("store", 1, "late")
        for round_ in range(3):
            await quick.do("store", 1, f"soon {round_}")
            await quick.do("commit", 0, "")
            page = await mirror.page()
            assert [item["body"]["title"] for item in page["items"]] == [f"soon {round_}"]
            assert page["has_more"] is False  # what is not committed is nothing to wait for
        await slow.do("commit", 0, "")
        assert [item["body"]["title"] for item in (await mirror.page())["items"]] == ["late"]


def waiting(url: str) -> int | None:
    """The backend of a sequencer that is in the middle of moving marks, and cannot go on."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
            "AND query LIKE '%WITH taken%'"
        ).fetchone()
    return int(row[0]) if row else None


LOCK_LOG = "LOCK TABLE changes IN SHARE MODE"
"""Readers can go on; the sequencer stops where it has deleted marks and puts their entities into the log."""


async def change_one(url: str) -> tuple[str, str, str]:
    """Commit a change, and say how the log will name it."""
    async with writers_on(url) as (_, writer, _):
        await writer.do("store", 1, str(time.monotonic()))
        await writer.do("commit", 0, "")
    return "paper", "2601.20001", "upserted"


async def test_a_sequencer_that_dies_has_done_nothing(busy: Service) -> None:
    url = busy.tools.database.url
    mirror = Mirror(busy.client)
    await mirror.sync()
    changed = await change_one(url)
    with held(url, LOCK_LOG):
        asked = {"cursor": mirror.cursor}
        polls = [asyncio.create_task(busy.client.get("/v1/changes", params=asked)) for _ in range(2)]
        pid = await asyncio.to_thread(wait_until, lambda: waiting(url), "a sequencer in the middle", 20)
        ask(url, f"SELECT pg_terminate_backend({pid})")
        statuses = sorted([(await poll).status_code for poll in polls])
    # The other took the work up, found the log held, and answered that there is more.
    assert statuses == [200, 503]
    assert changed in await mirror.sync()
    assert mirror.things == await truth(busy.client)


async def test_a_log_that_is_held_for_long_is_served_as_it_is(busy: Service) -> None:
    url = busy.tools.database.url
    mirror = Mirror(busy.client)
    await mirror.sync()
    changed = await change_one(url)
    with held(url, "SELECT pg_advisory_xact_lock(hashtext('changes'))"):
        page = await mirror.page()
    assert (page["items"], page["has_more"]) == ([], True)
    assert changed in await mirror.sync()


@pytest.fixture
def api(database_url: str, tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Starts ``zhaiyao api`` in a process of its own, on the test's database."""
    line = CommandLine(tmp_path / "api", database_url=database_url, port=0)
    yield lambda: line.start("api")
    line.end()


IDS = [f"2601.95{n:03}" for n in range(8)]


async def test_mirrors_over_http_while_several_write_and_the_service_is_killed(
    tools: Tools, tmp_path: Path, api: Callable[[], Any]
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *map(Item, IDS))
    running = api()
    url = running.address()
    over, done = threading.Event(), []
    copies = [tmp_path / f"copy-{number}.sqlite" for number in range(2)]
    sync = documented_sync()

    def write(number: int) -> None:
        chance, mine = random.Random(number), f"mine-{number}"
        channel = {"slug": mine, "title": "Mine", "categories": ["cs.CL"], "language": "zh"}
        steps: list[Callable[[httpx.Client], httpx.Response]] = [
            lambda http: http.put(f"/v1/papers/{chance.choice(IDS)}/summaries/zh", json={"tldr": f"{chance.random()}"}),
            lambda http: http.put(f"/v1/papers/{chance.choice(IDS)}/summaries/de", json={"tldr": f"{chance.random()}"}),
            lambda http: http.delete(f"/v1/papers/{chance.choice(IDS)}/summaries/zh"),
            lambda http: http.post("/v1/digests", json={"paper_ids": chance.sample(IDS, 2), "language": "zh"}),
            lambda http: http.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-13", "language": "zh"}),
            lambda http: http.delete(f"/v1/digests/{http.get('/v1/digests').json()['items'][0]['id']}"),
            lambda http: http.post("/v1/channels", json=channel),
            lambda http: http.post("/v1/digests", json={"channel": mine, "date": "2026-01-13"}),
            lambda http: http.delete(f"/v1/channels/{mine}"),
        ]
        with httpx.Client(base_url=url, timeout=30) as http, suppress(httpx.TransportError, IndexError):
            while not over.is_set():
                answer = chance.choice(steps)(http)
                assert answer.status_code < 500, answer.text
                done.append(answer.is_success)

    def mirror(file: Path) -> None:
        copy = sqlite3.connect(file)
        with httpx.Client(base_url=url, timeout=30) as http, suppress(httpx.TransportError):
            while not over.is_set():
                sync(http, copy)
        copy.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    threads += [threading.Thread(target=mirror, args=(file,)) for file in copies]
    for thread in threads:
        thread.start()
    # Another process stores a listing meanwhile, a new version among it.
    await asyncio.sleep(1)
    replaced = Item(IDS[0], version=2, type="replace", abstract="We take it back. All of it.")
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, replaced, Item("2601.96000"))
    await asyncio.to_thread(wait_until, lambda: sum(done) > 60, "sixty writes", 60)
    running.kill()
    over.set()
    for thread in threads:
        thread.join(30)
    url = api().address()
    with httpx.Client(base_url=url, timeout=30) as http:
        for file in copies:
            copy = sqlite3.connect(file)
            assert copy.execute("SELECT count(*) FROM things").fetchone()[0] > 8
            sync(http, copy)
            copy.close()
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        expected = await truth(client)
        assert {kind for kind, _ in expected} == {"paper", "summary", "digest"}
        for file in copies:
            copy = sqlite3.connect(file)
            rows = copy.execute("SELECT kind, id, body FROM things")
            assert {(kind, key): json.loads(body) for kind, key, body in rows} == expected
            copy.close()
