"""Errors that a caller may see: each class has a stable code and an HTTP status.

The message is one plain sentence that says what is wrong and, where something can be done, what to do.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any


class ZhaiyaoError(Exception):
    """The base of every error that is shown to a caller.

    ``extra`` holds further members of the problem document (RFC 9457 section 3.2), such as the ids that are unknown;
    ``headers`` what goes with it over HTTP.
    """

    code = "error"
    status = 500
    title = "Error"
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra


class InvalidInput(ZhaiyaoError):
    """A value that can never be right, whatever is stored."""

    code = "invalid_input"
    status = 422
    title = "Invalid input"


class InvalidArxivId(InvalidInput):
    """A text that is no arXiv identifier in any form of FACTS section 10."""

    code = "invalid_arxiv_id"
    title = "Not an arXiv identifier"


class UnknownCategory(InvalidInput):
    """A name that is neither a category nor an archive of arXiv."""

    code = "unknown_category"
    title = "Unknown category"


class UnknownPapers(InvalidInput):
    """A request names papers that are not stored; ``unknown`` lists them."""

    code = "unknown_papers"
    title = "Unknown papers"

    def __init__(self, unknown: Sequence[str]) -> None:
        shown = ", ".join(unknown[:10]) + (f" and {len(unknown) - 10} more" if len(unknown) > 10 else "")
        are = "is" if len(unknown) == 1 else "are"
        super().__init__(
            f"{len(unknown)} of the papers named {are} not stored: {shown}. "
            "Leave them out, or read a listing that has them.",
            unknown=list(unknown),
        )


class InvalidQuery(InvalidInput):
    """A search query that cannot be read; ``position`` is the place of the fault, in characters from 0."""

    code = "invalid_query"
    status = 400
    title = "Invalid search query"

    def __init__(self, detail: str, position: int) -> None:
        super().__init__(detail, position=position)
        self.position = position


class InvalidCursor(ZhaiyaoError):
    """A cursor that this service did not make, or that belongs to another query."""

    code = "invalid_cursor"
    status = 400
    title = "Invalid cursor"


class CursorExpired(ZhaiyaoError):
    """A cursor of a time that the database does not remember, because it was restored to an earlier one."""

    code = "cursor_expired"
    status = 410
    title = "Cursor expired"


class NotFound(ZhaiyaoError):
    """A thing that is addressed by name and does not exist."""

    code = "not_found"
    status = 404
    title = "Not found"


class NotAcceptable(ZhaiyaoError):
    """A thing that exists, but in none of the media types that the caller takes."""

    code = "not_acceptable"
    status = 406
    title = "Not acceptable"


class Conflict(ZhaiyaoError):
    """A request that is well-formed but cannot be carried out in the present state."""

    code = "conflict"
    status = 409
    title = "Conflict"


class ListingNotRead(Conflict):
    """A digest is asked for a day whose listing has not been read: it would be empty for the wrong reason."""

    code = "listing_not_read"
    title = "Listing not read yet"


class FeedRejected(ZhaiyaoError):
    """A document that is not a whole, well-formed arXiv listing; ``reason`` is a stable word for the kind of fault.

    Reasons: ``too_large``, ``empty_body``, ``html``, ``not_xml``, ``truncated``, ``forbidden_xml``, ``unknown_format``,
    ``error_feed``, ``no_date``, ``bad_item``, ``wrong_category``, ``future_date``, ``http_status``, ``network``,
    ``unreadable_file``; of the search API also ``api_error`` and ``empty_page``.
    """

    code = "feed_rejected"
    status = 422
    title = "Listing refused"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail, reason=reason)
        self.reason = reason


class SourceUnavailable(FeedRejected):
    """arXiv, or a part of it, does not answer now; ``retry_at`` is when it is asked again.

    Reasons: ``http_status``, ``network``, and ``resting`` while an earlier refusal is waited out.
    """

    code = "source_unavailable"
    status = 503
    title = "Source unavailable"

    def __init__(self, reason: str, detail: str, retry_at: datetime) -> None:
        super().__init__(reason, detail)
        self.retry_at = retry_at
        self.extra["retry_at"] = retry_at.isoformat()


class OaiError(ZhaiyaoError):
    """A protocol error in an answer of arXiv's OAI-PMH server; ``reason`` is its code, such as ``badResumptionToken``."""

    code = "oai_error"
    status = 502
    title = "arXiv refused the harvest"

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail, reason=reason)
        self.reason = reason


class ConfigurationError(ZhaiyaoError):
    """A setting, or the machine, is not as the service needs it."""

    code = "configuration"
    status = 503
    title = "Configuration"


class SchemaOutdated(ConfigurationError):
    """The database's schema is not the one this release was written for."""

    code = "schema_outdated"
    title = "Database schema is not current"


class Busy(ZhaiyaoError):
    """Others held what a request needs for too long."""

    code = "busy"
    status = 503
    title = "Busy"
    headers: Mapping[str, str] = MappingProxyType({"Retry-After": "1"})


class TooManyStreams(ZhaiyaoError):
    """More lists are being streamed than a process streams at a time."""

    code = "too_many_streams"
    status = 503
    title = "Too many streams"
    headers: Mapping[str, str] = MappingProxyType({"Retry-After": "5"})


