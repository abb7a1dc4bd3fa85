"""Rate limits: for each key and each address, over all processes together."""

import asyncio
import math
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app import addresses, limits
from app.addresses import UNKNOWN, behind
from app.limits import Limiter
from app.models import Scope
from app.postgres import EmbeddedPostgres
from app.rates import Rate, parse_rate
from tests.access.service import FAR, a_key, bearer, counting, database, running
from tests.api import Service, caller, execute, ok, problem

PATH = "/v1/jobs/1"
"""Something cheap: a 404 counts like everything else."""


@pytest.fixture(scope="module")
def url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database for all of these tests."""
    with database(postgres, "access_limits") as address:
        yield address


@pytest.fixture
async def service(url: str, tmp_path: Path) -> AsyncIterator[Service]:
    """A service with the usual limits, of which nobody has used anything."""
    async with running(url, tmp_path) as one:
        await execute(one.tools, "TRUNCATE rate_windows, api_keys")
        yield one


def told(answer: httpx.Response) -> tuple[int, int, int, int]:
    """Limit, window, remaining, and seconds to the end, as the headers have them."""
    policy = re.fullmatch(r'"default";q=(\d+);w=(\d+)', answer.headers["ratelimit-policy"])
    state = re.fullmatch(r'"default";r=(\d+);t=(\d+)', answer.headers["ratelimit"])
    assert policy
    assert state
    return int(policy[1]), int(policy[2]), int(state[1]), int(state[2])


async def test_the_usual_limits(service: Service) -> None:
    assert "ratelimit" not in (await service.client.get(PATH)).headers
    key = bearer(await a_key(service, Scope.READ))
    assert "ratelimit" not in (await service.client.get(PATH, headers=key)).headers
    async with caller(service.app, FAR) as far:
        assert told(await far.get(PATH))[:3] == (600, 60, 599)
        assert told(await far.get(PATH, headers=key))[:3] == (6000, 60, 5999)
        assert told(await far.post("/v1/channels"))[:3] == (600, 60, 598)
        assert told(await far.get("/nothing"))[2] == 597
        assert told(await far.get(PATH, headers=bearer("wrong")))[2] == 596  # trying keys is limited, too
        for path in ("/healthz", "/readyz"):
            assert "ratelimit" not in (await far.get(path)).headers


async def test_a_limit_that_is_used_up(service: Service, tmp_path: Path) -> None:
    """Set explicitly it holds on the service's own machine, too; others are not touched."""
    async with running(service.tools.database.url, tmp_path, rate_limit=Rate(5, 86_400)) as one:
        for left in (4, 3, 2, 1, 0):
            answer = await one.client.get(PATH)
            problem(answer, 404)
            assert told(answer)[:3] == (5, 86_400, left)
        with counting(one) as asked:
            for method, path in (
                ("GET", PATH),
                ("POST", "/v1/channels"),
                ("GET", "/"),
                ("GET", "/nothing"),
                ("HEAD", "/"),
            ):
                answer = await one.client.request(method, path)
                assert answer.status_code == 429
                if method != "HEAD":
                    problem(answer, 429, "rate_limited")
                assert told(answer)[2] == 0
                assert 0 < int(answer.headers["retry-after"]) == told(answer)[3] <= 86_400
        assert asked.count == 0  # who is refused costs nothing
        for path in ("/healthz", "/readyz"):
            ok(await one.client.get(path))
        async with caller(one.app, FAR) as far:
            problem(await far.get(PATH), 404)
        problem(await one.client.get(PATH, headers=bearer(await a_key(one))), 404)


async def test_a_window_ends(service: Service, tmp_path: Path) -> None:
    async with running(service.tools.database.url, tmp_path, rate_limit=Rate(3, 1)) as one:
        for _ in range(2):
            answers = [await one.client.get(PATH) for _ in range(8)]
            assert [answer.status_code for answer in answers].count(429) >= 2
            await asyncio.sleep(int(answers[-1].headers.get("retry-after", 1)))
            problem(await one.client.get(PATH), 404)


async def test_a_limit_holds_over_several_processes(service: Service, tmp_path: Path) -> None:
    """Two applications on one database, and many callers at once: never more, and hardly fewer."""
    url, rate = service.tools.database.url, Rate(100, 86_400)
    async with running(url, tmp_path, rate_limit=rate) as one, running(url, tmp_path, rate_limit=rate) as two:
        clients = [one.client, two.client]
        answers = await asyncio.gather(*(clients[n % 2].get(PATH) for n in range(160)))
        passed = Counter(answer.status_code for answer in answers)
        passed += Counter([(await client.get(PATH)).status_code for client in clients for _ in range(10)])
        assert passed.keys() == {404, 429}
        assert passed[404] == 100


