"""In which language a page speaks: the one in its address, else the first of the browser's that it can, else English."""

import re
from typing import Final

LANGUAGES: Final = {
    "en": "English",
    "zh-Hans": "简体中文",
    "zh-Hant": "繁體中文",
    "ja": "日本語",
    "ko": "한국어",
    "de": "Deutsch",
    "fr": "Français",
    "es": "Español",
}
"""The languages of the pages by BCP 47 tag, each in its own name."""

_TRADITIONAL: Final = {"tw", "hk", "mo"}
_RANGE: Final = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?")
_MAX_HEADER: Final = 1_000
"""Characters of Accept-Language that are looked at; no browser sends as many."""


def choose(asked: str | None, accept_language: str | None) -> str:
    """The page's language, for ``?language=`` and the header ``Accept-Language`` (RFC 9110, 12.5.4); always one of LANGUAGES."""
    if asked:
        return nearest(asked) or "en"
    ranges = []
    for part in (accept_language or "")[:_MAX_HEADER].split(","):
        if match := _RANGE.fullmatch(part.strip()):
            ranges.append((float(match[2] or 1), match[1]))
    # The sort is stable: of two that are wanted as much, the first.
    for quality, tag in sorted(ranges, key=lambda one: -one[0]):
        found = nearest(tag)
        if found and quality > 0:
            return found
    return "en"


def nearest(tag: str) -> str | None:
    """The language of the pages that a reader of ``tag`` reads: ``zh-TW`` gives ``zh-Hant``, ``pt`` nothing."""
    primary, *rest = tag.lower().split("-")
    if primary == "zh":
        is_traditional = "hans" not in rest and ("hant" in rest or not _TRADITIONAL.isdisjoint(rest))
        return "zh-Hant" if is_traditional else "zh-Hans"
    return primary if primary in LANGUAGES else None


def spoken(language: str) -> list[str]:
    """Patterns of SQL's LIKE for the tags that a digest in a page's language may have."""
    if language == "zh-Hans":
        return ["zh", "zh-Hans%", "zh-CN", "zh-SG"]
    if language == "zh-Hant":
        return ["zh-Hant%", "zh-TW", "zh-HK", "zh-MO"]
    return [language, f"{language}-%"]
