"""The bundled sample listing is in arXiv's form, agrees with itself, and holds every specimen it promises."""

import importlib
import re
from collections import Counter
from dataclasses import FrozenInstanceError, dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from lxml import etree

from app.sample import SampleFile, files

ARXIV = "{http://arxiv.org/schemas/atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
ATOM = "{http://www.w3.org/2005/Atom}"
TYPES = ["new", "cross", "replace", "replace-cross"]
TUE, WED = date(2026, 1, 13), date(2026, 1, 14)
LABEL = re.compile(
    r"arXiv:(?P<id>\S+?)v(?P<v>[1-9]\d*) Announce Type: (?P<type>[a-z-]+) \nAbstract: (?P<text>.+)", re.DOTALL
)
FILES = files()
EACH_FILE = pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.announced_on}-{f.category}")


@dataclass(frozen=True)
class Item:
    day: date
    feed: str
    id: str
    version: int
    type: str
    title: str
    abstract: str
    categories: tuple[str, ...]
    creator: str
    rights: str | None
    doi: str | None
    journal_ref: str | None


def channel(file: SampleFile) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(file.path.read_bytes(), parser).find("channel")


def items_of(file: SampleFile) -> list[Item]:
    items = []
    for node in channel(file).iterfind("item"):
        label = LABEL.fullmatch(node.findtext("description"))
        assert label is not None
        items.append(
            Item(
                day=file.announced_on,
                feed=file.category,
                id=label["id"],
                version=int(label["v"]),
                type=label["type"],
                title=node.findtext("title"),
                abstract=label["text"],
                categories=tuple(c.text for c in node.iterfind("category")),
                creator=node.findtext(f"{DC}creator"),
                rights=node.findtext(f"{DC}rights"),
                doi=node.findtext(f"{ARXIV}DOI"),
                journal_ref=node.findtext(f"{ARXIV}journal_reference"),
            )
        )
    return items


ITEMS = [item for file in FILES for item in items_of(file)]
PAPERS = {(item.id, item.version): item for item in ITEMS}  # the texts; the type is that of one feed only


def names(creator: str) -> list[str]:
    """The authors, split at the commas outside of parentheses."""
    return re.split(r",\s+(?![^()]*\))", creator)


def test_files_are_listed_by_date_then_category() -> None:
    assert [(f.announced_on, f.category) for f in FILES] == [
        (TUE, "cs.CL"),
        (TUE, "stat.ML"),
        (WED, "cs.CL"),
        (WED, "stat.ML"),
    ]
    assert (TUE.strftime("%a"), WED.strftime("%a")) == ("Tue", "Wed")
    assert all(f.path.is_file() for f in FILES)
    with pytest.raises(FrozenInstanceError):
        FILES[0].category = "cs.AI"  # type: ignore[misc]


@EACH_FILE
def test_head_is_as_arxiv_writes_it(file: SampleFile) -> None:
    body = file.path.read_bytes()
    assert body.isascii()
    assert b"<![CDATA[" not in body
    assert body.startswith(
        b"<?xml version='1.0' encoding='UTF-8'?>\n"
        b'<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        b' xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
        b' version="2.0">\n'
        b"  <channel>\n    <title>"
    )
    assert body.endswith(b"    </item>\n  </channel>\n</rss>\n")
    head = channel(file)
    tags = [node.tag for node in head if node.tag != "item"]
    assert tags == [
        "title",
        "link",
        "description",
        f"{ATOM}link",
        "docs",
        "language",
        "lastBuildDate",
        "managingEditor",
        "pubDate",
        "skipDays",
    ]
    url = f"http://rss.arxiv.org/rss/{file.category}"
    assert head.findtext("title") == f"{file.category} updates on arXiv.org"
    assert head.findtext("description") == f"{file.category} updates on the arXiv.org e-print archive."
    assert head.findtext("link") == url
    assert dict(head.find(f"{ATOM}link").attrib) == {
        "href": url,
        "rel": "self",
        "type": "application/rss+xml",
    }
    assert head.findtext("managingEditor") == "rss-help@arxiv.org"
    assert {node.text for node in head.iterfind("skipDays/day")} == {"Saturday", "Sunday"}


