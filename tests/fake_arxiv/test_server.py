"""The fake over HTTP: scripted replies, feeds, OAI-PMH, the API, the log, and the command line."""

import itertools
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from lxml import etree

from app.arxiv.feed import parse_feed
from tests.fake_arxiv import FakeArxiv, Reply, World
from tests.fake_arxiv.world import eastern, midnight, visible_at

ROOT = Path(__file__).resolve().parents[2]
WORLD = World()
MONDAY, TUESDAY = date(2026, 1, 12), date(2026, 1, 13)
RAW = "verb=ListRecords&metadataPrefix=arXivRaw"


@pytest.fixture(scope="module")
def running() -> Iterator[FakeArxiv]:
    with FakeArxiv(WORLD).running() as fake:
        yield fake


@pytest.fixture
def fake(running: FakeArxiv) -> FakeArxiv:
    """The one server of these tests, with nothing of the test before."""
    running.replies.clear()
    running.requests.clear()
    running.faults.clear()
    running.oai.page_size = 40
    running.today_at = eastern(TUESDAY, time(9))
    return running


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(headers={"Accept-Encoding": "identity"}) as client:
        yield client


def ids(body: bytes) -> list[str]:
    return [entry.arxiv_id for entry in parse_feed(body).entries]


def oai(http: httpx.Client, fake: FakeArxiv, query: str) -> Any:
    reply = http.get(f"{fake.oai_url}?{query}")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/xml")
    return etree.fromstring(reply.content)


def harvest(http: httpx.Client, fake: FakeArxiv, query: str) -> list[list[str]]:
    """The ids of all pages."""
    root, pages = oai(http, fake, query), []
    verb = query.partition("&")[0]
    while True:
        pages.append([name.text.removeprefix("oai:arXiv.org:") for name in root.iterfind(".//{*}identifier")])
        token = root.findtext(".//{*}resumptionToken")
        if not token:
            return pages
        root = oai(http, fake, f"{verb}&resumptionToken={token}")


def error(root: Any) -> str:
    return str(root.find("{*}error").get("code"))


# Scripted replies


