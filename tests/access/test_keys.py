"""Keys: who may do what, with which key, and without one."""

import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from sqlalchemy import text

from app.api.access import require
from app.models import Scope
from app.postgres import EmbeddedPostgres
from tests.access.service import CHANNEL, FAR, a_key, bearer, counting, database, running
from tests.api import Service, caller, execute, ok, problem

OPEN = {"GET /healthz", "GET /readyz"}
READING = {"POST /v1/channels/preview", "POST /v1/papers/batch"}
"""What is a question although it is posted; everything else that is not GET needs ``write``."""

ADMIN = {
    "POST /v1/keys", "GET /v1/keys", "GET /v1/keys/{id}", "DELETE /v1/keys/{id}", "POST /v1/backlog/resume",
}  # fmt: skip
FILLED = {"{arxiv_id}": "2601.00001", "{slug}": "nothing-here", "{id}": "999999", "{format}": "md",
          "{language}": "zh", "{revision}": "1"}  # fmt: skip
PAGES = ("/", "/channels/cs.CL")


def needed(operation: str) -> Scope | None:
    """What this file says an operation needs: written down once more, so that no route is forgotten."""
    if operation in OPEN:
        return None
    if operation in ADMIN:
        return Scope.ADMIN
    return Scope.READ if operation.startswith("GET ") or operation in READING else Scope.WRITE


