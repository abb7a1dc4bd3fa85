"""The glossary: its file, and which entries a paper gets."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import ConfigurationError
from app.llm.glossary import Glossary, load_glossary

TEXT = """
keep = ["Transformer", "LoRA", "C++"]
[zh]
"large language model" = "大语言模型"
"language model" = "语言模型"
"token" = "令牌"
"loss" = "损失"
[zh."cs.CL"]
"token" = "词元"
[zh.econ]
"token" = "代币"
[zh-Hant]
"token" = "權杖"
"""


def make(tmp_path: Path, text: str = TEXT) -> Glossary:
    """The glossary of this file."""
    path = tmp_path / "glossary.toml"
    path.write_text(text, "utf-8")
    return load_glossary(path)


@pytest.mark.parametrize(
    ("language", "categories", "text", "terms", "keep"),
    [
        ("zh", (), "Nothing of it.", {}, ()),
        ("zh", (), "A Large\nLanguage  Models paper", {"large language model": "大语言模型"}, ()),
        (
            "zh",
            (),
            "large language models and a language model",
            {"large language model": "大语言模型", "language model": "语言模型"},
            (),
        ),
        ("zh", (), "tokenizer, tokens", {"token": "令牌"}, ()),
        ("zh", (), "Losses", {"loss": "损失"}, ()),
        ("zh", (), "tokenizer, glossy", {}, ()),
        ("zh", ("cs.CL",), "token", {"token": "词元"}, ()),
        ("zh", ("econ.GN", "cs.CL"), "token", {"token": "词元"}, ()),
        ("zh", ("econ.GN",), "token", {"token": "代币"}, ()),
        ("zh-CN", (), "token", {"token": "令牌"}, ()),
        ("zh-Hant", (), "token and loss", {"token": "權杖"}, ()),
        ("zh-TW", (), "token and loss", {"token": "權杖"}, ()),
        ("de", (), "A token, lora-based, in C++.", {}, ("LoRA", "C++")),
        ("de", (), "Transformers", {}, ("Transformer",)),
    ],
)
def test_entries(
    tmp_path: Path, language: str, categories: tuple[str, ...], text: str, terms: dict[str, str], keep: tuple[str, ...]
) -> None:
    """Only what occurs in the text, whole words, the longest first."""
    found, kept = make(tmp_path).entries_for(language, categories, text)
    assert (list(found.items()), sorted(kept)) == (list(terms.items()), sorted(keep))


def test_digest(tmp_path: Path) -> None:
    """It follows the content and not its order or layout."""
    glossary = make(tmp_path)
    assert len(glossary.digest) == 8
    assert make(tmp_path, '# other\nkeep = ["b","a"]').digest == make(tmp_path, 'keep = ["a", "b"]').digest
    assert make(tmp_path, TEXT.replace("词元", "标记")).digest != glossary.digest
    assert make(tmp_path, "").digest == make(tmp_path, "[zh]").digest == Glossary.empty().digest == ""
    assert Glossary.empty().entries_for("zh", (), "token") == ({}, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keep = ", "is not valid TOML"),
        ("keep = 'LoRA'", "has a keep that is not a list of names"),
        ("keep = [1]", "has 1 where a text should be"),
        ("keep = ['']", "is empty"),
        ("zh = 'x'", "where only keep and tables"),
        ("['two words']\na = 'b'", "is no language tag"),
        ("[zh]\na = 3", "has 3 where a text should be"),
        ('[zh]\na = "b\\nc"', "not one line"),
        ("[zh.'cs.CL'.more]\na = 'b'", "where a text should be"),
        ("[zh]\na = 'b'\nA = 'c'", "has a term twice"),
        ("keep = ['LoRA']\n[zh]\nlora = 'x'", "both keeps"),
        ("#" * 1_000_001, "is larger than"),
    ],
)
def test_wrong_files(tmp_path: Path, text: str, message: str) -> None:
    """One sentence says what is wrong."""
    with pytest.raises(ConfigurationError, match=message) as caught:
        make(tmp_path, text)
    assert caught.value.detail.startswith("The glossary ") and caught.value.detail.endswith(".")
    assert "\n" not in caught.value.detail


def test_missing_and_undecodable_files(tmp_path: Path) -> None:
    """Likewise."""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_glossary(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"keep = ['\xe9']")
    with pytest.raises(ConfigurationError, match="is not valid TOML"):
        load_glossary(str(tmp_path / "latin.toml"))


@given(st.text(), st.lists(st.text(min_size=1, max_size=20), max_size=5))
def test_any_text(text: str, words: list[str]) -> None:
    """No text and no terms bring it down."""
    glossary = Glossary(tuple(words), (("zh", "", tuple((word, "x") for word in words)),), "12345678")
    terms, keep = glossary.entries_for("zh", ("cs.CL",), text)
    assert set(terms) <= set(words) and set(keep) <= set(words)
