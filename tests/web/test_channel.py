"""A channel's page: its digests as a list and as a month, in which each kind of day can be told from the others."""

from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from app.ingestion import Tools
from app.render import FORMATS
from app.render.i18n import written_period
from tests.api import eastern
from tests.feeds import TUESDAY, WEDNESDAY
from tests.web.conftest import Visit
from tests.web.reading import cell, read, seen
from tests.web.scene import put_channel, put_digest, put_listing

HOLIDAY = date(2026, 1, 20)
HOSTILE = "</title><script>alert(1)</script>\"'&\u202e\u200b\u0007 " + "W" * 300


async def test_a_digest_in_the_list(visit: Visit, tools: Tools) -> None:
    one = await put_digest(tools, TUESDAY, revision=3, summarized=4, failed=2, incomplete=("cs.CL",))
    await put_digest(tools, WEDNESDAY, revision=0, id="draft")
    async with visit() as client:
        page = read(await client.get("/channels/cs.CL"))
    assert seen(page.find(".//h1")) == "Computation and Language (cs.CL)"
    [shown] = page.xpath("//ul[@class='digests']/li")
    for part in (
        "January 13, 2026",
        "Papers 6",
        "summarised 4",
        "failed 2",
        "listings not read whole 1",
        "Chinese",
        "revision 3",
    ):
        assert part in seen(shown)
    assert set(shown.xpath(".//@href")) == {f"/v1/digests/{one}.{form}" for form in FORMATS}
    assert not [link for link in page.xpath("//@href") if "draft" in link]


async def test_feeds_are_linked_and_discovered(visit: Visit) -> None:
    async with visit() as client:
        page = read(await client.get("/channels/cs.CL"))
    types = {"atom": "application/atom+xml", "rss": "application/rss+xml", "json": "application/feed+json"}
    for suffix, kind in types.items():
        address = f"/v1/channels/cs.CL/feed.{suffix}"
        assert page.xpath(f"//head/link[@rel='alternate'][@href='{address}']/@type") == [kind]
        assert page.xpath(f"//body//a[@href='{address}']")


async def test_each_kind_of_day(visit: Visit, tools: Tools) -> None:
    """January 2026, seen on Wednesday 14th."""
    digest = await put_digest(tools, TUESDAY, summarized=9)
    await put_listing(tools, TUESDAY)
    await put_listing(tools, date(2026, 1, 5), "announced", papers=12)
    await put_listing(tools, date(2026, 1, 6), "empty")
    await put_listing(tools, date(2026, 1, 7), "failed")
    await put_listing(tools, date(2026, 1, 8), "stale")
    await put_listing(tools, date(2026, 1, 9), "truncated", papers=40)
    await put_listing(tools, date(2026, 1, 10), "empty")
    await put_listing(tools, WEDNESDAY, "not_yet")
    async with visit() as client:
        page = read(await client.get("/channels/cs.CL"))
    assert seen(page.find(".//caption")) == "January 2026"
    assert seen(cell(page, TUESDAY)) == "13 9 papers"
    assert cell(page, TUESDAY).xpath(".//@href") == [f"/v1/digests/{digest}.html"]
    expected = {
        5: "12 announced", 6: "empty", 7: "failed", 8: "stale", 9: "40 cut short", 10: "no announcement", 11: "no announcement",
        12: "not read", 14: "not yet announced", 15: "still to come", 20: "no announcement",
    }  # fmt: skip
    for number, words in expected.items():
        shown = cell(page, date(2026, 1, number))
        assert seen(shown).endswith(words), (number, seen(shown))
        assert not shown.xpath(".//a")
    assert len(page.xpath("//table//td//time")) == 31
    assert all(len(row.xpath("./td")) == 7 for row in page.xpath("//tbody/tr"))
    assert page.xpath("//td[@aria-current='date']//time/@datetime") == [str(WEDNESDAY)]


async def test_today_is_not_unread(visit: Visit) -> None:
    async with visit() as client:
        page = read(await client.get("/channels/cs.CL"))
    assert seen(cell(page, WEDNESDAY)).endswith("not yet announced")
    assert seen(cell(page, TUESDAY)).endswith("not read")


