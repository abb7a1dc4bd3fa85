"""A fake arXiv to use by hand."""

import argparse
import sys
import threading
from datetime import UTC, date, datetime, timedelta

from tests.fake_arxiv import FakeArxiv, Faults, World
from tests.fake_arxiv.world import EASTERN, is_batch_day


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_arxiv",
        description="A fake arXiv with five weeks of invented papers, two of them past: feeds, OAI-PMH and the API.",
    )
    parser.add_argument("--port", type=int, default=0, help="where to listen on 127.0.0.1 (default: a free port)")
    parser.add_argument("--seed", type=int, default=1, help="another seed is another world (default: 1)")
    parser.add_argument(
        "--today",
        type=date.fromisoformat,
        metavar="YYYY-MM-DD",
        help="the day it is there, in US Eastern time (default: the real one); the time of day is the real one, and goes on",
    )
    parser.add_argument("--faults", action="store_true", help="let things go wrong, by a plan that the seed makes")
    arguments = parser.parse_args()

    real = datetime.now(UTC)
    today = real.astimezone(EASTERN).date()
    shift = (arguments.today or today) - today
    first_day = today + shift - timedelta(days=14)
    while not is_batch_day(first_day):
        first_day += timedelta(days=1)
    world = World(arguments.seed, first_day, days=35)
    faults = Faults.random(arguments.seed, world, ("feed", "oai", "api")) if arguments.faults else Faults()
    fake = FakeArxiv(world, faults=faults)
    fake.now = lambda: datetime.now(UTC) + shift
    with fake.running(arguments.port):
        sys.stdout.write(_greeting(fake, world))
        sys.stdout.flush()
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.stdout.write("\n")


def _greeting(fake: FakeArxiv, world: World) -> str:
    now = fake.now()
    lines = [
        f"{world}, {len(world.ids)} papers; it is {now.astimezone(EASTERN):%Y-%m-%d %H:%M %Z} there",
        f"  {fake.url}/{world.categories[0]}",
        f"  {fake.url.removesuffix('/rss')}/atom/{'+'.join(world.categories)}",
        f"  {fake.oai_url}?verb=ListRecords&metadataPrefix=arXivRaw&from={now:%Y-%m-%d}",
        f"  {fake.api_url}?id_list={world.ids[0]}",
        "",
        *(f"export {name}={value}" for name, value in fake.settings().items()),
        f"export ZHAIYAO_CATEGORIES={','.join(world.categories)}",
        "",
    ]
    if len(fake.faults):
        lines += ["What goes wrong:", str(fake.faults), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
