"""The command line in real processes: what it says and how it ends, and what is left when it is killed anywhere.

Most of a test's time is waiting (for a dead worker's heartbeat, for a grace time), so that all of them run at once, a few
at a time, and each test waits for its own. They share nothing but the machine.
"""

import functools
import itertools
import json
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from typer.models import CommandInfo
from typer.testing import CliRunner

from app.cli import app as command_line
from app.postgres import EmbeddedPostgres
from app.serving import MAX_FILES
from app.tasks import ingest_job
from tests.conftest import TEMPLATE, _execute
from tests.fake_arxiv import FakeArxiv
from tests.feeds import TUESDAY, Item, rss
from tests.process_tools import (
    PATIENCE,
    CommandLine,
    GatedArxiv,
    Running,
    ask,
    embedded_url,
    enqueue_jobs,
    held,
    is_free,
    processes_of,
    query,
    servers,
    snapshot,
    supervisors,
    wait_until,
)

AT_ONCE = 4
"""Stories that run at the same time: they wait more than they work."""

SIX = tuple(Item(f"2601.9500{n}", title=f"On Testing, Part {n}") for n in range(1, 7))
LISTING = rss("cs.CL", TUESDAY, *SIX)
_numbers = itertools.count()


@dataclass
class Stage:
    """What a story may use; all of it is gone when it ends."""

    server: EmbeddedPostgres
    folder: Path
    chance: random.Random
    _commands: list[CommandLine] = field(default_factory=list)
    _databases: list[str] = field(default_factory=list)

    def database(self, template: str = TEMPLATE) -> str:
        """The address of a database of its own; from the template ``template0`` it is empty."""
        name = f"process_{next(_numbers)}"
        _execute(self.server, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        self._databases.append(name)
        return self.server.url(name)

    def zhaiyao(self, **settings: object) -> CommandLine:
        """The command line with these settings, in a folder of its own."""
        self._commands.append(CommandLine(self.folder / str(len(self._commands)), **settings))
        return self._commands[-1]

    def end(self) -> None:
        """Kill and remove."""
        for commands in self._commands:
            commands.end()
        for name in self._databases:
            _execute(self.server, f"DROP DATABASE {name} WITH (FORCE)")


Story = Callable[[Stage], None]
_stories: dict[str, Story] = {}
SECONDS = pytest.StashKey[dict[str, float]]()


def story(tell: Story) -> Callable[[dict[str, "Future[None]"]], None]:
    """Make a test of a story."""
    _stories[tell.__name__] = tell

    @functools.wraps(tell)
    def test(stories: dict[str, "Future[None]"]) -> None:
        stories[tell.__name__].result()

    # Otherwise pytest would look for a fixture of the story's own parameter.
    vars(test).pop("__wrapped__")
    return test


@pytest.fixture(scope="module")
def stories(
    request: pytest.FixtureRequest, postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, "Future[None]"]]:
    """The stories of the tests that were selected, each of which runs or will run."""
    selected = [item.name for item in request.session.items if item.name in _stories]

    def tell(name: str) -> None:
        stage = Stage(postgres, tmp_path_factory.mktemp("story"), random.Random(name))
        begin = time.monotonic()
        try:
            _stories[name](stage)
        finally:
            stage.end()
            request.config.stash.setdefault(SECONDS, {})[name] = time.monotonic() - begin

    tmp_path_factory.getbasetemp()  # made by the first who asks, which must not be two threads at once
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # The long ones first, so that they do not end up alone.
        ordered = sorted(selected, key=list(_stories).index)
        yield {name: pool.submit(tell, name) for name in ordered}
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module", autouse=True)
def durations(request: pytest.FixtureRequest) -> Iterator[None]:
    """With ``-s``, say how long each story took: pytest sees only how long its test waited."""
    yield
    if request.config.getoption("capture") == "no":
        for name, seconds in sorted(request.config.stash.get(SECONDS, {}).items(), key=lambda one: -one[1]):
            print(f"\n{seconds:6.1f} s  {name}", end="")  # noqa: T201


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def statuses(url: str) -> dict[str, int]:
    """How many jobs there are of each status, without the periodic ones."""
    rows = query(
        url, "SELECT status::text FROM procrastinate_jobs WHERE task_name NOT IN ('poll', 'clean_up', 'index')"
    )
    return {status: rows.count(status) for status in set(rows)}


