"""``Idempotency-Key``: a request that is sent again does nothing again, and is answered the same."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from sqlalchemy import text

from app import idempotency
from app.models import Scope
from app.postgres import EmbeddedPostgres
from app.rates import Rate
from app.tasks import build_app
from tests.access.service import CHANNEL, a_key, bearer, database, running
from tests.api import Service, counts, execute, ok, problem, store
from tests.feeds import Item
from tests.process_tools import CommandLine, ask, held, query, wait_until

PAPER = "2601.95001"
DAY = date(2026, 1, 13)
WRITES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "/v1/channels", CHANNEL),
    ("PATCH", "/v1/channels/mine", {"title": "Other"}),
    ("POST", "/v1/digests", {"paper_ids": [PAPER], "title": "One", "language": "en"}),
    ("POST", "/v1/ingestions", {"category": "cs.CL"}),
    ("POST", "/v1/harvests", {"set": "cs:cs:CL", "from": "2026-01-05", "until": "2026-01-13", "format": "arXivRaw"}),
    ("POST", "/v1/papers/fetch", {"ids": [PAPER]}),
    ("POST", f"/v1/papers/{PAPER}/summaries", {"language": "de"}),
    ("PUT", f"/v1/papers/{PAPER}/summaries/zh", {"tldr": "一句话。"}),
    ("DELETE", f"/v1/papers/{PAPER}/summaries/zh", None),
    ("POST", "/v1/backlog/resume?retry_failed=true", None),
    ("DELETE", "/v1/channels/mine", None),
]


@pytest.fixture(scope="module")
async def service(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with one paper and no keys."""
    with database(postgres, "access_once") as url:
        folder = tmp_path_factory.mktemp("once")
        async with running(url, folder, pool_size=12) as one:
            await store(one.tools, folder, "cs.CL", DAY, Item(PAPER))
            yield one


def same(first: httpx.Response, again: httpx.Response) -> None:
    """A repetition is answered as the first was, and says what it is."""
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (again.status_code, again.content) == (first.status_code, first.content)
    of_the_moment = {"x-request-id", "idempotency-replayed"}
    kept = {name: value for name, value in again.headers.items() if name not in of_the_moment}
    assert kept == {name: value for name, value in first.headers.items() if name not in of_the_moment}
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


async def test_every_write_is_done_once(service: Service) -> None:
    before = await counts(service.tools)
    for number, (method, path, body) in enumerate(WRITES):
        headers = {"idempotency-key": f"every-{number}"}
        first = await service.client.request(method, path, json=body, headers=headers)
        assert first.status_code < 300, (method, path, first.text)
        after = await counts(service.tools)
        again = await service.client.request(method, path, json=body, headers=headers)
        same(first, again)
        assert await counts(service.tools) == after
    assert await counts(service.tools) != before


async def test_no_write_was_forgotten(service: Service) -> None:
    """Every route that stores something is among those above, but for what is tested elsewhere."""
    document = ok(await service.client.get("/openapi.json"))
    writing = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method != "get" and operation["x-scope"] != "read"
    }
    named = {f"{method} {path.split('?')[0].replace(PAPER, '{arxiv_id}')}" for method, path, _ in WRITES}
    named = {name.replace("/zh", "/{language}").replace("/mine", "/{slug}") for name in named}
    elsewhere = {"POST /v1/keys", "DELETE /v1/keys/{id}", "POST /v1/digests/{id}/refresh", "DELETE /v1/digests/{id}"}
    assert writing - elsewhere == named


async def test_the_same_key_with_another_request(service: Service) -> None:
    headers = {"idempotency-key": "reused"}
    body = {**CHANNEL, "slug": "reused"}
    ok(await service.client.post("/v1/channels", json=body, headers=headers), 201)
    before = await counts(service.tools)
    for method, path, other in (
        ("POST", "/v1/channels", {**body, "title": "Other"}),
        ("POST", "/v1/channels", {"title": "Mine", **body, "slug": "reused-2"}),
        ("POST", "/v1/channels?x=1", body),
        ("POST", "/v1/ingestions", {"category": "cs.CL"}),
        ("DELETE", "/v1/channels/reused", None),
        ("PATCH", "/v1/channels/reused", {"title": "x"}),
    ):
        answer = await service.client.request(method, path, json=other, headers=headers)
        problem(answer, 422, "idempotency_key_reused")
    assert await counts(service.tools) == before


