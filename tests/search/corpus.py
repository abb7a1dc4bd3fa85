"""Papers for searches: hostile mixtures of English, Chinese and TeX, stored by the service's own ways."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from sqlalchemy import text

from app import papers, summaries
from app.arxiv.entries import Author
from app.db import Database
from app.models import SEARCHED
from app.papers import PaperRecord, names_listed
from app.postgres import EmbeddedPostgres
from app.summaries import HumanText
from tests.conftest import TEMPLATE, _execute

_LATIN = (
    "model models modelling language languages large pre-training pretraining pre training trained transformer attention of "
    "the a study studies happy happily dying die generalise generalisation general generate BERT BERTs LLM LLMs GPT-4 GPT4 "
    "Zipf's Erd\\H{o}s Erdős Schr\\\"odinger Schrödinger $\\mathcal{N}=4$ $\\beta$-decay β-decay SE(3)-equivariant C++ e-mail "
    "hoping p-re re-s models-s l-l rock'n'roll x 2024 3D state-of-the-art sensibility sensible skies sky ran cats' ﬁne ＢＥＲＴ "
    "İstanbul straße Łódź co\u00adoperate naïve \\emph{deep} {B}ayesian $x_i^{2}$ a-b-c ' - -- '' \" : * ( ) OR AND"
)
_UNSPACED = "模型 语言模型 大语言模型 模 语言 。 用GPT-4做实验 的 日本語の文 한국어 ไทย 中English中 𠀀𠀁 ab模ab"
WORDS = [*_LATIN.split(), *_UNSPACED.split()]
NAMES = (
    "Ada Sample", "A. M. Sample", "Sample, Ada", "Bo Sample Jr.", "Paul Erd\\H{o}s", "Xiao-Ming Li", "Xiaoming Li", "王伟",
    "Wei 王", "The ATLAS Collaboration", "J\\\"org O'Neil", "Ng", "de la Cruz, María", "ÅØ Þór", "K", "Mary-Ann St. John",
)  # fmt: skip
CATEGORIES = ("cs.CL", "cs.LG", "math.NA", "cs.NA", "econ.EM", "hep-th")


def record(number: int, chance: Random, **fields: Any) -> PaperRecord:
    """A paper of such words; ``fields`` replace its own."""

    def some(least: int, most: int) -> str:
        return " ".join(chance.choice(WORDS) for _ in range(chance.randint(least, most)))

    categories = tuple(chance.sample(CATEGORIES, chance.randint(0, 2)))
    own: dict[str, Any] = {
        "arxiv_id": f"24{number // 10_000 + 1:02}.{number % 10_000:05}"
        if number % 7
        else f"hep-th/99{number % 12 + 1:02}{number:03}",
        "version": chance.choice((1, 2, None)),
        "title": some(1, 5) if chance.random() < 0.95 else None,
        "abstract": some(0, 25) if chance.random() < 0.95 else None,
        "authors": tuple(Author(chance.choice(NAMES)) for _ in range(chance.randint(0, 3))),
        "primary_category": categories[0] if categories else None,
        "categories": categories,
        "listed_in": names_listed(categories),
        "doi": chance.choice((None, "", "10.1/x")),
        "withdrawn": chance.random() < 0.1,
        "submitted_at": chance.choice(
            (None, datetime(2024, 1, 1, 23, 59, 59, tzinfo=UTC) + timedelta(days=chance.randint(0, 40)))
        ),
        "first_announced_on": chance.choice((None, date(2024, 1, 2) + timedelta(days=chance.randint(0, 40)))),
        "format": "test",
        "raw": f"{number} {chance.random()}",
    }
    return PaperRecord(**{**own, **fields})


def human_text(chance: Random) -> HumanText:
    """A summary by a person."""

    def some() -> str | None:
        return " ".join(chance.choice(WORDS) for _ in range(chance.randint(1, 8))) if chance.random() < 0.7 else None

    return HumanText(some(), some(), some(), some(), None)


async def store(database: Database, records: Sequence[PaperRecord]) -> None:
    """Store papers."""
    async with database.transaction() as session:
        await papers.upsert(session, records)


async def fill(database: Database, count: int, chance: Random) -> None:
    """Store so many papers, every third with summaries."""
    records = [record(number, chance) for number in range(1, count + 1)]
    await store(database, records)
    async with database.transaction() as session:
        for one in records[::3]:
            paper = await papers.get_paper(session, one.arxiv_id)
            await summaries.put_text(session, paper, "zh", human_text(chance))
            if chance.random() < 0.3:
                await summaries.put_text(session, paper, "de", human_text(chance))
                await summaries.release_text(session, one.arxiv_id, "zh")


async def index_of(database: Database) -> dict[str, tuple[Any, ...]]:
    """The whole index as it is."""
    async with database.transaction() as session:
        vectors = ", ".join(f"{vector}::text" for vector in SEARCHED)
        rows = await session.execute(text(f"SELECT order_key, {vectors}, made_by FROM search_documents"))
        return {key: tuple(values) for key, *values in rows}


@asynccontextmanager
async def database_of(postgres: EmbeddedPostgres, name: str) -> AsyncIterator[Database]:
    """A database of the template, gone afterwards."""
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    database = Database(postgres.url(name), pool_size=5)
    try:
        yield database
    finally:
        await database.close()
        _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")
