"""arXiv's names of things, from the table that the application carries: archives, categories, aliases, OAI sets.

Only the table is shared with the application; the rules are written again here.
"""

from functools import cache

from app.arxiv import taxonomy

CATEGORIES = {category.id: category for category in taxonomy.CATEGORIES}
ARCHIVES = {archive.id: archive for archive in taxonomy.ARCHIVES}
GROUPS = {
    "physics": "Physics",
    "math": "Mathematics",
    "q-bio": "Quantitative Biology",
    "cs": "Computer Science",
    "q-fin": "Quantitative Finance",
    "stat": "Statistics",
    "eess": "Electrical Engineering and Systems Science",
    "econ": "Economics",
}

_PAIRS = {
    category.id: category.canonical
    for category in taxonomy.CATEGORIES
    if category.active and category.canonical != category.id
}
ALIAS = _PAIRS | {canonical: other for other, canonical in _PAIRS.items()}
"""Both ways: ``math.MP`` to ``math-ph`` and back. A paper in one of a pair is listed in both (FACTS 10.4)."""


@cache
def names_in(name: str) -> frozenset[str]:
    """The categories whose papers a feed of this archive or category lists: its own, and their aliases."""
    members = (
        {category.id for category in taxonomy.CATEGORIES if category.archive == name} if name in ARCHIVES else set()
    )
    members |= {name}
    return frozenset(members | {ALIAS[member] for member in members if member in ALIAS})


@cache
def oai_set(category: str) -> str:
    """``cs:cs:CL``, ``physics:hep-th``."""
    known = CATEGORIES[category]
    if category == known.archive:
        return f"{known.group}:{category}"
    return f"{known.group}:{known.archive}:{category.partition('.')[2]}"


@cache
def sets_of(categories: tuple[str, ...]) -> tuple[str, ...]:
    """The sets that the header of a record names: of each category, and of its alias."""
    names = dict.fromkeys(both for name in categories for both in (name, ALIAS.get(name, name)))
    return tuple(oai_set(name) for name in names)