@pytest.fixture(scope="module")
async def service(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service that has keys, on an address that others reach."""
    with database(postgres, "access_keys") as url:
        async with running(url, tmp_path_factory.mktemp("keys"), host="0.0.0.0") as one:
            await a_key(one, Scope.ADMIN)
            yield one


@pytest.fixture(scope="module")
async def callers(service: Service) -> dict[str, dict[str, str]]:
    """Headers of every kind of caller."""
    expired = await a_key(service, Scope.ADMIN, expires_at=datetime.now(UTC) + timedelta(days=1))
    revoked = await a_key(service, Scope.ADMIN)
    await execute(
        service.tools,
        "UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE hint = :hint",
        hint=expired[:9],
    )
    await execute(service.tools, "UPDATE api_keys SET revoked_at = now() WHERE hint = :hint", hint=revoked[:9])
    good = {str(scope): bearer(await a_key(service, scope)) for scope in Scope}
    return {
        **good,
        "none": {},
        "expired": bearer(expired),
        "revoked": bearer(revoked),
        "wrong": bearer("zy_" + "x" * 43),
    }


def operations(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Every operation as (name, method, address)."""
    found = []
    for path, methods in document["paths"].items():
        address = path
        for name, value in FILLED.items():
            address = address.replace(name, value)
        found += [(f"{method.upper()} {path}", method.upper(), address) for method in methods]
    return found


@pytest.mark.parametrize("is_open", [True, False])
async def test_every_operation_for_every_kind_of_caller(
    service: Service, callers: dict[str, dict[str, str]], tmp_path: Path, is_open: bool
) -> None:
    """A new route is a reader's if it is GET and a writer's otherwise, or this file names it."""
    url, all_names = service.tools.database.url, set()
    async with running(url, tmp_path, host="0.0.0.0", public_read=is_open) as one:
        document = ok(await one.client.get("/openapi.json"))
        pages = [(f"GET {path}", "GET", path) for path in PAGES]
        for name, method, address in [*operations(document), *pages]:
            all_names.add(name)
            scope = needed(name)
            for kind, headers in callers.items():
                answer = await one.client.request(method, address, headers=headers)
                told = f"{name} by {kind}"
                if scope is None:
                    assert answer.status_code == 200, told
                elif kind in ("expired", "revoked", "wrong"):
                    problem(answer, 401, "invalid_key")
                    assert 'error="invalid_token"' in answer.headers["www-authenticate"], told
                elif kind == "none" and (scope is not Scope.READ or not is_open or name == "GET /v1/keys/me"):
                    problem(answer, 401, "key_required")
                    assert answer.headers["www-authenticate"] == 'Bearer realm="zhaiyao"', told
                elif kind == "none" or list(Scope).index(Scope(kind)) >= list(Scope).index(scope):
                    assert answer.status_code not in (401, 403), (told, answer.text)
                    assert answer.status_code < 500, (told, answer.text)
                else:
                    assert problem(answer, 403, "missing_scope")["scope"] == scope, told
                    assert f'scope="{scope}"' in answer.headers["www-authenticate"], told
    assert all_names >= ADMIN | READING | OPEN


async def test_the_document_says_what_each_operation_needs(service: Service) -> None:
    document = ok(await service.client.get("/openapi.json"))
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            scope = needed(f"{method.upper()} {path}")
            usual: list[dict[str, Any]] = [{}] if scope is Scope.READ else []
            assert operation["security"] == ([] if scope is None else [*usual, {"key": []}]), path
            assert operation.get("x-scope") == (None if scope is None else str(scope)), path


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/redoc", "/healthz", "/readyz"])
async def test_some_things_are_open_to_all(service: Service, tmp_path: Path, path: str) -> None:
    async with running(service.tools.database.url, tmp_path, public_read=False) as closed:
        for headers in ({}, bearer("zy_" + "x" * 43), {"authorization": "Basic eDp5"}):
            assert (await closed.client.get(path, headers=headers)).status_code == 200
            assert (await closed.client.head(path, headers=headers)).status_code == 200


ODD: dict[str, list[bytes]] = {
    "empty": [b""],
    "blank": [b"  "],
    "no key": [b"Bearer"],
    "an empty key": [b"Bearer "],
    "another scheme": [b"Basic eDp5"],
    "no scheme": [b"KEY"],
    "NUL": [b"Bearer KEY\0"],
    "a line break": [b"Bearer KEY\r\nset-cookie: x=1"],
    "100 kB": [b"Bearer " + b"x" * 100_000],
    "not ASCII": ["Bearer zy_é".encode()],
    "not UTF-8": [b"Bearer \xff\xfe"],
    "two keys": [b"Bearer KEY KEY"],
    "with a comma": [b"Bearer KEY, Bearer KEY"],
    "quoted": [b'Bearer "KEY"'],
    "too long": [b"Bearer KEYx"],
    "too short": [b"Bearer zy_"],
    "SQL": [b"Bearer ' OR '1'='1"],
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD.keys())
async def test_a_key_that_is_none_of_ours(
    service: Service, callers: dict[str, dict[str, str]], odd: list[bytes]
) -> None:
    secret = callers["admin"]["authorization"].removeprefix("Bearer ").encode()
    for method, path in (("GET", "/v1/papers"), ("POST", "/v1/keys"), ("GET", "/")):
        headers = [(b"authorization", value.replace(b"KEY", secret)) for value in odd]
        answer = await service.client.request(method, path, headers=headers)
        problem(answer, 401, "invalid_key")
        assert "set-cookie" not in answer.headers
        assert secret.decode() not in answer.text + str(answer.headers)


async def test_a_key_is_sent_once_and_in_its_header_only(service: Service, callers: dict[str, dict[str, str]]) -> None:
    value = callers["admin"]["authorization"]
    twice = [("authorization", value), ("authorization", value)]
    assert (
        "more than one" in problem(await service.client.get("/v1/papers", headers=twice), 400, "bad_request")["detail"]
    )
    secret = value.removeprefix("Bearer ")
    for name in ("key", "api_key", "access_token", "token"):
        problem(await service.client.get("/v1/keys", params={name: secret}), 401, "key_required")
    problem(await service.client.get("/v1/keys", headers={"cookie": f"key={secret}", "x-api-key": secret}), 401)
    ok(await service.client.get("/v1/keys", headers={"authorization": f"bEaReR  {secret}"}))


async def test_a_key_s_whole_life(service: Service, callers: dict[str, dict[str, str]], tmp_path: Path) -> None:
    admin = callers["admin"]
    ends = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    body = {"name": "mirror 镜像", "scope": "write", "expires_at": ends, "rate_limit": "50/second"}
    answer = await service.client.post("/v1/keys", json=body, headers=admin)
    made = ok(answer, 201)
    assert answer.headers["location"] == f"/v1/keys/{made['id']}"
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"zy_[A-Za-z0-9_-]{43}", made["key"])
    own = bearer(made.pop("key"))
    assert made == ok(await service.client.get(f"/v1/keys/{made['id']}", headers=admin))
    assert made in ok(await service.client.get("/v1/keys?limit=200", headers=admin))["items"]
    assert (made["scope"], made["rate_limit"], made["last_used_at"]) == ("write", "50/second", None)
    me = ok(await service.client.get("/v1/keys/me", headers=own))
    assert {**me, "last_used_at": None} == made
    async with running(service.tools.database.url, tmp_path, host="0.0.0.0") as other:
        slug = {**CHANNEL, "slug": "by-mirror"}
        ok(await other.client.post("/v1/channels", json=slug, headers=own), 201)
        revoked = ok(await other.client.delete(f"/v1/keys/{made['id']}", headers=admin))
        for one in (service, other):  # at once, in every process
            problem(await one.client.get("/v1/papers", headers=own), 401, "invalid_key")
        again = ok(await service.client.delete(f"/v1/keys/{made['id']}", headers=admin))
        assert again["revoked_at"] == revoked["revoked_at"] is not None
    problem(await service.client.delete("/v1/keys/987654", headers=admin), 404)


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": "x" * 101}, {"name": "a\nb"}, {"scope": "root"}, {"scope": None}, {"rate_limit": "lots"},
    {"rate_limit": "0/minute"}, {"rate_limit": "5/week"}, {"rate_limit": "-1/minute"}, {"expires_at": "tomorrow"},
    {"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2999-01-01T00:00:00Z"}, {"expires_at": "2027-01-01T00:00:00"},
    {"key": "zy_mine"}, {"id": 1},
])  # fmt: skip
async def test_a_key_that_cannot_be_made(
    service: Service, callers: dict[str, dict[str, str]], wrong: dict[str, Any]
) -> None:
    body = {"name": "never made", **wrong}
    problem(await service.client.post("/v1/keys", json=body, headers=callers["admin"]), 422)
    listed = ok(await service.client.get("/v1/keys?limit=200", headers=callers["admin"]))["items"]
    assert not [one for one in listed if one["name"] == body["name"]]


