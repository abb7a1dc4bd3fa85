"""A worker is killed again and again while it has papers summarised: nothing is lost, nothing paid twice.

``python -m bench.endurance`` does it with a thousand papers.
"""

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from random import Random

from app.ingestion import Tools, ingest
from app.llm import is_chain, make_summariser
from tests.fake_arxiv import FakeArxiv
from tests.fake_llm import FakeLLM, Recipes
from tests.feeds import TUESDAY, Item, rss
from tests.llm_accounts import close_books
from tests.process_tools import CommandLine, ask, wait_until

PAPERS = 60
KILLS = int(os.environ.get("KILLS", "1"))
LEFT = "SELECT count(*) FROM summaries WHERE status IN ('pending', 'running')"


async def test_workers_that_are_killed_lose_nothing_and_pay_nothing_twice(
    tools: Tools, fake_arxiv: FakeArxiv, database_url: str, tmp_path: Path
) -> None:
    chance = Random(f"kills of {database_url[-3:]}")
    items = [
        Item(f"2601.{95001 + n}", title=f"Paper number {n}", abstract=f"We read {n} feeds twice. It finds 3 lost ones.")
        for n in range(PAPERS)
    ]
    with FakeLLM(latency=0.2, recipes=Recipes(chance.randrange(1000), share=0.2)).running() as fake:
        model = f"fake-model@{fake.url}"
        chain = make_summariser(tools.settings.model_copy(update={"llm_model": (model,)}))
        assert is_chain(chain)
        fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *items))
        await ingest(replace(tools, summariser=chain), "cs.CL")
        await chain.aclose()
        commands = CommandLine(
            tmp_path,
            database_url=database_url,
            llm_model=model,
            llm_api_key="secret",
            llm_concurrency=6,
            llm_timeout=2,
            llm_retry_delay=0.05,
            llm_probe_interval=0.5,
            llm_price="1,2",
        )
        try:
            for _ in range(KILLS):
                running, asked = commands.start("worker"), len(fake.requests)
                wanted = asked + chance.randrange(1, PAPERS // (KILLS + 1))
                await asyncio.to_thread(
                    wait_until, lambda wanted=wanted: len(fake.requests) > wanted and fake.active, "calls under way"
                )
                await asyncio.sleep(chance.uniform(0, 0.2))
                running.kill()
            # The jobs of the dead are taken up again when their heartbeats are old.
            running = commands.start("worker")
            await asyncio.to_thread(wait_until, lambda: ask(database_url, LEFT) == 0, "the last summary")
            assert running.stop() == 0
            assert "Traceback" not in running.err, running.err
        finally:
            commands.end()
        books = close_books(database_url, fake, items)
        assert books.wrong == [], books
        assert fake.peak <= 6
        assert books.outcomes["lost"] <= KILLS * 6
