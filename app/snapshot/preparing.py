"""Lines made ready to be stored: in this process for a small file, and for a large one in a process of its own.

To parse a line and to read its words takes Python longer than Postgres needs to store the paper, so that both work at once. The
other process gets batches and gives them back, in order, over its standard input and output; it ends when its input does, so
it never outlives an import that was killed. Two batches are on their way at a time, and memory is bounded by them.
"""

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from struct import Struct
from typing import IO, Any, Final

from app import papers
from app.papers import Rows
from app.snapshot.files import MAX_LINE_BYTES, Batch, Position, SnapshotFile
from app.snapshot.records import BrokenLineError, read_record

ROOT: Final = Path(__file__).resolve().parents[2]

SMALL: Final = 4_000_000
"""Bytes of a file that is read in half the time that a process takes to begin."""

_LENGTH: Final = Struct(">Q")
_READ_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Broken:
    """A line that was skipped, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, ready to be stored."""

    rows: list[Rows]
    broken: list[Broken]
    position: Position
    consumed: int


def prepare(batch: Batch) -> Prepared:
    """Parse a batch. Pure."""
    rows: list[Rows] = []
    broken = [Broken(number, f"it has more than {MAX_LINE_BYTES:,} bytes") for number in batch.too_long]
    for number, line in batch.lines:
        if line.isspace():
            continue
        try:
            rows.append(papers.rows_of_record(read_record(line)))
        except BrokenLineError as error:
            broken.append(Broken(number, str(error)))
    return Prepared(rows, sorted(broken, key=lambda one: one.line), batch.position, batch.consumed)


class Here:
    """The batches of a file, prepared in a thread of this process."""

    def __init__(self, file: SnapshotFile) -> None:
        self._file = file

    async def next(self) -> Prepared | None:
        """The next batch, None at the end; raises what ``SnapshotFile.read_batch`` does."""
        batch = await asyncio.to_thread(self._file.read_batch)
        return None if batch is None else await asyncio.to_thread(prepare, batch)


class There:
    """The batches of a file, prepared in another process, which already has the next one while one is taken back."""

    def __init__(self, file: SnapshotFile, process: Process) -> None:
        self._file = file
        self._process = process
        self.handing = asyncio.create_task(self._hand_over())

    async def next(self) -> Prepared | None:
        """As ``Here.next``; ``RuntimeError`` if the process has died."""
        try:
            if not await asyncio.shield(self.handing):
                return None
            self.handing = asyncio.create_task(self._hand_over())
            assert self._process.stdout is not None
            (length,) = _LENGTH.unpack(await self._process.stdout.readexactly(_LENGTH.size))
            packed = await self._process.stdout.readexactly(length)
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            code = await self._process.wait()
            raise RuntimeError(f"The process that reads the lines has ended (exit code {code}).") from error
        prepared: Prepared = pickle.loads(packed)  # noqa: S301 - from our own child
        return prepared

    async def _hand_over(self) -> bool:
        """Whether there was another batch."""
        batch = await asyncio.to_thread(self._file.read_batch)
        if batch is None:
            return False
        assert self._process.stdin is not None
        packed = pickle.dumps(batch, pickle.HIGHEST_PROTOCOL)
        self._process.stdin.writelines((_LENGTH.pack(len(packed)), packed))
        await self._process.stdin.drain()
        return True


@asynccontextmanager
async def preparing(file: SnapshotFile) -> AsyncIterator[Here | There]:
    """Whoever prepares the batches of a file. Nobody reads the file any more when the block has ended."""
    if file.size is not None and file.size <= SMALL:
        yield Here(file)
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "app.snapshot",
        cwd=ROOT,
        # It would keep -m from finding this very package.
        env={name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"},
        stdin=PIPE,
        stdout=PIPE,
        limit=_READ_AT_ONCE,
    )
    there = There(file, process)
    try:
        yield there
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        # Its thread cannot be stopped, and must not be left with a file that is closed.
        await asyncio.gather(there.handing, return_exceptions=True)


def serve(source: IO[bytes], sink: IO[bytes]) -> None:
    """Be the other process: prepare every batch of the input, until that ends."""
    # Ctrl-C is for the import, which ends this process when it has stored what it began to.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while len(header := source.read(_LENGTH.size)) == _LENGTH.size:
        packed: Any = source.read(*_LENGTH.unpack(header))
        answer = pickle.dumps(prepare(pickle.loads(packed)), pickle.HIGHEST_PROTOCOL)  # noqa: S301 - from our own parent
        sink.writelines((_LENGTH.pack(len(answer)), answer))
        sink.flush()
