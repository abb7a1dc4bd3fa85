"""HTTP on a connection, with bounds: on the head of a request, on what comes beside its body, on requests that are sent ahead of
their answers, and on the time that a caller takes to send and to read.

uvicorn leaves these to a proxy in front; without one, a few connections would hold the service.
"""

import asyncio
import json
import uuid
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from app.errors import HeadTooLarge, HeadTooSlow, Refused

MAX_HEAD = 65_536
"""Bytes of a request's first line and headers; browsers and proxies send a few thousand."""

MAX_HEADERS = 200
HEAD_SECONDS = 10.0
"""How long the head of a request may take, from its first byte, or from the connection on; and a body that nobody reads."""

MAX_WAITING = 100
"""Requests that a caller may send before the first of them is answered."""

READ_SECONDS = 120.0
MIN_READ = 120_000
"""Bytes of an answer that a caller takes in ``READ_SECONDS``, if there are so many. One who reads 100 kB a second may seem to
take nothing for half a minute: the buffers between us have room for megabytes, and tell of it in large pieces.
"""

LINGER_SECONDS = 5.0
"""How long what a refused caller still sends is thrown away, so that it gets to read why."""


class _Parting(asyncio.Transport):
    """A transport for one answer: to close it is to part from the caller in good order."""

    def __init__(self, transport: asyncio.Transport, part: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._part = part

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand on."""
        self._transport.write(data)

    def is_closing(self) -> bool:
        """Hand on."""
        return self._transport.is_closing()

    def close(self) -> None:
        """Part."""
        self._part()


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's own, with bounds; refusals are problem documents."""

    _beside = 0
    """Bytes since the last one of a body, or since the last request: of a head, of trailers, of what chunks are called."""

    _in_head = True
    _timer: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _unread = 0
    _is_refused = False
    _cycles: tuple[RequestResponseCycle, ...] = ()
    """Requests that were read, from the one that is being answered on; more than one if they are pipelined."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        # Writing pauses as soon as the caller does not take all, so that a pause is always the caller's.
        transport.set_write_buffer_limits(high=0)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more, and have nothing more written."""
        self._stop_waiting()
        self._stop_watching()
        self._leave()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to watch whether the caller reads."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """All that was written has been taken."""
        self._stop_watching()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Count what comes and is no body, before it is kept anywhere."""
        if self._is_refused:
            return
        self._beside += len(data)
        if self._in_head and self._timer is None:
            self._wait_for_head()
        super().data_received(data)
        if self._beside > MAX_HEAD or (self._in_head and len(self.headers or ()) > MAX_HEADERS):
            self._refuse(HeadTooLarge("The first line and headers of the request are too large; send fewer."))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; not what comes behind a body, where a proxy in front has not looked (RFC 9110 section 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: hand the request on, unless there is too much of it."""
        self._stop_waiting()
        self._in_head, self._beside = False, 0
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            self._refuse(HeadTooLarge("The first line and headers of the request are too large; send fewer."))
            raise ValueError("the head is too large")  # which ends the parsing of this connection
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            # RFC 9112 section 3.2. Of two hosts, a proxy in front might have believed the other one.
            self._refuse(Refused("A request names the host that it is for, in one Host header."))
            raise ValueError("there is not one host")
        waiting = self._waiting()
        if len(waiting) >= MAX_WAITING:
            self._refuse(Refused("Too many requests were sent before the first was answered; wait for answers."))
            raise ValueError("there are too many requests")
        super().on_headers_complete()
        self.cycle.transport = _Parting(self.transport, self._part)
        self._cycles = (*waiting, self.cycle)

    def on_body(self, body: bytes) -> None:
        """Something that the application may count itself."""
        self._beside = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The next thing on this connection is a head again."""
        self._stop_waiting()
        self._in_head, self._beside = True, 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that was answered before it had come to its end, but not for long."""
        super().on_response_complete()
        if not self._in_head and not self._is_refused and self._timer is None:
            self._wait_for_head()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP at all."""
        self._refuse(Refused("What was sent is no HTTP request that can be read."))

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: whoever offers another protocol, as curl does, is answered in this one."""

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._beside == 0 or not self._in_head:  # nothing was asked, or it was answered
            self.transport.close()
        else:
            self._refuse(HeadTooSlow("The head of the request did not arrive in time; send it at once."))

    def _watch(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(READ_SECONDS, self._check_reader)

    def _stop_watching(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _check_reader(self) -> None:
        """Nothing is written while writing is paused: what is left has become less if the caller reads."""
        if self._unread - self.transport.get_write_buffer_size() < MIN_READ:
            self.transport.abort()
        else:
            self._watch()

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
        self._linger()

    def _part(self) -> None:
        if self._in_head:  # the caller has sent all
            self.transport.close()
        else:
            self._linger()

    def _linger(self) -> None:
        """Close, but not at once while more is coming: that would reset the connection, and the answer be lost on the way."""
        self._is_refused = True
        self._stop_waiting()
        self.pipeline.clear()
        self.flow.resume_reading()
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)
