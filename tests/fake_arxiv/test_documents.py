"""The fake's documents are those of arXiv's own server, to the byte (``../shared/arxiv/samples``, the ``gen-`` files)."""

import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.fake_arxiv import World, api, feed, oai
from tests.fake_arxiv.texts import Person, to_unicode
from tests.fake_arxiv.world import Paper, Version

RAW = "{http://arxiv.org/OAI/arXivRaw/}"
GENERATED = re.compile(r"<responseDate>(.*?)Z</responseDate>")


def text_in(sample: Path) -> str:
    return sample.read_text(encoding="utf-8")


def generated_at(text: str) -> datetime:
    match = GENERATED.search(text)
    assert match
    return datetime.fromisoformat(match[1]).replace(tzinfo=UTC)


def paper_in(text: str, authors: tuple[Person, ...] = ()) -> Paper:
    """The paper of an arXivRaw record."""
    root = etree.fromstring(text.encode())
    record: Any = root.find(f".//{RAW}arXivRaw")

    def field(name: str) -> str | None:
        text = record.findtext(RAW + name)
        return None if text is None else str(text)

    acm_class = field("acm-class")
    return Paper(
        arxiv_id=field("id") or "",
        versions=tuple(
            Version(
                int(one.get("version")[1:]),
                datetime.strptime(one.findtext(RAW + "date"), "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC),
                int(one.findtext(RAW + "size")[:-2]),
                one.findtext(RAW + "source_type"),
            )
            for one in record.iterfind(RAW + "version")
        ),
        title=field("title") or "",
        abstract=field("abstract") or "",
        authors=authors,
        authors_line=field("authors") or "",
        categories=tuple((field("categories") or "").split()),
        submitter=field("submitter") or "",
        license=field("license"),
        modified_at=datetime.fromisoformat(root.findtext(".//{*}datestamp") or "").replace(tzinfo=UTC),
        comments=field("comments"),
        journal_ref=field("journal-ref"),
        doi=field("doi"),
        report_no=field("report-no"),
        msc_class=field("msc-class"),
        acm_class="I.4" if acm_class else None,
    )


@pytest.mark.parametrize(
    "name",
    [
        "oai-arxivraw/gen-GetRecord-0806.4129.xml",
        "oai-arxivraw/gen-withdrawn-0903.0442.xml",
        "oai-arxivraw/gen-withdrawn-v2-restored-v3-1101.2736.xml",
        "oai-arxivraw/gen-acm-class-None-cs_0001024.xml",
    ],
)
def test_raw_records(samples: Path, name: str) -> None:
    text = text_in(samples / name)
    paper = paper_in(text)
    asked = {"verb": "GetRecord", "identifier": f"oai:arXiv.org:{paper.arxiv_id}", "metadataPrefix": "arXivRaw"}
    assert oai.get_record_document(paper, "arXivRaw", asked, generated_at(text)) == text


@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        ("arXiv", "oai-arxiv/gen-GetRecord-0806.4129.xml"),
        ("arXivOld", "oai-arxiv/gen-GetRecord-0806.4129-arXivOld.xml"),
        ("oai_dc", "oai-dc/gen-GetRecord-0806.4129.xml"),
    ],
)
def test_the_other_formats(samples: Path, prefix: str, name: str) -> None:
    authors = (Person("Roldao", "da Rocha"), Person("Waldyr A.", "Rodrigues", "Jr"))
    paper = paper_in(text_in(samples / "oai-arxivraw/gen-GetRecord-0806.4129.xml"), authors)
    text = text_in(samples / name)
    asked = {"verb": "GetRecord", "identifier": "oai:arXiv.org:0806.4129", "metadataPrefix": prefix}
    assert oai.get_record_document(paper, prefix, asked, generated_at(text)) == text


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("verb=Identify", "gen-Identify.xml"),
        ("verb=ListSets", "gen-ListSets.xml"),
        ("verb=ListMetadataFormats", "gen-ListMetadataFormats.xml"),
        ("verb=Nothing", "gen-error-badVerb.xml"),
        ("verb=ListRecords&metadataPrefix=arXiv&set=cs.CL", "gen-error-badArgument-set.xml"),
        ("verb=ListRecords&metadataPrefix=arXiv&from=2001-01-01", "gen-error-badArgument-from-too-early.xml"),
        ("verb=ListRecords&metadataPrefix=arXiv&from=2026-01-01T00:00:00Z", "gen-error-badArgument-time-in-from.xml"),
        ("verb=ListRecords&metadataPrefix=arXiv&until=2026-11-30", "gen-error-badArgument-until-future.xml"),
        ("verb=ListRecords&resumptionToken=6825723%7C1001", "gen-error-badResumptionToken.xml"),
        ("verb=ListRecords&metadataPrefix=marc", "gen-error-cannotDisseminateFormat.xml"),
        ("verb=GetRecord&metadataPrefix=arXiv&identifier=oai:arXiv.org:nonsense", "gen-error-idDoesNotExist.xml"),
        (
            "verb=ListRecords&metadataPrefix=arXiv&from=2024-06-01&until=2024-06-02&set=econ:econ:TH",
            "gen-error-noRecordsMatch.xml",
        ),
    ],
)
def test_protocol_answers(samples: Path, query: str, name: str) -> None:
    text = text_in(samples / "oai-arxiv" / name)
    world = World(days=1)
    assert oai.Oai().answer(world, query, generated_at(text)).body.decode() == text


