"""Papers: storing what the sources say of them, and finding them again."""

from app.papers.as_json import FIELDS, paper_json
from app.papers.filters import PaperFilter, Standing, check_period, conditions, standing_of
from app.papers.finding import (
    Source,
    announcements_of,
    find_datestamps,
    find_papers,
    find_source,
    get_paper,
    list_announcements,
    sources_of,
)
from app.papers.reading import (
    BATCH,
    Direction,
    Key,
    Page,
    PaperQuery,
    Shown,
    Sort,
    read_all,
    read_page,
    read_paper,
    read_papers,
)
from app.papers.records import PaperRecord, Rows, abstract_hash, names_listed, of_record, raw_hash, rows_of_record
from app.papers.storing import Upserted, upsert, upsert_rows

__all__ = [
    "BATCH",
    "FIELDS",
    "Direction",
    "Key",
    "Page",
    "PaperFilter",
    "PaperQuery",
    "PaperRecord",
    "Rows",
    "Shown",
    "Sort",
    "Source",
    "Standing",
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
    "names_listed",
    "of_record",
    "paper_json",
    "raw_hash",
    "read_all",
    "read_page",
    "read_paper",
    "read_papers",
    "rows_of_record",
    "sources_of",
    "standing_of",
    "upsert",
    "upsert_rows",
]
