"""What goes wrong: a schedule by source, category and time of the fake's own clock."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Literal

from tests.fake_arxiv.world import DAY, World, eastern, midnight

Source = Literal["feed", "oai", "api"]
SOURCES: tuple[Source, ...] = ("feed", "oai", "api")

CONTENT = ("stale", "empty", "truncated", "duplicates", "wrong-types", "unknown-type")
"""Faults of what a feed says; when one is mended, the feed is made anew."""

WRONG_TYPES = ("new-on-v2", "replace-on-v1", "new-on-secondary", "swapped-replacements")
"""Announce types that cannot be, and how they came about."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. Make it by name, then say when: ``Fault.stale(category="cs.CL").on(TUESDAY)``.

    It is there from ``since`` until just before ``until`` (always, if neither is set), for the first ``times`` requests
    that it fits (all, if that is not set). A fault with a category fits the feeds that name it and the OAI lists of its
    set.
    """

    kind: str
    source: Source = "feed"
    category: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    times: int | None = None
    code: int = field(default=0, kw_only=True)
    retry_after: str | None = field(default=None, kw_only=True)
    body: bytes = field(default=b"", kw_only=True)
    limit: int = field(default=0, kw_only=True)
    at: float = field(default=0.5, kw_only=True)
    delay: float = field(default=0.0, kw_only=True)
    pause: float = field(default=0.0, kw_only=True)
    word: str = field(default="", kw_only=True)
    how: tuple[str, ...] = field(default=(), kw_only=True)

    # When

    def on(self, day: date, start: time = time(0), end: time | None = None) -> "Fault":
        """The fault on a day in US Eastern time; from ``start`` to ``end``, if not the whole day."""
        until = midnight(day + DAY) if end is None else eastern(day, end)
        return replace(self, since=eastern(day, start), until=until)

    def between(self, since: datetime | None, until: datetime | None) -> "Fault":
        """The fault between two instants."""
        return replace(self, since=since, until=until)

    def first(self, times: int) -> "Fault":
        """The fault for the first so many requests."""
        return replace(self, times=times)

    def fits(self, source: str, scope: Collection[str], now: datetime) -> bool:
        """Whether a request of a source and of these categories meets the fault."""
        return (
            self.source == source
            and (self.category is None or self.category in scope)
            and (self.since is None or self.since <= now)
            and (self.until is None or now < self.until)
        )

    # What: the content of a feed

    @classmethod
    def stale(cls, category: str | None = None) -> "Fault":
        """The former batch under today's dates (FACTS 2.6)."""
        return cls("stale", "feed", category)

    @classmethod
    def stale_then_filled(cls, day: date, until: time, category: str | None = None) -> "Fault":
        """The former batch at first, the right one from ``until`` (US Eastern) on."""
        return cls.stale(category).on(day, end=until)

    @classmethod
    def empty(cls, category: str | None = None) -> "Fault":
        """No item, although there was an announcement."""
        return cls("empty", "feed", category)

    @classmethod
    def empty_then_filled(cls, day: date, until: time, category: str | None = None) -> "Fault":
        """No item at first, the right ones from ``until`` (US Eastern) on."""
        return cls.empty(category).on(day, end=until)

    @classmethod
    def truncated(cls, limit: int, category: str | None = None) -> "Fault":
        """A lower limit of items: the new papers with the lowest ids are lost."""
        return cls("truncated", "feed", category, limit=limit)

    @classmethod
    def duplicates(cls, category: str | None = None) -> "Fault":
        """Every second item comes twice, in turns the same and with a weaker type."""
        return cls("duplicates", "feed", category)

    @classmethod
    def wrong_types(cls, category: str | None = None, how: Sequence[str] = WRONG_TYPES) -> "Fault":
        """Impossible announce types, of these kinds in turns, on every item that can have one."""
        return cls("wrong-types", "feed", category, how=tuple(how))

    @classmethod
    def unknown_type(cls, category: str | None = None, word: str = "revive") -> "Fault":
        """The last item has a type that arXiv never used."""
        return cls("unknown-type", "feed", category, word=word)

    # What: the content of an answer of OAI-PMH or the API

    @classmethod
    def expired_token(cls) -> "Fault":
        """Every resumption token is refused, as after midnight UTC."""
        return cls("expired-token", "oai")

    @classmethod
    def bad_token(cls) -> "Fault":
        """The tokens that are handed out are of no use."""
        return cls("bad-token", "oai")

    @classmethod
    def no_records(cls, category: str | None = None) -> "Fault":
        """Lists are empty although they are not: an early ``noRecordsMatch`` that a cache keeps (FACTS 3.6)."""
        return cls("no-records", "oai", category)

    @classmethod
    def empty_page(cls) -> "Fault":
        """The API's page without entries, under the right total (FACTS 4.3)."""
        return cls("empty-page", "api")

    # What: the way of an answer

    @classmethod
    def status(
        cls,
        code: int,
        source: Source = "feed",
        category: str | None = None,
        *,
        retry_after: float | str | None = None,
        body: bytes = b"",
    ) -> "Fault":
        """Another HTTP status than 200; 406 is without a body, as Fastly's is."""
        wait = None if retry_after is None else str(retry_after)
        return cls("status", source, category, code=code, retry_after=wait, body=body)

    @classmethod
    def rate_exceeded(cls, source: Source = "feed", category: str | None = None) -> "Fault":
        """429 as the API says it, without a Retry-After."""
        return cls.status(429, source, category, body=b"Rate exceeded.")

    @classmethod
    def cut(cls, source: Source = "feed", category: str | None = None, at: float = 0.5) -> "Fault":
        """The connection closes after this part of the body."""
        return cls("cut", source, category, at=at)

    @classmethod
    def slow(
        cls, source: Source = "feed", category: str | None = None, delay: float = 0.05, pause: float = 0.01
    ) -> "Fault":
        """Seconds before the body, and between its eight parts."""
        return cls("slow", source, category, delay=delay, pause=pause)

    @classmethod
    def html(cls, source: Source = "feed", category: str | None = None) -> "Fault":
        """A web page in place of XML, with 200."""
        return cls("html", source, category)

    @classmethod
    def wrong_content_type(cls, source: Source = "feed", category: str | None = None) -> "Fault":
        """The right body, said to be HTML."""
        return cls("wrong-content-type", source, category)

    def __str__(self) -> str:
        known = ("kind", "source", "category", "since", "until", "times")
        details = [
            f"{one.name}={getattr(self, one.name)!r}"
            for one in fields(self)
            if one.name not in known and getattr(self, one.name) != one.default
        ]
        when = f"{_say(self.since)} .. {_say(self.until)}"
        if self.times is not None:
            details.append(f"first {self.times} requests")
        return f"{when}  {self.source:<4}  {self.category or '*':<8}  {self.kind}" + "".join(
            f"  {one}" for one in details
        )


