"""The language of queries: what is understood, what is refused and where the refusal points, and the canonical text."""

import json
import re
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidInput, InvalidQuery
from app.search import MAX_DEPTH, MAX_LENGTH, MAX_TERMS, as_term, parse
from app.search.syntax import (
    And,
    Between,
    Day,
    Feature,
    Has,
    HasId,
    In,
    InCategory,
    Not,
    Or,
    Phrase,
    Query,
    Word,
)

DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "search.md").read_text("utf-8")
A, B, C = Word("a"), Word("b"), Word("c")

UNDERSTOOD: list[tuple[str, Query]] = [
    # Words side by side must all be there; OR binds weaker, as in Lucene's successors and in PostgreSQL.
    ("a", A),
    ("a b", And((A, B))),
    ("a AND b", And((A, B))),
    ("a OR b", Or((A, B))),
    ("a b OR c", Or((And((A, B)), C))),
    ("a OR b c", Or((A, And((B, C))))),
    ("(a OR b) c", And((Or((A, B)), C))),
    ("((a))", A),
    ("a a", A),
    ("a (b c)", And((A, B, C))),
    ("a OR (b OR c)", Or((A, B, C))),
    ("a or b", And((A, Word("or"), B))),
    ('"OR" a', And((Word("or"), A))),
    # Exclusions.
    ("a -b", And((A, Not(B)))),
    ("a NOT b", And((A, Word("not"), B))),
    ("a-b (a)-b", And((Word("a-b"), A, B))),
    ("a AND NOT b", And((A, Not(B)))),
    ("-a", Not(A)),
    ("-(-a)", A),
    ("-(a b)", Not(And((A, B)))),
    ('-"a b"', Not(Phrase(("a", "b")))),
    ("-ti:a", Not(Word("a", In.TITLE))),
    # A dash that touches nothing, or another dash, is punctuation; so are other marks.
    ("a - b", And((A, B))),
    ("--help", Word("help")),
    ("a & b", And((A, B))),
    ("a, b; c", And((A, B, C))),
    ("+a", A),
    # Phrases, compounds, and what is written without a blank.
    ('"a b"', Phrase(("a", "b"))),
    ('"a"', A),
    ('"a"b', And((A, B))),
    ("pre-training", Word("pre-training")),
    ("cpu/gpu", Phrase(("cpu", "gpu"))),
    ("1.5B", Phrase(("1", "5b"))),
    ("BERT: Pre-training", And((Word("bert"), Word("pre-training")))),
    # Words are folded.
    ("Erdős", Word("erdos")),
    (r"Schr\"odinger", Word("schrodinger")),
    ("LLMs", Word("llm")),
    ("Zipf's", Word("zipf")),
    ("O’Brien", Word("o-brien")),
    ("β-decay", Word("beta-decay")),
    ("soft\u00adware\u200b", Word("software")),
    # Beginnings.
    ("transform*", Word("transform", is_prefix=True)),
    ("ti:transform*", Word("transform", In.TITLE, is_prefix=True)),
    ("ToolChain*:", Word("toolchain", is_prefix=True)),
    ("模*", Word("模")),
    # Chinese, and what Chinese input methods type.
    ("大模型", Phrase(("大", "模", "型"))),
    ("基于LLM", Phrase(("基", "于", "llm"))),
    ("大模型，推理", And((Phrase(("大", "模", "型")), Phrase(("推", "理"))))),
    ("“a b”", Phrase(("a", "b"))),
    ("「a b」", Phrase(("a", "b"))),
    ("（a　OR　b）　－c", And((Or((A, B)), Not(C)))),
    ("ｔｉ：ａ", Word("a", In.TITLE)),
    ("BERT：a", And((Word("bert"), A))),
    ("DePT:甲", And((Word("dept"), Word("甲")))),
    ("标题:甲", Phrase(("标", "题", "甲"))),
    # Prefixes.
    ("ti:a", Word("a", In.TITLE)),
    ("TITLE:a", Word("a", In.TITLE)),
    ("abs:a", Word("a", In.ABSTRACT)),
    ('ti:"a b"', Phrase(("a", "b"), In.TITLE)),
    ("ti:a b", And((Word("a", In.TITLE), B))),
    ("ti:(a OR -b)", Or((Word("a", In.TITLE), Not(Word("b", In.TITLE))))),
    ('au:"Ada Sample"', Phrase(("ada", "sample"), In.AUTHOR)),
    ('au:"Sample, Ada"', Phrase(("ada", "sample"), In.AUTHOR)),
    ("au:Sample,Ada", Phrase(("ada", "sample"), In.AUTHOR)),
    ("au:王伟", Phrase(("王", "伟"), In.AUTHOR)),
    ("cat:cs.CL", InCategory("cs.CL")),
    ("cat:CS.cl", InCategory("cs.CL")),
    ("cat:cs.NA", InCategory("math.NA")),
    ("cat:econ.*", InCategory("econ")),
    ("id:2404.02342v2", HasId("2404.02342")),
    ("arXiv:hep-th/9901001", HasId("hep-th/9901001")),
    ("2404.02342", HasId("2404.02342")),
    ("https://arxiv.org/abs/2404.02342", HasId("2404.02342")),
    ("has:summary", Has(Feature.SUMMARY)),
    ("has:DOI", Has(Feature.DOI)),
    ("announced:2026-01-12", Between(Day.ANNOUNCED, date(2026, 1, 12), date(2026, 1, 12))),
    ("announced:2026-01-12..2026-01-16", Between(Day.ANNOUNCED, date(2026, 1, 12), date(2026, 1, 16))),
    ("submitted:2024-02", Between(Day.SUBMITTED, date(2024, 2, 1), date(2024, 2, 29))),
    ("submitted:2025-12", Between(Day.SUBMITTED, date(2025, 12, 1), date(2025, 12, 31))),
    ("submitted:2025..", Between(Day.SUBMITTED, date(2025, 1, 1), None)),
    ("submitted:..2025", Between(Day.SUBMITTED, None, date(2025, 12, 31))),
    ("submitted:>=2026-01-01", Between(Day.SUBMITTED, date(2026, 1, 1), None)),
    ("submitted:>2025", Between(Day.SUBMITTED, date(2026, 1, 1), None)),
    ("submitted:<2026", Between(Day.SUBMITTED, None, date(2025, 12, 31))),
    ("submitted:≤2026-03", Between(Day.SUBMITTED, None, date(2026, 3, 31))),
]