async def test_no_window_has_more_than_its_limit(service: Service) -> None:
    """Windows of a second, three processes that ask without pause, and the end of windows in between."""
    rate, begun, passes = Rate(7, 1), time.time(), Counter[int]()
    limiters = [Limiter() for _ in range(3)]
    total = 0

    async def hammer(limiter: Limiter) -> None:
        nonlocal total
        while time.time() < begun + 3.2:
            before = math.floor(time.time())
            verdict = await limiter.take(service.tools.database, "somebody", rate)
            total += verdict.passes
            if verdict.passes and before == math.floor(time.time()):
                passes[before] += 1
            await asyncio.sleep(0.001)

    await asyncio.gather(*(hammer(limiter) for limiter in limiters for _ in range(2)))
    assert max(passes.values()) <= 7
    assert total >= 12
    assert len(passes) >= 3


async def test_what_is_left_of_a_window_is_not_used_in_the_next(service: Service) -> None:
    """A process that took two and used one, and another one that uses the whole next window."""
    rate, database = Rate(17, 1), service.tools.database
    for _ in range(5):  # until one round fits into a window, however busy the machine is
        one, two = Limiter(), Limiter()
        assert (await one.take(database, "somebody", rate)).passes
        await asyncio.sleep(1.005 - time.time() % 1)
        begun = math.floor(time.time())
        passed = 0
        for limiter in (one, two, one):
            while (await limiter.take(database, "somebody", rate)).passes:
                passed += 1
        if math.floor(time.time()) == begun:
            assert passed == 17
            return
    pytest.skip("the machine is too busy: no round was done within a second")


async def test_a_key_has_its_own_limit_wherever_it_is_used(service: Service) -> None:
    secret = await a_key(service, Scope.READ, rate_limit=Rate(4, 86_400))
    async with caller(service.app, FAR) as far, caller(service.app, ("198.51.100.7", 1)) as other:
        for n, client in enumerate((service.client, far, other, far)):
            assert told(await client.get(PATH, headers=bearer(secret)))[:3] == (4, 86_400, 3 - n)
        for client in (service.client, far, other):
            problem(await client.get(PATH, headers=bearer(secret)), 429, "rate_limited")
    free = await a_key(service, Scope.READ, rate_limit=parse_rate("none"))
    async with caller(service.app, FAR) as far:
        assert "ratelimit" not in (await far.get(PATH, headers=bearer(free))).headers


async def test_no_limit_by_setting(service: Service, tmp_path: Path) -> None:
    none = parse_rate("none")
    async with running(service.tools.database.url, tmp_path, rate_limit=none, key_rate_limit=none) as one:
        key = bearer(await a_key(one))
        async with caller(one.app, FAR) as far:
            for headers in ({}, key):
                assert "ratelimit" not in (await far.get(PATH, headers=headers)).headers


async def test_a_statement_for_many_requests(service: Service) -> None:
    async with caller(service.app, FAR) as far:
        with counting(service) as asked:
            for _ in range(100):
                await far.get("/docs")
    assert asked.count <= 4


async def test_an_ipv6_caller_is_a_whole_64(service: Service) -> None:
    for n, address in enumerate(("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", "2001:db8:1:2:3:4:5:6")):
        async with caller(service.app, (address, 1)) as far:
            assert told(await far.get(PATH))[2] == 599 - n
    for address in ("2001:db8:1:3::1", "::ffff:198.51.100.2"):
        async with caller(service.app, (address, 1)) as far:
            assert told(await far.get(PATH))[2] == 599
    async with caller(service.app, ("198.51.100.2", 1)) as far:
        assert told(await far.get(PATH))[2] == 598  # the same, written as IPv4


