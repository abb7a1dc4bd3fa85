"""Examples for the OpenAPI document: one of every error that a caller may see, and of every parameter."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from app import errors
from app.errors import ZhaiyaoError

_REQUEST_ID: Final = "5f0c3a7e9b1d4c2f8a6e3b4c5d6e7f80"


@dataclass(frozen=True, slots=True)
class Sample:
    """An error as a problem document shows it."""

    status: int
    code: str
    title: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)

    def problem(self) -> dict[str, Any]:
        """The document."""
        return {
            "type": f"urn:zhaiyao:problem:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": _REQUEST_ID,
            **self.extra,
        }


def _of(error: ZhaiyaoError) -> Sample:
    return Sample(error.status, error.code, error.title, error.detail, error.headers, error.extra)


SAMPLES: Final = (
    _of(errors.Refused("The address holds a NUL character.")),
    _of(errors.BadJson("The body is not JSON: Expecting value: line 1 column 1 (char 0).")),
    _of(errors.InvalidCursor("The cursor is not one of this list; begin again without a cursor.")),
    _of(errors.InvalidQuery("At character 7 (graph ▸OR): OR has nothing behind it; write a word there.", 6)),
    _of(errors.InvalidIdempotencyKey("Idempotency-Key must be there once, with 1 to 255 visible ASCII characters.")),
    _of(errors.KeyRequired("This needs a key, sent as 'Authorization: Bearer zy_…'.")),
    _of(errors.InvalidKey("The key is not known: it may have been revoked.")),
    _of(errors.WritingIsLocal("Without a key, writing is for callers on the service's own machine.")),
    _of(errors.MissingScope("write", "read")),
    _of(errors.NotFound("There is no paper 2404.02342 here.")),
    _of(errors.NotAcceptable("None of the media types asked for can be given; there are application/json, text/html.")),
    _of(errors.HeadTooSlow("The head of the request did not arrive in time; send it at once.")),
    _of(errors.BodyTooSlow("The body did not arrive within 30 seconds; send it at once.")),
    _of(errors.Conflict("The channel nlp exists already; choose another slug.")),
    _of(errors.ListingNotRead("The listing of cs.CL on 2026-01-13 has not been read yet.")),
    _of(errors.AnswerNotKept("This was carried out before; its answer was too large to be kept.")),
    _of(errors.PreconditionFailed("It is not as If-Match expects: somebody has changed it since.", '"0f…"')),
    _of(errors.CursorExpired("The database was restored to a time before this cursor; begin again without a cursor.")),
    _of(errors.BodyTooLarge("The body has more than 1,000,000 bytes; send less at a time.")),
    _of(errors.AddressTooLong("The address has more than 16,384 bytes; ask for less at a time.")),
    _of(
        errors.NotJson(
            "The body must be JSON, sent with the header 'Content-Type: application/json'.", "application/json"
        )
    ),
    _of(errors.WrongHost("This service does not answer for the host that the request names; use its own address.")),
    Sample(
        422,
        "invalid_request",
        "Invalid request",
        "query.limit: Input should be less than or equal to 200.",
        extra={
            "errors": [
                {
                    "field": "query.limit",
                    "message": "Input should be less than or equal to 200",
                    "type": "less_than_equal",
                }
            ]
        },
    ),
    _of(errors.InvalidInput("The period begins on 2026-01-15, after its end on 2026-01-13.")),
    _of(errors.InvalidArxivId("'banana' is not an arXiv identifier; write one like 2404.02342 or hep-th/9901001.")),
    _of(errors.UnknownCategory("'cs.XX' is not a category or an archive of arXiv.")),
    _of(errors.UnknownPapers(["2404.02342"])),
    _of(errors.IdempotencyKeyReused("This Idempotency-Key was used with another request; choose a new one.")),
    _of(errors.RateLimited("600/minute", 42)),
    _of(errors.HeadTooLarge("The first line and headers of the request are too large; send fewer.")),
    Sample(
        500,
        "internal_error",
        "Internal error",
        "Something went wrong here that is not your fault; the log has it under this request_id.",
    ),
    _of(errors.DatabaseUnavailable("The database cannot be reached at the moment; try again in a few seconds.")),
    _of(errors.SchemaOutdated("The database is at 0006, but this release needs 0007: run 'zhaiyao db upgrade'.")),
    _of(errors.Overloaded("The service has as many requests at hand as it takes; try again in a second.")),
    _of(errors.TooManyStreams("4 streams are being read already, and there are no more at a time; try again soon.")),
    _of(errors.Busy("Somebody else is changing the same thing at this moment; try again in a second.")),
    _of(
        errors.QueryTimeout("This takes the database longer than a request may; ask for less, or for something rarer.")
    ),
    _of(
        errors.SourceUnavailable(
            "resting", "arXiv refused lately and is left alone for a while.", datetime(2026, 1, 13, 6, tzinfo=UTC)
        )
    ),
)
"""In the order in which an answer's examples are shown."""


