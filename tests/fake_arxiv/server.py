"""A fake arXiv over real HTTP: serves what a test scripts, or a whole invented world, with faults."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import unquote, urlsplit

from tests.fake_arxiv import api, feed, oai
from tests.fake_arxiv.faults import Fault, Faults, Source
from tests.fake_arxiv.replies import Reply, Request
from tests.fake_arxiv.world import World, midnight

_HELP = b"""Please specify an archive or category, as in https://rss.arxiv.org/rss/cs.CL
<p>See <a href="https://info.arxiv.org/help/rss.html">the help page</a>.</p>
"""
_WEB_PAGE = b"""<!DOCTYPE html>
<html><head><title>arXiv.org</title></head><body><h1>We will be back soon</h1></body></html>
"""


class FakeArxiv:
    """Replies by path; a list of replies is served one after the other, the last one for ever.

    Where nothing is scripted, ``world`` answers, as it is at the time that ``now()`` tells: a test moves that clock by
    setting ``today_at`` (which stops it) or ``now`` itself. ``faults`` go by the same clock. Without a world, what is
    not scripted is a 404. ``page_size`` is that of OAI-PMH's records (``oai.page_size`` later on), and ``feed_limit`` the
    most items of a feed.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        faults: Faults | None = None,
        page_size: int = 40,
        identifiers_page_size: int = 100,
        feed_limit: int = feed.LIMIT,
    ) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[Request] = []
        self.url = ""
        self.world = world
        self.faults = faults or Faults()
        self.feed_limit = feed_limit
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        if world:
            self.today_at = midnight(world.batch_days[0]) + timedelta(hours=1)
        self.oai = oai.Oai(page_size, identifiers_page_size)

    @property
    def today_at(self) -> datetime:
        """The time in the world; setting it stops the clock there."""
        return self.now()

    @today_at.setter
    def today_at(self, instant: datetime) -> None:
        if instant.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        self.now = lambda: instant

    @property
    def oai_url(self) -> str:
        """The address of OAI-PMH; as ``url``, empty until the server runs."""
        return self.url.removesuffix("/rss") + "/oai" if self.url else ""

    @property
    def api_url(self) -> str:
        """The address of the search API."""
        return self.url.removesuffix("/rss") + "/api/query" if self.url else ""

    def settings(self) -> dict[str, str]:
        """The environment in which the application uses this arXiv."""
        return {
            "ZHAIYAO_ARXIV_FEED_URL": self.url,
            "ZHAIYAO_ARXIV_OAI_URL": self.oai_url,
            "ZHAIYAO_ARXIV_API_URL": self.api_url,
            "ZHAIYAO_ARXIV_INTERVAL": "0.2",
        }

    def serve(self, category: str, *replies: Reply | bytes) -> None:
        """Set the replies for a category's listing."""
        self.serve_path(f"/rss/{category}", *replies)

    def serve_path(self, path: str, *replies: Reply | bytes) -> None:
        """Set the replies for a path: with its query, or without one for all queries."""
        self.replies[path] = [one if isinstance(one, Reply) else Reply(one) for one in replies]

    def next_reply(self, path: str) -> Reply:
        """The reply for a path with its query: the scripted one, or the world's, or 404."""
        queue = self.replies.get(path) or self.replies.get(path.partition("?")[0])
        if queue:
            return queue.pop(0) if len(queue) > 1 else queue[0]
        if self.world is None:
            return Reply(b"not found", 404)
        return self._world_reply(self.world, path)

    def gaps(self) -> list[float]:
        """The seconds from the end of each answered request to the begin of the next one; negative where they overlap."""
        times = sorted((request.at, request.ended) for request in self.requests if request.ended is not None)
        ends = itertools.accumulate((ended for _, ended in times), max)
        return [at - end for (at, _), end in zip(times[1:], ends, strict=False)]

    @contextmanager
    def running(self, port: int = 0) -> Iterator["FakeArxiv"]:
        """Listen on a port of the loopback interface, a free one if it is 0."""
        server = ThreadingHTTPServer(("127.0.0.1", port), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_port}/rss"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    # The world

    def _world_reply(self, world: World, path: str) -> Reply:
        parts = urlsplit(path)
        now = self.now()
        place = unquote(parts.path).strip("/")
        form, _, spec = place.partition("/")
        match form, spec:
            case "rss" | "atom", "":
                return Reply(_HELP, 200, {"Content-Type": "text/html; charset=utf-8"})
            case "rss" | "atom", _:
                return self._feed_reply(world, form, spec, parts.query, now)
            case "oai", "":
                met = self.faults.meet("oai", oai.scope_of(parts.query), now)
                return _spoilt(met, lambda: self.oai.answer(world, parts.query, now, [fault.kind for fault in met]))
            case "api", "query":
                met = self.faults.meet("api", (), now)
                return _spoilt(met, lambda: api.answer(world, parts.query, now, [fault.kind for fault in met]))
            case "feed", "status":
                return Reply(b"Status: GOOD Version: fake", 200, {"Content-Type": "text/plain"})
        return Reply(b"not found", 404, {"Content-Type": "text/plain"})

    def _feed_reply(self, world: World, form: str, spec: str, query: str, now: datetime) -> Reply:
        scope = feed.scope_of(spec)
        source: Source = "feed"
        met = self.faults.meet(source, scope, now)
        version = dict(pair.partition("=")[::2] for pair in query.split("&")).get("version")
        mended_at = self.faults.mended_at(source, scope, now)
        return _spoilt(met, lambda: feed.answer(world, form, spec, version, now, met, self.feed_limit, mended_at))