REFUSED = [
    ("", 0, "nothing to search for"),
    (" \t ", 0, "nothing to search for"),
    ("& !", 0, "nothing to search for"),
    ("a OR", 2, "OR has nothing behind it"),
    ("OR a", 0, "OR has nothing before it"),
    ("a OR OR b", 2, "OR has nothing behind it"),
    ("(a OR) b", 3, "OR has nothing behind it"),
    ("a AND", 2, "AND has nothing behind it"),
    ("AND a", 0, "AND has nothing before it"),
    ("a AND NOT", 6, "could be excluded"),
    ("a -&", 2, "could be excluded"),
    ('a "b c', 2, "never closed"),
    ("a “b c", 2, "never closed"),
    ("a (b", 2, "never closed"),
    ("a) b", 1, "no opening one"),
    ("a ()", 2, "hold nothing"),
    ('a ""', 2, "no word"),
    ("a ti:", 2, "has nothing behind it"),
    ("ti: a", 0, "has nothing behind it"),
    ("ti:&", 0, "no word"),
    ("ti:-a", 0, "write -ti:"),
    ("ti:(a cat:cs.CL)", 6, "within the brackets of ti:"),
    ("cat:(cs.CL)", 0, "Brackets cannot follow cat:"),
    ("a foo:b", 2, "no prefix foo:"),
    ("a cat:cs.XX", 2, "not a category"),
    ("a cat:cs.CL,cs.LG", 2, "not a category"),
    ("id:teapot", 0, "no arXiv identifier"),
    ("https://example.org/x", 0, "no arXiv identifier"),
    ("has:wings", 0, "summary, withdrawn, doi"),
    ("announced:2026-02-31", 0, "no day or period"),
    ("announced:2026-01-16..2026-01-12", 0, "no day or period"),
    ("announced:..", 0, "no day or period"),
    ("announced:>9999", 0, "no day or period"),
    ("announced:0000", 0, "no day or period"),
    ("a *b", 2, "star"),
    ("a b*c", 2, "star"),
    ("a*", 0, "star"),
    # What cannot be seen is counted too, so that the place is that of the text as it was sent.
    ("\u200ba\u200b foo:b", 4, "no prefix foo:"),
    ("ﷺ foo:b", 2, "no prefix foo:"),
]


