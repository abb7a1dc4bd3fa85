"""The API under attack: whatever comes in, the answer is a plain refusal, and nothing is left half-stored."""

import asyncio
import gzip
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from app import papers
from app.api.bodies import MAX_BODY, MAX_DEPTH
from app.api.paging import Cursors
from app.ingestion import Tools
from app.main import create_app
from app.papers import PaperFilter
from app.postgres import EmbeddedPostgres
from app.shared_secrets import CURSORS, get_secret
from tests.api import Service, caller, counts, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item

IDS = [f"2601.95{n:03}" for n in range(1, 9)]
JSON = {"content-type": "application/json"}

CHANNEL: dict[str, Any] = {
    "slug": "mine", "title": "Mine", "categories": ["cs.CL"], "announce_types": ["new"], "language": "zh"
}  # fmt: skip
DIGEST: dict[str, Any] = {"channel": "cs.CL", "date": "2026-01-13", "language": "zh"}
OVER_PAPERS: dict[str, Any] = {"paper_ids": IDS[:2], "title": "Two", "language": "en"}
INGESTION: dict[str, Any] = {"category": "cs.CL"}
HARVEST: dict[str, Any] = {"set": "cs:cs:CL", "from": "2026-01-05", "until": "2026-01-13", "format": "arXivRaw"}
FETCH: dict[str, Any] = {"ids": IDS[:2]}
PREVIEW: dict[str, Any] = {"categories": ["cs.CL"], "announce_types": ["new"], "language": "zh", "days": 7}
SUMMARY: dict[str, Any] = {"language": "zh"}
WRITES = {
    "/v1/channels": CHANNEL, "/v1/digests": DIGEST, "/v1/ingestions": INGESTION, "/v1/harvests": HARVEST,
    "/v1/papers/fetch": FETCH, "/v1/channels/preview": PREVIEW, "/v1/papers/2601.95001/summaries": SUMMARY,
}  # fmt: skip
STORING = {path: body for path, body in WRITES.items() if body is not PREVIEW}
"""Those that are more than a question that is too long for an address."""


