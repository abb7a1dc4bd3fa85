"""Streams and batches of papers: whole, in constant memory, given up when nobody reads; and every id is accounted for."""

import asyncio
import csv
import io
import json
import socket
import threading
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from app import papers
from app.api import exports
from app.ingestion import Tools
from app.papers import FIELDS, PaperQuery
from app.postgres import EmbeddedPostgres
from app.protocol import BoundedProtocol
from app.render import paper_table
from app.render.csv import BOM
from tests.api import Service, execute, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.corpus import fill
from tests.feeds import TUESDAY, Item

PAPERS = 12_000


@pytest.fixture(scope="module")
async def large(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with thousands of papers; the tests that share it only read."""
    _execute(postgres, f"CREATE DATABASE streams TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    await fill(postgres.url("streams"), PAPERS, abstract=600, summarized=0.2)
    async with serving(postgres.url("streams"), tmp_path_factory.mktemp("streams")) as service:
        yield service
    _execute(postgres, "DROP DATABASE streams WITH (FORCE)")


@pytest.fixture
async def address(large: Service) -> AsyncIterator[str]:
    """The same over real sockets."""
    server = uvicorn.Server(
        uvicorn.Config(large.app, port=0, log_level="critical", lifespan="off", http=BoundedProtocol)
    )
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await running


async def test_a_stream_is_the_whole_list(large: Service) -> None:
    answer = await large.client.get("/v1/papers.ndjson", params={"fields": "title"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len({line["arxiv_id"] for line in lines}) == len(lines) == PAPERS
    page = ok(await large.client.get("/v1/papers", params={"fields": "title", "limit": 200}))
    assert lines[:200] == page["items"]


async def test_a_table_holds_what_the_lines_do(large: Service) -> None:
    asked = {"category": "cs.CL", "sort": "submitted", "include": "summaries", "language": "zh"}
    lines = [json.loads(one) for one in (await large.client.get("/v1/papers.ndjson", params=asked)).text.splitlines()]
    answer = await large.client.get("/v1/papers.csv", params=asked)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.startswith(BOM + "arxiv_id,version,title,")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix(BOM), newline="")))
    assert len(rows) == len(lines) > 20
    for row, line in zip(rows, lines, strict=True):
        assert row["arxiv_id"] == line["arxiv_id"]
        assert row["authors"] == "; ".join(author["name"] for author in line["authors"])
        assert (row["abs_url"], row["submitted_at"]) == (line["links"]["abs"], line["submitted_at"] or "")
        assert row["withdrawn"] == ("true" if line["withdrawn"] else "false")
        assert row["tldr"] == (line["summaries"][0]["tldr"] if line["summaries"] else "")
    header = (await large.client.get("/v1/papers.csv", params={"ids": "2601.99999", "fields": "links,title"})).text
    assert header == f"{BOM}arxiv_id,title,abs_url,pdf_url\r\n"
    body = problem(await large.client.get("/v1/papers.csv", params={"include": "summaries"}), 422, "invalid_input")
    assert "language" in body["detail"]


async def test_a_line_is_a_line_for_every_reader(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    """Many split a text also where Unicode, unlike JSON, ends a line: Python's ``splitlines``, and with it httpx."""
    title = "a\u2028b\u2029c\x85d"
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item("2601.95001"), Item("2601.95002"))
    await execute(tools, "UPDATE papers SET title = :title", title=title)
    for params in ({}, {"q": "test"}):
        answer = await client.get("/v1/papers.ndjson", params={"fields": "title"} | params)
        assert [json.loads(line)["title"] for line in answer.text.splitlines()] == [title, title]


