"""What the fake was asked, and what it answers."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass
class Reply:
    """What to answer; ``cut`` closes the connection after so many bytes, ``delay`` waits before the first.

    ``pause`` sends the body in eight parts with so many seconds between them. ``cut_at`` is a cut by fraction of the
    body. A ``negotiable`` reply is compressed for those who ask for that, and is a 304 for those who have it.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    delay: float = 0.0
    pause: float = 0.0
    cut_at: float | None = None
    negotiable: bool = False

    def negotiated(self, headers: Mapping[str, str]) -> "Reply":
        """The reply to a request with these headers."""
        reply = self
        asked = {name.lower(): value for name, value in headers.items()}
        if self.negotiable and self.status == 200:
            etag = self.headers.get("ETag")
            known = [tag.strip().removeprefix("W/") for tag in asked.get("if-none-match", "").split(",")]
            if etag and (etag in known or known == ["*"]):
                kept = {name: value for name, value in self.headers.items() if name in ("ETag", "Cache-Control")}
                return replace(self, status=304, body=b"", headers=kept, cut=None, cut_at=None)
            if "gzip" in asked.get("accept-encoding", ""):
                coded = {**self.headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
                reply = replace(self, body=gzip.compress(self.body, 1, mtime=0), headers=coded)
        if reply.cut_at is not None:
            reply = replace(reply, cut=int(len(reply.body) * reply.cut_at))
        return reply


@dataclass
class Request:
    """What was asked; times are of ``time.monotonic()``.

    A request has ``ended`` when the last byte of its answer was sent (or, after a cut, the last that ever will be).
    """

    path: str
    at: float
    headers: dict[str, str]
    method: str = "GET"
    ended: float | None = None
    status: int | None = None
