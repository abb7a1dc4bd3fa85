"""Reading what models send: all that is whole, and nothing that is not."""

import json
import unicodedata
from contextlib import suppress
from time import perf_counter
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.llm.answers import ANSWER_LIMIT, BrokenAnswer, parse_answer
from app.llm.base import FIELDS, Detail, PaperText, SummaryDraft

TEXTS = {"title": "标题", "abstract": "摘要 $x^2$", "tldr": "一句话"}
GOOD: dict[str, Any] = {"tldr_en": "One sentence.", "zh": TEXTS}
DRAFT = SummaryDraft("标题", "摘要 $x^2$", "一句话", "One sentence.")
CLEAN = json.dumps(GOOD, ensure_ascii=False)
PRETTY = json.dumps(GOOD, indent=2)


def parse(text: str, finish_reason: str | None = None) -> SummaryDraft:
    """An answer to the plain question."""
    return parse_answer(text, ["zh"], Detail.FULL, [], finish_reason)["zh"]


@pytest.mark.parametrize(
    "text",
    [
        CLEAN,
        PRETTY,
        "\ufeff" + CLEAN,
        f"```json\n{CLEAN}\n```",
        f"```\n{PRETTY}\n```",
        f"Here is the JSON you asked for:\n```json\n{CLEAN}\n```\nAnything else?",
        f"Sure! {CLEAN} I hope that helps {{really}}.",
        f"The set {{a, b}} is {CLEAN}",
        f'<think>Is it {{"tldr_en": "bad"}}?\n</think>\n\n{CLEAN}',
        f"<Thinking>hm</Thinking>```json\n{CLEAN}```",
        f"I think so.\n</think>\n{CLEAN}",
        f'Draft: {{"tldr_en": "bad"}}\nFinal: {CLEAN}',
        CLEAN[:-1] + ",}",
        f"```json\n{CLEAN[:-2]},\n}},\n}}\n```",
        str(GOOD),
        json.dumps({"TLDR_en": GOOD["tldr_en"], "ZH": {k.upper(): v for k, v in TEXTS.items()}}),
        json.dumps({" tldr-en": GOOD["tldr_en"], "Zh": TEXTS}),
        json.dumps({**GOOD, "zh": json.dumps(TEXTS)}),
        json.dumps(CLEAN),
        json.dumps([GOOD]),
        json.dumps({**GOOD, "zh": [TEXTS]}),
        json.dumps({**GOOD, "score": float("nan"), "fr": None, "zh": {**TEXTS, "extra": 1}}),
        CLEAN.replace('"zh": ', '"zh": \n// ').replace("// ", ""),
        CLEAN.replace("摘要", " \\u0000\\u0007摘\x7f要"),
        CLEAN.replace('"tldr_en"', "tldr_en").replace('"zh"', "zh"),
        CLEAN.replace("一句话", " 一句话\\n "),
        CLEAN.replace("$x^2$", "$x^2$\n"),
        CLEAN.replace('", "', '" "'),
    ],
)
def test_what_models_send(text: str) -> None:
    """All of these say the same."""
    assert parse(text) == DRAFT
    assert parse(text, "stop") == DRAFT


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (r"$\\frac{a}{b}$", r"$\frac{a}{b}$"),
        (r"$\frac{a}{b}$", r"$\frac{a}{b}$"),
        (r"$\alpha \beta \theta \rho \nu \neq \text{x}$", r"$\alpha \beta \theta \rho \nu \neq \text{x}$"),
        (r"$\mathbb{R}^d, \{x\}, \underline{u}$", r"$\mathbb{R}^d, \{x\}, \underline{u}$"),
        (r"\textbf{fett} und \emph{so}", r"\textbf{fett} und \emph{so}"),
        (r"a\nb\tc", "a\nb c"),
        (r"5\$ and \u4e2d\u6587 \ud83d\ude00", "5\\$ and 中文 😀"),
        (r"a \"b\" c/d \/ \\", 'a "b" c/d / \\'),
        ('so-called "foo" method', 'so-called "foo" method'),
        ("R&amp;D &lt;b&gt;", "R&amp;D &lt;b&gt;"),
        ("e\u0301t\u00e9", "\u00e9t\u00e9"),
        ("The <think> tag, </think>", "The <think> tag, </think>"),
        ("```json {} ```", "```json {} ```"),
        ("it's {a: 'b'}, isn't it", "it's {a: 'b'}, isn't it"),
    ],
)
def test_texts_are_kept(sent: str, read: str) -> None:
    """Formulas above all, even where a model did not escape them."""
    assert parse(f'{{"tldr_en": "{sent}", "zh": {{"title": "{sent}", "abstract": "{sent}", "tldr": "{sent}"}}}}') == (
        SummaryDraft(read, read, read, read)
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("   \ufeff", "empty"),
        ("I cannot do that.", "not a JSON object"),
        ("[1, 2]", "not a JSON object"),
        ("null", "not a JSON object"),
        ('"words"', "not a JSON object"),
        ("{}", "'tldr_en' is missing"),
        (json.dumps({"tldr_en": "x"}), "'zh' is missing"),
        (json.dumps({"zh": TEXTS}), "'tldr_en' is missing"),
        (json.dumps({**GOOD, "tldr_en": 3}), "'tldr_en' is not a string"),
        (json.dumps({**GOOD, "tldr_en": None}), "'tldr_en' is not a string"),
        (json.dumps({**GOOD, "tldr_en": ["a", "b"]}), "'tldr_en' is not a string"),
        (json.dumps({**GOOD, "tldr_en": " \x00 "}), "'tldr_en' is empty"),
        (json.dumps({**GOOD, "zh": "text"}), "'zh' is not an object"),
        (json.dumps({**GOOD, "zh": {**TEXTS, "title": float("nan")}}), "'title' in 'zh' is not a string"),
        (json.dumps({**GOOD, "zh": {"title": "a", "tldr": "b"}}), "'abstract' is missing in 'zh'"),
        ("<think>Let me see " + CLEAN, "before the model finished thinking"),
        ("{" * 50_000, "not closed"),
        ('{"tldr_en":' + "[" * 5_000 + "]" * 5_000 + ",}", "nested too deeply"),
        ('{"tldr_en":' + "9" * 5_000 + "}", ""),
        ("x" * (ANSWER_LIMIT + 1), "larger than 200 kB"),
        ("中" * (ANSWER_LIMIT // 2), "larger than 200 kB"),
        (CLEAN.replace("一句话", '一"，"名": 1, "句话'), "not a JSON object"),
        (CLEAN.replace("一句话", '一", "名": "句话')[:-1] + ",}", "not escaped"),
        (CLEAN.replace("标题", '标"题", "note": "y') + "}", ""),
    ],
)
def test_broken_answers(text: str, reason: str) -> None:
    """A sentence says why."""
    with pytest.raises(BrokenAnswer) as caught:
        parse(text)
    assert reason in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("form", [CLEAN, PRETTY, str(GOOD), f"```json\n{CLEAN}\n```", CLEAN[:-2] + ",},}"])
def test_cut_answers_are_never_whole(form: str) -> None:
    """Wherever the end is missing, whether the provider says so or not."""
    last = form.rstrip("`\n").rindex("}")
    for end in range(last + 1):
        with pytest.raises(BrokenAnswer):
            parse(form[:end])


@pytest.mark.parametrize(
    ("finish_reason", "reason"),
    [("length", "length limit"), ("MAX_TOKENS", "length limit"), ("content_filter", "content filter")],
)
def test_finish_reasons(finish_reason: str, reason: str) -> None:
    """Even where the JSON is whole."""
    with pytest.raises(BrokenAnswer, match=reason):
        parse(CLEAN, finish_reason)


def test_what_is_expected_follows_what_was_asked() -> None:
    """Detail, fields, English, and papers without a title or an abstract."""
    brief = {"tldr_en": "One.", "zh_hant": {"title": "t", "tldr": "s"}}
    read = parse_answer(json.dumps(brief), ["en", "zh-Hant", "en-GB"], Detail.BRIEF, ["method"])
    english = SummaryDraft(None, None, "One.", "One.")
    assert read == {"en": english, "zh-Hant": SummaryDraft("t", None, "s", "One."), "en-GB": english}
    assert list(read) == ["en", "zh-Hant", "en-GB"]
    assert parse_answer('{"tldr_en": "One."}', ["en"], Detail.FULL, ["method"]) == {"en": english}
    with pytest.raises(BrokenAnswer, match="'method' is missing"):
        parse_answer(CLEAN, ["zh"], Detail.FULL, ["method"])
    bare = json.dumps({"tldr_en": "One.", "zh": {"title": "t", "tldr": "s", "method": "m"}})
    draft = parse_answer(bare, ["zh"], Detail.FULL, ["method"], paper=PaperText("1", "T", None))["zh"]
    assert draft == SummaryDraft("t", None, "s", "One.", {"method": "m"})


PIECES = st.sampled_from(
    ["{", "}", "[", "]", '"', "'", "\\", ":", ",", "zh", '"tldr_en"', '"zh"', "```json", "```", "<think>", "</think>",
     " ", "\n", "a", "中", "null", "NaN", "1e999", "//", "/*", "\\u12", "$", '":"', '","', "},", "“", "{{", '{"', "{'"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=60).map("".join)), st.sampled_from([None, "stop", "length"]))