async def test_no_cell_is_a_formula(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(
        tools, tmp_path, "cs.CL", TUESDAY, Item("2601.95001", title="=HYPERLINK(1)", abstract='+1, "x"\n-2; @3')
    )
    text = (await client.get("/v1/papers.csv", params={"fields": "title,abstract"})).text.removeprefix(BOM)
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row["title"] == "'=HYPERLINK(1)"
    assert row["abstract"].startswith("'+1")
    assert "; '@3" in row["abstract"]


async def test_a_stream_takes_a_batch_of_memory(large: Service) -> None:
    longest, total = 0, 0
    tracemalloc.start()
    async for batch in papers.read_all(large.tools.database, PaperQuery()):
        longest, total = max(longest, len(batch)), total + sum(map(len, batch))
        if longest < 500:
            tracemalloc.reset_peak()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert longest == papers.BATCH == 500
    assert total > 25_000_000
    assert peak < 8_000_000


async def test_the_first_bytes_come_long_before_the_last(address: str) -> None:
    async with httpx.AsyncClient() as client, client.stream("GET", f"{address}/v1/papers.ndjson") as answer:
        first = await anext(answer.aiter_bytes())
        assert answer.is_success
        assert 1 <= first.count(b"\n") < 600
        assert answer.headers["transfer-encoding"] == "chunked"


async def eventually(is_so: Callable[[], bool]) -> None:
    for _ in range(300):
        if is_so():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to that")


async def test_nobody_waits_while_a_table_is_written(large: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, threads = paper_table.row, Counter[int]()

    def noted(*args: Any) -> list[str]:
        threads[threading.get_ident()] += 1
        return whole(*args)

    monkeypatch.setattr("app.render.paper_table.row", noted)
    assert (await large.client.get("/v1/papers.csv")).is_success
    assert threads.total() == PAPERS
    assert threads[threading.get_ident()] <= 20


async def test_who_goes_away_gives_everything_back(address: str, large: Service, monkeypatch: Any) -> None:
    read: list[int] = []
    whole = papers.read_page

    async def noted(*args: Any, **how: Any) -> Any:
        read.append(1)
        return await whole(*args, **how)

    monkeypatch.setattr("app.papers.reading.read_page", noted)
    async with httpx.AsyncClient() as client, client.stream("GET", f"{address}/v1/papers.ndjson") as answer:
        await anext(answer.aiter_bytes())
        assert exports.STREAMS.running == 1
    await eventually(lambda: exports.STREAMS.running == 0)
    assert len(read) < PAPERS / 500
    assert large.tools.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


async def test_who_takes_nothing_gives_the_place_back(
    address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("app.protocol.READ_SECONDS", 0.2)
    where = urlsplit(address)
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8_192)
        reader.setblocking(False)
        await asyncio.get_running_loop().sock_connect(reader, (where.hostname, where.port))
        reader.send(b"GET /v1/papers.ndjson HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await eventually(lambda: exports.STREAMS.running == 1)
        await eventually(lambda: exports.STREAMS.running == 0)
    assert "Traceback" not in caplog.text


async def test_only_so_many_at_a_time_and_others_are_still_answered(address: str) -> None:
    async with httpx.AsyncClient() as client:
        streams = [
            await client.send(client.build_request("GET", f"{address}/v1/papers.ndjson"), stream=True)
            for _ in range(exports.MAX_STREAMS)
        ]
        one_more = await client.get(f"{address}/v1/papers.csv")
        problem(one_more, 503, "too_many_streams")
        assert one_more.headers["retry-after"]
        assert len(ok(await client.get(f"{address}/v1/papers"))["items"]) == 20
        for stream in streams:
            await stream.aclose()
        await eventually(lambda: exports.STREAMS.running == 0)
        assert (await client.get(f"{address}/v1/papers.csv", params={"ids": "0801.00001"})).is_success


@pytest.mark.parametrize("form", ["ndjson", "csv"])
async def test_a_stream_that_breaks_off_cannot_be_taken_for_whole(
    address: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = papers.read_page, 0

    async def broken(*args: Any, **how: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise OSError("the database has gone")
        return await whole(*args, **how)

    monkeypatch.setattr("app.papers.reading.read_page", broken)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            await client.get(f"{address}/v1/papers.{form}")
    assert exports.STREAMS.running == 0
    monkeypatch.undo()


async def test_a_head_reads_nothing_but_the_beginning(large: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, sizes = papers.read_page, []

    async def noted(*args: Any, **how: Any) -> Any:
        sizes.append(how["limit"])
        return await whole(*args, **how)

    monkeypatch.setattr("app.papers.reading.read_page", noted)
    for form in ("ndjson", "csv"):
        answer = await large.client.head(f"/v1/papers.{form}")
        assert (answer.status_code, answer.content) == (200, b"")
    assert sizes == [20, 20]
    assert exports.STREAMS.running == 0


async def test_what_is_wrong_from_the_beginning_is_a_problem(large: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    body = problem(await large.client.get("/v1/papers.ndjson", params={"limit": "5"}), 422, "invalid_request")
    assert body["errors"][0]["field"] == "query.limit"
    params = {"announced_from": "2026-01-02", "announced_to": "2026-01-01"}
    problem(await large.client.get("/v1/papers.ndjson", params=params), 422, "invalid_input")

    async def broken(*_: Any, **__: Any) -> Any:
        raise OSError("no database")

    monkeypatch.setattr("app.papers.reading.read_page", broken)
    problem(await large.client.get("/v1/papers.csv"), 503, "database_unavailable")
    assert exports.STREAMS.running == 0


# Batches

NEW, OTHER, OLD = "2601.95001", "2601.95002", "hep-th/9901001"


@pytest.fixture
async def three(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    """Three papers without any summary."""
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item(NEW), Item(OTHER), Item(OLD, version=3, type="replace"))
    await execute(tools, "DELETE FROM procrastinate_jobs")
    await execute(tools, "DELETE FROM summaries")


async def test_every_id_is_accounted_for(client: httpx.AsyncClient, three: None) -> None:
    asked = [f"arXiv:{OLD}v1", "nonsense", NEW, f"{NEW}v2", "2601.99999v3", "", OTHER, "x" * 900]
    told = ok(await client.post("/v1/papers/batch", json={"ids": asked, "fields": ["title"]}))
    assert [one["arxiv_id"] for one in told["items"]] == [OLD, NEW, OTHER]
    assert told["items"][0].keys() == {"arxiv_id", "title"}
    assert told["unknown"] == ["2601.99999v3"]
    assert [one["id"] for one in told["invalid"]] == ["nonsense", "", "x" * 200]
    assert all("2404.02342" in one["detail"] for one in told["invalid"])
    assert (told["job"], told["pending"]) == (None, [])
    whole = ok(await client.post("/v1/papers/batch", json={"ids": [NEW]}))["items"][0]
    assert whole == ok(await client.get("/v1/papers", params={"ids": NEW}))["items"][0]
    assert {*whole} == {*FIELDS}


async def test_five_hundred_ids_are_one_answer(large: Service) -> None:
    some = ok(await large.client.get("/v1/papers", params={"limit": 200, "order": "asc", "fields": "title"}))["items"]
    known = [one["arxiv_id"] for one in some]
    asked = [*known, *(f"2601.{n:05}" for n in range(90_000, 90_300))]
    told = ok(
        await large.client.post("/v1/papers/batch", json={"ids": asked, "include": ["summaries"], "language": "zh"})
    )
    assert [one["arxiv_id"] for one in told["items"]] == known
    assert told["unknown"] == asked[200:]
    assert any(one["summaries"] for one in told["items"])


@pytest.mark.parametrize(
    "body",
    [
        {}, {"ids": []}, {"ids": [NEW] * 501}, {"ids": NEW}, {"ids": [1]}, {"ids": [NEW], "fields": ["x"]},
        {"ids": [NEW], "include": ["all"]}, {"ids": [NEW], "language": "x"}, {"ids": [NEW], "id": 1}, {"ids": [None]},
        {"ids": [NEW], "request_summaries": "perhaps"},
    ],
)  # fmt: skip
async def test_what_is_no_batch_is_refused(large: Service, body: dict[str, Any]) -> None:
    problem(await large.client.post("/v1/papers/batch", json=body), 422, "invalid_request")


async def test_one_job_asks_for_the_rest(client: httpx.AsyncClient, tools: Tools, work: Any, three: None) -> None:
    body = {"ids": [NEW, OTHER, "2601.99999"], "include": ["summaries"], "language": "en", "request_summaries": True}
    first = await client.post("/v1/papers/batch", json=body)
    told = ok(first, 202)
    assert first.headers["location"] == f"/v1/jobs/{told['job']['id']}"
    assert (told["job"]["kind"], told["pending"]) == ("request", [NEW, OTHER])
    assert [one["summaries"] for one in told["items"]] == [[], []]
    twins = await asyncio.gather(*(client.post("/v1/papers/batch", json=body) for _ in range(4)))
    assert {ok(twin, 202)["job"]["id"] for twin in twins} == {told["job"]["id"]}
    await work()
    job = ok(await client.get(first.headers["location"]))
    assert (job["status"], job["result"]) == ("succeeded", {"requested": 2, "retried": 0})
    done = ok(await client.post("/v1/papers/batch", json=body))
    assert (done["job"], done["pending"]) == (None, [])
    assert [[one["language"] for one in item["summaries"]] for item in done["items"]] == [["en"], ["en"]]


async def test_what_is_being_made_is_not_asked_for_again(client: httpx.AsyncClient, tools: Tools, three: None) -> None:
    ok(await client.post(f"/v1/papers/{NEW}/summaries", json={"language": "en"}), 202)
    body = {"ids": [NEW, OTHER], "language": "en", "request_summaries": True}
    told = ok(await client.post("/v1/papers/batch", json=body), 202)
    assert told["job"]["args"] == {"arxiv_ids": [OTHER], "language": "en"}
    assert told["pending"] == [NEW, OTHER]
    only = ok(await client.post("/v1/papers/batch", json=body | {"ids": [NEW]}))
    assert (only["job"], only["pending"]) == (None, [NEW])


async def test_what_failed_is_tried_again(client: httpx.AsyncClient, tools: Tools, work: Any, three: None) -> None:
    ok(await client.post(f"/v1/papers/{NEW}/summaries", json={"language": "en"}), 202)
    await execute(tools, "UPDATE summaries SET status = 'failed', reason = 'x'")
    await execute(tools, "DELETE FROM procrastinate_jobs")
    body = {"ids": [NEW], "language": "en", "request_summaries": True}
    told = ok(await client.post("/v1/papers/batch", json=body), 202)
    await work()
    job = ok(await client.get(f"/v1/jobs/{told['job']['id']}"))
    assert job["result"] == {"requested": 0, "retried": 1}
    assert ok(await client.post("/v1/papers/batch", json=body))["pending"] == []
