"""What OAI-PMH's records tell of announcements: the rules that one month of faults after another has taught, one by one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime

from app.arxiv import calendar, ids
from app.arxiv.entries import AnnounceType, Record, Version
from app.repair.events import Announced, Event, Evidence, Known, events_of, narrow, without_refuted

# The batch that a paper of Monday morning is due for is Tuesday's.
MONDAY = datetime(2026, 1, 26, 8, 9, 55, tzinfo=UTC)
BEFORE, AFTER = ids.order_key("2601.90051"), ids.order_key("2601.90053")
NEW, CROSS = AnnounceType.NEW, AnnounceType.CROSS
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (date(2026, 1, day) for day in (27, 28, 29, 30))


def record(datestamp: date, *versions: datetime, categories: Sequence[str] = ("cs.CL", "stat.ML")) -> Record:
    return Record(
        arxiv_id="2601.90052",
        version=len(versions),
        title="A paper",
        abstract="An abstract.",
        authors=(),
        primary_category=categories[0],
        categories=tuple(categories),
        comments=None,
        journal_ref=None,
        doi=None,
        license=None,
        submitted_at=versions[0],
        updated_at=versions[-1],
        versions=tuple(Version(number, submitted_at) for number, submitted_at in enumerate(versions, 1)),
        withdrawn=None,
        datestamp=datestamp,
        converted=False,
        format="arXivRaw",
        raw="",
    )


def evidence(
    whole: Sequence[date] = (),
    announced: Sequence[Announced] = (),
    known: Known | None = None,
    covered: tuple[date, date] | None = None,
    proved: Sequence[date] = (),
) -> Evidence:
    return Evidence(
        from_on=date(2026, 1, 5),
        covered={"cs.CL": covered} if covered else {},
        known={"2601.90052": known} if known else {},
        whole=frozenset(("cs.CL", day) for day in whole),
        announced={"2601.90052": announced},
        proved=frozenset(("cs.CL", day) for day in proved),
    )


def event_in(record: Record, evidence: Evidence) -> Event:
    (event,) = events_of(record, ["cs.CL"], evidence)
    return event


def test_a_new_paper_is_announced_in_the_batch_that_it_was_in_time_for() -> None:
    event = event_in(record(TUESDAY, MONDAY), evidence())
    assert (event.days, event.kind, event.doubted_days) == ((TUESDAY,), AnnounceType.NEW, ())


def test_a_changed_paper_may_have_been_kept_back_and_every_day_until_its_change_is_in_doubt() -> None:
    event = event_in(record(THURSDAY, MONDAY), evidence())
    assert event.days == event.doubted_days == (TUESDAY, WEDNESDAY, THURSDAY)


def test_days_whose_feed_was_whole_without_the_paper_are_excluded() -> None:
    event = event_in(record(THURSDAY, MONDAY), evidence(whole=[TUESDAY, WEDNESDAY]))
    assert (event.days, event.doubted_days) == ((THURSDAY,), ())


def test_another_categorys_feed_brings_back_a_day_whose_feed_only_seemed_whole() -> None:
    """Schedule 28: the feed of Friday was cut below 2,000 items, and stat.ML's had the paper that day."""
    elsewhere = Announced(1, 1, "stat.ML", FRIDAY, AnnounceType.CROSS, "feed")
    event = event_in(record(FRIDAY, MONDAY), evidence([TUESDAY, WEDNESDAY, FRIDAY], [elsewhere]))
    assert event.days == event.doubted_days == (FRIDAY, THURSDAY)


def test_what_was_only_concluded_of_another_category_is_no_witness() -> None:
    concluded = Announced(1, 1, "stat.ML", FRIDAY, AnnounceType.CROSS, "oai")
    event = event_in(record(FRIDAY, MONDAY), evidence([TUESDAY, WEDNESDAY, FRIDAY], [concluded]))
    assert event.days[0] == THURSDAY


def test_neighbours_by_id_tell_the_day_of_a_new_paper() -> None:
    event = event_in(record(THURSDAY, MONDAY), evidence())
    assert narrow(event, [(BEFORE, WEDNESDAY), (AFTER, THURSDAY)]).days == (WEDNESDAY, THURSDAY)
    assert narrow(event, [(BEFORE, WEDNESDAY), (AFTER, WEDNESDAY)]).days == (WEDNESDAY,)


def test_neighbours_by_id_overrule_a_feed_that_only_seemed_whole() -> None:
    event = event_in(record(THURSDAY, MONDAY), evidence(whole=[WEDNESDAY]))
    between = [(BEFORE, WEDNESDAY), (AFTER, WEDNESDAY)]
    assert narrow(event, between).days == (WEDNESDAY,)


def test_a_paper_that_was_known_outside_the_category_has_joined_it() -> None:
    known = Known(1, "stat.ML", frozenset({"stat.ML"}), False, TUESDAY)
    told = record(THURSDAY, MONDAY, categories=("stat.ML", "cs.CL"))
    event = event_in(told, evidence(known=known, covered=(TUESDAY, WEDNESDAY)))
    assert (event.kind, event.days) == (AnnounceType.CROSS, (THURSDAY, WEDNESDAY))
    assert event.doubted_days, "a moderator may have moved it there without an announcement"


def test_a_version_that_an_earlier_harvest_did_not_show_is_announced_after_what_that_covered() -> None:
    event = event_in(record(FRIDAY, MONDAY), evidence(covered=(date(2026, 1, 5), FRIDAY)))
    assert (event.days, event.kind) == ((FRIDAY,), AnnounceType.NEW)