@pytest.mark.parametrize(("text", "query"), UNDERSTOOD)
def test_understands(text: str, query: Query) -> None:
    assert parse(text) == query


@pytest.mark.parametrize(("text", "query"), UNDERSTOOD)
def test_canonical_text_is_the_same_query(text: str, query: Query) -> None:
    assert parse(str(query)) == query


@pytest.mark.parametrize(
    ("text", "canonical"), [("a b OR -(c a)", "(a b) OR -(c a)"), ("“大 模”型 GPT-4模型", '大模 型 "gpt-4 模型"')]
)
def test_canonical_text_shows_how_the_query_was_understood(text: str, canonical: str) -> None:
    assert str(parse(text)) == canonical


@pytest.mark.parametrize(("text", "position", "says"), REFUSED)
def test_refuses_and_points_at_the_place(text: str, position: int, says: str) -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse(text)
    error = refused.value
    assert says in error.detail
    assert (error.position, error.extra) == (position, {"position": position})
    assert (error.code, error.status, isinstance(error, InvalidInput)) == ("invalid_query", 400, True)


def test_message_shows_the_text_around_the_place_and_no_more() -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse(f"{'before ' * 20}foo:bar{' behind' * 20}")
    assert refused.value.detail.startswith("At character 141 (…efore before before ▸foo:bar behind behin…): ")


def test_message_can_be_sent_and_printed() -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse("\x00\ud800\u202e foo:bar")
    assert refused.value.detail.startswith("At character 5 (��� ▸foo:bar): ")


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_LENGTH + 1),
        "ﷺ" * MAX_LENGTH,  # 18 letters each
        "ß" * MAX_LENGTH,  # folded it is twice as long
        "(" * 10_000,
        ")" * 10_000,
        "-" * 100_000,
        '"' * 99_999,
        "x " * 50_000,
        " OR ".join("abcdefghij" * 7),
        " ".join(f"x{number}" for number in range(MAX_TERMS + 1)),
        "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1),
        "(a OR b c " * (MAX_DEPTH // 2 + 1) + ")" * (MAX_DEPTH // 2 + 1),  # Written out it is twice as deep.
    ],
)
def test_refuses_what_is_too_much_at_once(text: str) -> None:
    begun = time.process_time()
    with pytest.raises(InvalidQuery):
        parse(text)
    assert time.process_time() - begun < 0.5


def test_takes_what_is_just_not_too_much() -> None:
    assert len(parse(" ".join(f"x{number}" for number in range(MAX_TERMS))).parts) == MAX_TERMS  # type: ignore[union-attr]
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH) == A
    assert parse("-(" * (MAX_DEPTH - 1) + "a" + ")" * (MAX_DEPTH - 1)) == Not(A)
    assert parse("x" * MAX_LENGTH) == Word("x" * MAX_LENGTH)


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("survey", Word("survey")),
        ("Language Models", Phrase(("language", "models"))),
        ('"language models"', Phrase(("language", "models"))),
        ("quant*", Word("quant", is_prefix=True)),
        ("综述", Phrase(("综", "述"))),
        ("OR", Word("or")),
        ("a:b", Phrase(("a", "b"))),
        ("&", None),
        ("", None),
    ],
)
def test_a_term_is_words_and_nothing_else(text: str, term: Query | None) -> None:
    assert as_term(text) == term


