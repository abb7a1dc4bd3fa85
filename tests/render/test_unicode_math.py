r"""Formulas in Unicode characters: legible, on one line, whatever comes."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.arxiv.display import display
from app.render.text import one_line
from app.render.unicode_math import formula_text, unicode_math
from tests.render.test_mathml import HOSTILE, TEX


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("x^2", "x²"),
        (r"\alpha_i \le \mathbb{R}^n", "αᵢ ≤ ℝⁿ"),
        (r"\frac{a}{b}", "a/b"),
        (r"\frac{a+b}{c}", "(a+b)/c"),
        (r"\frac12 x", "(1/2)x"),
        ("x^{n+m}", "xⁿ⁺ᵐ"),
        ("x^{q+m}", "x^(q+m)"),
        ("x_b", "x_b"),
        ("e^{x^2}", "e^(x²)"),
        (r"10^{-3}", "10⁻³"),
        ("10,000", "10,000"),
        ("1,2,3", "1, 2, 3"),
        (r"90^\circ", "90°"),
        ("x''", "x″"),
        ("x_i'", "xᵢ′"),
        ("H_2O", "H₂O"),
        (r"\sum_{i=1}^{n} s_i \le \frac{n+1}{2}", "∑ᵢ₌₁ⁿ sᵢ ≤ (n+1)/2"),
        (r"\mathcal{O}(n\log n)", "𝒪(n log n)"),
        (r"\sqrt{T}", "√T"),
        (r"\sqrt[3]{x+y}", "∛(x+y)"),
        (r"\hat{x}", "x̂"),
        (r"\widetilde{ab}", "tilde(ab)"),
        (r"\overline{AB}", "A\u0305B\u0305"),
        (r"\max_{x\in X} f(x)", "max_(x∈X) f(x)"),
        (r"\binom{n}{k}", "(n choose k)"),
        (r"\begin{pmatrix}a&b\\c&d\end{pmatrix}", "(a, b; c, d)"),
        (r"a \not= b", "a ≠ b"),
        (r"a \neq b", "a ≠ b"),
        (r"f\colon A\to B", "f : A → B"),
        (r"\mathbf{x}", "𝐱"),
        (r"\mathbf{BERT}_{base}", "BERT_(base)"),
        (r"\text{if } x", "if x"),
        (r"95\%", "95%"),
        ("10%", "10%"),
        (r"\{a\}", "{a}"),
        (r"\operatorname{rank} A", "rank A"),
        (r"\ge 3", "≥3"),
        (r"5\,\mu\mathrm{m}", "5 μm"),
    ],
)
def test_a_formula_reads_well(source: str, text: str) -> None:
    assert unicode_math(f"${source}$") == text


def test_the_text_around_formulas_is_in_its_display_form() -> None:
    assert unicode_math('Schr\\"odinger \\& {\\it co.}~at $x_1$\n for \\$5') == "Schrödinger & co. at x₁ for $5"
    assert unicode_math("$$x^2$$ and \\(y_1\\)") == "x² and y₁"


@pytest.mark.parametrize("text", ["$20 and $30", "an odd $x", "$5-$10", "$$", "plain", "a_b^c"])
def test_what_is_no_formula_is_text(text: str) -> None:
    assert unicode_math(text) == text


def test_nothing_is_nothing() -> None:
    assert unicode_math(None) == unicode_math("") == unicode_math(" \n") == ""


@pytest.mark.parametrize("source", [r"\unknown{x}", r"\frac{a", r"\href{a}{b}", "x" * 2_001])
def test_what_is_not_understood_keeps_its_source(source: str) -> None:
    assert formula_text(source) == source


def test_symbols_are_replaced_where_the_rest_is_not_understood() -> None:
    assert formula_text(r"\unknown{x} \le \alpha") == r"\unknown{x} ≤ α"


@pytest.mark.parametrize("source", HOSTILE)
def test_hostile_tex_is_quick(source: str) -> None:
    start = time.perf_counter()
    text = unicode_math(f"${source}$")
    assert text == one_line(text)
    text.encode()
    assert time.perf_counter() - start < 2


def test_a_long_text_takes_little_time() -> None:
    start = time.perf_counter()
    unicode_math("".join(f"$a_{{{number}}}$ " for number in range(3_000)))
    unicode_math("$" * 100_000)
    unicode_math("\\frac{" * 20_000)
    assert time.perf_counter() - start < 5


@given(TEX)
@settings(max_examples=300, deadline=None)
def test_no_tex_raises(source: str) -> None:
    text = unicode_math(f"a ${source}$ b")
    assert text == one_line(text)
    assert text == unicode_math(f"a ${source}$ b")


@given(st.text(st.characters(exclude_characters="$\\", categories=None)))
def test_a_text_without_formulas_is_its_display_form(text: str) -> None:
    assert unicode_math(text) == one_line(display(text))
