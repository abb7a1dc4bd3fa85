"""Invented papers with abstracts of real length, stored as a listing that asks for their summaries and their digest."""

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from random import Random

from app.arxiv.client import make_client
from app.config import load_settings
from app.db import Database
from app.door import Door
from app.ingestion import Tools, ingest
from app.llm import is_chain, make_summariser
from tests.feeds import Item, rss

SENTENCES = (
    "We propose a parser for listings that arrive late, and study how its errors grow with the length of the text.",
    "On {} feeds it loses {} of 4,000 items, where $a_{{{}}} < b$ and the best earlier method loses 97.3% of them.",
    "A careful analysis shows that the bound $O(n \\log n)$ is met by every variant that keeps its {} heads apart.",
    "Our experiments cover {} languages and {} domains, and compare seven models of up to {} billion parameters.",
    "We find that most of the gain comes from reading each source twice, and almost none from a larger model.",
    "The improvement over the strongest baseline is {}.{} points, which is significant with $p < 0.01$.",
    "Against expectation the method also helps where only few labelled examples are at hand, as an ablation shows.",
    "We discuss its limits, among them long documents and sources that contradict one another without saying so.",
)


def papers(count: int, length: int = 1300) -> list[Item]:
    """So many papers, each with a title of its own and an abstract of about this length."""
    return [_paper(number, length) for number in range(count)]


def _paper(number: int, length: int) -> Item:
    chance = Random(number)
    abstract = ""
    while len(abstract) < length:
        abstract += chance.choice(SENTENCES).format(*(chance.randrange(2, 90) for _ in range(3))) + " "
    arxiv_id = f"{2601 + number // 80000:04}.{number % 80000 + 10000:05}"
    return Item(arxiv_id, title=f"Reading Listings Twice, Part {number}", abstract=abstract.strip())


async def ask_for(url: str, model: str, items: Sequence[Item]) -> None:
    """Store papers as today's listing of cs.CL; their summaries by ``model`` and the day's digest are asked for."""
    settings = load_settings(database_url=url, llm_model=(model,), languages=("zh",), categories=("cs.CL",))
    database = Database(url)
    http = make_client(None)
    chain = make_summariser(settings)
    tools = Tools(settings, database, Door(database, http, timedelta(0)), chain)
    try:
        day = tools.now().date()
        day -= timedelta(days=max(day.weekday() - 4, 0))
        with tempfile.NamedTemporaryFile(suffix=".xml") as file:
            file.write(rss("cs.CL", day, *items))
            file.flush()
            await ingest(tools, "cs.CL", source=file.name)
    finally:
        if is_chain(chain):
            await chain.aclose()
        await http.aclose()
        await database.close()
