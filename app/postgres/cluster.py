"""The cluster folder: how its processes are kept apart from those of an earlier server, and found."""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from app.errors import ConfigurationError
from app.postgres.files import wait_lock

LINUX = sys.platform == "linux"
_CLAIM_SECONDS, _PATIENCE_SECONDS = 40.0, 20.0


def reachable_name(folder: Path, descriptor: int) -> str:
    """A name of the folder that works whatever the folders above it allow, and however long its path is.

    PostgreSQL runs as nobody when we are root, and then cannot pass through a private folder such as /root.
    The kernel's link to an open descriptor leads straight to the folder.
    """
    return f"/proc/self/fd/{descriptor}" if LINUX else str(folder)


def claim(folder: Path) -> int:
    """A locked descriptor on the cluster folder, to be inherited by every process that works in it.

    The lock is had when no such process is left, also none that outlived a killed parent; those are told to
    end. A symbolic link is refused, because root gives the folder away to the server's account.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    deadline = time.monotonic() + _CLAIM_SECONDS
    try:
        while not wait_lock(descriptor, fcntl.LOCK_EX, 0.3):
            if time.monotonic() > deadline:
                raise ConfigurationError(f"Processes of an earlier PostgreSQL still work in {folder}: end them.")
            _tell_to_end(folder, descriptor, hurry=time.monotonic() > deadline - _PATIENCE_SECONDS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _tell_to_end(folder: Path, descriptor: int, *, hurry: bool) -> None:
    """Stop a server that outlived its supervisor, or the backends that outlived their server.

    SIGINT is a fast shutdown of the server. SIGQUIT makes server and backends leave at once and write nothing, which
    the write-ahead log makes up for; it is needed for backends that are too busy to notice that their server is dead.
    """
    postmaster = _postmaster_pid(folder)
    if not LINUX:
        if postmaster is not None:
            _signal(postmaster, signal.SIGQUIT if hurry else signal.SIGINT)
        return
    members = _members(descriptor)
    if postmaster in members and not hurry:
        _signal(postmaster, signal.SIGINT)
        return
    for member in members:
        _signal(member, signal.SIGQUIT)


def _members(descriptor: int) -> set[int]:
    """The PostgreSQL processes whose working folder is the cluster that ``descriptor`` is open on (Linux)."""
    cluster = os.fstat(descriptor)
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.path.samestat((process / "cwd").stat(), cluster) and _is_postgres(process):
                found.add(int(process.name))
        except OSError:
            # The process has ended, or belongs to somebody else.
            continue
    return found


def _is_postgres(process: Path) -> bool:
    return (process / "comm").read_text().strip() == "postgres"


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        # It ended by itself, which is what was wanted.
        return


def _pid_file(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _postmaster_pid(cluster: Path) -> int | None:
    lines = _pid_file(cluster)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def is_ready(cluster: Path, pid: int) -> bool:
    """The eighth line of postmaster.pid is the server's status; the first says whose."""
    lines = _pid_file(cluster)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def forget_reused_pid(cluster: Path, claimed: int) -> None:
    """Remove a dead server's pid file when its number exists, but is no process that works in this cluster.

    PostgreSQL would refuse to start because its predecessor seemed to be alive. That happens in a container that was
    killed and started again, where the same numbers come round, and where the first process does not reap the dead.
    ``claimed`` is the caller's claim.
    """
    pid = _postmaster_pid(cluster)
    # A number that nobody has is left to PostgreSQL, as is a server that was started by hand, without claim.
    if LINUX and pid is not None and Path(f"/proc/{pid}").exists() and pid not in _members(claimed):
        (cluster / "postmaster.pid").unlink()