async def test_twenty_twins_do_it_once_and_are_answered_the_same(service: Service) -> None:
    before = await counts(service.tools)
    body, headers = {**CHANNEL, "slug": "twins"}, {"idempotency-key": "twins"}
    answers = await asyncio.gather(
        *(service.client.post("/v1/channels", json=body, headers=headers) for _ in range(20))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [answer.headers.get("idempotency-replayed") for answer in answers].count("true") == 19
    assert (await counts(service.tools))["channels"] == before["channels"] + 1


async def test_twins_of_a_request_that_fails(service: Service) -> None:
    """What failed is not kept: the next may try again, and each says itself what is wrong."""
    headers = {"idempotency-key": "fails"}
    body = {**CHANNEL, "slug": "fails", "categories": ["cs.XX"]}
    answers = await asyncio.gather(*(service.client.post("/v1/channels", json=body, headers=headers) for _ in range(5)))
    for answer in answers:
        problem(answer, 422, "unknown_category")
        assert "idempotency-replayed" not in answer.headers
    ok(await service.client.post("/v1/channels", json=CHANNEL | {"slug": "fails"}, headers=headers), 201)


async def test_what_failed_half_way_leaves_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the effect without the answer, nor the answer without the effect."""
    headers, body = {"idempotency-key": "half"}, {**CHANNEL, "slug": "half"}
    before = await counts(service.tools)

    async def broken(*_: Any) -> None:
        raise RuntimeError("the answer cannot be kept")

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "keep", broken)
        problem(await service.client.post("/v1/channels", json=body, headers=headers), 500, "internal_error")
    assert await counts(service.tools) == before
    answer = await service.client.post("/v1/channels", json=body, headers=headers)
    assert (answer.status_code, "idempotency-replayed" in answer.headers) == (201, False)


async def test_callers_do_not_share_keys(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path) as service:
        own = {"idempotency-key": "shared"}
        ok(await service.client.post("/v1/channels", json={**CHANNEL, "slug": "a"}, headers=own), 201)
        keys = [bearer(await a_key(service)) for _ in range(2)]
        for number, key in enumerate(keys):
            answer = await service.client.post(
                "/v1/channels", json={**CHANNEL, "slug": f"b{number}"}, headers=own | key
            )
            assert "idempotency-replayed" not in answer.headers
            ok(answer, 201)
        await execute(service.tools, "UPDATE api_keys SET revoked_at = now()")
        answer = await service.client.post("/v1/channels", json={**CHANNEL, "slug": "b0"}, headers=own | keys[0])
        problem(answer, 401, "invalid_key")
        reader = bearer(await a_key(service, Scope.READ))
        answer = await service.client.post("/v1/channels", json={**CHANNEL, "slug": "a"}, headers=own | reader)
        problem(answer, 403, "missing_scope")


@pytest.mark.parametrize("odd", [[""], [" "], ["a b"], ["x" * 256], ["x" * 100_000], ["é"], ["a\0b"], ["a\r\nset-cookie: x=1"],
                                 ["a", "b"], ["a", "a"], ["\x7f"]])  # fmt: skip
async def test_what_is_no_key(service: Service, odd: list[str]) -> None:
    before = await counts(service.tools)
    headers = [(b"idempotency-key", value.encode("latin-1")) for value in odd] + [
        (b"content-type", b"application/json")
    ]
    body = json.dumps({**CHANNEL, "slug": "odd"})
    answer = await service.client.post("/v1/channels", content=body, headers=headers)
    problem(answer, 400, "invalid_idempotency_key")
    assert await counts(service.tools) == before
    ok(await service.client.get("/v1/channels?limit=1", headers=headers))  # reading is always done again


async def test_what_only_admins_read_is_done_again_as_well(service: Service) -> None:
    for _ in range(2):
        answer = await service.client.get("/v1/keys", headers={"idempotency-key": "reading"})
        ok(answer)
        assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("usual", ["x", "x" * 255, "8e03978e-40d5-43e8-bc93-6894a57f9324", '"quoted"', "!~"])
async def test_what_is_a_key(service: Service, usual: str) -> None:
    body, headers = {**CHANNEL, "slug": f"usual-{abs(hash(usual))}"}, {"idempotency-key": usual}
    same(*[await service.client.post("/v1/channels", json=body, headers=headers) for _ in range(2)])


async def test_an_answer_is_kept_for_a_day(service: Service) -> None:
    headers, body = {"idempotency-key": "old"}, {**CHANNEL, "slug": "old"}
    ok(await service.client.post("/v1/channels", json=body, headers=headers), 201)
    older = "UPDATE idempotency_keys SET created_at = created_at - interval '{}' WHERE key = 'old'"
    await execute(service.tools, older.format("23 hours"))
    assert (await service.client.post("/v1/channels", json=body, headers=headers)).headers["idempotency-replayed"]
    await execute(service.tools, older.format("1 hour"))
    problem(await service.client.post("/v1/channels", json=body, headers=headers), 409)  # done anew, and it is there
    await execute(service.tools, older.format("24 hours"))
    async with service.tools.database.transaction() as session:
        await idempotency.clean_up(session)
        left = await session.scalars(
            text("SELECT key FROM idempotency_keys WHERE created_at < now() - interval '1 day'")
        )
        assert left.all() == []
    new = {**body, "slug": "newer"}
    assert "idempotency-replayed" not in (await service.client.post("/v1/channels", json=new, headers=headers)).headers


async def test_the_schedule_cleans_up(database_url: str, tmp_path: Path) -> None:
    """What nobody asks for any more: old answers, and the windows of callers who have gone."""
    async with running(database_url, tmp_path, rate_limit=Rate(100, 60)) as service:
        for slug in ("kept", "over", "dropped"):
            body, headers = {**CHANNEL, "slug": slug}, {"idempotency-key": slug}
            ok(await service.client.post("/v1/channels", json=body, headers=headers), 201)
        old = "UPDATE idempotency_keys SET created_at = now() - interval '25 hours' WHERE key = 'dropped'"
        await execute(service.tools, old)
        over = "UPDATE idempotency_keys SET created_at = now() - interval '24 hours' WHERE key = 'over'"
        await execute(service.tools, over)  # somebody may have been told a moment ago that it is there
        await execute(service.tools, "UPDATE rate_windows SET ends_at = now() - interval '1 second'")
        engine = build_app(service.tools, database_url)
        async with engine.open_async():
            await engine.tasks["clean_up"](timestamp=0)
        assert query(database_url, "SELECT key FROM idempotency_keys ORDER BY key") == ["kept", "over"]
        assert query(database_url, "SELECT subject FROM rate_windows") == []


async def test_an_answer_that_is_too_large_to_keep(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "MAX_BODY", 10)
    headers, body = {"idempotency-key": "large"}, {**CHANNEL, "slug": "large"}
    ok(await service.client.post("/v1/channels", json=body, headers=headers), 201)
    before = await counts(service.tools)
    problem(await service.client.post("/v1/channels", json=body, headers=headers), 409, "answer_not_kept")
    assert await counts(service.tools) == before


OURS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'zhaiyao'"
SLOW_COMMIT = """
    CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON channels DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION slow()
"""


def test_killed_in_the_middle_and_while_it_commits(database_url: str, tmp_path: Path) -> None:
    """A process that is killed while it works has done nothing; one that is killed while it commits has done it once."""
    zhaiyao = CommandLine(tmp_path, database_url=database_url, port=0)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = '{}'"

    def killed_while(event: str) -> None:
        api = zhaiyao.start("api")
        asking = threading.Thread(target=_post, args=(api.address(),))
        asking.start()
        wait_until(lambda: ask(database_url, waiting.format(event)) > 0, event)
        api.kill()
        asking.join()

    try:
        with held(database_url, "LOCK TABLE channels IN ACCESS EXCLUSIVE MODE"):
            killed_while("relation")
        wait_until(lambda: ask(database_url, OURS) == 0, "the connections of the killed process")
        assert query(database_url, "SELECT slug FROM channels WHERE slug = 'mine'") == []
        assert query(database_url, "SELECT key FROM idempotency_keys") == []
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(SLOW_COMMIT.encode())
        killed_while("PgSleep")
        # The server ends what it was told to commit; whoever asks again waits for that, and finds the answer.
        with httpx.Client(timeout=60) as client:
            again = _send(client, zhaiyao.start("api").address())
        assert (again.status_code, again.json()["slug"]) == (201, "mine")
        assert again.headers["idempotency-replayed"] == "true"
    finally:
        zhaiyao.end()


def _send(client: httpx.Client, address: str) -> httpx.Response:
    return client.post(f"{address}/v1/channels", json=CHANNEL, headers={"idempotency-key": "killed"})


def _post(address: str) -> None:
    with httpx.Client(timeout=60) as client, suppress(httpx.TransportError):  # the service is killed: nobody answers
        _send(client, address)
