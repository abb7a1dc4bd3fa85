"""BibTeX: entries that bibtexparser reads back, by rules that BibTeX itself would accept, whatever the texts hold."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from bibtexparser.entrypoint import parse_string
from bibtexparser.model import Entry
from hypothesis import example, given
from hypothesis import strategies as st

from app.arxiv.display import display
from app.render.bibtex import person, tex
from app.render.document import DigestDocument, DigestItem, ItemAuthor
from app.render.phrases import ACKNOWLEDGEMENT
from app.render.text import CONTROL, one_line
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, MADE_AT, STALE, document, item
from tests.render.golden_files import check_golden
from tests.render.hostile import HOSTILE, edge_cases, hostile_item, real_papers
from tests.render.rendering import render

TEX = st.lists(st.sampled_from([*"{}\\$%&#_^~\"'@,= a1", "\\{", "\\}", "\\left\\{", "$x$", "\\emph{", "\\\\"])).map(
    "".join
)
ACTIVE = re.compile(r"(?<!\\)(?:\\\\)*[%#]")


def entries(digest: DigestDocument) -> list[Entry]:
    """Read the entries. Raises AssertionError for a block that bibtexparser cannot read or BibTeX would read otherwise."""
    text = render(digest, "bib")
    library = parse_string(text)
    assert not library.failed_blocks
    assert not library.strings and not library.preambles
    assert len({entry.key.lower() for entry in library.entries}) == len(library.entries)
    comment, *blocks = text.split("\n\n@misc{")
    assert comment.rstrip("\n") == f"% {ACKNOWLEDGEMENT}"
    assert len(blocks) == len(library.entries) == len(digest.items)
    assert all(braces_as_bibtex_counts(block) == -1 for block in blocks)  # the one that closes the entry
    return library.entries


def braces_as_bibtex_counts(block: str) -> int:
    """BibTeX knows no backslash: every brace counts, and a field never closes more than it opens."""
    for line in block.splitlines()[1:-1]:
        depth = 0
        for at, character in enumerate(line):
            depth += (character == "{") - (character == "}")
            assert depth >= 0
            assert depth > 0 or character != "," or at == len(line) - 1
        assert depth == 0
    return block.count("{") - block.count("}")


def seen(text: str | None) -> str:
    return CONTROL.sub("\ufffd", display(one_line(text)))


def title(entry: Entry) -> str:
    value = str(entry["title"])
    assert value.startswith("{") and value.endswith("}")
    return value[1:-1]


def by(*names: str) -> DigestItem:
    return item(authors=tuple(map(ItemAuthor, names)))


def test_golden() -> None:
    check_golden("all-fields-zh.bib", render(ALL_FIELDS, "bib"))


def test_an_entry_has_the_fields_of_arxivs_own_export() -> None:
    whole = replace(
        COUNTING,
        submitted_at=MADE_AT,
        doi="10.1000/sheep_1",
        journal_ref="J. Sheep 1, 2",
        comments="3 pages",
        withdrawn=True,
    )
    (entry,) = entries(document(whole))
    assert (entry.entry_type, entry.key) == ("misc", "meadow2031:3103.00003")
    fields = {field.key: field.value for field in entry.fields}
    assert fields["author"] == 'Ada Meadow and Bj\\"orn Wool and 杨小绵 and others'
    assert (fields["eprint"], fields["archivePrefix"], fields["primaryClass"]) == ("3103.00003", "arXiv", "cs.CL")
    assert (fields["year"], fields["month"], fields["url"]) == ("2031", "mar", COUNTING.links.abs)
    assert (fields["doi"], fields["howpublished"]) == ("10.1000/sheep_1", "J. Sheep 1, 2")
    assert (fields["note"], fields["keywords"]) == ("Withdrawn. 3 pages", "cs.CL, cs.AI")
    assert title(entry) == (COUNTING.title or "").replace(" & ", " \\& ")


def test_what_is_not_known_is_left_out() -> None:
    (entry,) = entries(document(item()))
    assert {field.key for field in entry.fields} == {"title", "year", "eprint", "archivePrefix", "url"}
    assert entries(EMPTY) == []


def test_a_cut_abstract_says_so() -> None:
    (entry,) = entries(document(STALE))
    assert entry["abstract"] == f"{STALE.abstract} …"


@pytest.mark.parametrize(
    ("arxiv_id", "author", "key"),
    [
        ("2601.00001", "Ada Sample", "sample2026:2601.00001"),
        ("2601.00001", 'J\\"urgen van der Bj{\\o}rk Jr.', "vanderbjork2026:2601.00001"),
        ("hep-th/9901001", "Ł. O'Żółć", "ozolc1999:hep-th/9901001"),
        ("2601.00001", "杨小绵", "anonymous2026:2601.00001"),
        ("2601.00001", "ATLAS Collaboration", "atlascollaboration2026:2601.00001"),
        ("no id, {no} %year\n", "Ada Sample", "sample:no-id-no-year-"),
    ],
)
def test_keys_are_ascii(arxiv_id: str, author: str, key: str) -> None:
    (entry,) = entries(document(item(arxiv_id, authors=(ItemAuthor(author),))))
    assert entry.key == key


def test_keys_never_collide() -> None:
    keys = [entry.key for entry in entries(document(item("a b"), item("a,b"), item("A}b"), item("2601.00001")))]
    assert keys == ["anonymous:a-b", "anonymous:a-b-2", "anonymous:A-b-3", "anonymous2026:2601.00001"]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ada Sample", "Ada Sample"),
        ("Ludwig van der Berg", "Ludwig van der Berg"),
        ("G. David Sample, Jr.", "Sample, Jr., G. David"),
        ("Bo de la Sample III", "de la Sample, III, Bo"),
        ("P. Erd{\\H o}s Jr", "Erd{\\H o}s, Jr, P."),
        ("ATLAS Collaboration", "{ATLAS Collaboration}"),
        ("Sample and Sons", "{Sample and Sons}"),
        ("and", "{and}"),
        ("Others", "{Others}"),
        ("A, B, C", "{A, B, C}"),
        ("杨小绵", "杨小绵"),
    ],
)
def test_names_are_split_right(name: str, written: str) -> None:
    assert person(name) == written
    (entry,) = entries(document(by(name, "Bo Other")))
    assert entry["author"] == f"{written} and Bo Other"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("50% of A&B #1 a_b x^2", r"50\% of A\&B \#1 a\_b x\textasciicircum{}2"),
        (r"50\% of A\&B", r"50\% of A\&B"),
        ("$x_1^2 50%$ for $5", r"$x_1^2 50\%$ for \$5"),
        ("an {open", r"an \textbraceleft{}open"),
        ("closed}", r"closed\textbraceright{}"),
        (r"$\left\{ a \right.$", r"$\left\lbrace{} a \right.$"),
        (r"a\{b\}{c}", r"a\{b\}{c}"),
        (r"a\\{b}", r"a\\ {b}"),
        ("a\\", r"a\textbackslash{}"),
        (r"\'Etude {\it x} \emph{y}", r"\'Etude {\it x} \emph{y}"),
        (r"\begin{equation} x_1 \end{equation}", r"\begin{equation} x_1 \end{equation}"),
        (r"\begin{equation} x", r"\textbackslash{}begin{equation} x"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input{/etc/passwd}"),
        (r"$\write18{ls}$", r"$\backslash{}write18{ls}$"),
        (r"$^^5cinput x$", r"$^{}^5cinput x$"),
        (r"\newline \infty \end", r"\newline \infty \textbackslash{}end"),
    ],
)
def test_texts_are_fit_for_latex(text: str, written: str) -> None:
    assert tex(text) == written


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_texts_stay_in_their_field(text: str) -> None:
    one, other = entries(document(hostile_item(text), item("3103.00002", title="Quiet")))
    assert one["eprint"] == "3103.00001"
    assert one["author"].endswith(" and Ada Sample") or not one_line(text)
    assert title(other) == "Quiet"
    assert not ACTIVE.search(one["abstract"])


@given(TEX | st.text())
@example("\\{}\\}{")
@example("$\\}$ {$\\{$")
def test_any_text_can_be_read(text: str) -> None:
    (entry,) = entries(document(item(title=text, abstract=text, comments=text)))
    assert entry["eprint"] == "3103.00001"
    assert not ACTIVE.search(title(entry))
    assert tex(tex(text)) == tex(text)


def test_real_titles_read_as_before(archive_papers: Path, samples: Path) -> None:
    papers = [*real_papers(archive_papers), *edge_cases(samples)]
    found = entries(document(*[replace(paper, arxiv_id=f"{at}", position=at) for at, paper in enumerate(papers)]))
    for entry, paper in zip(found, papers, strict=True):
        assert seen(title(entry)) == seen(paper.title)
        if not set(one_line(paper.title)) & set("\\{}%&#_^$"):
            assert title(entry) == one_line(paper.title)
