"""Channels of one's own: which papers they show, in which order, how many, never twice; changed, tried, deleted."""

import itertools
from collections.abc import Callable, Coroutine
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from app import tasks
from app.ingestion import Tools
from tests.api import at, eastern, ok, problem, store
from tests.feeds import TUESDAY, WEDNESDAY, Item

Work = Callable[[], Coroutine[Any, Any, None]]
THURSDAY = WEDNESDAY + timedelta(days=1)
FRIDAY = WEDNESDAY + timedelta(days=2)

AGENTS = Item("2601.95001", title="Agents that plan", abstract="We study agents. They plan well.", creator="Ada Sample")
VISION = Item("2601.95002", title="Seeing", abstract="A survey of vision models.", creator="Bo Example")
PARSING = Item(
    "2601.95003", title="Parsing of trees", abstract="We parse. It is fast.", creator="Cy Nobody, Ada Sample"
)
MATHS = Item(
    "2601.95004", title="A lemma", abstract="We prove a lemma.", creator="Dee Other", categories=("cs.CL", "math.CO")
)


async def create(client: httpx.AsyncClient, **fields: Any) -> Any:
    body = {"slug": "mine", "title": "My channel", "categories": ["cs.CL"], "language": "en"} | fields
    return ok(await client.post("/v1/channels", json=body), 201)


async def digest(client: httpx.AsyncClient, day: date | None = None, /, **more: Any) -> Any:
    body = {"channel": "mine"} | ({"date": str(day)} if day else {}) | more
    answer = await client.post("/v1/digests", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def ids(found: Any) -> list[str]:
    return [item["arxiv_id"] for item in found["items"]]


def balanced(found: Any) -> bool:
    """Whether the receipt proves where every paper went."""
    told = found["receipt"]
    left_out = told["not_matching"] + told["shown_before"] + told["held_over"]
    shown = len(found["items"])
    return bool(
        told["stored"] + told["carried_over"] == shown + left_out
        and told["announced"] == told["stored"] + len(told["missing"])
        and told["summarized"] + told["pending"] + told["failed"] == shown
    )


@pytest.fixture
async def announced(tools: Tools, tmp_path: Path) -> None:
    """Tuesday's listing of four papers."""
    await store(tools, tmp_path, "cs.CL", TUESDAY, AGENTS, VISION, PARSING, MATHS)


@pytest.mark.usefixtures("announced")
@pytest.mark.parametrize(
    ("rules", "shown"),
    [
        ({}, ["4", "3", "2", "1"]),
        ({"query": "agent"}, ["1"]),
        ({"query": "agents OR parsing"}, ["3", "1"]),
        ({"query": "-survey"}, ["4", "3", "1"]),
        ({"query": '"vision models"'}, ["2"]),
        ({"query": "ti:lemma"}, ["4"]),
        ({"authors": ["Ada Sample"]}, ["3", "1"]),
        ({"authors": ["A. Sample"], "query": "survey"}, ["3", "2", "1"]),
        ({"exclude_words": ["survey"]}, ["4", "3", "1"]),
        ({"exclude_words": ["it is fast"], "authors": ["Ada Sample"]}, ["1"]),
        ({"exclude_categories": ["math.CO"]}, ["3", "2", "1"]),
        ({"announce_types": ["cross"]}, []),
        ({"query": "plan OR well OR lemma", "order": "relevance"}, ["1", "4"]),
    ],
)
async def test_the_rules_decide_what_is_shown(
    client: httpx.AsyncClient, rules: dict[str, Any], shown: list[str]
) -> None:
    made = await create(client, **rules)
    assert {name: made[name] for name in rules} == rules
    found = await digest(client, TUESDAY)
    assert ids(found) == [f"2601.9500{number}" for number in shown]
    assert balanced(found), found["receipt"]


@pytest.mark.usefixtures("announced")
async def test_each_paper_says_why_it_is_there(client: httpx.AsyncClient) -> None:
    await create(client, query='plan OR "parsing of trees"', authors=["Ada Sample", "Zoe Nowhere"])
    why = {item["arxiv_id"]: item["reasons"] for item in (await digest(client, TUESDAY))["items"]}
    listed, followed = {"kind": "category", "value": "cs.CL"}, {"kind": "author", "value": "Ada Sample"}
    assert why == {
        "2601.95003": [listed, followed, {"kind": "words", "value": "Parsing of trees"}],
        "2601.95001": [listed, followed, {"kind": "words", "value": "plan"}],
    }
    named = ok(await client.post("/v1/digests", json={"paper_ids": ["arXiv:2601.95001v1"]}), 201)
    assert named["items"][0]["reasons"] == [{"kind": "named", "value": "2601.95001"}]


async def test_a_paper_never_comes_twice(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    await create(client, categories=["cs.CL", "cs.LG"])
    both = ("cs.CL", "cs.LG")
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item("2601.95001", categories=both))
    await store(tools, tmp_path, "cs.LG", TUESDAY, Item("2601.95001", type="cross", categories=both))
    first = await digest(client, TUESDAY)
    assert ids(first) == ["2601.95001"]
    assert first["items"][0]["announce_type"] == "new"
    # A cross-list of the next day, and a second version, are the same paper.
    again = Item("2601.95001", version=2, type="replace", categories=both)
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, again, Item("2601.96001", categories=both))
    await store(tools, tmp_path, "cs.LG", WEDNESDAY, Item("2601.96002", categories=("cs.LG",)))
    second = await digest(client, WEDNESDAY)
    assert ids(second) == ["2601.96002", "2601.96001"]
    assert second["receipt"]["shown_before"] == 1
    assert balanced(second)
    # The first day's digest keeps it, also when it is looked at again; another language has a ledger of its own.
    assert ids(await digest(client, TUESDAY)) == ids(first)
    assert "2601.95001" in ids(await digest(client, WEDNESDAY, language="de"))
    # What a digest alone has shown may come again when the digest is gone.
    assert (await client.delete(f"/v1/digests/{first['id']}")).status_code == 204
    problem(await client.get(f"/v1/digests/{first['id']}"), 404, "not_found")
    problem(await client.delete(f"/v1/digests/{first['id']}"), 404, "not_found")
    assert "2601.95001" in ids(await digest(client, WEDNESDAY))


