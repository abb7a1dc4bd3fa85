"""RIS: records that rispy reads back with equal texts, whatever the texts hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import rispy

from app.arxiv.display import display
from app.render.document import DigestDocument, ItemAuthor, Links
from app.render.text import CONTROL, one_line
from app.render.unicode_math import unicode_math
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, MADE_AT, STALE, document, item
from tests.render.golden_files import check_golden
from tests.render.hostile import HOSTILE, edge_cases, hostile_item, real_papers
from tests.render.rendering import render


def records(digest: DigestDocument, math: str | None = None) -> list[dict[str, Any]]:
    """Read the records. Raises AssertionError for a line that is no field, or for a tag that RIS does not know."""
    text = render(digest, "ris", math=math)
    lines = text.split("\r\n")
    assert not any("\n" in line or "\r" in line for line in lines)
    assert all(line[2:6] == "  - " for line in lines if line)
    found: list[dict[str, Any]] = rispy.loads(text)
    assert "unknown_tag" not in {name for record in found for name in record}
    return found


def seen(text: str | None) -> str:
    return CONTROL.sub("\ufffd", one_line(display(text))) if text else ""


def test_golden() -> None:
    check_golden("all-fields-zh.ris", render(ALL_FIELDS, "ris"))


def test_a_record_has_what_reference_managers_look_for() -> None:
    whole = replace(
        COUNTING,
        submitted_at=MADE_AT,
        doi="10.1000/sheep",
        journal_ref="J. Sheep 1, 2",
        comments="3 pages",
        withdrawn=True,
    )
    (record,) = records(document(whole, language="zh"))
    assert record["type_of_reference"] == "UNPB"
    assert record["id"] == "3103.00003"
    assert record["title"] == display(COUNTING.title or "")
    assert record["translated_title"] == COUNTING.translated_title
    assert record["authors"] == ["Meadow, Ada", "Wool, Björn", "杨小绵"]
    assert record["abstract"] == seen(COUNTING.abstract)
    assert (record["year"], record["date"], record["doi"]) == ("2031", "2031/03/05", "10.1000/sheep")
    assert record["urls"] == [COUNTING.links.abs]
    assert record["file_attachments1"] == COUNTING.links.pdf
    assert record["keywords"] == ["cs.CL", "cs.AI"]
    assert record["language"] == "en"
    assert record["notes"][0] == COUNTING.tldr
    assert [note for note in record["notes"] if "3 pages" in note or "J. Sheep 1, 2" in note] == record["notes"][2:]


def test_without_a_date_the_year_is_that_of_the_id() -> None:
    (record,) = records(document(STALE))
    assert record["year"] == "2031"
    assert "date" not in record


def test_a_cut_abstract_says_so() -> None:
    (record,) = records(document(STALE))
    assert record["abstract"] == f"{STALE.abstract} …"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Ada Sample", "Sample, Ada"),
        ("Ludwig van der Berg", "van der Berg, Ludwig"),
        ("G. David Sample, Jr.", "Sample, G. David, Jr."),
        ("Bo Sample III", "Sample, Bo, III"),
        ("P. Erd{\\H o}s", "Erdős, P."),
        ("ATLAS Collaboration", "ATLAS Collaboration"),
        ("杨小绵", "杨小绵"),
        ("A, B, C", "A, B, C"),
    ],
)
def test_names(name: str, written: str) -> None:
    (record,) = records(document(item(authors=(ItemAuthor(name),))))
    assert record["authors"] == [written]


def test_formulas_in_unicode() -> None:
    (record,) = records(document(COUNTING), math="unicode")
    assert record["title"] == unicode_math(COUNTING.title)
    assert "$" not in record["title"]


def test_a_semicolon_does_not_split_an_address() -> None:
    (record,) = records(document(item(links=Links("https://arxiv.org/abs/a;b", "https://arxiv.org/pdf/a;b"))))
    assert record["urls"] == ["https://arxiv.org/abs/a%3Bb"]


def test_an_empty_digest_has_no_records() -> None:
    assert records(EMPTY) == []


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_texts_stay_in_their_field(text: str) -> None:
    one, other = records(document(hostile_item(text), item("3103.00002", title="Quiet")))
    assert one["title"] == seen(text)
    assert one.get("abstract", "") == seen(text)
    assert one["type_of_reference"] == "UNPB"
    assert one["urls"] == ["https://arxiv.org/abs/3103.00001"]
    assert "Sample, Ada" in one["authors"]
    assert other["title"] == "Quiet"


def test_real_texts_are_read_back(archive_papers: Path, samples: Path) -> None:
    papers = [*real_papers(archive_papers), *edge_cases(samples)]
    for record, paper in zip(records(document(*papers)), papers, strict=True):
        assert (record["title"], record["abstract"]) == (seen(paper.title), seen(paper.abstract))
