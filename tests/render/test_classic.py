"""The older system's Markdown, rebuilt byte for byte."""

import re
from dataclasses import replace

import pytest

from app.render.document import ClassicTexts
from tests.render import archive
from tests.render.documents import ALL_FIELDS, COUNTING, STALE, document, item
from tests.render.golden_files import check_golden
from tests.render.rendering import render

LINK = re.compile(r"^\| \[\^\d+\] \| \[.*\]\((http\S+)\) \| .* \|$", re.MULTILINE)


def test_golden() -> None:
    check_golden("classic-zh.md", render(ALL_FIELDS, "md", "classic"))


@archive.needs_archive
@pytest.mark.parametrize("name", [path.name for path in archive.digests()])
def test_every_digest_of_the_archive_is_rebuilt_byte_for_byte(name: str) -> None:
    expected = (archive.ARCHIVE / "digests" / name).read_bytes()
    papers = archive.papers()
    items = [papers[link] for link in LINK.findall(expected.decode())]
    assert items
    # The order is the renderer's work, so the papers are given to it in another one.
    assert render(document(*sorted(items, key=lambda paper: paper.title or "")), "md", "classic").encode() == expected


def test_papers_without_a_chinese_text_are_left_out_but_empty_texts_count() -> None:
    whole = ClassicTexts("T", "http://arxiv.org/abs/3103.00009", "A", "TT", "TA", "S", None)
    variants = [
        replace(whole, link="http://arxiv.org/abs/3103.00001", tldr=None),
        replace(whole, link="http://arxiv.org/abs/3103.00002", translated_title=None),
        replace(whole, link="http://arxiv.org/abs/3103.00003", translated_abstract=None),
        replace(whole, link="http://arxiv.org/abs/3103.00004", tldr=""),
    ]
    papers = [item(classic=texts) for texts in variants]
    text = render(document(*papers), "md", "classic")
    assert "| [^1] | [T](http://arxiv.org/abs/3103.00004) |  |\n\n# 详细" in text
    assert "[^2]" not in text


def test_equal_links_keep_their_order_and_links_sort_as_text() -> None:
    def paper(link: str, title: str) -> ClassicTexts:
        return ClassicTexts(title, link, "A", "TT", "TA", "S", None)

    items = [
        item(classic=paper("http://arxiv.org/abs/3103.1", "first")),
        item(classic=paper("https://arxiv.org/abs/3103.1", "s")),
        item(classic=paper("http://arxiv.org/abs/3103.1", "second")),
        item(classic=paper("http://arxiv.org/abs/hep-th/3103001", "old")),
    ]
    rows = render(document(*items), "md", "classic").split("# 详细")[0]
    assert re.findall(r"\[(\w+)\]\(", rows) == ["s", "old", "first", "second"]


def test_line_breaks_are_joined_except_in_the_title_of_the_details() -> None:
    classic = ClassicTexts("A\nB  (arXiv:1 [x])", "L", "a\nb", "t\nt", "u\nu", "s\ns", "e\ne")
    assert render(document(item(classic=classic)), "md", "classic") == (
        "# 摘要\n\n| Ref | Title | Summary |\n| --- | --- | --- |\n| [^1] | [A B](L) | s s |\n\n# 详细\n\n"
        "[^1]: t t\n\n    A\nB  (arXiv:1 [x])\n\n    [L](L)\n\n    s s\n\n    e e\n\n    u u\n\n    a b\n    \n\n"
    )


def test_a_paper_without_classic_texts_is_shown_from_its_own() -> None:
    text = render(document(STALE, replace(COUNTING, classic=None)), "md", "classic")
    assert "| [^1] | [Strings of Yarn](https://arxiv.org/abs/hep-th/3101002) | 毛线可以解释引力。 |" in text
    assert "Yarn explains gravity." not in text  # There never was an English sentence under the key that is read.


def test_a_lone_surrogate_is_replaced() -> None:
    classic = ClassicTexts("\ud800", "L", "", "", "", "", None)
    assert "[\ufffd](L)" in render(document(item(classic=classic)), "md", "classic").encode().decode()
