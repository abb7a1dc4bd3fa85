"""A fake arXiv over real HTTP: serves what a test gives it, with faults."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """What to answer; ``cut`` closes the connection after so many bytes, ``delay`` waits before the first."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    delay: float = 0.0


@dataclass
class Request:
    """What was asked."""

    path: str
    at: float
    headers: dict[str, str]


class FakeArxiv:
    """Replies by path; a list of replies is served one after the other, the last one for ever."""

    def __init__(self) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[Request] = []
        self.url = ""

    def serve(self, category: str, *replies: Reply | bytes) -> None:
        """Set the replies for a category's listing."""
        self.replies[f"/rss/{category}"] = [one if isinstance(one, Reply) else Reply(one) for one in replies]

    def next_reply(self, path: str) -> Reply:
        """The reply for a path; 404 if there is none."""
        queue = self.replies.get(path)
        if not queue:
            return Reply(b"not found", 404)
        return queue.pop(0) if len(queue) > 1 else queue[0]

    @contextmanager
    def running(self) -> Iterator["FakeArxiv"]:
        """Listen on a free port of the loopback interface."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake.requests.append(Request(self.path, time.monotonic(), dict(self.headers)))
                reply = fake.next_reply(self.path)
                time.sleep(reply.delay)
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/rss+xml", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: reply.cut])
                if reply.cut is not None:
                    self.wfile.flush()
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
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
