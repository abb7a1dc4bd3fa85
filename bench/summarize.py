"""Summaries by a language model that takes a second: a real worker process, beside the ideal and the older system's way.

    .venv/bin/python -m bench.summarize [papers=500] [latency=1.0] [at_once=32] [rounds=3]

The endpoint is the fake one, in the bench's own process. What counts is the time from the first request that it gets to
the last summary stored; ideal is papers / at_once * latency (target: at most 1.15 times that). The older way is a pool of
``at_once`` processes, each with one blocking call at a time, an answer read line by line, and a JSON file for each paper;
its processes and connections are there before the time begins. CPU is user and system time while that lasts.
"""

import asyncio
import json
import multiprocessing
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import psycopg

from app.db import upgrade
from app.postgres import EmbeddedPostgres
from bench.papers import ask_for, papers
from tests.fake_llm import FakeLLM
from tests.feeds import Item
from tests.process_tools import CommandLine, Running

PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of one round, and CPU seconds."""

    wall: float
    cpu: float
    postgres: float
    endpoint: float
    peak: int


def cpu(process: psutil.Process, *, with_children: bool = False) -> float:
    """CPU seconds so far; with those of children, ended or not, if wanted."""
    times = process.cpu_times()
    total: float = times.user + times.system
    if with_children:
        total += times.children_user + times.children_system
        for child in process.children(recursive=True):
            with suppress(psutil.Error):
                total += cpu(child)
    return total


def postmaster(folder: Path) -> psutil.Process:
    """The server of a data folder."""
    [pid_file] = folder.rglob("postmaster.pid")
    return psutil.Process(int(pid_file.read_text().splitlines()[0]))


def ours(
    server: EmbeddedPostgres, folder: Path, name: str, items: Sequence[Item], latency: float, at_once: int
) -> Took:
    """One round with a database of its own."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = server.url(name)
    upgrade(url)
    database, bench = postmaster(folder), psutil.Process()
    with FakeLLM(latency=latency).running() as fake, psycopg.connect(url, autocommit=True) as connection:
        model = f"fake-model@{fake.url}"
        asyncio.run(ask_for(url, model, items))
        commands = CommandLine(
            folder / name,
            database_url=url,
            llm_model=model,
            llm_api_key="secret",
            llm_concurrency=at_once,
            log_level="warning",
        )
        # Under a profiler, as `PROFILE=worker.prof python -m bench.summarize`, the figures are no figures.
        profile = os.environ.get("PROFILE")
        worker = start_profiled(commands, profile) if profile else commands.start("worker")
        try:
            wait(lambda: bool(fake.requests), worker)
            process = psutil.Process(worker.process.pid)
            before = cpu(process), cpu(database, with_children=True), cpu(bench)
            begin = fake.requests[0].at
            left = b"SELECT 1 FROM summaries WHERE status IN ('pending', 'running') LIMIT 1"
            wait(lambda: not connection.execute(left).fetchall(), worker)
            wall = time.monotonic() - begin
            after = cpu(process), cpu(database, with_children=True), cpu(bench)
            worker.stop()
        finally:
            commands.end()
        done = connection.execute(b"SELECT count(*) FROM summaries WHERE status = 'done'").fetchone()
        assert done == (len(items),), (done, len(items))
        assert len(fake.requests) == len(items), f"{len(fake.requests)} calls for {len(items)} papers"
        if worker.err.count("\n") > 1:
            print(f"the worker said: {worker.err}", file=sys.stderr)
        own, postgres, endpoint = (late - early for early, late in zip(before, after, strict=True))
        return Took(wall, own, postgres, endpoint, fake.peak)


def start_profiled(commands: CommandLine, target: str) -> Running:
    """The worker under cProfile; what it found is in the file ``target`` once it has stopped."""
    code = "import cProfile, sys; sys.argv = ['zhaiyao', 'worker']; from app.cli import main; p = cProfile.Profile()\n"
    code += f"try: p.runcall(main)\nfinally: p.dump_stats({str(Path(target).absolute())!r})\n"
    script = commands.folder / "profiled.py"
    script.write_text(code)
    executable, sys.executable = sys.executable, str(commands.folder / "python")
    try:
        Path(sys.executable).write_text(f'#!/bin/sh\nexec {executable} {script} "$@"\n')
        Path(sys.executable).chmod(0o755)
        return commands.start("worker")
    finally:
        sys.executable = executable


