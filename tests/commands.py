"""The real command line for tests that call it often: imported once, forked for each call, with the caller's streams.

``started()`` has a process that serves; ``call`` has it run a command, as ``python -S tests/commands.py SOCKET ARGUMENT…`` does
for scripts. Starting Python and importing everything would take a second and a half each time.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
FAILED = 255
"""The exit code of a command that was killed."""


@cache
def started() -> str:
    """The socket of a process that runs ``zhaiyao``; it ends with this one."""
    folder = tempfile.TemporaryDirectory(prefix="zhaiyao-commands-")
    path = f"{folder.name}/socket"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ZHAIYAO_", "OPENAI_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.commands", path], cwd=ROOT, env=environment, stdin=subprocess.PIPE
    )

    def stop() -> None:
        process.terminate()
        process.communicate()
        folder.cleanup()

    atexit.register(stop)
    while not os.path.exists(path):
        assert process.poll() is None, "the process that runs commands has ended"
        time.sleep(0.05)
    return path


def call(
    path: str,
    arguments: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    streams: Sequence[int],
    seconds: float,
) -> int:
    """Have a command run with these streams, and give its exit code; ``TimeoutError``."""
    told = {"folder": folder, "environment": dict(environment), "arguments": list(arguments)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(path)
        socket.send_fds(connection, [json.dumps(told).encode()], streams)
        return (connection.recv(1) or bytes([FAILED]))[0]


def serve(path: str) -> None:
    """Run what callers ask for, until whoever holds the other end of standard input is gone."""
    import genai_prices
    import openai
    import pydantic_ai.models.openai

    import app.main
    import app.tasks
    from app.cli import main

    assert app.main and app.tasks and openai and pydantic_ai and genai_prices  # what commands import when they need it
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children: each tells its caller itself
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    while sys.stdin not in select.select([sys.stdin, listening], [], [])[0]:
        connection, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _run(connection, main)
        connection.close()


def _run(connection: socket.socket, main: object) -> NoReturn:
    asked, streams, _, _ = socket.recv_fds(connection, 100_000, 3)
    told = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
    tempfile.tempdir = None  # this one's own TMPDIR counts
    sys.argv = ["zhaiyao", *told["arguments"]]
    code = 1
    try:
        assert callable(main)
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code]))
        os._exit(code)


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        sys.exit(call(sys.argv[1], sys.argv[2:], os.getcwd(), os.environ, (0, 1, 2), 120))