DIGEST_ID: Final = "8db413b15afe181defa0"

PARAMETERS: Final[Mapping[tuple[str, str], Any]] = {
    ("path", "arxiv_id"): "2404.02342",
    ("path", "slug"): "cs.CL",
    ("path", "format"): "md",
    ("path", "language"): "zh",
    ("path", "revision"): 1,
    ("query", "category"): "cs.CL",
    ("query", "primary"): "cs.CL",
    ("query", "archive"): "econ",
    ("query", "target"): "cs.CL",
    ("query", "channel"): "cs.CL",
    ("query", "digest"): DIGEST_ID,
    ("query", "announced_from"): "2026-01-13",
    ("query", "announced_to"): "2026-01-16",
    ("query", "submitted_from"): "2026-01-01",
    ("query", "submitted_to"): "2026-01-31",
    ("query", "since"): "2026-01-13T05:30:00Z",
    ("query", "announce_type"): ["new", "cross"],
    ("query", "language"): "zh",
    ("query", "ids"): ["2404.02342", "hep-th/9901001"],
    ("query", "include"): ["summaries"],
    ("query", "kinds"): ["paper", "summary"],
    ("query", "reason"): "budget",
    ("query", "check"): "addresses-model",
    ("query", "year"): 2026,
    ("query", "revision"): 1,
    ("query", "against"): 0,
    ("query", "limit"): 5,
    ("query", "math"): "unicode",
    ("query", "style"): "classic",
    ("header", "If-Match"): '"6f1c9a5e0b1d4c7f8a2e3b4c5d6e7f80"',
    ("header", "If-None-Match"): '"6f1c9a5e0b1d4c7f8a2e3b4c5d6e7f80"',
    ("header", "If-Modified-Since"): "Tue, 13 Jan 2026 05:12:07 GMT",
}
"""What a parameter may look like, by where it is and its name, which means the same wherever it is taken."""

DESCRIPTIONS: Final[Mapping[tuple[str, str], str]] = {
    ("path", "arxiv_id"): "In any form: `2404.02342`, `2404.02342v1`, `arXiv:2404.02342`, `hep-th/9901001`",
    ("path", "slug"): "Of a channel, or any name of a category or archive: `cs.CL`, `econ`",
    ("path", "id"): "As in the list",
    ("path", "format"): "`atom`, `rss` or `json`",
    ("path", "revision"): "As in the list of revisions; the first is 1",
    ("query", "category"): "A category or archive, under any of its names",
    ("query", "channel"): "Only digests of this channel",
    ("query", "language"): "Only in this language (BCP 47)",
    ("query", "announced_from"): "Announced on or after this batch date (US Eastern)",
    ("query", "announced_to"): "Announced on or before this batch date (US Eastern)",
    (
        "query",
        "fields",
    ): "Only these fields of each paper; repeated, or separated by commas. `arxiv_id` is always there",
    (
        "query",
        "include",
    ): "`summaries`: with the done summaries that speak for each paper; with `language`, that one alone",
    ("query", "kind"): "Only of this kind",
    ("query", "origin"): "Only those that were made so",
    ("query", "outcome"): "Only those that ended so",
    ("query", "state"): "Only those that stand so",
    ("query", "status"): "Only those that stand so",
}
"""What a parameter is, where its route says no more about it."""