def test_scripts_win_over_the_world(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.serve("cs.CL", b"one", Reply(b"two", 503, {"Retry-After": "1"}))
    replies = [http.get(f"{fake.url}/cs.CL") for _ in range(3)]
    assert [(reply.status_code, reply.content) for reply in replies] == [(200, b"one"), (503, b"two"), (503, b"two")]
    assert replies[0].headers["content-type"] == "application/rss+xml"
    assert "etag" not in replies[0].headers
    assert ids(http.get(f"{fake.url}/stat.ML").content)
    fake.serve_path("/oai", b"any")
    fake.serve_path("/oai?verb=Identify", b"this")
    assert http.get(f"{fake.oai_url}?verb=ListSets").content == b"any"
    assert http.get(f"{fake.oai_url}?verb=Identify").content == b"this"


def test_without_a_world_there_are_scripts_only(http: httpx.Client) -> None:
    with FakeArxiv().running() as fake:
        fake.serve("cs.CL", Reply(b"0123456789", cut=4))
        assert http.get(f"{fake.url}/cs.LG").status_code == 404
        with pytest.raises(httpx.RemoteProtocolError):
            http.get(f"{fake.url}/cs.CL")
        assert fake.url.endswith("/rss")


# Feeds


def test_a_feed_is_of_today(fake: FakeArxiv, http: httpx.Client) -> None:
    expected = [one.arxiv_id for one in WORLD.batch("cs.CL", TUESDAY) if one.in_feed]
    for clock in (time(0), time(9), time(23, 59)):
        fake.today_at = eastern(TUESDAY, clock)
        assert ids(http.get(f"{fake.url}/cs.CL").content) == expected
    fake.today_at = midnight(TUESDAY) - timedelta(seconds=1)
    assert ids(http.get(f"{fake.url}/cs.CL").content) != expected
    for day in (date(2026, 1, 17), date(2026, 1, 18), date(2026, 1, 20), date(2026, 3, 2)):
        fake.today_at = eastern(day, time(12))
        read = parse_feed(http.get(f"{fake.url}/cs.CL").content)
        assert (read.entries, read.announced_on) == ((), day)


def test_names_in_an_address(fake: FakeArxiv, http: httpx.Client) -> None:
    combined = http.get(f"{fake.url}/hep-th+CS.cl%2Bstat.ml").content
    assert parse_feed(combined).categories == ("hep-th", "cs.CL", "stat.ML")
    single = [set(ids(http.get(f"{fake.url}/{name}").content)) for name in ("cs.CL", "stat.ML", "hep-th")]
    assert set(ids(combined)) == set.union(*single)
    assert single[0] < set(ids(http.get(f"{fake.url}/cs").content))
    assert ids(http.get(f"{fake.url}/math.MP").content) == ids(http.get(f"{fake.url}/math-ph").content) != []
    assert ids(http.get(f"{fake.url}/cmp-lg").content) == []
    for bad in ("cs.CL,stat.ML", "cs.CL%20stat.ML", "heplat", "cs.XX", "grp_physics", "cs.CL+", "cs.CL?version=0.91"):
        reply = http.get(f"{fake.url}/{bad}")
        assert reply.status_code == 400
        assert b"<title>Feed error for query: http://rss.arxiv.org/rss/" in reply.content
        assert "max-age" in reply.headers["cache-control"]
    assert b"<rss" not in http.get(fake.url).content


def test_conditional_requests_and_compression(fake: FakeArxiv, http: httpx.Client) -> None:
    reply = http.get(f"{fake.url}/cs.CL")
    assert reply.headers["cache-control"] == f"max-age={15 * 3600}"
    assert reply.headers["content-type"] == "application/rss+xml"
    again = http.get(f"{fake.url}/cs.CL", headers={"If-None-Match": reply.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", reply.headers["etag"])
    packed = http.get(f"{fake.url}/cs.CL", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == reply.content
    fake.today_at += timedelta(days=1)
    assert http.get(f"{fake.url}/cs.CL", headers={"If-None-Match": reply.headers["etag"]}).status_code == 200
    atom = http.get(fake.url.replace("/rss", "/atom/cs.CL"))
    assert atom.headers["content-type"] == "application/atom+xml"
    assert parse_feed(atom.content).format == "atom"


def test_the_real_limit_loses_new_papers(http: httpx.Client) -> None:
    crowded = World(5, MONDAY, days=1, categories=("cs.CL",), per_day=2500)
    truth = crowded.batch("cs.CL", MONDAY)
    assert len(truth) > 2000
    with FakeArxiv(crowded).running() as fake:
        read = parse_feed(http.get(f"{fake.url}/cs.CL").content)
    assert len(read.entries) == 2000
    lost = [one for one in truth if one.in_feed][:-2000]
    assert {one.announce_type for one in lost} == {"new"}
    assert max(one.arxiv_id for one in lost) < min(one.arxiv_id for one in read.entries if one.announce_type == "new")
    assert Counter(one.announce_type for one in truth if one.in_feed and one not in lost) == Counter(
        one.announce_type.value for one in read.entries
    )


# OAI-PMH


def test_a_harvest_is_whole(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.today_at = datetime(2026, 3, 1, tzinfo=UTC)
    pages = harvest(http, fake, RAW)
    assert [len(page) for page in pages[:-1]] == [40] * (len(pages) - 1)
    assert sorted(name for page in pages for name in page) == sorted(WORLD.ids)
    identifiers = harvest(http, fake, "verb=ListIdentifiers&metadataPrefix=oai_dc")
    assert len(identifiers[0]) == 100
    assert sorted(name for page in identifiers for name in page) == sorted(WORLD.ids)
    page = harvest(http, fake, f"{RAW}&from=2026-01-13&until=2026-01-13&set=cs:cs:CL")
    assert len(page) == 1
    listed = {one.arxiv_id for one in WORLD.events if one.at.date() == TUESDAY}
    assert set(page[0]) <= listed


@pytest.mark.parametrize("prefix", ["arXivRaw", "arXiv", "oai_dc", "arXivOld"])
def test_every_format_is_well_formed(fake: FakeArxiv, http: httpx.Client, prefix: str) -> None:
    root = oai(http, fake, f"verb=ListRecords&metadataPrefix={prefix}&from=2026-01-12")
    assert len(root.findall(".//{*}record")) == 40


def test_what_is_announced_is_visible_from_half_past_ten(fake: FakeArxiv, http: httpx.Client) -> None:
    query = f"{RAW}&from=2026-01-13"
    fake.today_at = visible_at(TUESDAY) - timedelta(seconds=1)
    assert error(oai(http, fake, query)) == "noRecordsMatch"
    fake.today_at = visible_at(TUESDAY)
    listed = {name for page in harvest(http, fake, query) for name in page}
    announced = {one.arxiv_id for one in WORLD.announcements if one.announced_on == TUESDAY}
    assert announced <= listed
    assert listed == {one.arxiv_id for one in WORLD.events if one.day == TUESDAY}
    root = oai(http, fake, f"verb=GetRecord&metadataPrefix=arXivRaw&identifier=oai:arXiv.org:{max(listed)}")
    assert root.findtext(".//{*}datestamp") == "2026-01-13"


def test_sets(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.today_at = datetime(2026, 3, 1, tzinfo=UTC)

    def names(spec: str) -> set[str]:
        return {name for page in harvest(http, fake, f"{RAW}&from=2026-01-01&set={spec}") for name in page}

    hep, cl = names("physics:hep-th"), names("cs:cs:CL")
    assert hep and cl
    assert hep <= names("physics")
    assert cl < names("cs:cs") == names("cs")
    assert names("math:math:MP") == names("physics:math-ph")
    assert all("cs.CL" in WORLD.history(name)[-1].categories for name in cl)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("verb=ListEverything", "badVerb"),
        ("", "badVerb"),
        ("verb=ListRecords", "badArgument"),
        ("verb=ListRecords&verb=ListRecords&metadataPrefix=arXiv", "badArgument"),
        (f"{RAW}&colour=blue", "badArgument"),
        (f"{RAW}&set=cs:CL", "badArgument"),
        (f"{RAW}&set=cs.CL", "badArgument"),
        (f"{RAW}&from=2026-01-13&until=2026-01-12", "badArgument"),
        (f"{RAW}&until=2026-01-14", "badArgument"),
        (f"{RAW}&resumptionToken=x", "badArgument"),
        ("verb=ListRecords&resumptionToken=6825723%7C1001", "badResumptionToken"),
        ("verb=ListRecords&metadataPrefix=marc", "cannotDisseminateFormat"),
        (f"{RAW}&from=2026-01-10&until=2026-01-11&set=econ", "noRecordsMatch"),
        ("verb=GetRecord&metadataPrefix=arXiv&identifier=oai:arXiv.org:2601.00001", "idDoesNotExist"),
        ("verb=GetRecord&metadataPrefix=arXiv&identifier=2601.90001", "idDoesNotExist"),
        ("verb=GetRecord&identifier=oai:arXiv.org:2601.90001", "badArgument"),
        ("verb=Identify&set=cs", "badArgument"),
    ],
)
def test_errors_come_with_200(fake: FakeArxiv, http: httpx.Client, query: str, code: str) -> None:
    assert error(oai(http, fake, query)) == code


def test_tokens(fake: FakeArxiv, http: httpx.Client) -> None:
    root = oai(http, fake, f"{RAW}&set=cs:cs:CL")
    element = root.find(".//{*}resumptionToken")
    assert element.get("expirationDate") == "2026-01-14T00:00:00Z"
    token = element.text
    query = r"verb%3DListRecords%26metadataPrefix%3DarXivRaw%26from%3D[\d-]+%26set%3Dcs%253Acs%253ACL%26skip%3D\d+"
    assert re.fullmatch(query, token)
    pages = [
        oai(http, fake, f"verb=ListRecords&resumptionToken={text}").xpath("//*[local-name()='identifier']/text()")
        for text in (token, quote(token))
    ]
    assert pages[0] == pages[1] != []
    reply = http.post(fake.oai_url, data={"verb": "ListRecords", "resumptionToken": token})
    assert etree.fromstring(reply.content).xpath("//*[local-name()='identifier']/text()") == pages[0]
    assert error(oai(http, fake, f"verb=ListIdentifiers&resumptionToken={token}")) == "badResumptionToken"
    fake.today_at = datetime(2026, 1, 14, 0, 0, 1, tzinfo=UTC)
    assert error(oai(http, fake, f"verb=ListRecords&resumptionToken={token}")) == "badResumptionToken"
    one_page = oai(http, fake, f"{RAW}&from=2026-01-13&set=physics:hep-th")
    assert one_page.find(".//{*}resumptionToken") is None


def test_a_token_is_a_place_in_a_list_that_lives(fake: FakeArxiv, http: httpx.Client) -> None:
    """A record that is edited between two pages moves to the end, and another slips to the page that was read."""

    def listed(day: date, instant: datetime) -> list[str]:
        found = [paper for paper in WORLD.papers_at(instant) if paper.datestamp == day]
        return [paper.arxiv_id for paper in sorted(found, key=lambda paper: (paper.modified_at, paper.arxiv_id))]

    for edit in WORLD.events:
        before = WORLD.paper_at(edit.arxiv_id, edit.at - timedelta(minutes=1))
        if edit.kind == "edit" and before and before.datestamp < edit.at.date():
            of_day = listed(before.datestamp, edit.at - timedelta(minutes=1))
            place = of_day.index(edit.arxiv_id)
            if place < len(of_day) - 2:
                break
    else:
        pytest.fail("no edit fits")
    fake.oai.page_size = place + 1
    fake.today_at = edit.at - timedelta(minutes=1)
    root = oai(http, fake, f"{RAW}&from={before.datestamp}")
    seen = root.xpath("//*[local-name()='identifier']/text()")
    fake.today_at = edit.at
    token = root.findtext(".//{*}resumptionToken")
    rest = []
    while token:
        root = oai(http, fake, f"verb=ListRecords&resumptionToken={token}")
        rest += root.xpath("//*[local-name()='identifier']/text()")
        token = root.findtext(".//{*}resumptionToken")
    assert f"oai:arXiv.org:{edit.arxiv_id}" in seen
    assert f"oai:arXiv.org:{edit.arxiv_id}" in rest
    lost = {f"oai:arXiv.org:{name}" for name in of_day} - {*seen, *rest}
    assert lost == {f"oai:arXiv.org:{of_day[place + 1]}"}


# The API


def test_api(fake: FakeArxiv, http: httpx.Client) -> None:
    def ask(query: str) -> Any:
        return etree.fromstring(http.get(f"{fake.api_url}?{query}").content)

    names = [f"2601.900{number:02}" for number in range(1, 13)]
    root = ask(f"id_list={','.join(names)}")
    assert len(root.findall("{*}entry")) == 10
    assert root.findtext("{*}totalResults") == "12"
    rest = ask(f"id_list={','.join(names)}&start=10&max_results=100")
    assert len(rest.findall("{*}entry")) == 2
    some = ask(f"id_list={names[0]},2601.00001,2602.90001&max_results=10")
    newest = WORLD.paper_at(names[0], fake.today_at)
    assert newest is not None
    assert [one.text for one in some.iterfind("{*}entry/{*}id")] == [
        f"http://arxiv.org/abs/{names[0]}v{newest.version}"
    ]
    first = ask(f"id_list={names[0]}v1,{names[0]}v9").findall("{*}entry")
    assert [one.findtext("{*}id") for one in first] == [f"http://arxiv.org/abs/{names[0]}v1"]
    reply = http.get(f"{fake.api_url}?id_list={names[0]},abc")
    assert reply.status_code == 400
    assert etree.fromstring(reply.content).findtext("{*}entry/{*}title") == "Error"
    replaced = next(one for one in WORLD.events if one.kind == "version" and one.day == TUESDAY)
    for asked in (replaced.arxiv_id, f"{replaced.arxiv_id}v{replaced.version}"):
        entry = ask(f"id_list={asked}").find("{*}entry")
        assert entry.findtext("{*}id") == f"http://arxiv.org/abs/{replaced.arxiv_id}v{replaced.version}"
    fake.today_at = visible_at(TUESDAY) - timedelta(seconds=1)
    assert ask(f"id_list={replaced.arxiv_id}v{replaced.version}").find("{*}entry") is None


# The log and the command line


def test_requests_are_kept(fake: FakeArxiv, http: httpx.Client) -> None:
    fake.serve("slow", Reply(b"body", delay=0.05))
    http.get(f"{fake.url}/slow?x=1", headers={"User-Agent": "tests"})
    http.post(fake.oai_url, data={"verb": "Identify"})
    first, second = fake.requests
    assert (first.path, first.method, first.status, first.headers["User-Agent"]) == (
        "/rss/slow?x=1",
        "GET",
        200,
        "tests",
    )
    assert (second.path, second.method) == ("/oai?verb=Identify", "POST")
    assert first.ended is not None and second.ended is not None
    assert first.ended - first.at >= 0.05
    assert fake.gaps() == [pytest.approx(second.at - first.ended)]
    assert fake.gaps()[0] > 0


def test_the_clock_needs_a_zone(fake: FakeArxiv) -> None:
    with pytest.raises(ValueError, match="time zone"):
        fake.today_at = datetime(2026, 1, 13)  # noqa: DTZ001


def test_command_line() -> None:
    command = [sys.executable, "-m", "tests.fake_arxiv"]
    told = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "--seed" in told and "--faults" in told
    with subprocess.Popen(
        [*command, "--today", "2026-01-14", "--seed", "3"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = list(itertools.takewhile(lambda line: "CATEGORIES" not in line, process.stdout))
            settings = dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))
            assert httpx.get(settings["ZHAIYAO_ARXIV_OAI_URL"] + "?verb=Identify").status_code == 200
            assert parse_feed(httpx.get(settings["ZHAIYAO_ARXIV_FEED_URL"] + "/cs.CL").content).announced_on == date(
                2026, 1, 14
            )
            assert settings["ZHAIYAO_ARXIV_INTERVAL"] == "0.2"
        finally:
            process.kill()
