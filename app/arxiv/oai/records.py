"""One ``record`` element in each of arXiv's metadata formats, of both servers (FACTS 3.2 and 3.7)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import Enum
from typing import Any, Final

from app.arxiv import taxonomy
from app.arxiv.authors import authors_from_parsed, one_line, parse_author_line
from app.arxiv.entries import Author, Record, Version
from app.arxiv.feed.fields import ItemError, agreed, instant, paper_in, raw_of, shorten, text_of
from app.arxiv.oai.fields import child_text, children, find_child, local, midnight, read_day
from app.arxiv.texts import unwrap, unwrap_abstract

_VERSION: Final = re.compile(r"v([1-9]\d{0,3})", re.ASCII)
_ABS_PAGE: Final = re.compile(r"https?://arxiv\.org/abs/")


class Server(Enum):
    """Who wrote an answer: the two servers give the days of the ``arXiv`` format different meanings."""

    OLD = "export.arxiv.org/oai2"
    CURRENT = "oaipmh.arxiv.org/oai"


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a record: the paper, the UTC day of its last modification, and whether it is gone."""

    arxiv_id: str
    datestamp: date
    deleted: bool = False


def read_header(item: Any) -> Header:
    """Read a ``header`` element, or that of a ``record``. Raises ItemError."""
    header = item if local(item) == "header" else find_child(item, "header")
    if header is None:
        raise ItemError("it has no header")
    identifier = child_text(header, "identifier")
    if identifier is None:
        raise ItemError("its header has no identifier")
    datestamp = _day(header, "datestamp")
    if datestamp is None:
        raise ItemError("its header has no datestamp", "no_date")
    return Header(paper_in("identifier", identifier).id, datestamp, header.get("status") == "deleted")


def read_record(record: Any, header: Header, server: Server | None) -> Record:
    """Read a ``record`` element by the format inside it. Raises ItemError."""
    described = find_child(record, "metadata")
    forms = [] if described is None else list(children(described))
    if len(forms) != 1:
        raise ItemError(
            "it has no metadata" if not forms else "it has two metadata formats, as if records had run together"
        )
    form = forms[0]
    name = local(form)
    if name == "dc":
        found = _read_dc(form, record, header)
    elif name in ("arXivRaw", "arXiv", "arXivOld"):
        found = _read_arxiv(form, name, record, header, server)
    else:
        raise ItemError(f"its metadata format {shorten(name, 40)!r} is unknown")
    if found.title is None and found.abstract is None and not found.authors:
        # Better than to believe that a format whose elements were renamed has papers without texts.
        raise ItemError("it has neither title nor abstract nor authors")
    return found


def _read_arxiv(form: Any, name: str, record: Any, header: Header, server: Server | None) -> Record:
    """Read one of arXiv's own formats, which share the names of their elements."""
    fields: dict[str, Any] = {}
    versions: list[Any] = []
    for child in children(form):
        key = local(child)
        if key == "version":
            versions.append(child)
        elif key not in fields:
            fields[key] = child
        elif key in ("id", "title", "authors", "abstract", "categories"):
            raise ItemError(f"it has two elements {key}, as if two records had run into one")

    def text(key: str) -> str | None:
        return unwrap(text_of(fields[key])) or None if key in fields else None

    papers = [("identifier", paper_in("identifier", header.arxiv_id))]
    if identifier := text("id"):
        papers.append(("id", paper_in("id", identifier)))
    categories = tuple(dict.fromkeys((text("categories") or "").split()))
    found = Record(
        arxiv_id=agreed(papers).id,
        version=None,
        title=text("title"),
        abstract=unwrap_abstract(text_of(fields["abstract"])) or None if "abstract" in fields else None,
        authors=(),
        primary_category=categories[0] if categories else None,
        categories=categories,
        comments=text("comments"),
        journal_ref=text("journal-ref"),
        doi=text("doi"),
        license=text("license"),
        submitted_at=None,
        updated_at=None,
        versions=(),
        withdrawn=None,
        datestamp=header.datestamp,
        converted=name == "arXiv",
        format=name,
        raw=raw_of(record),
    )
    if name == "arXiv":
        submitted_at, updated_at = _days(form, server)
        authors = _authors(fields["authors"]) if "authors" in fields else ()
        return replace(found, authors=authors, submitted_at=submitted_at, updated_at=updated_at)
    authors = parse_author_line(text("authors") or "")
    return _with_versions(replace(found, authors=authors), versions)


def _with_versions(found: Record, elements: list[Any]) -> Record:
    """The record with its versions and what follows from them; the newest one says whether it is withdrawn."""
    versions = sorted(map(_version, elements), key=lambda version: version.version)
    if not versions:
        return found
    if len({version.version for version in versions}) < len(versions):
        raise ItemError("it has one version twice")
    first, newest = versions[0], versions[-1]
    return replace(
        found,
        version=newest.version,
        versions=tuple(versions),
        submitted_at=first.submitted_at if first.version == 1 else None,
        updated_at=newest.submitted_at,
        # An earlier withdrawal may have been followed by a new text (FACTS 10.3).
        withdrawn="I" in (newest.source_type or ""),
    )


