"""The model in a process of its own: reading tokens is Python's work, and would hold up all else in the worker.

A line of JSON goes in, a list of texts; a line comes out, their vectors as pgvector reads them. The process ends when its
input does, so it never outlives a worker that was killed, and gives its memory back when the work is done.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINE = 64 * 2**20
"""The longest line that is read; a vector is some 5 kB of it."""


class EmbeddingProcess:
    """The other end of the pipes."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def embed(self, texts: Sequence[str]) -> list[str]:
        """The vectors of passages, as pgvector reads them; ``RuntimeError`` if the process has died."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps(list(texts)).encode() + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise RuntimeError(f"The process with the embedding model has ended (exit code {await process.wait()}).")
        vectors: list[str] = json.loads(line)
        return vectors


@asynccontextmanager
async def open_process() -> AsyncIterator[EmbeddingProcess]:
    """Start the process; it is killed at the end, also when the work is cancelled half-way."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.embedder",
        cwd=ROOT,
        # The one keeps -m from finding this very package, the other turns harmless warnings into errors.
        env={name: value for name, value in os.environ.items() if name not in ("PYTHONSAFEPATH", "PYTHONWARNINGS")},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=LINE,
    )
    try:
        yield EmbeddingProcess(process)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
