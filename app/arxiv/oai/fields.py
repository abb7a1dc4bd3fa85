"""What the readers of OAI-PMH answers share: elements by local name, days, texts."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any, Final

from lxml import etree

from app.arxiv.feed.fields import text_of

_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def local(element: Any) -> str:
    """The name of an element without its namespace.

    Namespaces are never compared: stored answers lack some of them (FACTS 11.1), and no two elements of the formats
    differ in the namespace alone.
    """
    return str(element.tag.rpartition("}")[2])


def children(parent: Any, name: str | None = None) -> Iterator[Any]:
    """The child elements, or those of one name; comments and processing instructions are none."""
    for child in parent.iterchildren(etree.Element):
        if name is None or local(child) == name:
            yield child


def find_child(parent: Any, name: str) -> Any | None:
    """The first child element of this name."""
    return next(children(parent, name), None)


def child_text(parent: Any, name: str) -> str | None:
    """The text of the first child of this name, without blanks around it; None when absent or blank."""
    child = find_child(parent, name)
    return None if child is None else text_of(child).strip() or None


def read_day(text: str) -> date | None:
    """A day like ``2014-12-15``; None when it cannot be read."""
    if not _DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def midnight(day: date | None) -> datetime | None:
    """The begin of a UTC day, which stands for an instant of which only the day is known."""
    return None if day is None else datetime.combine(day, time(), UTC)