async def test_arxiv_s_own_channels_show_every_announcement(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await create(client, repeats=True)
    await store(tools, tmp_path, "cs.CL", TUESDAY, Item("2601.95001"))
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item("2601.95001", version=2, type="replace"), Item("2601.96001"))
    for channel in ("cs.CL", "mine"):
        for day, count in ((TUESDAY, 1), (WEDNESDAY, 2)):
            found = ok(await client.post("/v1/digests", json={"channel": channel, "date": str(day)}), 201)
            assert len(found["items"]) == count
            assert balanced(found)


async def test_a_limit_carries_over(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    await create(client, size_limit=2)
    first, second, third = (
        [Item(f"2601.9{day}00{n}") for n in range(1, count + 1)] for day, count in ((5, 5), (6, 1), (7, 0))
    )
    await store(tools, tmp_path, "cs.CL", TUESDAY, *first)
    tuesday = await digest(client, TUESDAY)
    assert (ids(tuesday), tuesday["receipt"]["held_over"]) == (["2601.95005", "2601.95004"], 3)
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, *second)
    wednesday = await digest(client, WEDNESDAY)
    # What waited longest comes first, so that nothing waits for ever.
    assert ids(wednesday) == ["2601.95003", "2601.95002"]
    assert (wednesday["receipt"]["carried_over"], wednesday["receipt"]["held_over"]) == (2, 1)
    await store(tools, tmp_path, "cs.CL", THURSDAY, *third)
    thursday = await digest(client, THURSDAY)
    assert ids(thursday) == ["2601.96001", "2601.95001"]
    assert [item["announced_on"] for item in thursday["items"]] == [str(WEDNESDAY), str(TUESDAY)]
    for found in (tuesday, wednesday, thursday):
        assert balanced(found), found["receipt"]
        assert await digest(client, date.fromisoformat(found["period"]["to"])) == found


