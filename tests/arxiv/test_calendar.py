"""The announcement calendar: arXiv's table, its skipped mailings, summer time, and what holds for every instant."""

from datetime import UTC, date, datetime, time, timedelta, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.arxiv.calendar import (
    EASTERN,
    KNOWN_YEARS,
    NO_DEADLINE,
    SKIPPED,
    Announcement,
    age,
    announced_at,
    batch_date,
    batch_days,
    is_batch_day,
    latest_batch,
    next_announcement,
    next_batch,
    scheduled_batch,
    skipped,
)

DAY = timedelta(days=1)
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = (date(2026, 3, 16) + n * DAY for n in range(7))

days = st.dates(date(2023, 6, 1), date(2027, 6, 1))
instants = st.builds(datetime.combine, days, st.times(), st.sampled_from([UTC, EASTERN]))


def eastern(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=EASTERN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("submitted_at", "batch"),
    [
        # arXiv's table: Monday 14:00 to Tuesday 14:00 is announced on Tuesday, and so on.
        ("2026-03-16 14:00:01", WEDNESDAY),
        ("2026-03-17 14:00:00", WEDNESDAY),
        ("2026-03-17 14:00:01", THURSDAY),
        ("2026-03-18 13:00:00", THURSDAY),
        ("2026-03-18 23:59:59", FRIDAY),
        ("2026-03-19 14:00:00", FRIDAY),
        ("2026-03-19 14:00:01", MONDAY + 7 * DAY),
        ("2026-03-19 21:00:00", MONDAY + 7 * DAY),
        ("2026-03-20 14:00:00", MONDAY + 7 * DAY),
        ("2026-03-20 14:00:01", TUESDAY + 7 * DAY),
        ("2026-03-21 09:00:00", TUESDAY + 7 * DAY),
        ("2026-03-22 19:00:00", TUESDAY + 7 * DAY),
        ("2026-03-23 14:00:00", TUESDAY + 7 * DAY),
        ("2026-03-23 14:00:01", WEDNESDAY + 7 * DAY),
        # Thanksgiving: nothing on Thursday evening, so Wednesday afternoon waits for Sunday, with all of Thursday.
        ("2026-11-25 14:00:00", date(2026, 11, 26)),
        ("2026-11-25 14:00:01", date(2026, 11, 30)),
        ("2026-11-26 12:00:00", date(2026, 11, 30)),
        ("2026-11-27 14:00:00", date(2026, 11, 30)),
        ("2026-11-27 14:00:01", date(2026, 12, 1)),
        # A Monday off: the weekend's papers come on Tuesday evening with Monday's.
        ("2026-09-04 14:00:01", date(2026, 9, 9)),
        ("2026-09-07 12:00:00", date(2026, 9, 9)),
        ("2026-09-08 14:00:00", date(2026, 9, 9)),
        # A Friday off has no deadline, so that Sunday has no mailing.
        ("2026-06-18 14:00:00", date(2026, 6, 19)),
        ("2026-06-18 14:00:01", date(2026, 6, 23)),
        ("2026-06-19 13:00:00", date(2026, 6, 23)),
        ("2026-06-22 14:00:00", date(2026, 6, 23)),
        # Christmas 2026: no mailing on Sunday 27, Tuesday 29 and Thursday 31 December.
        ("2026-12-24 14:00:00", date(2026, 12, 25)),
        ("2026-12-24 15:00:00", date(2026, 12, 29)),
        ("2026-12-28 14:00:00", date(2026, 12, 29)),
        ("2026-12-28 15:00:00", date(2026, 12, 31)),
        ("2026-12-30 14:00:00", date(2026, 12, 31)),
        ("2026-12-30 15:00:00", date(2027, 1, 4)),
        ("2027-01-01 14:00:00", date(2027, 1, 4)),
        # Christmas 2024: nothing on Wednesday 25, Thursday 26 and Tuesday 31 December.
        ("2024-12-24 15:00:00", date(2024, 12, 30)),
        ("2024-12-27 14:00:00", date(2024, 12, 30)),
        ("2024-12-30 15:00:00", date(2025, 1, 3)),
    ],
)
def test_scheduled_batch(submitted_at: str, batch: date) -> None:
    assert scheduled_batch(eastern(submitted_at)) == batch
    assert scheduled_batch(eastern(submitted_at).astimezone(UTC)) == batch


