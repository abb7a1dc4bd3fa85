"""The side of the processes that use the embedded server."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from app.errors import ConfigurationError
from app.postgres.binaries import (
    MAJOR,
    OWN_SERVER,
    clean_environment,
    find_binaries,
    require_name,
    server_account,
)
from app.postgres.files import Files, State, exclusive, open_private, trim_log, try_lock, wait_lock

_SILENCE_SECONDS = 60.0
_STOP_SECONDS = 15.0
_POLL_SECONDS = 0.01
_ATTEMPTS = 5
_NEEDED_MIB = 100

# The time and process at the head of a line of the log.
_STAMP = re.compile(r"^\d{4}-\d\d-\d\d \S+ UTC \[\d+\] ")


class EmbeddedPostgres:
    """A PostgreSQL server in ``data_dir`` that all processes on this machine share.

    The first user starts it, later ones find it, and it stops when the last one has gone, however it went.
    With ``tests`` the server is faster and may lose data in a crash. ``progress`` is told about work that
    takes long. ``start`` and ``ensure`` raise ``ConfigurationError`` with one sentence that says what to do.
    """

    def __init__(self, data_dir: Path, *, tests: bool = False, progress: Callable[[str], None] | None = None) -> None:
        self._files = Files(Path(os.path.abspath(data_dir)))
        self._tests = tests
        self._progress = progress or (lambda _message: None)
        self._use: int | None = None
        self._socket_dir: str | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Use the server, starting it if need be; gives the URL of the database ``zhaiyao``."""
        try:
            if self._use is None:
                self._begin_use()
            state = self._find_server() or self._start_server()
            self._check_mode(state)
        except OSError as error:
            self.stop()
            raise _unusable(self._files, error) from error
        except BaseException:
            self.stop()
            raise
        self._socket_dir = state.socket_dir
        return self.url()

    def ensure(self) -> str:
        """For long-running users: starts what was killed, the supervisor too; costs 5 ms when all is well."""
        return self.start()

    def url(self, database: str = "zhaiyao") -> str:
        """The libpq URL of ``database``: the server listens on a Unix socket only."""
        if self._socket_dir is None:
            raise RuntimeError("The embedded server is not in use: call start() first.")
        return f"postgresql://postgres@/{quote(database, safe='')}?host={self._socket_dir}"

    def stop(self) -> None:
        """Give up this process's use; when it was the last, waits until the server has stopped."""
        if self._use is None:
            return
        self._socket_dir, use, self._use = None, self._use, None
        try:
            fcntl.flock(use, fcntl.LOCK_UN)
            deadline = time.monotonic() + _STOP_SECONDS
            # A container ends with its first process: leaving before the server has stopped would cut it off.
            while time.monotonic() < deadline and not _has_users(use) and self._files.is_supervised():
                time.sleep(_POLL_SECONDS)
        except FileNotFoundError:
            # The data folder has been removed; the server stops all the same, because the lock is free.
            return
        finally:
            os.close(use)

    def _begin_use(self) -> None:
        """Check what can be checked and take the shared lock."""
        if not sys.platform.startswith(("linux", "darwin")):
            raise ConfigurationError(f"There is no embedded PostgreSQL for this platform: {OWN_SERVER}.")
        find_binaries()
        self._files.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_cluster(self._files)
        use = open_private(self._files.users)
        # The supervisor holds this lock only while it stops the server.
        if not wait_lock(use, fcntl.LOCK_SH, _SILENCE_SECONDS):
            os.close(use)
            raise ConfigurationError(
                f"The embedded PostgreSQL in {self._files.data_dir} has been stopping for"
                f" {_SILENCE_SECONDS:.0f} s: see {self._files.log}."
            )
        self._use = use

    def _check_mode(self, state: State) -> None:
        if state.tests != self._tests:
            raise ConfigurationError(
                f"The embedded PostgreSQL in {self._files.data_dir} already runs"
                f" {'with' if state.tests else 'without'} its settings for tests: stop its other users first."
            )

    def _find_server(self) -> State | None:
        """The server's state if a supervisor lives and the server answers."""
        if not self._files.is_supervised():
            return None
        state = self._files.read_state()
        return state if state is not None and state.ready and _answers(state) else None

    def _start_server(self) -> State:
        """Start a supervisor unless there is one, and wait for the server; other users wait for this one."""
        with exclusive(self._files.starting, 2 * _SILENCE_SECONDS) as locked:
            supervisor: subprocess.Popen[bytes] | None = None
            attempts = 0
            watch = _LogWatch(self._files.log)
            while locked and not watch.is_silent():
                if state := self._find_server():
                    return state
                if supervisor is not None and supervisor.poll() is not None:
                    if supervisor.returncode > 0 or attempts == _ATTEMPTS:
                        raise _failed(self._files, f"did not start: {watch.reason() or 'no reason given'}")
                    # It met another supervisor that was just leaving, or was killed.
                    supervisor = None
                if supervisor is None and not self._files.is_supervised():
                    if not self._files.has_cluster():
                        self._progress("initialising the database")
                    supervisor, attempts = _spawn_supervisor(self._files, self._tests), attempts + 1
                time.sleep(_POLL_SECONDS)
            raise _failed(self._files, f"did not become ready; it said last: {watch.reason() or 'nothing'}")


