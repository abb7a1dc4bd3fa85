"""Every fault does what its name says, for as long as it is said, and nothing else."""

import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date, time, timedelta

import httpx
import pytest
from lxml import etree

from app.arxiv.feed import parse_feed
from app.errors import FeedRejected
from tests.fake_arxiv import FakeArxiv, Fault, Faults, World
from tests.fake_arxiv.faults import Source
from tests.fake_arxiv.world import eastern, midnight

WORLD = World()
MONDAY, TUESDAY, SATURDAY = date(2026, 1, 12), date(2026, 1, 13), date(2026, 1, 17)
NINE = eastern(TUESDAY, time(9))
RAW = "verb=ListRecords&metadataPrefix=arXivRaw"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeArxiv]:
    with FakeArxiv(WORLD).running() as fake:
        yield fake


@pytest.fixture
def fake(running: FakeArxiv) -> FakeArxiv:
    """The one server of these tests, with nothing of the test before."""
    running.requests.clear()
    running.faults.clear()
    running.today_at = NINE
    return running


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


def listed(reply: httpx.Response) -> list[tuple[str, int | None, str]]:
    return [(one.arxiv_id, one.version, one.announce_type.value) for one in parse_feed(reply.content).entries]


def truth(day: date, category: str = "cs.CL") -> list[tuple[str, int | None, str]]:
    return [(one.arxiv_id, one.version, one.announce_type) for one in WORLD.batch(category, day) if one.in_feed]


def raw_types(reply: httpx.Response) -> list[tuple[str, str]]:
    """Items as they stand in an RSS document."""
    root = etree.fromstring(reply.content)
    return [
        (item.findtext("guid") or "", item.findtext("{http://arxiv.org/schemas/atom}announce_type") or "")
        for item in root.iter("item")
    ]


# Feeds that lie


@pytest.mark.parametrize(("day", "former"), [(TUESDAY, MONDAY), (SATURDAY, date(2026, 1, 16))])
def test_stale(fake: FakeArxiv, http: httpx.Client, day: date, former: date) -> None:
    fake.faults.add(Fault.stale("cs.CL").on(day))
    fake.today_at = eastern(day, time(9))
    reply = http.get(f"{fake.url}/cs.CL")
    assert listed(reply) == truth(former) != []
    read = parse_feed(reply.content)
    assert read.announced_on == day
    assert {entry.announced_on for entry in read.entries} == {day}
    assert read.generated_at is not None and read.generated_at.date() == day
    assert listed(http.get(f"{fake.url}/stat.ML")) == truth(day, "stat.ML")
    fake.today_at += timedelta(days=1)
    assert listed(http.get(f"{fake.url}/cs.CL")) == truth(fake.today_at.date())


@pytest.mark.parametrize("kind", ["empty", "stale"])
def test_filled_later(fake: FakeArxiv, http: httpx.Client, kind: str) -> None:
    make = Fault.empty_then_filled if kind == "empty" else Fault.stale_then_filled
    fake.faults.add(make(TUESDAY, time(10), "cs.CL"))
    first = http.get(f"{fake.url}/cs.CL")
    assert listed(first) == ([] if kind == "empty" else truth(MONDAY))
    fake.today_at = eastern(TUESDAY, time(10))
    second = http.get(f"{fake.url}/cs.CL", headers={"If-None-Match": first.headers["etag"]})
    assert listed(second) == truth(TUESDAY)
    assert parse_feed(second.content).generated_at == eastern(TUESDAY, time(10))


def test_truncated(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.truncated(5))
    kept = max(5, sum(kind != "new" for _, _, kind in truth(TUESDAY)))
    assert kept < len(truth(TUESDAY))
    assert listed(http.get(f"{fake.url}/cs.CL")) == truth(TUESDAY)[-kept:]


def test_duplicates(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.duplicates())
    reply = http.get(f"{fake.url}/cs.CL")
    items = raw_types(reply)
    assert len(items) > len(set(items)) > len({guid for guid, _ in items})
    assert listed(reply) == truth(TUESDAY)  # the strongest type is the right one


