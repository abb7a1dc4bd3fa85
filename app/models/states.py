"""The states and kinds that tables and callers name."""

from enum import StrEnum


class ListingState(StrEnum):
    """What is known of one category on one batch date."""

    ANNOUNCED = "announced"
    EMPTY = "empty"
    NOT_YET = "not_yet"
    STALE = "stale"
    TRUNCATED = "truncated"
    FAILED = "failed"


class SummaryStatus(StrEnum):
    """How far a summary has come."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class SummaryOrigin(StrEnum):
    """Who made a summary."""

    LLM = "llm"
    EXTRACTIVE = "extractive"
    HUMAN = "human"
    IMPORTED = "imported"


class RunState(StrEnum):
    """How an ingestion run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class FetchOutcome(StrEnum):
    """How a request to arXiv ended."""

    RUNNING = "running"
    OK = "ok"
    NOT_MODIFIED = "not_modified"
    REDIRECTED = "redirected"
    LATER = "later"
    REFUSED = "refused"
    REJECTED = "rejected"
    CUT = "cut"
    TOO_LARGE = "too_large"
    INTERRUPTED = "interrupted"


class CallOutcome(StrEnum):
    """How a call of a language model ended."""

    RUNNING = "running"
    OK = "ok"
    BAD_ANSWER = "bad_answer"
    LATER = "later"
    STOPPED = "stopped"
    LOST = "lost"