def test_a_version_above_the_fifth_is_in_no_feed_so_that_a_whole_one_excludes_no_day() -> None:
    told = record(TUESDAY, *[datetime(2025, month, 3, tzinfo=UTC) for month in range(1, 6)], MONDAY)
    events = {event.version: event for event in events_of(told, ["cs.CL"], evidence(whole=[TUESDAY]))}
    assert (events[6].days, events[6].kind) == ((TUESDAY,), AnnounceType.REPLACE)


def test_an_old_paper_that_changed_leaves_its_day_in_doubt_where_it_may_have_been_cross_listed() -> None:
    told = record(THURSDAY, datetime(2021, 6, 1, tzinfo=UTC), categories=("stat.ML", "cs.CL"))
    event = event_in(told, evidence(covered=(date(2026, 1, 5), THURSDAY)))
    assert (event.days, event.doubted_days) == ((), (THURSDAY,))


def test_a_change_on_a_day_whose_feed_only_seemed_whole_leaves_that_day_in_doubt() -> None:
    """Schedule 64: the feed of Friday was cut below 2,000 items, and no other witness was there."""
    event = event_in(record(FRIDAY, MONDAY), evidence([TUESDAY, WEDNESDAY, FRIDAY]))
    assert event.days == event.doubted_days == (THURSDAY, FRIDAY)


def test_an_old_version_may_have_been_cross_listed_before_the_next_one_came() -> None:
    """Schedule 49: cross-listed on a day that was not read, and replaced two days later."""
    told = record(
        FRIDAY, datetime(2025, 7, 19, tzinfo=UTC), datetime(2026, 1, 29, 9, tzinfo=UTC), categories=("stat.ML", "cs.CL")
    )
    seen_by_a_feed = Known(2, "stat.ML", frozenset({"stat.ML", "cs.CL"}), False, None)
    whole = calendar.batch_days(date(2026, 1, 5), FRIDAY)
    whole.remove(TUESDAY)
    events = events_of(told, ["cs.CL"], evidence(whole, known=seen_by_a_feed))
    assert {event.version: event.doubted_days for event in events}[1] == (TUESDAY,)
    replaced = Announced(1, 1, "cs.CL", MONDAY.date(), AnnounceType.CROSS, "feed")
    events = events_of(told, ["cs.CL"], evidence(whole, [replaced], known=seen_by_a_feed))
    assert {event.version: event.doubted_days for event in events}[1] == (), "it was there on Monday"


def test_neighbours_by_id_do_not_tell_when_a_paper_was_cross_listed_but_that_it_was_not_before() -> None:
    """Schedule 170: announced on Tuesday, cross-listed on Thursday, on a day whose feed was not read."""
    told = record(THURSDAY, MONDAY, categories=("stat.ML", "cs.CL"))
    event = event_in(told, evidence(whole=[WEDNESDAY], announced=[Announced(1, 1, "stat.ML", TUESDAY, NEW, "feed")]))
    assert narrow(event, [(BEFORE, TUESDAY), (AFTER, TUESDAY)]).days == (TUESDAY, THURSDAY)
    assert narrow(event, [(BEFORE, THURSDAY), (AFTER, FRIDAY)]).days == (THURSDAY,)


def test_a_proved_days_feed_lost_no_cross_list_because_a_cut_one_loses_new_papers_only() -> None:
    """Schedule 144: announced on Tuesday, and cross-listed on Thursday, where a former batch made known its new category."""
    announced = [Announced(1, 1, "stat.ML", TUESDAY, NEW, "feed"), Announced(2, 1, "cs.CL", FRIDAY, CROSS, "feed")]
    told = record(THURSDAY, MONDAY, categories=("stat.ML", "cs.CL"))
    seemed_whole = [TUESDAY, WEDNESDAY]
    event = event_in(told, evidence(seemed_whole, announced))
    assert event.days == (TUESDAY, THURSDAY), "Tuesday's may have been a former batch"
    event = event_in(told, evidence(seemed_whole, announced, proved=seemed_whole))
    assert narrow(event, [(BEFORE, TUESDAY), (AFTER, TUESDAY)]).days == (THURSDAY,)
    event = event_in(record(THURSDAY, MONDAY), evidence([TUESDAY], announced, proved=[TUESDAY]))
    assert TUESDAY in event.days, "a new paper may be lost"


def test_a_feed_that_names_what_cannot_be_excludes_nothing() -> None:
    """Schedule 94: Thursday's feed was Wednesday's again, which only other papers of the harvest show."""
    known = Known(1, "stat.ML", frozenset({"stat.ML"}), False, MONDAY.date())
    told = record(THURSDAY, MONDAY, categories=("stat.ML", "cs.CL"))
    seen = evidence([THURSDAY], known=known, covered=(TUESDAY, WEDNESDAY))
    other = replace(record(WEDNESDAY, MONDAY), arxiv_id="2601.90040")
    repeated = {"2601.90040": [Announced(1, 1, "cs.CL", THURSDAY, NEW, "feed")]}
    seen = replace(seen, announced=repeated)
    seen = without_refuted(seen, events_of(other, ["cs.CL"], seen))
    assert event_in(told, seen).days == (THURSDAY, WEDNESDAY)


def test_the_day_of_its_change_is_in_doubt_for_a_paper_that_joined_if_its_feed_only_seemed_whole() -> None:
    """Schedule 171: Thursday's feed was Wednesday's again, and nothing had shown it yet."""
    known = Known(1, "stat.ML", frozenset({"stat.ML"}), False, MONDAY.date())
    told = record(THURSDAY, MONDAY, categories=("stat.ML", "cs.CL"))
    covered = (TUESDAY, WEDNESDAY)
    event = event_in(told, evidence([THURSDAY], known=known, covered=covered))
    assert event.days == event.doubted_days == (WEDNESDAY, THURSDAY)
    event = event_in(told, evidence([THURSDAY], known=known, covered=covered, proved=[THURSDAY]))
    assert event.days == (WEDNESDAY,)