async def test_many_addresses_fill_neither_memory_nor_the_table(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_CALLERS", 50)
    monkeypatch.setattr(limits, "_FORGET_EVERY", 100)
    limiter = Limiter()
    for n in range(120):
        assert (await limiter.take(service.tools.database, f"address {n}", Rate(10, 3_600))).passes
    assert len(limiter._allowances) == 50
    await execute(service.tools, "UPDATE rate_windows SET ends_at = now() - interval '1 second'")
    for n in range(80):
        await limiter.take(service.tools.database, f"later {n}", Rate(10, 3_600))
    async with service.tools.database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM rate_windows WHERE subject LIKE 'address%'")) == 0


async def test_a_limit_without_a_database(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    for url in ("postgresql://x:secret@127.0.0.1:9/nowhere", postgres.url("does_not_exist")):
        async with running(url, tmp_path) as one, caller(one.app, FAR) as far:
            for headers in ({}, bearer("zy_" + "x" * 43)):
                answer = await far.get(PATH, headers=headers)
                problem(answer, 503, "database_unavailable")
                assert "retry-after" in answer.headers


# Behind proxies

TRUSTED = (ip_network("127.0.0.1"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))


@pytest.mark.parametrize(("peer", "forwarded_for", "forwarded", "who"), [
    ("203.0.113.1", ["198.51.100.1"], [], "203.0.113.1"),  # no proxy of ours
    ("203.0.113.1", [], ["for=127.0.0.1"], "203.0.113.1"),
    ("127.0.0.1", [], [], "127.0.0.1"),
    ("127.0.0.1", ["198.51.100.1"], [], "198.51.100.1"),
    ("127.0.0.1", ["127.0.0.1, 198.51.100.1"], [], "198.51.100.1"),  # the caller's own lie stands left
    ("127.0.0.1", ["1.1.1.1, 198.51.100.1, 10.1.2.3"], [], "198.51.100.1"),
    ("127.0.0.1", ["1.1.1.1", "198.51.100.1", "10.1.2.3"], [], "198.51.100.1"),
    ("::ffff:127.0.0.1", ["198.51.100.1:8080"], [], "198.51.100.1"),
    ("127.0.0.1", ["[2001:db8::1]:8080"], [], "2001:db8::1"),
    ("127.0.0.1", ["10.0.0.5, 10.0.0.6"], [], "10.0.0.5"),
    ("127.0.0.1", ["198.51.100.1, unknown"], [], UNKNOWN),
    ("127.0.0.1", [""], [], UNKNOWN),
    ("127.0.0.1", ["198.51.100.1,"], [], UNKNOWN),
    ("127.0.0.1", [], ["for=198.51.100.1;proto=https;by=10.0.0.1"], "198.51.100.1"),
    ("127.0.0.1", [], ['proto=https; FOR="[2001:db8::1]:4711"'], "2001:db8::1"),
    ("127.0.0.1", [], ["for=1.1.1.1, for=198.51.100.1", "for=10.9.9.9"], "198.51.100.1"),
    ("127.0.0.1", [], ["for=198.51.100.1, proto=https"], UNKNOWN),
    ("127.0.0.1", [], ["for=_hidden"], UNKNOWN),
    ("127.0.0.1", ["198.51.100.1"], ["for=198.51.100.1"], "198.51.100.1"),
    ("127.0.0.1", ["198.51.100.1"], ["for=127.0.0.1"], UNKNOWN),  # one of them is the caller's own
    ("127.0.0.1", ["9" * 10_000], [], UNKNOWN),
])  # fmt: skip
def test_who_is_behind_a_proxy(peer: str, forwarded_for: list[str], forwarded: list[str], who: str) -> None:
    assert behind(peer, forwarded_for, forwarded, TRUSTED) == who


@given(st.lists(st.text(max_size=60), max_size=4), st.lists(st.text(max_size=60), max_size=4))
def test_a_caller_cannot_say_who_it_is(forwarded_for: list[str], forwarded: list[str]) -> None:
    """Whatever a caller sends, and a proxy of ours appends the true address to, it is never taken for another one."""
    true = "198.51.100.77"
    assert behind(true, forwarded_for, forwarded, TRUSTED) == true
    assert behind("127.0.0.1", [*forwarded_for, true], [], TRUSTED) == true
    found = behind("10.0.0.1", [*forwarded_for, true], forwarded, TRUSTED)
    assert found in (true, UNKNOWN)
    assert not addresses.is_loopback(found)


def test_an_address_is_short() -> None:
    """Thousands are remembered: what is not one, however long, is not."""
    long = "fe80::1%" + "x" * 60_000
    before = addresses._parse.cache_info().misses
    assert addresses.parse(long) is None
    assert not addresses.is_local_name(long)
    assert addresses.behind("10.0.0.1", [long], [], TRUSTED) == UNKNOWN
    assert addresses._parse.cache_info().misses <= before + 1  # the proxy's own


async def test_a_trusted_proxy_tells_who_asks_and_how(service: Service, tmp_path: Path) -> None:
    proxies = (ip_network("127.0.0.1"), ip_network("192.0.2.0/24"))
    async with running(service.tools.database.url, tmp_path, trusted_proxies=proxies) as one:
        headers = {
            "x-forwarded-for": "9.9.9.9, 198.51.100.1",
            "x-forwarded-proto": "https",
            "host": "digests.example.org",
        }
        answer = await one.client.get("/v1/channels?limit=1", headers=headers)
        assert told(answer)[2] == 599
        assert answer.links["next"]["url"].startswith("https://digests.example.org/")
        assert told(await one.client.get(PATH, headers=headers))[2] == 598
        problem(await one.client.post("/v1/channels", headers=headers), 403, "writing_is_local")
        local = {"x-forwarded-for": "127.0.0.1"}
        problem(await one.client.post("/v1/channels", json={}, headers=local), 422)
    async with caller(service.app, FAR) as far:  # who is no proxy of ours is not believed
        answer = await far.get("/v1/channels?limit=1", headers=headers)
        assert answer.links["next"]["url"].startswith("http://")


@pytest.mark.parametrize(
    "wrong", ["", "600", "600/week", "0/minute", "-1/minute", "1e3/minute", "٣/minute", "6" * 10 + "/day"]
)
def test_what_is_no_rate(wrong: str) -> None:
    with pytest.raises(ValueError, match="600/minute"):
        parse_rate(wrong)


@given(st.integers(1, 999_999_999), st.sampled_from(["second", "minute", "hour", "day"]))
def test_a_rate_is_read_as_it_is_written(count: int, unit: str) -> None:
    assert str(parse_rate(f" {count} / {unit.upper()} ")) == f"{count}/{unit}"