async def test_pages_of_keys(service: Service, callers: dict[str, dict[str, str]]) -> None:
    whole = ok(await service.client.get("/v1/keys?limit=200", headers=callers["admin"]))["items"]
    found, cursor = [], None
    while True:
        page = ok(await service.client.get("/v1/keys", params={"limit": 3} | ({"cursor": cursor} if cursor else {}),
                                           headers=callers["admin"]))  # fmt: skip
        found += page["items"]
        if (cursor := page["next_cursor"]) is None:
            break
    assert [one["id"] for one in found] == [one["id"] for one in whole]


async def test_only_a_hash_is_stored(service: Service, callers: dict[str, dict[str, str]]) -> None:
    """Also where a repetition could be answered from: the row of an Idempotency-Key."""
    headers = callers["admin"] | {"idempotency-key": "one-key"}
    first = ok(await service.client.post("/v1/keys", json={"name": "once"}, headers=headers), 201)
    again = await service.client.post("/v1/keys", json={"name": "once"}, headers=headers)
    assert ok(again, 201) == {**first, "key": None}
    async with service.tools.database.transaction() as session:
        tables = await session.scalars(
            text("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
        )
        for table in tables.all():
            rows = await session.scalars(text(f'SELECT "{table}"::text FROM "{table}"'))
            whole = "\n".join(rows.all())
            for secret in (first["key"], callers["admin"]["authorization"].removeprefix("Bearer ")):
                assert secret not in whole, table
                assert secret[10:].encode().hex() not in whole, table  # bytea is shown in hex


async def test_the_last_use_is_noted_once_a_minute_and_a_keyed_request_is_one_statement(service: Service) -> None:
    headers = bearer(await a_key(service, Scope.READ))
    used = [ok(await service.client.get("/v1/keys/me", headers=headers))["last_used_at"] for _ in range(3)]
    assert used[0] is None
    assert used[1] == used[2] is not None
    with counting(service) as asked:
        for _ in range(5):
            ok(await service.client.get("/v1/keys/me", headers=headers))
    assert asked.count == 5
    await execute(service.tools, "UPDATE api_keys SET last_used_at = last_used_at - interval '61 seconds'")
    await service.client.get("/v1/keys/me", headers=headers)
    assert ok(await service.client.get("/v1/keys/me", headers=headers))["last_used_at"] >= used[1]


async def test_a_key_is_found_by_an_index(service: Service) -> None:
    async with service.tools.database.transaction() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = await session.scalars(text("EXPLAIN SELECT id FROM api_keys WHERE hash = '\\x00'"))
        assert "Index" in "\n".join(plan.all())


# Without a key


async def test_a_service_for_its_own_machine_needs_no_key_until_there_is_one(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path) as service:
        ok(await service.client.post("/v1/channels", json=CHANNEL), 201)
        problem(await service.client.get("/v1/keys/me"), 401, "key_required")
        made = ok(await service.client.post("/v1/keys", json={"name": "first", "scope": "admin"}), 201)
        own = bearer(made["key"])
        body = {**CHANNEL, "slug": "second"}
        told = problem(await service.client.post("/v1/channels", json=body), 401, "key_required")
        assert "keys create" in told["detail"]
        problem(await service.client.get("/v1/keys"), 401, "key_required")
        ok(await service.client.get("/v1/channels"))
        ok(await service.client.post("/v1/channels", json=body, headers=own), 201)
        # The end of a key does not open what it closed.
        ok(await service.client.delete(f"/v1/keys/{made['id']}", headers=own))
        problem(await service.client.post("/v1/channels", json={**CHANNEL, "slug": "third"}), 401, "key_required")


async def test_a_service_that_others_reach_takes_no_write_without_a_key(database_url: str, tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "zhaiyao.example.org", ""):
        async with running(database_url, tmp_path, host=host) as service:
            told = problem(await service.client.post("/v1/channels", json=CHANNEL), 401, "key_required")
            assert "zhaiyao keys create" in told["detail"]
    for host in ("127.0.0.1", "::1", "localhost", "127.8.8.8"):
        async with running(database_url, tmp_path, host=host) as service:
            problem(await service.client.post("/v1/channels", json={}), 422)


@pytest.mark.parametrize("headers", [
    {"host": "evil.example"}, {"host": "evil.example:8000"}, {"host": "localhost.evil.example"}, {"host": "192.168.1.5:8000"},
    {"host": "127.0.0.1.evil.example"}, {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://[::1"},
    {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}, {"via": "1.1 proxy"}, {"x-real-ip": "127.0.0.1"},
    {"origin": "http://localhost.evil.example"}, {"origin": "chrome-extension://x"}, {"origin": ""},
])  # fmt: skip
async def test_what_does_not_come_from_this_machine_s_user(
    database_url: str, tmp_path: Path, headers: dict[str, str]
) -> None:
    """Pages of other sites, also under a name that was made to lead here, and callers behind a proxy here."""
    async with running(database_url, tmp_path) as service:
        problem(await service.client.post("/v1/channels", json=CHANNEL, headers=headers), 403, "writing_is_local")
        ok(await service.client.get("/v1/channels?limit=1", headers=headers))
        key = bearer(await a_key(service))  # which nobody's browser sends by itself
        ok(await service.client.post("/v1/channels", json=CHANNEL, headers=headers | key), 201)
        async with caller(service.app, FAR) as far:
            problem(await far.post("/v1/channels", json=CHANNEL), 403, "writing_is_local")


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "zhaiyao.localhost", "zhaiyao.test", "LOCALHOST"]
)
async def test_names_of_this_machine(database_url: str, tmp_path: Path, host: str) -> None:
    async with running(database_url, tmp_path) as service:
        ok(await service.client.post("/v1/channels", json=CHANNEL, headers={"host": host}), 201)