@pytest.fixture(scope="module")
async def service(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with eight papers. What a test does to it is measured by that test alone."""
    _execute(postgres, f"CREATE DATABASE hostile TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    folder = tmp_path_factory.mktemp("hostile")
    async with serving(postgres.url("hostile"), folder) as running:
        await store(running.tools, folder, "cs.CL", TUESDAY, *(Item(arxiv_id) for arxiv_id in IDS))
        ok(await running.client.post("/v1/digests", json=DIGEST), 201)
        yield running
    _execute(postgres, "DROP DATABASE hostile WITH (FORCE)")


@pytest.fixture
async def digest_id(service: Service) -> str:
    """A digest that is there."""
    return str(ok(await service.client.post("/v1/digests", json=DIGEST))["id"])


@asynccontextmanager
async def nothing_stored(tools: Tools) -> AsyncIterator[None]:
    """Whatever happens inside stores nothing."""
    before = await counts(tools)
    yield
    assert await counts(tools) == before


def harmless(answer: httpx.Response) -> None:
    """No error of ours, a problem if it is an error of theirs, and no header that they wrote."""
    assert answer.status_code < 500, (answer.request.url, answer.text[:500])
    assert "set-cookie" not in answer.headers
    assert "root:" not in answer.text
    if answer.status_code >= 400:
        problem(answer, answer.status_code)


# Parameters without effect

SHARED = {
    "/v1/channels/{slug}/feed.{format}",
    "/v1/channels/{slug}/latest",
    "/v1/channels/{slug}/latest.{format}",
    "/v1/digests/{id}",
    "/v1/digests/{id}.{format}",
}
"""What people pass on, and lengthen: it passes over what it does not know."""


async def test_a_parameter_that_would_be_without_effect_is_refused(service: Service) -> None:
    """Everywhere, whoever reads the address: what an operation knows is what the document says of it."""
    filled = {"arxiv_id": IDS[0], "slug": "cs.CL", "language": "zh", "revision": "1", "id": "1", "format": "md"}
    operations = [
        (method, path, operation)
        for path, methods in service.app.openapi()["paths"].items()
        for method, operation in methods.items()
        if path.startswith("/v1/") and path not in SHARED
    ]
    assert len(operations) > 40
    for method, path, operation in operations:

        async def ask(query: str, method: str = method, path: str = path) -> list[dict[str, Any]]:
            answer = await service.client.request(method, f"{path.format(**filled)}?{query}", json={})
            return list(problem(answer, 422, "invalid_request")["errors"])

        known = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
        [unknown] = await ask("nonsense=1")
        assert (unknown["field"], unknown["type"]) == ("query.nonsense", "extra_forbidden"), path
        assert unknown["message"].endswith(f"there are {', '.join(one['name'] for one in known) or 'none'}"), path
        for parameter in known:
            name = parameter["name"]
            if "array" in str(parameter["schema"]):
                errors = await ask(f"{name}=&{name}=&nonsense=1")
                assert "repeated" not in {error["type"] for error in errors}, (path, name)
            else:
                [twice] = await ask(f"{name}=1&{name}=1")
                assert (twice["field"], twice["type"]) == (f"query.{name}", "repeated"), (path, name)


async def test_parameters_are_known_without_the_document(service: Service) -> None:
    """It takes half a second to be made, and memory, which only those who ask for it should cost."""
    app = create_app(service.tools)
    async with caller(app) as client:
        ok(await client.get("/v1/channels", params={"builtin": True}))
    assert app.openapi_schema is None


# Strings where they do not belong

TEXTS = {
    "empty": "",
    "blank": " ",
    "SQL": "'; DROP TABLE papers; --",
    "SQL that is true": "x' OR '1'='1",
    "HTML": "<script>alert(1)</script>",
    "path": "../../../../etc/passwd",
    "Windows path": "..\\..\\windows\\win.ini",
    "format": "%s%n%x{0.__class__.__mro__}${7*7}{{7*7}}",
    "LIKE": "%_*?[a-z]\\",
    "header": "x\r\nSet-Cookie: stolen=1\r\n\r\n",
    "10 kB": "a" * 10_000,
    "digits": "9" * 5_000,
    "negative": "-9223372036854775809",
    "beyond int64": "9223372036854775808",
    "exponent": "1e999",
    "not a number": "NaN",
    "other digits": "٣٤",
    "right to left": "\u202egnp.exe\u202c \u05e9\u05dc\u05d5\u05dd",
    "emoji": "👩‍👩‍👧🏳️‍🌈",
    "combining": "Z\u0351\u036b\u0343\u036a\u0302\u036b" * 20,
    "not a character": "\uffff\U0010ffff\ufeff",
    "null": "null",
    "object": '{"$gt": ""}',
    "day zero": "0000-00-00",
    "first day": "0001-01-01",
    "last day": "9999-12-31",
    "year 10000": "10000-01-01",
    "infinity": "infinity",
    "instant": "2026-01-13T00:00:00Z",
    "seconds": "1768262400",
    "comma": ",,,",
    "dot": ".",
    "brackets": "[::1]:80",
}
ENCODED = [
    "%ED%A0%80",
    "%E9",
    "%FF%FE",
    "%C0%AF",
    "%2500",
    "%25",
    "%",
    "%zz",
    "%0A",
    "%7F",
    "%2F%2F",
    "..%2f..%2fetc%2fpasswd",
]

SEGMENTS = [
    "/v1/papers/{}", "/v1/channels/{}", "/v1/channels/{}/latest.md", "/v1/channels/cs.CL/latest.{}", "/v1/digests/{}",
    "/v1/digests/{}.md", "/v1/digests/x.{}", "/v1/jobs/{}", "/v1/harvests/{}", "/v1/papers/{}/summaries", "/v1/{}", "/{}",
]  # fmt: skip

PARAMETERS = {
    "/v1/papers": ["category", "announced_from", "announced_to", "announce_type", "submitted_from", "submitted_to",
                   "withdrawn", "ids", "limit", "cursor", "unknown"],
    "/v1/listings": ["category", "announced_from", "announced_to", "state", "complete", "limit", "cursor"],
    "/v1/stats": ["category", "announced_from", "announced_to", "language", "limit"],
    "/v1/freshness": ["category"],
    "/v1/calendar": ["year"],
    "/v1/fetches": ["source", "target", "outcome", "limit", "cursor"],
    "/v1/harvests": ["limit", "cursor"],
    "/v1/ingestions": ["category", "state", "limit", "cursor"],
    "/v1/summaries": ["status", "origin", "language", "reason", "check", "limit", "cursor"],
    "/v1/papers/2601.95001/summaries": ["language"],
    "/v1/backlog": ["digest"],
    "/v1/jobs": ["kind", "status", "limit", "cursor"],
    "/v1/channels": ["builtin", "limit", "cursor"],
    "/v1/digests": ["channel", "language", "limit", "cursor"],
    "/v1/channels/cs.CL/latest.md": ["language", "style"],
    "/v1/digests/{digest_id}": ["revision"],
    "/v1/digests/{digest_id}.md": ["revision", "style"],
}  # fmt: skip


@pytest.mark.parametrize("address", SEGMENTS)
async def test_any_text_in_a_path(service: Service, address: str) -> None:
    async with nothing_stored(service.tools):
        for text in [quote(text, safe="") for text in TEXTS.values()] + ENCODED:
            harmless(await service.client.get(address.format(text)))
        for text in ("../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "a/b/c"):
            answer = await service.client.get(address.format(text))
            harmless(answer)
            assert answer.status_code >= 400


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, names in PARAMETERS.items() for name in names])
async def test_any_text_in_a_parameter(service: Service, digest_id: str, path: str, name: str) -> None:
    address = path.format(digest_id=digest_id)
    async with nothing_stored(service.tools):
        for text in TEXTS.values():
            harmless(await service.client.get(f"{address}?{name}={quote(text, safe='')}"))
        harmless(await service.client.get(f"{address}?" + "&".join(f"{text}={text}&{name}={text}" for text in ENCODED)))


@pytest.mark.parametrize("address", [*SEGMENTS, *(f"{path}?{names[0]}={{}}" for path, names in PARAMETERS.items())])
async def test_nul_in_an_address(service: Service, address: str) -> None:
    for text in ("%00", "a%00b", "cs.CL%00"):
        answer = await service.client.get(address.replace("{digest_id}", "x").format(text))
        assert "NUL" in problem(answer, 400, "bad_request")["detail"]


@pytest.mark.parametrize("address", [*SEGMENTS, *PARAMETERS, "/healthz"])
@pytest.mark.parametrize("odd", ["%0A", "%0D%0Aset-cookie:x=1", "%1B[2J", "%7F", "%C2%9B"])
async def test_a_control_character_in_a_path(service: Service, address: str, odd: str) -> None:
    """A line break at its end is an end, too, for the patterns of routes; and paths are repeated in links."""
    path = address.replace("{digest_id}", "x").format("x")
    problem(await service.client.get(f"{path}{odd}?limit=1"), 400, "bad_request")


@pytest.mark.parametrize("name", ["fields", "ids", "announce_type", "include"])
async def test_a_list_in_an_address_has_an_end(service: Service, name: str) -> None:
    answer = await service.client.get(f"/v1/papers?{name}={',' * 16_000}")
    found = problem(answer, 422, "invalid_request")
    assert "1,000 values" in found["detail"]
    assert len(found["errors"]) == 1


@pytest.mark.parametrize("parameter", ["summaries?reason", "summaries?check", "fetches?target", "papers?category"])
async def test_a_filter_that_says_nothing_is_refused(service: Service, parameter: str) -> None:
    answer = await service.client.get(f"/v1/{parameter}=")
    assert 400 <= problem(answer, answer.status_code)["status"] < 500


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_an_instant_that_utc_does_not_have(service: Service, instant: str) -> None:
    problem(await service.client.get("/v1/changes", params={"since": instant}), 422, "invalid_request")
    key = {"name": "late", "scope": "read", "expires_at": instant}
    async with nothing_stored(service.tools):
        problem(await service.client.post("/v1/keys", json=key), 422, "invalid_request")


@pytest.mark.parametrize(("field", "wrong"), [
    ("announced_from", "0000-00-00"), ("announced_from", "2026-02-30"), ("announced_from", "10000-01-01"),
    ("announced_from", "0"), ("announced_from", "1768262400"), ("announced_to", "2026-01-13T00:00:00Z"),
    ("announced_to", "20260113"), ("announced_to", "13.01.2026"), ("announced_to", "٢٠٢٦-٠١-١٣"), ("announced_to", ""),
])  # fmt: skip
async def test_a_day_is_written_as_a_day(service: Service, field: str, wrong: str) -> None:
    for path in ("/v1/papers", "/v1/listings", "/v1/stats"):
        body = problem(await service.client.get(path, params={field: wrong}), 422, "invalid_request")
        assert body["errors"][0]["field"] == f"query.{field}"
        assert "2026-01-13" in body["detail"]
    submitted = {field.replace("announced", "submitted"): wrong}
    assert "2026-01-13" in problem(await service.client.get("/v1/papers", params=submitted), 422)["detail"]
    name = {"announced_from": "from", "announced_to": "to"}[field]
    answer = await service.client.post("/v1/digests", json={"channel": "cs.CL", name: wrong})
    assert "2026-01-13" in problem(answer, 422, "invalid_request")["detail"]


@pytest.mark.parametrize("job", ["0", "-1", "9223372036854775808", "1" * 100, "1.5", "0x10", "١", "abc", "true", "%20"])
async def test_numbers_that_are_no_job_or_harvest(service: Service, job: str) -> None:
    for path in ("/v1/jobs", "/v1/harvests"):
        problem(await service.client.get(f"{path}/{job}"), 422, "invalid_request")
        problem(await service.client.get(f"{path}/9223372036854775807"), 404, "not_found")


@pytest.mark.parametrize("revision", ["0", "-1", "2147483648", "9" * 4_301, "x", "1.5", ""])
async def test_numbers_that_are_no_revision(service: Service, digest_id: str, revision: str) -> None:
    for address in (f"/v1/digests/{digest_id}", f"/v1/digests/{digest_id}.html"):
        problem(await service.client.get(address, params={"revision": revision}), 422, "invalid_request")
        problem(await service.client.get(address, params={"revision": 2**31 - 1}), 404, "not_found")


KEYS: list[Any] = [
    -1, 2**63, 10**400, 1.5, True, "", "x" * 101, "a\0b", "\ud800", "é", [], {}, [1, 2], ["2026-01-13"],
    ["2026-02-30", "cs.CL"], ["2026-01-13", 5], ["2026-01-13", "cs.CL", "x"], {"$gt": ""}, [[[[[]]]]],
]  # fmt: skip


@pytest.mark.parametrize(("path", "query"), [
    ("/v1/papers", ["papers", repr(PaperFilter()), "id", "desc"]),
    ("/v1/listings", ["listings", *[None] * 5]),
    ("/v1/fetches", ["fetches", None, None, None]),
    ("/v1/harvests", ["harvests"]),
    ("/v1/ingestions", ["ingestions", None, None]),
    ("/v1/channels", ["channels", None]),
    ("/v1/digests", ["digests", None, None]),
])  # fmt: skip
async def test_a_forged_cursor_is_refused(service: Service, path: str, query: list[Any]) -> None:
    """Whoever reads the source can make one, but not sign it; and what is signed is an input like any other."""
    async with service.tools.database.transaction() as session:
        secret = await get_secret(session, CURSORS)
    for key in KEYS:
        for signer in (Cursors(bytes(32)), Cursors(secret)):
            cursor = signer.encode(key, query)
            assert cursor
            answer = await service.client.get(path, params={"cursor": cursor})
            harmless(answer)
            assert answer.status_code == 400 or (signer.key == secret and isinstance(key, str | bool))


# Bodies


def raw(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


BODIES: dict[str, tuple[Callable[[dict[str, Any]], bytes], int]] = {
    "nothing": (lambda body: b"", 422),
    "null": (lambda body: b"null", 422),
    "a number": (lambda body: b"5", 422),
    "a string": (lambda body: b'"cs.CL"', 422),
    "a list": (lambda body: b"[" + raw(body) + b"]", 422),
    "blanks": (lambda body: b"  \n ", 400),
    "half": (lambda body: raw(body)[:-3], 400),
    "twice": (lambda body: raw(body) * 2, 400),
    "single quotes": (lambda body: str(body).encode(), 400),
    "a trailing comma": (lambda body: raw(body)[:-1] + b",}", 400),
    "a comment": (lambda body: raw(body) + b" // hello", 400),
    "NUL after it": (lambda body: raw(body) + b"\0", 400),
    "raw NUL in a string": (lambda body: b'{"x": "\0"}', 400),
    "UTF-8 with a mark": (lambda body: b"\xef\xbb\xbf" + raw(body), 400),
    "UTF-16": (lambda body: raw(body).decode().encode("utf-16"), 400),
    "UTF-16 without a mark": (lambda body: raw(body).decode().encode("utf-16-le"), 400),
    "UTF-32": (lambda body: raw(body).decode().encode("utf-32"), 400),
    "Latin-1": (lambda body: '{"title": "é"}'.encode("latin-1"), 400),
    "Shift JIS": (lambda body: '{"title": "摘要"}'.encode("shift-jis"), 400),
    "broken UTF-8": (lambda body: b'{"title": "\xc3"}', 400),
    "overlong UTF-8": (lambda body: b'{"title": "\xc0\xaf"}', 400),
    "a surrogate in UTF-8": (lambda body: b'{"title": "\xed\xa0\x80"}', 400),
    "compressed": (lambda body: gzip.compress(raw(body)), 400),
    "NaN": (lambda body: b'{"title": NaN}', 400),
    "Infinity": (lambda body: b'{"title": -Infinity}', 400),
    "5,000 digits": (lambda body: b'{"title": ' + b"9" * 5_000 + b"}", 400),
    "4,000 digits": (lambda body: b'{"title": ' + b"9" * 4_000 + b"}", 422),
    "1e999": (lambda body: b'{"title": 1e999}', 422),
    "the same key twice": (lambda body: raw(body)[:-1] + b', "slug": "a", "slug": "b"}', 400),
    "the same key twice, deep": (lambda body: b'{"title": [{"a": 1, "\\u0061": 2}]}', 400),
    "20,000 unknown fields": (lambda body: raw({f"k{n}": n for n in range(20_000)}), 422),
    "30,000 unknown fields": (lambda body: raw({f"k{n}": n for n in range(30_000)}), 400),
    "300,000 lists": (lambda body: b'{"categories": [' + b"[]," * 300_000 + b"[]]}", 400),
    "a text of commas": (lambda body: raw({"title": "," * 900_000}), 422),
    "an unknown field of 900 kB": (lambda body: raw(body | {"k" * 900_000: 1}), 422),
    "a prototype": (lambda body: raw(body | {"__proto__": {"admin": True}, "__class__": "x"}), 422),
    "as deep as can be": (lambda body: b'{"title": ' + b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1) + b"}", 422),
    "one level too deep": (lambda body: b'{"title": ' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", 400),
    "one level too deep, of objects": (lambda body: b'{"a":' * MAX_DEPTH + b"{}" + b"}" * MAX_DEPTH, 400),
    "nested 900 deep": (lambda body: b'{"title": ' + b"[" * 900 + b"]" * 900 + b"}", 400),
    "nested 100,000 deep": (lambda body: b"[" * 100_000 + b"]" * 100_000, 400),
    "nested without an end": (lambda body: b'{"a":' * 100_000, 400),
    "one byte too many": (lambda body: b" " * (MAX_BODY - len(raw(body)) + 1) + raw(body), 413),
    "10 MB": (lambda body: b'{"title": "' + b"x" * 10_000_000 + b'"}', 413),
    "10 MB of nothing": (lambda body: b"\0" * 10_000_000, 413),
}  # fmt: skip


@pytest.mark.parametrize(("make", "status"), BODIES.values(), ids=BODIES.keys())
async def test_a_body_that_cannot_be_read(
    service: Service, make: Callable[[dict[str, Any]], bytes], status: int
) -> None:
    async with nothing_stored(service.tools):
        for path, body in WRITES.items():
            answer = await service.client.post(path, content=make(body), headers=JSON)
            problem(answer, status)
            assert len(answer.content) < 5_000


def members(value: Any) -> Iterator[Any]:
    """A body with each of its strings, keys included, replaced by one that holds what no text may."""
    for bad in ("\ud800", "a\udfffb", "\ude00\ud83d", "\0", "a\0b"):
        for name, member in value.items():
            yield {**value, name: bad} if not isinstance(member, list) else {**value, name: [*member, bad]}
        yield {**value, bad: 1}
        yield {**value, "title": [[{"deep": {"deeper": bad}}]]}


@pytest.mark.parametrize("path", WRITES)
async def test_strings_that_no_database_takes(service: Service, path: str) -> None:
    async with nothing_stored(service.tools):
        for body in members(WRITES[path]):
            problem(await service.client.post(path, content=raw(body), headers=JSON), 400, "bad_json")
    whole = {**CHANNEL, "slug": f"emoji-{path.rsplit('/', 1)[1]}", "title": "\U0001f642"}
    assert b"\\ud83d\\ude42" in raw(whole)  # two escapes that are one character are no half pair
    assert ok(await service.client.post("/v1/channels", content=raw(whole), headers=JSON), 201)["title"] == "🙂"


async def test_no_depth_is_too_deep(service: Service) -> None:
    """Where reading just succeeds, whatever comes after it must succeed, too."""
    async with nothing_stored(service.tools):
        for depth in [*range(850, 1_010), 5_000, 50_000]:
            for opening, closing in (("[", "]"), ('{"\\u0041":', "}")):
                content = '{"title": ' + opening * depth + "1" + closing * depth + "}"
                answer = await service.client.post("/v1/channels", content=content.encode(), headers=JSON)
                assert "nested too deeply" in problem(answer, 400, "bad_json")["detail"], depth


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "json",
        "",
        "application/jsonx",
    ],
)
async def test_a_body_that_is_not_said_to_be_json(service: Service, path: str, media_type: str) -> None:
    """Among them what a foreign page can make a browser send here without asking."""
    async with nothing_stored(service.tools):
        answer = await service.client.post(path, content=raw(WRITES[path]), headers={"content-type": media_type})
        assert "application/json" in problem(answer, 415, "not_json")["detail"]


@pytest.mark.parametrize(
    "media_type", ["application/json", "APPLICATION/JSON;charset=utf-8", "application/merge-patch+json"]
)
async def test_json_by_other_names(service: Service, media_type: str) -> None:
    answer = await service.client.post("/v1/digests", content=raw(DIGEST), headers={"content-type": media_type})
    assert ok(answer)["channel"] == DIGEST["channel"]


async def test_a_large_body_is_not_read_to_its_end(service: Service) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BODY:
            sent += 65_536
            yield b" " * 65_536

    async with nothing_stored(service.tools):
        for path in WRITES:
            sent = 0
            problem(await service.client.post(path, content=endless(), headers=JSON), 413, "body_too_large")
            assert sent < MAX_BODY + 2 * 65_536
            sent = 0
            headers = JSON | {"content-length": str(100 * MAX_BODY)}
            problem(await service.client.post(path, content=endless(), headers=headers), 413, "body_too_large")
            assert sent == 0


@pytest.mark.parametrize("length", ["9" * 30, "9" * 5_000, "-1", "x", "1e3", "", "0", "5"])
async def test_a_length_that_lies(service: Service, length: str) -> None:
    async with nothing_stored(service.tools):
        answer = await service.client.post(
            "/v1/digests", content=raw(DIGEST), headers=JSON | {"content-length": length}
        )
        assert answer.status_code in (200, 413)
        harmless(answer)


async def test_the_largest_body_is_taken(service: Service) -> None:
    content = b" " * (MAX_BODY - len(raw(DIGEST))) + raw(DIGEST)
    assert len(content) == MAX_BODY
    ok(await service.client.post("/v1/digests", content=content, headers=JSON))


VALUES: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, "", " ", "x" * 10_000, [], {}, [None], [[]], [{}], [True], [0], {"a": 1},
    ["x" * 10_000], ["x"] * 6_000, *(TEXTS[name] for name in ("SQL", "HTML", "path", "format", "header", "emoji",
                                                              "right to left", "not a character", "first day", "last day")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (path, body, field)
        for path, body in [*WRITES.items(), ("/v1/digests", OVER_PAPERS)]
        for field in [*body, *(["from", "to"] if "date" in body else [])]
    ],
)
async def test_any_value_in_a_field(service: Service, path: str, body: dict[str, Any], field: str) -> None:
    """Refused as a whole or taken as a whole."""
    before = await counts(service.tools)
    for value in VALUES:
        changed = {**body, field: value}
        if path == "/v1/channels" and field != "slug":
            changed["slug"] = "econ"  # taken, so that nothing is created where the field is right
        answer = await service.client.post(path, json=changed)
        harmless(answer)
        after = await counts(service.tools)
        assert after == before or answer.status_code in (201, 202), changed
        before = after


LANGUAGES = ["", "english", "z", "zh-", "zh_Hant_TW_x", "中文", 5, ["zh"], "zh\n"]
WRONG_VALUES: list[tuple[str, dict[str, Any], str, list[Any]]] = [
    ("/v1/channels", CHANNEL, "slug",
     ["", "A", "a b", "-a", "a_b", "a.b", "a/b", "../a", "a" * 64, "é", "a\n", 5, None, ["a"]]),
    ("/v1/channels", CHANNEL, "title",
     ["", "  ", "\u3000", "a\nb", "a\tb", "a\x1bb", "a\u2028b", "a\u202eb", "a\x85b", "x" * 201, 5, None, {}]),
    ("/v1/channels", CHANNEL, "categories", [[], "cs.CL", None, {}, ["cs.CL"] * 51]),
    ("/v1/channels", CHANNEL, "announce_types", [[], "new", None]),
    ("/v1/channels", CHANNEL, "language", LANGUAGES),
    ("/v1/digests", DIGEST, "language", LANGUAGES),
    ("/v1/digests", DIGEST, "date",
     [0, 1768262400, 1.5, True, "", "today", "2026-1-3", "2026-02-30", "0000-00-00", "10000-01-01", [], {"year": 2026}]),
    ("/v1/digests", DIGEST, "channel", [5, ["cs.CL"], "x" * 81]),
    ("/v1/digests", OVER_PAPERS, "paper_ids", [[], IDS[0], {}, 5, IDS[:1] * 5_001]),
    ("/v1/digests", OVER_PAPERS, "title", ["", " ", "a\nb", "x" * 301, 5]),
    ("/v1/ingestions", INGESTION, "category", [5, None, ["cs.CL"], "x" * 81]),
    ("/v1/harvests", HARVEST, "set", [5, None, ["cs.CL"], "x" * 81]),
    ("/v1/harvests", HARVEST, "from",
     [None, 0, 1768262400, True, "", "today", "2026-1-3", "2026-02-30", "0000-00-00", "10000-01-01", [], {"year": 2026}]),
    ("/v1/harvests", HARVEST, "until", [0, 1.5, "", "now", "2026-13-01", "2026-01-13T00:00:00Z", []]),
    ("/v1/harvests", HARVEST, "format", [None, 5, "", "arxivraw", "oai_marc", ["arXivRaw"]]),
    ("/v1/papers/fetch", FETCH, "ids", [[], IDS[0], {}, 5, None, IDS[:1] * 2_001]),
]  # fmt: skip
WRONG: list[tuple[str, dict[str, Any], str]] = [
    *((path, body | {field: value}, f"body.{field}") for path, body, field, values in WRONG_VALUES for value in values),
    *((path, body | {"unknown": 1}, "body.unknown") for path, body in WRITES.items()),
    *((path, body | {"Language": "zh"}, "body.Language") for path, body in WRITES.items()),
    *(("/v1/channels", {n: v for n, v in CHANNEL.items() if n != name}, f"body.{name}")
      for name in ("slug", "title", "categories")),
    ("/v1/ingestions", {}, "body.category"),
    ("/v1/harvests", {"from": "2026-01-05"}, "body.set"),
    ("/v1/harvests", {"set": "cs.CL"}, "body.from"),
    ("/v1/harvests", HARVEST | {"from_": "2026-01-05"}, "body.from_"),
    ("/v1/papers/fetch", {}, "body.ids"),
    ("/v1/papers/fetch", {"ids": [IDS[0], None]}, "body.ids.1"),
    ("/v1/channels", CHANNEL | {"categories": ["cs.CL", 5]}, "body.categories.1"),
    ("/v1/channels", CHANNEL | {"announce_types": ["new", "NEW"]}, "body.announce_types.1"),
    ("/v1/digests", {"paper_ids": [IDS[0], None]}, "body.paper_ids.1"),
    ("/v1/digests", {}, "body"),
    ("/v1/digests", {"language": "zh"}, "body"),
    ("/v1/digests", DIGEST | {"paper_ids": IDS}, "body"),
    ("/v1/digests", DIGEST | {"title": "T"}, "body"),
    ("/v1/digests", DIGEST | {"from": "2026-01-13"}, "body"),
    ("/v1/digests", DIGEST | {"to": "2026-01-13"}, "body"),
    ("/v1/digests", OVER_PAPERS | {"date": "2026-01-13"}, "body"),
    ("/v1/digests", OVER_PAPERS | {"to": "2026-01-13"}, "body"),
]  # fmt: skip


async def test_a_wrong_field_is_named_and_nothing_is_stored(service: Service) -> None:
    async with nothing_stored(service.tools):
        for path, body, field in WRONG:
            found = problem(await service.client.post(path, json=body), 422, "invalid_request")
            assert field in [error["field"] for error in found["errors"]], (path, body, found)
            assert found["detail"].startswith("body")


async def test_many_errors_are_counted_and_the_first_ones_listed(service: Service) -> None:
    answer = await service.client.post("/v1/digests", json={"paper_ids": list(range(4_000))})
    body = problem(answer, 422, "invalid_request")
    assert len(body["errors"]) == 20
    assert "3999 more" in body["detail"]


# Who, how and where


@pytest.mark.parametrize(
    "address",
    [
        "203.0.113.9",
        "10.0.0.1",
        "169.254.1.1",
        "::ffff:203.0.113.9",
        "2001:db8::1",
        "0.0.0.0",
        "",
    ],
)
async def test_only_this_machine_writes(service: Service, address: str) -> None:
    lies = [
        {},
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"x-real-ip": "127.0.0.1", "host": "127.0.0.1"},
        {"x-http-method-override": "GET"},
    ]
    async with caller(service.app, (address, 1)) as remote, nothing_stored(service.tools):
        for path, body in STORING.items():
            problem(await remote.post(path, json=body, headers={"authorization": "Bearer x"}), 401, "invalid_key")
            for headers in lies:
                answer = await remote.post(path, json=body, headers=headers)
                assert "send it from there" in problem(answer, 403, "writing_is_local")["detail"]
        for method in ("PUT", "PATCH", "DELETE", "TRACE", "FOO"):
            problem(await remote.request(method, "/v1/channels", content=b"x" * 2_000_000), 403, "writing_is_local")
        for path in ("/v1/papers", "/v1/channels/cs.CL", "/healthz", "/openapi.json", "/docs"):
            assert (await remote.get(path)).status_code == 200


@pytest.mark.parametrize("address", [("127.0.0.1", 1), ("127.9.9.9", 1), ("::1", 1), ("::ffff:127.0.0.1", 1), None])
async def test_this_machine_has_several_addresses(service: Service, address: tuple[str, int] | None) -> None:
    async with caller(service.app, address) as local:
        assert ok(await local.post("/v1/digests", json=DIGEST))["channel"] == DIGEST["channel"]


async def test_a_page_of_another_site_does_not_write(service: Service) -> None:
    """Not even one whose name was made to lead to this machine (DNS rebinding)."""
    async with nothing_stored(service.tools):
        for origin in ("https://evil.example", "http://127.0.0.1.evil.example:8000", "null", "", "http://[", "file://"):
            headers = {"origin": origin, "host": origin.removeprefix("https://")}
            for path, body in STORING.items():
                problem(await service.client.post(path, json=body, headers=headers), 403, "writing_is_local")
            assert (await service.client.get("/v1/papers", headers=headers)).status_code == 200
        for origin in ("http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]:8000"):
            ok(await service.client.post("/v1/digests", json=DIGEST, headers={"origin": origin}))


async def test_wrong_methods_are_told_the_right_ones(service: Service, digest_id: str) -> None:
    document = ok(await service.client.get("/openapi.json"))
    filled = {"{arxiv_id}": IDS[0], "{slug}": "cs.CL", "{id}": digest_id, "{format}": "md"}
    async with nothing_stored(service.tools):
        for path, operations in document["paths"].items():
            address = path.replace("/jobs/{id}", "/jobs/1")
            for name, value in filled.items():
                address = address.replace(name, value)
            allowed = {method.upper() for method in operations}
            if path.startswith("/v1/papers/"):
                allowed.add("GET")  # any text there may be an id
            if path.startswith("/v1/channels/"):
                allowed.add("GET")  # and there a slug
            if path == "/v1/channels/preview":
                allowed |= {"PATCH", "DELETE"}
            if path == "/v1/keys/me":
                allowed.add("DELETE")  # any text there may be an id
            if path == "/v1/digests/{id}.{format}":
                allowed.add("DELETE")  # any text there may be an id
            if "GET" in allowed:
                allowed.add("HEAD")
            for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"} - allowed:
                answer = await service.client.request(method, address)
                body = problem(answer, 405, "method_not_allowed")
                assert set(answer.headers["allow"].split(", ")) == allowed
                assert answer.headers["allow"] in body["detail"]
            head = await service.client.head(address)
            get = await service.client.get(address)
            assert (head.status_code, head.content) == (get.status_code, b"")
            assert head.headers.keys() == get.headers.keys()
            assert head.headers["content-type"] == get.headers["content-type"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/",
        "/v2/papers",
        "/v1/paper",
        "/V1/papers",
        "/admin",
        "/.env",
        "/v1//papers",
        "/metrics/../v1",
        "/v1/digests/a/b/c",
        "/docs/x",
        "/favicon.ico",
    ],
)
async def test_nothing_is_there(service: Service, path: str) -> None:
    async with nothing_stored(service.tools):
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            assert "/docs" in problem(await service.client.request(method, path), 404, "not_found")["detail"]


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "application/json;q=0", "*/*;q=x", "", "/", ",,,", "a" * 8_000]
)
async def test_an_odd_accept_changes_nothing(service: Service, accept: str) -> None:
    answer = await service.client.get("/v1/papers", headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    problem(await service.client.get("/v1/papers/x", headers={"accept": accept}), 422)


@pytest.mark.parametrize("host", ["", "[", "evil.example:x", "a b", "x/y?z#", "é"])
async def test_an_odd_host_breaks_no_link(service: Service, host: str) -> None:
    headers = [(b"host", host.encode("latin-1"))]
    answer = await service.client.get("/v1/papers?limit=1", headers=headers)
    harmless(answer)
    assert answer.links["next"]["url"].endswith(f"/v1/papers?limit=1&cursor={answer.json()['next_cursor']}")


@pytest.mark.parametrize(
    "odd", ["<script>", "", " ", "a b", "a" * 129, "a" * 100_000, "é", "a\r\nset-cookie: x=1", "a\0b", "a,b", "{}"]
)
async def test_a_request_id_that_is_not_safe_to_repeat_is_not_taken(service: Service, odd: str) -> None:
    answer = await service.client.get("/v1/papers/x", headers=[(b"x-request-id", odd.encode("latin-1"))])
    problem(answer, 422)
    assert answer.headers.get_list("x-request-id") != [odd]
    assert len(answer.headers.get_list("x-request-id")) == 1
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("own", ["a", "0af7651916cd43dd8448eb211c80319c", "job-7.retry_2", "x" * 128])
async def test_a_request_id_is_taken_over(service: Service, own: str) -> None:
    for path, status in (("/v1/papers", 200), ("/v1/papers/x", 422), ("/nothing", 404), ("/healthz", 200)):
        answer = await service.client.get(path, headers={"x-request-id": own})
        assert (answer.status_code, answer.headers.get_list("x-request-id")) == (status, [own])
        if status >= 400:
            assert problem(answer, status)["request_id"] == own
    twice = await service.client.get("/v1/papers/x", headers=[("x-request-id", own), ("x-request-id", "other")])
    assert problem(twice, 422)["request_id"] not in (own, "other")


# At the same time


async def test_twenty_create_one_digest(service: Service) -> None:
    before = await counts(service.tools)
    body = {"paper_ids": IDS, "title": "Twenty at once", "language": "fr"}
    answers = await asyncio.gather(*(service.client.post("/v1/digests", json=body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert len({answer.content for answer in answers}) == 1
    after = await counts(service.tools)
    grown = {name: after[name] - before[name] for name in after}
    assert (grown["digests"], grown["revisions"], grown["items"]) == (1, 1, len(IDS))
    assert grown["summaries"] == grown["jobs"] == len(IDS)


async def test_twenty_create_one_channel(service: Service) -> None:
    before = await counts(service.tools)
    body = CHANNEL | {"slug": "twenty-at-once"}
    answers = await asyncio.gather(*(service.client.post("/v1/channels", json=body) for _ in range(20)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19
    for answer in answers:
        if answer.status_code == 409:
            problem(answer, 409, "conflict")
    assert (await counts(service.tools))["channels"] == before["channels"] + 1


async def test_twenty_digests_over_the_same_papers_do_not_lock_each_other_out(service: Service) -> None:
    before = await counts(service.tools)
    orders = [IDS[n % 8 :] + IDS[: n % 8] for n in range(20)]
    bodies = [
        {"paper_ids": order[:: 1 if n % 2 else -1], "title": f"Crossing {n}", "language": "it"}
        for n, order in enumerate(orders)
    ]
    answers = await asyncio.gather(*(service.client.post("/v1/digests", json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [201] * 20
    after = await counts(service.tools)
    assert after["summaries"] - before["summaries"] == after["jobs"] - before["jobs"] == len(IDS)


async def test_digests_while_the_papers_change(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, *(Item(arxiv_id, title="Before") for arxiv_id in IDS))
    body = {"paper_ids": IDS, "title": "Changing"}
    replaced = [Item(arxiv_id, version=2, type="replace", title="After") for arxiv_id in IDS]
    storing = asyncio.create_task(store(tools, tmp_path, "cs.CL", WEDNESDAY, *replaced))
    answers = await asyncio.gather(*(client.post("/v1/digests", json=body) for _ in range(10)))
    await storing
    assert {answer.status_code for answer in answers} <= {200, 201}
    for answer in answers:
        assert len({item["title"] for item in answer.json()["items"]}) == 1, "a digest of two moments"
    last = ok(await client.post("/v1/digests", json=body))
    assert {item["title"] for item in last["items"]} == {"After"}
    assert last["revision"] <= 2
    assert (await counts(tools))["revisions"] == last["revision"]


@pytest.mark.parametrize("path", ["/v1/ingestions", "/v1/harvests", "/v1/papers/fetch"])
async def test_twenty_who_ask_for_the_same_share_one_job(service: Service, path: str) -> None:
    answers = await asyncio.gather(*(service.client.post(path, json=WRITES[path]) for _ in range(20)))
    jobs = [ok(answer, 202)["id"] for answer in answers]
    assert len(set(jobs)) == 1
    for answer, job in zip(answers, jobs, strict=True):
        assert answer.headers["location"] == f"/v1/jobs/{job}"


# The database goes away

EVERY_READ = [
    "/v1/papers", "/v1/papers/2601.95001", "/v1/listings", "/v1/channels", "/v1/channels/cs.CL", "/v1/digests",
    "/v1/digests/x", "/v1/digests/x.md", "/v1/channels/cs.CL/latest.md", "/v1/ingestions", "/v1/jobs/1", "/readyz",
    "/v1/freshness", "/v1/stats", "/v1/fetches", "/v1/harvests", "/v1/harvests/1",
]  # fmt: skip


def terminate(url: str, condition: str) -> int:
    """End the service's connections; how many."""
    with psycopg.connect(url, autocommit=True) as connection:
        statement = (
            "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
            f" WHERE datname = current_database() AND application_name = 'zhaiyao' AND {condition}"
        )
        row = connection.execute(statement.encode()).fetchone()
        assert row is not None
        return int(row[0])


async def test_idle_connections_that_were_cut(client: httpx.AsyncClient, database_url: str) -> None:
    for _ in range(3):
        await asyncio.gather(*(client.get("/v1/channels") for _ in range(5)))
        assert terminate(database_url, "true") >= 1
        answers = await asyncio.gather(*(client.get("/v1/channels") for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}


async def test_idle_connections_of_quick_reads_that_were_cut(client: httpx.AsyncClient, database_url: str) -> None:
    for _ in range(3):
        await asyncio.gather(*(client.get("/v1/papers") for _ in range(5)))
        assert terminate(database_url, "true") >= 1
        answers = await asyncio.gather(*(client.get("/v1/papers") for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}


async def test_a_connection_that_is_cut_in_the_middle(
    client: httpx.AsyncClient, tools: Tools, tmp_path: Path, database_url: str
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item(IDS[0]))
    first = ok(await client.post("/v1/digests", json=DIGEST), 201)
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item(IDS[0]), Item(IDS[1]))
    before = await counts(tools)
    with psycopg.connect(database_url) as blocker:
        blocker.execute("SELECT 1 FROM digests FOR UPDATE")
        waiting = asyncio.create_task(client.post("/v1/digests", json=DIGEST))
        for _ in range(200):
            if await asyncio.to_thread(terminate, database_url, "wait_event_type = 'Lock'"):
                break
            await asyncio.sleep(0.02)
        answer = await asyncio.wait_for(waiting, 10)
        problem(answer, 503, "database_unavailable")
        assert answer.headers["retry-after"] == "5"
    assert await counts(tools) == before
    assert ok(await client.get(f"/v1/digests/{first['id']}")) == first
    assert ok(await client.post("/v1/digests", json=DIGEST))["revision"] == 2


@pytest.mark.parametrize("url", ["postgresql://zhaiyao:secret@127.0.0.1:9/nowhere", "{server}"])
async def test_no_database_at_all(postgres: EmbeddedPostgres, tmp_path: Path, url: str) -> None:
    async with serving(url.format(server=postgres.url("does_not_exist")), tmp_path) as service:
        for path in EVERY_READ:
            answer = await asyncio.wait_for(service.client.get(path), 10)
            problem(answer, 503, "database_unavailable")
            for secret in ("secret", "postgresql:", "nowhere", "127.0.0.1", "does_not_exist"):
                assert secret not in answer.text
        for path, body in WRITES.items():
            problem(await service.client.post(path, json=body), 503, "database_unavailable")
        assert ok(await service.client.get("/healthz")) == {"status": "ok"}
        problem(await service.client.post("/v1/channels", json={}), 503, "database_unavailable")  # are there keys?
        problem(await service.client.post("/v1/channels/preview", json={}), 422)


async def test_a_fault_of_ours_says_nothing_of_the_inside(
    client: httpx.AsyncClient, tools: Tools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with tools.database.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE papers RENAME TO hidden")
    with caplog.at_level(logging.CRITICAL):
        body = problem(await client.get("/v1/papers"), 500, "internal_error")
    assert not {"SELECT", "relation", "hidden"} & set(json.dumps(body).split())

    async def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(papers, "read_page", broken)
    with caplog.at_level(logging.CRITICAL):
        answer = await client.get("/v1/papers")
    problem(answer, 500, "internal_error")
    assert "secret" not in answer.text