@example("\ud800{", None)
def test_nothing_but_broken_answer(text: str, finish_reason: str | None) -> None:
    """No answer brings the reader down: it is refused, or every text is there."""
    with suppress(BrokenAnswer):
        draft = parse(text, finish_reason)
        assert all((draft.title, draft.abstract, draft.tldr, draft.tldr_en))


@given(st.integers(0, len(CLEAN)), st.lists(PIECES, max_size=4).map("".join), st.integers(0, 6))
def test_damaged_answers(place: int, pieces: str, removed: int) -> None:
    """Damage is refused, or stays where it is: no text of the answer gets shorter than what was removed."""
    with suppress(BrokenAnswer):
        draft = parse(CLEAN[:place] + pieces + CLEAN[place + removed :])
        size = sum(len(text or "") for text in (draft.title, draft.abstract, draft.tldr, draft.tldr_en))
        assert size >= sum(map(len, ["标题", "摘要 $x^2$", "一句话", "One sentence."])) - removed - 2


@pytest.mark.parametrize(
    "piece", [*"{[\"'\\", "{'", '{"a":"', "'a':{", '"x" ', "```json", "<think>", "{}", '{"a":1}', "\\u", "$\t", " ““"]
)
@pytest.mark.parametrize("closed", [False, True])
def test_large_nonsense_is_refused_quickly(piece: str, closed: bool) -> None:
    """No answer keeps a processor busy."""
    text = piece * (100_000 // len(piece))
    began = perf_counter()
    with pytest.raises(BrokenAnswer):
        parse('{"tldr_en": ' + text + ",}" if closed else text)
    assert perf_counter() - began < 3


VISIBLE = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1)
TAGS = st.lists(st.sampled_from(["zh", "zh-Hant", "de", "en", "en-GB", "pt-BR"]), min_size=1, unique=True)


