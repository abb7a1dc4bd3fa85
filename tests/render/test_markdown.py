"""The Markdown digest, read back as readers see it."""

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.arxiv.display import display
from app.render.document import DigestDocument, IncompleteListing, ItemAuthor, Links, Period, Receipt
from app.render.phrases import ACKNOWLEDGEMENT
from tests.render import archive
from tests.render.documents import (
    ALL_FIELDS,
    COUNTING,
    EMPTY,
    EXTRACTIVE,
    FAILED,
    PENDING,
    STALE,
    UNTRANSLATED,
    document,
    item,
)
from tests.render.golden_files import check_golden
from tests.render.reading import Reading, read, readers
from tests.render.rendering import render

READERS = readers()
NASTY = [
    "",
    " ",
    "\x00",
    "\ud800 lone",
    "a|b",
    "a\\|b",
    "a\\\\|b",
    "|",
    "| --- |",
    "| a | b |\n| --- | --- |",
    "trailing \\",
    "\\",
    "    four blanks",
    "\tcode",
    "line\nbreak",
    "a\r\n\r\nb",
    "a\x0bb\x0cc\x1cd\x85e\u2028f\u2029g\u00a0h\u3000i",
    "[^1]: note",
    "[^1]",
    "[a]: http://x.example",
    "[a](http://x.example)",
    "![a](b)",
    "^[inline note]",
    "# heading",
    "#",
    "a #",
    "a ##",
    "> quote",
    "- list",
    "+ list",
    "* list",
    "-",
    "---",
    "***",
    "_ _ _",
    "===",
    "1. list",
    "1) list",
    "123456789. list",
    "1.",
    "```",
    "~~~ fence",
    "~~struck~~ ~one~",
    "`code`",
    "``",
    "*a* **b** _c_ __d__ a_b_c _ e",
    "(_x_) \"_y_\" '__z__'",
    "<script>alert(1)</script>",
    "<!-- comment",
    "<?php ?>",
    "<a@b.example>",
    "<http://x.example>",
    "a < b > c <d",
    "&amp; &#42; &#x2a; &nbsp; &copy AT&T &notareference;",
    "http://x.example https://y.example/a_b_c?d=e&f;g //localhost www.z.example www.1.example ftp://f.example",
    "mail@x.example mailto:mail@x.example a@b example.com arXiv.org cs.AI Node.js",
    "\\* \\_ \\[ \\<b> \\&amp; \\`",
    "$\\alpha_{i}$ \\(x\\) \\[y\\] $$z$$ \\$5",
    "\u202eright to left\u202c \u200f \u2067isolate",
    "مرحبا [بالعالم]",
    "\ufeffbom\u200bzero",
    "!",
    ":smile: @someone #12",
    "\x01\x1b[31mred\x7f",
]
FRAGMENTS = st.sampled_from([*NASTY, *"\\|[]()<>&*_`~#+-=!.:;/@$^{} \n\t", "a", "B", "9", "数", "\x00"])
TEXTS = st.one_of(
    st.sampled_from(NASTY),
    st.lists(FRAGMENTS, max_size=12).map("".join),
    st.text(st.characters(categories=None), max_size=30),
)


def expected(text: str | None) -> str:
    """Return what a reader must see of a text: blanks collapsed, and no character that cannot be in a document."""
    return re.sub("[\x00\ud800-\udfff]", "\ufffd", " ".join((text or "").split()))


def shown(text: str | None) -> str:
    """Return what a reader must see of one of arXiv's texts, or of a text made from them: its display form."""
    return expected(display(text or ""))


def check(digest: DigestDocument, reader: MarkdownIt) -> Reading:
    """Assert that every paper has one row and one footnote, that every text's display form reads back, and no link more.

    The heading may name the channel as it is, which linkify-it takes for a domain in Chile.
    """
    reading = read(render(digest, "md"), reader)
    assert set(reading.links) <= {paper.links.abs for paper in digest.items} | {"http://cs.CL"}
    assert [row[0] for row in reading.rows] == [f"[^{number}]" for number in range(1, len(digest.items) + 1)]
    assert list(reading.footnotes) == [str(number) for number in range(1, len(digest.items) + 1)]
    for paper, (_, title, address, summary), paragraphs in zip(
        digest.items, reading.rows, reading.footnotes.values(), strict=True
    ):
        assert title == shown(paper.title) or (not shown(paper.title) and title == paper.arxiv_id)
        assert address == paper.links.abs
        if said := shown(paper.tldr) or shown(paper.tldr_en):
            assert summary == said
        texts = map(shown, (paper.translated_title, paper.tldr_en, paper.translated_abstract, paper.abstract))
        translated_title, tldr_en, translated_abstract, abstract = texts
        parts = (translated_title, title, address, summary, tldr_en, translated_abstract, abstract)
        wanted = [text for text in parts if text]
        assert paragraphs[: len(dict.fromkeys(wanted))] == list(dict.fromkeys(wanted))
        assert len(paragraphs) - len(dict.fromkeys(wanted)) <= 1  # authors and categories
    return reading


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> MarkdownIt:
    return READERS[request.param]


