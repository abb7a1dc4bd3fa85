"""Whether a paper is what a query looks for, the words that say so, and the score."""

import json
import re
import sys
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.errors import InvalidQuery
from app.search import Candidate, Prepared, excluded, match, parse, prepare, stemming

PAPER = Candidate(
    arxiv_id="2404.02342",
    title=r"Pre-training {B}ERT-like Language Models: a Schr\"odinger View of $\mathcal{N}=4$ $\beta$-decay",
    abstract=(
        "We study LLMs and GANs by Zipf's law. Studies of pre-trained models (GPT-4) show that models generalise. "
        "The software, by Erd\\H{o}s and others, is open-source."
    ),
    translated_titles=("语言模型的预训练",),
    translated_abstracts=("我们研究大 语言模型，用 GPT-4 做实验。", "一个新方法。"),
    authors=(r"Ada M. Sample", r"Paul Erd\H{o}s"),
    categories=("cs.CL", "cs.NA"),
    has_summary=True,
    announced_on=date(2026, 1, 14),
    submitted_on=date(2026, 1, 10),
)
PREPARED = prepare(PAPER)

FOUND = [
    # Case, stems, and the paper's own spelling.
    ("language", ("Language",)),
    ("LANGUAGE models", ("Language", "Models")),
    ("model", ("Models",)),
    ("study", ("study",)),
    ("studied", ("study",)),
    ('"language model"', ("Language Models",)),
    # Compounds in every spelling, and one part alone.
    ("pre-training", ("Pre-training",)),
    ("pretraining", ("Pre-training",)),
    ('"pre training"', ("Pre-training",)),
    ('"pretraining bertlike"', ("Pre-training BERT-like",)),
    ("training", ("training",)),
    ("abs:pretrain", ("pre-trained",)),
    ("opensource", ("open-source",)),
    ("GPT4", ("GPT-4",)),
    ("GPT-4", ("GPT-4",)),
    ('"GPT 4"', ("GPT-4",)),
    # Acronyms, possessives, accents, TeX, formulas.
    ("LLM", ("LLMs",)),
    ("llms", ("LLMs",)),
    ("GAN", ("GANs",)),
    ("zipf", ("Zipf's",)),
    ("Zipf’s law", ("Zipf's", "law")),
    ("erdos", ("Erdős",)),
    ("Erdős", ("Erdős",)),
    ("schrodinger", ("Schrödinger",)),
    (r"Schr\"odinger", ("Schrödinger",)),
    ("bert", ("BERT",)),
    ("β-decay", ("beta$-decay",)),
    ("N=4", ("N}=4",)),
    # Chinese: substrings, over blanks, and mixed with other words.
    ("语言模型", ("语言模型",)),
    ("言模", ("言模",)),
    ("大语言模型", ("大 语言模型",)),
    ("用GPT4", ("用 GPT-4",)),
    # Beginnings.
    ("generali*", ("generalise",)),
    ("pre-tr*", ("Pre-training",)),
    # Fields.
    ("ti:bert", ("BERT",)),
    ("ti:预训练", ("预训练",)),
    ("abs:software", ("software",)),
    # Logic; each word once, in the order of the query.
    ("law model", ("law", "Models")),
    ("teapot OR law", ("law",)),
    ("law OR study OR teapot", ("law", "study")),
    ("model -teapot", ("Models",)),
    ("model (teapot OR -kettle)", ("Models",)),
    ("model ti:model", ("Models",)),
    ("-teapot", ()),
    ("-(model teapot)", ()),
    # Filters say nothing of words.
    ("cat:cs.CL", ()),
    ("cat:cs.*", ()),
    ("cat:math.NA", ()),  # another name of cs.NA
    ("id:2404.02342v3", ()),
    ("has:summary -has:doi -has:withdrawn", ()),
    ("announced:2026-01-14", ()),
    ("announced:2026-01-12..2026-01-16 submitted:2026", ()),
    ("submitted:..2026-01-10 submitted:2026-01-10..", ()),
]

NOT_FOUND = [
    "teapot",
    "model teapot",
    "teapot OR kettle",
    "-model",
    "study -law",
    "-(model law)",
    '"models language"',
    '"language law"',
    "lang",  # no part of a word without a star
    "GPT-3",
    "gan's-law",
    "ti:software",
    "abs:bert",
    "模言",
    "训练语言",
    "cat:cs.LG",
    "id:2404.02343",
    "has:doi",
    "has:withdrawn",
    "-has:summary",
    "announced:2026-01-15..",
    "announced:..2026-01-13",
    "submitted:2025",
    "sample",  # authors only by au:
    "au:teapot",
]


@pytest.mark.parametrize(("text", "words"), FOUND)
def test_finds_and_says_by_which_words(text: str, words: tuple[str, ...]) -> None:
    found = match(parse(text), PREPARED)
    assert found is not None
    assert (found.words, found.authors) == (words, ())
    assert 0 <= found.score < 1


@pytest.mark.parametrize("text", NOT_FOUND)
def test_does_not_find(text: str) -> None:
    assert match(parse(text), PREPARED) is None


