"""export.arxiv.org/api/query: papers by their ids (FACTS section 4). Searching is not part of the fake.

The documents are those of arXiv's own server; ``test_documents.py`` compares them.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from tests.fake_arxiv.replies import Reply
from tests.fake_arxiv.texts import Person, to_unicode
from tests.fake_arxiv.world import Paper, World

_ID = re.compile(r"((?:\d{4}\.\d{4,5}|[a-z]+(?:-[a-z]+)?(?:\.[A-Z]{2})?/\d{7}))(?:v([1-9]\d*))?")
_MOST = 2000
_HEADERS = {"Content-Type": "application/atom+xml; charset=utf-8"}


def answer(world: World, query: str, now: datetime, faults: Sequence[str] = ()) -> Reply:
    """The answer to a request; ``faults`` are the kinds of those that its content meets."""
    asked = dict(parse_qsl(query))
    names = [name.strip() for name in asked.get("id_list", "").split(",") if name.strip()]
    if asked.get("search_query") or not names:
        return Reply(b"this fake answers id_list only", 501, {"Content-Type": "text/plain"})
    numbers = {"start": 0, "max_results": 10}
    for name in numbers:
        if not asked.get(name, "0").isdigit():
            return _error(f"{name} must be an integer", now)
        numbers[name] = int(asked.get(name, numbers[name]))
    start, count = numbers["start"], numbers["max_results"]
    if not 0 < count <= _MOST:
        return Reply(b"Internal Server Error", 500, {"Content-Type": "text/html"})
    found = []
    for name in dict.fromkeys(names):
        match = _ID.fullmatch(name)
        if match is None:
            return _error(f"incorrect id format for {name}", now)
        paper = _find(world, match[1], int(match[2]) if match[2] else None, now)
        if paper is not None:
            found.append(paper)
    # Nothing promises the order in which they were asked for, so that nobody shall rely on it.
    found.sort(key=lambda paper: paper.arxiv_id, reverse=True)
    page = [] if "empty-page" in faults else found[start : start + count]
    body = document(page, ",".join(names), start, count, len(found), now)
    return Reply(body.encode(), 200, dict(_HEADERS), negotiable=True)


def _find(world: World, arxiv_id: str, version: int | None, now: datetime) -> Paper | None:
    """The newest version, or the one that is asked for, as it was last described."""
    newest = world.paper_at(arxiv_id, now)
    if newest is None or version in (None, newest.version):
        return newest
    seen = [paper for paper in world.history(arxiv_id) if paper.modified_at <= now and paper.version == version]
    return seen[-1] if seen else None


def document(page: Sequence[Paper], id_list: str, start: int, count: int, total: int, now: datetime) -> str:
    """A page of results."""
    asked = f"search_query=&start={start}&max_results={count}&id_list={id_list}"
    name = hashlib.blake2b(asked.encode(), digest_size=10).hexdigest()
    title = f"arXiv Query: search_query=&id_list={id_list}&start={start}&max_results={count}"
    return f"""{_HEAD}
  <id>https://arxiv.org/api/{name}</id>
  <title>{escape(title)}</title>
  <updated>{_time(now)}</updated>
  <link href={quoteattr("https://arxiv.org/api/query?" + asked)} type="application/atom+xml"/>
  <opensearch:itemsPerPage>{count}</opensearch:itemsPerPage>
  <opensearch:totalResults>{total}</opensearch:totalResults>
  <opensearch:startIndex>{start}</opensearch:startIndex>
{"".join(map(_entry, page))}</feed>
"""


_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" \
xmlns="http://www.w3.org/2005/Atom">"""


def _entry(paper: Paper) -> str:
    full_id = f"{paper.arxiv_id}v{paper.version}"
    categories = "".join(
        f'    <category term="{name}" scheme="http://arxiv.org/schemas/atom"/>\n' for name in paper.categories
    )
    links = "".join(
        f"    <arxiv:doi>{escape(doi)}</arxiv:doi>\n"
        f'    <link rel="related" href={quoteattr("https://doi.org/" + doi)} title="doi"/>\n'
        for doi in (paper.doi or "").split()
    )
    return f"""  <entry>
    <id>http://arxiv.org/abs/{full_id}</id>
    <title>{_text(paper.title)}</title>
    <updated>{_time(paper.versions[-1].submitted_at)}</updated>
    <link href="https://arxiv.org/abs/{full_id}" rel="alternate" type="text/html"/>
    <link href="https://arxiv.org/pdf/{full_id}" rel="related" type="application/pdf" title="pdf"/>
    <summary>{_text(paper.abstract)}</summary>
{categories}    <published>{_time(paper.versions[0].submitted_at)}</published>
{_element("arxiv:comment", paper.comments)}    <arxiv:primary_category term="{paper.primary}"/>
{_element("arxiv:journal_ref", paper.journal_ref)}{"".join(map(_author, paper.authors))}{links}  </entry>
"""


def _author(person: Person) -> str:
    affiliations = "".join(f"  {_element('arxiv:affiliation', place)}" for place in person.affiliations)
    return f"    <author>\n      <name>{_text(person.name.strip())}</name>\n{affiliations}    </author>\n"


def _element(name: str, text: str | None) -> str:
    return f"    <{name}>{_text(text)}</{name}>\n" if text else ""


def _text(text: str) -> str:
    return escape(to_unicode(text, greek=False))


def _time(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _error(reason: str, now: datetime) -> Reply:
    return Reply(error_document(reason, now).encode(), 400, dict(_HEADERS))


def error_document(reason: str, now: datetime) -> str:
    """The page whose one entry is an error."""
    address = escape(f"https://arxiv.org/api/errors#{reason.replace(' ', '_')}")
    return f"""{_HEAD}
  <id>https://arxiv.org/</id>
  <title>arXiv Search Results</title>
  <updated>{_time(now)}</updated>
  <opensearch:itemsPerPage>1</opensearch:itemsPerPage>
  <opensearch:totalResults>1</opensearch:totalResults>
  <opensearch:startIndex>0</opensearch:startIndex>
  <entry>
    <id>{address}</id>
    <title>Error</title>
    <updated>{_time(now)}</updated>
    <link href="{address}" rel="alternate" type="text/html"/>
    <summary>{escape(reason)}</summary>
    <author>
      <name>arXiv api core</name>
    </author>
  </entry>
</feed>
"""
