"""The invented world agrees with itself, with arXiv's rules, and with the documents that are made of it."""

import itertools
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from time import perf_counter

import pytest

from app.arxiv.feed import parse_feed
from tests.fake_arxiv import World, feed
from tests.fake_arxiv.names import names_in
from tests.fake_arxiv.world import (
    DAY,
    EASTERN,
    batch_day_before,
    eastern,
    is_batch_day,
    midnight,
    visible_at,
    window,
)

WORLD = World()
SEEDS = [World(seed) for seed in range(2, 7)]


def test_a_seed_makes_one_world() -> None:
    again = World()
    assert again.announcements == WORLD.announcements
    assert again.events == WORLD.events
    assert all(again.history(name) == WORLD.history(name) for name in WORLD.ids)
    assert World(2).announcements != WORLD.announcements


def test_a_world_is_cheap() -> None:
    times = []
    for seed in range(5):
        start = perf_counter()
        World(seed)
        times.append(perf_counter() - start)
    # 25 ms on an idle machine; this one may be busy.
    assert min(times) < 0.2


def test_batch_days() -> None:
    expected = """01-05 01-06 01-07 01-08 01-09 01-12 01-13 01-14 01-15 01-16 01-19 01-21 01-22 01-23
        01-26 01-27 01-28 01-29 01-30 02-02 02-03"""
    assert " ".join(f"{day:%m-%d}" for day in WORLD.batch_days) == " ".join(expected.split())
    assert not is_batch_day(date(2026, 1, 2))  # no mailing on New Year's evening
    assert is_batch_day(date(2026, 7, 3))
    assert not is_batch_day(date(2026, 7, 6))  # without a cut-off on Friday 07-03 Sunday has nothing to announce
    assert not is_batch_day(date(2025, 7, 7))  # 2025-07-06 was a Sunday


@pytest.mark.parametrize(
    ("day", "begin", "end"),
    [
        (date(2026, 1, 14), "2026-01-12 14:00", "2026-01-13 14:00"),  # Wednesday
        (date(2026, 1, 16), "2026-01-14 14:00", "2026-01-15 14:00"),  # Friday
        (date(2026, 1, 12), "2026-01-08 14:00", "2026-01-09 14:00"),  # Monday
        (date(2026, 1, 13), "2026-01-09 14:00", "2026-01-12 14:00"),  # Tuesday
        (date(2026, 1, 21), "2026-01-16 14:00", "2026-01-20 14:00"),  # after a skipped mailing
        (date(2026, 7, 7), "2026-07-02 14:00", "2026-07-06 14:00"),  # after a holiday on Friday, in summer time
    ],
)
def test_windows(day: date, begin: str, end: str) -> None:
    assert [f"{instant.astimezone(EASTERN):%Y-%m-%d %H:%M}" for instant in window(day)] == [begin, end]


def test_windows_follow_each_other() -> None:
    days = [date(2026, 1, 1) + number * DAY for number in range(365)]
    batches = [day for day in days if is_batch_day(day)]
    for before, after in itertools.pairwise(batches):
        assert batch_day_before(after) == before
        assert window(before)[1] == window(after)[0]


@pytest.mark.parametrize("world", [WORLD, *SEEDS], ids=repr)
def test_the_truth_agrees_with_itself(world: World) -> None:
    truth = world.announcements
    assert len({(one.arxiv_id, one.category, one.announced_on) for one in truth}) == len(truth)
    for one in truth:
        paper = world.paper_at(one.arxiv_id, midnight(one.announced_on))
        assert paper is not None
        assert paper.version == one.version
        assert one.category in paper.categories
        primary = paper.primary == one.category
        expected = {
            "new": one.version == 1 and primary and one.event == "first",
            "cross": (one.version == 1 and not primary) if one.event == "first" else True,
            "replace": one.version > 1 and primary,
            "replace-cross": one.version > 1 and not primary,
        }
        assert expected[one.announce_type], one
        assert one.in_feed == (one.announce_type in ("new", "cross") or one.version <= 5)
        assert (
            not visible_before(world, one.arxiv_id, one.version, visible_at(one.announced_on))
            or one.event == "cross-list"
        )


def visible_before(world: World, arxiv_id: str, version: int, instant: datetime) -> bool:
    paper = world.paper_at(arxiv_id, instant - timedelta(seconds=1))
    return paper is not None and paper.version >= version


def test_ids_ascend_in_the_order_of_announcement() -> None:
    first = [one for one in WORLD.events if one.kind == "first"]
    assert [one.arxiv_id for one in first] == sorted(one.arxiv_id for one in first)
    by_month = defaultdict(list)
    for one in first:
        assert one.day is not None
        assert one.arxiv_id[:4] == f"{one.day:%y%m}"
        by_month[one.arxiv_id[:4]].append(int(one.arxiv_id[5:]))
    assert set(by_month) == {"2601", "2602"}
    for numbers in by_month.values():
        assert numbers == list(range(90001, 90001 + len(numbers)))
    assert all(name < first[0].arxiv_id for name in WORLD.ids[: WORLD.ids.index(first[0].arxiv_id)] if "/" not in name)


