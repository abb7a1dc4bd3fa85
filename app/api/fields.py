"""Kinds of fields that several requests have, with the rules for what they may hold."""

import re
import unicodedata
from datetime import UTC, date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints

from app.config import check_language

# Line and paragraph breaks, other control characters, and the marks that turn the direction of the text around them.
_NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def _no_control_characters(value: str) -> str:
    if _NOT_IN_A_LINE.search(value):
        raise ValueError("control characters are not allowed; give one line of text")
    return value


def _visible(value: str) -> str:
    # What is left out are blanks (Z), and controls, format and unassigned characters (C).
    if value and all(unicodedata.category(character)[0] in "CZ" for character in value):
        raise ValueError("nothing in it can be seen; give a text that can be read")
    return value


def _only_a_day(value: Any) -> Any:
    # Left alone, pydantic reads numbers as seconds since 1970 and cuts the time off an instant.
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        raise ValueError("write a day like 2026-01-13")
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"the calendar has no day {value}; write one like 2026-01-13") from None


def _only_an_instant(value: Any) -> Any:
    # Left alone, pydantic reads numbers as seconds since 1970, and a day as its midnight.
    if isinstance(value, str) and not re.match(r"\d{4}-\d{2}-\d{2}[Tt ]\d", value, re.ASCII):
        raise ValueError("write an instant like 2026-01-13T05:30:00Z")
    return value


def _in_the_calendar(value: datetime) -> datetime:
    # In UTC, the first and the last hours of the calendar may lie outside of it.
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(
            "the calendar ends before or behind it; give an instant between the years 1 and 9999"
        ) from None


Language = Annotated[
    str, AfterValidator(check_language), Field(max_length=20, description="BCP 47, such as `zh`, `en` or `zh-Hant`")
]
Line = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(_no_control_characters), AfterValidator(_visible)
]
Day = Annotated[date, BeforeValidator(_only_a_day)]
Instant = Annotated[AwareDatetime, BeforeValidator(_only_an_instant), AfterValidator(_in_the_calendar)]
Query = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=1000),
    Field(
        description='Words, `"phrases"`, `-exclusions`, `OR`, prefixes such as `ti:` and `au:`',
        examples=["agent -survey"],
    ),
]
