"""Four callers at once or in turn, over real HTTP, against ``zhaiyao api`` in a process of its own: a frontend that pages, a
mirror that follows the log while others write, a reader of feeds, and a batch script whose every second input is bad.
"""

import gzip
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.postgres import EmbeddedPostgres
from tests.api import ok, problem
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item, rss
from tests.process_tools import CommandLine

OLD = [f"2601.94{n:03}" for n in range(60)]
NEW = [f"2601.96{n:03}" for n in range(40)]
JSON = {"content-type": "application/json"}


def title(number: int) -> str:
    """The title of a paper that is there from the start, in every version: the tests come in any order."""
    return f"A test of {'odd' if number % 2 else 'even'} graphs, number {number}"


@contextmanager
def service(postgres: EmbeddedPostgres, name: str, folder: Path) -> Iterator[tuple[str, CommandLine]]:
    """The address of a service with sixty papers, and the command line on its database; nothing may go wrong inside of it."""
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    line = CommandLine(folder, database_url=postgres.url(name), port=0)
    items = [Item(one, title=title(n)) for n, one in enumerate(OLD)]
    ingest(line, "cs.CL", TUESDAY, *items)
    api = line.start("api")
    try:
        yield api.address(), line
        assert "Traceback" not in api.err, api.err
    finally:
        line.end()
        _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


def ingest(line: CommandLine, category: str, day: Any, *items: Item) -> None:
    """Have a listing read by a process of its own."""
    file = line.folder / f"{category}-{items[0].id}.xml"
    file.write_bytes(rss(category, day, *items))
    done = line.run("ingest", category, "--from", file)
    assert done.code == 0, done.err


@pytest.fixture(scope="module")
def shared(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, CommandLine]]:
    """One service for the callers that need no keys."""
    with service(postgres, "four_callers", tmp_path_factory.mktemp("callers")) as one:
        yield one


def in_parallel(*works: Callable[[], Any]) -> list[Any]:
    """What they give; the first that fails fails."""
    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result(60) for future in [pool.submit(work) for work in works]]


def follow(http: httpx.Client, address: str, **params: Any) -> list[dict[str, Any]]:
    """Every page of a list, by the ``Link`` headers alone; each is asked for twice, with the tag of the first time."""
    pages, wanted = [], str(http.build_request("GET", address, params=params).url)
    while wanted:
        answer = http.get(wanted)
        pages.append(ok(answer))
        again = http.get(wanted, headers={"if-none-match": answer.headers["etag"]})
        assert again.status_code in (200, 304)
        assert again.content == b"" or again.status_code == 200
        wanted = answer.links.get("next", {}).get("url", "")
        assert bool(wanted) == (pages[-1]["next_cursor"] is not None)
    return [item for page in pages for item in page["items"]]


def test_a_frontend_pages_while_papers_come(shared: tuple[str, CommandLine]) -> None:
    url, line = shared
    late = [f"2601.95{n:03}" for n in range(20)]

    def store() -> None:
        ingest(line, "stat.ML", TUESDAY, *(Item(one, title="A test of late graphs") for one in late))

    def read(**params: Any) -> list[list[str]]:
        with httpx.Client(base_url=url, timeout=30) as http:
            return [[item["arxiv_id"] for item in follow(http, "/v1/papers", limit=7, **params)] for _ in range(3)]

    queries: list[tuple[dict[str, Any], Callable[[int], bool]]] = [
        ({}, lambda n: True),
        ({"sort": "announced", "order": "asc", "category": "cs.CL", "fields": "title"}, lambda n: True),
        ({"q": "odd graph", "sort": "id"}, lambda n: n % 2 == 1),
        ({"q": "ti:even -odd", "announced_to": "2026-01-13", "author": "A. Sample"}, lambda n: n % 2 == 0),
    ]
    _, *found = in_parallel(store, *(lambda asked=asked: read(**asked) for asked, _ in queries))
    for (asked, wanted), lists in zip(queries, found, strict=True):
        for ids in lists:
            assert len(ids) == len(set(ids)), asked  # nothing twice
            assert set(ids) & set(OLD) == {one for n, one in enumerate(OLD) if wanted(n)}, asked  # nothing left out
    with httpx.Client(base_url=url) as http:
        first = http.get("/v1/papers", params={"q": "odd", "limit": 5})
        assert "<mark>odd</mark>" in first.text
        one = http.get(f"/v1/papers/{OLD[0]}")
        known = {
            "if-none-match": f'"x", W/{one.headers["etag"]}',
            "if-modified-since": "Mon, 99 Foo 0000 99:99:99 +9999",
        }
        assert http.get(f"/v1/papers/{OLD[0]}", headers=known).status_code == 304
        assert http.put(f"/v1/papers/{OLD[0]}/summaries/zh", json={"tldr": "一句话"}).status_code == 201
        with_it = http.get("/v1/papers", params={"ids": OLD[0], "include": "summaries"})
        assert "一句话" in with_it.text


