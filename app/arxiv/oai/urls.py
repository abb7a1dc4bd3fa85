"""Addresses of OAI-PMH requests, and what a resumption token says (FACTS 3.1 and 3.5)."""

from datetime import date
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlencode

from app.arxiv import ids
from app.arxiv.oai.fields import read_day

# A colon needs no escape in a query, and escaped ones have been refused with 406 (FACTS 8.1).
_SAFE: Final = ":/"


def records_url(
    base: str,
    *,
    set_spec: str | None = None,
    from_on: date | None = None,
    until_on: date | None = None,
    prefix: str = "arXivRaw",
) -> str:
    """The first page of ``ListRecords``: records of a set, changed from one UTC day to another, both included."""
    return _list_url(base, "ListRecords", set_spec, from_on, until_on, prefix)


def identifiers_url(
    base: str,
    *,
    set_spec: str | None = None,
    from_on: date | None = None,
    until_on: date | None = None,
    prefix: str = "arXivRaw",
) -> str:
    """The first page of ``ListIdentifiers``: as ``records_url``, but headers only."""
    return _list_url(base, "ListIdentifiers", set_spec, from_on, until_on, prefix)


def resume_url(base: str, token: str, verb: str = "ListRecords") -> str:
    """The next page of a list; ``token`` is as the page before gave it, and is sent with the verb only."""
    return f"{base}?verb={verb}&resumptionToken={quote(token, safe='')}"


def get_record_url(base: str, arxiv_id: str, prefix: str = "arXivRaw") -> str:
    """The record of one paper, by an id in any form. Raises InvalidArxivId."""
    identifier = f"oai:arXiv.org:{ids.parse(arxiv_id).id}"
    return _url(base, {"verb": "GetRecord", "identifier": identifier, "metadataPrefix": prefix})


def resume_from(token: str) -> date | None:
    """The day from which a list goes on, as a token of the current server has it; None where it has none.

    A token is the next query, percent-encoded. Once it has expired, a new list from this day misses nothing. Tokens of
    the old server (``6825723|1001``) hold no day.
    """
    days = parse_qs(unquote(token)).get("from")
    return read_day(days[0]) if days else None


def _list_url(
    base: str, verb: str, set_spec: str | None, from_on: date | None, until_on: date | None, prefix: str
) -> str:
    query = {"verb": verb, "metadataPrefix": prefix}
    if from_on is not None:
        query["from"] = from_on.isoformat()
    if until_on is not None:
        query["until"] = until_on.isoformat()
    if set_spec is not None:
        query["set"] = set_spec
    return _url(base, query)


def _url(base: str, query: dict[str, str]) -> str:
    return f"{base}?{urlencode(query, safe=_SAFE)}"
