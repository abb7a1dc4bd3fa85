"""The real command line for tests that call it often: imported once, forked for each call, with the caller's streams.

``python -m tests.commands SOCKET`` serves; ``python -S tests/commands.py SOCKET ARGUMENT…`` calls, and ends as the command did.
"""

import gc
import json
import os
import signal
import socket
import sys
from typing import NoReturn


def serve(path: str) -> NoReturn:
    """Run what callers ask for, until the process is ended."""
    import app.main
    import app.tasks
    from app.cli import main

    assert app.main and app.tasks  # what commands import when they need it
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children: each tells its caller itself
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            _run(connection, main)
        connection.close()


def _run(connection: socket.socket, main: object) -> NoReturn:
    asked, streams, _, _ = socket.recv_fds(connection, 100_000, 3)
    told = json.loads(asked)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.chdir(told["folder"])
    os.environ.clear()
    os.environ.update(told["environment"])
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


def call(path: str, arguments: list[str]) -> int:
    """Have a command run, and give its exit code."""
    told = {"folder": os.getcwd(), "environment": dict(os.environ), "arguments": arguments}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [json.dumps(told).encode()], [0, 1, 2])
        return (connection.recv(1) or b"\1")[0]


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    sys.exit(call(sys.argv[1], sys.argv[2:]))
