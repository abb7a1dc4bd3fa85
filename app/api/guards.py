"""What every request passes before a route sees it: an id, a limit on the body, and who may write."""

import ipaddress
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1_000_000
"""Bytes; the largest body that makes sense is 5,000 ids."""

_READING = {"GET", "HEAD", "OPTIONS"}


class _UnreadableError(ValueError):
    """A body that is no JSON this service takes; the message says why."""


class Guards:
    """An ASGI layer around the application.

    Until keys exist, writing is for callers on this machine: the service may listen elsewhere, but only to readers.
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

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [(name, value) for name, value in message["headers"] if name != b"x-request-id"]
                message = {**message, "headers": [*others, (b"x-request-id", request_id.encode())]}
            await send(message)

        send_with_id: Send = answer
        if scope["method"] == "HEAD":  # what GET would answer, without its body
            scope, send_with_id = {**scope, "method": "GET"}, _without_body(answer)
            scope["state"]["is_head"] = True
        if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
            await _refuse(send_with_id, request_id, 400, "bad_request", "The address holds a NUL character.")
        elif scope["method"] not in _READING and not (_is_local(scope) and _is_no_foreign_page(scope)):
            await _refuse(
                send_with_id,
                request_id,
                403,
                "writing_is_local",
                "Writing is for callers on the service's own machine, and not for pages of other sites; send it from there.",
            )
        elif scope["method"] in _READING:
            await self.app(scope, receive, send_with_id)
        else:
            await self._with_whole_body(scope, receive, send_with_id, request_id)

    async def _with_whole_body(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        headers = dict(scope["headers"])
        declared = headers.get(b"content-length", b"0")
        # A number too long to be worth reading as one is too large as well.
        body, more = bytearray(), not (declared.isdigit() and (len(declared) > 20 or int(declared) > MAX_BODY))
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
            detail = f"The body has more than {MAX_BODY:,} bytes; send less at a time."
            await _refuse(send, request_id, 413, "body_too_large", detail)
            return
        if body and not _is_json(headers.get(b"content-type", b"")):
            detail = "The body must be JSON, sent with the header 'Content-Type: application/json'."
            await _refuse(send, request_id, 415, "not_json", detail)
            return
        try:
            _check(bytes(body))
        except _UnreadableError as error:
            await _refuse(send, request_id, 400, "bad_json", str(error))
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
    # A network peer has an address; a bare name ("testclient") is a caller inside this process.
    return _is_loopback(client[0]) or re.fullmatch("[a-z]+", client[0]) is not None


def _is_no_foreign_page(scope: Scope) -> bool:
    """A page of another site can make a browser on this machine send requests; the browser then says so in Origin."""
    origin = dict(scope["headers"]).get(b"origin")
    if origin is None:
        return True
    try:
        host = urlsplit(origin.decode("latin-1")).hostname
    except ValueError:
        return False
    return host == "localhost" or _is_loopback(host or "")


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    # A server that listens on :: sees a caller over IPv4 as ::ffff:127.0.0.1.
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def _is_json(content_type: bytes) -> bool:
    media_type = content_type.split(b";")[0].strip().lower()
    return media_type == b"application/json" or (
        media_type.startswith(b"application/") and media_type.endswith(b"+json")
    )


def _check(body: bytes) -> None:
    """Raise ``_UnreadableError`` unless a body is JSON that the service can take, or empty."""
    if not body:
        return
    try:
        text = body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except _UnreadableError:
        raise
    except UnicodeDecodeError:
        raise _UnreadableError("The body is not UTF-8 text.") from None
    except json.JSONDecodeError as error:
        if text.startswith("\ufeff"):
            raise _UnreadableError("The body begins with a byte order mark; send it without.") from None
        raise _UnreadableError(f"The body is not JSON: {error}.") from None
    except ValueError:  # Python reads no integer of more than 4,300 digits.
        raise _UnreadableError("The body holds a number with too many digits.") from None
    except RecursionError:
        raise _UnreadableError("The body's JSON is nested too deeply.") from None
    # Only an escape can bring in what JSON itself does not allow.
    if "\\u" in text and any(_is_no_text(one) for one in _strings(value)):
        raise _UnreadableError(
            "The body holds a NUL character or half a surrogate pair, which no text has; leave it out."
        )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):  # Which of two values counts would be a guess.
        raise _UnreadableError("The body has an object with the same key twice.")
    return members


def _no_constant(name: str) -> None:
    raise _UnreadableError(f"The body is not JSON: {name} is no number there.")


def _strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, keys included; without recursion, so that depth does not matter."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one
            waiting += one.values()


def _is_no_text(value: str) -> bool:
    return "\0" in value or any("\ud800" <= character <= "\udfff" for character in value)


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
