"""The command line: parse, call, print. Results go to standard output, everything else to standard error."""

import errno
import os
import sys
from typing import NoReturn

from app.cli import arxiv, channels, content, embeddings, imports, keys, operation, search, services, summaries
from app.cli.common import InterruptionError, app, tell
from app.errors import ZhaiyaoError

__all__ = [
    "app",
    "arxiv",
    "channels",
    "content",
    "embeddings",
    "imports",
    "keys",
    "main",
    "operation",
    "search",
    "services",
    "summaries",
]


def main() -> NoReturn:
    """Run the command line; an error that we know is one sentence on standard error and exit code 1."""
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except ZhaiyaoError as error:
        tell(f"zhaiyao: {error.detail}")
    except (InterruptionError, KeyboardInterrupt):
        tell("zhaiyao: interrupted; what was stored stays, and the same command continues.")
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        # Nobody reads our output any more (`| head`), or there is no room for it. It is pointed elsewhere, so that
        # Python's own flush at the end does not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            tell("zhaiyao: the output cannot be written: no space is left on the device.")
    sys.exit(1)