def test_a_mirror_ends_equal_while_several_write(shared: tuple[str, CommandLine]) -> None:
    url, line = shared
    over = threading.Event()

    def write(seed: int) -> None:
        chance = random.Random(seed)
        with httpx.Client(base_url=url, timeout=30) as http:
            for _ in range(20):
                one, language = chance.choice(OLD), chance.choice(["zh", "de"])
                text = {"tldr": f"{chance.random()}"}
                key = {"idempotency-key": f"{seed}-{chance.random()}"}
                answers = [
                    lambda: http.put(f"/v1/papers/{one}/summaries/{language}", json=text, headers=key),  # noqa: B023
                    lambda: http.delete(f"/v1/papers/{one}/summaries/{language}"),  # noqa: B023
                    lambda: http.post("/v1/digests", json={"paper_ids": chance.sample(OLD, 3), "language": "zh"}),
                    lambda: http.post("/v1/digests", json={"channel": "cs.CL", "date": "2026-01-13"}, headers=key),  # noqa: B023
                ]
                answer = chance.choice(answers)()
                assert answer.status_code < 500, answer.text

    def listings() -> None:
        for start in range(0, 40, 20):
            changed = Item(
                OLD[start], version=2, type="replace", title=title(start), abstract=f"We take number {start} back."
            )
            ingest(line, "cs.CL", WEDNESDAY, changed, *map(Item, NEW[start : start + 20]))

    def mirror(kinds: str | None, include: str | None) -> tuple[dict[tuple[str, str], Any], Callable[[], None]]:
        things: dict[tuple[str, str], Any] = {}
        place: dict[str, Any] = {"start": "beginning"}
        params = {"limit": 50} | ({"kinds": kinds} if kinds else {}) | ({"include": include} if include else {})

        def sync() -> None:
            more = True
            while more:
                page = ok(httpx.get(f"{url}/v1/changes", params=params | place, timeout=30))
                for item in page["items"]:
                    key = (item["kind"], item["id"])
                    things.pop(key, None)
                    if item["change"] != "deleted":
                        things[key] = item.get("body")
                place.clear()
                place["cursor"], more = page["next_cursor"], page["has_more"]

        return things, sync

    mirrors = [mirror(None, "bodies"), mirror("paper,summary", None), mirror("digest", "bodies")]

    def keep(sync: Callable[[], None]) -> None:
        while not over.is_set():
            sync()
        sync()

    def writers() -> None:
        try:
            in_parallel(listings, *(lambda seed=seed: write(seed) for seed in range(3)))
        finally:
            over.set()

    in_parallel(writers, *(lambda sync=sync: keep(sync) for _, sync in mirrors))
    with httpx.Client(base_url=url, timeout=30) as http:
        truth: dict[tuple[str, str], Any] = {}
        for paper in follow_all(http, "/v1/papers"):
            truth["paper", paper["arxiv_id"]] = ok(http.get(f"/v1/papers/{paper['arxiv_id']}"))
        truth |= {("summary", str(one["id"])): one for one in follow_all(http, "/v1/summaries")}
        truth |= {("digest", one["id"]): one for one in follow_all(http, "/v1/digests")}
        (everything, _), (ids_only, _), (digests, _) = mirrors
        assert everything == truth
        assert set(ids_only) == {key for key in truth if key[0] != "digest"}
        assert digests == {key: body for key, body in truth.items() if key[0] == "digest"}
        # Whoever has ids only reads the papers in batches.
        named = [key for kind, key in ids_only if kind == "paper"]
        batch = ok(http.post("/v1/papers/batch", json={"ids": named}))
        listed = {paper["arxiv_id"]: paper for paper in follow_all(http, "/v1/papers")}
        assert {paper["arxiv_id"]: paper for paper in batch["items"]} == listed
        assert (batch["unknown"], batch["invalid"]) == ([], [])
        streamed = [json.loads(one) for one in http.get("/v1/papers.ndjson").text.splitlines()]
        assert {paper["arxiv_id"]: paper for paper in streamed} == listed