def all_done(url: str) -> bool:
    return not statuses(url).keys() - {"succeeded"}


def assert_stored_once(url: str, papers: int) -> None:
    """Six papers, each announced, summarised and shown once."""
    assert ask(url, "SELECT count(*) FROM papers") == papers
    assert ask(url, "SELECT count(*) FROM paper_entries") == papers
    assert ask(url, "SELECT count(*) FROM announcements") == papers
    assert query(url, "SELECT status FROM summaries") == ["done"] * papers
    assert ask(url, "SELECT count(*) FROM digests") == 1
    newest = "FROM digest_items AS i JOIN digests AS d ON d.id = i.digest_id AND d.revision = i.revision"
    assert query(url, f"SELECT i.summary_status {newest}") == ["done"] * papers


# --------------------------------------------------------------------------------- a worker that dies, or is stopped


@story
def test_a_dead_workers_jobs_are_taken_up_by_another(stage: Stage) -> None:
    url = stage.database()
    ingested = stage.zhaiyao(database_url=url).feed(LISTING, "ingest", "cs.CL", "--from", "-")
    assert ingested.code == 0, ingested
    fake = GatedArxiv()
    fake.serve("cs.CL", rss("cs.CL", TUESDAY, *SIX, Item("2601.95007")))
    with fake.running():
        zhaiyao = stage.zhaiyao(database_url=url, arxiv_feed_url=fake.url, llm_concurrency=1)
        [reading] = enqueue_jobs(url, ingest_job("cs.CL"))
        # The composing and the summarising jobs hang in the middle of their work, waiting for these tables.
        with held(url, "LOCK TABLE summaries, digests IN EXCLUSIVE MODE"):
            first = zhaiyao.start("worker")
            doing = "SELECT task_name FROM procrastinate_jobs WHERE status = 'doing' ORDER BY 1"
            wanted = ["compose", "ingest", "summarize", "summarize"]
            wait_until(lambda: query(url, doing) == wanted and fake.requests, "four jobs in the middle")
            left = query(url, "SELECT id FROM procrastinate_jobs WHERE status = 'doing'")
            assert reading in left
            first.kill()
        assert query(url, doing) == wanted
        fake.gate.set()
        second = zhaiyao.start("worker")
        wait_until(lambda: all_done(url), "the second worker to finish everything")
        attempts = dict(
            zip(
                query(url, "SELECT id FROM procrastinate_jobs ORDER BY id"),
                query(url, "SELECT attempts FROM procrastinate_jobs ORDER BY id"),
                strict=True,
            )
        )
        assert {attempts[number] for number in left} == {2}
        assert {count for number, count in attempts.items() if number not in left} == {1}
        assert_stored_once(url, 7)
        result = ask(url, f"SELECT result FROM job_outcomes WHERE job_id = {reading}")
        assert (result["items"], result["papers_created"], result["announcements_created"]) == (7, 1, 1)
        assert query(url, f"SELECT state FROM ingestions WHERE job_id = {reading} ORDER BY id") == [
            "failed",
            "succeeded",
        ]
        assert second.stop() == 0


@story
def test_a_worker_that_is_stopped_gives_back_what_it_cannot_finish(stage: Stage) -> None:
    url = stage.database()
    fake = GatedArxiv()
    fake.serve("cs.CL", LISTING)
    with fake.running():
        zhaiyao = stage.zhaiyao(database_url=url, arxiv_feed_url=fake.url)
        [reading] = enqueue_jobs(url, ingest_job("cs.CL"))
        first = zhaiyao.start("worker")
        wait_until(lambda: fake.requests, "the request")
        assert first.stop(signal.SIGTERM, seconds=45) == 0
        assert ask(url, f"SELECT status::text FROM procrastinate_jobs WHERE id = {reading}") == "todo"
        assert ask(url, "SELECT count(*) FROM papers") == 0
        fake.gate.set()
        second = zhaiyao.start("worker")
        wait_until(lambda: all_done(url), "the second worker to finish everything")
        assert ask(url, f"SELECT attempts FROM procrastinate_jobs WHERE id = {reading}") == 2
        assert_stored_once(url, 6)
        assert second.stop(signal.SIGINT) == 0


