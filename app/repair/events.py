"""What OAI-PMH's records tell of announcements. Pure: records and evidence in, events out.

OAI-PMH knows the versions of a paper with the second of their submission, its categories, and the day of its last change
(``datestamp``), but neither when a version was announced nor as what. Both follow, most often for certain:

* a version is announced in the batch that its submission was in time for, or later if moderation kept it back, and no later
  than the datestamp; if an earlier harvest did not show it, no earlier than what that covered; and not on a day whose feed
  was read whole without it;
* ids are given in the order of announcement, so that the neighbours of a new paper tell its day;
* the type follows from the version and the primary category (FACTS 2.2); a paper that joins a category is cross-listed.

Where that leaves a choice, the likeliest day and type are taken, and every day that may be meant is in doubt.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from app.arxiv import calendar, ids, taxonomy
from app.arxiv.entries import AnnounceType, Record, Version
from app.listings import OAI, possible_type

FEED_VERSIONS = 5
"""Replacements above this version are in no feed (FACTS 2.2)."""

_HELD = timedelta(days=30)
"""Moderation keeps no paper longer: an older version that is listed today was not announced but cross-listed."""


@dataclass(frozen=True, slots=True)
class Known:
    """A paper as it was before a harvest's page was stored; ``datestamp`` is None if no harvest had shown it."""

    version: int
    primary_category: str | None
    listed_in: frozenset[str]
    categories_are_partial: bool
    datestamp: date | None


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement that is stored."""

    id: int
    version: int | None
    category: str
    announced_on: date
    announce_type: AnnounceType
    source: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known besides the records.

    ``covered`` has for each category the first day whose modifications earlier harvests showed, and the first that they did
    not; ``whole`` the listings that a feed gave whole; ``announced`` what is stored of each paper; ``proved`` the listings that
    are called complete.
    """

    from_on: date
    covered: Mapping[str, tuple[date, date]]
    known: Mapping[str, Known]
    whole: frozenset[tuple[str, date]]
    announced: Mapping[str, Sequence[Announced]]
    proved: frozenset[tuple[str, date]] = frozenset()


@dataclass(frozen=True, slots=True)
class Event:
    """A version listed in a category; ``days`` are the batches that it may have been in, the likeliest first, ``all_days``
    with those on which a feed that was read whole does not name it.

    ``joined`` says that it was cross-listed; ``certainly_joined`` that, if a listing names it, then as cross-listed;
    ``type_in_doubt`` that the type, or the event itself, is not certain. An event without days is untold: a change on one of
    the days ``untold_on`` may have been an announcement.
    """

    arxiv_id: str
    version: int
    category: str
    submitted_at: datetime
    datestamp: date
    days: tuple[date, ...]
    is_primary: bool
    all_days: tuple[date, ...] = ()
    joined: bool = False
    type_in_doubt: bool = False
    certainly_joined: bool = False
    untold_on: tuple[date, ...] = ()

    @property
    def kind(self) -> AnnounceType:
        """The announce type in the category; joining it is told before a new version (FACTS 2.2)."""
        if self.joined:
            return AnnounceType.CROSS
        return possible_type(AnnounceType.NEW, self.version, is_primary=self.is_primary)

    @property
    def doubted_days(self) -> tuple[date, ...]:
        """The days that cannot be proved because of this event."""
        return self.untold_on or (self.days if len(self.days) > 1 or self.type_in_doubt else ())


def events_of(record: Record, categories: Sequence[str], evidence: Evidence) -> Iterable[Event]:
    """The events of a record in each of these categories that it is in."""
    versions = sorted((version for version in record.versions if version.submitted_at), key=lambda one: one.version)
    if not versions or record.datestamp is None:
        return
    for category in categories:
        names = taxonomy.names_or_same(category)
        if names & set(record.categories):
            for event in _in_category(record, versions, category, names, evidence):
                yield _heeding_other_witnesses(event, evidence)


def _in_category(
    record: Record, versions: Sequence[Version], category: str, names: frozenset[str], evidence: Evidence
) -> Iterable[Event]:
    assert record.datestamp is not None
    latest = _event(record, versions[-1], category, names, evidence)
    known = _known(record, evidence)
    was_in = known is not None and bool(names & known.listed_in)
    if known is not None and not was_in and not known.categories_are_partial:
        yield from _joining(latest, evidence)
    elif _was_not_shown(latest, known, was_in, evidence):
        yield _appearing(latest, evidence)
    else:
        for version, following in zip(versions, [*versions[1:], None], strict=True):
            event = _event(record, version, category, names, evidence)
            # Nobody replaces a paper before it is announced.
            until = record.datestamp
            if following is not None:
                until = min(until, calendar.scheduled_batch(_submitted(following)) - timedelta(days=1))
            yield from _announcing(event, until, known, was_in, evidence)


