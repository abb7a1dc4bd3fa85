"""HTTP on a connection, with bounds: a head of a request that is too large, or does not come to its end, is refused.

uvicorn leaves both to a proxy in front; without one, a few thousand slow connections would hold the service.
"""

import asyncio
import json
import uuid

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.errors import HeadTooLarge, HeadTooSlow, Refused

MAX_HEAD = 65_536
"""Bytes of a request's first line and headers; browsers and proxies send a few thousand."""

MAX_HEADERS = 200
HEAD_SECONDS = 10.0
"""How long the head of a request may take, from its first byte, or from the connection on."""


LINGER_SECONDS = 1.0
"""How long what a refused caller still sends is thrown away, so that it gets to read why."""


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's own, with bounds on the head of each request; refusals are problem documents."""

    _head = 0
    _in_head = True
    _timer: asyncio.TimerHandle | None = None
    _is_refused = False
    _cycles: tuple[RequestResponseCycle, ...] = ()
    """Requests that were read, from the one that is being answered on; more than one if they are pipelined."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more, and have nothing more written."""
        self._stop_waiting()
        self._leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes while a head is incomplete, before it is kept anywhere."""
        if self._is_refused:
            return
        if self._in_head:
            self._head += len(data)
            if self._timer is None:
                self._wait_for_head()
        super().data_received(data)
        if self._in_head and (self._head > MAX_HEAD or len(self.headers or ()) > MAX_HEADERS):
            self._refuse(HeadTooLarge("The first line and headers of the request are too large; send fewer."))

    def on_headers_complete(self) -> None:
        """The head is whole: hand the request on, unless there is too much of it."""
        self._stop_waiting()
        self._in_head, self._head = False, 0
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            self._refuse(HeadTooLarge("The first line and headers of the request are too large; send fewer."))
            raise ValueError("the head is too large")  # which ends the parsing of this connection
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            # RFC 9112 section 3.2. Of two hosts, a proxy in front might have believed the other one.
            self._refuse(Refused("A request names the host that it is for, in one Host header."))
            raise ValueError("there is not one host")
        super().on_headers_complete()
        self._cycles = (*self._waiting(), self.cycle)

    def on_message_complete(self) -> None:
        """The next thing on this connection is a head again."""
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP at all."""
        self._refuse(Refused("What was sent is no HTTP request that can be read."))

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._head == 0:  # nothing was asked: nothing is answered
            self.transport.close()
        else:
            self._refuse(HeadTooSlow("The head of the request did not arrive in time; send it at once."))

    def _waiting(self) -> tuple[RequestResponseCycle, ...]:
        return tuple(cycle for cycle in self._cycles if not cycle.response_complete)

    def _leave(self) -> None:
        """Have requests that are being worked on learn that nobody reads their answers."""
        for cycle in self._waiting():
            cycle.disconnected = True
            cycle.message_event.set()

    def _refuse(self, error: Refused) -> None:
        if self._is_refused or self.transport.is_closing():
            return
        self._is_refused = True
        self._stop_waiting()
        answered = next(iter(self._waiting()), None)
        if answered is not None and (answered.response_started or not answered.more_body):
            # A refusal would stand in the middle of this answer, or be taken for it: the end of the connection says enough.
            answered.keep_alive = False
            self.pipeline.clear()
            return
        self._leave()  # a request whose body is broken has no other answer
        request_id = uuid.uuid4().hex
        problem = {"type": f"urn:zhaiyao:problem:{error.code}", "title": error.title, "status": error.status}
        body = json.dumps(problem | {"detail": error.detail, "code": error.code, "request_id": request_id}).encode()
        head = (
            f"HTTP/1.1 {error.status} Refused\r\ncontent-type: application/problem+json\r\ncontent-length: {len(body)}\r\n"
            f"x-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        # To close at once, while more is coming, would reset the connection, and the answer be lost on the way.
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