@story
def test_a_worker_that_slept_works_on_beside_the_one_that_took_its_job(stage: Stage) -> None:
    url = stage.database()
    fake = GatedArxiv()
    fake.serve("cs.CL", LISTING)
    with fake.running():
        zhaiyao = stage.zhaiyao(database_url=url, arxiv_feed_url=fake.url)
        enqueue_jobs(url, ingest_job("cs.CL"))
        sleeper = zhaiyao.start("worker")
        wait_until(lambda: fake.requests, "the request")
        # As when a laptop is closed: the worker is no longer known when it wakes up, and cannot tell.
        sleeper.process.send_signal(signal.SIGSTOP)
        silence = "SELECT now() - last_heartbeat > interval '9 s' FROM procrastinate_workers"
        wait_until(lambda: ask(url, silence), "its last heartbeat to be old")
        other = zhaiyao.start("worker")
        # It has the job, but not the door: the sleeper's connection to arXiv is still open.
        waits = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: ask(url, waits), "the other worker to wait for its turn")
        assert ask(url, "SELECT count(*) FROM procrastinate_workers") == 2, "one engine for each queue"
        assert len(fake.requests) == 1
        sleeper.process.send_signal(signal.SIGCONT)
        fake.gate.set()
        wait_until(lambda: all_done(url), "everything to be finished")
        assert_stored_once(url, 6)
        other.kill()
        [again] = enqueue_jobs(url, ingest_job("cs.CL"))
        wait_until(lambda: all_done(url), "the sleeper to work alone")
        assert ask(url, f"SELECT result FROM job_outcomes WHERE job_id = {again}")["papers_created"] == 0
        assert sleeper.stop() == 0


@story
def test_a_worker_that_is_stopped_finishes_what_it_can(stage: Stage) -> None:
    url = stage.database()
    fake = GatedArxiv()
    fake.serve("cs.CL", LISTING)
    with fake.running():
        [reading] = enqueue_jobs(url, ingest_job("cs.CL"))
        worker = stage.zhaiyao(database_url=url, arxiv_feed_url=fake.url).start("worker")
        wait_until(lambda: fake.requests, "the request")
        worker.process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            worker.process.wait(0.5)
        fake.gate.set()
        assert worker.process.wait(PATIENCE) == 0
        assert ask(url, f"SELECT status::text FROM procrastinate_jobs WHERE id = {reading}") == "succeeded"
        assert ask(url, f"SELECT attempts FROM procrastinate_jobs WHERE id = {reading}") == 1
        assert ask(url, "SELECT count(*) FROM papers") == 6


# -------------------------------------------------------------------- everything on one machine, with its own database


def poll(base: str, path: str, enough: Callable[[httpx.Response], bool]) -> httpx.Response:
    """Ask again and again until an answer is good enough."""

    def look() -> httpx.Response | None:
        try:
            answer = httpx.get(base + path, timeout=30)
        except httpx.TransportError:
            return None
        return answer if enough(answer) else None

    return wait_until(look, path)


def read_over_http(base: str, category: str = "cs.CL") -> str:
    """Ask for a listing; gives the address of the job."""
    answer = httpx.post(base + "/v1/ingestions", json={"category": category}, timeout=30)
    assert answer.status_code == 202, answer.text
    return str(answer.headers["Location"])


def ended(answer: httpx.Response) -> bool:
    return bool(answer.status_code == 200 and answer.json()["status"] not in ("queued", "running"))


def stopped_cleanly(up: Running, data_dir: Path, number: signal.Signals) -> None:
    """Stop the only user of a data folder: exit code 0, no process left, the port free."""
    address, sockets = up.address(), Path(embedded_url(data_dir).split("host=")[1])
    assert up.stop(number) == 0, up.err
    assert "Traceback" not in up.err, up.err
    wait_until(lambda: not processes_of(data_dir), "the database's processes to end", 5)
    assert not sockets.exists()
    assert is_free(address)


