"""The HTML page: complete, safe, and with everything that the digest holds."""

import base64
import hashlib
import re
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html
from lxml.html import HtmlElement

from app.arxiv.display import display
from app.render.document import (
    DigestDocument,
    DigestItem,
    IncompleteListing,
    ItemAuthor,
    Links,
    Math,
    Reason,
    ReasonKind,
    Receipt,
)
from app.render.html import digest_html, paper_html
from app.render.mathml import CONTAINERS, TOKENS
from app.render.phrases import ACKNOWLEDGEMENT
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, EXTRACTIVE, UNTRANSLATED, by_model, document, item
from tests.render.golden_files import check_golden
from tests.render.hostile import HOSTILE, edge_cases, hostile_item
from tests.render.rendering import render

TAGS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "h1", "h2", "h3", "h4", "p", "a"),
    *("time", "dl", "div", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "article", "ul", "li", "span"),
    *("bdi", "code", "small", "nav", "link", "details", "summary", "math", *CONTAINERS, *TOKENS),
}


FRAGMENT_TAGS = {"p", "a", "strong", "em", "small", "time", "code", "math", *CONTAINERS, *TOKENS}
TABLE_TAGS = {"div", "table", "thead", "tbody", "tr", "th", "td", "h2", "h3"}

NASTY = [
    "<script>",
    "</style><script>",
    "\"onload='x",
    "&amp;",
    "{{ 7*7 }}",
    "$<b>$",
    "$\\text{<b>}$",
    "-->",
    "]]>",
    "\x00",
]


