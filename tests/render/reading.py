"""Reads rendered Markdown back with markdown-it, as two common readers would see it."""

import importlib.util
from dataclasses import dataclass
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin

BLOCKS = {"paragraph_open", "paragraph_close", "inline", "footnote_anchor"}
INLINE = {"text", "code_inline", "link_open", "link_close", "footnote_ref"}


@dataclass(frozen=True)
class Reading:
    """What a reader sees: rows as (reference, title, address, summary), footnotes as paragraphs, the other blocks."""

    rows: list[tuple[str, str, str, str]]
    footnotes: dict[str, list[str]]
    headings: list[str]
    paragraphs: list[str]
    links: list[str]


def readers() -> dict[str, MarkdownIt]:
    """Return CommonMark with tables, and GFM with bare addresses as links where linkify-it-py is installed."""
    gfm = "gfm-like" if importlib.util.find_spec("linkify_it") else "js-default"
    return {
        "commonmark": MarkdownIt("commonmark").enable("table").use(footnote_plugin),
        gfm: MarkdownIt(gfm).use(footnote_plugin),
    }


def read(text: str, reader: MarkdownIt) -> Reading:
    """Parse a digest. Raises AssertionError for any construct that no digest holds, such as emphasis or HTML."""
    tokens = reader.parse(text)
    start = next((at for at, token in enumerate(tokens) if token.type == "footnote_block_open"), len(tokens))
    body, notes = tokens[:start], tokens[start:]
    plain = list(pairwise(body))
    cells = [after for token, after in plain if token.type == "td_open"]
    assert len(cells) % 3 == 0
    rows = [_row(*cells[at : at + 3]) for at in range(0, len(cells), 3)]
    assert {token.type for token in body} <= {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "hr"),
        *("table_open", "thead_open", "tr_open", "th_open", "th_close", "tr_close", "thead_close"),
        *("tbody_open", "td_open", "td_close", "tbody_close", "table_close"),
    }
    return Reading(
        rows=rows,
        footnotes=_footnotes(notes),
        headings=[seen(after) for token, after in plain if token.type == "heading_open"],
        paragraphs=[seen(after) for token, after in plain if token.type == "paragraph_open"],
        links=[
            str(child.attrs["href"]) for token in tokens for child in token.children or () if child.type == "link_open"
        ],
    )


def seen(inline: Token) -> str:
    """Return the text of an inline token. Raises AssertionError for emphasis, HTML, images and line breaks."""
    children = inline.children or []
    assert {child.type for child in children} <= INLINE, (inline.content, children)
    return "".join(child.content for child in children)


def _row(ref: Token, title: Token, summary: Token) -> tuple[str, str, str, str]:
    assert [child.type for child in ref.children or ()] == ["footnote_ref"]
    links = [child for child in title.children or () if child.type == "link_open"]
    assert len(links) <= 1
    return ref.content, seen(title), str(links[0].attrs["href"]) if links else "", seen(summary)


def _footnotes(tokens: list[Token]) -> dict[str, list[str]]:
    notes: dict[str, list[str]] = {}
    current: list[str] = []
    for token in tokens:
        if token.type == "footnote_open":
            label = str(token.meta["label"])
            assert label not in notes
            current = notes[label] = []
        elif token.type == "inline":
            current.append(seen(token))
        else:
            assert token.type in BLOCKS | {"footnote_block_open", "footnote_close", "footnote_block_close"}
    return notes
