"""Plain text: nothing left out, no line too wide, no character that a terminal would obey."""

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.arxiv.display import display
from app.render.document import ItemAuthor, Links, Reason, ReasonKind, Receipt
from app.render.phrases import ACKNOWLEDGEMENT
from app.render.text import one_line
from app.render.txt import COLUMNS, width, wrap
from tests.render import archive
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, EXTRACTIVE, FAILED, PENDING, document, item
from tests.render.golden_files import check_golden
from tests.render.hostile import HOSTILE, edge_cases, hostile_item
from tests.render.rendering import render


def joined(text: str) -> str:
    """Return a text without its line breaks and indents, nor any other blank: Chinese breaks where there is none."""
    return re.sub(r"\s+", "", text)


def assert_narrow(text: str) -> None:
    for line in text.splitlines():
        assert width(line) <= COLUMNS or "http" in line, line


def test_golden() -> None:
    check_golden("all-fields-zh.txt", render(ALL_FIELDS, "txt"))
    check_golden("extractive-en.txt", render(EXTRACTIVE, "txt"))
    check_golden("empty-zh.txt", render(EMPTY, "txt"))


def test_every_paper_is_there_with_all_its_texts() -> None:
    text = render(document(COUNTING, FAILED, PENDING), "txt", math="tex")
    assert_narrow(text)
    for part in (
        *(COUNTING.translated_title, COUNTING.tldr, COUNTING.tldr_en, COUNTING.translated_abstract),
        *(FAILED.title, FAILED.abstract, "failed: the answer was English, not Chinese", "pending"),
        *("Björn Wool", "Institute of Sleep; Night School", "cs.AI", COUNTING.links.abs, "invented-7b"),
        ACKNOWLEDGEMENT,
    ):
        assert joined(part or "") in joined(text)
    assert re.findall(r"^(\d+)\. ", text, re.MULTILINE) == ["1", "2", "3"]
    assert re.findall(r"^\[(\d+)\] ", text, re.MULTILINE) == ["1", "2", "3"]


def test_formulas_are_unicode_unless_asked_otherwise() -> None:
    digest = document(item(tldr="At most $x_1^2$."))
    assert "At most x₁²." in render(digest, "txt")
    assert "At most $x_1^2$." in render(digest, "txt", math="tex")


def test_no_text_is_said_twice() -> None:
    text = render(document(item(title="T-t", translated_title="T-t", tldr="S-s", tldr_en="S-s", abstract="A-a")), "txt")
    assert [text.count(part) for part in ("T-t", "S-s", "A-a")] == [2, 1, 1]


def test_an_empty_digest_says_why() -> None:
    assert "没有公布新论文。" in render(EMPTY, "txt")
    lost = document(receipt=Receipt(2, 0, 0, 0, 0, 0, ("3103.1", "3103.2")))
    assert "None of the announced papers is stored yet." in render(lost, "txt")


def test_a_withdrawn_paper_and_the_reasons_are_told() -> None:
    text = render(document(item(withdrawn=True, reasons=(Reason(ReasonKind.AUTHOR, "A. Wool"),))), "txt")
    assert "withdrawn" in text
    assert "(written by A. Wool)" in text


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a " * 40, ["a " * 35 + "a", "a a a a"]),
        ("数" * 40, ["数" * 36, "数" * 4]),
        ("数" * 36 + "。", ["数" * 35, "数。"]),
        ("数" * 35 + "（数", ["数" * 35, "（数"]),
        ("a" * 70 + " bcd", ["a" * 70, "bcd"]),
        ("http://x.example/" + "a" * 90, ["http://x.example/" + "a" * 90]),
        ("", [""]),
    ],
)
def test_lines_break_where_they_may(text: str, lines: list[str]) -> None:
    assert wrap(text).splitlines() == lines or (not text and wrap(text) == "")


def test_wide_characters_take_two_columns_and_marks_none() -> None:
    assert [width(text) for text in ("ab", "数学", "e\u0301", "\u200b", "ｱ", "Ａ")] == [2, 4, 1, 0, 1, 2]


def test_a_terminal_obeys_nothing() -> None:
    nasty = item(title="\x1b[31mred\x07\x9b2J", authors=(ItemAuthor("\x08x"),), links=Links("javascript:x", ""))
    text = render(document(nasty, title="\x1b]0;t\x07"), "txt")
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert "\ufffd[31mred" in text
    assert "javascript" not in text


@given(text=st.text(st.characters(categories=None)) | st.text("ab 数（）。“”,.()\u0301\u200b", max_size=300))
@settings(max_examples=200, deadline=None)
def test_wrapping_loses_nothing(text: str) -> None:
    line = " ".join(text.split())
    wrapped = wrap(line, "12. ")
    assert joined(wrapped) == joined("12. " + line)
    assert_narrow(wrapped)


def test_a_long_text_takes_little_time() -> None:
    start = time.perf_counter()
    assert len(wrap("a" * 100_000).splitlines()) > 1_000
    wrap("（" * 100_000)
    wrap("a b" * 30_000)
    assert time.perf_counter() - start < 3


@archive.needs_archive
def test_the_archive_fits() -> None:
    papers = list(archive.papers().values())[::8]
    text = render(document(*papers, language="zh"), "txt", math="tex")
    assert_narrow(text)
    whole = joined(text)
    for paper in papers:
        for part in (paper.tldr, paper.links.abs):
            assert joined(part or "").replace("~", "") in whole.replace("~", "") or "\\" in (part or "")


def test_a_title_in_both_languages_is_named_once_in_the_list() -> None:
    text = render(document(replace(COUNTING, tldr=None, tldr_en=None, summary_status="pending")), "txt")
    assert "\n   pending\n" in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_start_no_line_of_their_own(text: str) -> None:
    lines = render(document(hostile_item(text), title=text), "txt").splitlines()
    assert len([line for line in lines if re.match(r"\[\d+\] ", line)]) == 1
    assert not [line for line in lines if re.search("[\x00-\x1f\x7f-\x9f]", line)]


def test_real_texts_that_gave_trouble_are_shown(samples: Path) -> None:
    papers = edge_cases(samples)
    text = render(document(*papers), "txt", math="tex")
    assert_narrow(text)
    for paper in papers:
        assert joined(display(one_line(paper.abstract))) in joined(text)
