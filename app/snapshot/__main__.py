"""``python -m app.snapshot``: batches of lines made ready to be stored, until the input ends; see ``preparing``."""

import gc
import sys

from app.snapshot.preparing import serve

if __name__ == "__main__":
    gc.set_threshold(100_000, 10, 10)  # As the command that began it has it: ``app.cli.common.collect_seldom``.
    serve(sys.stdin.buffer, sys.stdout.buffer)
