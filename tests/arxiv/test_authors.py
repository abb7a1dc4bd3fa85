"""Author lines of every era (FACTS 2.3, 2.7, 9.3)."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.arxiv.authors import (
    authors_from_parsed,
    parse_anchors,
    parse_author_line,
    parse_creator,
    parse_legacy_creator,
)
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


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("TeapotGPT", ["TeapotGPT"]),
        ("Ada Kettle, B. Spout and C. Lid", ["Ada Kettle", "B. Spout", "C. Lid"]),
        ("Ada Kettle, B. Spout, and C. Lid", ["Ada Kettle", "B. Spout", "C. Lid"]),
        ("Ada Kettle and B. Spout & C. Lid", ["Ada Kettle", "B. Spout", "C. Lid"]),
        ("Ada Kettle,B. Spout ,C. Lid,", ["Ada Kettle", "B. Spout", "C. Lid"]),
        ("Ada Kettle and\n  B.\tSpout", ["Ada Kettle", "B. Spout"]),
        ("Sandy Andersand, Ferdinand de la Tasse", ["Sandy Andersand", "Ferdinand de la Tasse"]),
        ("V.P.Mineev, J.-P. Pot, T.A Tran, a.b.first", ["V. P. Mineev", "J. -P. Pot", "T. A Tran", "a. b. first"]),
        (r"Bia{\l}\.zek, \v{Z}itkovi\'c and Mu\~noz", [r"Bia{\l}\.zek", r"\v{Z}itkovi\'c", r"Mu\~noz"]),
        ("Teapot Collaboration: V.M. Pot, et al", ["Teapot Collaboration", "V. M. Pot"]),
        ("Teapot Collaboration: V.M. Pot, et.al.", ["Teapot Collaboration", "V. M. Pot"]),
        ("A. Pot, et al. for the Tea Group", ["A. Pot", "for the Tea Group"]),
        ("Et Alvarez, Al. Etal", ["Et Alvarez", "Al. Etal"]),
        ("Keck Teapots, BICEP Collaborations, :, A. Pot", ["Keck Teapots", "BICEP Collaborations", "A. Pot"]),
        ("D\\O Collaboration, H.E.S.S. Collaboration", ["D\\O Collaboration", "H. E. S. S. Collaboration"]),
        ("A. Pot, ., -, ***", ["A. Pot"]),
        # A suffix behind a comma is nobody.
        ("G. David Samovar, Jr. and P. Pot", ["G. David Samovar, Jr.", "P. Pot"]),
        ("G. David Samovar, Jr, P. Pot, III", ["G. David Samovar, Jr", "P. Pot, III"]),
        ("A. A. Samovar Jr., W. T. Hill III, Jr-Shin Pot", ["A. A. Samovar Jr.", "W. T. Hill III", "Jr-Shin Pot"]),
        ("G. Samovar, Jr. (MIT), P. Pot (X), Jr.", [("G. Samovar, Jr.", "MIT"), ("P. Pot, Jr.", "X")]),
        ("Jr.", ["Jr."]),
        # Affiliations are those of the next author who has some.
        ("A. B (X)", [("A. B", "X")]),
        ("A. B(X)", [("A. B", "X")]),
        ("A. B, C. D (X, Y), E. F", [("A. B", "X, Y"), ("C. D", "X, Y"), "E. F"]),
        ("a.b.first, c.d.second (affil)", [("a. b. first", "affil"), ("c. d. second", "affil")]),
        ("A. B (X) and C. D (Y)", [("A. B", "X"), ("C. D", "Y")]),
        ("A. B (X),and C. D (Y)", [("A. B", "X"), ("C. D", "Y")]),
        ("A. B (X)and C. D (Y)", [("A. B", "X"), ("C. D", "Y")]),
        ("A. B (X and Y/Z)", [("A. B", "X,Y/Z")]),
        ("A. B (X)(Y)", [("A. B", "X")]),
        ("A. B ()", ["A. B"]),
        ("A. B, (X)", ["A. B"]),
        ("A. B (Physics (C-DAC), Pune), C. D (Z)", [("A. B", "Physics"), ("C. D", "Z")]),
        ("Tea collaboration: A. B, C. D (X)", ["Tea collaboration", ("A. B", "X"), ("C. D", "X")]),
        ("Pot group, Tea Team, A. B (X)", ["Pot group", "Tea Team", ("A. B", "X")]),
        ("A. B (1), C. D (1,2) ((1) X, (2) Y)", [("A. B", "X"), ("C. D", "X", "Y")]),
        ("A. B(1,2)((1)lab a,(2)lab b)", [("A. B", "lab a", "lab b")]),
        ("A. B (1 and 2), C. D (1 & 2) ((1) X, (2) Y)", [("A. B", "X", "Y"), ("C. D", "X", "Y")]),
        ("A. B (1, 2), ((1) X; (2) Y.)", [("A. B", "X", "Y")]),
        ("A. B (1 , 3) ( (1) X, and (2) Y)", [("A. B", "X")]),
        ("A. B, C. D (1), E. F, G. H (2,3) ((1) X, (2) Y, (3) Z)",
         [("A. B", "X"), ("C. D", "X"), ("E. F", "Y", "Z"), ("G. H", "Y", "Z")]),
        ("A. B (a), C. D (b) ((a) X, (b) Y)", [("A. B", "X"), ("C. D", "Y")]),
        ("A. B (a)", [("A. B", "a")]),
        ("A. B (1)", ["A. B"]),
        ("A. B (1) ((1) X (C-DAC) Pune, (2) Y)", [("A. B", "X")]),
        ("A. B, C. D (1) ((1) X), E. F", [("A. B", "X"), ("C. D", "X"), "E. F"]),
        ("A. B ((lab a), (lab b))", ["A. B"]),
        # A list that is not closed runs to the end of the line.
        ("A. B (1), C. D (2) ((1) X, (2) Y", [("A. B", "X"), ("C. D", "Y")]),
        # Any other parenthesis without a partner is a plain character.
        ("A. B (Univ. X, C. D, E. F", ["A. B (Univ. X", "C. D", "E. F"]),
        ("A. B Univ. X), C. D (Y)", [("A. B Univ. X)", "Y"), ("C. D", "Y")]),
        ("(The Group)", ["(The Group)"]),
        ("(The Group), A. B", ["A. B"]),
        ("()", []),
    ],
)  # fmt: skip
def test_author_line(line: str, expected: list[str | tuple[str, ...]]) -> None:
    assert flat(parse_author_line(line)) == expected


def test_lines_are_read_as_arxiv_reads_them(samples: Path) -> None:
    rows = json.loads((samples / "authors-lines.json").read_text(encoding="utf-8"))
    differing = []
    for row in rows:
        parsed = row["arxiv_parse_[last,first,suffix,affil...]"]
        expected = [(" ".join(filter(None, (first, last, suffix))), *places) for last, first, suffix, *places in parsed]
        found = parse_author_line(row["authors"])
        listed = (f"{one.name} ({', '.join(one.affiliations)})" if one.affiliations else one.name for one in found)
        if [(one.name, *one.affiliations) for one in found] != expected or ", ".join(listed) != row["feed_dc_creator"]:
            differing.append(row["id"])
    assert len(rows) >= 34
    assert differing == []


def test_snapshot_lines_and_their_parsed_form_agree(samples: Path) -> None:
    rows = [
        json.loads(line) for line in (samples / "kaggle" / "snapshot-2-lines.jsonl").read_text("utf-8").splitlines()
    ]
    bologna = ("Bologna Univ. and INFN",)
    assert authors_from_parsed(rows[1]["authors_parsed"])[0] == Author("D. Fioravanti", bologna)
    for row in rows:
        line, parsed = parse_author_line(row["authors"]), authors_from_parsed(row["authors_parsed"])
        assert [one.name for one in line] == [one.name for one in parsed]
        assert [len(one.affiliations) for one in line] == [len(one.affiliations) for one in parsed]


def test_authors_that_are_given_in_parts() -> None:
    parsed = [
        ["Kettle", "Ada", ""],
        ["Bouilloire", "Fr\u00e9d\u00e9ric", "Jr.", "Univ.\n  of Tea", "", "Pot"],
        ["Samovar,", "G. David", "Jr."],
        ["Tea Collaboration", "", ""],
        ["Caddy"],
        [":", "", ""],
        ["", "", ""],
        [],
    ]
    assert flat(authors_from_parsed(parsed)) == [
        "Ada Kettle",
        ("Fr\u00e9d\u00e9ric Bouilloire Jr.", "Univ. of Tea", "Pot"),
        "G. David Samovar, Jr.",
        "Tea Collaboration",
        "Caddy",
    ]


_LINES = st.text(alphabet=st.sampled_from("aBc .,:()&;1\n\\'{}") | st.characters())
_NAMES = st.lists(st.from_regex(r"[A-Z]\. [A-Z][a-z\\'{}~-]{3,9}", fullmatch=True), min_size=1)


@given(_LINES)
def test_no_author_line_fails_and_no_author_is_nameless(line: str) -> None:
    for author in parse_author_line(line):
        assert any(map(str.isalnum, author.name))
        assert author.name == " ".join(author.name.split())
        assert all(where.strip() for where in author.affiliations)


@given(
    _NAMES,
    st.lists(st.sampled_from([", ", ",", " and ", ", and ", " & ", " (X), ", " (1), ", "(1,2) and ", ": ", " ,"])),
)
def test_every_name_of_a_line_is_found(written: list[str], separators: list[str]) -> None:
    between = [*separators, *[", "] * len(written)][: len(written) - 1]
    line = written[0] + "".join(f"{how}{name}" for how, name in zip(between, written[1:], strict=True))
    for whole in (line, f"{line} ((1) Univ. A, (2) Univ. B)", f"{line} ((1) Univ. A", f"{line}, et al."):
        assert [author.name for author in parse_author_line(whole)] == written


@given(st.text(alphabet="aBc .,:()&;\\'{}"))
def test_a_parenthesis_without_a_partner_swallows_nobody(line: str) -> None:
    for odd in ("(", ")"):
        alone = odd + line.replace("(", "").replace(")", "")
        letters = [char for author in parse_author_line(alone) for char in author.name if char.isalpha()]
        assert letters == [char for char in alone if char.isalpha()]


def test_thousands_of_authors_in_a_line() -> None:
    names = [f"A. B. Author{number}" for number in range(3000)]
    begin = time.process_time()
    assert flat(parse_author_line(", ".join(names))) == names
    with_numbers = ", ".join(f"{name} ({number % 9})" for number, name in enumerate(names)) + " ((1) X, (2) Y)"
    assert [author.name for author in parse_author_line(with_numbers)] == names
    # Usually 20 milliseconds; arXiv's own rule, which looks for each name in the whole line, takes many seconds.
    assert time.process_time() - begin < 1


@pytest.mark.parametrize(
    "piece",
    [
        "(",
        ")",
        "()",
        "(()",
        ",",
        ", ",
        ":",
        " ",
        ".",
        "a.",
        "((1)",
        "a(1)",
        "(a",
        "((1) a) ",
        "Jr,",
        " and ",
        "et al ",
        "&",
    ],
)
def test_hostile_author_lines_take_no_time(piece: str) -> None:
    begin = time.process_time()
    parse_author_line(piece * (100_000 // len(piece)))
    assert time.process_time() - begin < 2
