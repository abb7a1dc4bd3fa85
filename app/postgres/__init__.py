"""The embedded PostgreSQL server, used only when no database URL is set.

Three kinds of process take part, and they agree through locks that the kernel drops when their holder dies:

* a *user* (API, worker, command) holds a shared lock for as long as it needs the server (``client``);
* one *supervisor* per data folder starts the server, starts it again after a crash, and stops it when the
  last user has gone (``supervisor``);
* the *server* and its backends hold a lock on the cluster folder itself, so that nobody starts a second one
  while one of them is left (``cluster``).

Why it is done this way is told in ``docs/decisions/0002-embedded-postgres.md``.
"""

from app.postgres.binaries import find_binaries
from app.postgres.client import EmbeddedPostgres

__all__ = ["EmbeddedPostgres", "find_binaries"]