@story
def test_up_goes_on_where_it_was_killed(stage: Stage) -> None:
    fake = GatedArxiv()
    fake.serve("cs.CL", LISTING)
    data = stage.folder / "data"
    with fake.running():
        zhaiyao = stage.zhaiyao(data_dir=data, arxiv_feed_url=fake.url, port=0)
        up = zhaiyao.start("up")
        assert httpx.get(up.address() + "/readyz", timeout=PATIENCE).json() == {"status": "ok"}
        read_over_http(up.address())
        wait_until(lambda: fake.requests, "the request")
        # In the minutes after a poll's time the schedule asks for the listing too, and its job may be the first.
        [running] = httpx.get(up.address() + "/v1/jobs", params={"kind": "ingest", "status": "running"}).json()["items"]
        job = f"/v1/jobs/{running['id']}"
        up.kill()
        fake.gate.set()
        up = zhaiyao.start("up")
        done = poll(up.address(), job, ended).json()
        assert (done["status"], done["attempts"]) == ("succeeded", 2)
        wait_until(lambda: all_done(embedded_url(data)), "the summaries and digests")
        markdown = httpx.get(up.address() + "/v1/channels/cs.CL/latest.md").text
        for item in SIX:
            assert item.id in markdown
        receipt = httpx.get(up.address() + "/v1/channels/cs.CL/latest.json").json()["receipt"]
        assert (receipt["announced"], receipt["summarized"], receipt["pending"]) == (6, 6, 0)
        assert_stored_once(embedded_url(data), 6)
        again = poll(up.address(), read_over_http(up.address()), ended).json()["result"]
        assert (again["papers_created"], again["papers_changed"], again["announcements_created"]) == (0, 0, 0)
        stopped_cleanly(up, data, signal.SIGTERM)


@story
def test_two_at_once_share_a_data_folder_and_do_each_job_once(stage: Stage) -> None:
    names = ("cs.CL", "cs.LG", "cs.AI", "stat.ML", "math.CO", "hep-th")
    fake = GatedArxiv()
    for number, name in enumerate(names):
        fake.serve(name, rss(name, TUESDAY, *(Item(f"2601.9{number}{n:03}", categories=(name,)) for n in range(8))))
    fake.gate.set()
    data = stage.folder / "data"
    with fake.running():
        zhaiyao = stage.zhaiyao(data_dir=data, arxiv_feed_url=fake.url, port=0)
        both = [zhaiyao.start("up"), zhaiyao.start("up")]
        first, second = (up.address() for up in both)
        jobs = [read_over_http(base, name) for name, base in zip(names, itertools.cycle([first, second]), strict=False)]
        for job in jobs:
            assert poll(second, job, ended).json()["status"] == "succeeded"
        url = embedded_url(data)
        wait_until(lambda: all_done(url), "the summaries and digests")
        assert len(servers(data)) == len(supervisors(data)) == 1
        assert ask(url, "SELECT count(*) FROM procrastinate_workers") == 4, "one engine for each queue"
        assert set(query(url, "SELECT attempts FROM procrastinate_jobs WHERE task_name <> 'poll'")) == {1}
        started = "SELECT count(*) FROM procrastinate_events WHERE type = 'started' GROUP BY job_id"
        assert set(query(url, started)) == {1}
        assert ask(url, "SELECT count(*) FROM papers") == 48
        assert query(url, "SELECT status FROM summaries") == ["done"] * 48
        assert ask(url, "SELECT count(*) FROM digests") == 6
        assert both[0].stop(signal.SIGINT) == 0
        assert httpx.get(second + "/readyz").status_code == 200
        stopped_cleanly(both[1], data, signal.SIGINT)


