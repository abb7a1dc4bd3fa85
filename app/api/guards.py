"""What every request passes before a route sees it: an id, a limit on the body, and who may write."""

import ipaddress
import json
import uuid
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1_000_000
"""Bytes; the largest body that makes sense is 5,000 ids."""

_READING = {"GET", "HEAD", "OPTIONS"}


class Guards:
    """An ASGI layer around the application.

    Until keys exist, writing is for callers on this machine: the service may listen elsewhere, but then only to readers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse with a problem document, or hand on with ``X-Request-ID`` set on the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        if b"%00" in scope.get("raw_path", b"") or b"%00" in scope.get("query_string", b""):
            await _refuse(send_with_id, request_id, 400, "bad_request", "The address holds a NUL character.")
        elif scope["method"] not in _READING and not _is_local(scope):
            await _refuse(
                send_with_id,
                request_id,
                403,
                "writing_is_local",
                "Writing is allowed from the service's own machine only.",
            )
        elif scope["method"] in _READING:
            await self.app(scope, receive, send_with_id)
        else:
            await self._with_whole_body(scope, receive, send_with_id, request_id)

    async def _with_whole_body(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        body, more = bytearray(), not (declared.isdigit() and int(declared) > MAX_BODY)
        too_large = not more
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > MAX_BODY:
                too_large, more = True, False
        if too_large:
            detail = f"The body has more than {MAX_BODY:,} bytes."
            await _refuse(send, request_id, 413, "body_too_large", detail)
            return
        if problem := _unreadable(bytes(body)):
            await _refuse(send, request_id, 400, "bad_json", problem)
            return
        sent = False

        async def replay() -> Message:
            nonlocal sent
            if sent:
                return await receive()
            sent = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self.app(scope, replay, send)


def _is_local(scope: Scope) -> bool:
    client = scope.get("client")
    if client is None:  # a unix socket: whoever can open it is on this machine
        return True
    try:
        return ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False


def _unreadable(body: bytes) -> str | None:
    """Why a body is no JSON that the service can take; None if it is, or is empty."""
    if not body:
        return None
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return "The body is not UTF-8 text."
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"The body is not JSON: {error}."
    except RecursionError:
        return "The body's JSON is nested too deeply."
    return "The body holds characters that are no Unicode text." if _has_surrogates(value) else None


def _has_surrogates(value: Any) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in json.dumps(value, ensure_ascii=False))


async def _refuse(send: Send, request_id: str, status: int, code: str, detail: str) -> None:
    body = {
        "type": f"urn:zhaiyao:problem:{code}",
        "title": "Request refused",
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(body).encode()})
