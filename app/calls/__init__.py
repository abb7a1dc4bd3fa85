"""Calls of language models: who may call now, what was used, and how each model stands, for all workers together.

Limits hold in the database: a call is a row that reserves its tokens and money before it is made. Taking a place is one
short transaction under a lock; nothing is held while the model works.
"""

from app.calls.models import LONGEST_DELAY, model_answered, model_failed, resume, set_mode, wake
from app.calls.taking import SHORT_WAIT, Limits, Place, Wait, take_place
from app.calls.using import Spendings, Spent, begin_call, end_call, is_running, lose_calls, spent

__all__ = [
    "LONGEST_DELAY",
    "SHORT_WAIT",
    "Limits",
    "Place",
    "Spendings",
    "Spent",
    "Wait",
    "begin_call",
    "end_call",
    "is_running",
    "lose_calls",
    "model_answered",
    "model_failed",
    "resume",
    "set_mode",
    "spent",
    "take_place",
    "wake",
]