@story
def test_up_survives_its_database(stage: Stage) -> None:
    fake = FakeArxiv()
    fake.serve("cs.CL", LISTING)
    data = stage.folder / "data"
    with fake.running():
        up = stage.zhaiyao(data_dir=data, arxiv_feed_url=fake.url, port=0).start("up")
        base = up.address()
        for victims in (servers, supervisors):
            [victim] = victims(data)
            victim.kill()
            wait_until(functools.partial(succeeded, victim, victims, data), "a successor")
            poll(base, "/readyz", lambda answer: answer.status_code == 200)
            job = poll_post(base)
            assert poll(base, job, ended).json()["status"] == "succeeded"
        assert_eventually_six(data)
        assert up.stop() == 0


def succeeded(victim: psutil.Process, living: Callable[[Path], list[psutil.Process]], data: Path) -> bool:
    """Whether another process is there in the place of one that was killed."""
    return living(data) not in ([], [victim])


def poll_post(base: str) -> str:
    """Ask for a listing as soon as the service has found its database again."""

    def look() -> str | None:
        answer = httpx.post(base + "/v1/ingestions", json={"category": "cs.CL"}, timeout=30)
        assert answer.status_code in (202, 503), answer.text
        return str(answer.headers["Location"]) if answer.status_code == 202 else None

    return wait_until(look, "a job to be accepted")


def assert_eventually_six(data: Path) -> None:
    wait_until(lambda: all_done(embedded_url(data)), "the summaries and digests")
    assert_stored_once(embedded_url(data), 6)


# ------------------------------------------------------------------------------------------------ importing an archive

RECORDS = 3000
SUMMARISED = 2400