@pytest.mark.parametrize(
    ("submitted_at", "batch"),
    [
        ("2026-03-06 19:00:00", date(2026, 3, 9)),
        ("2026-03-06 19:00:01", date(2026, 3, 10)),
        ("2026-03-09 18:00:00", date(2026, 3, 10)),
        ("2026-03-09 18:00:01", date(2026, 3, 11)),
        ("2026-10-30 18:00:00", date(2026, 11, 2)),
        ("2026-11-02 19:00:00", date(2026, 11, 3)),
        ("2026-11-02 19:00:01", date(2026, 11, 4)),
    ],
)
def test_the_deadline_moves_with_summer_time(submitted_at: str, batch: date) -> None:
    assert scheduled_batch(utc(submitted_at)) == batch


def test_the_last_microsecond_counts() -> None:
    assert scheduled_batch(eastern("2026-03-17 14:00:00.000001")) == THURSDAY


@pytest.mark.parametrize(
    ("batch_day", "instant"),
    [
        (date(2026, 1, 14), "2026-01-14 01:00"),
        (date(2026, 7, 15), "2026-07-15 00:00"),
        # Clocks change on the morning of the Sunday on which arXiv announces Monday's batch.
        (date(2026, 3, 6), "2026-03-06 01:00"),
        (date(2026, 3, 9), "2026-03-09 00:00"),
        (date(2026, 10, 30), "2026-10-30 00:00"),
        (date(2026, 11, 2), "2026-11-02 01:00"),
    ],
)
def test_announced_at(batch_day: date, instant: str) -> None:
    assert announced_at(batch_day) == utc(instant)
    assert announced_at(batch_day).tzinfo is UTC
    assert announced_at(batch_day).astimezone(EASTERN).timetz().replace(tzinfo=None) == time(20)


def test_batch_date_is_the_day_in_new_york() -> None:
    assert batch_date(utc("2026-01-14 04:59:59")) == date(2026, 1, 13)
    assert batch_date(utc("2026-01-14 05:00:00")) == date(2026, 1, 14)
    assert batch_date(utc("2026-07-14 03:59:59")) == date(2026, 7, 13)
    assert batch_date(utc("2026-07-14 04:00:00")) == date(2026, 7, 14)
    assert batch_date(utc("2026-03-15 12:00:00")) == date(2026, 3, 15)


def test_batch_days_of_a_plain_week() -> None:
    week = [MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY]
    assert batch_days(MONDAY, SUNDAY) == week
    assert batch_days(SATURDAY, SUNDAY) == []
    assert batch_days(FRIDAY, FRIDAY) == [FRIDAY]
    assert batch_days(FRIDAY, MONDAY) == []
    assert [is_batch_day(day) for day in (FRIDAY, SATURDAY, SUNDAY)] == [True, False, False]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ((2026, 11, 23), (2026, 11, 30), [23, 24, 25, 26, 30]),
        ((2026, 12, 21), (2026, 12, 31), [21, 22, 23, 24, 25, 29, 31]),
        ((2025, 12, 22), (2025, 12, 31), [22, 23, 24, 25, 29, 30]),
        ((2024, 12, 23), (2024, 12, 31), [23, 24, 25, 30, 31]),
        ((2025, 7, 1), (2025, 7, 8), [1, 2, 3, 4, 8]),
        ((2026, 6, 16), (2026, 6, 24), [16, 17, 18, 19, 23, 24]),
    ],
    ids=["thanksgiving", "christmas 2026", "christmas 2025", "christmas 2024", "4 July 2025", "Juneteenth 2026"],
)
def test_holidays(first: tuple[int, int, int], last: tuple[int, int, int], expected: list[int]) -> None:
    assert [day.day for day in batch_days(date(*first), date(*last))] == expected


