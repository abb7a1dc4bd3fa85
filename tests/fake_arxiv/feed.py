"""rss.arxiv.org: today's listing of categories and archives as RSS 2.0 and Atom (FACTS section 2).

The documents are those of arXiv's own server, to the byte; ``test_documents.py`` compares them.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from xml.sax.saxutils import escape, quoteattr

from tests.fake_arxiv.faults import Fault
from tests.fake_arxiv.names import ARCHIVES, CATEGORIES, names_in
from tests.fake_arxiv.replies import Reply
from tests.fake_arxiv.world import DAY, EASTERN, Paper, World, batch_day_before, midnight

LIMIT = 2000

_TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml"}
_WEAKER = {"new": "cross", "cross": "replace", "replace": "replace-cross", "replace-cross": "replace-cross"}


class BadSpec(Exception):
    """What arXiv says of a name that it does not know."""


@dataclass(frozen=True, slots=True)
class Item:
    """A paper in a listing."""

    paper: Paper
    announce_type: str

    @property
    def full_id(self) -> str:
        """The id with its version."""
        return f"{self.paper.arxiv_id}v{self.paper.version}"


@dataclass(frozen=True, slots=True)
class Head:
    """What a document says of itself; ``built_at`` is not the day that it is about."""

    form: str  # "rss" or "atom"
    query: str
    day: date
    built_at: datetime

    @property
    def address(self) -> str:
        """Where the document says that it comes from."""
        return f"http://rss.arxiv.org/{self.form}/{self.query}"


def read_spec(spec: str) -> list[str]:
    """The archives and categories of an address, archives first, as the title names them. Raises BadSpec."""
    parts = spec.split("+")
    if not all(part.strip() for part in parts):
        raise BadSpec(
            f"Invalid archive specification '{spec}'. Correct format is one or more archive names delimited by '+'. "
            "Each name can be either of the form 'archive' or 'archive.category'. For example: 'math+cs.CG' (all from "
            "math and only computational geometry from computer science)."
        )
    archives, categories = [], []
    for part in parts:
        archive, _, ending = part.partition(".")
        archive = archive.lower()
        if "." in ending:
            raise BadSpec(
                f"Bad archive/subject class structure '{part}'. Valid names include an archive, possibly followed by a "
                "single period and subject class."
            )
        if archive not in ARCHIVES:
            valid = [known.id for known in ARCHIVES.values() if known.active]
            raise BadSpec(f"Bad archive '{archive}'. Valid archive names are: {', '.join(valid)}, test.")
        if "." not in part:
            archives.append(archive)
            continue
        found = [name for name in (f"{archive}.{ending.upper()}", f"{archive}.{ending.lower()}") if name in CATEGORIES]
        if not found:
            valid = [known.id for known in CATEGORIES.values() if known.archive == archive and known.active]
            raise BadSpec(
                f"Bad subject class '{ending}'. Valid subject classes for the archive '{archive}' are: {', '.join(valid)}."
            )
        categories.append(found[0])
    return archives + categories


def scope_of(spec: str) -> list[str]:
    """The names that faults can be about."""
    try:
        return read_spec(spec)
    except BadSpec:
        return []


def answer(
    world: World, form: str, spec: str, version: str | None, now: datetime, faults: Sequence[Fault], limit: int,
    mended_at: datetime | None,
) -> Reply:  # fmt: skip
    """The answer to a request for ``/rss/{spec}`` or ``/atom/{spec}``."""
    today = now.astimezone(EASTERN).date()
    built_at = min(now, midnight(today) + timedelta(seconds=2))
    if mended_at:
        built_at = max(built_at, mended_at)
    head = Head(form, spec, today, built_at)
    if form == "rss" and version not in (None, "2.0"):
        reason = f"Unsupported feed version 'RSS {version}' requested. Valid options are: Atom 1.0, RSS 2.0."
        return _reply(form, error_document(head, reason), now, status=400)
    try:
        topics = read_spec(spec)
    except BadSpec as error:
        return _reply(form, error_document(head, str(error)), now, status=400)
    items = _items(world, topics, today, faults, limit)
    return _reply(form, document(replace(head, query="+".join(topics)), topics, items), now)


def _reply(form: str, body: bytes, now: datetime, status: int = 200) -> Reply:
    tomorrow = midnight(now.astimezone(EASTERN).date() + DAY)
    headers = {
        "Content-Type": _TYPES[form],
        "ETag": f'"{hashlib.sha256(body).hexdigest()}"',
        "Cache-Control": f"max-age={int((tomorrow - now).total_seconds())}",
    }
    return Reply(body, status, headers, negotiable=True)


def _items(world: World, topics: Sequence[str], today: date, faults: Sequence[Fault], limit: int) -> list[Item]:
    by_kind = {fault.kind: fault for fault in faults}
    names: frozenset[str] = frozenset().union(*map(names_in, topics))
    day = batch_day_before(today) if "stale" in by_kind else today
    items = [] if "empty" in by_kind else [Item(paper, kind) for paper, kind in world.listing(names, day)]
    if "truncated" in by_kind:
        # arXiv's limit is far above a day's cross-lists and replacements: however low it is here, only new papers are lost.
        others = sum(item.announce_type != "new" for item in items)
        limit = max(by_kind["truncated"].limit, others)
    # The new papers with the lowest ids are lost first (FACTS 2.2).
    items = items[max(0, len(items) - limit) :]
    if "wrong-types" in by_kind:
        items = _with_wrong_types(items, by_kind["wrong-types"].how, names)
    if "unknown-type" in by_kind and items:
        items[-1] = replace(items[-1], announce_type=by_kind["unknown-type"].word)
    if "duplicates" in by_kind:
        items = _with_duplicates(items)
    return items


def _with_duplicates(items: Sequence[Item]) -> list[Item]:
    doubled = []
    for place, item in enumerate(items):
        doubled.append(item)
        if place % 2 == 0:
            weaker = _WEAKER.get(item.announce_type, "replace-cross")
            doubled.append(item if place % 4 == 0 else replace(item, announce_type=weaker))
    return doubled


def _with_wrong_types(items: Sequence[Item], how: Sequence[str], names: Collection[str]) -> list[Item]:
    """Each item wrong in one of the ways that are possible for it, in turns."""
    changed = []
    for place, item in enumerate(items):
        turned = [how[(place + step) % len(how)] for step in range(len(how))]
        wrong = (_wrong_type(item, way, primary=item.paper.primary in names) for way in turned)
        kind = next((kind for kind in wrong if kind), item.announce_type)
        changed.append(replace(item, announce_type=kind))
    return changed


def _wrong_type(item: Item, way: str, *, primary: bool) -> str | None:
    match way:
        case "new-on-v2" if item.paper.version > 1:
            return "new"
        case "replace-on-v1" if item.paper.version == 1:
            return "replace" if primary else "replace-cross"
        case "new-on-secondary" if not primary and item.announce_type == "cross":
            return "new"
        case "swapped-replacements" if item.announce_type.startswith("replace"):
            return "replace-cross" if item.announce_type == "replace" else "replace"
    return None


# Documents


def document(head: Head, topics: Sequence[str], items: Sequence[Item]) -> bytes:
    """A listing."""
    names = ", ".join(topics)
    return _document(
        head, f"{names} updates on arXiv.org", f"{names} updates on the arXiv.org e-print archive.", items,
        ("Saturday", "Sunday") if head.day.day % 2 else ("Sunday", "Saturday"),
    )  # fmt: skip


def error_document(head: Head, reason: str) -> bytes:
    """The listing that is an error report."""
    return _document(head, f"Feed error for query: {head.address}", reason, (), ())


def _document(head: Head, title: str, description: str, items: Sequence[Item], skip_days: Sequence[str]) -> bytes:
    make = _rss if head.form == "rss" else _atom
    return make(head, escape(title), escape(description), items, skip_days).encode()


def _rss(head: Head, title: str, description: str, items: Sequence[Item], skip_days: Sequence[str]) -> str:
    day = midnight(head.day).astimezone(EASTERN).strftime("%a, %d %b %Y %H:%M:%S %z")
    skipped = "".join(f"      <day>{name}</day>\n" for name in skip_days)
    if skipped:
        skipped = f"    <skipDays>\n{skipped}    </skipDays>\n"
    body = "".join(_rss_item(item, day) for item in items)
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" \
xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/" version="2.0">
  <channel>
    <title>{title}</title>
    <link>{escape(head.address)}</link>
    <description>{description}</description>
    <atom:link href={quoteattr(head.address)} rel="self" type="application/rss+xml"/>
    <docs>http://www.rssboard.org/rss-specification</docs>
    <language>en-us</language>
    <lastBuildDate>{head.built_at.astimezone(UTC):%a, %d %b %Y %H:%M:%S +0000}</lastBuildDate>
    <managingEditor>rss-help{"@" if skip_days else "."}arxiv.org</managingEditor>
    <pubDate>{day}</pubDate>
{skipped}{body}  </channel>
</rss>
"""


