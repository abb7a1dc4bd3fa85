"""The announcements that a document makes, and the announce types that are possible. Pure.

Types are relative to the category of the listing (FACTS 2.2), and arXiv's are not always right.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from app.arxiv import taxonomy
from app.arxiv.entries import AnnounceType, Entry, Feed

STRENGTH = {
    AnnounceType.NEW: 3,
    AnnounceType.CROSS: 2,
    AnnounceType.REPLACE: 1,
    AnnounceType.REPLACE_CROSS: 0,
}
"""A paper that is in several listings of a day counts as its strongest type (FACTS 2.2)."""


def announcements_of(
    feed: Feed, name: str, named: Sequence[str], before: Mapping[str, tuple[int, frozenset[str]]]
) -> list[dict[str, Any]]:
    """The announcements that a document makes in one of its categories, with ``corrected`` where a type was impossible.

    A document of one category lists only papers that are in it. Of a combined one (``cs.AI+q-bio.NC``) the paper's own
    categories decide, and the type is made relative to each: ``new`` only where its primary category is (FACTS 2.2).
    """
    rows = []
    names = taxonomy.names_or_same(name)
    for entry in feed.entries:
        if len(named) > 1 and not _lists(entry, name, named):
            continue
        kind = entry.announce_type
        if len(named) > 1:
            kind = _type_in(entry, name)
        elif feed.format != "rss1":  # which names the primary category only, and cross-lists are typed by it alone
            kind = possible_type(kind, entry.version, is_primary=entry.primary_category in names)
        corrected = len(named) == 1 and kind != entry.announce_type
        # Cross-listed or replaced: what an impossible type stood for is told by the paper's history, if at all.
        doubted = (
            corrected and kind == AnnounceType.REPLACE_CROSS and not _had(before.get(entry.arxiv_id), entry, names)
        )
        if doubted and entry.arxiv_id in before and not names & before[entry.arxiv_id][1]:
            kind = AnnounceType.CROSS
        rows.append(
            {
                "arxiv_id": entry.arxiv_id,
                "version": entry.version,
                "category": name,
                "announced_on": entry.announced_on,
                "announce_type": kind,
                "corrected": corrected,
                "doubted": doubted,
                "joined_earlier": kind == AnnounceType.REPLACE_CROSS
                and entry.arxiv_id in before
                and not names & before[entry.arxiv_id][1],
            }
        )
    return rows


def _lists(entry: Entry, name: str, named: Sequence[str]) -> bool:
    """Whether an item of a combined document belongs to this one of its categories."""
    mine = set(entry.categories)
    return bool(taxonomy.names_or_same(name) & mine) or not any(taxonomy.names_or_same(other) & mine for other in named)


def _type_in(entry: Entry, category: str) -> AnnounceType:
    if entry.primary_category in taxonomy.names_or_same(category):
        return entry.announce_type
    if entry.announce_type in (AnnounceType.NEW, AnnounceType.CROSS):
        return AnnounceType.CROSS
    return AnnounceType.REPLACE_CROSS


def possible_type(kind: AnnounceType, version: int | None, *, is_primary: bool) -> AnnounceType:
    """The announce type, corrected where it cannot be true of this version in this category (table in FACTS 2.2).

    A first version is never a replacement, a later one never new, and both words depend on the primary category. A
    cross-list of any version is possible, because a paper may get a category on any day.
    """
    if kind == AnnounceType.CROSS or version is None:
        return kind
    if version == 1:
        return AnnounceType.NEW if is_primary else AnnounceType.CROSS
    return AnnounceType.REPLACE if is_primary else AnnounceType.REPLACE_CROSS


def _had(before: tuple[int, frozenset[str]] | None, entry: Entry, names: frozenset[str]) -> bool:
    """Whether a paper is known to have had the category before its present version."""
    return before is not None and before[0] < (entry.version or 0) and bool(names & before[1])


def strongest(types: Sequence[str]) -> str:
    """The strongest of several announce types."""
    return types[0] if len(types) == 1 else max(types, key=lambda kind: STRENGTH[AnnounceType(kind)])


def count_types(announced: dict[str, str]) -> dict[str, int]:
    """How many papers of each announce type; every type is there."""
    counted = Counter(announced.values())
    return {str(kind): counted[kind] for kind in AnnounceType}
