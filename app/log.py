"""Logging: one line an event on standard error, in UTC, with no secrets in it."""

import logging
import re
import sys
import time
from contextvars import ContextVar

from app.errors import ZhaiyaoError

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; every line that is logged meanwhile has it."""


_KEY = re.compile(r"zy_[A-Za-z0-9_-]{20,}", re.ASCII)


class _Masking(logging.Formatter):
    """Masks whatever looks like a key of the API: a caller may have put one where it does not belong, such as an address."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, traceback included."""
        return _KEY.sub("zy_***", super().format(record))


class _RequestIds(logging.Filter):
    """Gives each record the id of its request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log: always."""
        known = request_id.get()
        record.request = f" [{known}]" if known else ""
        return True


class _KnownErrors(logging.Filter):
    """Drops the job engine's tracebacks of errors that we know: the task has said in one line what was wrong."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log."""
        return not (record.exc_info and isinstance(record.exc_info[1], ZhaiyaoError))


def configure(level: str) -> None:
    """Send this process's logs to standard error; libraries speak from ``warning`` on, except under ``debug``."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = _Masking("%(asctime)sZ %(levelname)s %(name)s%(request)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    handler.addFilter(_KnownErrors())
    handler.addFilter(_RequestIds())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
    logging.getLogger("app").setLevel(level.upper())
