"""The fixed texts: that each is in every catalog, and that days and words are those of the language."""

import ast
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

import app
from app.render.i18n import FOLDER, direction, locale_of, translator, written_day, written_period

LOCALES = ["zh_Hans", "zh_Hant", "ja", "ko", "de", "fr", "es"]
PLACES = [Path(app.__file__).parent / name for name in ("render", "web")]
FIELD = re.compile(r"\{\w*\}")


def extracted() -> set[str]:
    """Return what `make catalogs` finds in the code and the templates."""
    with (FOLDER / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)  # type: ignore[no-untyped-call]
    found = [message for place in PLACES for message in extract_from_dir(place, methods, options)]
    return {text for _, _, text, *_ in found if isinstance(text, str)}


def catalog(locale: str) -> Catalog:
    with (FOLDER / locale / "messages.po").open("rb") as file:
        return read_po(file, locale=locale)


def translations(locale: str) -> dict[str, str]:
    """Return a catalog's texts and what they are in its language; no text has plural forms (``app.render.phrases``)."""
    return {str(message.id): str(message.string) for message in catalog(locale) if message.id}


def texts_in_code() -> Iterator[tuple[str, ast.expr]]:
    """Yield the argument of every `_()` in the Python code, with its place."""
    for path in (path for place in PLACES for path in place.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
                yield f"{path.name}:{node.lineno}", node.args[0]


def test_there_is_a_catalog_for_each_language_but_english() -> None:
    assert sorted(path.parent.name for path in FOLDER.glob("*/messages.po")) == sorted(LOCALES)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_text_is_translated_and_none_is_dead(locale: str) -> None:
    """Run `make catalogs` and translate what is new when this fails."""
    known = translations(locale)
    assert set(known) == extracted()
    assert [text for text, translation in known.items() if not translation] == []
    assert not catalog(locale).obsolete
    assert not [message.id for message in catalog(locale) if message.id and message.fuzzy]


@pytest.mark.parametrize("locale", LOCALES)
def test_a_translation_has_the_fields_of_its_text_and_no_markup(locale: str) -> None:
    for text, translation in translations(locale).items():
        assert sorted(FIELD.findall(translation)) == sorted(FIELD.findall(text))
        assert translation == translation.strip()
        assert not re.search(r"[<>*_`|\[\]\\]", translation.replace("ZHAIYAO_CATEGORIES", ""))


def test_every_text_in_the_code_can_be_extracted() -> None:
    """Within an f-string, babel sees no call; of a variable, it knows no text."""
    known = extracted()
    for place, argument in texts_in_code():
        assert isinstance(argument, ast.Constant), place
        assert argument.value in known, place


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("en", "Authors"),
        ("en-GB", "Authors"),
        ("zh", "作者"),
        ("zh-CN", "作者"),
        ("de-CH", "Autoren"),
        ("fr", "Auteurs"),
        ("es-419", "Autores"),
        ("ja", "著者"),
        ("ko-KR", "저자"),
        ("pt-BR", "Authors"),
        ("ar", "Authors"),
        ("", "Authors"),
        ("tlh-x-<b>", "Authors"),
        ("../../etc", "Authors"),
        ("\x00\ud800", "Authors"),
    ],
)
def test_words_are_found_by_the_tag(language: str, word: str) -> None:
    assert translator(language)("Authors") == word


@pytest.mark.parametrize(
    ("language", "word"),
    [
        ("zh", "详细"),
        ("zh-Hans", "详细"),
        ("zh-Hans-HK", "详细"),
        ("zh-SG", "详细"),
        ("zh-Hant", "詳細"),
        ("zh-TW", "詳細"),
        ("zh_HK", "詳細"),
        ("ZH-hant-mo", "詳細"),
    ],
)
def test_chinese_is_told_by_script_and_region(language: str, word: str) -> None:
    assert translator(language)("Details") == word


def test_a_text_without_a_translation_is_english() -> None:
    assert translator("de")("Never said before") == "Never said before"


@pytest.mark.parametrize(
    ("language", "day", "period"),
    [
        ("en", "January 12, 2026", "Jan 12 – 16, 2026"),
        ("zh", "2026年1月12日", "2026年1月12日至16日"),
        ("zh-TW", "2026年1月12日", "2026年1月12日至16日"),
        ("ja", "2026年1月12日", "2026年1月12日～16日"),
        ("ko", "2026년 1월 12일", "2026년 1월 12일~16일"),
        ("de", "12. Januar 2026", "12.–16. Jan. 2026"),
        ("fr", "12 janvier 2026", "12–16 janv. 2026"),
        ("es", "12 de enero de 2026", "12–16 de enero de 2026"),
        ("xx", "January 12, 2026", "Jan 12 – 16, 2026"),
    ],
)
def test_days_and_periods_are_written_as_the_language_does(language: str, day: str, period: str) -> None:
    first, last = date(2026, 1, 12), date(2026, 1, 16)
    assert written_day(first, language) == day
    assert written_period(first, last, language) == period
    assert written_period(first, first, language) == day


def test_a_locale_is_found_for_every_tag() -> None:
    assert str(locale_of("zh-TW")) == "zh_Hant_TW"
    assert str(locale_of("no-such-thing")).startswith(("no", "nb"))
    assert str(locale_of("")) == "en_US"


def test_direction() -> None:
    assert [direction(tag) for tag in ("ar-EG", "he", "fa", "zh", "en")] == ["rtl", "rtl", "rtl", "ltr", "ltr"]
