"""One line of the snapshot, read into a record (FACTS 6.1). Pure.

The reader is strict: what has not the type that the snapshot gives it is not guessed at, because a line that was changed by
another program (ids turned into numbers, texts cut) would be stored for good.
"""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final

from app.arxiv import ids
from app.arxiv.authors import authors_from_parsed, parse_author_line
from app.arxiv.entries import Author, Record, Version
from app.arxiv.feed.fields import instant, shorten
from app.arxiv.texts import says_withdrawn, unwrap, unwrap_abstract
from app.errors import InvalidArxivId

FORMAT: Final = "snapshot"
LONGEST_CATEGORY: Final = 100
"""Characters; arXiv's longest name has 18, and an index of Postgres does not take one of thousands."""

_TEXTS: Final = (
    "title",
    "authors",
    "abstract",
    "categories",
    "comments",
    "journal-ref",
    "doi",
    "license",
    "update_date",
)
_VERSION: Final = re.compile(r"v([1-9]\d{0,3})", re.ASCII)
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME: Final = re.compile(r"[A-Z][a-z]{2}, {1,2}(\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d\d:\d\d:\d\d) GMT", re.ASCII)
_MONTH_NAMES: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_SUSPECT: Final = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_NOT_STORABLE: Final = re.compile("[\x00\ud800-\udfff]")


class BrokenLineError(ValueError):
    """A line that holds no record of a paper; the message says why, as in "it is not JSON"."""


def read_record(line: bytes) -> Record:
    """Read one line, with or without its end. Raises BrokenLineError."""
    raw = _text(line)
    fields = _fields(raw)
    texts = {name: _optional(fields, name) for name in _TEXTS}
    versions = _versions(fields.get("versions"))
    version = versions[-1].version if versions else None
    categories = tuple(dict.fromkeys((texts["categories"] or "").split()))
    if any(len(name) > LONGEST_CATEGORY for name in categories):
        raise BrokenLineError(f"it has a category of more than {LONGEST_CATEGORY} characters")
    comments = _line(texts["comments"])
    record = Record(
        arxiv_id=_id(fields),
        version=version,
        title=_line(texts["title"]),
        abstract=unwrap_abstract(texts["abstract"]) or None if texts["abstract"] else None,
        authors=_authors(fields.get("authors_parsed"), texts["authors"]),
        primary_category=categories[0] if categories else None,
        categories=categories,
        comments=comments,
        journal_ref=_line(texts["journal-ref"]),
        doi=_line(texts["doi"]),
        license=_line(texts["license"]),
        submitted_at=versions[0].submitted_at if versions and versions[0].version == 1 else None,
        updated_at=versions[-1].submitted_at if versions else None,
        versions=versions,
        # The snapshot has no source types; only the comments of a later version can say so (FACTS 10.3).
        withdrawn=True if (version or 0) > 1 and says_withdrawn(comments) else None,
        datestamp=_day(texts["update_date"]),
        converted=False,
        format=FORMAT,
        raw=raw,
    )
    if record.title is None and record.abstract is None and not record.authors:
        # Better than to believe that a snapshot whose keys were renamed has papers without texts.
        raise BrokenLineError("it has neither title nor abstract nor authors")
    return record


def _text(line: bytes) -> str:
    try:
        return line.rstrip(b"\r\n").decode()
    except UnicodeDecodeError as error:
        raise BrokenLineError("it is not UTF-8 text") from error


def _fields(raw: str) -> dict[str, Any]:
    try:
        fields = json.loads(raw)
    except json.JSONDecodeError as error:
        raise BrokenLineError(f"it is not JSON ({error.msg} at character {error.pos + 1})") from error
    except (ValueError, RecursionError) as error:
        raise BrokenLineError("its JSON has a number or a nesting beyond all bounds") from error
    if not isinstance(fields, dict):
        raise BrokenLineError("it is no JSON object")
    # Both are possible in JSON only as an escape, and hardly a line has one that looks like it.
    if _SUSPECT.search(raw) and any(map(_NOT_STORABLE.search, _strings(fields))):
        raise BrokenLineError("it has a NUL character or half of a surrogate pair, which Postgres does not store")
    return fields


def _strings(value: Any) -> Iterator[str]:
    """Every text in a JSON value, keys apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for member in value.values() if isinstance(value, dict) else value:
            yield from _strings(member)


def _optional(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise BrokenLineError(f"its {name} is not a text")


def _line(text: str | None) -> str | None:
    return unwrap(text) or None if text else None


def _id(fields: dict[str, Any]) -> str:
    written = fields.get("id")
    if written is None:
        raise BrokenLineError("it has no id")
    if isinstance(written, int | float):
        raise BrokenLineError(f"its id is the number {written}; as a number 0704.0010 has lost digits")
    if not isinstance(written, str):
        raise BrokenLineError("its id is not a text")
    try:
        return ids.parse(written).id
    except InvalidArxivId as error:
        raise BrokenLineError(f"its id {shorten(written, 40)!r} is not one of arXiv's") from error


def _versions(listed: Any) -> tuple[Version, ...]:
    """The versions in their order, which are ``[{"version": "v1", "created": "Mon, 2 Apr 2007 19:18:42 GMT"}, ...]``."""
    if listed is None:
        return ()
    if not isinstance(listed, list):
        raise BrokenLineError("its versions are not a list")
    versions = tuple(map(_version, listed))
    if all(before.version < after.version for before, after in pairwise(versions)):
        return versions
    if len({version.version for version in versions}) < len(versions):
        raise BrokenLineError("it has one version twice")
    return tuple(sorted(versions, key=lambda version: version.version))


def _version(listed: Any) -> Version:
    if not isinstance(listed, dict):
        raise BrokenLineError("its versions are not objects")
    written, created = _optional(listed, "version"), _optional(listed, "created")
    number = _VERSION.fullmatch(written or "")
    if number is None:
        raise BrokenLineError(f"it has a version named {shorten(written or '', 40)!r}")
    return Version(int(number[1]), _time(created) if created else None)


def _time(written: str) -> datetime:
    """An instant in UTC. Nearly all are written alike, and those are read five times as fast."""
    usual = _TIME.fullmatch(written)
    try:
        if usual and usual[2] in _MONTHS:
            day, month, year, clock = usual.groups()
            return datetime.fromisoformat(f"{year}-{_MONTHS[month]:02}-{day:0>2}T{clock}+00:00")
        time = instant(written)
    except ValueError:
        time = None
    if time is None:
        raise BrokenLineError(f"the time {shorten(written, 60)!r} of one of its versions cannot be read")
    return time


def _day(written: str | None) -> date | None:
    if written is None:
        return None
    try:
        if _DAY.fullmatch(written):
            return date.fromisoformat(written)
    except ValueError:
        # Such as the 30th of February.
        pass
    raise BrokenLineError(f"its update_date {shorten(written, 40)!r} is no day")


def _authors(parsed: Any, line: str | None) -> tuple[Author, ...]:
    """The authors as arXiv took the line apart; where it did not, by the same rules."""
    if not parsed:
        return parse_author_line(line or "")
    try:
        if isinstance(parsed, list) and all(isinstance(entry, list) for entry in parsed):
            return authors_from_parsed(parsed)
    except (TypeError, AttributeError):
        # Something in it is not a text.
        pass
    raise BrokenLineError("its authors_parsed is not a list of lists of texts")