async def test_several_categories_are_as_good_as_their_worst(visit: Visit, tools: Tools) -> None:
    await put_channel(tools, "two", "Two", "cs.CL", "econ")
    await put_listing(tools, TUESDAY, papers=3)
    await put_listing(tools, TUESDAY, papers=2, category="econ.EM")
    await put_listing(tools, TUESDAY - timedelta(days=1), papers=3)
    await put_listing(tools, TUESDAY - timedelta(days=1), "failed", category="econ")
    async with visit() as client:
        page = read(await client.get("/channels/two"))
    assert seen(cell(page, TUESDAY)).endswith("5 announced")
    assert seen(cell(page, TUESDAY - timedelta(days=1))).endswith("failed")


async def test_a_week_is_shown_on_its_last_day(visit: Visit, tools: Tools) -> None:
    """A day's own digest comes before that of a longer period which ends on it."""
    week = await put_digest(tools, date(2026, 1, 5), to=date(2026, 1, 9), summarized=50)
    await put_digest(tools, date(2026, 1, 12), to=TUESDAY, summarized=30)
    day = await put_digest(tools, TUESDAY, summarized=20)
    async with visit() as client:
        page = read(await client.get("/channels/cs.CL"))
    assert cell(page, date(2026, 1, 9)).xpath(".//@href") == [f"/v1/digests/{week}.html"]
    assert cell(page, TUESDAY).xpath(".//@href") == [f"/v1/digests/{day}.html"]
    assert written_period(date(2026, 1, 5), date(2026, 1, 9), "en") in [seen(one) for one in page.xpath("//li/h3")]