_numbers = itertools.count()


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
async def test_whatever_is_announced_is_shown_once_or_waits(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path, data: st.DataObject
) -> None:
    slug = f"c{next(_numbers)}"
    limit = data.draw(st.integers(1, 4), label="limit")
    await create(client, slug=slug, size_limit=limit, categories=["cs.DM"])
    if not (await client.get("/v1/listings", params={"category": "cs.DM"})).json()["items"]:
        for number, day in enumerate((TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)):
            named = [Item(f"2601.{95001 + 10 * number + n}", categories=("cs.DM",)) for n in range(3)]
            await store(tools, tmp_path, "cs.DM", day, *named)
    days = [TUESDAY, WEDNESDAY, THURSDAY, FRIDAY]
    # Digests are composed in any order, and again.
    order = data.draw(st.lists(st.sampled_from(days), min_size=4, max_size=9), label="order")
    for day in [*order, *days]:
        page = await digest(client, day, channel=slug)
        assert balanced(page), (day, page["receipt"])
        assert len(page["items"]) <= limit
    found = [await digest(client, day, channel=slug) for day in days]
    shown = [one for of_day in found for one in ids(of_day)]
    assert len(shown) == len(set(shown))
    async with tools.database.transaction() as session:
        waiting = text("SELECT arxiv_id FROM channel_papers WHERE channel = :slug AND digest_id IS NULL")
        left = list(await session.scalars(waiting, {"slug": slug}))
    assert len({*shown, *left}) == len(shown) + len(left) == 12


