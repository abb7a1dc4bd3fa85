"""Author lines of every era (FACTS 2.3, 2.7, 9.3)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.arxiv.authors import parse_anchors, parse_creator, parse_legacy_creator
from app.arxiv.entries import Author


def flat(authors: tuple[Author, ...]) -> list[str | tuple[str, ...]]:
    """Names, and where there are affiliations, name and affiliations in one tuple."""
    return [(author.name, *author.affiliations) if author.affiliations else author.name for author in authors]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("TeapotGPT", ["TeapotGPT"]),
        ("Ada Kettle, B. Spout", ["Ada Kettle", "B. Spout"]),
        ("Ada Kettle,B. Spout,", ["Ada Kettle", "B. Spout"]),
        (r"Fr\'ed\'eric Bouilloire, Stanis{\l}awa Dzban", [r"Fr\'ed\'eric Bouilloire", r"Stanis{\l}awa Dzban"]),
        (" Teapot Collaboration, A. Kettle", ["Teapot Collaboration", "A. Kettle"]),
        ("Ada\n  Kettle, B.  Spout", ["Ada Kettle", "B. Spout"]),
        ("A. B (Univ. X, Dept. Y), C. D", [("A. B", "Univ. X, Dept. Y"), "C. D"]),
        ("A. B (X,Y)", [("A. B", "X,Y")]),
        ("A. B (Physics (C-DAC), Pune), C. D (Z)", [("A. B", "Physics (C-DAC), Pune"), ("C. D", "Z")]),
        ("A. B (X) (Y, Z)", [("A. B", "X", "Y, Z")]),
        ("A. B(X)", [("A. B", "X")]),
        ("A. B ()", ["A. B"]),
        ("Ming (Mike) Li, C. D", ["Ming (Mike) Li", "C. D"]),
        ("Ming (Mike) Li (X)", [("Ming (Mike) Li", "X")]),
        # A parenthesis without a partner must not swallow the authors behind it.
        ("A. B (Univ. X, C. D, E. F", ["A. B (Univ. X", "C. D", "E. F"]),
        ("A. B Univ. X), C. D (Y)", ["A. B Univ. X)", ("C. D", "Y")]),
        ("(The Group), C. D", ["(The Group)", "C. D"]),
        ("G. David Samovar, Jr., P. Pot", ["G. David Samovar, Jr.", "P. Pot"]),
        ("G. David Samovar, Jr. (MIT), P. Pot", [("G. David Samovar, Jr.", "MIT"), "P. Pot"]),
        ("W. T. Hill III, P. Pot, IV", ["W. T. Hill III", "P. Pot, IV"]),
        ("A. Pot Jr., Sr", ["A. Pot Jr., Sr"]),
        ("Ada Kettle Sr.Teapot University, B. Spout", ["Ada Kettle Sr.Teapot University", "B. Spout"]),
    ],
)
def test_creator_line(line: str, expected: list[str | tuple[str, ...]]) -> None:
    authors, omitted = parse_creator(line)
    assert flat(authors) == expected
    assert omitted == 0


def test_creator_line_says_how_many_are_left_out() -> None:
    authors, omitted = parse_creator("A. Kettle, B. Spout, et al. (909 additional authors not shown)")
    assert (flat(authors), omitted) == (["A. Kettle", "B. Spout"], 909)


def test_thousands_of_authors() -> None:
    names = [f"A. B. Author{number}" for number in range(5000)]
    assert flat(parse_creator(", ".join(names))[0]) == names


def anchor(name: str) -> str:
    return f'<a href="http://arxiv.org/find/hep-ex/1/au:+X/0/1/0/all/0/1">{name}</a>'


@pytest.mark.parametrize(
    ("markup", "expected", "omitted"),
    [
        ("", [], 0),
        (" " + anchor("A. Kettle"), ["A. Kettle"], 0),
        (f" {anchor('A. Kettle')}, {anchor('B. Spout')}", ["A. Kettle", "B. Spout"], 0),
        (f"{anchor('A. Kettle')} (STEAM Collaboration)", [("A. Kettle", "STEAM Collaboration")], 0),
        (f"{anchor('A. K')} (X, Y), {anchor('B. S')} (1)", [("A. K", "X, Y"), ("B. S", "1")], 0),
        (
            f"{anchor('LHCt collaboration')}: {anchor('R. Spout')}, et al. (909 additional authors not shown)",
            ["LHCt collaboration", "R. Spout"],
            909,
        ),
        (f"{anchor('A. K')}, et\nal. (12 additional\n authors not shown)", ["A. K"], 12),
        (f"{anchor('A. K')}, et al. (1 additional author not shown)", ["A. K"], 1),
        (anchor("H&#xe9;l&egrave;ne Pot"), ["Hélène Pot"], 0),
        (anchor("G. Samovar, Jr."), ["G. Samovar, Jr."], 0),
        (f"{anchor('G. Samovar')}, Jr., {anchor('B. S')}", ["G. Samovar, Jr.", "B. S"], 0),
        (f"for STEAM: {anchor('A. K')}", ["for STEAM", "A. K"], 0),
        (f"{anchor('A. K')}, No Anchor, {anchor('B. S')}", ["A. K", "No Anchor", "B. S"], 0),
        ("STEAM Collaboration: A. Kettle, B. Spout", ["STEAM Collaboration", "A. Kettle", "B. Spout"], 0),
        ('<a href="never closed">A. Kettle', ['<a href="never closed">A. Kettle'], 0),
    ],
)
def test_legacy_creator(markup: str, expected: list[str | tuple[str, ...]], omitted: int) -> None:
    authors, left_out = parse_legacy_creator(markup)
    assert flat(authors) == expected
    assert left_out == omitted


def test_anchors_that_are_elements() -> None:
    authors, omitted = parse_anchors("\n  ", [("Ada Kettle", "\n  "), ("B. Spout", "\n"), (" ", "\n")])
    assert flat(authors) == ["Ada Kettle", "B. Spout"]
    assert omitted == 0


@given(st.text(alphabet=st.sampled_from("aB .,:()<>/&;\n\\'{}") | st.characters()))
def test_no_line_fails_and_no_author_is_nameless(text: str) -> None:
    for read in (parse_creator, parse_legacy_creator):
        authors, omitted = read(text)
        assert omitted == 0
        assert all(author.name.strip() and author.name == author.name.strip() for author in authors)
        assert all(affiliation.strip() for author in authors for affiliation in author.affiliations)


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Z]\. [A-Z][a-z\\'{}~-]{3,9}", fullmatch=True),
            st.from_regex(r"([A-Z][a-z]{1,5}(, [A-Z][a-z.]{1,5})?)?", fullmatch=True),
        )
    )
)
def test_a_joined_line_comes_apart_again(written: list[tuple[str, str]]) -> None:
    line = ", ".join(f"{name} ({where})" if where else name for name, where in written)
    authors, _ = parse_creator(line)
    assert authors == tuple(Author(name, (where,) if where else ()) for name, where in written)


@pytest.mark.parametrize("text", ["(" * 50_000, ")" * 50_000, "()" * 50_000, "a(" * 9 + ")" * 50_000, "<a " * 50_000])
def test_hostile_lines_take_no_time(text: str) -> None:
    begin = time.process_time()
    parse_creator(text)
    parse_legacy_creator(text)
    # Usually some milliseconds; a rule that tries every way through would take minutes.
    assert time.process_time() - begin < 2
