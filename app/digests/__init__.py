"""Digests: what is asked for (``wanted``, ``periods``), which papers that is (``selecting``, ``ledger``), how it is composed
and written (``composing``, ``writing``), how it is found again (``stored``).
"""

from app.digests.composing import Composed, Draft, compose, compose_if_ready, still_waits
from app.digests.periods import due_at, is_own_period, latest_period, period_of
from app.digests.previewing import PreviewDay, preview
from app.digests.stored import (
    Difference,
    Head,
    channel_page,
    compare,
    delete_digest,
    find_head,
    get_digest,
    get_digests,
    is_written,
    latest_head,
    list_digests,
    list_revisions,
    read_head,
    rollups_over,
    showing,
    waiting_for,
)
from app.digests.wanted import (
    MAX_PAPERS,
    Clock,
    Question,
    Wanted,
    adhoc_digest,
    channel_digest,
    query_digest,
    wanted_again,
)

__all__ = [
    "MAX_PAPERS",
    "Clock",
    "Composed",
    "Difference",
    "Draft",
    "Head",
    "PreviewDay",
    "Question",
    "Wanted",
    "adhoc_digest",
    "channel_digest",
    "channel_page",
    "compare",
    "compose",
    "compose_if_ready",
    "delete_digest",
    "due_at",
    "find_head",
    "get_digest",
    "get_digests",
    "is_own_period",
    "is_written",
    "latest_head",
    "latest_period",
    "list_digests",
    "list_revisions",
    "period_of",
    "preview",
    "query_digest",
    "read_head",
    "rollups_over",
    "showing",
    "still_waits",
    "waiting_for",
    "wanted_again",
]
