"""An invented month of arXiv, whole: what was submitted, announced, replaced, withdrawn and corrected, and when.

Everything follows from the seed. The world keeps two things and derives the rest from them: the rows that arXiv's own
database keeps of a day's announcement (``Update``), and what was known of each paper since when (``Paper``).
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from random import Random
from zoneinfo import ZoneInfo

from tests.fake_arxiv.names import ALIAS, names_in
from tests.fake_arxiv.texts import Person, make_abstract, make_authors, make_title

EASTERN = ZoneInfo("America/New_York")
DAY = timedelta(days=1)

HOLIDAYS = frozenset(
    date(year, month, day)
    for year, days in (
        (2024, ((1, 15), (5, 22), (6, 19), (7, 4), (9, 2), (10, 8), (11, 28), (12, 25), (12, 26), (12, 31))),
        (2025, ((1, 1), (1, 20), (6, 19), (7, 4), (7, 6), (9, 1), (11, 27), (12, 25), (12, 30))),
        (2026, ((1, 1), (1, 19), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25), (12, 29), (12, 31))),
    )
    for month, day in days
)
"""Days without a cut-off, and so without the mailing that would have followed (FACTS 7.1): of a Friday, that is Sunday's."""

FEED_VERSIONS = 5
"""Replacements above this version are in no feed (FACTS 2.2)."""

LICENSES = (
    "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
    "http://arxiv.org/licenses/nonexclusive-distrib/1.0/",
    "http://creativecommons.org/licenses/by/4.0/",
    "http://creativecommons.org/licenses/by-nc-nd/4.0/",
    "http://creativecommons.org/publicdomain/zero/1.0/",
)