def test_golden() -> None:
    check_golden("all-fields-zh.md", render(ALL_FIELDS, "md"))
    check_golden("extractive-en.md", render(EXTRACTIVE, "md"))
    check_golden("untranslated-zh-hant.md", render(UNTRANSLATED, "md"))
    check_golden("empty-zh.md", render(EMPTY, "md"))


def test_every_text_is_read_back_as_it_was(reader: MarkdownIt) -> None:
    check(EXTRACTIVE, reader)
    check(document(COUNTING, replace(STALE, abstract_is_cut=False)), reader)


@archive.needs_archive
@pytest.mark.parametrize(("name", "step"), [("commonmark", 1), (list(READERS)[1], 8)])
def test_every_paper_of_the_archive_has_one_row_and_one_footnote(name: str, step: int) -> None:
    papers = list(archive.papers().values())
    assert len(papers) == 2703
    papers, reader = papers[::step], READERS[name]
    reading = check(document(*papers, language="zh", title="摘要"), reader)
    assert len(reading.links) == 2 * len(papers)


@given(texts=st.lists(TEXTS, min_size=6, max_size=6), reader=st.sampled_from(list(READERS.values())))
@settings(max_examples=400, deadline=None)
def test_no_text_breaks_out(texts: list[str], reader: MarkdownIt) -> None:
    title, translated, tldr, tldr_en, translation, abstract = texts
    nasty = item(
        title=title,
        translated_title=translated,
        tldr=tldr,
        tldr_en=tldr_en,
        translated_abstract=translation,
        abstract=abstract,
    )
    check(document(nasty, FAILED), reader)


@pytest.mark.parametrize("text", NASTY)
def test_no_known_trick_works_anywhere(text: str, reader: MarkdownIt) -> None:
    paper = item(
        title=text,
        translated_title=text + " ",
        tldr=text + "1",
        tldr_en="e" + text,
        translated_abstract=text + text,
        abstract=text + " x",
        authors=(ItemAuthor(text, (text,)),),
        primary_category=text,
        categories=(text, "cs.AI"),
    )
    failed = item(title=text, summary_status="failed", summary_error=text)
    digest = document(
        paper, failed, title=text, receipt=Receipt(9, 9, 9, 9, 9, 9, (text, "3103.1")), language="tlh-x-" + text
    )
    reading = check(digest, reader)
    assert reading.headings == [expected(text) or "cs.CL", "Summaries", "Details"]
    assert reading.paragraphs[-1] == ACKNOWLEDGEMENT
    assert reading.rows[1][3] == expected(f"failed: {text}" if text else "failed")


def test_text_stays_legible() -> None:
    plain = "We reach 95.3% (p < 0.05) - see Fig. 2 - with $x_i^{2} \\in \\mathbb{R}$, e.g. AT&T's T5-v1.1 & co!"
    assert plain in render(document(item(title=plain)), "md")


def test_arxivs_texts_are_shown_in_their_display_form(reader: MarkdownIt) -> None:
    tex = item(
        title='Schr\\"odinger \\& {\\it Co.}',
        tldr="up to~50\\% ``off''",
        abstract="\\emph{a|b} \\textbf{*c*} $d_{e}$",
        authors=(ItemAuthor("{\\L}. \\'Swi\\k{a}tek", ("$^1$ Universit\\'e A",)), ItemAuthor("J.~P. \\O re")),
    )
    reading = read(render(document(tex), "md"), reader)
    assert reading.rows == [("[^1]", "Schrödinger & Co.", tex.links.abs, "up to 50% “off”")]
    assert reading.footnotes["1"][-2:] == [
        "a|b *c* $d_{e}$",
        "Authors: Ł. Świątek ($^1$ Université A), J. P. Øre",
    ]


def test_addresses_are_broken_up_for_readers_that_link_bare_ones() -> None:
    text = render(document(item(title="http://x.example www.1 a@b Fig. 2 v1.2 e.g. and/or")), "md")
    assert "http:\\//x\\.example www\\.1 a\\@b Fig. 2 v1.2 e.g. and/or" in text