class DatabaseUnavailable(ZhaiyaoError):
    """The database cannot be reached."""

    code = "database_unavailable"
    status = 503
    title = "Database unavailable"
    headers: Mapping[str, str] = MappingProxyType({"Retry-After": "5"})


class QueryTimeout(ZhaiyaoError):
    """A statement took the database longer than a request may."""

    code = "query_timeout"
    status = 504
    title = "Took too long"


class Refused(ZhaiyaoError):
    """A request that no route gets to see; its connection ends, because the rest of its body is not read."""

    code = "bad_request"
    status = 400
    title = "Request refused"
    headers: Mapping[str, str] = MappingProxyType({"Connection": "close"})


class AddressTooLong(Refused):
    """An address, with its parameters, of more bytes than any of ours needs."""

    code = "address_too_long"
    status = 414


class HeadTooLarge(Refused):
    """A first line and headers of more bytes, or of more headers, than any request needs (RFC 6585 section 5)."""

    code = "head_too_large"
    status = 431


class HeadTooSlow(Refused):
    """A first line and headers that did not arrive in time."""

    code = "head_too_slow"
    status = 408


class WrongHost(Refused):
    """A request for a host that this service does not answer for."""

    code = "wrong_host"
    status = 421


class BodyTooLarge(Refused):
    """A body of more bytes than any request needs."""

    code = "body_too_large"
    status = 413


class BodyTooSlow(Refused):
    """A body that did not arrive in time."""

    code = "body_too_slow"
    status = 408


class NotJson(Refused):
    """A body of another media type than the address takes; ``accept_patch`` are those of a PATCH (RFC 5789)."""

    code = "not_json"
    status = 415

    def __init__(self, detail: str, accept_patch: str | None = None) -> None:
        super().__init__(detail)
        if accept_patch:
            self.headers = {**type(self).headers, "Accept-Patch": accept_patch}


class BadJson(Refused):
    """A body that is said to be JSON and is none, or none that this service can take."""

    code = "bad_json"


class Overloaded(Refused):
    """More requests at a time than a process takes."""

    code = "overloaded"
    status = 503
    title = "Too many requests at a time"
    headers: Mapping[str, str] = MappingProxyType({"Connection": "close", "Retry-After": "1"})


class WritingIsLocal(Refused):
    """Something that needs a key, or a caller on the service's own machine."""

    code = "writing_is_local"
    status = 403


class KeyRequired(Refused):
    """A request that needs a key and has none (RFC 6750 section 3)."""

    code = "key_required"
    status = 401
    title = "A key is needed"
    headers: Mapping[str, str] = MappingProxyType({"Connection": "close", "WWW-Authenticate": 'Bearer realm="zhaiyao"'})


class InvalidKey(Refused):
    """A key that is none of ours, or no longer good."""

    code = "invalid_key"
    status = 401
    title = "The key is not valid"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        told = detail.split(":")[0].rstrip(".")
        challenge = f'Bearer realm="zhaiyao", error="invalid_token", error_description="{told}"'
        self.headers = {**type(self).headers, "WWW-Authenticate": challenge}


class MissingScope(Refused):
    """A key that is good, but not for this; ``scope`` is what it would need."""

    code = "missing_scope"
    status = 403
    title = "The key is not good for this"

    def __init__(self, scope: str, has: str) -> None:
        super().__init__(f"This needs a key with the scope {scope}; the one that was sent has {has}.", scope=scope)
        challenge = f'Bearer realm="zhaiyao", error="insufficient_scope", scope="{scope}"'
        self.headers = {**type(self).headers, "WWW-Authenticate": challenge}


class RateLimited(Refused):
    """A caller's requests of this window are used up; ``retry_after`` is in seconds."""

    code = "rate_limited"
    status = 429
    title = "Too many requests"

    def __init__(self, limit: str, retry_after: int) -> None:
        super().__init__(f"The limit of {limit} is used up; try again in {retry_after} seconds.")
        self.headers = {**type(self).headers, "Retry-After": str(retry_after)}


class InvalidIdempotencyKey(Refused):
    """An ``Idempotency-Key`` that is empty, too long, repeated, or holds what is no visible ASCII."""

    code = "invalid_idempotency_key"


class IdempotencyKeyReused(ZhaiyaoError):
    """The same ``Idempotency-Key`` with another request."""

    code = "idempotency_key_reused"
    status = 422
    title = "Idempotency-Key used before"


class AnswerNotKept(Conflict):
    """The request of this ``Idempotency-Key`` was carried out, but what was answered was too large to be kept."""

    code = "answer_not_kept"
    title = "Carried out before"


class PreconditionFailed(ZhaiyaoError):
    """``If-Match`` or ``If-None-Match`` does not hold; ``etag`` is the present tag, None if there is nothing."""

    code = "precondition_failed"
    status = 412
    title = "Changed since"

    def __init__(self, detail: str, etag: str | None) -> None:
        super().__init__(detail, etag=etag)
        if etag is not None:
            self.headers = {"ETag": etag}
