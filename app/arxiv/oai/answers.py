"""Whole OAI-PMH answers: the envelope, its errors, its lists and their resumption tokens (FACTS 3.1, 3.5, 3.6)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

from app.arxiv.entries import Record
from app.arxiv.feed.document import read
from app.arxiv.feed.fields import ItemError, instant, no_date, shorten, text_of
from app.arxiv.oai.fields import child_text, children, find_child, local, read_day
from app.arxiv.oai.records import Header, Server, read_header, read_record
from app.errors import FeedRejected, OaiError

_MAX_BYTES: Final = 64_000_000
_OLD_SERVER_ENDED: Final = date(2025, 2, 1)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Page:
    """A page of ``ListRecords``, or the one record of ``GetRecord``.

    ``responded_at`` is the server's clock, from whose day the next harvest goes on. ``token`` is None on the last page.
    ``deleted`` are the ids of records that are gone.
    """

    responded_at: datetime
    records: tuple[Record, ...]
    token: str | None
    deleted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identifiers:
    """A page of ``ListIdentifiers``; ``token`` is None on the last one."""

    responded_at: datetime
    headers: tuple[Header, ...]
    token: str | None


@dataclass(frozen=True, slots=True)
class Identify:
    """What the server says of itself; no list may begin before ``earliest``."""

    responded_at: datetime
    base_url: str | None
    earliest: date
    granularity: str
    deleted_record: str | None


@dataclass(frozen=True, slots=True)
class _Answer:
    """An answer without an error; ``body`` is the element named after the verb, None for "no records match"."""

    responded_at: datetime
    server: Server | None
    body: Any | None


def parse_page(body: bytes, *, max_bytes: int = _MAX_BYTES) -> Page:
    """Read an answer to ``ListRecords`` or ``GetRecord`` in any of arXiv's formats, from the current or the old server.

    The format is told by the element inside each record. "No records match" is a page without records. Raises OaiError
    for every other error that the server reports, and FeedRejected for what is not a whole answer, with one of the
    reasons ``too_large``, ``empty_body``, ``html``, ``not_xml``, ``truncated``, ``forbidden_xml``, ``unknown_format``,
    ``no_date`` and ``bad_item``. One record that cannot be read refuses the page and is named.
    """
    answer = _open(body, max_bytes, "ListRecords", "GetRecord")
    if answer.body is None:
        return Page(answer.responded_at, (), None, ())

    def read_one(record: Any) -> Record | str:
        header = read_header(record)
        return header.arxiv_id if header.deleted else read_record(record, header, answer.server)

    token = _token(answer.body)
    found = _each(children(answer.body, "record"), read_one, token)
    records = tuple(one for one in found if isinstance(one, Record))
    return Page(answer.responded_at, records, token, tuple(one for one in found if isinstance(one, str)))


def parse_record(body: bytes, *, max_bytes: int = _MAX_BYTES) -> Record:
    """Read one ``record`` element without an envelope, such as the stored ``raw`` of a record.

    Which server wrote it is not known, so that days whose meaning differs between them stay None. Raises FeedRejected as
    ``parse_page`` does; a deleted record is refused, too.
    """
    root = read(body, max_bytes)
    if local(root) != "record":
        raise _unknown(f"Its outermost element is {shorten(local(root), 80)}, not record.")
    return _each([root], lambda record: read_record(record, read_header(record), None), None)[0]


def parse_identifiers(body: bytes, *, max_bytes: int = _MAX_BYTES) -> Identifiers:
    """Read an answer to ``ListIdentifiers``. "No records match" is a page without headers. Raises as ``parse_page``."""
    answer = _open(body, max_bytes, "ListIdentifiers")
    if answer.body is None:
        return Identifiers(answer.responded_at, (), None)
    token = _token(answer.body)
    headers = _each(children(answer.body, "header"), read_header, token)
    return Identifiers(answer.responded_at, headers, token)


def parse_sets(body: bytes, *, max_bytes: int = _MAX_BYTES) -> tuple[str, ...]:
    """Read the specs of an answer to ``ListSets``, in its order. Raises as ``parse_page``.

    arXiv gives all sets in one answer; one that goes on in another is refused, because nothing here would fetch it.
    """
    listed = _required(_open(body, max_bytes, "ListSets"))
    if _token(listed) is not None:
        raise _unknown("Its list of sets goes on in another answer, which arXiv's never did.")
    return _each(children(listed, "set"), _set_spec, None)


def parse_identify(body: bytes, *, max_bytes: int = _MAX_BYTES) -> Identify:
    """Read an answer to ``Identify``. Raises as ``parse_page``; ``no_date`` where the earliest day cannot be read."""
    answer = _open(body, max_bytes, "Identify")
    said = _required(answer)
    earliest = read_day((child_text(said, "earliestDatestamp") or "")[:10])
    if earliest is None:
        raise no_date("The answer names no earliest datestamp that can be read.")
    granularity = child_text(said, "granularity")
    if granularity is None:
        raise _unknown("It does not say how fine its datestamps are.")
    return Identify(
        responded_at=answer.responded_at,
        base_url=child_text(said, "baseURL"),
        earliest=earliest,
        granularity=granularity,
        deleted_record=child_text(said, "deletedRecord"),
    )


def _open(body: bytes, max_bytes: int, *verbs: str) -> _Answer:
    """Read the envelope of an answer to one of the verbs. Raises OaiError and FeedRejected."""
    root = read(body, max_bytes)
    if local(root) != "OAI-PMH":
        raise _unknown(f"Its outermost element is {shorten(local(root), 80)}.")
    parts = list(children(root))
    nothing = [_is_nothing(part) for part in parts if local(part) == "error"]
    responded_at = instant(child_text(root, "responseDate"))
    if responded_at is None:
        raise no_date("The answer has no response date that can be read.")
    bodies = [part for part in parts if local(part) in verbs]
    if nothing and not bodies:
        return _Answer(responded_at, None, None)
    if nothing or len(bodies) != 1:
        held = ", ".join(local(part) for part in parts)
        raise _unknown(f"It should hold {' or '.join(verbs)}, but holds {shorten(held, 120)}.")
    return _Answer(responded_at, _server(root, responded_at), bodies[0])


def _is_nothing(error: Any) -> bool:
    """True for "no records match", which is an ordinary answer (FACTS 3.4). Raises OaiError for every other error."""
    code = shorten(error.get("code") or "", 60)
    if code == "noRecordsMatch":
        return True
    if not code:
        raise _unknown("It is an error report without a code.")
    said = shorten(text_of(error), 300) or "no reason given"
    raise OaiError(code, f"arXiv's OAI-PMH server refused the request with {code}: {said}")


def _server(root: Any, responded_at: datetime) -> Server | None:
    """The server that wrote an answer, by the address that it says it was asked at; None when in doubt.

    The address of the old server is forwarded to the current one, which names itself. Requiring the time, too, keeps
    a third party's copy of the old server from being believed (FACTS 3.1, 3.7).
    """
    address = child_text(root, "request") or ""
    if address.endswith("/oai2") and responded_at.date() < _OLD_SERVER_ENDED:
        return Server.OLD
    return Server.CURRENT if address.endswith("/oai") and responded_at.date() >= _OLD_SERVER_ENDED else None


def _required(answer: _Answer) -> Any:
    if answer.body is None:
        raise OaiError(
            "noRecordsMatch", "arXiv's OAI-PMH server found nothing where a list of records was not asked for."
        )
    return answer.body


def _token(listed: Any) -> str | None:
    """The token of the next page; the empty element that ends a list is None."""
    return child_text(listed, "resumptionToken")


def _set_spec(element: Any) -> str:
    spec = child_text(element, "setSpec")
    if spec is None:
        raise ItemError("it has no setSpec")
    return spec


def _each(items: Iterable[Any], read_one: Callable[[Any], _T], token: str | None) -> tuple[_T, ...]:
    """What ``read_one`` makes of every item. Raises FeedRejected for one that cannot be read, and for an empty list.

    A list without items is not an empty day: the server would have said that no records match.
    """
    found: list[_T] = []
    for number, item in enumerate(items, 1):
        try:
            found.append(read_one(item))
        except ItemError as error:
            name = _name(item)
            place = f"item {number} ({shorten(name, 80)})" if name else f"item {number}"
            raise FeedRejected(error.reason, f"The answer is refused because of {place}: {error.detail}.") from None
    if not found and token is None:
        raise _unknown("Its list is empty, for which OAI-PMH has an error code.")
    return tuple(found)


def _name(item: Any) -> str | None:
    """What tells a person which record is meant."""
    header = find_child(item, "header")
    return child_text(item if header is None else header, "identifier") or child_text(item, "setName")


def _unknown(why: str) -> FeedRejected:
    return FeedRejected(
        "unknown_format", f"The document is XML but no OAI-PMH answer of the kind that was asked for. {why}"
    )
