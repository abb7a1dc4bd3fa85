"""Formulas: that no TeX becomes anything but harmless MathML, and that the text around them is in its display form."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from app.arxiv.formulas import MAX_SOURCE
from app.render.mathml import CONTAINERS, LENGTHS, TOKENS, WORDS, formula_html, math_html

HOSTILE = [
    "{" * 900 + "}" * 900,
    "{" * 29 + "}" * 29,
    "\\sqrt" * 400,
    "x^" * 1000,
    "\\frac" * 400,
    "\\left(" * 300,
    "\\begin{matrix}" * 140,
    "\\newcommand{\\a}{\\b\\b}\\newcommand{\\b}{\\c\\c}\\a",
    "\\def\\x{\\x\\x}\\x",
    "\\begin{array}{*{99999999}{c}}a\\end{array}",
    "\\operatorname{" + "* " * 900,
    "\\text{$" * 280,
    "\\text{<script>alert(1)</script>}",
    "\\text{&lt;script&gt;&#x3c;script>&#xd800;}",
    "\\href{javascript:alert(1)}{x}",
    "\\style{position:fixed;inset:0}{x}",
    "\\class{foot}{x}",
    "\\color{red}x",
    "\\color{url(//x.example)}x",
    "\\hspace{9999em}x",
    '\\mathrm{"><img src=x onerror=alert(1)>}',
    "<img src=x onerror=alert(1)>",
    "\\verb|<script>|",
    "\\unknown{x}",
    "\\frac{a",
    "a & b \\\\ c",
    "%",
    "'" * 2000,
    "\x00\x1b",
]


@pytest.mark.parametrize("text", ["$20 and $30", "an odd $x", "$ x$ and $x $", "$5-$10, $100M to $200M", "$$"])
def test_what_is_no_formula_is_text(text: str) -> None:
    assert math_html(text) == text


def test_text_around_formulas_is_in_its_display_form() -> None:
    assert math_html('Schr\\"odinger \\& {\\it co.}~at $x$ for \\$5') == (
        "Schrödinger &amp; co. at <math><mrow><mi>x</mi></mrow></math> for $5"
    )
    assert math_html("a$\\unicode{x2014}$b") == "a—b"
    assert math_html("\\textless b\\textgreater") == "&lt; b&gt;"
    assert math_html("US\\$/A\\$") == "US\\$/A\\$"  # the same as in the other formats


def test_display_is_told_from_inline() -> None:
    assert math_html("$$x$$").startswith('<math display="block">')
    assert math_html("\\begin{equation}x\\end{equation}") == math_html("\\[x\\]") == math_html("$$x$$")


def test_a_formula_becomes_mathml() -> None:
    assert math_html("a $x_1^2$ b") == "a <math><mrow><msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup></mrow></math> b"


def test_styled_letters_become_characters_that_every_browser_shows() -> None:
    assert "<mi>𝔼</mi>" in math_html("$\\mathbb E$")
    assert "ℒ" in math_html("$\\mathcal{L}$")
    assert "<mi>𝐱</mi>" in math_html("$\\mathbf x$")
    assert "ℌ" in math_html("$\\mathfrak H$")


def test_names_of_functions_stand_apart_from_bare_arguments() -> None:
    space = '<mspace width="0.1667em"></mspace>'
    assert math_html("$n\\log n$") == f"<math><mrow><mi>n</mi>{space}<mi>log</mi>{space}<mi>n</mi></mrow></math>"
    assert space not in math_html("$\\log(n)$")


def test_a_percent_sign_does_not_take_the_rest_away() -> None:
    assert "<mn>5</mn>" in math_html("$10% + 5$")
    assert math_html("$10\\%$") == math_html("$10%$")


@pytest.mark.parametrize(
    "source", ["\\unknown{x}", "\\frac{a", "\\color{red}x", "x" * (MAX_SOURCE + 1), "\\href{a}{b}"]
)
def test_what_cannot_be_converted_is_shown_as_its_source(source: str) -> None:
    assert formula_html(source, display=False) == f'<code class="math">{source}</code>'


def assert_harmless(markup: str) -> None:
    """Assert that markup is one formula: MathML of a few elements and attributes, or an escaped source."""
    root = etree.fromstring(markup)
    if root.tag == "code":
        assert len(root) == 0
        return
    assert root.tag == "math"
    for element in root.iterdescendants():
        assert element.tag in CONTAINERS | TOKENS
        assert set(element.attrib) <= LENGTHS | WORDS
        assert all(
            value.replace(" ", "").replace(".", "").replace("-", "").isalnum() for value in element.attrib.values()
        )


@pytest.mark.parametrize("source", HOSTILE)
def test_hostile_tex_is_harmless_and_quick(source: str) -> None:
    start = time.perf_counter()
    assert_harmless(formula_html(source.replace("\x00", "").replace("\x1b", ""), display=True))
    assert math_html(f"${source}$").encode()
    assert time.perf_counter() - start < 2


TEX = st.lists(
    st.one_of(
        st.sampled_from(
            [*HOSTILE[12:], "\\frac", "\\sqrt", "\\left(", "\\right)", "\\alpha", "\\sum", "\\text{", "\\mathbb"]
        ),
        st.sampled_from(list("{}[]()^_&%~'\"<>|01abx ,.=+-\\")),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=3),
    ),
    max_size=20,
).map("".join)


@given(TEX.filter(lambda text: text.isprintable()))
@settings(max_examples=300, deadline=None)
def test_no_tex_escapes(source: str) -> None:
    assert_harmless(formula_html(source, display=False))