def test_html_is_escaped_with_entities_for_readers_that_do_not_know_backslashes() -> None:
    text = render(document(item(title="<b>x</b> &lt;")), "md")
    assert "&lt;b>x&lt;/b> &amp;lt;" in text


def test_a_dangerous_address_is_not_linked(reader: MarkdownIt) -> None:
    paper = item(title="T", tldr="S", links=Links("javascript:alert(1)", ""))
    text = render(document(paper), "md")
    assert read(text, reader).rows == [("[^1]", "T", "", "S")]
    odd = item(title="T", tldr="S", links=Links("https://x.example/a b|c)(d<e>\\&copy;_*_\n", ""))
    row = read(render(document(odd), "md"), reader).rows[0]
    assert row == ("[^1]", "T", "https://x.example/a%20b%7Cc%29%28d%3Ce%3E%5C&copy;_%2A_%0A", "S")


def test_a_paper_is_never_left_out() -> None:
    reading = read(render(document(FAILED, PENDING, item(tldr_en="Only English.")), "md"), READERS["commonmark"])
    assert [row[3] for row in reading.rows] == [
        "failed: the answer was English, not Chinese",
        "pending",
        "Only English.",
    ]
    assert reading.rows[1][1] == "3103.00001"  # A paper without a title is named by its id.
    assert FAILED.abstract in reading.footnotes["1"]


def test_nothing_is_said_twice() -> None:
    same = item(title="T", translated_title="T", tldr="S.", tldr_en="S.", abstract="A.", translated_abstract=" A. ")
    reading = read(render(document(same), "md"), READERS["commonmark"])
    assert reading.footnotes["1"] == ["T", same.links.abs, "S.", "A."]


def test_the_receipt_names_what_is_missing() -> None:
    reading = read(render(ALL_FIELDS, "md"), READERS["commonmark"])
    assert reading.paragraphs[0] == (
        "公布 6 · 已收录 4 · 已摘要 2 · 待处理 1 · 失败 1 · 缺失 2 (3103.00004, 3103.00005) · 2031年3月4日 · 修订版 2"
    )


def test_the_receipt_counts_what_a_channel_leaves_out_if_there_is_any() -> None:
    receipt = Receipt(9, 9, 1, 0, 0, 0, (), (), not_matching=4, shown_before=3, held_over=2, carried_over=1)
    line = "announced 9 · stored 9 · carried over 1 · not matching 4 · shown before 3 · held over 2 · summarised 1 · "
    assert line in render(document(item(tldr="S"), receipt=receipt), "md")
    assert "not matching" not in render(document(item()), "md")


def test_a_period_is_written_in_the_language() -> None:
    digest = document(item(), period=Period(date(2026, 1, 12), date(2026, 1, 16)), language="zh")
    assert "2026年1月12日至16日" in render(digest, "md")


def test_a_listing_that_was_not_read_is_no_empty_day() -> None:
    failed = (IncompleteListing("cs.CL", date(2031, 3, 4), "failed"),)
    text = render(document(receipt=Receipt(0, 0, 0, 0, 0, 0, (), failed)), "md")
    assert "listings not read whole: cs.CL March 4, 2031 (failed)" in text.replace("\\", "")
    assert "What was announced could not be read, so that papers may be missing here." in text
    assert "Nothing was announced" not in text
    left_out = document(receipt=Receipt(2, 2, 0, 0, 0, 0, (), not_matching=2))
    assert "None of the announced papers belongs to this digest." in render(left_out, "md")


def test_formulas_can_be_unicode(reader: MarkdownIt) -> None:
    paper = item(title="$x_1^2$ | *$\\alpha$*", tldr="$\\mathbb{R}^n$", authors=(ItemAuthor("A$^1$"),))
    reading = read(render(document(paper), "md", math="unicode"), reader)
    assert reading.rows[0][1::2] == ("x₁² | *α*", "ℝⁿ")
    assert reading.footnotes["1"][-1] == "Authors: A¹"


def test_a_digest_whose_papers_are_all_missing_does_not_say_that_nothing_was_announced() -> None:
    lost = document(receipt=Receipt(2, 0, 0, 0, 0, 0, ("3103.1", "3103.2")))
    assert "None of the announced papers is stored yet." in render(lost, "md")
    assert "Nothing was announced." in render(document(), "md")


def test_a_cut_abstract_says_so() -> None:
    assert "We replace strings by yarn … (摘要仅存开头部分)" in render(ALL_FIELDS, "md")
