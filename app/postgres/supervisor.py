"""The process that runs the embedded server: starts it, again after a crash, and stops it in the end."""

import ctypes
import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from app.errors import ConfigurationError
from app.postgres.binaries import clean_environment, server_account, usable_binaries
from app.postgres.cluster import LINUX, claim, forget_reused_pid, is_ready, reachable_name
from app.postgres.files import Files, State, open_private, trim_log, wait_lock

_PR_SET_PDEATHSIG = 1
_RESTARTS, _RESTART_SECONDS = 5, 60.0
_TRIM_SECONDS = 60.0
_SHUTDOWN_SECONDS = 30

_SETTINGS = {
    # Whoever reaches the socket is superuser: only the server's account and root may enter its folder.
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "cluster_name": "zhaiyao",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "jit": "off",
    # A fast shutdown never ends when it meets PostgreSQL 18.6 recovering in place from a backend's crash. So the server
    # gives up at such a crash, as at any other, and is started again from here.
    "restart_after_crash": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
}
_TEST_SETTINGS = {
    "max_connections": "200",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


def main(arguments: list[str]) -> int:
    """Supervise the server of the data folder ``arguments[0]`` until nobody uses it; gives the exit code."""
    files, tests = Files(Path(arguments[0])), "--tests" in arguments[1:]
    os.chdir("/")
    os.umask(0o077)
    own = open_private(files.supervisor)
    # A user looks whether a supervisor lives by taking this lock for a moment, so one failure says nothing.
    if not wait_lock(own, fcntl.LOCK_EX, 1.0):
        return 0
    try:
        return Supervisor(files, tests, own).run()
    except subprocess.CalledProcessError as error:
        _say(f"initdb failed with exit code {error.returncode}.")
    except (ConfigurationError, OSError) as error:
        _say(str(error))
    return 1


class Supervisor:
    """One supervisor; ``state`` is the descriptor of its locked state file.

    Everything but the waiting for the last user happens in the main thread, because the server gets its
    signal when the *thread* that started it dies.
    """

    def __init__(self, files: Files, tests: bool, state: int) -> None:
        self._files = files
        self._tests = tests
        self._state = state
        self._stopping = False
        self._server: subprocess.Popen[bytes] | None = None
        # What a killed predecessor wrote must not mislead the users, but its folder is to be found again.
        former = files.read_state()
        self._former_socket_dir = Path(former.socket_dir) if former else None
        if former:
            self._publish(Path(former.socket_dir), ready=False)
        self._account = server_account(files.cluster)
        self._binaries = usable_binaries(self._account)

    def run(self) -> int:
        """Serve until the last user has gone or a signal says so; 1 when the server cannot be kept alive."""
        signals = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGALRM: self._hurry}
        for number, handler in signals.items():
            signal.signal(number, handler)
        # Only the main thread may take the signals: they have to wake it while it waits for the server.
        signal.pthread_sigmask(signal.SIG_BLOCK, signals)
        users = open_private(self._files.users)
        threading.Thread(target=_await_last_user, args=(users,), daemon=True).start()
        threading.Thread(target=_trim_for_ever, args=(self._files,), daemon=True).start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)
        if not self._files.has_cluster():
            self._make_cluster()
        with self._socket_dir() as socket_dir:
            return self._keep_alive(socket_dir)

    def _stop(self, _number: int, _frame: object) -> None:
        """Signal handler: a fast shutdown, which disconnects whoever is still there and loses nothing."""
        self._stopping = True
        if self._server is not None:
            self._server.send_signal(signal.SIGINT)
        signal.alarm(_SHUTDOWN_SECONDS)

    def _hurry(self, _number: int, _frame: object) -> None:
        """Signal handler: an immediate shutdown when the fast one takes too long; the log makes up for it later."""
        if self._server is not None:
            self._server.send_signal(signal.SIGQUIT)

    def _publish(self, socket_dir: Path, *, ready: bool) -> None:
        state = State(str(socket_dir), self._tests, ready)
        os.ftruncate(self._state, 0)
        os.pwrite(self._state, json.dumps(asdict(state)).encode(), 0)

    def _keep_alive(self, socket_dir: Path) -> int:
        ends: deque[float] = deque(maxlen=_RESTARTS)
        while not self._stopping:
            self._server = self._spawn(socket_dir)
            if self._stopping:
                # The signal came while the server was being started and has not reached it.
                self._server.send_signal(signal.SIGINT)
            started = self._announce(socket_dir)
            code = self._server.wait()
            self._publish(socket_dir, ready=False)
            if self._stopping:
                break
            _say(f"PostgreSQL ended unexpectedly (exit code {code}).")
            # A server that gave up by itself before it was ready, with nobody in its way, would do so again.
            if not started and code >= 0:
                return 1
            if len(ends) == _RESTARTS and time.monotonic() - ends[0] < _RESTART_SECONDS:
                return 1
            ends.append(time.monotonic())
        return 0

    def _announce(self, socket_dir: Path) -> bool:
        """Wait until the server is ready, make the database, and tell the users; False if that failed."""
        server = self._server
        assert server is not None
        while server.poll() is None:
            if is_ready(self._files.cluster, server.pid):
                if self._make_database(socket_dir):
                    self._publish(socket_dir, ready=True)
                    return True
                server.send_signal(signal.SIGINT)
                return False
            time.sleep(0.01)
        return False

    def _make_database(self, socket_dir: Path) -> bool:
        """Create the database ``zhaiyao`` when it is missing.

        psql starts in 3 ms, whereas importing psycopg takes 300 ms and this process's memory fourfold.
        """
        statement = (
            "SELECT 'CREATE DATABASE zhaiyao' WHERE NOT EXISTS"
            " (SELECT FROM pg_database WHERE datname = 'zhaiyao')\\gexec\n"
        )
        options = [
            "-XqAt",
            "--set=ON_ERROR_STOP=1",
            f"--host={socket_dir}",
            "--username=postgres",
            "postgres",
        ]
        done = subprocess.run(  # noqa: S603 - a program of our own dependency
            [str(self._binaries / "psql"), *options],
            input=statement.encode(),
            env=clean_environment(),
            check=False,
        )
        return done.returncode == 0

    def _spawn(self, socket_dir: Path) -> subprocess.Popen[bytes]:
        claimed = claim(self._files.cluster)
        try:
            forget_reused_pid(self._files.cluster, claimed)
            _clear(socket_dir)
            settings = _SETTINGS | {"unix_socket_directories": str(socket_dir)}
            if self._tests:
                settings |= _TEST_SETTINGS
            options = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
            folder = reachable_name(self._files.cluster, claimed)
            return subprocess.Popen(  # noqa: S603 - a program of our own dependency
                [str(self._binaries / "postgres"), "-D", folder, *options],
                cwd="/",
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                pass_fds=[claimed],
                preexec_fn=_dies_with_parent(signal.SIGINT),
                **self._account.popen(),
            )
        finally:
            # From now on the server and its backends alone hold the claim, until the last of them has ended.
            os.close(claimed)

    def _make_cluster(self) -> None:
        """Run initdb beside the cluster's place, so that a half-made one is never taken for a whole one."""
        new = self._files.half_made
        if os.path.lexists(new):
            os.close(claim(new))
            shutil.rmtree(new)
        new.mkdir(mode=0o700)
        claimed = claim(new)
        try:
            if self._account.dropped:
                os.fchown(claimed, self._account.uid, self._account.gid)
            subprocess.run(  # noqa: S603 - a program of our own dependency
                [str(self._binaries / "initdb"), "-D", reachable_name(new, claimed), *self._initdb_options()],
                cwd="/",
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[claimed],
                preexec_fn=_dies_with_parent(signal.SIGKILL),
                check=True,
                **self._account.popen(),
            )
            new.rename(self._files.cluster)
            _sync_folder(self._files.data_dir)
        finally:
            os.close(claimed)

    def _initdb_options(self) -> list[str]:
        # With another ctype than C.UTF-8 pg_trgm sees no letters in Chinese. All else comes from the builtin
        # provider, which needs no locale of the system, so that indexes survive a move to another machine.
        options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--lc-ctype=C.UTF-8"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return [*options, "--no-sync"] if self._tests else options

    @contextmanager
    def _socket_dir(self) -> Iterator[Path]:
        """A private folder with a short path, because a socket's address holds 107 bytes.

        That of a predecessor that was killed is taken over, so that the URLs that users hold stay valid.
        """
        if self._former_socket_dir is not None and self._is_own(self._former_socket_dir):
            folder = self._former_socket_dir
        else:
            folder = Path(tempfile.mkdtemp(prefix="zhaiyao-", dir="/tmp"))
            if self._account.dropped:
                os.chown(folder, self._account.uid, self._account.gid)
        self._publish(folder, ready=False)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.ftruncate(self._state, 0)

    def _is_own(self, folder: Path) -> bool:
        try:
            status = folder.lstat()
        except OSError:
            return False
        private = stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700
        return private and status.st_uid == self._account.uid and folder.name.startswith("zhaiyao-")


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()


def _await_last_user(users: int) -> None:
    """Wait for the lock that is free when no user is left, and keep it: newcomers wait for the end."""
    fcntl.flock(users, fcntl.LOCK_EX)
    os.kill(os.getpid(), signal.SIGTERM)


def _trim_for_ever(files: Files) -> None:
    while True:
        time.sleep(_TRIM_SECONDS)
        trim_log(files.log)


def _dies_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For ``preexec_fn``: the kernel sends ``number`` to the new process when this one dies (Linux only)."""
    if not LINUX:
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def _clear(socket_dir: Path) -> None:
    """Remove the socket and its lock file that a killed server has left."""
    for path in socket_dir.iterdir():
        path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make the renaming of a file in ``folder`` survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
