"""Speaking HTTP to arXiv: one request, its answer whole or an error. Who may ask when is decided at ``app.door``."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version

import httpx

from app.errors import FeedRejected

_ACCEPT = "application/rss+xml, application/atom+xml, application/xml;q=0.9, */*;q=0.8"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how much of an answer is read: seconds between two pieces, seconds in all, bytes (uncompressed)."""

    read_seconds: float
    total_seconds: float
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole HTTP answer of any status; header names are lower case."""

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


def make_client(contact: str | None) -> httpx.AsyncClient:
    """A client with ordinary headers that name the service and whom to write to (FACTS 8.1).

    It keeps no connection open: one that idles in each of several processes would be more than one connection to arXiv,
    and shared pools were refused with 406. It follows no redirect, because each is a request of its own.
    """
    about = f"; +{contact}" if contact else ""
    return httpx.AsyncClient(
        headers={"User-Agent": f"zhaiyao/{version('zhaiyao')} (digest service{about})", "Accept": _ACCEPT},
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=0),
        verify=_certificates(),
    )


@cache
def _certificates() -> ssl.SSLContext:
    """The certificate authorities, read once: a twentieth of a second each time."""
    return httpx.create_ssl_context()


async def request(client: httpx.AsyncClient, url: str, limits: Limits, headers: Mapping[str, str]) -> Answer:
    """Get ``url`` whole; ``FeedRejected`` with reason ``network`` or ``too_large`` otherwise."""
    timeout = httpx.Timeout(limits.read_seconds, connect=15.0)
    try:
        async with (
            asyncio.timeout(limits.total_seconds),
            client.stream("GET", url, headers=dict(headers), timeout=timeout) as response,
        ):
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > limits.max_bytes:
                    raise FeedRejected("too_large", f"{url} sent more than {limits.max_bytes:,} bytes.")
            return Answer(url, response.status_code, dict(response.headers), bytes(body))
    except TimeoutError as error:
        raise FeedRejected("network", f"{url} took more than {limits.total_seconds:g} seconds.") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise FeedRejected("network", f"{url} could not be read: {_describe(error)}.") from error


def _describe(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__