def archive(folder: Path, count: int = RECORDS) -> list[str]:
    """An archive of invented papers, four of five with a summary; gives their ids in the order of the import."""
    ids = [f"{month}.{90001 + n:05}" for month in ("2301", "2302", "2303") for n in range(-(-count // 3))][:count]
    for number, arxiv_id in enumerate(ids):
        record: dict[str, Any] = {
            "title": f"On Archiving, Part {number}",
            "abstract": f"We store record {number}. It stays.",
            "link": f"http://arxiv.org/abs/{arxiv_id}",
        }
        if number % 5:
            record |= {
                "translated_title": f"论归档之{number}",
                "translated_abstract": "我们存储。",
                "tldr": f"第{number}篇。",
            }
        file = folder / "papers" / arxiv_id[:2] / arxiv_id[2:4] / f"{arxiv_id}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    return ids


def has(url: str, table: str, rows: int) -> bool:
    """Whether a table has at least so many rows."""
    return bool(ask(url, f"SELECT count(*) FROM {table}") >= rows)


@story
def test_an_import_that_is_killed_again_and_again_ends_complete(stage: Stage) -> None:
    url, chance = stage.database(), stage.chance
    zhaiyao = stage.zhaiyao(database_url=url)
    ids = archive(stage.folder)
    for number, paper in enumerate(sorted(chance.sample(range(RECORDS), 4)), 1):
        whole_batches = paper // 500 * 500
        # Somebody else is about to store this paper: the import cannot get past it, and is killed on the way there, or
        # in the middle of the transaction that waits.
        blocker = f"INSERT INTO papers (arxiv_id, order_key, abstract_hash) VALUES ('{ids[paper]}', 'x', 'x')"
        with held(url, blocker):
            run = zhaiyao.start("import", stage.folder / "papers")
            wait_until(functools.partial(has, url, "ingestions", number), "the import to begin")
            wait_until(functools.partial(has, url, "papers", chance.choice([0, whole_batches])), "the batches before")
            time.sleep(chance.random() * 0.3)
            run.kill()
            assert ask(url, "SELECT count(*) FROM papers") % 500 == 0
            assert ask(url, "SELECT count(*) FROM papers") <= whole_batches
    assert ask(url, "SELECT count(*) FROM ingestions WHERE state = 'running'") == 4
    last = zhaiyao.run("import", stage.folder / "papers", "--json")
    assert last.code == 0
    report = json.loads(last.out)
    assert (report["files"], report["broken"]) == (RECORDS, 0)
    assert report["papers_created"] + report["unchanged"] == RECORDS
    assert ask(url, "SELECT count(*) FROM papers") == RECORDS
    assert ask(url, "SELECT count(*) FROM paper_entries") == RECORDS
    assert ask(url, "SELECT count(*) FROM summaries WHERE status = 'done'") == SUMMARISED
    before = snapshot(url)
    again = zhaiyao.run("import", stage.folder / "papers")
    assert again.code == 0
    assert again.out.startswith("3000 files: 0 papers new, 0 changed, 3000 already there; 0 summaries new;")
    assert snapshot(url) == before


@story
def test_a_broken_file_is_named_and_the_others_are_imported(stage: Stage) -> None:
    url = stage.database()
    archive(stage.folder, 9)
    month = stage.folder / "papers/23/02"
    write(month / "2302.90002.json", b'{"title": "cut off')
    write(month / "2302.90003.json", b"\xff\xfe")
    done = stage.zhaiyao(database_url=url).run("import", stage.folder / "papers")
    assert done.code == 1
    assert done.out.startswith("9 files: 7 papers new")
    said = done.err.splitlines()
    assert len(said) == 2, said
    assert f"{month}/2302.90002.json was skipped: it is not JSON" in said[0]
    assert f"{month}/2302.90003.json was skipped: it is not UTF-8 text." in said[1]
    assert ask(url, "SELECT count(*) FROM papers") == 7
    assert ask(url, "SELECT reason FROM ingestions") == "broken_files"
    assert "/nowhere does not exist" in stage.zhaiyao(database_url=url).run("import", "/nowhere").sentence


# ------------------------------------------------------------------------------------------------- the demonstration


@story
def test_the_demo_shows_every_paper_and_leaves_nothing(stage: Stage) -> None:
    zhaiyao = stage.zhaiyao()
    done = zhaiyao.run("demo")
    assert done.code == 0
    [heading, receipt] = [line for line in done.out.splitlines() if line.strip()][:2]
    assert heading.startswith("# The bundled listing")
    assert "announced 32 · stored 32 · summarised 32 · pending 0 · failed 0" in receipt
    assert len([line for line in done.out.splitlines() if line.startswith("[^") and "]:" in line]) == 32
    assert_nothing_left(zhaiyao.folder)


def assert_nothing_left(folder: Path) -> None:
    wait_until(lambda: not processes_of(folder), "every process to end", 10)
    assert [path.name for path in folder.iterdir() if not path.name.startswith("command-")] == []


@story
def test_the_demo_leaves_nothing_when_it_is_interrupted(stage: Stage) -> None:
    def making_the_database(folder: Path) -> bool:
        return bool(list(folder.glob("zhaiyao-demo-*/postgres.new/*")))

    def reading(folder: Path) -> bool:
        return "read cs.CL of 2026-01-13" in (folder / "command-0.err").read_text()

    for number, moment in ((signal.SIGINT, making_the_database), (signal.SIGTERM, reading)):
        zhaiyao = stage.zhaiyao()
        demo = zhaiyao.start("demo")
        wait_until(functools.partial(moment, zhaiyao.folder), moment.__name__)
        assert demo.stop(number) == 130, demo.err
        assert demo.err.splitlines()[-1].startswith("zhaiyao: interrupted")
        assert "Traceback" not in demo.err, demo.err
        assert demo.out == ""
        assert_nothing_left(zhaiyao.folder)


# -------------------------------------------------------------------------------------------- what single commands say


@story
def test_ingest_from_a_file_says_what_it_did_or_why_not(stage: Stage) -> None:
    url, folder = stage.database(), stage.folder
    zhaiyao = stage.zhaiyao(database_url=url)
    good = write(folder / "good.xml", LISTING)
    done = zhaiyao.run("ingest", "cs.CL", "--from", good)
    assert (done.code, done.err) == (0, "")
    assert done.out == "cs.CL of 2026-01-13: announced, 6 items, 6 papers new, 0 changed, 6 announcements new\n"
    before = snapshot(url, ("papers", "announcements", "summaries"))

    piped = zhaiyao.feed(LISTING, "ingest", "cs.CL", "--from", "-", "--json")
    assert (piped.code, piped.err) == (0, "")
    [result] = json.loads(piped.out)
    assert (result["category"], result["announced_on"], result["state"]) == ("cs.CL", "2026-01-13", "announced")
    assert (result["items"], result["papers_created"], result["announcements_created"]) == (6, 0, 0)

    def refused(source: object) -> str:
        done = zhaiyao.run("ingest", "cs.CL", "--from", source)
        assert done.out == ""
        return done.sentence

    assert refused("nowhere.xml") == "cs.CL: nowhere.xml cannot be read: No such file or directory."
    assert "stops early" in refused(write(folder / "cut.xml", LISTING[: len(LISTING) // 2]))
    page = write(folder / "page.xml", b"<!DOCTYPE html><html><body>Sorry</body></html>")
    mixed = zhaiyao.run("ingest", "cs.CL", "cs.XX", "--from", page, "--json")
    assert mixed.code == 1
    html, unknown = json.loads(mixed.out)
    assert (html["category"], html["code"], html["reason"]) == ("cs.CL", "feed_rejected", "html")
    assert (unknown["category"], unknown["code"]) == ("cs.XX", "unknown_category")
    said = mixed.err.splitlines()
    assert len(said) == 2, said
    assert said[0] == "zhaiyao: cs.CL: The document is a web page, not a listing."
    assert said[1].startswith("zhaiyao: cs.XX: 'cs.XX' is not a category or archive of arXiv")
    assert snapshot(url, ("papers", "announcements", "summaries")) == before


@story
def test_digest_writes_every_format_or_says_why_not(stage: Stage) -> None:
    url, folder = stage.database(), stage.folder
    zhaiyao = stage.zhaiyao(database_url=url)
    early = zhaiyao.run("digest", "cs.CL")
    assert early.sentence.startswith("No listing of cs.CL was read yet")
    assert early.out == ""
    assert zhaiyao.run("ingest", "cs.CL", "--from", write(folder / "good.xml", LISTING)).code == 0

    texts = {}
    for format_ in ("md", "html", "json"):
        file = folder / f"digest.{format_}"
        done = zhaiyao.run("digest", "cs.CL", "--format", format_, "-o", file)
        assert (done.code, done.out) == (0, "")
        assert f"wrote {file}" in done.err
        texts[format_] = file.read_text(encoding="utf-8")
        assert all(item.id in texts[format_] for item in SIX)
    assert texts["md"].startswith("# Computation and Language (cs.CL), 2026-01-13")
    assert texts["html"].startswith("<!DOCTYPE html>")
    document = json.loads(texts["json"])
    assert document["receipt"]["summarized"] == len(document["items"]) == 6

    for arguments, reason in {
        ("cs.CL", "--format", "pdf"): "There is no format 'pdf'",
        ("nobody",): "There is no channel 'nobody'",
        ("cs.CL", "--date", "2999-01-01"): "2999-01-01 lies in the future",
    }.items():
        done = zhaiyao.run("digest", *arguments)
        assert done.sentence.startswith(reason)
        assert done.out == ""


def name_of(command: CommandInfo) -> str:
    return command.name or (command.callback.__name__ if command.callback else "")


def all_commands() -> list[list[str]]:
    """The words of every command."""
    single = [[name_of(one)] for one in command_line.registered_commands]
    grouped = [
        [group.name or "", name_of(one)]
        for group in command_line.registered_groups
        for one in (group.typer_instance.registered_commands if group.typer_instance else [])
    ]
    return single + grouped


@story
def test_every_command_has_help(stage: Stage) -> None:
    zhaiyao = stage.zhaiyao()
    shown = zhaiyao.run("--help")
    assert (shown.code, shown.err) == (0, "")
    assert len(all_commands()) >= 10
    for words in all_commands():
        assert words[0] in shown.out
    assert zhaiyao.run("nonsense").code == 2


def test_every_command_explains_itself() -> None:
    """In this process, because starting a dozen would take longer than everything else here; and no story, because the
    runner puts another ``sys.stdout`` in place, which is every thread's.
    """
    for words in all_commands():
        result = CliRunner().invoke(command_line, [*words, "--help"])
        assert result.exit_code == 0
        assert "Usage:" in result.output


@story
def test_doctor_masks_the_password_and_finds_an_old_schema(stage: Stage) -> None:
    url = stage.database()
    secret = url.replace("postgres@", "postgres:geheim@")
    zhaiyao = stage.zhaiyao(database_url=secret, contact="mailto:tests@example.org")
    fine = zhaiyao.run("doctor", "--json")
    assert fine.code == 0
    report = json.loads(fine.out)
    assert (report["error"], report["warnings"]) == (None, [])
    assert report["settings"]["ZHAIYAO_DATABASE_URL"] == url.replace("postgres@", "postgres:***@")
    assert query(url, "UPDATE alembic_version SET version_num = '0001' RETURNING 1") == [1]
    old = zhaiyao.run("doctor")
    assert "The database is at 0001" in old.sentence
    assert "zhaiyao db upgrade" in old.sentence
    assert "geheim" not in fine.out + fine.err + old.out + old.err


@story
def test_an_empty_database_is_refused_until_it_is_upgraded(stage: Stage) -> None:
    url = stage.database("template0")
    zhaiyao = stage.zhaiyao(database_url=url, port=0)
    sentence = zhaiyao.run("api").sentence
    assert sentence.startswith("The database has no tables of Zhaiyao")
    assert "zhaiyao db upgrade" in sentence
    both = [zhaiyao.start("db", "upgrade") for _ in range(2)]
    assert [one.process.wait(PATIENCE) for one in both] == [0, 0]
    api = zhaiyao.start("api")
    assert httpx.get(api.address() + "/readyz", timeout=PATIENCE).status_code == 200
    files, most = psutil.Process(api.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert files == min(MAX_FILES, most)  # a connection is one
    assert api.stop(signal.SIGINT) == 0


@story
def test_a_port_that_is_taken_is_one_sentence(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        zhaiyao = stage.zhaiyao(data_dir=stage.folder / "data", port=taken.getsockname()[1])
        for command in ("up", "api"):
            sentence = zhaiyao.run(command).sentence
            assert "Address already in use" in sentence
            assert "ZHAIYAO_PORT=" in sentence
    assert not (stage.folder / "data").exists()


@story
def test_a_wrong_setting_is_one_sentence_with_an_example(stage: Stage) -> None:
    file = write(stage.folder / "file", b"")
    wrong: dict[str, object] = {
        "port": "abc",
        "categories": "cs.XX",
        "languages": "",
        "database_url": "mysql://x",
        "data_dir": file,
    }
    for name, value in [*wrong.items(), ("data_dir", file / "below"), ("database_url", "postgresql://host:abc/x")]:
        variable = f"ZHAIYAO_{name.upper()}"
        done = stage.zhaiyao(**{name: value}).run("worker")
        assert variable in done.sentence
        assert f"Example: {variable}=" in done.sentence


@story
def test_a_database_that_is_away_is_one_sentence(stage: Stage) -> None:
    with socket.socket() as bound:
        # Bound, but not listening: whoever comes is turned away.
        bound.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{bound.getsockname()[1]}"
        zhaiyao = stage.zhaiyao(database_url=f"postgresql://somebody:geheim@{address}/zhaiyao", port=0)
        for command in (("up",), ("db", "upgrade")):
            sentence = zhaiyao.run(*command).sentence
            assert f"somebody:***@{address}" in sentence
            assert "ZHAIYAO_DATABASE_URL" in sentence
    by_socket = stage.zhaiyao(database_url=f"postgresql:///zhaiyao?host={stage.folder}").run("worker").sentence
    assert "ZHAIYAO_DATABASE_URL" in by_socket


@story
def test_a_reader_that_leaves_early_gets_no_traceback(stage: Stage) -> None:
    zhaiyao = stage.zhaiyao(database_url=stage.database())
    for command, read in (("openapi", 1), ("doctor", 0)):
        process = zhaiyao.piped(command)
        assert process.stdout is not None
        assert len(process.stdout.read(read)) == read
        process.stdout.close()
        assert process.stderr is not None
        err = process.stderr.read()
        process.stderr.close()
        assert process.wait(PATIENCE) == 1, err
        assert b"Traceback" not in err
        assert b"Exception" not in err