@EACH_FILE
def test_dates_are_midnight_in_winter(file: SampleFile) -> None:
    head, day = channel(file), file.announced_on
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone(timedelta(hours=-5)))
    dates = {head.findtext("pubDate"), *(node.findtext("pubDate") for node in head.iterfind("item"))}
    assert dates == {midnight.strftime("%a, %d %b %Y 00:00:00 -0500")}
    built = parsedate_to_datetime(head.findtext("lastBuildDate"))
    assert head.findtext("lastBuildDate").endswith(" +0000")
    assert timedelta(0) <= built - midnight < timedelta(seconds=10)
    assert built.astimezone(UTC).hour == 5


@EACH_FILE
def test_label_and_elements_agree(file: SampleFile) -> None:
    optional = [f"{DC}rights", f"{ARXIV}DOI", f"{ARXIV}journal_reference"]
    for node, item in zip(channel(file).iterfind("item"), items_of(file), strict=True):
        assert node.findtext(f"{ARXIV}announce_type") == item.type
        assert node.findtext("guid") == f"oai:arXiv.org:{item.id}v{item.version}"
        assert node.find("guid").get("isPermaLink") == "false"
        assert node.findtext("link") == f"https://arxiv.org/abs/{item.id}"
        assert [child.tag for child in node] == [
            "title",
            "link",
            "description",
            "guid",
            *["category"] * len(item.categories),
            "pubDate",
            f"{ARXIV}announce_type",
            *(tag for tag in optional if node.find(tag) is not None),
            f"{DC}creator",
        ]


@EACH_FILE
def test_order_is_type_then_id(file: SampleFile) -> None:
    keys = [(TYPES.index(item.type), item.id) for item in items_of(file)]
    assert keys == sorted(keys)
    assert len({item.id for item in items_of(file)}) == len(keys), "a paper is in a feed once"


def test_counts() -> None:
    assert {(f.announced_on, f.category): Counter(i.type for i in items_of(f)) for f in FILES} == {
        (TUE, "cs.CL"): {"new": 7, "cross": 5, "replace-cross": 1},
        (TUE, "stat.ML"): {"new": 5, "cross": 2, "replace": 1},
        (WED, "cs.CL"): {"new": 7, "cross": 2, "replace": 2},
        (WED, "stat.ML"): {"new": 4, "cross": 4, "replace-cross": 1},
    }
    assert len({i.id for i in ITEMS}) == 32
    assert len({i.id for i in ITEMS if i.day == TUE}) == 17
    assert len({i.id for i in ITEMS if i.day == WED}) == 16


def test_ids_cannot_collide_with_real_ones() -> None:
    ids = {i.id for i in ITEMS}
    assert {i for i in ids if not re.fullmatch(r"\d{4}\.9\d{4}", i)} == {"cmp-lg/9512901"}
    first = sorted({i.id for i in ITEMS if i.id.startswith("2601.")})
    assert first == [f"2601.{90001 + n}" for n in range(len(first))]


def test_types_are_relative_to_the_feed() -> None:
    for item in ITEMS:
        primary = item.categories[0] == item.feed
        assert item.feed in item.categories
        assert len(set(item.categories)) == len(item.categories)
        assert item.type in TYPES
        assert primary == (item.type in ("new", "replace"))
        assert 2 <= item.version <= 5 if item.type.startswith("replace") else True
        assert item.version == 1 if item.type == "new" else True
        assert item.id.startswith("2601.") if item.type == "new" else True


def test_a_paper_is_the_same_in_every_feed_of_a_day() -> None:
    fed = {f.category for f in FILES}
    for item in ITEMS:
        twins = [i for i in ITEMS if (i.day, i.id) == (item.day, item.id)]
        fields = ("version", "title", "abstract", "categories", "creator", "rights", "doi", "journal_ref")
        assert all(getattr(twin, field) == getattr(item, field) for twin in twins for field in fields)
        late_cross = item.type == "cross" and not item.id.startswith("2601.")
        expected = {item.feed} if late_cross else fed & set(item.categories)
        assert {twin.feed for twin in twins} == expected
        allowed = {"new", "cross"} if item.type in ("new", "cross") else {"replace", "replace-cross"}
        assert {twin.type for twin in twins} <= allowed


