"""Prices and estimates."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.base import Detail, PaperText
from app.llm.glossary import Glossary
from app.llm.prices import PriceOverride, cost, estimate, estimate_tokens, is_local

AT = datetime(2026, 1, 15, 12, tzinfo=UTC)
PAPER = PaperText("1", "A Title of a Paper", "We present a method. " * 50)


def test_known_prices() -> None:
    """Of the installed table; a reseller's differ from the maker's."""
    assert cost("gpt-4o-mini", "https://api.openai.com/v1", 1_000_000, 1_000_000, at=AT) == pytest.approx(0.75)
    assert cost("gpt-4o-mini", None, 1_000_000, 0, at=AT) == pytest.approx(0.15)
    assert cost("gpt-4o-mini", None, 1_000_000, 0, 1_000_000, at=AT) == pytest.approx(0.075)
    assert cost("gpt-4o-mini", None, 1_000_000, 0, 2_000_000, at=AT) == pytest.approx(0.075)
    assert cost("gpt-4o-mini", None, 0, 0) == 0
    for model, url in (
        ("deepseek-chat", "https://api.deepseek.com"),
        ("deepseek/deepseek-chat", "https://openrouter.ai/api/v1"),
    ):
        assert (cost(model, url, 1000, 1000, at=AT) or 0) > 0


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("no-such-model", None),
        ("no-such", "https://api.openai.com/v1"),
        ("gpt-4o", "https://llm.example.org"),
        ("", None),
    ],
)
def test_unknown_prices(model: str, url: str | None) -> None:
    """None, and never nought."""
    assert cost(model, url, 1000, 1000) is None


def test_override() -> None:
    """It goes before the table and before a local endpoint."""
    assert cost("x", None, 1_000_000, 500_000, override=PriceOverride(2, 8)) == pytest.approx(6)
    assert cost("x", None, 1_000_000, 0, 400_000, PriceOverride(2, 8)) == pytest.approx(2)
    assert cost("x", "http://localhost", 1_000_000, 0, 500_000, PriceOverride(2, 8, 1)) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8000", True),
        ("http://192.168.1.5:1234", True),
        ("http://10.1.2.3", True),
        ("http://100.64.0.7", True),
        ("http://ollama:11434", True),
        ("http://host.docker.internal:11434", True),
        ("localhost:8000", True),
        ("http://gpu.lan", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/", False),
        ("https://localhost.example.org", False),
        ("https://10.0.0.1.example.org", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_local_endpoints(url: str, local: bool) -> None:
    """They cost nothing."""
    assert is_local(url) is local
    if local:
        assert cost("gpt-4o", url, 1000, 1000) == 0


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("   ", 0),
        ("Wir schlagen ein neues Verfahren zum Training großer Sprachmodelle vor.", 14),
        ("We propose a new method for training large language models.", 11),
        ("本文提出了一种训练大语言模型的新方法。", 13),
        ("Мы предлагаем новый метод обучения больших языковых моделей.", 11),
    ],
)
def test_estimate_tokens(text: str, tokens: int) -> None:
    """Near what o200k_base counts."""
    assert estimate_tokens(text) == pytest.approx(tokens, rel=0.3)


@given(st.text())
def test_estimate_tokens_of_any_text(text: str) -> None:
    """Never negative, never more than bytes."""
    assert 0 <= estimate_tokens(text) <= len(text.encode("utf-8", "replace")) + 1


def test_estimate() -> None:
    """More languages and more detail cost more; English alone costs one sentence."""

    def size(languages: list[str], detail: Detail = Detail.FULL, fields: tuple[str, ...] = ()) -> tuple[int, int]:
        return estimate(PAPER, languages, detail, fields, Glossary.empty())

    one, brief, two, more = (
        size(["zh"]),
        size(["zh"], Detail.BRIEF),
        size(["zh", "de"]),
        size(["zh"], fields=("method",)),
    )
    assert 300 < one[0] < 500 and 200 < one[1] < 450
    assert brief[1] < one[1] < more[1] < two[1]
    assert brief[0] < one[0] < more[0] < two[0]
    assert size(["en"])[1] < 60
