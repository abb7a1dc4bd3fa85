"""CONTRACT: storage. Every table of the service; the job engine's own tables come from its package.

Instants are UTC and end in ``_at``; days are arXiv's batch dates (US Eastern) and end in ``_on``. Once-only rules are
unique indexes. ``NULL`` means that nobody said, never that a value is empty.
"""

from app.models.base import Base
from app.models.digests import Channel, ChannelPaper, Digest, DigestItem, DigestRevision
from app.models.operation import Coverage, Fetch, Harvest, JobOutcome, RateLimit, Rest
from app.models.papers import Announcement, Ingestion, Listing, Paper, PaperEntry
from app.models.search import SEARCHED, SearchDocument, SearchTerm
from app.models.states import (
    CallOutcome,
    DigestKind,
    FetchOutcome,
    ListingState,
    Order,
    RunState,
    Schedule,
    SummaryOrigin,
    SummaryStatus,
)
from app.models.summaries import Call, ModelState, Spending, Summary

__all__ = [
    "SEARCHED",
    "Announcement",
    "Base",
    "Call",
    "CallOutcome",
    "Channel",
    "ChannelPaper",
    "Coverage",
    "Digest",
    "DigestItem",
    "DigestKind",
    "DigestRevision",
    "Fetch",
    "FetchOutcome",
    "Harvest",
    "Ingestion",
    "JobOutcome",
    "Listing",
    "ListingState",
    "ModelState",
    "Order",
    "Paper",
    "PaperEntry",
    "RateLimit",
    "Rest",
    "RunState",
    "Schedule",
    "SearchDocument",
    "SearchTerm",
    "Spending",
    "Summary",
    "SummaryOrigin",
    "SummaryStatus",
]