def test_new_ids_of_a_day_follow_those_of_the_day_before() -> None:
    first = {day: {i.id for i in ITEMS if i.day == day and i.version == 1 and i.id >= "2601."} for day in (TUE, WED)}
    assert max(first[TUE]) < min(first[WED])
    for file in FILES:
        items = items_of(file)
        lowest_new = min(i.id for i in items if i.type == "new")
        assert all(i.id > lowest_new for i in items if i.type == "cross" and i.id.startswith("2601."))


def test_a_new_paper_is_in_both_feeds_with_two_types() -> None:
    assert {(i.feed, i.type) for i in ITEMS if i.id == "2601.90004"} == {
        ("cs.CL", "cross"),
        ("stat.ML", "new"),
    }
    assert {(i.feed, i.type) for i in ITEMS if i.id == "2601.90014"} == {
        ("cs.CL", "cross"),
        ("stat.ML", "cross"),
    }


def test_a_paper_of_tuesday_is_replaced_on_wednesday() -> None:
    history = [(i.day, i.feed, i.version, i.type) for i in ITEMS if i.id == "2601.90003"]
    assert history == [
        (TUE, "cs.CL", 1, "new"),
        (TUE, "stat.ML", 1, "cross"),
        (WED, "cs.CL", 2, "replace"),
        (WED, "stat.ML", 2, "replace-cross"),
    ]
    old, new = PAPERS["2601.90003", 1], PAPERS["2601.90003", 2]
    assert old.title != new.title
    assert old.abstract != new.abstract
    assert old.creator == new.creator


def test_old_papers() -> None:
    old = {(i.feed, i.id, i.version, i.type) for i in ITEMS if not i.id.startswith("2601.")}
    assert old == {
        ("cs.CL", "2511.90044", 3, "cross"),
        ("cs.CL", "2512.90007", 3, "replace-cross"),
        ("stat.ML", "2510.90021", 4, "replace"),
        ("stat.ML", "2512.90031", 1, "cross"),
        ("cs.CL", "cmp-lg/9512901", 2, "replace"),
    }
    published = [i for i in ITEMS if i.doi or i.journal_ref]
    assert [(i.id, i.type) for i in published] == [("2510.90021", "replace")]
    assert (published[0].doi or "").startswith("10.5555/")
    assert published[0].journal_ref


def test_licences() -> None:
    cc, arxiv = "http://creativecommons.org/", "http://arxiv.org/licenses/nonexclusive-distrib/1.0/"
    parts = ["licenses/by", "licenses/by-sa", "licenses/by-nc-sa", "licenses/by-nc-nd"]
    known = {arxiv, f"{cc}publicdomain/zero/1.0/", *(f"{cc}{part}/4.0/" for part in parts)}
    assert {i.rights for i in ITEMS} == {None, *known}
    assert {i.id for i in ITEMS if i.rights is None} == {"cmp-lg/9512901"}


def test_cross_lists_reach_other_archives() -> None:
    seen = {c for i in ITEMS for c in i.categories}
    assert {"cs.AI", "cs.LG", "math.ST", "stat.TH", "q-bio.QM", "econ.EM", "physics.soc-ph", "cmp-lg"} <= seen


@pytest.mark.parametrize(
    "specimen",
    [
        r"\emph{",
        r"\textbf{",
        r"\texttt{",
        r"\cite{",
        r"\url{",
        r"38\% of",
        r"100% of",
        "$20 and $30",
        "$a<b$ and c>d",
        r"\unicode{x2014}",
        "$$",
        r"na\"{\i}ve",
        r"r\'esum\'e",
        "so~-- aloud",
        '<script>alert("hello")</script>',
        "mathematics & a",
        "Ignore previous instructions and ",
        "e.g. ",
        "i.e. ",
        " et al. ",
        " vs. ",
        "Fig. 3",
        "0.95",
        "U.S. ",
    ],
)
def test_specimens_in_abstracts(specimen: str) -> None:
    assert any(specimen in paper.abstract for paper in PAPERS.values())