class _LogWatch:
    """Whether the log has grown lately: crash recovery may take long, but it reports every ten seconds."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._begin = self._size = self._current()
        self._deadline = time.monotonic() + _SILENCE_SECONDS

    def _current(self) -> int:
        return self._log.stat().st_size if self._log.exists() else 0

    def is_silent(self) -> bool:
        """True when nothing was written for a minute."""
        size = self._current()
        if size != self._size:
            self._size, self._deadline = size, time.monotonic() + _SILENCE_SECONDS
        return time.monotonic() > self._deadline

    def reason(self) -> str:
        """The last words since the start, as one line: PostgreSQL names the cause there, in lines of any level."""
        if not self._log.exists():
            return ""
        with self._log.open("rb") as log:
            log.seek(min(self._begin, self._current()))
            text = log.read().decode(errors="replace")
        lines = [_STAMP.sub("", line).strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-6:])[-1000:]


def _has_users(use: int) -> bool:
    """Whether somebody else uses the server; ``use`` is an unlocked descriptor on the users' file."""
    # Others who have the lock share it, so that we could too, unless it is the supervisor, who is leaving.
    others = not try_lock(use, fcntl.LOCK_EX) and try_lock(use, fcntl.LOCK_SH)
    fcntl.flock(use, fcntl.LOCK_UN)
    return others


def _answers(state: State) -> bool:
    command = [str(find_binaries() / "pg_isready"), "-q", f"--host={state.socket_dir}", "--username=postgres"]
    return subprocess.run(command, env=clean_environment(), check=False).returncode == 0  # noqa: S603


def _spawn_supervisor(files: Files, tests: bool) -> subprocess.Popen[bytes]:
    """Start the supervisor in a session of its own, where the terminal's Ctrl-C does not reach it."""
    root = Path(__file__).resolve().parents[2]
    environment = clean_environment()
    # The flag -m must find this very package, and does so in the working folder unless the first variable
    # forbids it; the second may turn harmless warnings into errors.
    for name in ("PYTHONSAFEPATH", "PYTHONWARNINGS"):
        environment.pop(name, None)
    trim_log(files.log)
    descriptor = open_private(files.log)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
        supervisor = subprocess.Popen(  # noqa: S603 - this interpreter and this package
            [sys.executable, "-m", "app.postgres", str(files.data_dir), *(["--tests"] if tests else [])],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            start_new_session=True,
        )
    finally:
        os.close(descriptor)
    # It may end long before this process does, and would stay a zombie if nobody waited for it.
    threading.Thread(target=supervisor.wait, name="embedded-postgres", daemon=True).start()
    return supervisor


def _check_cluster(files: Files) -> None:
    """Refuse what no supervisor could make work: a cluster of another release or user, a nameless account."""
    cluster = files.cluster
    account = server_account(cluster)
    if not os.path.lexists(cluster):
        _require_space(files)
        require_name(account)
        return
    if cluster.is_symlink() or not cluster.is_dir():
        raise ConfigurationError(f"{cluster} is not a folder of its own: move it away or set ZHAIYAO_DATA_DIR.")
    owner = cluster.lstat().st_uid
    if owner != account.uid and not (owner == 0 and account.dropped and _is_empty(cluster)):
        remedy = f"give it away with chown -R {account.uid}" if owner == 0 else "run Zhaiyao as its owner"
        raise ConfigurationError(
            f"The database in {cluster} belongs to user id {owner} and cannot be used by user id"
            f" {account.uid}: {remedy}, or set ZHAIYAO_DATA_DIR to another folder."
        )
    if not files.has_cluster():
        if not _is_empty(cluster):
            raise ConfigurationError(f"{cluster} is not a PostgreSQL database: move it away.")
        _require_space(files)
        require_name(account)
        return
    version = (cluster / "PG_VERSION").read_text().strip()
    if version != MAJOR:
        raise ConfigurationError(
            f"The database in {cluster} was made by PostgreSQL {version}, but this release runs PostgreSQL"
            f" {MAJOR}: save it with `zhaiyao db backup` of the release that made it, move {cluster} away,"
            " and read it back with `zhaiyao db restore`."
        )


def _is_empty(folder: Path) -> bool:
    return not any(folder.iterdir())


def _require_space(files: Files) -> None:
    free = shutil.disk_usage(files.data_dir).free // 2**20
    if free < _NEEDED_MIB:
        raise ConfigurationError(
            f"The data folder {files.data_dir} has only {free} MiB of free space, and a new database needs"
            f" {_NEEDED_MIB} MiB: make room, or set ZHAIYAO_DATA_DIR to another folder."
        )


def _unusable(files: Files, error: OSError) -> ConfigurationError:
    reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror or str(error)
    return ConfigurationError(
        f"The data folder {files.data_dir} cannot be used ({reason}): set ZHAIYAO_DATA_DIR to a"
        " folder that you may write to and that has free space. Example: ZHAIYAO_DATA_DIR=/var/lib/zhaiyao"
    )


def _failed(files: Files, what: str) -> ConfigurationError:
    free = shutil.disk_usage(files.data_dir).free // 2**20
    room = f" Only {free} MiB of disk space are free." if free < _NEEDED_MIB else ""
    return ConfigurationError(f"The embedded PostgreSQL in {files.data_dir} {what} (see {files.log}).{room}")
