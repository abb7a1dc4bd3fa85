"""As much of HTTP/1.1 as a fake needs: a raw asyncio protocol, kept alive, that knows whether its client still listens."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it came; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One client. A call that is under way is cancelled when the client goes away."""

    def __init__(
        self, handle: Callable[[Call, "Connection"], Coroutine[Any, Any, None]], everyone: set["Connection"]
    ) -> None:
        self._handle = handle
        self._everyone = everyone
        self._received = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._resumed: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._keep_alive = True

    @property
    def is_alive(self) -> bool:
        """Whether somebody still listens, as far as can be known."""
        return self._transport is not None and not self._transport.is_closing()

    async def send(
        self,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        *,
        cut: float | None = None,
        delivered: Callable[[], None] = lambda: None,
    ) -> None:
        """Answer. ``delivered`` is called just before the last byte, so that it is known before the client can know it.

        With ``cut``, only that fraction of the body is sent, and nothing at all for 0; then the connection closes.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Overloaded')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"Content-Length: {len(body)}", "", ""]
        head = "\r\n".join(lines).encode("latin-1")
        if cut is not None:
            if cut:
                transport.write(head + body[: int(len(body) * cut)])
            transport.close()
            return
        whole = head + body
        transport.write(whole[:-1])
        if self._resumed:
            await self._resumed
        if transport.is_closing():
            return
        delivered()
        transport.write(whole[-1:])

    def close(self) -> None:
        """Close at once."""
        if self._transport:
            self._transport.abort()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(0)
        self._transport = transport
        self._everyone.add(self)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._task is None:
            self._next()

    def eof_received(self) -> None:
        self._gone()

    def connection_lost(self, exc: Exception | None) -> None:
        self._everyone.discard(self)
        self._transport = None
        self._gone()

    def pause_writing(self) -> None:
        self._resumed = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._resumed and not self._resumed.done():
            self._resumed.set_result(None)
        self._resumed = None

    def _gone(self) -> None:
        if self._task:
            self._task.cancel()

    def _next(self) -> None:
        call = self._take()
        if call:
            self._keep_alive = call.headers.get("connection", "").lower() != "close"
            self._task = asyncio.get_running_loop().create_task(self._handle(call, self))
            self._task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        failed = not task.cancelled() and task.exception() is not None
        if failed:
            asyncio.get_running_loop().call_exception_handler({"message": "fake LLM", "exception": task.exception()})
        if self._transport and (failed or not self._keep_alive):
            self._transport.close()
        elif self.is_alive:
            self._next()

    def _take(self) -> Call | None:
        """The next whole call that was received."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._received[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        size = end + 4 + int(headers.get("content-length", 0))
        if len(self._received) < size:
            if "expect" in headers and len(self._received) == end + 4 and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._received[end + 4 : size])
        del self._received[:size]
        method, path, _ = first.split(" ")
        return Call(method, path, headers, body)
