"""Making summaries: load, work, save. What goes wrong is put off or failed with its reason; nothing is left behind.

The extractive summariser just works. A language model is asked by leave (``app.calls``): within the limits and the budget
of all workers together; a failed call is tried again later, on the next model of the chain where there is one.
"""

from app.summarizing.ending import give_up_job, refresh_digests
from app.summarizing.making import limits_of, summarize
from app.summarizing.trial import Trial, try_models
from app.summarizing.turns import Turns, begin_turns, jobs_at_hand

__all__ = [
    "Trial",
    "Turns",
    "begin_turns",
    "give_up_job",
    "jobs_at_hand",
    "limits_of",
    "refresh_digests",
    "summarize",
    "try_models",
]