def element(parent: Any, name: str) -> str | None:
    text = parent.findtext(name)
    return None if text is None else str(text)


def items_in(root: Any) -> list[feed.Item]:
    """The items of an RSS document."""
    items = []
    for item in root.iter("item"):
        full_id = item.findtext("guid").removeprefix("oai:arXiv.org:")
        arxiv_id, _, version = full_id.rpartition("v")
        creator = item.findtext("{http://purl.org/dc/elements/1.1/}creator")
        paper = Paper(
            arxiv_id=arxiv_id,
            versions=(Version(int(version), datetime.now(UTC), 1),),
            title=item.findtext("title"),
            abstract=item.findtext("description").partition("Abstract: ")[2],
            authors=tuple(Person(*name.split(" ", 1)) for name in creator.split(", ")),
            authors_line=creator,
            categories=tuple(one.text for one in item.iterfind("category")),
            submitter="",
            license=element(item, "{http://purl.org/dc/elements/1.1/}rights"),
            modified_at=datetime.now(UTC),
            doi=element(item, "{http://arxiv.org/schemas/atom}DOI"),
        )
        items.append(feed.Item(paper, item.findtext("{http://arxiv.org/schemas/atom}announce_type")))
    return items


@pytest.mark.parametrize(
    "name",
    [
        "gen-cs+math-combined.xml",
        "gen-cs.CV.xml",
        "gen-astro-ph-replace.xml",
        "gen-math.IT-alias.xml",
        "gen-empty-lowercase-combined.xml",
        "cs-empty-Sunday-2025-04-27.xml",
    ],
)
def test_rss(samples: Path, name: str) -> None:
    text = text_in(samples / "rss-current" / name)
    root = etree.fromstring(text.encode())
    built_at = datetime.strptime(element(root, "channel/lastBuildDate") or "", "%a, %d %b %Y %H:%M:%S %z")
    day = datetime.strptime(element(root, "channel/pubDate") or "", "%a, %d %b %Y %H:%M:%S %z").date()
    query = (element(root, "channel/link") or "").rpartition("/")[2]
    made = feed.document(feed.Head("rss", query, day, built_at), query.split("+"), items_in(root)).decode()
    # arXiv's server puts the two days in a random order.
    for order in (("Saturday", "Sunday"), ("Sunday", "Saturday")):
        days = "".join(f"      <day>{name}</day>\n" for name in order)
        made = made.replace(
            f"    <skipDays>\n{days}", "    <skipDays>\n      <day>Saturday</day>\n      <day>Sunday</day>\n"
        )
    assert made.rstrip() == text.rstrip()


@pytest.mark.parametrize(
    ("name", "form", "spec", "version"),
    [
        ("rss-current/gen-error400-bad-archive.xml", "rss", "heplat", None),
        ("rss-current/gen-error400-bad-subject-class.xml", "rss", "cs.XX", None),
        ("rss-current/gen-error400-version-1.0.xml", "rss", "cs.CL", "1.0"),
        ("atom-current/gen-error400.xml", "atom", "cs.XX", None),
        ("atom-current/gen-empty.xml", "atom", "cs.AI", None),
    ],
)
def test_feeds_without_items(samples: Path, name: str, form: str, spec: str, version: str | None) -> None:
    world = World(days=1)
    now = datetime(2026, 1, 10, 12, tzinfo=UTC)
    made = feed.answer(world, form, spec, version, now, (), 2000, None)
    assert made.status == (400 if "error" in name else 200)
    times = re.compile(r"<(updated|lastBuildDate|pubDate)>.*?<")
    assert times.sub(r"<\1><", made.body.decode()).rstrip() == times.sub(r"<\1><", text_in(samples / name)).rstrip()