def test_wrong_types(fake: FakeArxiv, http: httpx.Client) -> None:
    def types(*how: str) -> dict[tuple[str, int | None], str]:
        fake.faults.clear()
        fake.faults.add(Fault.wrong_types("cs.CL", how) if how else Fault.wrong_types("cs.CL"))
        return {(name, version): kind for name, version, kind in listed(http.get(f"{fake.url}/cs.CL"))}

    right = {(name, version): kind for name, version, kind in truth(TUESDAY)}
    primary = {one.arxiv_id for one in WORLD.papers_at(NINE) if one.primary == "cs.CL"}
    for key, kind in types("new-on-v2").items():
        assert kind == ("new" if key[1] != 1 else right[key])
    for kind in types("replace-on-v1").values():
        assert kind.startswith("replace")
    for key, kind in types("new-on-secondary").items():
        assert kind == ("new" if right[key] == "cross" and key[0] not in primary else right[key])
    swapped = {"replace": "replace-cross", "replace-cross": "replace"}
    for key, kind in types("swapped-replacements").items():
        assert kind == swapped.get(right[key], right[key])
    mixed = types()
    assert set(mixed) == set(right)
    assert sum(mixed[key] != right[key] for key in right) > len(right) / 2


def test_unknown_type(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.unknown_type(word="revive"))
    reply = http.get(f"{fake.url}/cs.CL")
    assert raw_types(reply)[-1][1] == "revive"
    with pytest.raises(FeedRejected, match="revive"):
        parse_feed(reply.content)


# Answers that fail


@pytest.mark.parametrize("source", ["feed", "oai", "api"])
@pytest.mark.parametrize(
    ("code", "retry_after", "body"),
    [(429, None, b""), (429, 30, b""), (406, None, b""), (503, 10, b""), (500, None, b"x"), (403, None, b"")],
)
def test_status(
    fake: FakeArxiv, http: httpx.Client, source: Source, code: int, retry_after: int | None, body: bytes
) -> None:
    fake.faults.add(Fault.status(code, source, retry_after=retry_after, body=body).first(1))
    address = {
        "feed": f"{fake.url}/cs.CL",
        "oai": f"{fake.oai_url}?{RAW}",
        "api": f"{fake.api_url}?id_list=2601.90001",
    }[source]
    reply = http.get(address)
    assert (reply.status_code, reply.content) == (code, body)
    assert reply.headers.get("retry-after") == (None if retry_after is None else str(retry_after))
    assert fake.requests[-1].status == code
    assert http.get(address).status_code == 200


def test_rate_exceeded(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.rate_exceeded("api"))
    reply = http.get(f"{fake.api_url}?id_list=2601.90001")
    assert (reply.status_code, reply.content) == (429, b"Rate exceeded.")
    assert "retry-after" not in reply.headers


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_cut(fake: FakeArxiv, http: httpx.Client, encoding: str) -> None:
    fake.faults.add(Fault.cut(at=0.9))
    with pytest.raises(httpx.RemoteProtocolError):
        http.get(f"{fake.url}/cs.CL", headers={"Accept-Encoding": encoding})


def test_slow(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.slow("oai", delay=0.05, pause=0.01))
    reply = http.get(f"{fake.oai_url}?{RAW}")
    assert etree.fromstring(reply.content).find(".//{*}record") is not None
    (request,) = fake.requests
    assert request.ended is not None and request.ended - request.at >= 0.05 + 7 * 0.01


def test_a_web_page(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.html())
    reply = http.get(f"{fake.url}/cs.CL")
    assert reply.status_code == 200
    with pytest.raises(FeedRejected) as refused:
        parse_feed(reply.content)
    assert refused.value.reason == "html"


def test_wrong_content_type(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.wrong_content_type())
    reply = http.get(f"{fake.url}/cs.CL")
    assert reply.headers["content-type"].startswith("text/html")
    assert listed(reply) == truth(TUESDAY)


# OAI-PMH and the API


def test_tokens_that_fail(fake: FakeArxiv, http: httpx.Client) -> None:
    def ask(query: str) -> str:
        return http.get(f"{fake.oai_url}?{query}").text

    def token(text: str) -> str:
        return text.partition("resumptionToken expirationDate=")[2].partition(">")[2].partition("<")[0]

    good = token(ask(RAW))
    fake.faults.add(Fault.expired_token().first(2))
    assert "<record>" in ask(RAW)
    assert "<error code='badResumptionToken'>" in ask(f"verb=ListRecords&resumptionToken={good}")
    assert "<record>" in ask(f"verb=ListRecords&resumptionToken={good}")
    fake.faults.clear()
    fake.faults.add(Fault.bad_token())
    bad = token(ask(RAW))
    fake.faults.clear()
    assert "<error code='badResumptionToken'>" in ask(f"verb=ListRecords&resumptionToken={bad}")


