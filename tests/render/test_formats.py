"""The list of formats, the words, and what all formats have in common."""

import re
from dataclasses import asdict, replace

import pytest

from app.errors import InvalidInput
from app.render import FORMATS
from app.render.document import DigestDocument, Receipt
from app.render.vocabulary import CHINESE, ENGLISH, GERMAN, TRADITIONAL
from app.render.words import LANGUAGES, direction, words_for
from tests.render.documents import ALL_FIELDS, EMPTY, document, item
from tests.render.rendering import render

STYLES = [(name, style) for name, known in FORMATS.items() for style in (None, *known.styles)]


def test_the_formats_say_what_they_are() -> None:
    assert {name: known.media_type for name, known in FORMATS.items()}.items() >= {
        ("md", "text/markdown"),
        ("html", "text/html"),
        ("json", "application/json"),
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
        text = render(digest, name, style)
        assert text.encode().endswith(b"\n")
        assert text == render(digest, name, style)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ENGLISH),
        ("en-GB", ENGLISH),
        ("zh", CHINESE),
        ("zh-Hans", CHINESE),
        ("zh-CN", CHINESE),
        ("zh-Hans-HK", CHINESE),
        ("zh-Hant", TRADITIONAL),
        ("zh-TW", TRADITIONAL),
        ("zh_HK", TRADITIONAL),
        ("ZH-hant-mo", TRADITIONAL),
        ("de-CH", GERMAN),
        ("pt-BR", ENGLISH),
        ("", ENGLISH),
    ],
)
def test_words_are_found_by_the_tag(language: str, words: object) -> None:
    assert words_for(language) is words


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_word(language: str) -> None:
    for name, word in asdict(LANGUAGES[language]).items():
        assert word, name
        if name != "colon":
            assert word == word.strip()
            assert not re.search(r"[<>*_`|\[\]\\]", word)


def test_direction() -> None:
    assert [direction(tag) for tag in ("ar-EG", "he", "fa", "zh", "en")] == ["rtl", "rtl", "rtl", "ltr", "ltr"]
