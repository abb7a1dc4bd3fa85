"""Memory of the service at rest: ``zhaiyao api`` and ``zhaiyao worker`` on an empty database, without Postgres.

    .venv/bin/python -m bench.memory [seconds]

Prints what is resident of each process (VmRSS) after so many seconds, and the sum; together they may have 250 MB.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import psutil

from app.db import upgrade
from app.postgres import EmbeddedPostgres

BOUND = 250


def main(seconds: float) -> None:
    """Start both, wait, print, stop both."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        server = stack.enter_context(EmbeddedPostgres(Path(folder) / "pg", tests=True))
        url = server.url("postgres")
        upgrade(url)
        # Nothing is fetched: nobody listens there.
        nobody = {"ZHAIYAO_ARXIV_FEED_URL": "http://127.0.0.1:9/rss", "ZHAIYAO_ARXIV_OAI_URL": "http://127.0.0.1:9/oai"}
        environment = {**os.environ, **nobody, "ZHAIYAO_DATABASE_URL": url, "ZHAIYAO_PORT": "8643"}
        processes = {name: stack.enter_context(_running(name, environment)) for name in ("api", "worker")}
        time.sleep(seconds)
        resident = {name: psutil.Process(one.pid).memory_info().rss / 1e6 for name, one in processes.items()}
        for one in processes.values():
            one.terminate()
    told = ", ".join(f"{name} {size:.0f} MB" for name, size in resident.items())
    print(f"{told}; together {sum(resident.values()):.0f} MB of {BOUND}")


def _running(name: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "app", name]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 30.0)
