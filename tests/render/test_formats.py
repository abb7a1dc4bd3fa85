"""The list of formats, and what all formats have in common."""

from dataclasses import replace

import pytest

from app.errors import InvalidInput
from app.render import FORMATS, rendering
from app.render.document import DigestDocument, Receipt
from tests.render.documents import ALL_FIELDS, EMPTY, document, item
from tests.render.rendering import render

STYLES = [(name, style) for name, known in FORMATS.items() for style in (None, *known.styles)]


def test_the_formats_say_what_they_are() -> None:
    assert {name: known.media_type for name, known in FORMATS.items()}.items() >= {
        ("md", "text/markdown"),
        ("html", "text/html"),
        ("json", "application/json"),
        ("txt", "text/plain"),
    }
    assert set(FORMATS["md"].styles) >= {"classic"}


def test_an_unknown_format_lists_the_possible_ones() -> None:
    with pytest.raises(InvalidInput, match=r"There is no format 'pdf'; the formats are md, html, .*json"):
        render(EMPTY, "pdf")


def test_an_unknown_style_lists_the_possible_ones() -> None:
    with pytest.raises(InvalidInput, match=r"no style 'modern' of the format 'md'; its styles are classic"):
        render(EMPTY, "md", "modern")
    with pytest.raises(InvalidInput, match=r"no style 'classic' of the format 'json'; it has no styles"):
        render(EMPTY, "json", "classic")


@pytest.mark.parametrize(("name", "style"), STYLES)
def test_every_format_is_encodable_deterministic_and_ends_its_last_line(name: str, style: str | None) -> None:
    lone = "\udfff\ud800 \x00"
    broken = item(arxiv_id=lone, title=lone, tldr=lone, abstract=lone, summary_error=lone, announce_type=lone)
    digests: list[DigestDocument] = [
        ALL_FIELDS,
        EMPTY,
        document(broken, title=lone, id=lone, channel=lone, language=lone, receipt=Receipt(1, 1, 1, 0, 0, 1, (lone,))),
        replace(EMPTY, channel=None, period=None, title=""),
    ]
    for digest in digests:
        written = rendering(name, style)(digest)
        assert written == rendering(name, style)(digest)
        if name != "epub":  # a zip file
            written.decode()
            assert written.endswith(b"\n")


def test_the_kinds_of_formulas_are_those_of_the_format() -> None:
    digest = document(item(title="$x_1^2$"))
    for name, other in (("md", "tex"), ("txt", "unicode"), ("html", "mathml")):
        assert render(digest, name) == render(digest, name, math=other)
    for name in ("md", "txt", "html"):
        assert "x₁²" in render(digest, name, math="unicode")
        assert "$x_1^2$" in render(digest, name, math="tex")
        assert "<math" not in render(digest, name, math="unicode")
    assert "<msubsup>" in render(digest, "html")
    with pytest.raises(InvalidInput, match=r"'md' has no math='mathml'; it takes tex, unicode"):
        render(digest, "md", math="mathml")
