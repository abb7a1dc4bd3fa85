"""Errors that a caller may see: each class has a stable code and an HTTP status.

The message is one plain sentence that says what is wrong and, where something can be done, what to do.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any


class ZhaiyaoError(Exception):
    """The base of every error that is shown to a caller.

    ``extra`` holds further members of the problem document (RFC 9457 section 3.2), such as the ids that are unknown.
    """

    code = "error"
    status = 500
    title = "Error"

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
