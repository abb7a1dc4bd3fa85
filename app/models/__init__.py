"""CONTRACT: storage. Every table of the service; the job engine's own tables come from its package.

Instants are UTC and end in ``_at``; days are arXiv's batch dates (US Eastern) and end in ``_on``. Once-only rules are
unique indexes. ``NULL`` means that nobody said, never that a value is empty.
"""

from app.models.access import ApiKey, IdempotencyKey, RateWindow
from app.models.base import Base
from app.models.changes import Change, ChangeEpoch, change_marks
from app.models.digests import Channel, ChannelPaper, Digest, DigestItem, DigestRevision
from app.models.operation import Coverage, Fetch, Harvest, JobOutcome, RateLimit, Rest, ServiceSecret
from app.models.papers import Announcement, Ingestion, Listing, Paper, PaperEntry
from app.models.search import SEARCHED, SearchDocument, SearchTerm
from app.models.states import (
    CallOutcome,
    ChangeKind,
    DigestKind,
    FetchOutcome,
    ListingState,
    Order,
    RunState,
    Schedule,
    Scope,
    SummaryOrigin,
    SummaryStatus,
)
from app.models.summaries import Call, ModelState, Spending, Summary

__all__ = [
    "SEARCHED",
    "Announcement",
    "ApiKey",
    "Base",
    "Call",
    "CallOutcome",
    "Change",
    "ChangeEpoch",
    "ChangeKind",
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
    "IdempotencyKey",
    "Ingestion",
    "JobOutcome",
    "Listing",
    "ListingState",
    "ModelState",
    "Order",
    "Paper",
    "PaperEntry",
    "RateLimit",
    "RateWindow",
    "Rest",
    "RunState",
    "Schedule",
    "Scope",
    "SearchDocument",
    "SearchTerm",
    "ServiceSecret",
    "Spending",
    "Summary",
    "SummaryOrigin",
    "SummaryStatus",
    "change_marks",
]