def test_finds_authors_and_says_who() -> None:
    found = match(parse('model (au:erdos OR au:"A Sample" OR au:teapot)'), PREPARED)
    assert found is not None
    assert (found.words, found.authors) == (("Models",), ("Paul Erdős", "Ada M. Sample"))


def test_unprepared_is_the_same() -> None:
    assert match(parse("model law"), PAPER) == match(parse("model law"), PREPARED)


def test_paper_of_which_nothing_is_known() -> None:
    empty = Candidate(arxiv_id="2404.02342")
    assert (
        match(parse("a OR ti:a OR au:a OR cat:cs.CL OR has:summary OR submitted:2000.. OR announced:..2030"), empty)
        is None
    )
    assert match(parse("-submitted:2000.. id:2404.02342"), empty) is not None


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("law", 0.2),  # once in the abstract
        (
            "abs:model",
            0.4 * 2 / 3,
        ),  # twice
        ("view", 0.6),
        ("view law", 0.4),
        ("view OR teapot", 0.3),
        ("view -teapot cat:cs.CL", 0.6),
        ("au:erdos", 1.0),
        ("cat:cs.CL", 0.0),
        ("-teapot", 0.0),
    ],
)
def test_score(text: str, score: float) -> None:
    found = match(parse(text), PREPARED)
    assert found is not None and found.score == pytest.approx(score)


def test_a_title_counts_more_than_any_number_in_the_abstract() -> None:
    query = parse("graph")
    in_title, in_abstract = (
        Candidate(arxiv_id="1", title="A graph"),
        Candidate(arxiv_id="2", abstract="graphs " * 1_000),
    )
    first, second = match(query, in_title), match(query, in_abstract)
    assert first and second and 0 < second.score < first.score < 1


def test_overlapping_phrases_are_seen() -> None:
    found = match(
        parse('"models of models"'), Candidate(arxiv_id="1", title="models of modeling of teapots, models of model")
    )
    assert found is not None and found.words == ("models of modeling",)


@pytest.mark.parametrize(
    ("words", "hit"),
    [
        (["teapot", "law"], "law"),
        (["gans", "law"], "gans"),
        (["language models"], "language models"),
        (['"language model"'], '"language model"'),
        (["models language"], None),
        (["预训练"], "预训练"),
        (["softw*"], "softw*"),
        (["softw"], None),
        (["-law"], "-law"),
        (["", "&", "OR"], None),
        (["sample"], None),
        ([], None),
    ],
)
def test_excluded_words(words: list[str], hit: str | None) -> None:
    assert excluded(words, PREPARED) == hit
    assert excluded(words, PAPER) == hit


HOSTILE = [
    "\x00 model \x00",
    "\u202emodel\u202c \u200bmo\u200bdel\u200b",
    "\ud800 model \udfff",
    "<script>model</script>",
    "$" * 999 + " model",
    "{" * 50_000 + " model",
    "model " * 20_000,
    "- ' " * 25_000 + "model",
    "m-" * 50_000 + " model",
    "模" * 100_000 + " model",
    "\u0301" * 100_000 + " model",
    "x" * 100_000 + " model",
    "x's" * 30_000 + " model",
    "LLMs" * 25_000 + " model",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_texts_are_searched_quickly(text: str) -> None:
    begun = time.process_time()
    found = match(parse("model -teapot"), Candidate(arxiv_id="1", title=text, abstract=text, authors=(text,)))
    assert found is not None and found.words == ("model",)
    assert time.process_time() - begun < 1


def test_marks_between_words_are_not_shown_at_any_length() -> None:
    found = match(parse('"language model"'), Candidate(arxiv_id="1", title=f"Language {'.' * 1_000} models"))
    assert found is not None and found.words == ("language models",)


@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=20))
def test_never_raises_and_shows_only_what_can_be_printed(title: str, abstract: str, text: str) -> None:
    candidate = Candidate(arxiv_id="1", title=title, abstract=abstract, authors=(abstract,))
    excluded([text], candidate)
    try:
        query = parse(text)
    except InvalidQuery:
        return
    found = match(query, candidate)
    if found is not None:
        shown = "".join(found.words)
        assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Cs"}
        assert "" not in found.words