@given(st.data(), TAGS, st.sampled_from(Detail), st.sets(st.sampled_from(FIELDS)), st.booleans())
def test_round_trip(
    data: st.DataObject, languages: list[str], detail: Detail, fields: set[str], ascii_only: bool
) -> None:
    """Any whole object is read as it was written, as JSON and in a fence."""
    text = VISIBLE.map(lambda value: unicodedata.normalize("NFC", value))
    keys = ["title", "tldr", *(["abstract", *fields] if detail is Detail.FULL else [])]
    answer: dict[str, Any] = {"tldr_en": data.draw(text)}
    for tag in languages:
        if not tag.startswith("en"):
            answer[tag] = {key: data.draw(text) for key in keys}
    sent = json.dumps(answer, ensure_ascii=ascii_only)
    for form in (sent, f"```json\n{sent}\n```"):
        read = parse_answer(form, languages, detail, sorted(fields))
        assert list(read) == languages
        for tag, draft in read.items():
            assert draft.tldr_en == answer["tldr_en"]
            part = answer.get(tag, {"tldr": answer["tldr_en"]})
            assert (draft.title, draft.abstract, draft.tldr) == (part.get("title"), part.get("abstract"), part["tldr"])
            assert dict(draft.fields) == {key: value for key, value in part.items() if key in FIELDS}
