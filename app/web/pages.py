"""The pages as HTML: pure functions of what ``app.overview`` found and of who reads."""

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlencode

from babel import Locale, UnknownLocaleError
from babel.dates import format_skeleton, get_day_names
from markupsafe import Markup

from app import render
from app.arxiv import calendar, taxonomy
from app.overview import COMING, NO_BATCH, UNREAD, ChannelPage, Day, HomePage, Standing
from app.render.i18n import direction, locale_of, translator, written_day, written_period
from app.render.media import MEDIA_TYPES
from app.render.phrases import ACKNOWLEDGEMENT, announce_type
from app.render.templates import environment, policy_for
from app.render.text import plain
from app.web.languages import LANGUAGES

ENVIRONMENT: Final = environment(Path(__file__).parent / "templates", Path(render.__file__).parent)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the page's language, whether it was asked for in the address, and the addresses around it.

    ``root`` is the path that the service is mounted on, without a slash at the end; ``path`` the page's own below it;
    ``base_url`` the whole address of the service, for links that are read elsewhere.
    """

    language: str
    is_chosen: bool
    root: str
    path: str
    base_url: str

    def to(self, path: str, **query: str | None) -> str:
        """The address of another page, in the language that was asked for."""
        given = {name: value for name, value in query.items() if value is not None}
        if self.is_chosen:
            given.setdefault("language", self.language)
        return self.root + quote(path, safe="/-._~") + (f"?{urlencode(given)}" if given else "")

    def feed(self, slug: str, suffix: str) -> str:
        """The address of a channel's feed."""
        return f"{self.root}/v1/channels/{quote(slug, safe='')}/feed.{suffix}"


@dataclass(frozen=True, slots=True)
class Branch:
    """An archive of arXiv and its categories, as (slug, name)."""

    slug: str
    name: str
    categories: tuple[tuple[str, str], ...]


def home(page: HomePage, reader: Reader) -> str:
    """The service's root."""
    return _render("home.html.j2", reader, page=page, branches=BRANCHES, groups=group_standings)


def channel(page: ChannelPage, reader: Reader, before: str | None) -> str:
    """A channel's page; ``before`` is the cursor that it was asked with."""
    former = (page.month - timedelta(days=1)).replace(day=1)
    later = (page.month + timedelta(days=31)).replace(day=1)
    return _render(
        "channel.html.j2",
        reader,
        page=page,
        rules=page.rules,
        before=before,
        weeks=weeks(page.days, locale_of(reader.language).first_week_day),
        weekdays=weekdays(reader.language),
        former=f"{former:%Y-%m}",
        later=f"{later:%Y-%m}" if later <= page.today else None,
        month=str(format_skeleton("yMMMM", page.month, locale=locale_of(reader.language))),
        formats=[form for form in render.FORMATS if form != "html"],
        legend=[state for state in TONES if any(one.state == state and one.digest is None for one in page.days)],
        language_name=lambda tag: language_name(tag, reader.language),
        type_word=lambda kind: announce_type(kind, translator(reader.language)),
        order_words=order_words(reader.language),
        schedule=schedule_words(page, reader.language),
    )


def not_found(reader: Reader, slug: str | None) -> str:
    """The page in place of a channel that does not exist, or (without a slug) of a page or month that none is."""
    return _render("not_found.html.j2", reader, slug=slug)


def _render(template: str, reader: Reader, **context: object) -> str:
    _ = translator(reader.language)
    return ENVIRONMENT.get_template(template).render(
        _=_,
        reader=reader,
        to=reader.to,
        language=reader.language,
        direction=direction(reader.language),
        languages=LANGUAGES,
        feeds=MEDIA_TYPES,
        style=STYLE,
        acknowledgement=ACKNOWLEDGEMENT,
        day=lambda day: written_day(day, reader.language),
        eastern=lambda moment: _clock(moment.astimezone(calendar.EASTERN), reader.language),
        utc=lambda moment: _clock(moment.astimezone(UTC), reader.language),
        period=lambda shown: written_period(shown.period_from, shown.period_to, reader.language),
        state_word=lambda state: state_words(reader.language).get(state, state),
        why=lambda state: state_reasons(reader.language).get(state, ""),
        tone=lambda state: TONES.get(state, ""),
        mark=lambda state: MARKS.get(state, ""),
        **context,
    )


ENVIRONMENT.filters["plain"] = plain


def _clock(moment: datetime, language: str) -> str:
    """A weekday, a day and a time of day, as ``Tue, Jan 13, 2026 20:00``."""
    written = format_skeleton("yMMMEd", moment, locale=locale_of(language))
    return f"{written} {moment:%H:%M}"


def state_words(language: str) -> dict[str, str]:
    """The states of a day or a listing in a word or two."""
    _ = translator(language)
    return {
        "announced": _("announced"),
        "empty": _("empty"),
        "not_yet": _("not yet announced"),
        "stale": _("stale"),
        "truncated": _("cut short"),
        "failed": _("failed"),
        UNREAD: _("not read"),
        NO_BATCH: _("no announcement"),
        COMING: _("still to come"),
    }