async def test_closed_reading_is_closed_for_everybody_without_a_key(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path, public_read=False) as service:
        for path in ("/v1/papers", "/", "/v1/channels/cs.CL/feed.atom", "/nothing", "/v1/channels/cs.CL/latest.md"):
            problem(await service.client.get(path), 401, "key_required")
            assert (await service.client.head(path)).status_code == 401
        problem(await service.client.post("/v1/channels", json=CHANNEL), 401, "key_required")
        problem(await service.client.post("/v1/channels/preview", json={}), 401, "key_required")
        key = bearer(await a_key(service, Scope.READ))
        ok(await service.client.get("/v1/papers", headers=key))
        assert (await service.client.get("/", headers=key)).status_code == 200
        feed = await service.client.get("/v1/channels/cs.CL/feed.atom", headers=key)
        assert feed.headers["cache-control"] == "private, max-age=300"  # no cache gives it to others


async def test_the_command_line_makes_lists_and_revokes(database_url: str, tmp_path: Path) -> None:
    import asyncio
    import os
    import sys

    async def zhaiyao(*words: str) -> tuple[int, str, str]:
        environment = {"PATH": os.environ["PATH"], "ZHAIYAO_DATABASE_URL": database_url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "keys", *words, env=environment, stdout=-1, stderr=-1,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    made, wrong, worse = await asyncio.gather(
        zhaiyao("create", "nightly mirror", "--scope", "write", "--expires", "90d", "--rate-limit", "5/minute"),
        zhaiyao("create", "x", "--expires", "soon"),
        zhaiyao("create", "x", "--scope", "root"),
    )
    assert made[0] == 0, made
    secret = made[1].strip()
    assert secret not in made[2]
    for code, out, err in (wrong, worse):
        assert (code, out) == (1, "")
        assert len(err.splitlines()) == 1, err
    async with running(database_url, tmp_path, host="0.0.0.0") as service:
        ok(await service.client.post("/v1/channels", json=CHANNEL, headers=bearer(secret)), 201)
        listed = json.loads((await zhaiyao("list", "--json"))[1])
        assert [(one["name"], one["scope"], one["rate_limit"]) for one in listed] == [
            ("nightly mirror", "write", "5/minute")
        ]
        days = datetime.fromisoformat(listed[0]["expires_at"]) - datetime.now(UTC)
        assert timedelta(days=89) < days < timedelta(days=90)
        shown = (await zhaiyao("list"))[1]
        assert secret[:9] in shown
        assert secret not in shown
        revoked = await zhaiyao("revoke", str(listed[0]["id"]), "--json")
        assert json.loads(revoked[1])["revoked_at"]
        problem(await service.client.get("/v1/papers", headers=bearer(secret)), 401)


async def test_a_part_of_a_route_may_need_more(database_url: str, tmp_path: Path) -> None:
    async def read(request: Request, more: bool = False) -> dict[str, bool]:
        if more:
            await require(request, Scope.WRITE)
        return {"more": more}

    async with running(database_url, tmp_path) as local, running(database_url, tmp_path, host="0.0.0.0") as far:
        for service in (local, far):
            service.app.add_api_route("/v1/parts", read)
            ok(await service.client.get("/v1/parts"))
        ok(await local.client.get("/v1/parts?more=true"))
        problem(await far.client.get("/v1/parts?more=true"), 401, "key_required")
        for scope, status in ((Scope.READ, 403), (Scope.WRITE, 200), (Scope.ADMIN, 200)):
            answer = await far.client.get("/v1/parts?more=true", headers=bearer(await a_key(far, scope)))
            assert answer.status_code == status
        problem(await local.client.get("/v1/parts?more=true"), 401, "key_required")
