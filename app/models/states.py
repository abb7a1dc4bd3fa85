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


class DigestKind(StrEnum):
    """What a digest is made over: a channel's own period, another period of it, named papers, or a query."""

    CHANNEL = "channel"
    ROLLUP = "rollup"
    PAPERS = "papers"
    QUERY = "query"


class Order(StrEnum):
    """How the papers of a digest are ordered: newest id first, newest announcement first, or best match first."""

    ID = "id"
    ANNOUNCED = "announced"
    RELEVANCE = "relevance"


class Schedule(StrEnum):
    """When a channel has a digest: for each batch date, for the seven days that end on a weekday, for a calendar month."""

    ANNOUNCEMENT = "announcement"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ChangeKind(StrEnum):
    """What the log of changes is about."""

    PAPER = "paper"
    SUMMARY = "summary"
    DIGEST = "digest"


class Scope(StrEnum):
    """What a key is good for; each includes the ones before."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"

    def includes(self, other: "Scope") -> bool:
        """Whether who has this one may do what needs ``other``."""
        ranks = list(Scope)
        return ranks.index(self) >= ranks.index(other)