def wait(condition: Callable[[], bool], worker: Running) -> None:
    """Look every 20 ms until it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline and worker.process.poll() is None, worker.err
        time.sleep(0.02)


# The older way

_PROMPT = (
    "You translate. Answer with a JSON object that has the key 'tldr_en' and, under 'zh', the keys 'title', 'abstract' and "
    "'tldr'."
)


def older_call(task: tuple[str, str, str, str, str]) -> bool:
    """One paper by one process: call, read by prefixes, write a file."""
    url, folder, arxiv_id, title, abstract = task
    body = {
        "model": "fake-model",
        "messages": [
            {"role": "system", "content": _PROMPT},
            {"role": "user", "content": f"<paper x1>\nTitle: {title}\nAbstract: {abstract}\n</paper x1>"},
        ],
    }
    global _client
    if _client is None:
        _client = httpx.Client(timeout=120)
    answer = _client.post(f"{url}/chat/completions", json=body, headers={"Authorization": "Bearer secret"})
    content = answer.json()["choices"][0]["message"]["content"]
    found = {}
    for line in content.replace('", "', '",\n"').replace('{"', '{\n"').splitlines():
        for prefix in ("title", "abstract", "tldr", "tldr_en"):
            if match := re.match(rf'"{prefix}": "(.*)"', line):
                found[prefix] = match[1]
    Path(folder, f"{arxiv_id}.json").write_text(json.dumps({"id": arxiv_id} | found, ensure_ascii=False))
    return len(found) >= 3


_client: httpx.Client | None = None


def warm(seconds: float) -> int:
    """Import what the first call would, and hold the place so that every process of the pool gets one."""
    time.sleep(seconds)
    return os.getpid()


def older(items: Sequence[Item], latency: float, at_once: int) -> Took:
    """The same papers by a pool of processes."""
    context = multiprocessing.get_context("spawn")
    bench = psutil.Process()
    with (
        FakeLLM(latency=latency).running() as fake,
        tempfile.TemporaryDirectory() as folder,
        context.Pool(at_once) as pool,
    ):
        pids: set[int] = set()
        while len(pids) < at_once:
            pids |= set(pool.map(warm, [0.3] * at_once, chunksize=1))
        processes = [psutil.Process(pid) for pid in pids]
        before = sum(map(cpu, processes)), cpu(bench)
        tasks = [(fake.url, folder, item.id, item.title or "", item.abstract or "") for item in items]
        read = pool.map(older_call, tasks, chunksize=1)
        wall = time.monotonic() - fake.requests[0].at
        after = sum(map(cpu, processes)), cpu(bench)
        assert all(read) and len(list(Path(folder).iterdir())) == len(items)
        return Took(wall, after[0] - before[0], 0.0, after[1] - before[1], fake.peak)


def main(count: int, latency: float, at_once: int, rounds: int) -> None:
    """Measure in turns and print medians."""
    items, ideal = papers(count), count / at_once * latency
    mine: list[Took] = []
    theirs: list[Took] = []
    with tempfile.TemporaryDirectory() as name, EmbeddedPostgres(Path(name) / "pg") as server:
        for round_ in range(rounds):
            mine.append(ours(server, Path(name), f"bench_{round_}", items, latency, at_once))
            theirs.append(older(items, latency, at_once))
    print(f"{count} papers, {at_once} calls at once of {latency:g} s each; ideal {ideal:.2f} s; medians of {rounds}")
    for who, took in (("zhaiyao worker", mine), ("pool of processes, as the older system", theirs)):
        wall, own, postgres, endpoint = (
            statistics.median(getattr(one, name) for one in took) for name in ("wall", "cpu", "postgres", "endpoint")
        )
        print(
            f"{who}: {wall:.2f} s, ratio {wall / ideal:.3f}, CPU per paper {own / count * 1000:.1f} ms, Postgres "
            f"{postgres / count * 1000:.1f} ms (endpoint {endpoint / count * 1000:.1f} ms), "
            f"at most {max(one.peak for one in took)} at once"
        )
    print("ratios: " + " ".join(f"{one.wall / ideal:.3f}" for one in mine) + " (target 1.15)")


if __name__ == "__main__":
    given = sys.argv[1:] + ["500", "1.0", "32", "3"][len(sys.argv) - 1 :]
    main(int(given[0]), float(given[1]), int(given[2]), int(given[3]))
