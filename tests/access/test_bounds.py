"""Bounds of time, size and number, so that no caller can hold the service; hosts; CORS."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from fastapi import Response
from fastapi.responses import StreamingResponse
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from app import protocol, serving
from app.api import bodies
from app.api.bodies import MAX_BODY
from app.api.guards import MAX_ADDRESS, MAX_PARAMETERS
from app.postgres import EmbeddedPostgres
from tests.access.service import CHANNEL, FAR, a_key, bearer, database, running
from tests.api import Service, caller, execute, ok, problem
from tests.process_tools import held

JSON = {"content-type": "application/json"}
SHORT = timedelta(milliseconds=400)


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database for all of these tests."""
    with database(postgres, "access_bounds") as address:
        yield address


@pytest.fixture(autouse=True)
def no_keys(url: str) -> None:
    """What another test made does not count."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("TRUNCATE api_keys, rate_windows")


# Hosts and origins


async def test_hosts_by_setting(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, allowed_hosts=("digests.example.org", "*.example.net", "::1")) as service:
        for host in (
            "digests.example.org",
            "DIGESTS.example.org:443",
            "a.example.net",
            "a.b.example.net",
            "[::1]:8000",
        ):
            ok(await service.client.get("/v1/channels?limit=1", headers={"host": host}))
        for host in (
            "example.org",
            "example.net",
            "x-example.net",
            "evil.example",
            "",
            "[",
            "digests.example.org.evil.example",
        ):
            for method, path in (("GET", "/v1/papers"), ("POST", "/v1/channels"), ("GET", "/"), ("GET", "/docs")):
                answer = await service.client.request(method, path, headers={"host": host})
                problem(answer, 421, "wrong_host")
            for path in ("/healthz", "/readyz"):  # a balancer asks by address
                ok(await service.client.get(path, headers={"host": host}))


async def test_no_other_site_reads_without_a_setting(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path) as service:
        answer = await service.client.get("/v1/channels", headers={"origin": "https://app.example.org"})
        assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_cors_by_setting(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, cors_origins=("https://app.example.org",), public_read=False) as service:
        key = bearer(await a_key(service))
        origin = {"origin": "https://app.example.org"}
        asked = origin | {
            "access-control-request-method": "PATCH",
            "access-control-request-headers": "authorization, content-type, idempotency-key, if-match, x-request-id",
        }
        preflight = await service.client.options(
            "/v1/channels/mine", headers=asked
        )  # which browsers send without a key
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] == origin["origin"]
        assert "PATCH" in preflight.headers["access-control-allow-methods"]
        for answer in (
            await service.client.get("/v1/channels?limit=1", headers=origin | key),
            await service.client.get("/v1/channels", headers=origin),  # 401
            await service.client.get("/v1/papers/x", headers=origin | key),  # 422
            await service.client.post(
                "/v1/channels", content=b"x" * (MAX_BODY + 1), headers=origin | key | JSON
            ),  # 413
            await service.client.get("/nothing", headers=origin | key),
        ):
            assert answer.headers["access-control-allow-origin"] == origin["origin"], answer.status_code
            shown = answer.headers["access-control-expose-headers"].lower()
            for name in ("etag", "link", "location", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"):
                assert name in re.split(r",\s*", shown)
            assert answer.headers["x-request-id"]
            assert "access-control-allow-credentials" not in answer.headers
        for other in ("https://evil.example", "null", "https://app.example.org.evil.example", "http://app.example.org"):
            answer = await service.client.get("/v1/channels", headers={"origin": other} | key)
            assert "access-control-allow-origin" not in answer.headers
            assert (await service.client.options("/v1/channels", headers=asked | {"origin": other})).status_code == 400


async def test_cors_on_a_fault_of_ours(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("app.channels.list_channels", broken)
    async with running(url, tmp_path, cors_origins=("*",)) as service:
        answer = await service.client.get("/v1/channels", headers={"origin": "https://any.example"})
        problem(answer, 500, "internal_error")
        assert answer.headers["access-control-allow-origin"] == "*"


# Sizes and numbers


async def test_addresses(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path) as service:
        for method in ("GET", "POST"):
            for path in (
                f"/v1/papers?category={'x' * MAX_ADDRESS}",
                f"/v1/papers/{'x' * MAX_ADDRESS}",
                "/" + "%20" * 6_000,
            ):
                problem(await service.client.request(method, path), 414, "address_too_long")
        problem(await service.client.get("/v1/papers?" + "a&" * MAX_PARAMETERS), 400, "bad_request")
        many = "&".join(["ids=2601.00001"] * MAX_PARAMETERS)
        assert len(many) < MAX_ADDRESS
        problem(await service.client.get(f"/v1/papers?{many}"), 422)
        ok(await service.client.get("/v1/papers?" + "&".join(["ids=2601.00001"] * 200)))


async def test_a_body_that_trickles(url: str, tmp_path: Path) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.05)

    async with running(url, tmp_path, request_timeout=SHORT) as service:
        for path in ("/v1/channels", "/v1/channels/preview"):
            begun = asyncio.get_running_loop().time()
            problem(await service.client.post(path, content=trickle(), headers=JSON), 408, "body_too_slow")
            assert asyncio.get_running_loop().time() - begun < 2


async def test_bodies_that_do_not_come_to_their_end(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold no place, but memory: as much as all of them may."""
    monkeypatch.setattr(bodies, "MAX_ARRIVING", 100_000)
    go_on = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b" " * 60_000
        await go_on.wait()
        yield b"{}"

    async with running(url, tmp_path) as service:
        first = asyncio.create_task(service.client.post("/v1/channels/preview", content=slow(), headers=JSON))
        await asyncio.sleep(0.1)
        refused = await service.client.post("/v1/channels/preview", content=b" " * 60_000, headers=JSON)
        assert problem(refused, 503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        problem(await service.client.post("/v1/channels/preview", json={}), 422)
        go_on.set()
        problem(await first, 422)
        for _ in range(3):
            problem(await service.client.post("/v1/channels/preview", content=b" " * 60_000, headers=JSON), 400)


async def test_more_at_a_time_than_there_is_room_for(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, max_requests=3) as service:
        with held(url, "LOCK TABLE channels IN ACCESS EXCLUSIVE MODE"):
            waiting = [asyncio.create_task(service.client.get("/v1/channels")) for _ in range(3)]
            await asyncio.sleep(0.3)
            for _ in range(3):
                answer = await service.client.get("/v1/jobs/1")
                problem(answer, 503, "overloaded")
                assert answer.headers["retry-after"] == "1"
            ok(await service.client.get("/healthz"))
            gone = waiting.pop()
            gone.cancel()  # a caller who does not wait any more gives back the place
            await asyncio.gather(gone, return_exceptions=True)
            problem(await service.client.get("/v1/jobs/1"), 404)
        assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {200}
        for _ in range(5):
            problem(await service.client.get("/v1/jobs/1"), 404)


# Time


async def test_a_statement_that_takes_too_long(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow(session, *_: object, **__: object) -> None:  # type: ignore[no-untyped-def]
        await session.execute(text("SELECT pg_sleep(20)"))

    async with running(url, tmp_path, patience=SHORT) as service:
        with monkeypatch.context() as patched:
            patched.setattr("app.channels.list_channels", slow)
            answer = await asyncio.wait_for(service.client.get("/v1/channels"), 5)
            assert "pg_sleep" not in answer.text
            problem(answer, 504, "query_timeout")
        ok(await service.client.get("/v1/channels"))


async def test_a_lock_that_others_hold(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, patience=SHORT) as service:
        with held(url, "LOCK TABLE channels IN ACCESS EXCLUSIVE MODE"):
            answer = await asyncio.wait_for(service.client.get("/v1/channels"), 5)
            problem(answer, 503, "busy")
            assert answer.headers["retry-after"] == "1"
        ok(await service.client.get("/v1/channels"))


async def test_a_transaction_that_is_left_open(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, patience=SHORT) as service:

        async def left_open() -> None:
            async with service.tools.database.transaction() as session:
                await session.execute(text("SELECT 1"))
                await asyncio.sleep(0.8)
                await session.execute(text("SELECT 1"))

        with pytest.raises(DBAPIError, match=r"idle-in-transaction|closed"):
            await left_open()


async def test_only_the_api_is_hurried(url: str, tmp_path: Path) -> None:
    """The worker of the same process has work that takes long."""
    from app.resources import open_api

    async with running(url, tmp_path) as service, open_api(service.tools) as own:
        shown = []
        for tools in (service.tools, own):
            async with tools.database.transaction() as session:
                names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
                shown.append([await session.scalar(text(f"SHOW {name}")) for name in names])
        assert shown == [["0", "0", "0"], ["30s", "10s", "30s"]]


# On the wire


@asynccontextmanager
async def listening(service: Service) -> AsyncIterator[int]:
    """The service on a port, through the very server that is used for real."""
    with serving.listen("127.0.0.1", 0) as server:
        task = asyncio.create_task(serving.serve(service.tools, server))
        try:
            yield server.getsockname()[1]
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def exchange(port: int, *sent: bytes, seconds: float = 5) -> bytes:
    """What comes back on a connection until its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in sent:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), seconds)
    except ConnectionError:
        return b""
    finally:
        writer.close()


def refused(answer: bytes, status: int, code: str) -> None:
    """A problem document, and the end of the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    found = json.loads(body)
    assert (found["status"], found["code"]) == (status, code)
    assert b"x-request-id: " + found["request_id"].encode() in head.lower()


async def test_heads_that_are_too_large_too_slow_or_none(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    get = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
    async with running(url, tmp_path) as service, listening(service) as port:
        whole = await exchange(port, get + b"connection: close\r\n\r\n")
        assert whole.startswith(b"HTTP/1.1 200")
        assert whole.endswith(b'{"status":"ok"}')
        for odd in (
            get + b"x: " + b"y" * 70_000 + b"\r\n\r\n",
            get + b"x: y\r\n" * 300 + b"\r\n",
            b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n",
        ):
            refused(await exchange(port, odd), 431, "head_too_large")
        refused(await exchange(port, get, b"x: " + b"y" * 300_000), 431, "head_too_large")  # and no end in sight
        for odd in (
            b"hello\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nx\0: y\r\n\r\n",
            b"GET / HTTP/1.1\r\nx: a\0b\r\n\r\n",
            b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n",
            b"\x16\x03\x01\x02",
            b"GET /healthz HTTP/1.1\r\n\r\n",
            get + b"host: elsewhere\r\n\r\n",
            get + b"Host: localhost\r\n\r\n",
        ):
            refused(await exchange(port, odd), 400, "bad_request")
        refused(await exchange(port, get), 408, "head_too_slow")
        assert await exchange(port) == b""  # who says nothing is told nothing
        two = await exchange(port, get + b"\r\n", get + b"connection: close\r\n\r\n")
        assert two.count(b"HTTP/1.1 200") == 2


async def test_what_cannot_be_read_comes_behind_a_request(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Answers that are due come whole and alone; nothing is written behind the end, and nobody stumbles over it."""
    get = b"GET /v1/channels?limit=1 HTTP/1.1\r\nhost: localhost\r\n"
    post = b"POST /v1/channels HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    large = get + b"x: " + b"y" * 70_000 + b"\r\n\r\n"
    async with running(url, tmp_path) as service, listening(service) as port:
        for rest in (b"hello\r\n\r\n", large, get + b"\r\nhello\r\n\r\n", get + b"\r\n" + large):
            for parts in ([get + b"\r\n" + rest], [get + b"\r\n", rest]):
                head, _, body = (await exchange(port, *parts)).partition(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 200"), parts
                first, end = json.JSONDecoder().raw_decode(body.decode())
                assert first["items"]
                # What is refused when the answer has gone already, is told behind it.
                assert body[end:] == b"" or body[end:].startswith(b"HTTP/1.1 4"), parts
        chunks = post + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"
        refused(await exchange(port, chunks + b"hello\r\n"), 400, "bad_request")
        refused(await exchange(port, chunks, b"hello\r\n"), 400, "bad_request")
        for _ in range(5):  # who leaves before the answers
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write((get + b"\r\n") * 3)
            writer.transport.abort()
        await asyncio.sleep(0.2)
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_what_comes_behind_a_body_is_no_header(url: str, tmp_path: Path) -> None:
    """A proxy in front has taken away what callers must not say of themselves, but from the head only."""
    get = b"GET /v1/channels?limit=1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    async with running(url, tmp_path) as service, listening(service) as port:
        for trailer in (b"Authorization: Bearer zy_wrong", b"Host: elsewhere", b"X-Request-ID: mine"):
            answer = await exchange(port, get + b"0\r\n" + trailer + b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), trailer
            assert b"x-request-id: mine" not in answer


@pytest.mark.parametrize(("begin", "more"), [(b"0\r\n", b"x: y\r\n"), (b"0\r\nx", b"y"), (b"2;x=", b"y")])
async def test_what_is_neither_head_nor_body_has_an_end(url: str, tmp_path: Path, begin: bytes, more: bytes) -> None:
    head = b" HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    async with running(url, tmp_path) as service, listening(service) as port:
        endless = begin, *[more * 50_000] * 10
        refused(await exchange(port, b"POST /v1/channels" + head, *endless), 431, "head_too_large")
        assert (await exchange(port, b"GET /healthz" + head, *endless)).startswith(b"HTTP/1.1 ")


async def test_requests_that_are_sent_ahead_of_their_answers(url: str, tmp_path: Path) -> None:
    """A thousand tiny ones in a packet were held against each other, and held everybody."""
    get = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    last = get.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")
    async with running(url, tmp_path) as service, listening(service) as port:
        usual = await exchange(port, get * (protocol.MAX_WAITING - 1) + last)
        assert usual.count(b"HTTP/1.1 200") == protocol.MAX_WAITING
        many = await exchange(port, get * 5_000)
        assert 1 <= many.count(b"HTTP/1.1 200") <= protocol.MAX_WAITING
        assert many.endswith(b'{"status":"ok"}')


async def test_another_protocol_is_not_spoken_nor_talked_about(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(url, tmp_path) as service, listening(service) as port:
        for other in (b"h2c", b"websocket"):
            offer = (
                b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade, close\r\nupgrade: "
                + other
                + b"\r\n\r\n"
            )
            assert (await exchange(port, offer)).startswith(b"HTTP/1.1 200")
    assert caplog.records == []


async def test_a_body_that_nobody_reads_trickles_on(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.4)
    async with running(url, tmp_path) as service, listening(service) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n")
        answer = asyncio.create_task(reader.read())
        for _ in range(40):
            if not answer.done():
                writer.write(b"x")
                await asyncio.sleep(0.05)
        assert answer.done()
        assert (await answer).startswith(b"HTTP/1.1 200")
        writer.close()


async def test_who_sends_all_before_reading_is_told_why_it_was_refused(url: str, tmp_path: Path) -> None:
    post = b"POST /v1/channels HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9000000\r\n\r\n"
    async with running(url, tmp_path) as service, listening(service) as port:
        refused(await exchange(port, post, b"x" * 9_000_000), 413, "body_too_large")


async def test_an_answer_that_its_caller_does_not_read(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dropped, and holds no place; who reads slowly gets all of it."""
    monkeypatch.setattr(protocol, "READ_SECONDS", 0.3)
    size = 12_000_000  # more than the buffers of a connection

    async def large() -> Response:
        return StreamingResponse(iter([b"x" * (size // 4)] * 4), headers={"content-length": str(size)})

    async with running(url, tmp_path, max_requests=1) as service:
        service.app.add_api_route("/v1/large", large)
        monkeypatch.setattr(serving, "create_app", lambda _: service.app)
        async with listening(service) as port:
            get = b"GET /v1/large HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=100_000)
            writer.write(get)
            await asyncio.sleep(0.1)
            problem(await service.client.get("/v1/jobs/1"), 503, "overloaded")
            for _ in range(50):
                await asyncio.sleep(0.1)
                if (answer := await service.client.get("/v1/jobs/1")).status_code != 503:
                    break
            problem(answer, 404)
            assert 0 < len(await reader.read()) < size
            writer.close()

            monkeypatch.setattr(protocol, "READ_SECONDS", 1.0)
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=100_000)
            writer.write(get)
            await reader.readuntil(b"\r\n\r\n")
            found = 0
            while part := await reader.read(1_000_000):
                found += len(part)
                await asyncio.sleep(0.02)
            assert found == size
            writer.close()


async def test_a_hundred_slow_callers_and_one_who_leaves(url: str, tmp_path: Path) -> None:
    """Who sends a body slowly holds no place of those who do not."""
    async with running(url, tmp_path, max_requests=10) as service, listening(service) as port:
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        head = b"POST /v1/channels HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        for number, (_, writer) in enumerate(slow):
            writer.write(head + b"content-length: 500\r\n\r\n{")
            if number % 5 == 4:  # more than ten at once would be refused, which is not what this is about
                await asyncio.sleep(0.05)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(5):
                ok(await asyncio.wait_for(client.get("/v1/channels?limit=1"), 5))
            for _, writer in slow:  # they leave in the middle of their bodies
                writer.close()
            ok(await client.post("/v1/channels", json={**CHANNEL, "slug": "after-all"}), 201)
        assert ok(await service.client.get("/v1/channels/after-all"))


async def test_the_server_itself_believes_no_forwarded_address(url: str, tmp_path: Path) -> None:
    """uvicorn would, from callers on this machine; whom to believe is ``ZHAIYAO_TRUSTED_PROXIES``."""
    async with running(url, tmp_path) as service, listening(service) as port, httpx.AsyncClient() as client:
        lies = {"x-forwarded-for": FAR[0], "x-forwarded-proto": "https"}
        answer = await client.get(f"http://127.0.0.1:{port}/v1/channels?limit=1", headers=lies)
        assert "ratelimit" not in answer.headers
        assert answer.links["next"]["url"].startswith("http://")


async def test_a_reader_of_another_machine_is_limited(url: str, tmp_path: Path) -> None:
    async with running(url, tmp_path, host="0.0.0.0") as service, caller(service.app, FAR) as far:
        await execute(service.tools, "TRUNCATE rate_windows")
        answers = [await far.get("/docs") for _ in range(605)]
        assert [answer.status_code for answer in answers].count(429) >= 5
