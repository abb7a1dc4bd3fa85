"""``Idempotency-Key``: a writing request that is sent again does nothing again, and is answered the same.

The layer opens the request's transaction, claims the key in it, has the application work in that very transaction
(``deps.get_session`` hands it out), keeps the answer there, and commits: what a request does and what it was answered are stored
both or neither. What failed (an error of 400 and more) is rolled back and not kept, so that it may be tried again.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import idempotency
from app.api.access import READING, caller_of
from app.api.bodies import replaying
from app.errors import InvalidIdempotencyKey
from app.idempotency import Answer, Claim
from app.models import Scope as KeyScope

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_PARAMETER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A new one for each thing to do, such as a UUID: sent again within 24 hours with the same request, nothing "
    "is done again, and the answer is the same, with `Idempotency-Replayed: true`",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "8e03978e-40d5-43e8-bc93-6894a57f9324",
}
_OF_THE_MOMENT = {b"content-length", b"date", b"connection", b"x-request-id"}


class _FailedError(Exception):
    """Rolls a transaction back whose request was answered with an error."""


@dataclass(slots=True)
class _Captured:
    """An answer that is not sent yet."""

    messages: list[Message] = field(default_factory=list)

    async def send(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def answer(self) -> Answer:
        start = self.messages[0]
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in start["headers"] if n not in _OF_THE_MOMENT]
        return Answer(start["status"], headers, b"".join(one.get("body", b"") for one in self.messages[1:]))


class Once:
    """An ASGI layer inside of which the caller is known and the body is whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises ``InvalidIdempotencyKey``, ``IdempotencyKeyReused``, ``AnswerNotKept``."""
        if scope["method"] in READING or caller_of(scope).needed in (None, KeyScope.READ):
            await self.app(scope, receive, send)
            return
        keys = [value for name, value in scope["headers"] if name == b"idempotency-key"]
        if not keys:
            await self.app(scope, receive, send)
            return
        key = keys[0].decode("latin-1")
        if len(keys) > 1 or not _VISIBLE.fullmatch(key):
            raise InvalidIdempotencyKey("Idempotency-Key must be there once, with 1 to 255 visible ASCII characters.")
        body = (await receive())["body"]  # in one piece
        request = Request(scope)
        address = f"{scope['path']}?{scope['query_string'].decode('latin-1')}"
        wanted = Claim(caller_of(scope).name, key, idempotency.fingerprint(scope["method"], address, body))
        captured = _Captured()
        try:
            async with request.app.state.tools.database.transaction() as session:
                earlier = await idempotency.claim(session, wanted)
                if earlier is None:
                    request.state.session = session
                    await self.app(scope, replaying(body, receive), captured.send)
                    answer = captured.answer
                    if answer.status >= 400:
                        raise _FailedError
                    kept = getattr(request.state, "kept_body", answer.body)
                    await idempotency.keep(session, wanted, Answer(answer.status, answer.headers, kept))
        except _FailedError:
            earlier = None
        if earlier is not None:
            await _replay(earlier, send)
            return
        for message in captured.messages:
            await send(message)


async def _replay(earlier: Answer, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in earlier.headers]
    if earlier.status != 204:
        headers.append((b"content-length", str(len(earlier.body)).encode()))
    headers.append((b"idempotency-replayed", b"true"))
    await send({"type": "http.response.start", "status": earlier.status, "headers": headers})
    await send({"type": "http.response.body", "body": earlier.body})


def document(schema: Mapping[str, Any]) -> None:
    """Write into an OpenAPI document which operations take the header; after ``access.document``."""
    for operations in schema["paths"].values():
        for method, operation in operations.items():
            parameters = operation.setdefault("parameters", [])
            if method != "get" and operation.get("x-scope") != KeyScope.READ and _PARAMETER not in parameters:
                parameters.append(_PARAMETER)
