"""arXiv's OAI-PMH interface: addresses of requests, and answers read into types (FACTS section 3).

Pure: nothing here opens a connection. The reader is as strict as that of the listings. An answer is read whole or
refused with a reason, because a page that is silently short loses papers that nobody will ask for again.
"""

from app.arxiv.oai.answers import (
    Identifiers,
    Identify,
    Page,
    parse_identifiers,
    parse_identify,
    parse_page,
    parse_record,
    parse_sets,
)
from app.arxiv.oai.records import Header
from app.arxiv.oai.urls import get_record_url, identifiers_url, records_url, resume_from, resume_url
from app.arxiv.taxonomy import category_of, set_of

__all__ = [
    "Header",
    "Identifiers",
    "Identify",
    "Page",
    "category_of",
    "get_record_url",
    "identifiers_url",
    "parse_identifiers",
    "parse_identify",
    "parse_page",
    "parse_record",
    "parse_sets",
    "records_url",
    "resume_from",
    "resume_url",
    "set_of",
]
