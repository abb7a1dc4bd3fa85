"""The older system's RSS: the same channel and the same items."""

import re
import time
from xml.etree import ElementTree

import pytest
from lxml import html

from app.render.document import ClassicTexts
from app.render.feeds.model import characters
from tests.render import archive
from tests.render.documents import ALL_FIELDS, document, item
from tests.render.golden_files import check_golden
from tests.render.rendering import render
from tests.render.test_classic import LINK

Item = tuple[str | None, str | None, str | None]


def items(written: str) -> list[Item]:
    """Title, link and description of every item, as a conforming parser reads them. There is nothing else in an item."""
    found = list(ElementTree.fromstring(written).iter("item"))
    assert all([child.tag for child in one] == ["title", "link", "description"] for one in found)
    return [(one.findtext("title"), one.findtext("link"), one.findtext("description")) for one in found]


def paragraphs(description: str | None) -> list[str]:
    return [text.strip("\n") for text in re.findall(r"<p>(.*?)</p>", description or "", re.DOTALL)]


def texts(number: int = 1, **changes: str | None) -> ClassicTexts:
    plain = {
        "title": "A Title. (arXiv:3103.00001v1 [cs.CL])",
        "link": f"http://arxiv.org/abs/3103.{number:05}",
        "abstract": "An\nabstract.",
        "translated_title": "标\n题",
        "translated_abstract": "摘\n要",
        "tldr": "一句\n话",
        "en_tldr": None,
    }
    return ClassicTexts(**{**plain, **changes})  # type: ignore[arg-type]


def test_golden() -> None:
    check_golden("classic-zh.rss", render(ALL_FIELDS, "rss", "classic"))


def test_the_whole_of_a_small_feed() -> None:
    """What the older system wrote for such a record: no declaration, ASCII, no guid and no dates; the tldr as the title."""
    description = "<p>\n标 题\n</p>\n<p>\nA Title. (arXiv:3103.00001v1 [cs.CL])\n</p>\n<p>\nhttp://arxiv.org/abs/3103.00001\n</p>\n"
    description += "<p>\n一句\n话\n</p>\n<p>\n\n</p>\n<p>\n摘 要\n</p>\n<p>\nAn abstract.\n</p>"
    rss = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(rss, "channel")
    ElementTree.SubElement(channel, "title").text = "Chat Arxiv cs.CL"
    ElementTree.SubElement(channel, "link").text = "https://github.com/qhduan/cn-chat-arxiv"
    ElementTree.SubElement(channel, "description").text = "This is arxiv RSS feed for cs.CL"
    one = ElementTree.SubElement(channel, "item")
    ElementTree.SubElement(one, "title").text = "一句\n话"
    ElementTree.SubElement(one, "link").text = "http://arxiv.org/abs/3103.00001"
    ElementTree.SubElement(one, "description").text = description
    assert render(document(item(classic=texts())), "rss", "classic") == ElementTree.tostring(rss).decode() + "\n"


@archive.needs_archive
@pytest.mark.parametrize("name", [path.name for path in archive.digests()])
def test_every_digest_of_the_archive_gives_the_items_of_its_markdown(name: str) -> None:
    """The older system wrote both files from the same records, so that its Markdown says what its RSS held."""
    markdown = (archive.ARCHIVE / "digests" / name).read_text("utf-8")
    links = LINK.findall(markdown)
    papers = archive.papers()
    shuffled = sorted((papers[link] for link in links), key=lambda paper: paper.title or "")
    found = items(render(document(*shuffled), "rss", "classic"))
    assert [link for _, link, _ in found] == links
    details = re.split(r"^\[\^\d+\]: ", markdown.split("\n# 详细\n\n", 1)[1], flags=re.MULTILINE)[1:]
    for (title, link, description), detail in zip(found, details, strict=True):
        translated, original, _, tldr, english, abstract_zh, abstract = (
            detail.rstrip("\n").removesuffix("\n    ").split("\n\n    ")
        )
        assert (title or "").replace("\n", " ") == tldr
        assert paragraphs(description) == [translated, original, link, title, english, abstract_zh, abstract], link


@archive.needs_archive
def test_the_archives_texts_stay_what_they_are() -> None:
    papers = [paper for paper in archive.papers().values() if paper.classic]
    by_link = {paper.classic.link: paper.classic for paper in papers if paper.classic}
    found = items(render(document(*papers), "rss", "classic"))
    assert len(found) > 2_000
    for title, link, description in found:
        record = by_link[str(link)]
        assert title == record.tldr
        assert paragraphs(description)[1] == record.title
        assert paragraphs(description)[-1] == record.abstract.replace("\n", " ")


def test_links_descend_as_text_and_papers_without_a_chinese_text_are_left_out() -> None:
    whole = [texts(2), texts(4, tldr=""), texts(3, link="https://arxiv.org/abs/3103.00003")]
    lacking = [texts(5, tldr=None), texts(6, translated_title=None), texts(7, translated_abstract=None)]
    found = items(render(document(*(item(classic=one) for one in (*whole, *lacking))), "rss", "classic"))
    assert [link for _, link, _ in found] == [
        "https://arxiv.org/abs/3103.00003",
        "http://arxiv.org/abs/3103.00004",
        "http://arxiv.org/abs/3103.00002",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<x onclick=alert(1)>",
        "<term, onclick=alert(1)>",
        "<svg/onload=alert(1)>",
        "</p><p>",
        "<!-- ",
        "<?php",
        "<img\nsrc=x",
        "<PLAINTEXT>",
        "<Template>",
        "<term <script>alert(1)</script>>",
        "<\x00script>",
        "<script\x0c>alert(1)</script\x0b>",
    ],
)
def test_what_would_act_as_html_is_defused_and_shown(text: str) -> None:
    hostile = texts(title=text, abstract=text, translated_title=text, translated_abstract=text, tldr=text, en_tldr=text)
    (found,) = items(render(document(item(classic=hostile)), "rss", "classic"))
    tree = html.fragment_fromstring(found[2] or "", create_parent=True)
    assert [child.tag for child in tree.iter()] == ["div", *["p"] * 7]
    assert not [name for child in tree.iter() for name in child.attrib]
    shown = re.sub(r"[\x00\x0b\x0c]", "\ufffd", text)
    assert [(one.text or "").strip() for one in tree][1] == shown.strip()


def test_words_in_angle_brackets_stay_as_they_were() -> None:
    for text in ("<term, definition, example> triplets", "p <0.05, q < 1 & <mask>", "&lt;b&gt; &amp;"):
        (found,) = items(render(document(item(classic=texts(title=text))), "rss", "classic"))
        assert paragraphs(found[2])[1] == text


def test_links_lead_to_the_web_only() -> None:
    (found,) = items(render(document(item(classic=texts(link="javascript:alert(1)"))), "rss", "classic"))
    assert not found[1]


@pytest.mark.parametrize(
    "text", ["]]>", "\x00\x07\ud800\uffff", "<a" * 50_000, "<" + "a" * 100_000, "<a " * 40_000, "\u202e\u200b"]
)
def test_hostile_texts_are_well_formed_and_fast(text: str) -> None:
    hostile = texts(title=text, abstract=text, tldr=text)
    begun = time.perf_counter()
    written = render(document(item(classic=hostile), title=text, channel=None), "rss", "classic")
    assert time.perf_counter() - begun < 5
    assert [title for title, _, _ in items(written)] == [characters(text)]
