"""Where the embedded server keeps what in the data folder, and the locks by which its processes agree."""

import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_POLL_SECONDS = 0.01
_LOG_BYTES = 4_000_000


@dataclass(frozen=True)
class State:
    """What the supervisor tells its users: where the server listens, whether it may lose data (tests), and is ready."""

    socket_dir: str
    tests: bool
    ready: bool


@dataclass(frozen=True)
class Files:
    """The files of one data folder; ``data_dir`` is absolute."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        """The database cluster. Every process of the server holds a lock on this folder itself."""
        return self.data_dir / "postgres"

    @property
    def half_made(self) -> Path:
        """A cluster that initdb has not finished; it becomes ``cluster`` by a rename, or is thrown away."""
        return self.data_dir / "postgres.new"

    @property
    def users(self) -> Path:
        """Locked, shared, by every user; when the supervisor gets the exclusive lock, no user is left."""
        return self.data_dir / "postgres.users"

    @property
    def starting(self) -> Path:
        """Locked by the one user that looks for the server and starts it, so that the others wait for it."""
        return self.data_dir / "postgres.start"

    @property
    def supervisor(self) -> Path:
        """Locked by the supervisor for as long as it lives; holds its ``State``."""
        return self.data_dir / "postgres.supervisor"

    @property
    def log(self) -> Path:
        """What the supervisor, initdb and the server have to say."""
        return self.data_dir / "postgres.log"

    def has_cluster(self) -> bool:
        """Whether a finished cluster is there."""
        return (self.cluster / "PG_VERSION").exists()

    def read_state(self) -> State | None:
        """What the present supervisor wrote, or a killed one; None when the last one ended in order."""
        try:
            state = json.loads(self.supervisor.read_text())
            return State(str(state["socket_dir"]), bool(state["tests"]), bool(state["ready"]))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def is_supervised(self) -> bool:
        """Whether a supervisor lives."""
        descriptor = open_private(self.supervisor)
        try:
            return not try_lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)


def open_private(path: Path) -> int:
    """A descriptor on a file that only this user may read, made when missing, not inherited by children."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take the lock ``kind`` (``LOCK_SH`` or ``LOCK_EX``) if that is possible at once."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_lock(descriptor: int, kind: int, seconds: float) -> bool:
    """Take the lock ``kind``, waiting for at most ``seconds``; False when the time has run out."""
    deadline = time.monotonic() + seconds
    while not try_lock(descriptor, kind):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def trim_log(log: Path) -> None:
    """Move the log's text to ``postgres.log.1`` when it has grown large; its writers append and go on."""
    if log.exists() and log.stat().st_size > _LOG_BYTES:
        # When the disk is too full for a copy, space matters more than old messages.
        with suppress(OSError):
            shutil.copyfile(log, log.with_name(f"{log.name}.1"))
        os.truncate(log, 0)


@contextmanager
def exclusive(path: Path, seconds: float) -> Iterator[bool]:
    """Hold the exclusive lock of ``path``; gives False when it could not be had within ``seconds``."""
    descriptor = open_private(path)
    try:
        yield wait_lock(descriptor, fcntl.LOCK_EX, seconds)
    finally:
        os.close(descriptor)
