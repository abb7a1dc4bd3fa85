"""Where formulas begin and end: the one rule of the display form and of MathML."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.arxiv.formulas import find_formulas


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("no formula", []),
        ("$x$", ["x"]),
        ("an $n$-gram and $x^2$.", ["n", "x^2"]),
        ("$20 and $30", []),
        ("it costs $20 and $x$ more", ["x"]),
        ("$5-$10, $100M to $200M", []),
        ("an odd $ sign", []),
        ("an odd $x", []),
        ("$ x$ and $x $", []),
        ("$$", []),
        ("$$$$", []),
        ("$$x = y$$", ["x = y"]),
        ("$x$$y$", ["x", "y"]),
        ("if $a<b$ and c>d$", ["a<b"]),
        ("\\(a\\) and \\[b\\]", ["a", "b"]),
        ("\\(a and \\[b", []),
        ("\\\\(a\\\\)", []),
        ("costs \\$5 and \\$6", []),
        ("$a\\$b$", ["a\\$b"]),
        ("$a\n+ b$", ["a\n+ b"]),
        ("长度为$n$的序列，共$m$个", ["n", "m"]),
        ("$\\mathc was cut. 然后，另一个 $x$", ["x"]),
        ("from $5 million while the other one is 6$ only", []),
        ("from $5 million while the\nother  one is 6$ only", []),
        ("$x \\text{ if and only if } y$", ["x \\text{ if and only if } y"]),
        ("a \\begin{equation} x \\end{equation} b", [" x "]),
        ("\\begin{equation*}x\\end{equation*}", ["x"]),
        ("\\begin{align} a &= b \\\\ c &= d \\end{align}", ["\\begin{align} a &= b \\\\ c &= d \\end{align}"]),
        ("\\begin{align} a &= b was cut off", []),
        ("\\begin{align} a \\end{align*}", []),
        ("\\begin{itemize} \\item $x$ \\end{itemize}", ["x"]),
        ("\\\\begin{equation}x\\end{equation}", []),
    ],
)
def test_only_formulas_are_taken_for_formulas(text: str, formulas: list[str]) -> None:
    assert [formula.source for formula in find_formulas(text)] == formulas


def test_display_is_told_from_inline() -> None:
    text = "$a$$$b$$\\(c\\)\\[d\\]\\begin{math}e\\end{math}\\begin{gather}f\\end{gather}"
    assert [formula.is_displayed for formula in find_formulas(text)] == [False, True, False, True, False, True]


PIECES = ["$", "$$", "\\(", "\\)", "\\[", "\\]", "\\$", "\\", "\\begin{align}", "\\end{align}", " ", "x", "1", "字"]


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
@settings(max_examples=300, deadline=None)
def test_formulas_are_in_order_and_as_they_are_written(text: str) -> None:
    formulas = list(find_formulas(text))
    for formula in formulas:
        assert formula.written == text[formula.start : formula.end]
        assert formula.source in formula.written
        assert formula.source.strip()
        assert [again.written for again in find_formulas(formula.written)] == [formula.written]
    assert all(one.end <= other.start for one, other in pairwise(formulas))


@pytest.mark.parametrize(
    "piece", ["$", "$$", "\\(", "\\[", "$x", "$ ", "$$x$", "\\$", "$1", "\\begin{align}", "\\(the cat sat on"]
)
def test_time_is_linear_in_the_length(piece: str) -> None:
    text = piece * (200_000 // len(piece))
    start = time.perf_counter()
    for _ in find_formulas(text + "\\)"):
        pass
    assert time.perf_counter() - start < 2