def page(digest: DigestDocument) -> HtmlElement:
    """Return the parsed page. Raises AssertionError for elements, attributes or addresses that no page has."""
    text = render(digest, "html")
    assert text.startswith("<!DOCTYPE html>\n")
    assert text.endswith("</html>\n")
    root = html.document_fromstring(text.encode(), parser=html.HTMLParser(encoding="utf-8"))
    names = set()
    for element in root.iter():
        assert element.tag in TAGS, element.tag
        assert not [name for name in element.attrib if name.startswith("on") or name in ("style", "src", "srcset")]
        if "id" in element.attrib:
            assert element.get("id") not in names
            names.add(element.get("id"))
    policy = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")[0]
    digest_of_style = base64.b64encode(hashlib.sha256((root.findtext(".//style") or "").encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest_of_style}'; ")
    for address in root.xpath("//@href"):
        assert address.startswith(("https://", "http://")) or (address[0] == "#" and address[1:] in names)
    return root


def assert_fragment(fragment: str, tags: set[str]) -> etree._Element:
    """Return the parsed fragment. Raises for what is not well-formed XML, and for elements and attributes that act."""
    root = etree.fromstring(f"<body>{fragment}</body>", parser=etree.XMLParser(huge_tree=True))
    for element in root.iterdescendants():
        assert element.tag in tags, element.tag
        assert not [name for name in element.attrib if name in ("style", "src", "id") or str(name).startswith("on")]
        assert urlsplit(element.get("href") or "https://x.example").scheme in ("http", "https")
        assert element.get("class") in (None, "math")
    return root


def said(root: HtmlElement, path: str) -> list[str]:
    return [" ".join(element.text_content().split()) for element in root.xpath(path)]


def test_golden() -> None:
    check_golden("all-fields-zh.html", render(ALL_FIELDS, "html"))


def test_the_page_is_complete_and_loads_nothing() -> None:
    root = page(ALL_FIELDS)
    assert root.get("lang") == "zh"
    assert root.get("dir") == "ltr"
    assert root.findtext(".//title") == "cs.CL 每日摘要"
    assert "width=device-width" in root.xpath("//meta[@name='viewport']/@content")[0]
    style = root.findtext(".//style") or ""
    assert "url(" not in style
    assert "@import" not in style
    for feature in ("prefers-color-scheme: dark", "@media print", "max-width", ":focus-visible", "Noto Sans CJK SC"):
        assert feature in style
    assert said(root, "//footer") == [ACKNOWLEDGEMENT]


def test_colours_have_the_contrast_that_wcag_aa_asks_for() -> None:
    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    palettes = re.findall(r":root \{(.*?)\}", page(EMPTY).findtext(".//style") or "", re.DOTALL)
    assert len(palettes) == 3
    for palette in palettes[:2]:  # light and dark; the third is for paper
        colours = {name: luminance(value) for name, value in re.findall(r"--(\w+): #(\w{6});", palette)}
        for ink in ("ink", "soft", "accent", "good", "wait", "bad"):
            for ground in ("paper", "card", "tint"):
                dark, light = sorted((colours[ink], colours[ground]))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


def test_the_receipt_is_there() -> None:
    root = page(ALL_FIELDS)
    assert dict(zip(said(root, "//dt"), said(root, "//dd"), strict=True)) == {
        "公布": "6",
        "已收录": "4",
        "已摘要": "2",
        "待处理": "1",
        "失败": "1",
        "缺失": "2",
    }
    assert said(root, "//header//p") == [
        "2031年3月4日 · 修订版 2 · 2031-03-05 06:07 UTC",
        "缺失：3103.00004, 3103.00005",
    ]
    assert said(page(UNTRANSLATED), "//header//p[@class='note']") == ["摘要句直接取自原文、沒有譯文的論文數：1"]


def test_every_paper_has_a_row_that_leads_to_its_details_and_back() -> None:
    root = page(ALL_FIELDS)
    assert root.xpath("//tbody/tr/td[2]/a/@href") == [
        "#p-3103.00003",
        "#p-hep-th/3101002",
        "#p-3103.00002",
        "#p-3103.00001",
    ]
    assert root.xpath("//article/@id") == [address[1:] for address in root.xpath("//tbody/tr/td[2]/a/@href")]
    assert root.xpath("//article//a[@class='back']/@href") == ["#r1", "#r2", "#r3", "#r4"]
    assert said(root, "//tbody/tr/td[3]")[1:] == [
        "毛线可以解释引力。",
        "失败：the answer was English, not Chinese",
        "待处理",
    ]


def test_the_details_hold_everything() -> None:
    article = page(document(COUNTING, language="zh")).xpath("//article")[0]
    text = " ".join(article.text_content().split())
    for part in (
        *("个梦数羊：一种困倦的方法", "Dreams | A [Sleepy] Approach to p < 0.05 & *Rest*", "成本从 $20 降到 $10。"),
        *("We count sheep in", "数羊是一个经典问题。", "<script>alert('baa')</script> changes nothing"),
        *("Ada Meadow (Institute of Sleep; Night School)", "杨小绵, 其他作者人数：12", "cs.CL", "cs.AI", "新论文"),
        *("摘要模型：example.org / invented-7b · 提示词 v3 · 论文版本 1 · 词元 1234 · 2031-03-05 06:07 UTC"),
    ):
        assert part in text
    assert article.xpath(".//p[@class='meta links']/a/@href") == [COUNTING.links.abs, COUNTING.links.pdf]
    assert len(article.xpath(".//math")) >= 6


def test_nothing_is_said_twice() -> None:
    article = page(EXTRACTIVE).xpath("//article")[0]
    assert article.text_content().count("dreams and cut the cost") == 1
    assert article.text_content().count("Approach to p < 0.05") == 1
    assert article.xpath(".//h4/text()") == ["Abstract"]


def test_what_reads_the_same_is_not_said_twice() -> None:
    tex = item(
        title="L\\'evy",
        translated_title="Lévy",
        tldr="\\emph{x}",
        tldr_en="x",
        translated_abstract="a",
        abstract="{\\it a}",
    )
    article = page(document(tex)).xpath("//article")[0]
    assert said(article, ".//h3") == ["Lévy"]
    assert not article.xpath(".//p[@class='original']")
    assert not article.xpath(".//p[@class='tldr-en']")
    assert said(article, ".//h4") == ["Abstract"]


def test_names_do_not_meet_each_others_dollars() -> None:
    authors = (ItemAuthor("A. \\'Elan", ("$5 Club",)), ItemAuthor("B$"))
    assert "A. Élan ($5 Club), B$" in page(document(item(authors=authors))).text_content()


def test_a_long_list_of_authors_is_folded_on_the_page_alone() -> None:
    """Sixty names would push the summary off a phone's screen; a feed's reader may not know how to unfold them."""
    names = [f"Author {number}" for number in range(60)]
    paper = item(authors=tuple(ItemAuthor(name) for name in names), authors_omitted=5)
    article = page(document(paper)).xpath("//article")[0]
    assert said(article, "./p[@class='meta']")[0] == f"Authors: {', '.join(names[:10])}"
    assert said(article, "./details/summary") == ["and more authors: 55"]
    assert said(article, "./details/bdi") == [f"{', '.join(names[10:])}, and more authors: 5"]
    assert not page(document(item(authors=paper.authors[:14]))).xpath("//details")
    fragment = assert_fragment(str(paper_html(paper, "en", Math.TEX)), FRAGMENT_TAGS)
    assert f"Authors: {', '.join(names)}, and more authors: 5" in "".join(fragment.itertext())


@pytest.mark.parametrize("stale", [False, True])
def test_instants_are_to_the_minute_and_readable_by_programs(stale: bool) -> None:
    made_at = datetime(2031, 3, 5, 1, 2, 3, 456789, tzinfo=timezone(-timedelta(hours=5)))
    paper = item(summary=by_model(made_at=made_at, stale=stale))
    root = page(document(paper, created_at=made_at))
    assert root.xpath("//time/@datetime") == ["2031-03-05T06:02Z"] * 2
    assert said(root, "//time") == ["2031-03-05 06:02 UTC"] * 2
    assert ("2031-03-05 06:02 UTC · out of date" in said(root, "//article")[0]) == stale
    assert "456789" not in root.text_content()


def test_a_day_in_a_heading_is_not_broken() -> None:
    root = page(document(title="A & <b>, 2031-03-04 – 2031-03-05"))
    assert said(root, "//h1") == ["A & <b>, 2031-03-04 – 2031-03-05"]
    assert said(root, "//h1/span[@class='day']") == ["2031-03-04", "2031-03-05"]


def test_only_a_page_with_translated_abstracts_is_wide() -> None:
    assert page(ALL_FIELDS).xpath("//body/@class") == ["digest wide"]
    assert page(EXTRACTIVE).xpath("//body/@class") == ["digest"]
    assert page(EMPTY).xpath("//body/@class") == ["digest"]


def test_the_reason_of_a_failure_is_shown_as_it_is() -> None:
    failed = item(summary_status="failed", summary_error="`x' is \\emph{no} $a$")
    root = page(document(failed))
    assert said(root, "//tbody/tr/td[3]") == ["failed: `x' is \\emph{no} $a$"]


def test_an_empty_digest_has_no_table() -> None:
    root = page(EMPTY)
    assert said(root, "//main") == ["没有公布新论文。"]
    lost = document(receipt=Receipt(2, 0, 0, 0, 0, 0, ("3103.1", "3103.2")))
    assert said(page(lost), "//main") == ["None of the announced papers is stored yet."]


@pytest.mark.parametrize("language", ["ar", "he-IL", "fa"])
def test_languages_written_from_the_right(language: str) -> None:
    root = page(document(item(), language=language))
    assert root.get("dir") == "rtl"
    assert root.xpath("//footer/p/@dir") == ["ltr"]


def test_a_stale_summary_says_so() -> None:
    assert "已过时" in page(ALL_FIELDS).xpath("//article")[1].text_content()


def test_dangerous_addresses_are_not_linked() -> None:
    root = page(document(item(links=Links("javascript:alert(1)", "data:text/html,x"))))
    assert not [address for address in root.xpath("//@href") if not address.startswith("#")]


@given(texts=st.lists(st.text(st.characters(categories=None)) | st.sampled_from(NASTY), min_size=5, max_size=5))
@settings(max_examples=100, deadline=None)
def test_no_text_breaks_out(texts: list[str]) -> None:
    one, two, three, four, five = texts
    nasty = item(
        arxiv_id=one,
        title=one,
        translated_title=two,
        tldr=three,
        tldr_en=four,
        translated_abstract=five,
        abstract=one + "x",
        authors=(ItemAuthor(two, (three,)),),
        primary_category=four,
        categories=(five,),
        announce_type=one,
        links=Links("https://x.example/" + two, three),
        summary_status=four,
        summary_error=five,
        summary=by_model(origin=one, model=two, provider=three, prompt_version=four),
    )
    for math in Math:
        assert_fragment(str(paper_html(nasty, two, math)), FRAGMENT_TAGS)
        assert_fragment(str(digest_html(document(nasty, title=one, language=two), math)), FRAGMENT_TAGS | TABLE_TAGS)
    root = page(document(nasty, title=one, language=two, receipt=Receipt(1, 1, 1, 0, 0, 1, (three,))))
    assert len(root.xpath("//article")) == len(root.xpath("//tbody/tr")) == 1
    # A control character may be in no page (HTML standard, 13.1.4), so each is shown as U+FFFD.
    line = re.sub("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]", "\ufffd", " ".join(five.split()))
    shown = " ".join(display(line).split())
    if shown and "$" not in line and "\\" not in line and five != one + "x":
        assert shown in " ".join(root.xpath("//article")[0].text_content().split())


def test_texts_are_data_to_the_template() -> None:
    assert "{{ 7 * 7 }}" in page(document(replace(COUNTING, title="{{ 7 * 7 }}"))).text_content()


def test_without_an_address_of_the_service_there_are_no_links_to_it() -> None:
    root = page(ALL_FIELDS)
    assert not root.xpath("//link")
    assert not root.xpath("//nav")


def test_the_page_leads_to_the_service_and_to_the_feeds() -> None:
    digest = replace(EMPTY, channel="a b/ü?", language="zh-TW")
    root = html.document_fromstring(render(digest, "html", base_url="https://zhaiyao.example/x"))
    channel = "https://zhaiyao.example/x/channels/a%20b%2F%C3%BC%3F"
    assert root.xpath("//nav/a/@href") == ["https://zhaiyao.example/x/", channel]
    feed = "https://zhaiyao.example/x/v1/channels/a%20b%2F%C3%BC%3F/feed."
    assert [(link.get("type"), link.get("href")) for link in root.xpath("//link[@rel='alternate']")] == [
        ("application/atom+xml", feed + "atom?language=zh-TW"),
        ("application/rss+xml", feed + "rss?language=zh-TW"),
        ("application/feed+json", feed + "json?language=zh-TW"),
    ]
    ad_hoc = html.document_fromstring(render(replace(EMPTY, channel=None), "html", base_url="https://z.example"))
    assert ad_hoc.xpath("//nav/a/@href") == ["https://z.example/"]
    assert not ad_hoc.xpath("//link")


def test_a_listing_that_was_not_read_is_no_empty_day() -> None:
    failed = (IncompleteListing("cs.CL", date(2031, 3, 4), "failed"),)
    root = page(document(receipt=Receipt(0, 0, 0, 0, 0, 0, (), failed)))
    assert said(root, "//p[@class='note']") == ["listings not read whole: cs.CL March 4, 2031 (failed)"]
    assert said(root, "//main") == ["What was announced could not be read, so that papers may be missing here."]


def test_the_translation_has_the_original_beside_it() -> None:
    article = page(document(COUNTING, language="zh")).xpath("//article")[0]
    assert [said(pair, ".//h4") for pair in article.xpath(".//div[@class='pair']")] == [["摘要译文", "原文摘要"]]
    assert article.xpath(".//div[@class='pair']//p/@lang") == ["en"]
    assert not page(EXTRACTIVE).xpath("//div[@class='pair']")


def test_what_the_authors_say_and_why_the_paper_is_there() -> None:
    paper = item(
        withdrawn=True,
        comments="12 pages, $x_1$",
        journal_ref="J. Wool 3",
        doi='10.1/<"x',
        reasons=(Reason(ReasonKind.CATEGORY, "cs.CL"), Reason(ReasonKind.WORDS, "<b>")),
    )
    article = page(document(paper)).xpath("//article")[0]
    assert "withdrawn" in said(article, ".//li")
    assert said(article, ".//bdi[@class='why']") == ["announced in cs.CL, matches <b>"]
    assert article.xpath(".//p[@class='notes']//a/@href") == ["https://doi.org/10.1/%3C%22x"]
    assert said(article, ".//p[@class='notes']")[0].startswith("Comments: 12 pages,")


def texts_by_language(root: etree._Element) -> list[tuple[str | None, str]]:
    return [(one.get("lang"), " ".join(one.itertext())) for one in root.iterdescendants("p")]


def test_a_papers_fragment_holds_everything_in_its_language() -> None:
    root = assert_fragment(str(paper_html(COUNTING, "zh", Math.TEX)), FRAGMENT_TAGS)
    texts = texts_by_language(root)
    assert ("zh", COUNTING.tldr) in texts
    assert ("en", COUNTING.tldr_en) in texts
    assert ("zh", COUNTING.translated_abstract) in texts
    assert any("Ada Meadow" in text and "Björn Wool" in text for _, text in texts)
    assert root.xpath(".//a/@href") == [COUNTING.links.abs, COUNTING.links.pdf]
    assert "invented-7b" in "".join(root.itertext())


@pytest.mark.parametrize("math", Math)
def test_a_fragments_formulas_are_as_asked(math: Math) -> None:
    paper: DigestItem = item(tldr="$x_1^2$")
    shown = {Math.TEX: "$x_1^2$", Math.UNICODE: "x₁²", Math.MATHML: "<msubsup>"}
    for fragment in (str(paper_html(paper, "en", math)), str(digest_html(document(paper), math))):
        assert [name for name, form in shown.items() if form in fragment] == [math]


def test_a_digests_fragment_has_receipt_table_and_details() -> None:
    root = assert_fragment(str(digest_html(ALL_FIELDS, Math.MATHML)), FRAGMENT_TAGS | TABLE_TAGS)
    text = "".join(root.itertext())
    assert "公布 6 · 已收录 4" in text
    assert "缺失 2 (3103.00004, 3103.00005)" in text
    assert len(root.findall(".//tbody/tr")) == len(root.findall(".//h3")) == 4
    assert root.xpath(".//tbody//a/@href") == [paper.links.abs for paper in ALL_FIELDS.items]
    assert ACKNOWLEDGEMENT in text
    assert "没有公布新论文。" in digest_html(EMPTY, Math.MATHML)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_stay_in_their_places(text: str) -> None:
    paper = hostile_item(text)
    root = page(document(paper, title=text, channel=text))
    assert len(root.xpath("//article")) == len(root.xpath("//tbody/tr")) == 1
    for math in Math if len(text) < 10_000 else [Math.MATHML]:
        assert_fragment(str(paper_html(paper, "zh", math)), FRAGMENT_TAGS)


def test_real_texts_that_gave_trouble_are_shown(samples: Path) -> None:
    papers = edge_cases(samples)
    root = page(document(*papers))
    for paper, article in zip(papers, root.xpath("//article"), strict=True):
        abstract = paper.abstract or ""
        if "$" not in abstract and "\\" not in abstract:
            assert " ".join(display(abstract).split()) in " ".join(article.text_content().split())
    for math in Math:
        assert_fragment(str(digest_html(document(*papers), math)), FRAGMENT_TAGS | TABLE_TAGS)
