"""Summaries by a faulty endpoint while workers are killed: nothing may be lost, nothing paid twice, and the books agree.

    .venv/bin/python -m bench.endurance [papers=1000] [faults=0.3] [kills=5] [seed=by chance]

A share of the calls goes wrong in every way that passes, or gets a bad answer; workers are killed with SIGKILL at random
moments and started again, every other time with a second worker beside the first. Exit code 1 if a promise is broken.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from random import Random, SystemRandom

import psycopg

from app.db import upgrade
from app.postgres import EmbeddedPostgres
from bench.papers import ask_for, papers
from tests.fake_llm import FakeLLM, Recipes
from tests.llm_accounts import close_books
from tests.process_tools import CommandLine, Running, ask

PATIENCE = 600.0
AT_ONCE = 16
LEFT = "SELECT count(*) FROM summaries WHERE status IN ('pending', 'running')"


def main(count: int, share: float, kills: int, seed: int) -> int:
    """Run to the end and compare the books."""
    chance = Random(seed)
    items = papers(count)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "pg") as server:
        url = server.url()
        upgrade(url)
        with FakeLLM(latency=0.3, recipes=Recipes(seed, share=share)).running() as fake:
            model = f"fake-model@{fake.url}"
            asyncio.run(ask_for(url, model, items))
            commands = CommandLine(
                Path(name) / "work",
                database_url=url,
                llm_model=model,
                llm_api_key="secret",
                llm_concurrency=AT_ONCE,
                llm_timeout=2,
                llm_retry_delay=0.05,
                llm_probe_interval=0.5,
                llm_price="1,2",
                log_level="warning",
            )
            try:
                everyone, cut_off = work(commands, fake, url, chance, count, kills)
            finally:
                commands.end()
            took = time.monotonic() - begin
            books = close_books(url, fake, items)
            print(
                f"{count} papers, {share:.0%} faults, {kills} kills, seed {seed}: {took:.0f} s, {len(everyone)} workers"
            )
            print(f"summaries: {dict(books.summaries)}")
            print(f"calls: {dict(books.outcomes)}; under way at the kills: {cut_off}")
            print(
                f"endpoint: {len(fake.requests)} requests, {fake.replayed} answers given again, at most {fake.peak} at once, "
                f"{books.unread} answers came too late to be read"
            )
            wrong = [*books.wrong, *complaints(everyone)]
            if fake.peak > AT_ONCE:
                wrong.append(f"{fake.peak} calls were under way at once, {AT_ONCE} are allowed")
    for sentence in wrong[:40]:
        print(f"BROKEN: {sentence}")
    print("every promise was kept" if not wrong else f"{len(wrong)} promises were broken")
    return 1 if wrong else 0


def work(
    commands: CommandLine, fake: FakeLLM, url: str, chance: Random, count: int, kills: int
) -> tuple[list[Running], list[int]]:
    """Start workers, kill them, and wait for the end; returns all of them, and how many calls each kill cut off."""
    everyone, cut_off = [commands.start("worker")], []
    alive = list(everyone)
    for kill in range(kills):
        # Between two kills some part of the work is done, so that every kill meets some.
        before = ask(url, LEFT)
        wanted = max(before - chance.uniform(0.5, 1.0) * count / (kills + 1), 1)
        wait(url, wanted, everyone)
        if kill % 2 == 0:
            alive.append(commands.start("worker"))
            everyone.append(alive[-1])
            time.sleep(chance.uniform(2, 5))
        time.sleep(chance.uniform(0, 1))
        while not fake.active and ask(url, LEFT):
            time.sleep(0.01)
        cut_off.append(fake.active)
        # With two at work, sometimes one is killed, sometimes both.
        for victim in alive if chance.random() < 0.5 else alive[:1]:
            victim.kill()
        alive = [one for one in alive if one.process.poll() is None]
        if not alive:
            alive.append(commands.start("worker"))
            everyone.append(alive[-1])
    wait(url, 0, everyone)
    for one in alive:
        one.stop()
    return everyone, cut_off


def wait(url: str, left: float, everyone: list[Running]) -> None:
    """Until no more summaries than that are unfinished."""
    deadline = time.monotonic() + PATIENCE
    with psycopg.connect(url, autocommit=True) as connection:
        while (row := connection.execute(LEFT.encode()).fetchone()) and row[0] > left:
            if time.monotonic() > deadline:
                raise SystemExit(f"{row[0]} summaries are not finished: " + "\n".join(one.err for one in everyone))
            time.sleep(0.05)


def complaints(everyone: list[Running]) -> list[str]:
    """What workers said beside what they are to say: that the jobs of the dead start again."""
    usual = ("working; Ctrl-C stops", "was left by a dead worker and starts again")
    return [line for one in everyone for line in one.err.splitlines() if not line.endswith(usual)]


if __name__ == "__main__":
    given = sys.argv[1:] + ["1000", "0.3", "5", str(SystemRandom().randrange(10_000))][len(sys.argv) - 1 :]
    sys.exit(main(int(given[0]), float(given[1]), int(given[2]), int(given[3])))
