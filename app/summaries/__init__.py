"""Summaries: which are wanted, how far each has come, and which of several speaks for a paper.

"Once only" is the unique index on (paper, abstract, language, origin, model, prompt version): a wanted summary is a row
with status ``pending``, and whoever inserts it enqueues its job in the same transaction.
"""

from app.summaries.backlog import STOPPED, Backlog, backlog, count, hurry, in_the_making
from app.summaries.choosing import (
    Current,
    SummaryFilter,
    current,
    find_summaries,
    get_summaries,
    get_summary,
    is_stale,
    list_summaries,
    summarized,
)
from app.summaries.human import HumanText, get_text, put_text, release_text
from app.summaries.requesting import (
    Maker,
    Rest,
    adopt_orphans,
    ask,
    job_for,
    lacking,
    request,
    rest,
    retry,
    retry_failed,
    retry_failed_of,
)
from app.summaries.working import Provenance, Task, begin, fail, finish, hold, hold_still, put_off, waiting

__all__ = [
    "STOPPED",
    "Backlog",
    "Current",
    "HumanText",
    "Maker",
    "Provenance",
    "Rest",
    "SummaryFilter",
    "Task",
    "adopt_orphans",
    "ask",
    "backlog",
    "begin",
    "count",
    "current",
    "fail",
    "find_summaries",
    "finish",
    "get_summaries",
    "get_summary",
    "get_text",
    "hold",
    "hold_still",
    "hurry",
    "in_the_making",
    "is_stale",
    "job_for",
    "lacking",
    "list_summaries",
    "put_off",
    "put_text",
    "release_text",
    "request",
    "rest",
    "retry",
    "retry_failed",
    "retry_failed_of",
    "summarized",
    "waiting",
]