def _version(element: Any) -> Version:
    written = element.get("version") or ""
    number = _VERSION.fullmatch(written)
    if number is None:
        raise ItemError(f"it has a version named {shorten(written, 40)!r}")
    time = child_text(element, "date")
    submitted_at = instant(time)
    if time and submitted_at is None:
        raise ItemError(f"the time {shorten(time, 60)!r} of its version {number[1]} cannot be read")
    return Version(int(number[1]), submitted_at, child_text(element, "size"), child_text(element, "source_type"))


def _days(form: Any, server: Server | None) -> tuple[datetime | None, datetime | None]:
    """When version 1 and the newest one were submitted, as far as the ``arXiv`` format says so.

    For the old server ``created`` is the day of version 1 and ``updated``, absent where there is no other, that of the
    newest. The current one has the newest version's day in ``created`` and the day of the last edit in ``updated``.
    """
    created, updated = _day(form, "created"), _day(form, "updated")
    if server is Server.OLD:
        return midnight(created), midnight(updated or created)
    return None, midnight(created) if server is Server.CURRENT else None


def _day(parent: Any, name: str) -> date | None:
    """A day in a child element; None when absent. Raises ItemError for one that cannot be read."""
    written = child_text(parent, name)
    day = None if written is None else read_day(written)
    if written is not None and day is None:
        raise ItemError(f"its {name} {shorten(written, 40)!r} is no day")
    return day


def _authors(listed: Any) -> tuple[Author, ...]:
    """The authors of the ``arXiv`` format, with the affiliations that the old server gave."""
    return authors_from_parsed(
        [
            *(child_text(author, part) or "" for part in ("keyname", "forenames", "suffix")),
            *(text_of(place) for place in children(author, "affiliation")),
        ]
        for author in children(listed, "author")
    )


def _read_dc(form: Any, record: Any, header: Header) -> Record:
    """Read ``oai_dc``, whose elements have general names and are told apart by their order and their form.

    Descriptions are the abstract, then the comments; dates are the days of version 1 and, where there is another, of the
    newest one; identifiers are pages, then the journal reference, then ``doi:...``.
    """
    texts: dict[str, list[str]] = {}
    for child in children(form):
        texts.setdefault(local(child), []).append(text_of(child).strip())
    titles, descriptions, dates = (list(filter(None, texts.get(key, []))) for key in ("title", "description", "date"))
    if len(titles) > 1 or len(descriptions) > 2:
        raise ItemError("it has two titles or three descriptions, as if two records had run into one")
    days = [read_day(text) for text in dates]
    if None in days:
        raise ItemError(f"its date {shorten(dates[days.index(None)], 40)!r} is no day")
    papers = [("identifier", paper_in("identifier", header.arxiv_id))]
    journal_ref = doi = None
    for text in map(unwrap, texts.get("identifier", [])):
        if _ABS_PAGE.match(text):
            papers.append(("dc:identifier", paper_in("dc:identifier", text)))
        elif text.startswith("doi:"):
            doi = doi or text.removeprefix("doi:").strip() or None
        else:
            journal_ref = journal_ref or text or None
    primary, categories = _categories(texts.get("subject", []), _sets(record))
    return Record(
        arxiv_id=agreed(papers).id,
        version=None,
        title=unwrap(titles[0]) if titles else None,
        abstract=unwrap_abstract(descriptions[0]) if descriptions else None,
        authors=_creators(texts.get("creator", [])),
        primary_category=primary,
        categories=categories,
        # The old server wrote a label.
        comments=unwrap(descriptions[1]).removeprefix("Comment: ") if len(descriptions) > 1 else None,
        journal_ref=journal_ref,
        doi=doi,
        license=None,
        submitted_at=midnight(days[0]) if days else None,
        updated_at=midnight(days[-1]) if days else None,
        versions=(),
        withdrawn=None,
        datestamp=header.datestamp,
        converted=True,
        format="oai_dc",
        raw=raw_of(record),
    )


def _creators(written: Iterable[str]) -> tuple[Author, ...]:
    """The authors of "Last Suffix, First"; a suffix may follow a comma of its own ("Forney, Jr., G. David")."""
    names = (one_line(text).rpartition(", ") for text in written)
    return authors_from_parsed((last, first) if comma else (first,) for last, comma, first in names)


def _sets(record: Any) -> tuple[str, ...]:
    header = find_child(record, "header")
    return tuple(text_of(spec).strip() for spec in children(header, "setSpec"))


def _categories(subjects: list[str], sets: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The primary category and all, from their full names; subjects that name none, such as MSC classes, are left out.

    Some names belong to several categories. Those count whose sets the header lists; failing that, the canonical one, if
    there is one only. When the first subject is not understood, which category is the primary one is not known.
    """
    found = [_named(one_line(subject), sets) for subject in subjects]
    primary = found[0][0] if found and found[0] else None
    return primary, tuple(dict.fromkeys(category for some in found for category in some))


def _named(subject: str, sets: tuple[str, ...]) -> tuple[str, ...]:
    possible = taxonomy.ids_named(subject)
    listed = tuple(name for spec in sets for name in possible if taxonomy.OAI_SETS[name] == spec)
    canonical = {taxonomy.canonical(name) for name in possible}
    return listed or (tuple(canonical) if len(canonical) == 1 else ())
