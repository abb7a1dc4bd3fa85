"""Pages speak the language of the address, else of the browser, else English; and lead to the other ones."""

from calendar import monthrange
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.overview import Day
from app.web.languages import LANGUAGES, choose, spoken
from app.web.pages import weekdays, weeks
from tests.web.conftest import Visit
from tests.web.reading import read, seen


@pytest.mark.parametrize(
    ("asked", "header", "language"),
    [
        (None, None, "en"),
        (None, "", "en"),
        (None, "de", "de"),
        (None, "pt-BR, fr-CA;q=0.7, ko;q=0.9", "ko"),
        (None, "zh-TW,zh;q=0.9,en;q=0.8", "zh-Hant"),
        (None, "zh-Hant-HK", "zh-Hant"),
        (None, "zh-Hans-TW", "zh-Hans"),
        (None, "zh", "zh-Hans"),
        (None, "ja;q=0, es", "es"),
        (None, "ja;q=0", "en"),
        (None, "*", "en"),
        (None, "xx,*;q=0.1", "en"),
        (None, "de;q=1.000 , en", "de"),
        (None, ",,;q=1,fr;q=x,es", "es"),
        (None, "fr " * 100_000, "en"),
        ("ja", "de", "ja"),
        ("zh-HK", "de", "zh-Hant"),
        ("xx", "de", "en"),
        ("", "de", "de"),
        ("<script>", "de", "en"),
    ],
)
def test_choice(asked: str | None, header: str | None, language: str) -> None:
    assert choose(asked, header) == language


@given(st.one_of(st.none(), st.text()), st.text())
def test_any_header_gives_a_language(asked: str | None, header: str) -> None:
    assert choose(asked, header) in LANGUAGES
    assert spoken(choose(asked, header))


async def test_the_browser_is_heard(visit: Visit) -> None:
    async with visit() as client:
        page = read(await client.get("/", headers={"Accept-Language": "zh-TW"}))
        assert page.get("lang") == "zh-Hant"
        # What the browser wants anyway need not stand in every address.
        assert "/channels/cs.CL" in page.xpath("//article//@href")


async def test_an_asked_language_stays(visit: Visit) -> None:
    async with visit() as client:
        page = read(await client.get("/?language=ko", headers={"Accept-Language": "de"}))
        assert page.get("lang") == "ko"
        [link] = page.xpath("//article/h3/a/@href")
        assert link == "/channels/cs.CL?language=ko"
        assert read(await client.get(link)).get("lang") == "ko"


@pytest.mark.parametrize("path", ["/", "/channels/cs.CL", "/channels/nix"])
async def test_the_other_languages_are_linked(visit: Visit, path: str) -> None:
    async with visit() as client:
        page = read(await client.get(path), 404 if "nix" in path else 200)
        nav = page.xpath("//nav[contains(@class, 'languages')]")[0]
        assert [seen(one) for one in nav.xpath(".//li")] == list(LANGUAGES.values())
        assert [one.get("lang") for one in nav.xpath(".//*[@aria-current]")] == ["en"]
        assert set(nav.xpath(".//@href")) == {f"{path}?language={tag}" for tag in LANGUAGES if tag != "en"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_writes_its_week(language: str) -> None:
    names = weekdays(language)
    assert len({whole for _, whole in names}) == 7
    assert all(short for short, _ in names)


def test_weeks_hold_seven_days() -> None:
    for month in range(1, 13):
        for first in (0, 5, 6):
            days = [Day(date(2026, month, number + 1), "empty") for number in range(monthrange(2026, month)[1])]
            table = weeks(days, first)
            assert all(len(week) == 7 for week in table)
            assert [day for week in table for day in week if day] == days
            assert all(week[0] is None or week[0].day.weekday() == first for week in table)
