"""Running the real command line in processes of its own, to watch them, to kill them, and to see what they leave."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg

from app.db import Database
from app.jobs import NewJob, enqueue
from tests.commands import ROOT, call, started
from tests.fake_arxiv import FakeArxiv, Reply

PATIENCE = 120.0
"""Seconds after which waiting has failed: long, because the machine may be busy."""

NOWHERE = "http://127.0.0.1:9/rss"
T = TypeVar("T")


def wait_until(condition: Callable[[], T | None], what: str, seconds: float = PATIENCE) -> T:
    """The first true value of ``condition``; ``AssertionError`` with ``what`` when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
    return value


class GatedArxiv(FakeArxiv):
    """A fake arXiv that keeps every request waiting while its gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def next_reply(self, path: str) -> Reply:
        """The reply for a path, once the gate is open."""
        self.gate.wait(PATIENCE)
        return super().next_reply(path)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What a failed command said: exit code 1 and one line on standard error, no traceback."""
        lines = self.err.splitlines()
        assert self.code == 1, self
        assert len(lines) == 1, self.err
        assert lines[0].startswith("zhaiyao: "), self.err
        return lines[0].removeprefix("zhaiyao: ")


def _done(code: int, out: str, err: str) -> Done:
    assert "Traceback" not in err, err
    return Done(code, out, err)


class Running:
    """A command that runs. Its output goes to files, so that it never waits for a reader."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def out(self) -> str:
        """What it has written to standard output so far."""
        return self._log.with_suffix(".out").read_text()

    @property
    def err(self) -> str:
        """What it has written to standard error so far."""
        return self._log.with_suffix(".err").read_text()

    def said(self, pattern: str) -> "re.Match[str]":
        """Wait until standard error has a match."""

        def look() -> "re.Match[str] | None":
            ended = self.process.poll()
            match = re.search(pattern, self.err)
            assert match or ended is None, f"ended with {ended} before {pattern!r}: {self.err}"
            return match

        return wait_until(look, pattern)

    def address(self) -> str:
        """The address at which it serves, once it does."""
        return self.said(r"listening on (http://\S+)")[1]

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does: it must not have ended by itself."""
        assert self.process.poll() is None, f"it had ended already: {self.err}"
        self.process.kill()
        assert self.process.wait(PATIENCE) == -signal.SIGKILL

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = PATIENCE) -> int:
        """Send a signal to a command that still runs, and give the exit code."""
        assert self.process.poll() is None, f"it had ended already: {self.err}"
        self.process.send_signal(number)
        return self.process.wait(seconds)


class CommandLine:
    """``zhaiyao`` with an environment of its own, in a folder of its own."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self._settings = settings
        self._started: list[Running] = []
        folder.mkdir(parents=True, exist_ok=True)

    def environment(self, settings: dict[str, object]) -> dict[str, str]:
        """Nothing of the machine's but the path; ``settings`` without their prefix."""
        nowhere = {f"arxiv_{name}_url": NOWHERE for name in ("feed", "oai", "api")}
        wanted = nowhere | {"arxiv_interval": 0, "embeddings": "off"} | self._settings | settings
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            **{f"ZHAIYAO_{name.upper()}": str(value) for name, value in wanted.items()},
        }

    def start(self, *arguments: object, stdin: int | None = subprocess.DEVNULL, **settings: object) -> Running:
        """Start a command; it is killed at the end of the test if it still runs."""
        log = self.folder / f"command-{len(self._started)}.log"
        with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "app", *map(str, arguments)],
                cwd=self.folder,
                env=self.environment(settings),
                stdin=stdin,
                stdout=out,
                stderr=err,
            )
        self._started.append(Running(process, log))
        return self._started[-1]

    def run(self, *arguments: object, **settings: object) -> Done:
        """Run a command to its end, in a process that has imported it already."""
        with open(os.devnull, "rb") as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            streams = [stream.fileno() for stream in (given, out, err)]
            environment = self.environment(settings)
            code = call(started(), [*map(str, arguments)], str(self.folder), environment, streams, PATIENCE)
            return _done(code, *(os.pread(stream.fileno(), 10_000_000, 0).decode() for stream in (out, err)))

    def feed(self, stdin: bytes, *arguments: object) -> Done:
        """Run a command on a pipe to its end."""
        running = self.start(*arguments, stdin=subprocess.PIPE)
        running.process.communicate(stdin, timeout=PATIENCE)
        return _done(running.process.returncode, running.out, running.err)

    def piped(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command whose output the caller reads, and closes."""
        return subprocess.Popen(
            [sys.executable, "-m", "app", *arguments],
            cwd=self.folder,
            env=self.environment({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def end(self) -> None:
        """Kill what is left."""
        for running in self._started:
            running.process.kill()
            running.process.wait()
            if running.process.stdin is not None:
                running.process.stdin.close()


def query(url: str, statement: str) -> list[Any]:
    """The first column of every row."""
    with psycopg.connect(url, autocommit=True) as connection:
        return [row[0] for row in connection.execute(statement.encode())]


def ask(url: str, statement: str) -> Any:
    """The first value."""
    return query(url, statement)[0]


@contextmanager
def held(url: str, statement: str) -> Iterator[None]:
    """Hold the locks that a statement takes; it is undone at the end."""
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())
        yield
        connection.rollback()


def snapshot(url: str, tables: Sequence[str] = ("papers", "paper_entries", "summaries")) -> list[Any]:
    """The whole content of tables, as a hash of each."""
    rows = [
        f"SELECT md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), '')) FROM {name} AS row" for name in tables
    ]
    return [ask(url, statement) for statement in rows]


def enqueue_jobs(url: str, *jobs: NewJob) -> list[int]:
    """Enqueue jobs as a request would."""

    async def work() -> list[int]:
        database = Database(url, pool_size=1)
        try:
            async with database.transaction() as session:
                return await enqueue(session, jobs)
        finally:
            await database.close()

    return asyncio.run(work())


def embedded_url(data_dir: Path) -> str:
    """The address of the embedded server of a data folder that somebody uses."""
    state = json.loads((data_dir / "postgres.supervisor").read_text())
    return f"postgresql://postgres@/zhaiyao?host={state['socket_dir']}"


def servers(data_dir: Path) -> list[psutil.Process]:
    """The living PostgreSQL servers of a data folder, without their backends."""
    return [process for process, kind in _processes(data_dir) if kind == "server"]


def supervisors(data_dir: Path) -> list[psutil.Process]:
    """The living supervisors of a data folder."""
    return [process for process, kind in _processes(data_dir) if kind == "supervisor"]


def processes_of(folder: Path) -> list[str]:
    """Every living process that works in a folder, or has it among its arguments."""
    return [f"{kind} {process}" for process, kind in _processes(folder)]


def _processes(folder: Path) -> list[tuple[psutil.Process, str]]:
    found = []
    for process in psutil.process_iter():
        try:
            words, place, parent = process.cmdline(), Path(process.cwd()), process.parent()
            if process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.name() == "postgres" and place.is_relative_to(folder):
                backend = parent is not None and parent.name() == "postgres"
                found.append((process, "backend" if backend else "server"))
            elif place.is_relative_to(folder) or any(str(folder) in word for word in words):
                found.append((process, "supervisor" if "app.postgres" in words else "other"))
        except psutil.Error:
            # It has ended meanwhile.
            continue
    return found


def is_free(address: str) -> bool:
    """Whether nobody listens at an address."""
    host, port = address.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) != 0