def _say(instant: datetime | None) -> str:
    return "always".ljust(17) if instant is None else f"{instant.astimezone(UTC):%Y-%m-%d %H:%MZ}"


class Faults:
    """A schedule. Printed, it has one line for each fault."""

    def __init__(self, *faults: Fault) -> None:
        self._faults = list(faults)
        self._met: dict[int, int] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def __str__(self) -> str:
        return "\n".join(map(str, self._faults))

    def add(self, *faults: Fault) -> None:
        """Let more go wrong."""
        with self._lock:
            self._faults += faults

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._faults.clear()
            self._met.clear()

    def meet(self, source: Source, scope: Collection[str], now: datetime) -> list[Fault]:
        """The faults that a request meets, which count it."""
        with self._lock:
            met = []
            for place, fault in enumerate(self._faults):
                if not fault.fits(source, scope, now):
                    continue
                count = self._met[place] = self._met.get(place, 0) + 1
                if fault.times is None or count <= fault.times:
                    met.append(fault)
            return met

    def works(self, source: Source, now: datetime, category: str | None = None) -> bool:
        """Whether nothing is wrong with a source at an instant; without a category, with any part of it."""
        return not any(fault.fits(source, {category or fault.category or ""}, now) for fault in self._faults)

    def mended_at(self, source: Source, scope: Collection[str], now: datetime) -> datetime | None:
        """When the newest fault of what a request asks for ended, if one did."""
        ended = [
            fault.until
            for fault in self._faults
            if fault.until and fault.until <= now and fault.source == source and fault.kind in CONTENT
            and (fault.category is None or fault.category in scope)
        ]  # fmt: skip
        return max(ended, default=None)

    @classmethod
    def random(
        cls,
        seed: int,
        world: World,
        sources: Sequence[Source] = ("feed", "oai"),
        *,
        kinds: Collection[str] | None = None,
        moment: timedelta = timedelta(hours=6),
    ) -> "Faults":
        """A schedule over all days of a world; ``kinds`` restricts it to faults of these kinds.

        Anything may fail for a whole day and for days on end, but in every three days (US Eastern) there is one ``moment``
        at least in which OAI-PMH works.
        """
        rng = Random(f"faults {seed}")
        made: list[Fault] = []
        bad_days = 0
        for day in world.days:
            for source in sources:
                if source != "oai":
                    made += _bad_day(
                        rng, day, source, (None, *world.categories) if source == "feed" else (None,), kinds
                    )
                    continue
                if bad_days < 2 and rng.random() < 0.6:
                    bad_days += 1
                    fault = _choose(rng, "oai", None, kinds)
                    made += [fault.on(day)] if fault else []
                    continue
                bad_days = 0
                made += _around_moment(rng, day, kinds, moment)
        return cls(*made)