def _event(record: Record, version: Version, category: str, names: frozenset[str], evidence: Evidence) -> Event:
    assert record.datestamp is not None
    known = _known(record, evidence)
    # The primary category may have changed since; what was known of the version before is nearer to its announcement.
    primary = record.primary_category
    if known is not None and known.primary_category and version.version <= known.version:
        primary = known.primary_category
    return Event(
        record.arxiv_id, version.version, category, _submitted(version), record.datestamp, (), primary in names
    )


def _known(record: Record, evidence: Evidence) -> Known | None:
    """What was known of a paper before its last change; None if this change is stored already, by another set's harvest."""
    known = evidence.known.get(record.arxiv_id)
    return known if known is not None and known.datestamp != record.datestamp else None


def _joining(event: Event, evidence: Evidence) -> Iterable[Event]:
    """A paper that was known without the category: cross-listed in it, unless a moderator moved it there silently."""
    covered = evidence.covered.get(event.category)
    since = min(covered[1], event.datestamp) if covered else event.datestamp
    all_days = calendar.batch_days(since, event.datestamp)
    days = _not_whole(event, all_days, evidence)
    if days and days[-1] >= evidence.from_on:
        event = replace(event, days=tuple(reversed(days)), all_days=tuple(all_days))
        yield replace(event, joined=True, type_in_doubt=True, certainly_joined=True)


def _was_not_shown(event: Event, known: Known | None, was_in: bool, evidence: Evidence) -> bool:
    """Whether earlier harvests would have shown the version in the category, had it been there on the days that they cover."""
    if event.category not in evidence.covered:
        return False
    covered_from, covered_before = evidence.covered[event.category]
    was_known = known is not None and was_in and known.version >= event.version
    if was_known and known is not None and known.datestamp is not None and known.datestamp < covered_before:
        return False
    due = calendar.scheduled_batch(event.submitted_at)
    return covered_from <= due < covered_before <= event.datestamp


def _appearing(event: Event, evidence: Evidence) -> Event:
    """A version that was due on days that are covered and was not there: kept back by moderation, or cross-listed since."""
    all_days = calendar.batch_days(evidence.covered[event.category][1], event.datestamp) or [
        calendar.latest_batch(event.datestamp)
    ]
    days = _not_whole(event, all_days, evidence) or all_days
    if event.is_primary:
        return replace(event, days=tuple(days), all_days=tuple(all_days))
    return replace(event, days=tuple(reversed(days)), joined=event.version > 1, type_in_doubt=event.version > 1)


def _announcing(event: Event, until: date, known: Known | None, was_in: bool, evidence: Evidence) -> Iterable[Event]:
    """A version announced in the batch that it was due for, or in one soon after."""
    due = calendar.scheduled_batch(event.submitted_at)
    if due < evidence.from_on:
        # An old paper: cross-listed here while this was its version, or merely changed, say by a journal reference?
        was_shown_here = known is not None and was_in and known.datestamp is not None and known.version >= event.version
        if not was_shown_here:
            covered = evidence.covered.get(event.category)
            since = max(evidence.from_on, covered[1]) if covered else evidence.from_on
            days = _not_whole(event, calendar.batch_days(since, until), evidence)
            event = replace(event, untold_on=tuple(day for day in days if not _listed_before(event, day, evidence)))
        yield event
        return
    all_days = calendar.batch_days(due, max(due, until)) or [due]
    days = _not_whole(event, all_days, evidence)
    # Of a paper that has changed since, nobody knows whether it was in a secondary category already.
    may_have_joined = not event.is_primary and (event.version > 1 or event.datestamp > all_days[0])
    if not days and may_have_joined and event.datestamp > all_days[0]:
        return
    was_there = known is not None and was_in and known.version <= event.version
    unsure = may_have_joined and not was_there
    yield replace(event, days=tuple(days or all_days), all_days=tuple(all_days), type_in_doubt=unsure)