def test_around_thanksgiving() -> None:
    thanksgiving, friday, monday = date(2026, 11, 26), date(2026, 11, 27), date(2026, 11, 30)
    assert is_batch_day(thanksgiving)
    assert not is_batch_day(friday)
    assert latest_batch(friday) == latest_batch(date(2026, 11, 29)) == thanksgiving
    assert next_batch(thanksgiving) == next_batch(friday) == monday
    assert latest_batch(monday) == monday


def test_the_turn_of_the_year() -> None:
    # The evening of 31 December belongs to the old year's list, its batch date to the new year.
    assert not is_batch_day(date(2027, 1, 1))
    assert not is_batch_day(date(2026, 1, 2))
    assert is_batch_day(date(2026, 1, 1))
    assert next_batch(date(2024, 12, 31)) == date(2025, 1, 3)


def test_skipped() -> None:
    assert sorted(KNOWN_YEARS) == [2024, 2025, 2026]
    assert skipped(2025) == [
        date(2025, *day) for day in [(1, 1), (1, 20), (6, 19), (7, 6), (9, 1), (11, 27), (12, 25), (12, 30)]
    ]
    assert skipped(2026) == [
        date(2026, *day) for day in [(1, 1), (1, 19), (6, 21), (7, 5), (9, 7), (11, 26), (12, 27), (12, 29), (12, 31)]
    ]
    assert len(skipped(2024)) == 10
    assert {day.weekday() for day in SKIPPED} <= {6, 0, 1, 2, 3}


def test_other_years_go_by_the_weekday() -> None:
    assert skipped(2023) == skipped(2027) == []
    assert is_batch_day(date(2023, 12, 26))
    assert is_batch_day(date(2027, 12, 24))
    assert len(batch_days(date(2028, 1, 3), date(2028, 12, 31))) == 52 * 5


def test_age_counts_batches_and_not_days() -> None:
    friday_noon = eastern("2026-03-20 12:00")
    assert [age(day, friday_noon) for day in (MONDAY, THURSDAY, FRIDAY, MONDAY + 7 * DAY)] == [4, 1, 0, 0]
    # A batch is due at midnight of its day, and nothing is at the weekend.
    assert age(FRIDAY, eastern("2026-03-20 20:30")) == 0
    assert age(FRIDAY, eastern("2026-03-22 23:59:59")) == 0
    assert age(FRIDAY, eastern("2026-03-23 00:00")) == 1
    assert age(date(2026, 11, 26), eastern("2026-11-29 23:00")) == 0
    assert age(date(2026, 11, 26), eastern("2026-11-30 01:00")) == 1
    # The empty feed of a Sunday is newer than Friday's, and Monday's is the next after both.
    assert age(SUNDAY, eastern("2026-03-23 00:00")) == 1


@pytest.mark.parametrize(
    ("now", "instant", "batch"),
    [
        ("2026-03-16 19:59:59", "2026-03-17 00:00", TUESDAY),
        ("2026-03-16 20:00:00", "2026-03-18 00:00", WEDNESDAY),
        ("2026-03-19 21:00:00", "2026-03-23 00:00", MONDAY + 7 * DAY),
        ("2026-03-21 12:00:00", "2026-03-23 00:00", MONDAY + 7 * DAY),
        ("2026-03-22 19:00:00", "2026-03-23 00:00", MONDAY + 7 * DAY),
        ("2026-11-25 20:00:00", "2026-11-30 01:00", date(2026, 11, 30)),
        ("2026-12-28 21:00:00", "2026-12-31 01:00", date(2026, 12, 31)),
        ("2026-12-30 21:00:00", "2027-01-04 01:00", date(2027, 1, 4)),
        ("2026-03-07 12:00:00", "2026-03-09 00:00", date(2026, 3, 9)),
    ],
)
def test_next_announcement(now: str, instant: str, batch: date) -> None:
    assert next_announcement(eastern(now)) == Announcement(utc(instant), batch)
    assert next_announcement(eastern(now).astimezone(UTC)) == Announcement(utc(instant), batch)


