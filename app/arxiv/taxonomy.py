"""arXiv's archives and categories, and the several names that one category goes by (FACTS 10.4).

The table is ``taxonomy.json`` beside this file, taken from arXiv's own ``definitions.py``. It is for what
callers ask for. Papers may carry any name: a category that is not in the table is stored, never refused.
"""

import difflib
import json
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from app.errors import UnknownCategory


@dataclass(frozen=True, slots=True)
class Category:
    """A category, such as ``cs.CL``; ``canonical`` differs from ``id`` for aliases and subsumed archives.

    An inactive category takes no new papers but stands on old ones.
    """

    id: str
    name: str
    archive: str
    group: str
    active: bool
    canonical: str


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive, such as ``cs``; ``canonical`` is the category that a subsumed archive (``cmp-lg``) became.

    Many archives have a category of the same name: those that are one category only, such as ``hep-th``,
    every subsumed one, and ``astro-ph``, ``cond-mat`` and ``q-bio``, which stand bare on old papers.
    """

    id: str
    name: str
    group: str
    active: bool
    canonical: str


def _load() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(Path(__file__).with_name("taxonomy.json").read_text(encoding="utf-8"))
    return table


_TABLE: Final = _load()
_SAME_AS: Final[dict[str, str]] = {**_TABLE["aliases"], **_TABLE["subsumed"]}

CATEGORIES: Final[tuple[Category, ...]] = tuple(
    Category(**row, canonical=_SAME_AS.get(row["id"], row["id"])) for row in _TABLE["categories"]
)
"""Every category that arXiv ever had, aliases and inactive ones included, sorted by id."""

ARCHIVES: Final[tuple[Archive, ...]] = tuple(
    Archive(**row, canonical=_SAME_AS.get(row["id"], row["id"])) for row in _TABLE["archives"]
)
"""Every archive that arXiv ever had, subsumed ones included, sorted by id."""

_ALL: Final[tuple[Category | Archive, ...]] = (*CATEGORIES, *ARCHIVES)
_CANONICAL: Final[dict[str, str]] = {thing.id.lower(): thing.canonical for thing in _ALL}
_SPELLING: Final[dict[str, str]] = {thing.id.lower(): thing.id for thing in _ALL}

OAI_SETS: Final[dict[str, str]] = {thing.id: f"{thing.group}:{thing.id.replace('.', ':')}" for thing in _ALL}
"""The OAI-PMH set of every category and archive: ``cs.CL`` is ``cs:cs:CL``, ``hep-lat`` is ``physics:hep-lat``.

The form is ``group:archive:CATEGORY``, and ``group:archive`` where an archive is its own category (FACTS 3.3).
"""

_OF_SETS: Final = {OAI_SETS[thing.id]: thing.canonical for thing in _ALL}
_OPEN_SETS: Final = frozenset(OAI_SETS[thing.id] for thing in _ALL if thing.active)
_OPEN_ARCHIVES: Final = frozenset(archive.id for archive in ARCHIVES if archive.canonical == archive.id)


def canonical(name: str) -> str:
    """The one name under which a category or archive is known here.

    ``cs.NA`` gives ``math.NA``, ``cmp-lg`` gives ``cs.CL``, ``CS`` gives ``cs``. Upper and lower case do not
    matter, nor do blanks around the name. Raises UnknownCategory, with the closest name where one is close.
    """
    key = name.strip().lower()
    if key in _CANONICAL:
        return _CANONICAL[key]
    raise _unknown(name.strip())


def is_archive(name: str) -> bool:
    """Whether a canonical name is an archive, so that it stands for all of its categories.

    True for ``econ`` and also for ``hep-th``, which has itself as its only category. False for subsumed
    archives (``cmp-lg`` is the category ``cs.CL`` today) and for names that are unknown.
    """
    return name in _OPEN_ARCHIVES


def names(category: str) -> frozenset[str]:
    """All names under which the papers of a category or archive may be listed, its own among them.

    ``math.NA`` gives ``math.NA`` and ``cs.NA``; ``econ`` gives ``econ``, every ``econ.*`` and ``q-fin.EC``.
    An archive includes both names of its aliases, because a paper in one is listed in both (FACTS 10.4):
    ``cs.IT`` belongs to ``math`` as ``math.IT``. Raises UnknownCategory.
    """
    return _names(canonical(category))


def canonical_or_same(name: str) -> str:
    """As ``canonical``, but a name that arXiv does not have stays what it is: papers may carry any."""
    return _CANONICAL.get(name.strip().lower(), name)


def names_or_same(name: str) -> frozenset[str]:
    """As ``names``; a name that arXiv does not have has no other."""
    known = _CANONICAL.get(name.strip().lower())
    return frozenset({name}) if known is None else _names(known)


def set_of(name: str) -> str:
    """The OAI-PMH set of a category or archive: ``cs.CL`` gives ``cs:cs:CL``, ``cs.NA`` gives ``math:math:NA``.

    A set that arXiv lists is given back as it is. ``physics`` is the archive, ``physics:physics``; the group of that
    name has no name of its own here. Raises UnknownCategory, as ``canonical`` does.
    """
    return name if name in _OPEN_SETS else OAI_SETS[canonical(name)]


def category_of(spec: str) -> str | None:
    """The canonical category or archive whose OAI-PMH set this is: ``cs:cs:CL`` gives ``cs.CL``, ``cs:cs`` gives ``cs``.

    None for a group's set, such as ``physics``, and for one that arXiv never had.
    """
    return _OF_SETS.get(spec)


def ids_named(name: str) -> tuple[str, ...]:
    """The ids of the categories with this full name, as OAI-PMH's ``oai_dc`` writes it; empty when there is none.

    ``Machine Learning`` are ``cs.LG`` and ``stat.ML``. The old server put the archive first: ``Physics - Optics``.
    """
    return _IDS_NAMED.get(name, ())


def _ids_named() -> dict[str, tuple[str, ...]]:
    archives = {archive.id: archive.name for archive in ARCHIVES}
    named: dict[str, tuple[str, ...]] = {}
    for category in CATEGORIES:
        for name in {category.name, f"{archives[category.archive]} - {category.name}"}:
            named[name] = (*named.get(name, ()), category.id)
    return named


_IDS_NAMED: Final = _ids_named()


@cache
def _names(wanted: str) -> frozenset[str]:
    # Keyed by the canonical name, so that no spelling that a caller invents can make the cache grow.
    if not is_archive(wanted):
        return _EQUAL[wanted]
    found = {wanted} | _EQUAL[wanted]
    for member in CATEGORIES:
        if member.archive == wanted:
            found |= _EQUAL[member.canonical]
    return frozenset(found)


def _equal_names() -> dict[str, frozenset[str]]:
    """For each canonical name, itself and every name that leads to it."""
    groups: dict[str, set[str]] = defaultdict(set)
    for thing in _ALL:
        groups[thing.canonical].add(thing.id)
    return {name: frozenset(members) for name, members in groups.items()}


_EQUAL: Final = _equal_names()


def _unknown(name: str) -> UnknownCategory:
    # A long text is no misspelt name, and comparing it with every name would only cost time.
    close = difflib.get_close_matches(name.lower(), _SPELLING, n=1) if len(name) <= 40 else []
    shown = name if len(name) <= 40 else name[:37] + "..."
    hint = f"did you mean {_SPELLING[close[0]]}?" if close else "names look like cs.CL, hep-th or econ."
    return UnknownCategory(f"{shown!r} is not a category or archive of arXiv; {hint}")
