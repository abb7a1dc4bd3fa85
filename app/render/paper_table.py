"""Papers as a table, a line at a time (RFC 4180): by the rules of ``app.render.csv``, also against formulas."""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from io import StringIO
from typing import Any, Final

from app.render.csv import defused
from app.render.text import encodable

Paper = Mapping[str, Any]
"""A paper as the API's JSON has it."""

_ABS, _PDF = "abs_url", "pdf_url"
SUMMARY_COLUMNS: Final = {
    "summary_language": "language",
    "translated_title": "title",
    "translated_abstract": "abstract",
    "tldr": "tldr",
    "tldr_en": "tldr_en",
    "summary_origin": "origin",
    "summary_model": "model",
    "summary_stale": "stale",
}
"""The columns of a paper's summary, and where its JSON has them."""


def columns(fields: Iterable[str], *, summary: bool) -> list[str]:
    """The names of the columns for these fields; ``links`` are two."""
    names = [name for field in fields for name in ([_ABS, _PDF] if field == "links" else [field])]
    return [*names, *SUMMARY_COLUMNS] if summary else names


def lines(rows: Iterable[Sequence[str]]) -> str:
    """Rows as they are written: quoted where needed, ended by CRLF."""
    file = StringIO(newline="")
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue()


def row(paper: Paper, names: Iterable[str]) -> list[str]:
    """A paper's cells for these columns. Lists are joined by ``; ``, what is missing is empty."""
    return [defused(encodable(_CELLS.get(name, _plain(name))(paper))) for name in names]


def _plain(name: str) -> Callable[[Paper], str]:
    return lambda paper: _text(paper.get(name))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(_text(one).replace(";", "\uff1b") for one in value)
    return str(value)


def _of_summary(name: str) -> Callable[[Paper], str]:
    def cell(paper: Paper) -> str:
        summaries = paper.get("summaries") or [{}]
        return _text(summaries[0].get(name))

    return cell


def _version(one: Mapping[str, Any]) -> str:
    at = one["submitted_at"]
    return f"v{one['version']}" + (f" {at}" if at else "")


_CELLS: Final[dict[str, Callable[[Paper], str]]] = {
    "authors": lambda paper: _text([author["name"] for author in paper["authors"]]),
    "versions": lambda paper: _text([_version(one) for one in paper["versions"]]),
    _ABS: lambda paper: _text(paper["links"]["abs"]),
    _PDF: lambda paper: _text(paper["links"]["pdf"]),
} | {column: _of_summary(name) for column, name in SUMMARY_COLUMNS.items()}
