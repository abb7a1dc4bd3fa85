"""Names of archives and categories, and the names that mean the same (FACTS 10.4)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.arxiv import taxonomy
from app.arxiv.taxonomy import Archive, Category
from app.errors import UnknownCategory

SHARED = Path(__file__).parents[2] / ".." / "shared" / "arxiv" / "taxonomy.json"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cs.CL", "cs.CL"),
        ("cs.cl", "cs.CL"),
        (" CS.CL ", "cs.CL"),
        ("cs", "cs"),
        ("ECON", "econ"),
        ("hep-th", "hep-th"),
        ("astro-ph", "astro-ph"),
        ("astro-ph.ga", "astro-ph.GA"),
        ("cond-mat.MTRL-SCI", "cond-mat.mtrl-sci"),
        ("math.MP", "math-ph"),
        ("stat.TH", "math.ST"),
        ("math.IT", "cs.IT"),
        ("q-fin.EC", "econ.GN"),
        ("cs.SY", "eess.SY"),
        ("cs.NA", "math.NA"),
        ("cmp-lg", "cs.CL"),
        ("alg-geom", "math.AG"),
        ("Chao-Dyn", "nlin.CD"),
    ],
)
def test_canonical(name: str, expected: str) -> None:
    assert taxonomy.canonical(name) == expected


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("heplat", "hep-lat"),
        ("cs.CLL", "cs.CL"),
        ("quantph", "quant-ph"),
        ("econ.GM", "econ.GN"),
        ("astro-ph.ga2", "astro-ph.GA"),
    ],
)
def test_unknown_name_is_named_with_the_closest_one(name: str, suggestion: str) -> None:
    with pytest.raises(UnknownCategory) as refused:
        taxonomy.canonical(name)
    assert f"'{name}'" in refused.value.detail
    assert f"did you mean {suggestion}?" in refused.value.detail


@pytest.mark.parametrize("name", ["", "tea", "x" * 10_000, "cs.CL, cs.AI"])
def test_unknown_name_without_a_close_one(name: str) -> None:
    with pytest.raises(UnknownCategory) as refused:
        taxonomy.canonical(name)
    assert len(refused.value.detail) < 200


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("math.NA", {"math.NA", "cs.NA"}),
        ("cs.NA", {"math.NA", "cs.NA"}),
        ("cs.CL", {"cs.CL", "cmp-lg"}),
        ("cs.AI", {"cs.AI"}),
        ("hep-th", {"hep-th"}),
        ("math-ph", {"math-ph", "math.MP"}),
        ("econ", {"econ", "econ.EM", "econ.GN", "econ.TH", "q-fin.EC"}),
        ("eess", {"eess", "eess.AS", "eess.IV", "eess.SP", "eess.SY", "cs.SY"}),
        (
            "nlin",
            {"nlin", "nlin.AO", "nlin.CD", "nlin.CG", "nlin.PS", "nlin.SI"}
            | {"adap-org", "chao-dyn", "comp-gas", "patt-sol", "solv-int"},
        ),
    ],
)
def test_names(name: str, expected: set[str]) -> None:
    assert taxonomy.names(name) == expected


def test_archive_includes_both_names_of_its_aliases() -> None:
    assert {"math", "math.NA", "cs.NA", "math.IT", "cs.IT", "alg-geom"} <= taxonomy.names("math")
    assert {"cs", "cs.NA", "math.NA", "cs.IT", "math.IT", "cmp-lg"} <= taxonomy.names("cs")


def test_names_of_an_unknown_category_is_refused() -> None:
    with pytest.raises(UnknownCategory):
        taxonomy.names("cs.ZZ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("econ", True), ("hep-th", True), ("cond-mat", True), ("econ.GN", False), ("cmp-lg", False), ("x", False)],
)
def test_is_archive(name: str, expected: bool) -> None:
    assert taxonomy.is_archive(name) is expected


def test_counts_are_those_of_arxiv() -> None:
    assert len(taxonomy.CATEGORIES) == 176
    assert sum(category.active for category in taxonomy.CATEGORIES) == 155
    assert len(taxonomy.ARCHIVES) == 38
    assert sum(archive.active for archive in taxonomy.ARCHIVES) == 20
    for table in (taxonomy.CATEGORIES, taxonomy.ARCHIVES):
        listed = [thing.id for thing in table]
        assert listed == sorted(listed)
        assert len(set(listed)) == len(listed)


def test_every_name_leads_to_names_that_hold_it() -> None:
    everything: tuple[Category | Archive, ...] = (*taxonomy.CATEGORIES, *taxonomy.ARCHIVES)
    for thing in everything:
        assert taxonomy.canonical(thing.id.upper()) == thing.canonical
        assert taxonomy.canonical(thing.canonical) == thing.canonical
        assert {thing.id, thing.canonical} <= taxonomy.names(thing.id)


@pytest.mark.skipif(not SHARED.exists(), reason="the project's reference taxonomy is not on this machine")
def test_table_is_the_reference() -> None:
    reference = json.loads(SHARED.read_text(encoding="utf-8"))
    expected = {row["id"]: (row["name"], row["canonical"], row["active"]) for row in reference["categories"]}
    assert {row.id: (row.name, row.canonical, row.active) for row in taxonomy.CATEGORIES} == expected


@given(st.text())
def test_any_text_is_known_or_refused(text: str) -> None:
    try:
        found = taxonomy.canonical(text)
    except UnknownCategory:
        return
    assert found in taxonomy.names(text)
