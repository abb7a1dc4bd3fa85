"""A simulated month of arXiv under random faults, for many schedules: is everything stored as it was announced?

    .venv/bin/python -m bench.faults [schedules] [first seed]

Prints each seed with what came of it, and the schedule of one that broke the promise. 200 schedules take about 40 minutes on
two idle cores; the tests run ten.
"""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import psycopg

from app.db import upgrade
from app.postgres import EmbeddedPostgres
from tests.fake_arxiv import Faults, World
from tests.simulation import live_through

CATEGORIES = ("cs.CL", "stat.ML")


def main(schedules: int, first: int) -> int:
    """Run the schedules one after the other; returns how many broke the promise."""
    logging.disable(logging.CRITICAL)  # every fault is logged, as it should be
    broken = announced = undecidable = proved = listings = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedPostgres(Path(folder), tests=True) as server,
        psycopg.connect(server.url("postgres"), autocommit=True) as connection,
    ):
        connection.execute("CREATE DATABASE month")
        upgrade(server.url("month"))
        for seed in range(first, first + schedules):
            connection.execute("CREATE DATABASE one TEMPLATE month STRATEGY FILE_COPY")
            world = World(seed, categories=CATEGORIES, per_day=3)
            faults = Faults.random(seed, world)
            outcome = asyncio.run(live_through(server.url("one"), Path(folder), world, faults))
            connection.execute("DROP DATABASE one WITH (FORCE)")
            print(f"seed {seed}: {'kept' if outcome.is_right else 'BROKEN'}; {outcome}", flush=True)
            if not outcome.is_right:
                broken += 1
                print(f"{faults}\n{outcome.missing}\n{outcome.wrong}\n{outcome.lies[:3]}", flush=True)
            announced += len(world.announcements)
            undecidable += len(outcome.undecidable)
            proved += outcome.proved
            listings += outcome.listings
    print(f"{schedules} schedules, {announced} announcements: {broken} broke the promise")
    print(f"left open, on days not called complete: {undecidable} announcements ({undecidable / announced:.1%})")
    print(f"days proved complete: {proved} of {listings} ({proved / listings:.0%})")
    return broken


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    sys.exit(main(*(numbers + [200, 1][len(numbers) :])) > 0)