def follow_all(http: httpx.Client, address: str) -> list[dict[str, Any]]:
    """Every item of a list, by cursors."""
    found, cursor = [], None
    while True:
        page = ok(http.get(address, params={"limit": 200} | ({"cursor": cursor} if cursor else {})))
        found += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return found


def test_a_feed_reader_asks_again_and_again(shared: tuple[str, CommandLine]) -> None:
    url, _ = shared
    with httpx.Client(base_url=url, timeout=30, follow_redirects=True) as http:
        body = {"channel": "cs.CL", "date": "2026-01-13", "language": "zh"}
        assert http.post("/v1/digests", json=body).status_code in (200, 201)
        for format in ("atom", "rss", "json"):
            for more in ("", "?entries=papers", "?utm_source=elsewhere&limit=3"):
                feed = http.get(f"/v1/channels/cs.CL/feed.{format}{more}")
                assert feed.status_code == 200, feed.text
                tag, date = feed.headers["etag"], feed.headers["last-modified"]
                for known in ({"if-none-match": tag}, {"if-none-match": f"W/{tag}"}, {"if-modified-since": date}):
                    again = http.get(str(feed.url), headers=known)
                    assert (again.status_code, again.content) == (304, b"")
                    assert again.headers["etag"] == tag
                for odd in ({"if-none-match": '"x"', "if-modified-since": date}, {"if-modified-since": "yesterday"}):
                    assert http.get(str(feed.url), headers=odd).content == feed.content
                assert http.head(str(feed.url)).headers["etag"] == tag
        paper = OLD[5]
        before = http.get("/v1/channels/cs.CL/feed.atom?entries=papers")
        assert http.put(f"/v1/papers/{paper}/summaries/zh", json={"tldr": "新的一句话"}).status_code in (200, 201)
        after = http.get(
            "/v1/channels/cs.CL/feed.atom?entries=papers", headers={"if-none-match": before.headers["etag"]}
        )
        assert after.status_code in (200, 304)  # a digest is revised in the background
        for name in ("atom.exe", "pdf", "%00", "rss%0d%0aX: y", ".."):
            answer = http.get(f"/v1/channels/cs.CL/feed.{name}")
            assert 400 <= answer.status_code < 500
            problem(answer, answer.status_code)


