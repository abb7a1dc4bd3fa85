"""Prompts: what is sent, what it costs, and that no paper can get out of its place."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.llm.base import FIELDS, Detail, PaperText
from app.llm.glossary import Glossary, load_glossary
from app.llm.prompts import ABSTRACT_LIMIT, build, clean, language_name, prompt_version
from bench.tokens import TARGET, best_counter, fixed_parts

NONE = Glossary.empty()
GOLDEN = Path(__file__).with_name("prompt_digest_1.txt")
PAPER = PaperText(
    "2401.00001",
    "Sparse Attention in\n  $O(n \\log n)$ Time",
    "We present a large language model with LoRA.\nIt needs 3.5% of the tokens; code: https://example.org/x.",
    ("cs.CL", "cs.LG"),
)


def test_golden_prompt(tmp_path: Path) -> None:
    """The whole prompt, word by word: a change of it needs a new version."""
    path = tmp_path / "g.toml"
    path.write_text('keep = ["LoRA"]\n[zh]\n"large language model" = "大语言模型"\n[zh."cs.CL"]\n"token" = "词元"\n')
    prompt = build(PAPER, ["zh", "en"], Detail.FULL, ["method"], load_glossary(path), ["The abstract is missing."])
    shown = f"{prompt.system}\n=====\n{prompt.user}\n=====\n{json.dumps(prompt.schema, separators=(',', ':'))}\n"
    assert shown == GOLDEN.read_text("utf-8")
    assert not prompt.cut


def test_system_part_is_the_same_for_all_papers() -> None:
    """Providers keep the beginning of a prompt in their cache."""
    other = PaperText("2401.00002", "Other", "Something else.", ("math.AG",))
    assert build(PAPER, ["zh"], Detail.FULL, [], NONE).system == build(other, ["zh"], Detail.FULL, [], NONE).system


@pytest.mark.parametrize(
    ("languages", "detail", "fields", "abstract", "keys"),
    [
        (["zh"], Detail.FULL, [], "A", {"zh": ["title", "abstract", "tldr"]}),
        (["zh"], Detail.BRIEF, ["method"], "A", {"zh": ["title", "tldr"]}),
        (["zh"], Detail.FULL, [], " \x00", {"zh": ["title", "tldr"]}),
        (["de", "en", "zh-Hant"], Detail.BRIEF, [], "A", {"de": ["title", "tldr"], "zh-Hant": ["title", "tldr"]}),
        (
            ["zh", "zh"],
            Detail.FULL,
            ["result", "method"],
            "A",
            {"zh": ["title", "abstract", "tldr", "method", "result"]},
        ),
        (["en", "en-GB"], Detail.FULL, ["method"], "A", {}),
    ],
)
def test_schema(
    languages: list[str], detail: Detail, fields: list[str], abstract: str, keys: dict[str, list[str]]
) -> None:
    """Strict mode: every key required, no others; the keys stand in the system part too."""
    prompt = build(PaperText("1", "T", abstract), languages, detail, fields, NONE)
    assert list(prompt.schema["properties"]) == prompt.schema["required"] == ["tldr_en", *keys]
    for tag, wanted in keys.items():
        part = prompt.schema["properties"][tag]
        assert list(part["properties"]) == part["required"] == wanted
        assert part["additionalProperties"] is False
    shown = json.loads(next(line for line in prompt.system.splitlines() if line.startswith("{")))
    assert {tag: list(value) for tag, value in shown.items() if tag != "tldr_en"} == keys


def test_versions() -> None:
    """Another version wherever the same paper is asked for differently, and only there."""
    glossary = Glossary(("LoRA",), (), "12345678")
    assert prompt_version([], NONE) == "digest-1"
    assert prompt_version(["result", "method"], NONE) == prompt_version(["method", "result"], NONE)
    versions = {prompt_version(f, g) for f in ([], ["method"], FIELDS) for g in (NONE, glossary)}
    assert len(versions) == 6
    assert prompt_version([], glossary) == "digest-1+g12345678"
    with pytest.raises(ValueError, match="There is no field 'novelty'"):
        prompt_version(["novelty"], NONE)


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("zh", "Chinese (simplified)"),
        ("zh-Hant", "Chinese (traditional)"),
        ("ZH_tw", "Chinese (traditional, as in Taiwan)"),
        ("de", "German"),
        ("de-AT", "German (de-AT)"),
        ("pt-BR", "Brazilian Portuguese"),
        ("tlh", "tlh"),
    ],
)
def test_language_names(tag: str, name: str) -> None:
    """A name that a model understands."""
    assert language_name(tag) == name


def test_long_texts_are_cut_and_say_so() -> None:
    """Nothing raises; the flag tells."""
    prompt = build(PaperText("1", "T", "a" * ABSTRACT_LIMIT + "END"), ["zh"], Detail.FULL, [], NONE)
    assert prompt.cut and "END" not in prompt.user
    assert not build(PaperText("1", "T", "a" * ABSTRACT_LIMIT), ["zh"], Detail.FULL, [], NONE).cut


def test_places_in_a_paper_are_not_filled_in() -> None:
    """What looks like a place of the template stays as it is."""
    user = build(PaperText("1", "{nonce}", "{title} {keys}"), ["zh"], Detail.FULL, [], NONE, ["{nonce}"]).user
    assert "Title: {nonce}\n\n{title} {keys}\n" in user
    assert user.endswith("refused: {nonce}")


def test_complaints_are_one_short_line() -> None:
    """They cannot grow over the paper."""
    user = build(PAPER, ["zh"], Detail.FULL, [], NONE, ["a\nb", "x" * 1000, *"cdefgh"]).user
    line = user.splitlines()[-1]
    assert line.startswith("The last answer was refused: a b; xxx") and len(line) < 400


def test_fixed_part_is_short() -> None:
    """By the built-in estimate at least; bench/tokens.py counts with a tokenizer (174)."""
    _, count = best_counter(None)
    assert sum(count(list(fixed_parts(["zh"], [], Detail.FULL).values()))) <= TARGET


@given(st.text(), st.text(), st.sampled_from(Detail))
def test_no_paper_closes_its_delimiter(title: str, abstract: str, detail: Detail) -> None:
    """The closing tag is in the message once, at the paper's end, whatever the paper says."""
    first = build(PaperText("1", title, abstract), ["zh"], detail, [], NONE).user
    again = PaperText("1", first + title, abstract + first)  # a paper that knows the nonce of another
    for user in (first, build(again, ["zh"], detail, [], NONE).user):
        opening = re.match(r"<paper ([0-9a-f]+)>\n", user)
        assert opening
        assert user.lower().count(opening[1]) == 2
        assert user.endswith(f"\n</paper {opening[1]}>")
        user.encode()


@given(st.from_regex(r"([0-9a-f]{1,6} ?){0,40}", fullmatch=True))
def test_nonce_is_lengthened(digits: str) -> None:
    """Also in texts that are full of hex digits."""
    everything = " ".join(f"{number:02x}" for number in range(256)) + digits
    user = build(PaperText("1", None, everything), ["zh"], Detail.FULL, [], NONE).user
    nonce = user[7 : user.index(">")]
    assert user.count(nonce) == 2


@given(st.text())
def test_clean(text: str) -> None:
    """Cleaning twice is cleaning once, and what is left can be sent."""
    cleaned = clean(text)
    assert clean(cleaned) == cleaned
    cleaned.encode()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\ufeff]", cleaned)