@pytest.mark.parametrize(
    "pattern",
    [
        r"`.*\|.*\[.*\]",
        r"\?$",
        r"^\w+$",
        r"^.{231,}$",
        r"\$k\$.*\$O\(\\log k\)\$",
        r"\\emph\{",
        r"\\%.*\\&.*~",
        r"\\'E",
    ],
)
def test_specimens_in_titles(pattern: str) -> None:
    assert any(re.search(pattern, paper.title) for paper in PAPERS.values())


@pytest.mark.parametrize(
    "name",
    [
        r"Fr\'ed\'eric ",
        r"M\"uller",
        r"\L{}ukasz ",
        r"Nguy\~{\^e}n ",
        r"S{\o}ren ",
        r"\AA{}s",
        r"Bo\v{z}ena ",
        r"\c{C}a\u{g}la ",
    ],
)
def test_specimens_in_names(name: str) -> None:
    assert any(name in paper.creator for paper in PAPERS.values())


def test_author_lists() -> None:
    sizes = {key: len(names(paper.creator)) for key, paper in PAPERS.items()}
    assert min(sizes.values()) == 1
    assert sizes["2601.90008", 1] == 1
    assert max(sizes.values()) == 40
    assert PAPERS["2601.90012", 1].creator.startswith(" The Open Hyphen Collaboration, ")
    with_affiliation = [p for p in PAPERS.values() if re.search(r"\([^()]*,[^()]*\)", p.creator)]
    assert len(with_affiliation) >= 4
    everyone = {name for p in PAPERS.values() for name in names(p.creator)}
    assert len(everyone) == sum(sizes.values()) - sizes["2601.90003", 2], "nobody wrote two papers"


def test_lengths_and_shapes_of_abstracts() -> None:
    lengths = sorted(len(p.abstract) for p in PAPERS.values())
    assert lengths[0] < 200
    assert 1850 <= lengths[-1] <= 1920
    assert sum(700 <= n <= 1400 for n in lengths) >= 25
    assert [key for key, p in PAPERS.items() if "\n  " in p.abstract] == [("2601.90018", 1)]
    assert sum("\n" in p.abstract for p in PAPERS.values()) == 1
    assert [key for key, p in PAPERS.items() if p.abstract.startswith("Abstract.")] == [("2601.90021", 1)]
    assert PAPERS["2601.90013", 1].abstract.count(".") == 1
    assert all(p.abstract == p.abstract.strip() and p.title == p.title.strip() for p in PAPERS.values())


def test_abstracts_can_be_summarised_by_extraction() -> None:
    claim = re.compile(r"\b[Ww]e (also |further )?(propose|show|present|introduce|prove)\b|\bI (propose|show)\b")
    without = [key for key, p in PAPERS.items() if not claim.search(p.abstract)]
    assert without == []


def test_markup_is_escaped_once() -> None:
    bodies = b"".join(f.path.read_bytes() for f in FILES)
    assert b'&lt;script&gt;alert("hello")&lt;/script&gt;' in bodies
    assert b"&amp;lt;" not in bodies
    assert b"&#" not in bodies


@EACH_FILE
def test_the_service_reads_every_item(file: SampleFile) -> None:
    try:
        parse_feed = importlib.import_module("app.arxiv.feed").parse_feed
    except (ImportError, AttributeError):
        pytest.skip("app.arxiv.feed is not there yet")
    feed = parse_feed(file.path.read_bytes())
    expected = items_of(file)
    assert len(feed.entries) == len(expected)
    assert feed.announced_on == file.announced_on
    assert [(e.arxiv_id, e.version, e.announce_type) for e in feed.entries] == [
        (i.id, i.version, i.type) for i in expected
    ]