def _bad_day(
    rng: Random, day: date, source: Source, categories: Sequence[str | None], kinds: Collection[str] | None
) -> list[Fault]:
    """None, one or two faults of a day: the whole day, a part of it, or the first requests."""
    made = []
    for _ in range(rng.choice((0, 1, 1, 2))):
        fault = _choose(rng, source, rng.choice(categories), kinds)
        if fault is None:
            continue
        start, end = sorted((rng.randrange(24), rng.randrange(24)))
        match rng.randrange(4):
            case 0:
                made.append(fault.on(day).first(rng.randint(1, 3)))
            case 1 if end > start:
                made.append(fault.on(day, time(start), time(end)))
            case 2 if end > 0:
                made.append(fault.on(day, end=time(end)))
            case _:
                made.append(fault.on(day))
    return made


def _around_moment(rng: Random, day: date, kinds: Collection[str] | None, moment: timedelta) -> list[Fault]:
    """OAI-PMH works for a moment of the day, and maybe not before and not after it."""
    begin, end = midnight(day), midnight(day + DAY)
    spare = max(timedelta(0), end - begin - moment)
    since = begin + timedelta(minutes=rng.randint(0, int(spare.total_seconds()) // 60))
    made = []
    for start, stop in ((begin, since), (since + moment, end)):
        fault = _choose(rng, "oai", None, kinds)
        if fault and start < stop and rng.random() < 0.5:
            made.append(fault.between(start, stop))
    return made


def _choose(rng: Random, source: Source, category: str | None, kinds: Collection[str] | None) -> Fault | None:
    """A fault of a source, of one of these kinds; None if the source has none of them."""
    ways: list[Callable[[], Fault]] = [
        lambda: Fault.status(429, source, category),
        lambda: Fault.status(429, source, category, retry_after=rng.choice((1, 30, 600))),
        lambda: Fault.rate_exceeded(source, category),
        lambda: Fault.status(406, source, category),
        lambda: Fault.status(503, source, category, retry_after=rng.choice((1, 10, 3600))),
        lambda: Fault.status(500, source, category),
        lambda: Fault.status(403, source, category),
        lambda: Fault.cut(source, category, at=round(rng.uniform(0.05, 0.95), 2)),
        lambda: Fault.slow(source, category),
        lambda: Fault.html(source, category),
        lambda: Fault.wrong_content_type(source, category),
    ]
    contents: dict[Source, list[Callable[[], Fault]]] = {
        "feed": [
            lambda: Fault.stale(category),
            lambda: Fault.stale(category),
            lambda: Fault.empty(category),
            lambda: Fault.truncated(rng.randint(1, 8), category),
            lambda: Fault.duplicates(category),
            lambda: Fault.wrong_types(category),
            lambda: Fault.unknown_type(category),
        ],
        "oai": [Fault.expired_token, Fault.bad_token, lambda: Fault.no_records(category)],
        "api": [Fault.empty_page],
    }
    made = [make() for make in (*ways, *contents[source])]
    found = [fault for fault in made if kinds is None or fault.kind in kinds]
    return rng.choice(found) if found else None