_texts = st.lists(
    st.one_of(
        st.sampled_from(
            ["Models", "pre-training", "Zipf's", "GPT-4", "Erdős", "大模型", "the", "LLMs", "β-decay", "don’t"]
        ),
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=12,
).map(" ".join)


@given(_texts, st.data())
def test_a_papers_own_words_find_it_and_excluding_them_does_not(text: str, data: st.DataObject) -> None:
    own = stemming.words(text)
    assume(own)
    first = data.draw(st.integers(0, len(own) - 1))
    count = data.draw(st.integers(1, len(own) - first))
    phrase = parse(f'"{stemming.running_text(tuple(own[first : first + count]))}"')
    word = parse(f'"{own[first]}"')
    candidate = Candidate(arxiv_id="1", title=text)
    found = match(phrase, candidate)
    assert found is not None and len(found.words) == 1
    assert match(word, candidate) is not None
    assert match(parse(f"-{word}"), candidate) is None
    assert match(parse(f"id:2404.02342 OR -{word}"), candidate) is None
    assert excluded([f'"{own[first]}"'], candidate) is not None


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    folded = stemming.words(text)
    assume(folded)
    assert stemming.words(stemming.running_text(tuple(folded))) == folded


@given(st.from_regex("[a-z]{1,12}(ing|ed|es|s|ly|ies|ation|ational|ness|ability|ibility|fully|ously)?", fullmatch=True))
def test_every_word_begins_like_its_stem(word: str) -> None:
    stemmed = stemming.stem(word)
    assert word.startswith(stemming.beginning(stemmed))
    for start in (word[:length] for length in range(2, len(word) + 1)):
        assert stemmed.startswith(start) or stemmed in stemming.shorter_stems(start), start


@pytest.mark.parametrize(
    ("start", "common"),
    [("thex", "the"), ("theor", "the"), ("anno", "any"), ("offl", "of"), ("tob", "to"), ("inh", "in")],
)
def test_a_beginning_is_not_looked_for_among_words_that_do_not_begin_so(start: str, common: str) -> None:
    """Each paper that has the common word would be looked at in vain."""
    assert common not in stemming.shorter_stems(start)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("models", "modelling", True),
        ("studies", "study", True),
        ("dying", "die", True),
        ("llms", "llm", True),
        ("css", "cs", False),
        ("gpt4", "gpt4s", False),
        ("news", "new", False),
    ],
)
def test_stems(one: str, other: str, same: bool) -> None:
    assert (stemming.stem(one) == stemming.stem(other)) is same


def test_plural_of_an_acronym_is_told_by_its_capitals() -> None:
    assert stemming.fold("GPs GPS LMs LMS") == "gp gps lm lms"


@cache
def _archive(folder: Path) -> list[Candidate]:
    """Every third paper of the archive: enough to meet what is rare, and quick."""
    records = [json.loads(path.read_text("utf-8")) for path in sorted(folder.rglob("*.json"))[::3]]
    return [
        Candidate(
            arxiv_id=record["link"].rsplit("/abs/", 1)[1],
            title=record["title"],
            abstract=record["abstract"],
            translated_titles=tuple(filter(None, [record.get("translated_title")])),
            translated_abstracts=tuple(filter(None, [record.get("translated_abstract"), record.get("tldr")])),
        )
        for record in records
    ]


@cache
def _prepared(folder: Path) -> list[Prepared]:
    return list(map(prepare, _archive(folder)))


def test_titles_of_the_archive_as_they_are_copied_find_their_papers(archive_papers: Path) -> None:
    refused, lost = [], []
    for paper in _prepared(archive_papers):
        for title in filter(None, (paper.candidate.title, *paper.candidate.translated_titles)):
            try:
                if match(parse(title), paper) is None:
                    lost.append(title)
            except InvalidQuery:
                refused.append(title)
    # Six have a star within a word, a colon that looks like a prefix's, or a bracket too many.
    assert (lost, len(refused) <= 6) == ([], True)


def test_titles_of_the_archive_in_quotes_find_their_papers(archive_papers: Path) -> None:
    for paper in _prepared(archive_papers):
        title = paper.candidate.title or ""
        if '"' not in title:
            assert match(parse(f'"{title}"'), paper) is not None, title


def test_a_title_finds_its_paper_alone(archive_papers: Path) -> None:
    prepared = _prepared(archive_papers)[:650]
    for paper in prepared[::20]:
        query = parse(re.sub(r"[*:]|\(arXiv.*", " ", paper.candidate.title or ""))
        assert [one.candidate.arxiv_id for one in prepared if match(query, one)] == [paper.candidate.arxiv_id]


def test_words_of_the_archive_are_shown_as_they_are_printed(archive_papers: Path) -> None:
    for paper in _prepared(archive_papers):
        for line in (*paper.titles, *paper.abstracts):
            for words, is_joined in ((line.split, False), (line.joined, True)):
                if words is not None:
                    assert stemming.printed(line.shown, 0, len(words.split()), is_joined=is_joined) is not None


def test_a_day_of_papers_is_searched_in_no_time(archive_papers: Path) -> None:
    papers = _archive(archive_papers)[:650]
    begun = time.process_time()
    prepared = [prepare(paper) for paper in papers]
    readied = time.process_time()
    found = sum(match(parse("(graph OR 大模型) model* -survey"), paper) is not None for paper in prepared)
    assert found
    # It takes a fifth of this; the margin is for slow machines.
    assert (readied - begun, time.process_time() - readied) < (1.0, 0.2)


def test_stems_are_right_in_many_threads_at_once() -> None:
    words = [f"{first}{second}ations" for first in "bcdfgklmnprst" for second in ("an", "el", "imit", "orm", "ul")] * 4
    alone = [stemming.stem(word) for word in words]
    stemming._stem.cache_clear()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns in the middle of a word
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda _: [stemming._stem.__wrapped__(word) for word in words], range(8)))
    finally:
        sys.setswitchinterval(interval)
    assert all(one == alone for one in found)
    assert [stemming.stem(word) for word in words] == alone