def exchange(url: str, *sent: bytes, pause: float = 0) -> bytes:
    """What is answered on a connection until its end."""
    where = urlsplit(url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        for part in sent:
            connection.sendall(part)
            time.sleep(pause)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_batch_script_with_bad_input_at_every_turn(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    with service(postgres, "batch_script", tmp_path) as (url, line), httpx.Client(base_url=url, timeout=30) as http:
        batch = "/v1/papers/batch"
        rubbish = [
            "",
            "x",
            "2601.9",
            "' OR 1=1 --",
            "\u202e",
            "é" * 500,
            "../../etc/passwd",
            "9999.99999",
            "hep-th/0000000",
        ]
        mixed = [
            one
            for n in range(500 // 5)
            for one in (OLD[n % 60], rubbish[n % 9], f"arXiv:{OLD[n % 60]}v3", f"no{n}", OLD[0])
        ]
        found = ok(http.post(batch, json={"ids": mixed}))
        assert [paper["arxiv_id"] for paper in found["items"]] == OLD  # each once, as it was first named
        assert {one["id"] for one in found["invalid"]} >= {"x", "' OR 1=1 --", "no7"}
        assert "9999.99999" in found["unknown"] + [one["id"] for one in found["invalid"]]
        for ids in ([*mixed, "x"], [], None, "x", {"a": 1}, [1], [None], [[OLD[0]]], 5, True):
            problem(http.post(batch, json={"ids": ids}), 422, "invalid_request")
        good = json.dumps({"ids": OLD[:2]}).encode()
        for content, status in (
            (good[:-4], 400), (good * 2, 400), (gzip.compress(good), 400), (good.decode().encode("utf-16"), 400), (b"", 422),
            (b'{"ids":[' + b"[]," * 300_000 + b"[]]}", 400), (b"[" * 100_000, 400), (b" " * 1_000_001, 413),
        ):  # fmt: skip
            problem(http.post(batch, content=content, headers=JSON), status)
        for media_type in (b"text/plain", b"application/x-www-form-urlencoded", b"", b"application/jsonp", b"a\xff"):
            problem(http.post(batch, content=good, headers=[(b"content-type", media_type)]), 415)
        problem(http.post(batch, content=gzip.compress(good), headers=JSON | {"content-encoding": "gzip"}), 400)
        # By pieces, with leave, slowly; and half of it.
        assert (
            len(ok(http.post(batch, content=(good[n : n + 1] for n in range(len(good))), headers=JSON))["items"]) == 2
        )
        head = b"POST /v1/papers/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
        length = b"Content-Length: %d\r\n" % len(good)
        asked = exchange(url, head + length + b"Expect: 100-continue\r\n\r\n", good, pause=0.1)
        assert asked.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
        assert exchange(
            url, head + length + b"\r\n", *(good[n : n + 9] for n in range(0, len(good), 9)), pause=0.02
        ).startswith(b"HTTP/1.1 200")
        for odd in (
            length * 2,
            length + b"Transfer-Encoding: chunked\r\n",
            b"Content-Length: +2\r\n",
            b"Host: b\r\n" + length,
        ):
            assert exchange(url, head + odd + b"\r\n" + good).startswith(b"HTTP/1.1 400")
        keys_in_mid_run(url, line, http)


def keys_in_mid_run(url: str, line: CommandLine, http: httpx.Client) -> None:
    """Twins share an effect; keys that are revoked or have expired open nothing from then on."""
    channel = {"slug": "twins", "title": "Twins", "categories": ["cs.CL"]}
    twins = in_parallel(*[
        lambda: httpx.post(f"{url}/v1/channels", json=channel, headers={"idempotency-key": "one"}, timeout=30)
    ] * 12)  # fmt: skip
    assert {(one.status_code, one.content) for one in twins} == {(201, twins[0].content)}
    assert sum("idempotency-replayed" in one.headers for one in twins) == 11
    other = http.post("/v1/channels", json=channel | {"title": "Others"}, headers={"idempotency-key": "one"})
    problem(other, 422, "idempotency_key_reused")
    for odd in (b"", b"a b", b"\xff", b"x" * 256):
        answer = http.post("/v1/channels", json=channel, headers=[(b"idempotency-key", odd)])
        problem(answer, 400, "invalid_idempotency_key")

    done = line.run("keys", "create", "boss", "--scope", "admin", "--json")
    admin = {"authorization": f"Bearer {json.loads(done.out)['key']}"}
    problem(http.post("/v1/channels", json=channel), 401)  # since there are keys
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    made = [
        ok(http.post("/v1/keys", json={"name": name, "scope": "write"} | more, headers=admin), 201)
        for name, more in (("run", {}), ("short", {"expires_at": soon}))
    ]
    over = threading.Event()

    def use(key: str) -> list[int]:
        statuses: list[int] = []
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30) as mine:
            while not over.is_set():
                number = len(statuses)
                answer = mine.put(f"/v1/papers/{OLD[number % 60]}/summaries/de", json={"tldr": f"Nummer {number}"})
                statuses.append(answer.status_code)
        return statuses

    def revoke() -> None:
        time.sleep(0.7)
        assert http.delete(f"/v1/keys/{made[0]['id']}", headers=admin).status_code in (200, 204)
        assert http.get("/v1/keys/me", headers={"authorization": f"Bearer {made[0]['key']}"}).status_code == 401
        time.sleep(2)
        over.set()

    _, *runs = in_parallel(revoke, *(lambda key=one["key"]: use(key) for one in made))
    for statuses in runs:
        assert set(statuses) <= {200, 201, 401}
        assert 401 not in statuses[: -statuses.count(401)]  # refused once, refused for good
        assert statuses[0] in (200, 201)
        assert statuses[-1] == 401
    shown = http.get("/v1/keys", headers=admin).text
    assert not any(one["key"] in shown for one in made)
    german = [one for one in follow_all(http, "/v1/summaries") if one["language"] == "de"]
    assert len(german) == min(60, max(run.index(401) for run in runs))