def test_lists_that_are_empty_although_they_are_not(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.no_records("cs.CL"))
    assert "noRecordsMatch" in http.get(f"{fake.oai_url}?{RAW}&set=cs:cs:CL").text
    assert "<record>" in http.get(f"{fake.oai_url}?{RAW}&set=stat:stat:ML").text
    assert "<record>" in http.get(f"{fake.oai_url}?{RAW}").text


def test_an_empty_page_of_the_api(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.faults.add(Fault.empty_page().first(1))
    root = etree.fromstring(http.get(f"{fake.api_url}?id_list=2601.90001").content)
    assert (root.findtext("{*}totalResults"), root.find("{*}entry")) == ("1", None)
    root = etree.fromstring(http.get(f"{fake.api_url}?id_list=2601.90001").content)
    assert root.find("{*}entry") is not None


# Schedules


def test_windows() -> None:
    fault = Fault.html().on(TUESDAY, time(8), time(10))
    faults = Faults(fault)
    for clock, hit in ((time(7, 59), False), (time(8), True), (time(9, 59), True), (time(10), False)):
        assert bool(faults.meet("feed", ("cs.CL",), eastern(TUESDAY, clock))) is hit
        assert faults.works("feed", eastern(TUESDAY, clock)) is not hit
    assert not faults.meet("oai", (), NINE)
    assert str(faults) == "2026-01-13 13:00Z .. 2026-01-13 15:00Z  feed  *         html"
    assert list(faults) == [fault]


def test_a_count_belongs_to_its_own_fault() -> None:
    faults = Faults(Fault.html("feed", "cs.CL").first(1), Fault.status(500, "feed", "stat.ML").first(2))
    met = [
        [one.kind for one in faults.meet("feed", (name,), NINE)]
        for name in ("stat.ML", "cs.CL", "cs.CL", "stat.ML", "stat.ML")
    ]
    assert met == [["status"], ["html"], [], ["status"], []]


def test_counting_is_exact_with_many_threads() -> None:
    faults = Faults(Fault.html().first(10))
    met: list[int] = []

    def ask() -> None:
        met.extend(len(faults.meet("feed", (), NINE)) for _ in range(20))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(met) == 10


def test_random_schedules() -> None:
    assert str(Faults.random(7, WORLD)) == str(Faults.random(7, WORLD)) != str(Faults.random(8, WORLD))
    assert len(str(Faults.random(7, WORLD)).splitlines()) == len(Faults.random(7, WORLD)) > 20
    kinds: Counter[str] = Counter()
    for seed in range(20):
        faults = Faults.random(seed, WORLD)
        kinds.update(f"{one.source} {one.kind}" for one in faults)
        hours = [midnight(WORLD.first_day) + timedelta(hours=number) for number in range(24 * len(WORLD.days))]
        works = [faults.works("oai", hour) for hour in hours]
        for start in range(0, len(hours) - 71, 24):
            longest = max(
                map(len, "".join("x" if well else " " for well in works[start : start + 72]).split()), default=0
            )
            assert longest >= 5, f"seed {seed}\n{faults}"
    assert {f"{source} {kind}" for source in ("feed", "oai") for kind in ("status", "cut", "slow", "html")} < set(kinds)
    assert {
        "feed stale",
        "feed empty",
        "feed truncated",
        "feed wrong-types",
        "oai expired-token",
        "oai no-records",
    } < set(kinds)
    only = Faults.random(3, WORLD, ("feed", "oai", "api"), kinds=("stale", "cut"))
    assert {one.kind for one in only} == {"stale", "cut"}
    whole = Faults.random(3, WORLD, ("oai",), moment=timedelta(days=1))
    assert {one.until - one.since for one in whole if one.since and one.until} == {timedelta(days=1)}


def test_a_random_schedule_can_be_served(http: httpx.Client) -> None:
    """Whatever goes wrong, the server answers or cuts, and a faultless hour shows the truth."""
    faults = Faults.random(11, WORLD, ("feed", "oai", "api"))
    right = 0
    with FakeArxiv(WORLD, faults=faults).running() as fake:
        for day in WORLD.batch_days:
            fake.today_at = eastern(day, time(9))
            for address in (
                f"{fake.url}/hep-th",
                f"{fake.oai_url}?{RAW}&from={day}",
                f"{fake.api_url}?id_list=2601.90001",
            ):
                try:
                    reply = http.get(address)
                except httpx.RemoteProtocolError:
                    continue
                if address.startswith(fake.url) and faults.works("feed", fake.today_at, "hep-th"):
                    assert listed(reply) == truth(day, "hep-th")
                    right += 1
    assert right > 3
    assert len(fake.requests) == 3 * len(WORLD.batch_days)