def state_reasons(language: str) -> dict[str, str]:
    """What the states mean, as sentences."""
    _ = translator(language)
    return {
        "announced": _("The listing was read, with papers in it."),
        "empty": _("The listing was read, and nothing is in it."),
        "not_yet": _("The listing was not read with papers in it yet; it may still be filled."),
        "stale": _("arXiv served an earlier listing under this day's date; nothing of it was taken."),
        "truncated": _("The listing was so long that arXiv cut it; papers are missing."),
        "failed": _("The listing could not be read."),
        UNREAD: _("Nobody read the listing of this day, so that nothing is known of it."),
        NO_BATCH: _("arXiv announces nothing on this day: a weekend or a holiday."),
        COMING: _("This day's papers are not announced yet."),
    }


TONES: Final = {
    "announced": "good",
    "empty": "calm",
    "not_yet": "wait",
    "stale": "bad",
    "truncated": "bad",
    "failed": "bad",
    UNREAD: "wait",
    NO_BATCH: "calm",
    COMING: "calm",
}
"""How a state is coloured; its word says the same."""

MARKS: Final = {
    "announced": "•",
    "empty": "0",
    "not_yet": "…",
    "stale": "!",
    "truncated": "✂",
    "failed": "✕",
    UNREAD: "?",
    NO_BATCH: "–",
    COMING: "",
}
"""What stands for a state where there is no room for its word; a legend explains it."""


def order_words(language: str) -> dict[str, str]:
    """How a channel orders its papers, in words."""
    _ = translator(language)
    return {
        "id": _("newest paper first"),
        "announced": _("newest announcement first"),
        "relevance": _("best match first"),
    }


def schedule_words(page: ChannelPage, language: str) -> str:
    """When a channel has a digest, in words."""
    _ = translator(language)
    if page.schedule == "weekly":
        day = get_day_names("wide", "stand-alone", locale=locale_of(language))[page.weekday - 1]
        return _("each week, until {day}").format(day=day)
    return {"announcement": _("with each announcement"), "monthly": _("each month")}.get(page.schedule, page.schedule)


def language_name(tag: str, language: str) -> str:
    """A language's name in another one: ``Chinese`` for ``zh`` in English; the tag itself if it has none."""
    try:
        return Locale.parse(tag, sep="-").get_display_name(locale_of(language)) or tag
    except (ValueError, UnknownLocaleError):
        return tag


def group_standings(standings: Sequence[Standing]) -> list[tuple[str, list[Standing]]]:
    """The listings of a channel by state, the states in the order in which they first come."""
    order = {state: number for number, state in reversed([*enumerate(one.state for one in standings)])}
    in_order = sorted(standings, key=lambda one: order[one.state])
    return [(state, list(group)) for state, group in groupby(in_order, key=lambda one: one.state)]


def weeks(days: Sequence[Day], first_week_day: int) -> list[list[Day | None]]:
    """A month's days in weeks of seven, ``None`` where a week has days of another month; 0 is Monday."""
    month = days[0].day
    by_day = {one.day: one for one in days}
    table = Calendar(first_week_day).monthdatescalendar(month.year, month.month)
    return [[by_day.get(one) for one in week] for week in table]


def weekdays(language: str) -> list[tuple[str, str]]:
    """The names of the days of a week, from its first, short and whole."""
    locale = locale_of(language)
    short = get_day_names("abbreviated", "stand-alone", locale=locale)
    whole = get_day_names("wide", "stand-alone", locale=locale)
    return [(short[day % 7], whole[day % 7]) for day in range(locale.first_week_day, locale.first_week_day + 7)]


def _branches() -> tuple[Branch, ...]:
    """Every archive that takes papers, with its categories under their canonical names, in arXiv's order of groups."""
    branches = []
    for archive in sorted(taxonomy.ARCHIVES, key=lambda one: (one.group == "physics", one.id)):
        if archive.active and archive.canonical == archive.id:
            members = tuple(
                (one.id, one.name)
                for one in taxonomy.CATEGORIES
                if one.archive == archive.id and one.active and one.canonical == one.id and one.id != archive.id
            )
            branches.append(Branch(archive.id, archive.name, members))
    return tuple(branches)


BRANCHES: Final = _branches()
"""arXiv's categories as the home page lists them."""


def _style() -> Markup:
    # It stands between tags, where nothing is unescaped: the sheet must not hold what ends it.
    sheet = ENVIRONMENT.get_template("pages.css.j2").render()
    assert "</" not in sheet
    return Markup(sheet)  # noqa: S704 — our own file


STYLE: Final = _style()

POLICY: Final = f"{policy_for(STYLE)}; frame-ancestors 'none'"
"""The pages' Content-Security-Policy: nothing but this one style sheet, known by its hash."""
