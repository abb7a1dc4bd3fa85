"""The fixed texts of documents in the reader's language, by gettext, and days as that language writes them, by Babel.

The English text is the key. Catalogs are ``locale/<locale>/messages.po``; they are compiled in memory when first used, so
that no compiled file has to be kept beside them. A language without a catalog reads English.
"""

from collections.abc import Callable
from datetime import date
from functools import cache
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date, format_interval
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

Translator = Callable[[str], str]

FOLDER = Path(__file__).parent / "locale"
RIGHT_TO_LEFT = {"ar", "he", "fa", "ur", "ps", "yi", "dv", "ug", "sd", "ckb"}


@cache
def locale_of(language: str) -> Locale:
    """The locale nearest to a BCP 47 tag, script and region filled in (``zh-TW`` is ``zh_Hant_TW``); English if unknown."""
    parts = language.replace("_", "-").split("-")
    while parts:
        try:
            return Locale.parse("-".join(parts), sep="-", resolve_likely_subtags=True)
        except (UnknownLocaleError, ValueError):
            parts.pop()
    return Locale("en", "US")


@cache
def translator(language: str) -> Translator:
    """What turns an English fixed text into a language's."""
    locale = locale_of(language)
    likely = get_global("likely_subtags").get(str(locale), str(locale))
    script = locale.script or Locale.parse(likely).script
    for name in (f"{locale.language}_{script}", locale.language):
        path = FOLDER / name / "messages.po"
        if path.is_file():
            compiled = BytesIO()
            with path.open("rb") as file:
                write_mo(compiled, read_po(file, locale=name))
            compiled.seek(0)
            return GNUTranslations(compiled).gettext
    return str


def written_day(day: date, language: str) -> str:
    """A day in words: ``2026年1月13日``, ``January 13, 2026``."""
    return format_date(day, "long", locale=locale_of(language))


def written_period(first: date, last: date, language: str) -> str:
    """A period of days, both included, in words: ``2026年1月12日至16日``, ``Jan 12 – 16, 2026``; one day as ``written_day``."""
    if first == last:
        return written_day(first, language)
    return " ".join(format_interval(first, last, "yMMMMd", locale=locale_of(language)).split())


def direction(language: str) -> str:
    """``rtl`` for a language that is written from right to left, ``ltr`` for the others."""
    return "rtl" if language.lower().replace("_", "-").split("-")[0] in RIGHT_TO_LEFT else "ltr"
