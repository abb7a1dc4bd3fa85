"""Listings: one category on one batch date, what it announced, and how its reading went."""

from app.listings.announcing import STRENGTH, count_types, possible_type, strongest
from app.listings.finding import (
    JOINED,
    OAI,
    READ,
    ListingFilter,
    find_listings,
    first_read_at,
    is_settled,
    latest_announced_on,
    list_listings,
)
from app.listings.judging import FEED_LIMIT, check
from app.listings.storing import Stored, mark_failed, store

__all__ = [
    "FEED_LIMIT",
    "JOINED",
    "OAI",
    "READ",
    "STRENGTH",
    "ListingFilter",
    "Stored",
    "check",
    "count_types",
    "find_listings",
    "first_read_at",
    "is_settled",
    "latest_announced_on",
    "list_listings",
    "mark_failed",
    "possible_type",
    "store",
    "strongest",
]