class NoOffset(tzinfo):
    """A zone that does not know its offset."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> None:
        return None


@pytest.mark.parametrize("zone", [None, NoOffset()], ids=["no zone", "a zone without an offset"])
def test_times_without_a_zone_are_refused(zone: tzinfo | None) -> None:
    naive = datetime(2026, 3, 16, 12, tzinfo=zone)
    for refused in (
        lambda: batch_date(naive),
        lambda: scheduled_batch(naive),
        lambda: age(MONDAY, naive),
        lambda: next_announcement(naive),
    ):
        with pytest.raises(ValueError, match="has no time zone"):
            refused()


@given(instants, instants)
def test_later_submissions_are_in_no_earlier_batch(one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other), key=lambda at: at.astimezone(UTC))
    assert scheduled_batch(earlier) <= scheduled_batch(later)


@given(instants)
def test_a_scheduled_batch_is_announced_after_its_deadline(at: datetime) -> None:
    batch = scheduled_batch(at)
    assert is_batch_day(batch)
    # Six hours between the deadline and the mailing, and no announcement on the way could have had the paper.
    assert announced_at(batch) - at.astimezone(UTC) >= timedelta(hours=6)
    # The paper is in the next mailing, or its deadline has passed and it is in the one after that.
    soonest = next_announcement(at).batch_date
    assert batch in (soonest, next_batch(soonest))


@given(days)
def test_every_batch_is_the_scheduled_one_of_some_instant(day: date) -> None:
    batch = next_batch(day)
    evening = batch - DAY
    deadline = evening - 2 * DAY if evening.weekday() == 6 else evening
    assert scheduled_batch(datetime.combine(deadline, time(14), EASTERN)) == batch
    assert scheduled_batch(datetime.combine(deadline, time(14, 0, 1), EASTERN)) == next_batch(batch)


@given(days, st.integers(0, 40))
def test_latest_next_and_between_agree(day: date, length: int) -> None:
    assert latest_batch(day) <= day < next_batch(day)
    assert batch_days(latest_batch(day), next_batch(day)) == [latest_batch(day), next_batch(day)]
    assert batch_days(day, day + length * DAY) == [d for n in range(length + 1) if is_batch_day(d := day + n * DAY)]


@given(instants)
def test_the_next_announcement_is_the_first_one_after_now(now: datetime) -> None:
    announcement = next_announcement(now)
    assert announcement.announced_at > now
    assert announcement.announced_at == announced_at(announcement.batch_date)
    assert announced_at(latest_batch(announcement.batch_date - DAY)) <= now
    # Its listing is made at midnight: until then the newest batch that is due is an older one.
    assert age(latest_batch(batch_date(now)), now) == 0
    assert age(latest_batch(batch_date(now)), announcement.announced_at + timedelta(hours=5)) in (1, 2)


@given(instants)
def test_deadlines_and_mailings_taken_one_by_one_give_the_same(at: datetime) -> None:
    """arXiv's own way: the next deadline on a working day, then the next mailing, Sunday's only if Friday had a deadline."""
    local = at.astimezone(EASTERN)
    day = local.date() + (local.time() > time(14)) * DAY
    while day.weekday() > 4 or day in NO_DEADLINE:
        day += DAY
    while day.weekday() in (4, 5) or (day - 2 * DAY if day.weekday() == 6 else day) in NO_DEADLINE:
        day += DAY
    assert scheduled_batch(at) == day + DAY
