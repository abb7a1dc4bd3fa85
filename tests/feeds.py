"""Listings for tests, in arXiv's current RSS format, with invented papers."""

from dataclasses import dataclass
from datetime import date, datetime
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

TUESDAY = date(2026, 1, 13)
WEDNESDAY = date(2026, 1, 14)


@dataclass(frozen=True)
class Item:
    """One item of a listing."""

    id: str
    version: int = 1
    type: str = "new"
    title: str = "On Testing"
    abstract: str = "We propose a test. It passes."
    categories: tuple[str, ...] = ("cs.CL",)
    creator: str = "Ada Sample, Bo Example (Univ. of Tests, Dept. X)"


def rss(category: str, day: date, *items: Item) -> bytes:
    """A whole document."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo("America/New_York"))
    stamp = midnight.strftime("%a, %d %b %Y %H:%M:%S %z")
    body = "".join(_item(item, stamp) for item in items)
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0">
  <channel>
    <title>{category} updates on arXiv.org</title>
    <link>http://rss.arxiv.org/rss/{category}</link>
    <description>{category} updates on the arXiv.org e-print archive.</description>
    <pubDate>{stamp}</pubDate>
    {body}
  </channel>
</rss>""".encode()


def _item(item: Item, stamp: str) -> str:
    categories = "".join(f"<category>{name}</category>" for name in item.categories)
    label = f"arXiv:{item.id}v{item.version} Announce Type: {item.type} \nAbstract: {item.abstract}"
    return f"""<item><title>{escape(item.title)}</title><link>https://arxiv.org/abs/{item.id}</link>
      <description>{escape(label)}</description><guid isPermaLink="false">oai:arXiv.org:{item.id}v{item.version}</guid>
      {categories}<pubDate>{stamp}</pubDate><arxiv:announce_type>{item.type}</arxiv:announce_type>
      <dc:creator>{escape(item.creator)}</dc:creator></item>"""
