"""The JSON that Postgres writes is that of the declared models: same members, values, types and formats, for hostile rows."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from app import papers, summaries
from app.api.schemas import PaperDetail, PaperListed, PaperRead, SummaryRead
from app.arxiv.display import display
from app.arxiv.entries import Author, Version
from app.db import Database
from app.models import Announcement, Paper, PaperEntry, Summary
from app.papers import FIELDS, PaperFilter, PaperQuery, PaperRecord, Shown
from app.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE, _execute

TEXTS = [
    None,
    "",
    "plain",
    "L{\\'e}vy flights \\& \"quotes\" 'single' \\\\ back",
    "$\\alpha_{1} < \\beta$ and {B}ayes -- a dash",
    "摘要 🙂 \u2028 \u202e \u00e9 e\u0301 \ufeff \ufffd",
    "tab\t newline\n return\r bell\x07 del\x7f",
    '</script>{"a": [1, 2]}, null; =1+1',
    "\U0010ffff " * 3,
    "x" * 20_000,
]
INSTANTS = [
    None,
    datetime(2026, 1, 13, 9, 30, tzinfo=UTC),
    datetime(1991, 8, 14, 0, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 1, 13, 9, 30, 0, 500_000, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=timezone(timedelta(hours=-5))),
    datetime(2000, 2, 29, 12, 0, 0, 120_000, tzinfo=timezone(timedelta(hours=5, minutes=30))),
]
AUTHORS = [
    (),
    (Author("Ada Sample"),),
    (Author("Paul Erd\\H{o}s", ('Univ. of "Tests"', "L{\\'e}vy Inst.")), Author("李 明"), Author("A|B\\\\C\t")),
    tuple(Author(f"Author {n}") for n in range(300)),
]
VERSIONS = [
    (),
    (Version(1),),
    (Version(1, INSTANTS[4], "13kb", "D"), Version(2, INSTANTS[3], None, "I"), Version(3, None, '1kb "', "SI")),
    tuple(Version(n, datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=n), f"{n}kb") for n in range(1, 60)),
]
IDS = [
    *(f"2601.{n:05}" for n in range(1, 60)),
    *("hep-th/9901001", "math/0309136", "cmp-lg/9512901", "0704.0001"),
]


def record(number: int, arxiv_id: str) -> PaperRecord:
    """A paper in which hostile values meet in ever other ways."""

    def one_of(values: Any, step: int) -> Any:
        return values[(number * step + step) % len(values)]

    versions = one_of(VERSIONS, 1)
    return PaperRecord(
        arxiv_id=arxiv_id,
        version=versions[-1].version if versions else (None, 2)[number % 2],
        title=one_of(TEXTS, 1),
        abstract=one_of(TEXTS, 3),
        abstract_is_cut=number % 5 == 0,
        authors=one_of(AUTHORS, 1),
        authors_omitted=number % 3,
        primary_category=one_of([None, "cs.CL", "math.GT"], 1),
        categories=one_of([(), ("cs.CL",), ("math.GT", "cs.CL")], 1),
        listed_in=("cs.CL",) if number % 2 else (),
        comments=one_of(TEXTS, 7),
        journal_ref=one_of(TEXTS, 9),
        doi=one_of(TEXTS[:4], 1),
        license=one_of(TEXTS[:3], 1),
        submitted_at=one_of(INSTANTS, 1),
        updated_at=one_of(INSTANTS, 5),
        versions=versions,
        withdrawn=number % 7 == 0,
        first_announced_on=one_of([None, date(1, 1, 2), date(2026, 1, 13), date(9999, 12, 30)], 1),
        format="rss2",
        raw=one_of(TEXTS[1:], 1),
    )


@pytest.fixture(scope="module")
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A database of hostile papers with their summaries and announcements."""
    _execute(postgres, f"CREATE DATABASE hostile_json TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    opened = Database(postgres.url("hostile_json"), pool_size=5)
    async with opened.transaction() as session:
        await papers.upsert(session, [record(number, arxiv_id) for number, arxiv_id in enumerate(IDS)])
        hashes = {row[0]: row[1] for row in await session.execute(select(Paper.arxiv_id, Paper.abstract_hash))}
        await session.execute(insert(Summary), [row for arxiv_id in IDS for row in summary_rows(arxiv_id, hashes)])
        await session.execute(
            insert(Announcement),
            [
                {"arxiv_id": arxiv_id, "version": version, "category": category, "announced_on": day,
                 "announce_type": "new", "source": "feed"}
                for arxiv_id in IDS[::2]
                for version, category, day in [(None, "cs.CL", date(2026, 1, 14)), (1, "math.GT", date(2026, 1, 13))]
            ],
        )  # fmt: skip
        await session.execute(delete(PaperEntry).where(PaperEntry.arxiv_id.in_(IDS[::5])))
        await session.execute(update(Paper).values(stored_at=INSTANTS[3], changed_at=INSTANTS[4]))
    yield opened
    await opened.close()
    _execute(postgres, "DROP DATABASE hostile_json WITH (FORCE)")


def summary_rows(arxiv_id: str, hashes: dict[str, str]) -> list[dict[str, Any]]:
    """Some summaries of a paper that differ in what decides which of them speaks for it."""
    seed = IDS.index(arxiv_id)
    rows = []
    for number in range(seed % 9):
        turn = seed * 7 + number * 5
        rows.append(
            {
                "arxiv_id": arxiv_id,
                "paper_version": (None, 1, 2)[turn % 3],
                "abstract_hash": hashes[arxiv_id] if turn % 4 else "another",
                "language": ("zh", "en", "zh-Hant", "fr")[turn % 4 if turn % 5 else 0],
                "status": ("done", "done", "pending", "failed", "running")[turn % 5],
                "origin": ("llm", "human", "imported", "extractive")[(turn // 3) % 4],
                "title": TEXTS[turn % len(TEXTS)],
                "abstract": TEXTS[(turn + 3) % len(TEXTS)],
                "tldr": (None, "一句话。", "a\tb")[turn % 3],
                "tldr_en": (None, "One sentence.")[turn % 2],
                "model": ("", f"model-{number}")[turn % 2],
                "provider": ("", "host")[turn % 2],
                "prompt_version": f"{number}",
                "fields": ({}, {"method": "\"x\"", "result": "摘要"})[turn % 2],
                "detail": ("full", "brief")[turn % 2],
                "checks": ([], [{"check": "length", "reason": "short"}, {"check": "x", "reason": "y", "is_fault": False}])[
                    turn % 2
                ],
                "answered_by": (None, "", "other")[turn % 3],
                "author": (None, "An \"editor\"")[turn % 2],
                "released_at": INSTANTS[2] if turn % 7 == 3 else None,
                "input_tokens": (None, 7)[turn % 2],
                "output_tokens": (None, 0)[turn % 2],
                "cost": (None, Decimal("0.00012300"), Decimal("1"), Decimal("0"))[turn % 4],
                "attempts": turn % 3,
                "reason": (None, "budget")[turn % 2],
                "error": TEXTS[turn % 5],
                "retry_at": INSTANTS[turn % len(INSTANTS)],
                "made_at": INSTANTS[1 + turn % 5],
            }
        )  # fmt: skip
    return rows


def same(got: Any, declared: Any, where: str = "") -> None:
    """Equal in value and in type: 1 is neither true nor 1.0."""
    assert type(got) is type(declared), (where, got, declared)
    if isinstance(declared, dict):
        assert got.keys() == declared.keys(), (where, got.keys() ^ declared.keys())
        for name, value in declared.items():
            same(got[name], value, f"{where}.{name}")
    elif isinstance(declared, list):
        assert len(got) == len(declared), where
        for number, (one, other) in enumerate(zip(got, declared, strict=True)):
            same(one, other, f"{where}[{number}]")
    else:
        assert got == declared, where


async def rows(database: Database) -> dict[str, Paper]:
    async with database.transaction() as session:
        return await papers.find_papers(session, IDS)


def written(model: PaperRead) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(model.model_dump_json())
    return found


async def test_a_list_is_what_the_model_of_its_rows_says(database: Database) -> None:
    stored = await rows(database)
    page = await papers.read_page(database, PaperQuery(), limit=200)
    assert len(page.texts) == len(IDS)
    for text in page.texts:
        got = json.loads(text)
        same(got, written(PaperRead.of(stored[got["arxiv_id"]])))
        assert list(got) == list(FIELDS)
    assert {*FIELDS} == {*PaperRead.model_fields}


async def test_display_texts_are_those_of_the_texts(database: Database) -> None:
    for text in (await papers.read_page(database, PaperQuery(), limit=200)).texts:
        got = json.loads(text)
        for name in ("title", "abstract"):
            assert got[f"display_{name}"] == (got[name] and display(got[name]))
        assert [author["display_name"] for author in got["authors"]] == [display(a["name"]) for a in got["authors"]]


@pytest.mark.parametrize("fields", [(), *((name,) for name in FIELDS), ("title", "authors", "links"), tuple(FIELDS)])
async def test_fields_leave_out_and_nothing_else(database: Database, fields: tuple[str, ...]) -> None:
    stored = await rows(database)
    for text in (await papers.read_page(database, PaperQuery(shown=Shown(fields)), limit=200)).texts:
        got = json.loads(text)
        whole = written(PaperRead.of(stored[got["arxiv_id"]]))
        same(got, {name: value for name, value in whole.items() if not fields or name in ("arxiv_id", *fields)})


@pytest.mark.parametrize("language", ["zh", "en", "en-GB", "zh-Hant", "fr", "de"])
async def test_the_summary_of_a_language_is_the_one_that_digests_show(database: Database, language: str) -> None:
    stored = await rows(database)
    async with database.transaction() as session:
        chosen = await summaries.current(session, stored, language)
    shown = Shown(("title",), summaries=True, language=language)
    count = 0
    for arxiv_id, text in (await papers.read_papers(database, IDS, shown)).items():
        current = chosen.get(arxiv_id)
        done = [current.summary] if current and current.summary.status == "done" else []
        declared = [json.loads(SummaryRead.of(row, stored[arxiv_id]).model_dump_json()) for row in done]
        same(json.loads(text)["summaries"], declared, arxiv_id)
        count += len(declared)
    assert count or language == "de"


async def test_without_a_language_each_has_its_own(database: Database) -> None:
    stored = await rows(database)
    async with database.transaction() as session:
        for arxiv_id, text in (await papers.read_papers(database, IDS, Shown(summaries=True))).items():
            got = json.loads(text)
            PaperListed.model_validate_json(text, strict=True)
            all_of_it = await summaries.list_summaries(session, arxiv_id)
            spoken = sorted({row.language for row in all_of_it if row.status == "done" and row.released_at is None})
            assert [one["language"] for one in got["summaries"]] == spoken
            for one in got["summaries"]:
                current = (await summaries.current(session, {arxiv_id: stored[arxiv_id]}, one["language"]))[arxiv_id]
                assert one["id"] == current.summary.id


async def test_one_paper_is_what_the_model_of_its_rows_says(database: Database) -> None:
    stored = await rows(database)
    sources = set()
    for arxiv_id in IDS:
        got = json.loads(await papers.read_paper(database, arxiv_id))
        async with database.transaction() as session:
            announced = await papers.list_announcements(session, arxiv_id)
            source = await papers.find_source(session, arxiv_id)
        same(got, written(PaperDetail.with_source(stored[arxiv_id], announced, source)))
        sources.add(source is None)
    assert sources == {True, False}


async def test_papers_by_ids_come_in_the_order_of_the_ids(database: Database) -> None:
    asked = [*reversed(IDS), "2601.99999", IDS[0]]
    assert list(await papers.read_papers(database, asked)) == [*reversed(IDS)]
    assert await papers.read_papers(database, []) == {}


async def test_the_version_of_a_page_changes_with_its_rows_and_its_words(database: Database) -> None:
    some = PaperQuery(PaperFilter(arxiv_ids=tuple(IDS[:5])))
    before = await papers.read_page(database, some, limit=10)
    assert before == await papers.read_page(database, some, limit=10)
    less = PaperQuery(some.wanted, shown=Shown(("title",)))
    assert (await papers.read_page(database, less, limit=10)).version != before.version
    async with database.transaction() as session:
        await session.execute(update(Paper).where(Paper.arxiv_id == IDS[2]).values(withdrawn=~Paper.withdrawn))
    after = await papers.read_page(database, some, limit=10)
    assert (after.version != before.version, after.texts != before.texts) == (True, True)