async def test_order_by_announcement(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    await create(client, order="announced", repeats=True)
    replaced, listed = Item("2601.97001", version=2, type="replace"), Item("2601.95001")
    await store(tools, tmp_path, "cs.CL", TUESDAY, replaced, listed)
    assert ids(await digest(client, TUESDAY)) == ["2601.95001", "2601.97001"]


@pytest.mark.usefixtures("announced")
async def test_texts_are_translated_as_the_channel_says(client: httpx.AsyncClient) -> None:
    written = {"title": "Ein Titel", "abstract": "Eine Übersetzung.", "tldr": "Ein Satz.", "tldr_en": "A sentence."}
    ok(await client.put("/v1/papers/2601.95001/summaries/de", json=written), 201)
    await create(client, language="de", translate=["abstract"], query="agents")
    [item] = (await digest(client, TUESDAY))["items"]
    assert (item["translated_title"], item["translated_abstract"]) == (None, "Eine Übersetzung.")
    assert (item["tldr"], item["tldr_en"]) == (None, "A sentence.")


async def test_what_was_shown_under_another_schedule_counts_as_shown(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await create(client, size_limit=1)
    await store(tools, tmp_path, "cs.CL", TUESDAY, AGENTS, VISION)
    await store(tools, tmp_path, "cs.CL", WEDNESDAY)
    assert [len((await digest(client, day))["items"]) for day in (TUESDAY, WEDNESDAY)] == [1, 1]
    ok(await client.patch("/v1/channels/mine", json={"schedule": "weekly", "size_limit": None}))
    week = await digest(client, TUESDAY)
    assert (week["items"], week["receipt"]["shown_before"], week["receipt"]["held_over"]) == ([], 2, 0)


async def test_weekly_and_monthly_digests(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    for number, day in enumerate((TUESDAY, WEDNESDAY, THURSDAY, FRIDAY)):
        await store(tools, tmp_path, "cs.CL", day, Item(f"2601.9500{number}"))
    await create(client, schedule="weekly", weekday="thursday")
    found = await digest(client, TUESDAY)
    assert found["period"] == {"from": "2026-01-09", "to": "2026-01-15"}
    assert len(found["items"]) == 3
    unread = [one["announced_on"] for one in found["receipt"]["incomplete"]]
    assert unread == ["2026-01-09", "2026-01-12"]
    # The next week's begins where this one ended, and shows nothing again.
    assert ids(await digest(client, FRIDAY)) == ["2601.95003"]
    # Another period is a roll-up: it shows all of it, and takes nothing from the schedule's digests.
    rollup = await digest(client, None, **{"from": str(WEDNESDAY), "to": str(FRIDAY)})
    assert len(rollup["items"]) == 3
    listed = ok(await client.get("/v1/digests", params={"channel": "mine"}))["items"]
    assert {one["id"]: one["kind"] for one in listed}[rollup["id"]] == "rollup"
    other = {"channel": "cs.CL", "from": str(WEDNESDAY), "to": str(FRIDAY), "language": "en"}
    only = ok(await client.post("/v1/digests", json=other), 201)
    assert ok(await client.get("/v1/channels/cs.CL/latest.json")) == only
    assert ok(await client.get("/v1/channels/cs.CL/feed.json?language=en"))["items"] == []
    latest = ok(await client.get("/v1/channels/mine/latest.json"))
    assert latest["period"] == {"from": "2026-01-16", "to": "2026-01-22"}
    await client.patch("/v1/channels/mine", json={"schedule": "monthly"})
    assert (await digest(client, FRIDAY))["period"] == {"from": "2026-01-01", "to": "2026-01-31"}
    client._transport.app.state.tools = at(tools, eastern(FRIDAY, 12))  # type: ignore[attr-defined]
    early = problem(await client.post("/v1/digests", json={"channel": "mine", "date": str(FRIDAY)}), 422)
    assert "2026-01-01 to 2026-01-31, which lies in the future" in early["detail"]


@pytest.mark.usefixtures("announced")
async def test_a_channel_is_changed_by_merge_patch(client: httpx.AsyncClient) -> None:
    made = await create(client, query="agents", size_limit=3)
    changed = ok(await client.patch("/v1/channels/mine", json={"query": None, "title": "Other", "size_limit": 1}))
    assert changed == made | {
        "query": None, "title": "Other", "size_limit": 1, "updated_at": changed["updated_at"]
    }  # fmt: skip
    assert ids(await digest(client, TUESDAY)) == ["2601.95004"]
    for body, status in (
        ({"title": None}, 422),
        ({"categories": None}, 422),
        ({"categories": []}, 422),
        ({"size_limit": 0}, 422),
        ({"nonsense": 1}, 422),
        ({"slug": "other"}, 422),
        ({"query": '"open'}, 400),
        ({"categories": ["cs.XX"]}, 422),
        ({"order": "relevance"}, 422),
        ({"exclude_categories": ["cs.CL"]}, 422),
        ({"repeats": True}, 422),
        ([], 422),
    ):
        problem(await client.patch("/v1/channels/mine", json=body), status)
    assert ok(await client.get("/v1/channels/mine")) == changed
    problem(await client.patch("/v1/channels/cs.CL", json={"title": "x"}), 409)
    problem(await client.delete("/v1/channels/cs.CL"), 409)
    problem(await client.patch("/v1/channels/none", json={"title": "x"}), 404)
    assert (await client.delete("/v1/channels/mine")).status_code == 204
    problem(await client.get("/v1/channels/mine"), 404)
    assert ok(await client.get("/v1/digests", params={"language": "en"}))["items"] == []


@pytest.mark.usefixtures("announced")
async def test_a_written_digest_keeps_its_rules_until_somebody_asks(
    tools: Tools, client: httpx.AsyncClient, work: Work
) -> None:
    await create(client, query="agents")
    before = await digest(client, TUESDAY)
    ok(await client.patch("/v1/channels/mine", json={"query": "survey"}))
    await work()
    kept = ok(await client.get(f"/v1/digests/{before['id']}"))
    assert ids(kept) == ids(before) == ["2601.95001"]
    refreshed = ok(await client.post(f"/v1/digests/{before['id']}/refresh"))
    assert (ids(refreshed), refreshed["revision"]) == (["2601.95002"], kept["revision"] + 1)


async def test_a_new_schedule_takes_over_what_a_draft_of_the_old_one_held(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path, work: Work
) -> None:
    await create(client, schedule="weekly", weekday="friday")
    client._transport.app.state.tools = early = at(tools, eastern(TUESDAY, 12))  # type: ignore[attr-defined]
    await store(early, tmp_path, "cs.CL", TUESDAY, AGENTS, VISION)
    await tasks.compose(early, channel="mine", date=str(TUESDAY), language="en")
    problem(await client.get("/v1/channels/mine/latest.json"), 404)
    ok(await client.patch("/v1/channels/mine", json={"schedule": "announcement"}))
    assert ids(await digest(client, TUESDAY)) == ["2601.95002", "2601.95001"]


@pytest.mark.usefixtures("announced")
async def test_a_bad_query_is_a_400_that_points_at_the_place(client: httpx.AsyncClient) -> None:
    body = {"slug": "bad", "title": "Bad", "categories": ["cs.CL"], "query": 'agents "unclosed'}
    for path in ("/v1/channels", "/v1/channels/preview"):
        wrong = problem(await client.post(path, json=body), 400, "invalid_query")
        assert wrong["position"] == 7
    problem(await client.post("/v1/digests", json={"query": "ti:"}), 400, "invalid_query")


async def test_the_preview_tries_rules_and_writes_nothing(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, AGENTS, VISION, PARSING)
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item("2601.95001", version=2, type="replace"), Item("2601.96001"))
    client._transport.app.state.tools = at(tools, eastern(FRIDAY, 12))  # type: ignore[attr-defined]
    body = {"slug": "x", "title": "X", "categories": ["cs.CL"], "exclude_words": ["survey"], "size_limit": 1}
    found = ok(await client.post("/v1/channels/preview", json=body | {"days": 10}))
    told = [
        [day[name] for name in ("announced_on", "announced", "papers", "not_matching", "shown_before", "held_over")]
        for day in found["days"]
    ]
    assert told == [[str(WEDNESDAY), 2, 1, 0, 1, 1], [str(TUESDAY), 3, 1, 1, 0, 1]]
    assert [day["items"][0]["arxiv_id"] for day in found["days"]] == ["2601.95001", "2601.95003"]
    assert found["days"][1]["items"][0]["title"] == "Parsing of trees"
    assert (found["papers"], found["papers_per_day"]) == (2, 1.0)
    assert ok(await client.get("/v1/channels", params={"builtin": "false"}))["items"] == []
    assert ok(await client.get("/v1/digests"))["items"] == []
    empty = ok(await client.post("/v1/channels/preview", json={"categories": ["hep-th"]}))
    assert (empty["days"], empty["papers_per_day"]) == ([], 0.0)


@pytest.mark.usefixtures("announced")
async def test_a_digest_over_a_query(client: httpx.AsyncClient, tools: Tools, tmp_path: Path) -> None:
    body = {"query": "parse OR agents", "language": "en", "limit": 1}
    made = ok(await client.post("/v1/digests", json=body), 201)
    assert (ids(made), made["channel"], made["period"]) == (["2601.95003"], None, None)
    assert ok(await client.post("/v1/digests", json=body)) == made
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, Item("2601.96001", title="More agents"))
    newer = ok(await client.post(f"/v1/digests/{made['id']}/refresh"))
    assert (newer["id"], newer["revision"], ids(newer)) == (made["id"], 2, ["2601.96001"])
    best = ok(await client.post("/v1/digests", json=body | {"order": "relevance", "limit": 3, "to": str(TUESDAY)}), 201)
    assert sorted(ids(best)) == ["2601.95001", "2601.95003"]
    nothing = ok(await client.post("/v1/digests", json={"query": "unicorns", "categories": ["hep-th"]}), 201)
    assert nothing["items"] == []
    for wrong in (
        {"query": "a", "channel": "cs.CL"},
        {"query": "a", "date": str(TUESDAY)},
        {"query": ""},
        {"query": "a", "limit": 0},
        {"query": "a", "from": "2026-02-01", "to": "2026-01-01"},
        {"channel": "cs.CL", "limit": 3},
        {"categories": ["cs.CL"]},
    ):
        problem(await client.post("/v1/digests", json=wrong), 422)
