"""Papers as JSON that Postgres writes: equal to ``app.api.schemas.PaperRead`` and its kin (``tests/test_papers_json.py``).

What callers ask for often is not read into objects and written out again: each field has its expression here, and a statement
holds those that are wanted. Names and formats are part of the statements; a parameter would be sent with every call.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, column, func, literal_column, or_, select
from sqlalchemy.dialects.postgresql import JSON, JSONB, distinct_on
from sqlalchemy.orm import aliased

from app.arxiv import ids
from app.llm import is_english
from app.models import Announcement, Paper, PaperEntry, Summary
from app.papers.filters import ORIGINS

Sql = SQLColumnExpression[Any]


def quoted(value: str) -> ColumnElement[str]:
    """A text that is part of the statement."""
    return literal_column("'" + value.replace("'", "''") + "'")


def instant(value: Sql) -> ColumnElement[str]:
    """An instant as pydantic writes it: ``2026-01-13T09:30:00Z``, with six digits of a second that is not whole."""
    written = func.to_char(func.timezone(quoted("UTC"), value), quoted('YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
    return func.replace(written, quoted(".000000Z"), quoted("Z"))


def json_object(members: Mapping[str, Sql]) -> Sql:
    """A JSON object with these members, in this order."""
    return func.json_build_object(*(part for name, value in members.items() for part in (quoted(name), value)))


_NONE: Final[Sql] = literal_column("'[]'::json")
_FALSE: Final[Sql] = literal_column("false")


def _elements(column_: Any, name: str) -> Any:
    return func.jsonb_array_elements(column_).table_valued(column("value", JSONB), name=name)


def _member(value: Any, name: str) -> Sql:
    found: Sql = value.op("->", return_type=JSON())(quoted(name))
    return found


def _text(value: Any, name: str) -> Sql:
    found: Sql = value.op("->>")(quoted(name))
    return found


def _versions() -> Sql:
    one = _elements(Paper.versions, "one")
    value = one.c.value
    submitted: Sql = literal_column("(one.value ->> 'submitted_at')::timestamptz")
    members = {
        "version": _member(value, "version"),
        "submitted_at": instant(submitted),
        "size": _member(value, "size"),
        "source_type": _member(value, "source_type"),
        "withdrawn": func.coalesce(func.strpos(_text(value, "source_type"), quoted("I")) > literal_column("0"), _FALSE),
    }
    known = select(func.json_agg(json_object(members))).select_from(one).scalar_subquery()
    return func.coalesce(known, _NONE)


FIELDS: Final[Mapping[str, Sql]] = {
    "arxiv_id": Paper.arxiv_id,
    "version": Paper.version,
    "title": Paper.title,
    "abstract": Paper.abstract,
    "abstract_is_cut": Paper.abstract_is_cut,
    "authors": Paper.authors,
    "authors_omitted": Paper.authors_omitted,
    "primary_category": Paper.primary_category,
    "categories": Paper.categories,
    "comments": Paper.comments,
    "journal_ref": Paper.journal_ref,
    "doi": Paper.doi,
    "license": Paper.license,
    "submitted_at": instant(Paper.submitted_at),
    "updated_at": instant(Paper.updated_at),
    "first_announced_on": Paper.first_announced_on,
    "withdrawn": Paper.withdrawn,
    "versions": _versions(),
    "links": json_object(
        {
            "abs": quoted(ids.abs_url("")).concat(Paper.arxiv_id),
            "pdf": quoted(ids.pdf_url("")).concat(Paper.arxiv_id),
        }
    ),
    "stored_at": instant(Paper.stored_at),
    "changed_at": instant(Paper.changed_at),
    "display_title": func.coalesce(Paper.display_title, Paper.title),
    "display_abstract": func.coalesce(Paper.display_abstract, Paper.abstract),
}
"""Every field of a paper in a list, in the order in which it is written."""


def paper_json(fields: Sequence[str] | None = None, *, summaries: bool = False, language: str | None = None) -> Sql:
    """A row of ``papers`` as a JSON object: these fields of ``FIELDS`` (all, if none are named), and ``arxiv_id`` always.

    With ``summaries`` those that speak for the paper: one of each language, or of ``language`` alone.
    """
    members = {name: value for name, value in FIELDS.items() if not fields or name in fields or name == "arxiv_id"}
    if summaries:
        members["summaries"] = summaries_json(language)
    return json_object(members)


def detail_json() -> Sql:
    """A paper with its announcements, the first first, and its newest raw record."""
    announced: dict[str, Sql] = {
        name: getattr(Announcement, name) for name in ("category", "announced_on", "announce_type", "version", "source")
    }
    announcements = select(
        func.json_agg(json_object(announced)).aggregate_order_by(Announcement.announced_on, Announcement.category)
    ).where(Announcement.arxiv_id == Paper.arxiv_id)
    received: dict[str, Sql] = {
        "format": PaperEntry.format,
        "received_at": instant(PaperEntry.received_at),
        "raw": PaperEntry.raw,
    }
    source = (
        select(json_object(received))
        .where(PaperEntry.arxiv_id == Paper.arxiv_id)
        .order_by(PaperEntry.id.desc())
        .limit(literal_column("1"))
    )
    more = {
        "announcements": func.coalesce(announcements.correlate(Paper).scalar_subquery(), _NONE),
        "source": source.correlate(Paper).scalar_subquery(),
    }
    return json_object({**FIELDS, **more})


def summaries_json(language: str | None) -> Sql:
    """The done summaries that speak for the paper, by language: of each, the one that ``summaries.current`` would choose.

    An English one may be of another language, if that is all there is: it brings the English sentence.
    """
    one = aliased(Summary)
    wanted = [one.arxiv_id == Paper.arxiv_id, one.status == quoted("done"), one.released_at.is_(None)]
    first: list[Sql] = [one.language]
    if language is not None:
        spoken = one.language == language
        wanted.append(or_(spoken, one.tldr_en.is_not(None)) if is_english(language) else spoken)
        first = [spoken.desc()]
    stale = and_(
        one.abstract_hash != Paper.abstract_hash,
        func.coalesce(one.paper_version, literal_column("1")) != func.coalesce(Paper.version, literal_column("1")),
    )
    rank = (
        *first,
        one.tldr.is_not(None).desc(),
        (one.origin == quoted("human")).desc(),
        stale,
        func.array_position(ORIGINS, one.origin),
        (one.detail == quoted("full")).desc(),
        one.made_at.desc(),
        one.id.desc(),
    )
    speaking: Any = select(one.language, _summary_json(one, stale).label("summary")).where(*wanted).order_by(*rank)
    chosen = speaking.ext(distinct_on(one.language)) if language is None else speaking.limit(literal_column("1"))
    best = chosen.correlate(Paper).subquery("best")
    told = select(func.json_agg(best.c.summary).aggregate_order_by(best.c.language.collate("C")))
    return func.coalesce(told.scalar_subquery(), _NONE)


def _summary_json(one: Any, stale: Sql) -> Sql:
    """A row of ``summaries`` as ``SummaryRead`` has it."""
    finding = _elements(one.checks, "finding")
    value = finding.c.value
    found = {
        "check": _member(value, "check"),
        "reason": _member(value, "reason"),
        "is_fault": func.coalesce(_member(value, "is_fault"), literal_column("'true'::jsonb")),
    }
    checks = select(func.json_agg(json_object(found))).select_from(finding).scalar_subquery()
    empty = quoted("")
    same = {
        name: getattr(one, name)
        for name in (
            *("id", "arxiv_id", "paper_version", "language", "status", "origin", "title", "abstract", "tldr"),
            *("tldr_en", "fields", "detail"),
        )
    }
    return json_object(
        {
            **same,
            "checks": func.coalesce(checks, _NONE),
            "model": func.coalesce(func.nullif(one.answered_by, empty), func.nullif(one.model, empty)),
            "provider": func.nullif(one.provider, empty),
            "prompt_version": func.nullif(one.prompt_version, empty),
            "author": one.author,
            "released_at": instant(one.released_at),
            "input_tokens": one.input_tokens,
            "output_tokens": one.output_tokens,
            "cost": one.cost,
            "attempts": one.attempts,
            "reason": one.reason,
            "error": one.error,
            "retry_at": instant(one.retry_at),
            "made_at": instant(one.made_at),
            "stale": stale,
        }
    )
