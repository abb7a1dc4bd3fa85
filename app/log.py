"""Logging: one line an event on standard error, in UTC, with no secrets in it."""

import logging
import sys
import time


def configure(level: str) -> None:
    """Send this process's logs to standard error; libraries speak from ``warning`` on, except under ``debug``."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.getLogger("app").setLevel(level.upper())
