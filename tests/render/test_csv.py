"""CSV: every text read back, and no cell that a spreadsheet would execute."""

import csv
import re
import unicodedata
from dataclasses import replace
from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.render.csv import BOM, COLUMNS, defused, undefused
from app.render.document import DigestDocument, ItemAuthor
from app.render.text import encodable
from tests.render.documents import ALL_FIELDS, COUNTING, EMPTY, MADE_AT, document, item
from tests.render.golden_files import check_golden
from tests.render.hostile import HOSTILE, edge_cases, hostile_item, real_papers
from tests.render.rendering import render

SPREADSHEET = st.text(st.sampled_from("=+-@\t\r\n '\";,\uff1d\u200ba1")) | st.text()


def rows(digest: DigestDocument) -> list[dict[str, str]]:
    """Read the rows as a program does, the texts as they were before they were defused."""
    text = render(digest, "csv")
    assert text.startswith(BOM)
    read = csv.DictReader(StringIO(text.removeprefix(BOM), newline=""), strict=True)
    found = [{name: undefused(cell) for name, cell in row.items()} for row in read]
    assert read.fieldnames == list(COLUMNS)
    return found


def cells_of_spreadsheets(text: str) -> list[str]:
    """Every cell that some spreadsheet may see, whether the comma or the semicolon is its separator, quoted or not."""
    lines = text.removeprefix(BOM)
    return [cell for row in csv.reader(StringIO(lines, newline="")) for cell in row] + re.split(r"[;\t\r\n]", lines)


def is_formula(cell: str) -> bool:
    """Tell whether the first character that a reader sees is one that begins a formula."""
    # What Unicode has not assigned is seen: as a box.
    unseen = ("Cc", "Cf", "Zl", "Zp", "Zs")
    seen = next((one for one in cell if unicodedata.category(one) not in unseen and one not in '"\ufffd'), "")
    return unicodedata.normalize("NFKC", seen) in tuple("=+-@")


def test_golden() -> None:
    check_golden("all-fields-zh.csv", render(ALL_FIELDS, "csv"))


def test_a_paper_is_one_row_with_all_that_is_known() -> None:
    whole = replace(
        COUNTING,
        announced_on=date(2031, 3, 4),
        submitted_at=MADE_AT,
        doi="10.1000/sheep",
        journal_ref="J. Sheep 1, 2",
        comments="3 pages",
        license="http://creativecommons.org/licenses/by/4.0/",
        withdrawn=True,
    )
    (row,) = rows(document(whole))
    assert row["title"] == COUNTING.title
    assert row["abstract"] == COUNTING.abstract  # raw: the two blanks too
    assert row["translated_abstract"] == COUNTING.translated_abstract
    assert row["authors"] == 'Ada Meadow; Bj\\"orn Wool; 杨小绵'
    assert row["authors_omitted"] == "12"
    assert row["categories"] == "cs.CL; cs.AI"
    assert (row["announced_on"], row["submitted_at"]) == ("2031-03-04", "2031-03-05T06:07:08Z")
    assert (row["doi"], row["journal_ref"], row["comments"]) == ("10.1000/sheep", "J. Sheep 1, 2", "3 pages")
    assert (row["abs_url"], row["pdf_url"]) == (COUNTING.links.abs, COUNTING.links.pdf)
    assert (row["summary_status"], row["summary_origin"], row["summary_model"]) == ("done", "llm", "invented-7b")
    assert (row["summary_prompt_version"], row["summary_stale"], row["withdrawn"]) == ("v3", "false", "true")


def test_what_is_missing_is_empty() -> None:
    (row,) = rows(document(item(title=None, version=None)))
    empty = {name for name, cell in row.items() if not cell}
    assert empty >= {"title", "version", "abstract", "authors", "announced_on", "submitted_at", "summary_origin"}
    assert rows(EMPTY) == []


def test_lines_end_as_rfc_4180_says() -> None:
    text = render(ALL_FIELDS, "csv")
    assert text.count("\r\n") == text.count("\n") == 1 + len(ALL_FIELDS.items)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_hostile_texts_are_read_back_and_not_executed(text: str) -> None:
    digest = document(hostile_item(text))
    (row,) = rows(digest)
    for name in ("title", "tldr", "abstract", "comments", "doi", "summary_error"):
        assert row[name] == encodable(text)
    assert row["authors"].split("; ") == [encodable(text).replace(";", "\uff1b"), "Ada Sample"]
    assert not [cell for cell in cells_of_spreadsheets(render(digest, "csv")) if is_formula(cell)]


@given(SPREADSHEET)
@example("\t=1")
@example("\ud7fc@")
@example("\U000e0041=1")
@example("'\t=1")
@example("'=1")
@example(";='=")
def test_any_text_is_defused_and_given_back(text: str) -> None:
    safe = defused(text)
    assert undefused(safe) == text
    assert not safe.startswith(("\t", "\r", "\n"))
    assert not any(is_formula(cell) for cell in re.split(r"[;\t\r\n]", safe.replace('"', "x")))
    assert safe.count("'") - text.count("'") == len(safe) - len(text)  # nothing but apostrophes is added


@pytest.mark.parametrize("text", ["a = b", "x-y; z", "mail@example.org", "a\tb", "Don't"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert defused(text) == text


def test_a_name_with_a_semicolon_stays_one_name() -> None:
    (row,) = rows(document(item(authors=(ItemAuthor("A; B"), ItemAuthor("C")))))
    assert row["authors"] == "A\uff1b B; C"


def test_real_texts_are_read_back(archive_papers: Path, samples: Path) -> None:
    papers = [*real_papers(archive_papers), *edge_cases(samples)]
    for row, paper in zip(rows(document(*papers)), papers, strict=True):
        assert (row["title"], row["abstract"]) == (paper.title, paper.abstract)
        assert row["translated_abstract"] == (paper.translated_abstract or "")
