"""No secret in anything that is answered or logged, whatever goes wrong."""

import asyncio
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from app import log
from app.models import Scope
from tests.access.service import CHANNEL, FAR, a_key, bearer, running
from tests.api import caller, execute
from tests.process_tools import CommandLine

PASSWORD = "s3cret-of-the-database"
WRONG = "zy_" + "W" * 43
OWN = "what-a-caller-sends-is-not-for-the-log"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that the process logs, as it would be on standard error, down to the last detail."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.getLogger("app").level
    stream = io.StringIO()
    log.configure("debug")
    root.handlers[0].setStream(stream)  # type: ignore[attr-defined]
    yield stream
    root.handlers[:], root.level = before[0], before[1]
    logging.getLogger("app").setLevel(before[2])


async def test_a_run_with_keys_wrong_keys_and_failures(
    database_url: str, tmp_path: Path, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[httpx.Response] = []
    async with running(database_url, tmp_path, host="0.0.0.0") as service:
        admin = await a_key(service, Scope.ADMIN)
        reader, revoked = await a_key(service, Scope.READ), await a_key(service)
        await execute(service.tools, "UPDATE api_keys SET revoked_at = now() WHERE hint = :hint", hint=revoked[:9])
        secrets = [admin, reader, revoked, WRONG, WRONG[:-1] + "!"]
        async with caller(service.app, FAR) as far:
            for client in (service.client, far):
                for secret in secrets:
                    for method, path in (
                        ("GET", "/v1/keys"),
                        ("GET", f"/v1/papers?key={'x'}"),
                        ("POST", "/v1/channels"),
                    ):
                        logging.getLogger("uvicorn.access").debug("GET /v1/papers?key=%s", secret)
                        answers.append(await client.request(method, path, headers=bearer(secret), json=CHANNEL))
        created = await service.client.post("/v1/keys", json={"name": "new"}, headers=bearer(admin))
        secrets.append(created.json()["key"])

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("broken")

        with monkeypatch.context() as patched:
            patched.setattr("app.channels.list_channels", broken)
            answers.append(await service.client.get("/v1/channels", headers=bearer(admin)))
        async with service.tools.database.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE api_keys RENAME COLUMN last_used_at TO hidden")
        answers += [await service.client.get("/v1/keys", headers=bearer(one)) for one in (admin, WRONG)]
        async with service.tools.database.engine.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE api_keys RENAME COLUMN hidden TO last_used_at")
            await connection.exec_driver_sql("ALTER TABLE idempotency_keys RENAME COLUMN body TO hidden")
        for own in (WRONG, OWN):
            once = bearer(admin) | {"idempotency-key": own}
            answers.append(await service.client.post("/v1/channels", json=CHANNEL, headers=once))
            assert answers[-1].status_code == 500
    async with running(f"postgresql://me:{PASSWORD}@127.0.0.1:9/x", tmp_path, host="0.0.0.0") as service:
        answers += [await service.client.get(path, headers=bearer(admin)) for path in ("/v1/papers", "/readyz", "/")]
    assert {answer.status_code for answer in answers} >= {200, 201, 401, 403, 500, 503}
    secrets += [PASSWORD, OWN]
    whole = logged.getvalue()
    assert "unexpected error" in whole
    for text in [whole, *(answer.text + str(answer.headers) for answer in answers)]:
        for secret in secrets:
            assert secret not in text
            assert secret[12:40] not in text


async def test_every_line_that_is_logged_has_its_request(
    database_url: str, tmp_path: Path, logged: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        await asyncio.sleep(0.01)
        raise RuntimeError("broken")

    async with running(database_url, tmp_path) as service:
        monkeypatch.setattr("app.channels.list_channels", broken)
        names = [f"request-{number}" for number in range(5)]
        logged.truncate(0)
        await asyncio.gather(*(service.client.get("/v1/channels", headers={"x-request-id": name}) for name in names))
    found = re.findall(r"ERROR app\.api\.problems \[(request-\d)\]: unexpected error", logged.getvalue())
    assert sorted(found) == names


def test_doctor_shows_the_new_settings_and_no_secret(database_url: str, tmp_path: Path) -> None:
    zhaiyao = CommandLine(
        tmp_path,
        database_url=database_url,
        rate_limit="10/second",
        trusted_proxies="127.0.0.1, 10.0.0.0/8",
        cors_origins="https://a.example",
    )
    done = zhaiyao.run("doctor")
    assert done.code == 0, done
    for line in ("ZHAIYAO_RATE_LIMIT=10/second", "ZHAIYAO_TRUSTED_PROXIES=127.0.0.1/32,10.0.0.0/8", "ZHAIYAO_PUBLIC_READ=True",
                 "ZHAIYAO_CORS_ORIGINS=https://a.example", "ZHAIYAO_REQUEST_TIMEOUT=30", "ZHAIYAO_KEY_RATE_LIMIT="):  # fmt: skip
        assert line in done.out.splitlines()


def test_nothing_of_a_key_is_in_a_dump_of_the_database(database_url: str) -> None:
    """The columns of the table, by name: a new one must say here what it holds."""
    with psycopg.connect(database_url) as connection:
        columns = connection.execute("SELECT column_name FROM information_schema.columns WHERE table_name = 'api_keys'")
        assert {row[0] for row in columns} == {
            "id", "name", "hash", "hint", "scope", "rate_limit", "created_at", "expires_at", "revoked_at", "last_used_at"
        }  # fmt: skip
