"""A month of announcements under random faults: everything is stored as it was announced, and no day is called complete
that is not. ``bench/faults.py`` does the same with hundreds of schedules.
"""

from pathlib import Path

import pytest

from tests.fake_arxiv import Faults, World
from tests.simulation import FEWER_TICKS, live_through

CATEGORIES = ("cs.CL", "stat.ML")


async def live(seed: int, url: str, folder: Path) -> None:
    """Live through the month of a seed, and check what is left."""
    world = World(seed, categories=CATEGORIES, per_day=3)
    faults = Faults.random(seed, world)
    outcome = await live_through(url, folder, world, faults, FEWER_TICKS)
    said = f"seed {seed}: {outcome}\n{faults}"
    assert outcome.unstored == [], said
    assert outcome.missing == [], said
    assert outcome.wrong == [], said
    assert outcome.lies == [], said
    # What OAI-PMH alone cannot tell leaves its day unproved; that is the exception.
    assert len(outcome.undecidable) <= 0.1 * len(world.announcements), said
    assert outcome.proved >= 0.5 * outcome.listings, said


# Two classes, because each is run by one process. `bench/faults.py` runs as many seeds as one has time for.
class TestOneHalf:
    """Seeds 1 and 2."""

    @pytest.mark.parametrize("seed", range(1, 3))
    async def test_a_month_under_faults_ends_complete(self, seed: int, database_url: str, tmp_path: Path) -> None:
        await live(seed, database_url, tmp_path)


class TestOtherHalf:
    """Seeds 6 and 7."""

    @pytest.mark.parametrize("seed", range(6, 8))
    async def test_a_month_under_faults_ends_complete(self, seed: int, database_url: str, tmp_path: Path) -> None:
        await live(seed, database_url, tmp_path)


async def test_a_month_without_faults_is_proved_day_by_day(database_url: str, tmp_path: Path) -> None:
    world = World(11, categories=CATEGORIES, per_day=3)
    outcome = await live_through(database_url, tmp_path, world, Faults())
    assert (outcome.is_right, outcome.undecidable, outcome.proved) == (True, [], outcome.listings), outcome