def test_every_query_of_the_documentation_is_one() -> None:
    table = [line.split(" | ")[0] for line in DOCUMENTATION.splitlines() if line.startswith("| `")]
    queries = [query for row in table for query in re.findall(r"`([^`]+)`", row)]
    assert len(queries) > 20
    for query in queries:
        assert parse(query)


def test_error_of_the_documentation_is_what_is_said() -> None:
    with pytest.raises(InvalidQuery) as refused:
        parse("graph OR")
    shown = json.loads(DOCUMENTATION.split("```json")[1].split("```")[0])
    assert shown == {"code": refused.value.code, "status": 400, "detail": refused.value.detail, **refused.value.extra}


_pieces = st.sampled_from(
    [
        *(
            "a",
            "models",
            "pre-training",
            "don't",
            "GPT-4",
            "Erdős",
            "模",
            "大模型",
            "基于LLM",
            "λ",
            "x*",
            "3.5",
            "的",
            "ÀB",
            "ﬁ",
        ),
        *(" ", "  ", "　", "OR", " OR ", "AND", "NOT", "-", "－", "(", ")", "（", "）", '"', "“", "”", ":", "*", ","),
        *(
            "ti:",
            "abs:",
            "au:",
            "cat:",
            "id:",
            "has:",
            "announced:",
            "cs.CL",
            "2404.02342",
            "summary",
            "2026-01",
            "..",
            ">=",
        ),
        *("\x00", "\u202e", "\u200b", "\ud800", "\u0301", "'s", "’s", "s", "\\", "$"),
    ]
)
_queries = st.one_of(st.text(max_size=60), st.lists(_pieces, max_size=20).map("".join))


@given(_queries)
def test_any_text_is_a_query_or_refused_and_the_canonical_text_is_the_same_query(text: str) -> None:
    refused = None
    try:
        query = parse(text)
    except InvalidQuery as error:
        refused = error
    if refused is not None:
        assert 0 <= refused.position <= len(text) and refused.detail.encode()
        return
    assert parse(str(query)) == query
    assert str(parse(str(query))) == str(query)


_words = st.sampled_from(["a", "model", "pre-training", "gpt4", "模", "lambda", "or", "not"]).map(Word)
_leaves: st.SearchStrategy[Query] = st.one_of(
    _words,
    st.builds(Word, st.sampled_from(["ab", "model"]), st.sampled_from(In), is_prefix=st.booleans()),
    st.builds(
        Phrase, st.lists(_words.map(lambda word: word.text), min_size=2, max_size=4).map(tuple), st.sampled_from(In)
    ),
    st.builds(InCategory, st.sampled_from(["cs.CL", "hep-th", "econ"])),
    st.builds(HasId, st.sampled_from(["2404.02342", "hep-th/9901001"])),
    st.builds(Has, st.sampled_from(Feature)),
    st.builds(Between, st.sampled_from(Day), st.dates(), st.none()),
    st.builds(Between, st.sampled_from(Day), st.none(), st.dates()),
    st.dates().map(lambda day: Between(Day.SUBMITTED, day, day)),
)


@st.composite
def _trees(draw: st.DrawFn, depth: int = 3, without: type | None = None) -> Query:
    kind = draw(st.sampled_from([kind for kind in (Not, And, Or) if kind is not without])) if depth else None
    if kind is None or draw(st.booleans()):
        return draw(_leaves)
    if kind is Not:
        return Not(draw(_trees(depth - 1, Not)))
    parts = tuple(draw(st.lists(_trees(depth - 1, kind), min_size=2, max_size=3, unique=True)))
    return And(parts) if kind is And else Or(parts)


@given(_trees())
def test_every_tree_is_read_back_from_its_canonical_text(query: Query) -> None:
    assert parse(str(query)) == query
