"""The one place that speaks HTTP to arXiv."""

from dataclasses import dataclass
from importlib.metadata import version

import httpx

from app.errors import FeedRejected

MAX_BYTES = 20_000_000
"""About ten times the largest listing that arXiv can send (2,000 items of 4 kB)."""

_ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer, with status 200."""

    url: str
    status: int
    body: bytes


def make_client(contact: str | None) -> httpx.AsyncClient:
    """A client with ordinary headers that name the service and whom to write to (FACTS 8.1)."""
    about = f"; +{contact}" if contact else ""
    return httpx.AsyncClient(
        headers={"User-Agent": f"zhaiyao/{version('zhaiyao')} (digest service{about})", "Accept": _ACCEPT},
        timeout=httpx.Timeout(60.0, connect=15.0),
        limits=httpx.Limits(max_connections=1),
        follow_redirects=True,
        max_redirects=5,
    )


async def fetch(client: httpx.AsyncClient, url: str, *, max_bytes: int = MAX_BYTES) -> Answer:
    """Get ``url`` whole; ``FeedRejected`` with reason ``http_status``, ``too_large`` or ``network`` otherwise.

    A 400 is handed on with its body, because arXiv explains a bad name in a well-formed feed (FACTS 2.1).
    """
    try:
        async with client.stream("GET", url) as response:
            if response.status_code not in (200, 400):
                raise FeedRejected("http_status", f"{url} answered with HTTP status {response.status_code}.")
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise FeedRejected("too_large", f"{url} sent more than {max_bytes:,} bytes.")
            return Answer(str(response.url), response.status_code, bytes(body))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FeedRejected("network", f"{url} could not be read: {_describe(error)}.") from error


def _describe(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