def _rss_item(item: Item, day: str) -> str:
    paper = item.paper
    categories = "".join(f"      <category>{name}</category>\n" for name in paper.categories)
    return f"""    <item>
      <title>{escape(paper.title)}</title>
      <link>https://arxiv.org/abs/{paper.arxiv_id}</link>
      <description>{_description(item)}</description>
      <guid isPermaLink="false">oai:arXiv.org:{item.full_id}</guid>
{categories}      <pubDate>{day}</pubDate>
      <arxiv:announce_type>{item.announce_type}</arxiv:announce_type>
{_element("      ", "dc:rights", paper.license)}{_element("      ", "arxiv:DOI", paper.doi)}\
{_element("      ", "arxiv:journal_reference", paper.journal_ref)}\
      <dc:creator>{_creator(paper)}</dc:creator>
    </item>
"""


def _atom(head: Head, title: str, description: str, items: Sequence[Item], skip_days: Sequence[str]) -> str:
    built_at = head.built_at.astimezone(UTC)
    published = midnight(head.day).astimezone(EASTERN).isoformat()
    entries = "".join(
        _atom_entry(item, (built_at + timedelta(microseconds=700180 + place)).isoformat(), published)
        for place, item in enumerate(items)
    )
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" \
xmlns="http://www.w3.org/2005/Atom" xml:lang="en-us">
  <id>{escape(head.address)}</id>
  <title>{title}</title>
  <updated>{(built_at + timedelta(microseconds=600500)).isoformat()}</updated>
  <link href={quoteattr(head.address)} rel="self" type="application/atom+xml"/>
  <subtitle>{description}</subtitle>
{entries}</feed>
"""


def _atom_entry(item: Item, updated: str, published: str) -> str:
    paper = item.paper
    categories = "".join(f'    <category term="{name}"/>\n' for name in paper.categories)
    return f"""  <entry>
    <id>oai:arXiv.org:{item.full_id}</id>
    <title>{escape(paper.title)}</title>
    <updated>{updated}</updated>
    <link href="https://arxiv.org/abs/{paper.arxiv_id}" rel="alternate" type="text/html"/>
    <summary>{_description(item)}</summary>
{categories}    <published>{published}</published>
    <arxiv:announce_type>{item.announce_type}</arxiv:announce_type>
{_element("    ", "dc:rights", paper.license)}{_element("    ", "arxiv:journal_reference", paper.journal_ref)}\
{_element("    ", "arxiv:DOI", paper.doi)}    <dc:creator>{_creator(paper)}</dc:creator>
  </entry>
"""


def _description(item: Item) -> str:
    return escape(f"arXiv:{item.full_id} Announce Type: {item.announce_type} \nAbstract: {item.paper.abstract}")


def _creator(paper: Paper) -> str:
    return escape(
        ", ".join(
            author.name + (f" ({', '.join(author.affiliations)})" if author.affiliations else "")
            for author in paper.authors
        )
    )


def _element(indent: str, name: str, text: str | None) -> str:
    return f"{indent}<{name}>{escape(text)}</{name}>\n" if text else ""