def _spoilt(faults: list[Fault], answer: Callable[[], Reply]) -> Reply:
    """An answer, on its way through the faults that it meets."""
    for fault in faults:
        if fault.kind == "status":
            headers = {"Content-Type": "text/plain", "Via": "1.1 varnish", "X-Cache": "MISS"}
            if fault.retry_after is not None:
                headers["Retry-After"] = fault.retry_after
            return Reply(fault.body, fault.code, headers)
    reply = answer()
    for fault in faults:
        match fault.kind:
            case "html":
                reply = Reply(_WEB_PAGE, 200, {"Content-Type": "text/html; charset=utf-8"})
            case "wrong-content-type":
                reply.headers["Content-Type"] = "text/html; charset=utf-8"
            case "slow":
                reply.delay, reply.pause = fault.delay, fault.pause
            case "cut":
                reply.cut_at = fault.at
    return reply


def _handler(fake: FakeArxiv) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet, or each answer waits for the client's delayed acknowledgement
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer(self.path, "GET")

        def do_POST(self) -> None:
            """A form is as good as a query."""
            form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self._answer(f"{self.path}?{form}" if form else self.path, "POST")

        def _answer(self, path: str, method: Literal["GET", "POST"]) -> None:
            request = Request(path, time.monotonic(), dict(self.headers), method)
            fake.requests.append(request)
            reply = fake.next_reply(path).negotiated(request.headers)
            request.status = reply.status
            time.sleep(reply.delay)
            try:
                self._send(reply, request)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client has gone
            if request.ended is None:
                request.ended = time.monotonic()

        def _send(self, reply: Reply, request: Request) -> None:
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/rss+xml", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            body = reply.body[: reply.cut]
            size = -(-len(body) // 8) if reply.pause else len(body)
            for start in range(0, len(body) - 1, max(1, size)):
                if start:
                    time.sleep(reply.pause)
                self.wfile.write(body[start : min(start + size, len(body) - 1)])
                self.wfile.flush()
            # The last byte comes by itself, so that the end is known before the client can know it and ask again.
            request.ended = time.monotonic()
            self.wfile.write(body[-1:])
            self.wfile.flush()
            if reply.cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
