"""Checks on an answer of a language model before it is stored (docs/decisions/0012-checks.md). Pure, and without a model.

A fault means that the answer is asked for again with the reason; a note is stored with the summary. Bounds are set so that
hardly a good answer is refused: they were measured on the older system's 2,703 records (tests/llm/test_checks.py).
"""

from collections.abc import Callable, Iterator
from typing import Final

from app.llm.base import Detail, PaperText, SummaryDraft
from app.llm.checks.content import check_formulas, check_numbers
from app.llm.checks.finding import Answer, Finding, read_answer
from app.llm.checks.language import check_language
from app.llm.checks.leaks import (
    addresses_model,
    check_addresses_model,
    check_echo,
    check_labels,
    check_markup,
    check_obeyed,
)
from app.llm.checks.shape import (
    check_copies,
    check_cut_short,
    check_length,
    check_missing,
    check_one_sentence,
    check_repeated,
)

__all__ = ["CHECKS", "Finding", "addresses_model", "check"]

CHECKS: Final[tuple[Callable[[Answer], Iterator[Finding]], ...]] = (
    check_missing,
    check_obeyed,
    check_language,
    check_copies,
    check_labels,
    check_echo,
    check_markup,
    check_repeated,
    check_length,
    check_cut_short,
    check_one_sentence,
    check_formulas,
    check_numbers,
    check_addresses_model,
)
"""All checks, those first whose reason a model should be told first."""


def check(paper: PaperText, language: str, draft: SummaryDraft, detail: Detail = Detail.FULL) -> tuple[Finding, ...]:
    """All that is found in ``draft``, an answer about ``paper`` in ``language`` (BCP 47); nothing if it is as it should be."""
    answer = read_answer(paper, language, draft, detail)
    return tuple(finding for one in CHECKS for finding in one(answer))
