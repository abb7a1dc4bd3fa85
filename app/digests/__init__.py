"""Digests: what is asked for (``wanted``), how it is composed (``composing``), how it is found again (``stored``)."""

from app.digests.composing import Composed, compose
from app.digests.stored import get_digest, latest_digest, list_digests, waiting_for
from app.digests.wanted import MAX_PAPERS, Wanted, adhoc_digest, channel_digest, wanted_again

__all__ = [
    "MAX_PAPERS",
    "Composed",
    "Wanted",
    "adhoc_digest",
    "channel_digest",
    "compose",
    "get_digest",
    "latest_digest",
    "list_digests",
    "waiting_for",
    "wanted_again",
]