async def test_every_digest_is_met_once_on_the_way_down(visit: Visit, tools: Tools) -> None:
    ids = set()
    for number in range(45):
        ids.add(await put_digest(tools, TUESDAY - timedelta(days=number // 2), language=("zh", "en")[number % 2]))
    async with visit() as client:
        found: list[str] = []
        address: str | None = "/channels/cs.CL?language=en"
        pages = 0
        while address:
            page = read(await client.get(address))
            found += page.xpath("//ul[@class='digests']//h3/a/@href")
            pages += 1
            older = page.xpath("//section[@aria-labelledby='list']//nav/a[@rel='next']/@href")
            address = older[0] if older else None
            assert address is None or parse_qs(urlsplit(address).query)["language"] == ["en"]
    assert sorted(found) == sorted(f"/v1/digests/{one}.html" for one in ids)
    assert pages == 3


async def test_months_lead_to_one_another(visit: Visit, tools: Tools) -> None:
    await put_digest(tools, date(2025, 12, 30))
    async with visit() as client:
        page = read(await client.get("/channels/cs.CL"))
        assert seen(page.find(".//caption")) == "December 2025"
        former, later = [page.xpath(f"//a[@rel='{rel}']/@href")[-1] for rel in ("prev", "next")]
        assert former == "/channels/cs.CL?month=2025-11#days"
        page = read(await client.get(later))
        assert seen(page.find(".//caption")) == "January 2026"
        assert not page.xpath("//a[@rel='next']"), "nobody knows next month"
        page = read(await client.get("/channels/cs.CL?month=2024-02"))
        assert len(page.xpath("//td//time")) == 29


async def test_what_a_channel_takes(visit: Visit, tools: Tools) -> None:
    await put_channel(
        tools, "mine", "Mine", "cs.CL", "math.NA", query='"large <model>" -x', authors=["Ada Sample", "Bo $x$"],
        exclude_words=["survey"], exclude_categories=["cs.CV"], order_by="relevance", size_limit=20, schedule="weekly",
        weekday=3, language="fr",
    )  # fmt: skip
    async with visit() as client:
        rules = {
            seen(one.find("dt")): seen(one.find("dd"))
            for one in read(await client.get("/channels/mine")).xpath("//dl[@class='rules']/div")
        }
    assert rules == {
        "Categories": "cs.CL, math.NA",
        "Announcements": "new, cross-list",
        "Query": '"large <model>" -x',
        "Authors": "Ada Sample, Bo $x$",
        "Left out": "survey, cs.CV",
        "Language": "French",
        "Order": "best match first",
        "At most": "20 papers",
        "A digest comes": "each week, until Wednesday",
    }


@pytest.mark.parametrize("alias", ["cs.NA", "CS.na", "math.na", "math.NA"])
async def test_any_name_of_a_category(visit: Visit, alias: str) -> None:
    async with visit() as client:
        page = read(await client.get(f"/channels/{alias}"))
    assert seen(page.find(".//h1")) == "Numerical Analysis (math.NA)"
    assert page.xpath("//link[@rel='canonical']/@href") == ["http://zhaiyao.test/channels/math.NA"]


async def test_a_channel_that_is_not_followed_says_so(visit: Visit) -> None:
    async with visit() as client:
        assert "zhaiyao ingest hep-th" in seen(read(await client.get("/channels/hep-th")))
        assert "zhaiyao ingest" not in seen(read(await client.get("/channels/cs.CL")))


@pytest.mark.parametrize("slug", ["nix", "%3Cscript%3Ealert(1)", "%E2%80%AE", "x" * 5000, "...", "%27%3B--", "%20"])
async def test_no_such_channel(visit: Visit, slug: str) -> None:
    async with visit() as client:
        page = read(await client.get(f"/channels/{slug}"), 404)
    assert "There is no such page" in seen(page.find(".//h1"))
    assert "/" in page.xpath("//main//a/@href")


@pytest.mark.parametrize(
    "query",
    [
        "before=x", "before=2026-01-13", "before=2026-13-13_1", "before=2026-01-13_-1", "before=2026-01-13_" + "9" * 30,
        "before=20260113xx_1", "month=2026", "month=2026-13", "month=2026-00", "month=0001-01", "month=9999-12",
        "month=２０２６-０１", "month=" + "1" * 5000, "before=%F0%9F%92%A9_1", "before='; DROP TABLE digests_1",
    ],
)  # fmt: skip
async def test_no_such_part_of_a_channel(visit: Visit, query: str) -> None:
    async with visit() as client:
        read(await client.get(f"/channels/cs.CL?{query}"), 404)


@pytest.mark.parametrize(
    "query", ["", "before=", "month=", "before=1991-01-01_1", "before=9998-12-31_999999999999999999"]
)
async def test_the_ends_of_a_list(visit: Visit, tools: Tools, query: str) -> None:
    await put_digest(tools, TUESDAY)
    async with visit() as client:
        read(await client.get(f"/channels/cs.CL?{query}"))


async def test_titles_stay_titles(visit: Visit, tools: Tools) -> None:
    """Nothing gets out of its element, and nothing of it is lost."""
    await put_channel(tools, "evil", HOSTILE, "cs.CL", authors=[HOSTILE], query=HOSTILE, exclude_words=[HOSTILE])
    await put_digest(tools, TUESDAY, channel="evil", title=f"The digest {HOSTILE}", id="evil")
    await put_listing(tools, WEDNESDAY, "failed", reason=HOSTILE)
    shown = HOSTILE.replace("\u0007", "\ufffd")
    async with visit() as client:
        page = read(await client.get("/channels/evil"))
        assert page.find(".//h1").text_content() == shown
        assert page.find(".//title").text_content() == shown
        assert f"The digest {shown}" in seen(page)
        assert seen(page).count(shown) >= 5
        home = read(await client.get("/"))
    assert seen(home).count(shown) >= 2


async def test_the_same_page_is_not_sent_twice(visit: Visit, tools: Tools) -> None:
    async with visit() as client:
        tag = (await client.get("/channels/cs.CL")).headers["etag"]
        assert (await client.get("/channels/cs.CL", headers={"If-None-Match": tag})).status_code == 304
        assert (await client.get("/channels/cs.CL?language=de", headers={"If-None-Match": tag})).status_code == 200
        assert (await client.get("/channels/nix", headers={"If-None-Match": "*"})).status_code == 404
        await put_digest(tools, TUESDAY)
        assert (await client.get("/channels/cs.CL", headers={"If-None-Match": tag})).status_code == 200


async def test_a_holiday_is_no_gap(visit: Visit) -> None:
    """Of Monday 2026-01-19, Martin Luther King Day, there is no mailing, and so no batch on the Tuesday."""
    async with visit(eastern(HOLIDAY, 12)) as client:
        page = read(await client.get("/channels/cs.CL"))
    assert seen(cell(page, HOLIDAY)).endswith("no announcement")