def _heeding_other_witnesses(event: Event, evidence: Evidence) -> Event:
    """The event with days that a feed excludes, which may only have seemed whole, but another witness suggests.

    A version is listed in its categories on one day, unless it is cross-listed later: a feed of another category that names
    it tells the likeliest day. And the record was last changed on the day of its datestamp, for whatever reason. But a cut
    feed loses new papers only (FACTS 2.2), and a day that is proved was no former batch.
    """
    elsewhere = {
        row.announced_on
        for row in evidence.announced.get(event.arxiv_id, ())
        if row.version == event.version and row.category != event.category and row.source != OAI
    }
    excluded = [
        day
        for day in event.all_days
        if day not in event.days and (event.kind == AnnounceType.NEW or (event.category, day) not in evidence.proved)
    ]
    likelier = tuple(day for day in excluded if day in elsewhere)
    less_likely = tuple(day for day in excluded if day == event.datestamp and day not in elsewhere)
    return replace(event, days=likelier + event.days + less_likely) if likelier or less_likely else event


def _listed_before(event: Event, day: date, evidence: Evidence) -> bool:
    """Whether a feed named the paper in the category before a day, so that it cannot have joined on that day."""
    return any(
        row.category == event.category and row.announced_on < day and row.source != OAI
        for row in evidence.announced.get(event.arxiv_id, ())
    )


def _not_whole(event: Event, days: Sequence[date], evidence: Evidence) -> list[date]:
    """The days whose feed was not read whole, because a whole one would have named the version."""
    if event.version > FEED_VERSIONS:
        return list(days)
    return [day for day in days if (event.category, day) not in evidence.whole]


def narrow(event: Event, id_order: Sequence[tuple[str, date]]) -> Event:
    """The event of a new paper with only the days that its neighbours leave; ``id_order`` is sorted, of order keys.

    Ids witness better than a feed that seemed whole: of the days that only such a feed excludes, they bring back one.
    """
    if event.version != 1 or event.joined or len(event.all_days) < 2:
        return event
    left = between_neighbours(event.arxiv_id, event.all_days, id_order)
    if not event.is_primary:  # It may have been cross-listed later than it was announced, but not before.
        days = tuple(day for day in event.days if day >= left[0])
        return replace(event, days=days or left)
    return replace(event, days=tuple(day for day in event.days if day in left) or left)


def between_neighbours(arxiv_id: str, days: Sequence[date], id_order: Sequence[tuple[str, date]]) -> tuple[date, ...]:
    """The days that the neighbours of an id leave; all, if that would leave none."""
    key = ids.order_key(arxiv_id)
    below = bisect_left(id_order, key, key=lambda one: one[0])
    above = bisect_right(id_order, key, key=lambda one: one[0])
    earliest = id_order[below - 1][1] if below else date.min
    latest = id_order[above][1] if above < len(id_order) else date.max
    return tuple(day for day in days if earliest <= day <= latest) or tuple(days)


def is_impossible(row: Announced, event: Event) -> bool:
    """Whether an announcement lies after the paper's last change, or its mailing before the submission.

    Everything between is left to the feed: the calendar, and what an earlier harvest showed, are weaker witnesses.
    """
    too_late = row.announced_on > max(event.datestamp, calendar.scheduled_batch(event.submitted_at))
    return too_late or calendar.announced_at(row.announced_on) < event.submitted_at


def without_refuted(evidence: Evidence, events: Iterable[Event]) -> Evidence:
    """The evidence without the feeds that these events refute: one that names what cannot be is a former batch."""
    refuted = {
        (row.category, row.announced_on)
        for event in events
        for row in evidence.announced.get(event.arxiv_id, ())
        if row.category == event.category and row.version == event.version and is_impossible(row, event)
    }
    return replace(evidence, whole=evidence.whole - refuted)


def certain_type(event: Event, row: Announced, rows: Sequence[Announced]) -> AnnounceType | None:
    """The type of an announcement, where the history of the paper excludes every other; None where a feed may be right."""
    fresh = row.announced_on - calendar.scheduled_batch(event.submitted_at) <= _HELD
    # What a feed said; what was only concluded is no witness.
    earlier = [other for other in rows if other.announced_on < row.announced_on and other.source != OAI]
    was_here = any(other.category == row.category for other in earlier)
    if row.announce_type == AnnounceType.CROSS:
        # Only while the paper has not changed since: later, its categories are no longer those of the announcement.
        unchanged = event.datestamp <= row.announced_on
        if unchanged and fresh and (event.version == 1 or was_here):
            return possible_type(AnnounceType.NEW, event.version, is_primary=event.is_primary)
    if row.announce_type == AnnounceType.REPLACE_CROSS and not was_here:
        same_version = any(other.version == event.version for other in earlier)
        if same_version or not fresh:
            return AnnounceType.CROSS
    return None


def _submitted(version: Version) -> datetime:
    assert version.submitted_at is not None
    return version.submitted_at