def test_atom_entries(samples: Path) -> None:
    """Every element of a real entry, in its order."""
    root = etree.fromstring((samples / "atom-current/cs.LG-2026-09-25-trimmed.xml").read_bytes())
    world = World()
    day = world.batch_days[0]
    items = [feed.Item(paper, kind) for paper, kind in world.listing({"cs.CL"}, day) if paper.doi and paper.license]
    head = feed.Head("atom", "cs.CL", day, datetime(2026, 1, 5, 5, tzinfo=UTC))
    made = etree.fromstring(feed.document(head, ["cs.CL"], items))
    real = root.find("{*}entry")
    ours = made.find("{*}entry")
    assert real is not None and ours is not None
    assert list(dict.fromkeys(str(one.tag) for one in ours)) == list(dict.fromkeys(str(one.tag) for one in real))
    assert made.nsmap == root.nsmap
    assert [one.tag for one in made][:5] == [one.tag for one in root][:5]


def test_api_documents(samples: Path) -> None:
    text = text_in(samples / "api/2026-search-page1-10.xml")
    entry: Any = next(
        one
        for one in etree.fromstring(text.encode()).iterfind("{*}entry")
        if one.find("{*}doi") is not None and one.find("{*}comment") is not None
    )

    def instant(name: str) -> datetime:
        return datetime.fromisoformat(entry.findtext("{*}" + name))

    arxiv_id, _, number = entry.findtext("{*}id").rpartition("/")[2].rpartition("v")
    paper = Paper(
        arxiv_id=arxiv_id,
        versions=(Version(1, instant("published"), 1), Version(int(number), instant("updated"), 1)),
        title=entry.findtext("{*}title"),
        abstract=entry.findtext("{*}summary"),
        authors=tuple(Person("", name.text) for name in entry.iterfind("{*}author/{*}name")),
        authors_line="",
        categories=tuple(one.get("term") for one in entry.iterfind("{*}category")),
        submitter="",
        license=None,
        modified_at=datetime.now(UTC),
        comments=entry.findtext("{*}comment"),
        journal_ref=entry.findtext("{*}journal_ref"),
        doi=entry.findtext("{*}doi"),
    )
    made = api.document([paper], arxiv_id, 0, 10, 1, datetime.now(UTC))
    start = text.index("  <entry>\n    <id>" + entry.findtext("{*}id"))
    assert made[made.index("  <entry>") : made.index("</feed>")] == text[start : text.index("</entry>\n", start) + 9]


def test_the_api_without_entries(samples: Path) -> None:
    now = datetime(2026, 4, 12, 22, 9, 26, tzinfo=UTC)
    text = text_in(samples / "api/2026-id_list-unknown-id-empty.xml")
    made = api.document([], "0000.0000", 0, 100, 0, now)
    first = re.compile(r"<id>.*?</id>")
    assert first.sub("", made).rstrip() == first.sub("", text).rstrip()
    error = text_in(samples / "api/2026-id_list-bad-id-error400.xml")
    now = datetime(2026, 4, 12, 22, 59, 6, tzinfo=UTC)
    assert api.error_document("incorrect id format for abc", now).rstrip() == error.rstrip()


def test_texts_are_converted_as_arxiv_does() -> None:
    assert to_unicode(r"Erd\H{o}s, H\'enon: $\alpha \le 1$", greek=True) == "Erdős, Hénon: $α \\le 1$"
    assert to_unicode(r"Erd\H{o}s, H\'enon: $\alpha \le 1$", greek=False) == "Erdős, Hénon: $\\alpha \\le 1$"
    world = World()
    for paper in world.papers_at(datetime(2026, 3, 1, tzinfo=UTC)):
        assert (paper.title + paper.abstract + paper.authors_line).isascii()
        for author in paper.authors:
            assert "\\" not in to_unicode(author.name, greek=True), author
    assert date(2026, 1, 20) not in world.batch_days
