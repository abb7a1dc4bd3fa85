"""The calls of one process: it has more jobs at hand than it may make calls."""

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from app.config import Settings
from app.ingestion import Tools
from app.llm import is_chain

if TYPE_CHECKING:
    from app.llm.chain import ModelChain


class Turns:
    """The calls of one process. Its worker has more jobs at hand than it may make calls, so that the next call need not wait
    for a job to be fetched and begun; the limits themselves hold in the database. Measured by ``bench/summarize.py``: 1.09 of
    the ideal time, and 1.26 with as many jobs as calls.
    """

    def __init__(self, at_once: int) -> None:
        self._places = asyncio.Semaphore(at_once)
        self._is_over = False

    async def take(self) -> bool:
        """Wait for one; False if no more are given."""
        await self._places.acquire()
        if self._is_over:
            self._places.release()
        return not self._is_over

    def give_back(self) -> None:
        """Let the next one have it."""
        self._places.release()

    def end(self) -> None:
        """Give no more: whoever waits is told, one by the other."""
        self._is_over = True
        self._places.release()


_turns: "WeakKeyDictionary[ModelChain, Turns]" = WeakKeyDictionary()


def begin_turns(tools: Tools) -> Turns:
    """New turns for a worker that begins."""
    turns = Turns(tools.settings.llm_concurrency)
    if is_chain(tools.summariser):
        _turns[tools.summariser] = turns
    return turns


def turns_of(tools: Tools, chain: "ModelChain") -> Turns:
    """Those of this process for a chain; outside a worker, they begin now."""
    return _turns.get(chain) or begin_turns(tools)


def jobs_at_hand(settings: Settings) -> int:
    """How many jobs of summaries a worker begins at once."""
    return settings.llm_concurrency + settings.llm_concurrency // 2 + 1
