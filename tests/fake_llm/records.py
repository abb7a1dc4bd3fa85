"""What the fake remembers of its calls."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """A call to /chat/completions; times are of ``time.monotonic()``, names of headers in lower case.

    ``recipe`` is the name of what went wrong: None for a good answer, "limit" for the fake's own rate limits. ``delivered``
    tells whether the whole answer, whatever it was, was written to a connection that was alive; ``tokens`` those of a 200.
    """

    at: float
    headers: dict[str, str]
    body: dict[str, Any]
    title: str = ""
    languages: tuple[str, ...] = ()
    mode: str = ""
    recipe: str | None = None
    status: int | None = None
    delivered: bool = False
    replayed: bool = False
    ended: float | None = None
    tokens: int = 0


@dataclass
class Made:
    """A good answer that was made, and may be given again for its Idempotency-Key."""

    title: str
    body: bytes
    tokens: int
    paid: bool = False


@dataclass
class Window:
    """The calls and tokens that the last minute took."""

    seconds: float
    calls: int = 0
    tokens: int = 0
    _taken: deque[tuple[float, int, int]] = field(default_factory=deque)

    def add(self, now: float, calls: int, tokens: int) -> None:
        """Note what is taken now."""
        self._taken.append((now, calls, tokens))
        self.calls += calls
        self.tokens += tokens

    def forget(self, now: float) -> None:
        """Leave out what is past; a little early, since a call's way here is not always equally long."""
        while self._taken and self._taken[0][0] <= now - self.seconds + min(0.05, self.seconds / 20):
            _, calls, tokens = self._taken.popleft()
            self.calls -= calls
            self.tokens -= tokens

    def wait(self, now: float) -> float:
        """Seconds until the oldest one is past."""
        return max(0.0, self._taken[0][0] + self.seconds - now) if self._taken else 0.0