@pytest.mark.parametrize("world", [WORLD, *SEEDS], ids=repr)
def test_versions_were_submitted_in_their_windows(world: World) -> None:
    for one in world.events:
        if one.kind not in ("first", "version", "withdrawal", "restoration"):
            continue
        assert one.day is not None
        paper = world.paper_at(one.arxiv_id, one.at)
        assert paper is not None and paper.version == one.version
        day = one.day
        for _ in range(one.held):
            day = batch_day_before(day)
        begin, end = window(day)
        assert begin <= paper.versions[-1].submitted_at < end
        assert [version.number for version in paper.versions] == list(range(1, one.version + 1))
        times = [version.submitted_at for version in paper.versions]
        assert times == sorted(set(times))
        assert (paper.versions[-1].source_type == "I") == (one.kind == "withdrawal") == paper.withdrawn


@pytest.mark.parametrize("world", [WORLD, *SEEDS], ids=repr)
def test_everything_that_can_happen_does(world: World) -> None:
    kinds = Counter(one.kind for one in world.events)
    assert set(kinds) == {"first", "version", "withdrawal", "restoration", "cross-list", "edit", "categories"}
    assert any(one.held for one in world.events if one.kind == "first")
    assert any(one.held for one in world.events if one.kind == "version")
    truth = world.announcements
    assert {one.announce_type for one in truth} == {"new", "cross", "replace", "replace-cross"}
    assert sum(not one.in_feed for one in truth) >= 2
    assert any(one.event == "cross-list" and one.version >= 2 for one in truth)
    assert any(one.event == "version" and one.announce_type == "cross" for one in truth)
    replaced = Counter((one.arxiv_id, one.announced_on) for one in truth if one.announce_type.startswith("replace"))
    assert max(replaced.values()) >= 2
    old = {one.arxiv_id for one in truth if one.arxiv_id < "2601" or "/" in one.arxiv_id}
    assert len(old) > 10
    texts = [paper.abstract for name in world.ids for paper in world.history(name)]
    for quirk in ("$a<b$ and $c>d$", "10% of", "$20", r"\unicode{x2014}", "&", r"Schr\"odinger"):
        assert any(quirk in text for text in texts), quirk


def test_records_follow_their_events() -> None:
    end = datetime(2026, 3, 1, tzinfo=UTC)
    for name in WORLD.ids:
        times = [paper.modified_at for paper in WORLD.history(name)]
        assert times == sorted(times)
        assert WORLD.paper_at(name, end) == WORLD.history(name)[-1]
        assert WORLD.paper_at(name, times[0] - timedelta(microseconds=1)) is None
    for one in WORLD.events:
        paper = WORLD.paper_at(one.arxiv_id, one.at)
        assert paper is not None
        assert paper.modified_at == one.at
        assert paper.datestamp == (one.day or one.at.date())
    assert len(WORLD.papers_at(end)) == len(WORLD.ids)
    assert WORLD.paper_at("1001.00001", end) is None


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_feeds_say_the_truth_every_day(form: str) -> None:
    for day in WORLD.days:
        for category in (*WORLD.categories, "cs.LG", "cs", "math.MP"):
            reply = feed.answer(WORLD, form, category, None, eastern(day, time(12)), (), 2000, None)
            read = parse_feed(reply.body)
            truth = [one for one in WORLD.batch(category, day) if one.in_feed]
            assert [(one.arxiv_id, one.version, one.announce_type.value) for one in read.entries] == [
                (one.arxiv_id, one.version, one.announce_type) for one in truth
            ]
            assert bool(truth) >= (category in WORLD.categories and is_batch_day(day))
            assert read.categories == (category,)
            assert read.announced_on == day
            assert {entry.announced_on for entry in read.entries} <= {day}
            for entry in read.entries:
                paper = WORLD.paper_at(entry.arxiv_id, midnight(day))
                assert paper is not None
                assert (entry.title, entry.abstract, entry.categories, entry.doi, entry.journal_ref, entry.license) == (
                    paper.title, paper.abstract, paper.categories, paper.doi, paper.journal_ref, paper.license,
                )  # fmt: skip
                assert [one.name for one in entry.authors] == [one.name.strip() for one in paper.authors]
                assert [", ".join(one.affiliations) for one in entry.authors] == [
                    ", ".join(one.affiliations) for one in paper.authors
                ]


def test_the_type_is_relative_to_what_is_asked() -> None:
    """In a feed of two categories a paper comes once, with its strongest type (FACTS 2.2)."""
    seen = 0
    for day in WORLD.batch_days:
        both = {paper.arxiv_id: kind for paper, kind in WORLD.listing({"cs.CL", "stat.ML"}, day)}
        for category in ("cs.CL", "stat.ML"):
            for one in WORLD.batch(category, day):
                if one.in_feed and one.announce_type == "cross" and both[one.arxiv_id] == "new":
                    seen += 1
        assert set(both) == {
            one.arxiv_id for name in ("cs.CL", "stat.ML") for one in WORLD.batch(name, day) if one.in_feed
        }
    assert seen
    assert names_in("math-ph") == {"math-ph", "math.MP"}
    assert {"cs.CL", "math.NA", "eess.SY"} < names_in("cs")


def test_other_worlds() -> None:
    small = World(3, date(2026, 7, 7), days=1, categories=("econ.EM",), per_day=1)
    assert {one.category for one in small.announcements} == {"econ.EM"}
    assert small.batch("econ.EM", date(2026, 7, 8)) == []
    assert World(3, date(2026, 7, 4), days=2).announcements == []