# Where the papers of a category are listed besides, and where papers come from that are only cross-listed in it.
_NEIGHBOURS = {
    "cs.CL": ("cs.AI", "cs.LG", "cs.IR"),
    "stat.ML": ("cs.LG", "math.ST", "stat.ME"),
    "hep-th": ("gr-qc", "math-ph", "hep-ph"),
}
_OLD_ARCHIVES = ("astro-ph", "cond-mat", "cs", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math", "quant-ph")
_OTHER_NEIGHBOURS = ("cs.LG", "quant-ph", "math.OC")


def is_batch_day(day: date) -> bool:
    """Whether a batch is dated this day: Monday to Friday, if the day of its cut-off and the evening before were ordinary."""
    return day.weekday() < 5 and not {_day_of_cut_off(day), day - DAY} & HOLIDAYS


def batch_day_before(day: date) -> date:
    """The newest day before this one that a batch is dated."""
    day -= DAY
    while not is_batch_day(day):
        day -= DAY
    return day


def eastern(day: date, clock: time) -> datetime:
    """An instant that US Eastern clocks show, in UTC."""
    return datetime.combine(day, clock, EASTERN).astimezone(UTC)


def midnight(day: date) -> datetime:
    """When the feeds of a day are made."""
    return eastern(day, time(0))


def visible_at(day: date) -> datetime:
    """When OAI-PMH and the API begin to show the batch of a day: 22:30 Eastern on the evening before (FACTS 3.4)."""
    return eastern(day - DAY, time(22, 30))


def window(day: date) -> tuple[datetime, datetime]:
    """When the papers of a day's batch were submitted, if nothing held them back: from one 14:00 to another."""
    return _cut_off(batch_day_before(day)), _cut_off(day)


def _cut_off(day: date) -> datetime:
    return eastern(_day_of_cut_off(day), time(14))


def _day_of_cut_off(day: date) -> date:
    """The last working day before a batch."""
    return day - (3 if day.weekday() == 0 else 1) * DAY


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a paper; source type ``I`` is a withdrawal."""

    number: int
    submitted_at: datetime
    size_kb: int
    source_type: str | None = None


@dataclass(frozen=True, slots=True)
class Paper:
    """What arXiv says of a paper from ``modified_at`` on, until it says something else."""

    arxiv_id: str
    versions: tuple[Version, ...]
    title: str
    abstract: str
    authors: tuple[Person, ...]
    authors_line: str
    categories: tuple[str, ...]
    submitter: str
    license: str | None
    modified_at: datetime
    comments: str | None = None
    journal_ref: str | None = None
    doi: str | None = None
    report_no: str | None = None
    msc_class: str | None = None
    acm_class: str | None = None

    @property
    def version(self) -> int:
        """The number of the newest version."""
        return self.versions[-1].number

    @property
    def primary(self) -> str:
        """The primary category."""
        return self.categories[0]

    @property
    def datestamp(self) -> date:
        """The UTC day of the last modification, as OAI-PMH shows it."""
        return self.modified_at.date()

    @property
    def withdrawn(self) -> bool:
        """Whether the newest version is a withdrawal."""
        return self.versions[-1].source_type == "I"


@dataclass(frozen=True, slots=True)
class Update:
    """A row of arXiv's table of updates: on ``day`` the paper is announced in ``category``, by ``action``."""

    arxiv_id: str
    category: str
    action: str  # "new", "cross" or "replace"
    event: "Event"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a paper.

    ``first``, ``version``, ``withdrawal``, ``restoration`` and ``cross-list`` are announced, in the batch of ``day``;
    ``edit`` and ``categories`` move the datestamp and nothing else. ``held`` is how many batches moderation held it back.
    """

    kind: str
    arxiv_id: str
    version: int
    at: datetime
    day: date | None = None
    held: int = 0


@dataclass(frozen=True, slots=True)
class Truth:
    """One announcement in one category, as it really was; the type is relative to the category (FACTS 2.2)."""

    arxiv_id: str
    version: int
    category: str
    announced_on: date
    announce_type: str
    in_feed: bool
    event: str
    held: int


class World:
    """Some weeks of arXiv.

    ``per_day`` new papers are announced on an ordinary day, twice as many after a weekend. Days outside the world are
    days on which nothing was announced.
    """

    def __init__(
        self,
        seed: int = 1,
        first_day: date = date(2026, 1, 5),
        days: int = 30,
        categories: Iterable[str] = ("cs.CL", "stat.ML", "hep-th"),
        per_day: int = 12,
    ) -> None:
        self.seed = seed
        self.first_day = first_day
        self.last_day = first_day + (days - 1) * DAY
        self.categories = tuple(categories)
        self.per_day = per_day
        self.events: list[Event] = []
        self._history: dict[str, list[Paper]] = {}
        self._updates: dict[date, list[Update]] = defaultdict(list)
        _Maker(self, Random(seed)).make()

    def __repr__(self) -> str:
        return f"World(seed={self.seed}, {self.first_day}..{self.last_day}, {'+'.join(self.categories)})"

    @property
    def days(self) -> list[date]:
        """Every day of the world."""
        return [self.first_day + number * DAY for number in range((self.last_day - self.first_day).days + 1)]

    @property
    def batch_days(self) -> list[date]:
        """The days on which something was announced."""
        return [day for day in self.days if is_batch_day(day)]

    @property
    def ids(self) -> list[str]:
        """Every paper that there ever is."""
        return list(self._history)

    def history(self, arxiv_id: str) -> list[Paper]:
        """All that was ever said of a paper, oldest first."""
        return self._history[arxiv_id]

    def paper_at(self, arxiv_id: str, instant: datetime) -> Paper | None:
        """What is said of a paper at an instant; None if it is not to be seen yet."""
        history = self._history.get(arxiv_id, [])
        place = bisect_right(history, instant, key=lambda paper: paper.modified_at)
        return history[place - 1] if place else None

    def papers_at(self, instant: datetime) -> list[Paper]:
        """Every paper that is to be seen at an instant."""
        return [paper for name in self._history if (paper := self.paper_at(name, instant))]

    @cached_property
    def announcements(self) -> list[Truth]:
        """The truth: every announcement in the world's own categories, by day, category and place in the feed."""
        return [truth for day in self.batch_days for name in self.categories for truth in self.batch(name, day)]

    def batch(self, category: str, day: date) -> list[Truth]:
        """What was announced in a category (or an archive, with its categories taken as one) on a day."""
        return [
            Truth(
                paper.arxiv_id, paper.version, category, day, kind, kind in ("new", "cross") or paper.version <= FEED_VERSIONS,
                update.event.kind, update.event.held,
            )
            for paper, kind, update in self._listed(names_in(category), day)
        ]  # fmt: skip

    def listing(self, names: Collection[str], day: date) -> list[tuple[Paper, str]]:
        """The papers and types in a feed of all these categories, in their order: type, then id (FACTS 2.2)."""
        return [
            (paper, kind)
            for paper, kind, _ in self._listed(names, day)
            if kind in ("new", "cross") or paper.version <= FEED_VERSIONS
        ]

    def _listed(self, names: Collection[str], day: date) -> list[tuple[Paper, str, Update]]:
        strongest: dict[str, Update] = {}
        for update in self._updates.get(day, ()):
            known = strongest.get(update.arxiv_id)
            if update.category in names and (known is None or _ORDER[update.action] < _ORDER[known.action]):
                strongest[update.arxiv_id] = update
        listed = []
        for update in strongest.values():
            paper = self.paper_at(update.arxiv_id, midnight(day))
            assert paper is not None
            listed.append((paper, _announce_type(update.action, is_primary=paper.primary in names), update))
        return sorted(listed, key=lambda one: (_ORDER[one[1]], one[0].arxiv_id))


_ORDER = {"new": 0, "cross": 1, "replace": 2, "replace-cross": 3}


def _announce_type(action: str, *, is_primary: bool) -> str:
    if action == "replace":
        return "replace" if is_primary else "replace-cross"
    return "new" if action == "new" and is_primary else "cross"


class _Maker:
    """Lives through the days of a world, one batch after the other.

    ``busy`` says up to which batch (by its place) a paper had to do with an announcement: nobody replaces a paper that
    they have not seen announced.
    """

    def __init__(self, world: World, rng: Random) -> None:
        self.world = world
        self.rng = rng
        self.busy: dict[str, int] = {}
        self.numbers: dict[str, int] = defaultdict(lambda: 90000)
        self.neighbours = {name: _NEIGHBOURS.get(name, _OTHER_NEIGHBOURS) for name in world.categories}

    def make(self) -> None:
        """Fill the world."""
        for number in range(min(200, max(16, self.world.per_day * 4))):
            self._old_paper(number)
        place = 0
        for day in self.world.days:
            if is_batch_day(day):
                self._batch(place, day)
                place += 1
            self._edit(day)

    def _batch(self, place: int, day: date) -> None:
        self._first_versions(place, day)
        for number in range(min(100, max(2, round(self.world.per_day * self.rng.uniform(0.3, 0.6))))):
            held = 1 + self.rng.randrange(3) if place % 6 == 5 and number == 0 else 0
            self._new_version(place, day, "version", lambda paper: paper.version < FEED_VERSIONS, held=held)
        for _ in range(1 + place % 2):
            self._cross_list(place, day)
        self._special(place, day)

    # What happens

    def _first_versions(self, place: int, day: date) -> None:
        begin, end = window(day)
        weight = min(3.0, 1 + ((end - begin) / DAY - 1) / 2)
        count = round(self.world.per_day * weight * self.rng.uniform(0.85, 1.15))
        held = [0] * count
        for number in range(count):
            # Some in a hundred, and one for certain now and then.
            if self.rng.random() < 0.04 or (place % 3 == 1 and number == 0):
                held[number] = 1 + self.rng.randrange(3)
        submitted = sorted((self._submitted(day, batches), batches) for batches in held)
        for number, (at, batches) in enumerate(submitted):
            self._first_version(place, day, at, batches, number)

    def _first_version(self, place: int, day: date, submitted_at: datetime, held: int, number: int) -> None:
        month = f"{day:%y%m}"
        self.numbers[month] += 1
        # Every sixth one or so has its primary category elsewhere; each category has its first paper of a day at home.
        own = self.world.categories
        primary = own[number] if number < len(own) else self.rng.choice(own)
        others = [name for name in (*self.neighbours[primary], *own) if name != primary]
        secondary = self.rng.sample(others, min(self.rng.choice((0, 0, 1, 1, 2)), len(others)))
        if number >= len(own) and self.rng.random() < 0.15:
            primary, secondary = self.rng.choice(self.neighbours[primary]), [primary]
        paper = self._invent(
            f"{month}.{self.numbers[month]:05}", _with_pairs(primary, secondary), (submitted_at,), visible_at(day)
        )
        self._announce(paper, "first", place, day, held, [(name, "cross") for name in paper.categories[1:]], "new")

    def _new_version(
        self, place: int, day: date, kind: str, fits: Callable[[Paper], bool], *, held: int = 0
    ) -> Paper | None:
        """A paper that is withdrawn can only come back; any other can do all but that."""
        old = self._choose(place - held, lambda paper: paper.withdrawn == (kind == "restoration") and fits(paper))
        if old is None:
            return None
        paper = self._next_version(old, day, kind, held)
        self._announce(paper, kind, place, day, held, [(name, "replace") for name in paper.categories[1:]], "replace")
        return paper

    def _cross_list(self, place: int, day: date, *, with_version: bool = False) -> None:
        """A paper gets one of the world's categories; maybe in one batch with a new version."""
        rng, own = self.rng, self.world.categories
        old = self._choose(
            place,
            lambda paper: paper.version < FEED_VERSIONS and not paper.withdrawn and self._missing(paper) is not None,
        )
        if old is None:
            return
        category = rng.choice(
            [name for name in own if name not in old.categories and ALIAS.get(name) not in old.categories]
        )
        grown = replace(old, categories=(*old.categories, category), modified_at=visible_at(day))
        if not with_version:
            self._announce(grown, "cross-list", place, day, 0, [(category, "cross")])
            return
        paper = self._next_version(grown, day, "version", 0)
        rows = [(name, "replace") for name in old.categories[1:]] + [(category, "cross")]
        self._announce(paper, "version", place, day, 0, rows, "replace")

    def _missing(self, paper: Paper) -> str | None:
        """A category of the world that the paper is not in."""
        listed = {*paper.categories, *(ALIAS.get(name) for name in paper.categories)}
        return next((name for name in self.world.categories if name not in listed), None)

    def _special(self, place: int, day: date) -> None:
        """What is rare, each in its turn."""
        own = set(self.world.categories)
        match place % 7:
            case 0:
                self._new_version(place, day, "version", lambda paper: paper.version >= FEED_VERSIONS)
            case 1:
                self._new_version(place, day, "withdrawal", lambda paper: paper.version < FEED_VERSIONS)
            case 2:
                self._new_version(
                    place,
                    day,
                    "version",
                    lambda paper: len(own & {*paper.categories}) > 1 and paper.version < FEED_VERSIONS,
                )
            case 3:
                self._cross_list(place, day, with_version=True)
            case 4:
                self._change_categories(place, day)
            case 5:
                self._new_version(place, day, "restoration", lambda paper: True)
            case _:
                self._new_version(place, day, "withdrawal", lambda paper: paper.version >= FEED_VERSIONS)

    def _change_categories(self, place: int, day: date) -> None:
        """Moderators make the second category the primary one; nothing is announced."""
        own = set(self.world.categories)
        paper = self._choose(place, lambda paper: len(paper.categories) > 1 and bool(own & {*paper.categories[:2]}))
        if paper is not None:
            first, second, *rest = paper.categories
            at = eastern(day, time(8, 5))
            event = Event("categories", paper.arxiv_id, paper.version, at)
            self._know(replace(paper, categories=(second, first, *rest), modified_at=at), event)
            self.busy[paper.arxiv_id] = place

    def _edit(self, day: date) -> None:
        """Authors and librarians correct records, on every day of the week; nothing is announced."""
        for number in range(2):
            at = eastern(day, time(9 + 5 * number, self.rng.randrange(60)))
            paper = self.world.history(self.rng.choice(self.world.ids))[-1]
            serial = paper.arxiv_id[-4:]
            changed = self.rng.choice(
                (
                    replace(paper, journal_ref=f"J. Test. {day.year} ({serial})", doi=f"10.0000/test.{serial}"),
                    replace(paper, comments=f"{10 + number} pages; corrected {day:%d %b}"),
                    replace(paper, title=f"{paper.title} (corrected)"),
                    replace(paper, abstract=f"{paper.abstract} (Corrected.)"),
                    replace(paper, license="http://creativecommons.org/licenses/by/4.0/"),
                )
            )
            self._know(replace(changed, modified_at=at), Event("edit", paper.arxiv_id, paper.version, at))

    # How it is written down

    def _announce(
        self, paper: Paper, kind: str, place: int, day: date, held: int, rows: list[tuple[str, str]], primary: str = ""
    ) -> None:
        event = Event(kind, paper.arxiv_id, paper.version, visible_at(day), day, held)
        if primary:
            rows = [(paper.primary, primary), *rows]
        self.world._updates[day] += [Update(paper.arxiv_id, category, action, event) for category, action in rows]
        self._know(paper, event)
        self.busy[paper.arxiv_id] = place

    def _know(self, paper: Paper, event: Event) -> None:
        self.world._history.setdefault(paper.arxiv_id, []).append(paper)
        self.world.events.append(event)

    def _choose(self, place: int, fits: Callable[[Paper], bool]) -> Paper | None:
        """A paper that fits and whose last announcement was at least two batches before."""
        names = list(self.world._history)
        for _ in range(4):
            found = self.world._history[self.rng.choice(names)][-1]
            if self.busy.get(found.arxiv_id, -9) <= place - 2 and fits(found):
                return found
        free = [
            history[-1]
            for name, history in self.world._history.items()
            if self.busy.get(name, -9) <= place - 2 and fits(history[-1])
        ]
        return self.rng.choice(free) if free else None

    def _next_version(self, old: Paper, day: date, kind: str, held: int) -> Paper:
        rng = self.rng
        number = old.version + 1
        withdrawal = kind == "withdrawal"
        at = self._submitted(day, held)
        version = Version(number, at, 0, "I") if withdrawal else Version(number, at, rng.randint(9, 900))
        comments = f"{rng.randint(8, 40)} pages. This version corrects some misprints"
        if withdrawal:
            comments = "This paper has been withdrawn by the author due to a crucial error in equation 3"
        abstract = old.abstract
        if not withdrawal and rng.random() < 0.5:
            abstract = f"{make_abstract(rng)} Version {number} has a new proof."
        title = make_title(rng) if not withdrawal and rng.random() < 0.1 else old.title
        return replace(
            old,
            versions=(*old.versions, version),
            comments=comments,
            abstract=abstract,
            title=title,
            modified_at=visible_at(day),
        )

    def _submitted(self, day: date, held: int) -> datetime:
        """A moment in the right window of a batch, or of the one so many batches before."""
        for _ in range(held):
            day = batch_day_before(day)
        begin, end = window(day)
        return begin + timedelta(seconds=self.rng.randrange(int((end - begin).total_seconds())))

    def _old_paper(self, number: int) -> None:
        """A paper from before the world: from last month back to 1992; some have five versions and more."""
        rng, first_day = self.rng, self.world.first_day
        primary = self.world.categories[number % len(self.world.categories)]
        secondary = rng.sample(self.neighbours[primary], rng.choice((0, 0, 1)))
        age = 20 + (150 * number) % 7300 if number % 4 else 20 + number
        born = datetime.combine(first_day - age * DAY, time(0), UTC)
        if number % 8 == 7:
            born = datetime(1992 + number % 15, 1 + number % 12, 3, tzinfo=UTC)
        born += timedelta(seconds=rng.randrange(86400))
        month = f"{born:%y%m}"
        self.numbers[f"old {month}"] += 1
        serial = self.numbers[f"old {month}"] - 90000
        # Numbers above any that was really given out in such a month, and below those of the world's own papers.
        name = f"{month}.{80000 + serial}" if born.year >= 2015 else f"{month}.{9500 + serial}"
        if (born.year, born.month) < (2007, 4):
            archive = primary.partition(".")[0]
            name = f"{archive if archive in _OLD_ARCHIVES else 'math'}/{month}{900 + serial}"
        count = 4 + number % 3 if number % 5 == 0 else 1 + number % 3
        step = (datetime.combine(first_day - 9 * DAY, time(9), UTC) - born) / count
        times = [(born + place * step).replace(microsecond=0) for place in range(count)]
        modified_at = max(times[-1] + 2 * DAY, datetime(2005, 9, 17, tzinfo=UTC))
        paper = self._invent(name, _with_pairs(primary, secondary), times, modified_at)
        if born.year < 2009:
            paper = replace(paper, license=None)
        self.world._history[name] = [paper]

    def _invent(
        self, arxiv_id: str, categories: tuple[str, ...], times: Iterable[datetime], modified_at: datetime
    ) -> Paper:
        rng = self.rng
        authors, line = make_authors(rng)
        versions = tuple(
            Version(number, at, rng.randint(9, 4000), rng.choice((None, None, "D", "A")))
            for number, at in enumerate(times, 1)
        )
        serial = arxiv_id[-5:].strip("/.")
        published = rng.random() < 0.15
        return Paper(
            arxiv_id=arxiv_id,
            versions=versions,
            title=make_title(rng),
            abstract=make_abstract(rng),
            authors=authors,
            authors_line=line,
            categories=categories,
            submitter=authors[-1].name,
            license=rng.choice(LICENSES),
            modified_at=modified_at,
            comments=rng.choice(
                (None, f"{rng.randint(4, 90)} pages, 3 figures", "Accepted at TEST & Co. '26; ~100% new")
            ),
            journal_ref=f"Test. Lett. {rng.randint(1, 99)} (2025) {serial}" if published else None,
            doi=f"10.0000/{serial}" if published else None,
            report_no=f"TEST-TH-{serial}" if rng.random() < 0.1 else None,
            msc_class="62G05, 68T50" if rng.random() < 0.1 else None,
            acm_class="I.2.7" if rng.random() < 0.05 else None,
        )


def _with_pairs(primary: str, secondary: Iterable[str]) -> tuple[str, ...]:
    """The categories of a paper; who is in ``math-ph`` is usually labelled ``math.MP`` as well (FACTS 10.4)."""
    names = dict.fromkeys((primary, *secondary))
    return tuple(dict.fromkeys(both for name in names for both in (name, ALIAS.get(name, name))))
