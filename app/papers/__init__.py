"""Papers: storing what the sources say of them, and finding them again."""

from app.papers.finding import (
    PaperFilter,
    Source,
    announcements_of,
    check_period,
    conditions,
    find_datestamps,
    find_papers,
    find_source,
    get_paper,
    list_announcements,
    list_papers,
    newest_beside,
    sources_of,
)
from app.papers.records import PaperRecord, Rows, abstract_hash, names_listed, of_record, raw_hash, rows_of_record
from app.papers.storing import Upserted, upsert, upsert_rows

__all__ = [
    "PaperFilter",
    "PaperRecord",
    "Rows",
    "Source",
    "Upserted",
    "abstract_hash",
    "announcements_of",
    "check_period",
    "conditions",
    "find_datestamps",
    "find_papers",
    "find_source",
    "get_paper",
    "list_announcements",
    "list_papers",
    "names_listed",
    "newest_beside",
    "of_record",
    "raw_hash",
    "rows_of_record",
    "sources_of",
    "upsert",
    "upsert_rows",
]
