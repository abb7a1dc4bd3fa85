"""The snapshot's file: plain, gzip, zip or a pipe, read as one stream of lines in batches.

Whatever the file's size, no more than a batch of it is in memory.
"""

import gzip
import hashlib
import io
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, cast

from app.errors import FeedRejected, InvalidInput

BATCH_LINES: Final = 2000
"""Lines in one transaction: half a second's work, so that little is done again after a crash."""

BATCH_BYTES: Final = 8_000_000
"""The same for lines of papers with thousands of authors."""

MAX_LINE_BYTES: Final = 10_000_000
"""Ten times what a paper of three thousand authors with their affiliations takes."""

_HEAD_BYTES: Final = 65_536
_BUFFER_BYTES: Final = 1 << 18
_BOM: Final = b"\xef\xbb\xbf"
_USUAL_NAME: Final = "arxiv-metadata-oai-snapshot.json"
_ENDINGS: Final = (".json", ".jsonl", ".ndjson")
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK"
_OTHERS: Final = {b"BZh": "bunzip2", b"\xfd7zXZ": "unxz", b"\x28\xb5\x2f\xfd": "unzstd", b"7z\xbc\xaf": "7z x"}


@dataclass(frozen=True, slots=True)
class Position:
    """How far a file was read: lines, their bytes (unpacked), and length and checksum of the last one."""

    line: int = 0
    offset: int = 0
    length: int = 0
    check: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Some lines with their numbers, from 1 on, and the numbers of those that were too long to be read.

    ``position`` is that behind the batch, and ``consumed`` the file's own there.
    """

    lines: list[tuple[int, bytes]]
    too_long: list[int]
    position: Position
    consumed: int


class SnapshotFile:
    """An open snapshot. ``size`` (in bytes, packed as it is) and ``fingerprint`` tell files apart; a pipe has neither."""

    def __init__(self, name: str, raw: IO[bytes], lines: io.BufferedReader) -> None:
        self.name = name
        self.size: int | None = None
        self.fingerprint: int | None = None
        if raw.seekable():
            self.size, self.fingerprint = _identity(raw)
        self._raw = raw
        self._lines = lines
        self._position = Position()

    def refuse_what_has_no_lines(self) -> None:
        """Raise ``InvalidInput`` for what can be told from the first characters."""
        with _damage_named(self.name):
            begin = self._lines.peek(100)[:100].removeprefix(_BOM).lstrip()[:1]
        if not begin:
            raise InvalidInput(f"{self.name} is empty.")
        if begin == b"[":
            raise InvalidInput(
                f"{self.name} is one JSON array instead of a line for each paper; 'jq -c .[]' makes lines of it."
            )

    def go_to(self, position: Position) -> bool:
        """Go behind a position where an earlier reading was; False if there is not what was there then."""
        with _damage_named(self.name):
            self._lines.seek(position.offset - position.length)
            last = self._lines.read(position.length)
            if len(last) != position.length or zlib.crc32(last) != position.check:
                self._lines.seek(0)
                return False
        self._position = position
        return True

    def read_batch(self) -> Batch | None:
        """The next batch, or None at the end. Raises ``FeedRejected`` with ``truncated`` or ``unreadable_file``."""
        number, offset = self._position.line, self._position.offset
        first = offset
        lines: list[tuple[int, bytes]] = []
        too_long: list[int] = []
        last = b""
        with _damage_named(self.name):
            while len(lines) < BATCH_LINES and offset - first < BATCH_BYTES:
                line = self._lines.readline(MAX_LINE_BYTES)
                if not line:
                    break
                number += 1
                offset += len(line)
                last = line
                if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
                    lines.append((number, line.removeprefix(_BOM) if number == 1 else line))
                    continue
                too_long.append(number)
                while last and not last.endswith(b"\n"):
                    last = self._lines.readline(_BUFFER_BYTES)
                    offset += len(last)
        if offset == first:
            return None
        self._position = Position(number, offset, len(last), zlib.crc32(last))
        return Batch(lines, too_long, self._position, self.consumed())

    def consumed(self) -> int:
        """The bytes of the file, packed as it is, that were read so far."""
        return self._raw.tell() if self.size is not None else self._position.offset


def _identity(raw: IO[bytes]) -> tuple[int, int]:
    """The size of a file, and a number of 48 bits that is made from how it begins."""
    size = raw.seek(0, io.SEEK_END)
    raw.seek(0)
    fingerprint = int.from_bytes(hashlib.sha256(raw.read(_HEAD_BYTES)).digest()[:6])
    raw.seek(0)
    return size, fingerprint


@contextmanager
def open_snapshot(path: Path) -> Iterator[SnapshotFile]:
    """Open a file, or standard input for ``-``, that holds JSON lines, plain or packed.

    Raises ``InvalidInput``, or ``FeedRejected`` with ``truncated`` or ``unreadable_file``, with a sentence that says what
    to do.
    """
    name = "Standard input" if path == Path("-") else str(path)
    if path != Path("-") and not path.exists():
        raise InvalidInput(
            f"{name} does not exist; name the snapshot's file, or the folder that holds papers/YY/MM/ID.json."
        )
    with ExitStack() as stack:
        with _damage_named(name):
            file = _open(stack, name, path)
        yield file


def _open(stack: ExitStack, name: str, path: Path) -> SnapshotFile:
    raw = cast(io.BufferedReader, sys.stdin.buffer) if path == Path("-") else stack.enter_context(path.open("rb"))
    begin = raw.peek(8)[:8]
    for mark, unpack in _OTHERS.items():
        if begin.startswith(mark):
            raise InvalidInput(f"{name} is packed in a way that is not read here; unpack it first with {unpack}.")
    lines = raw
    if begin.startswith(_GZIP):
        lines = io.BufferedReader(stack.enter_context(gzip.GzipFile(fileobj=raw)), _BUFFER_BYTES)
    elif begin.startswith(_ZIP):
        lines = io.BufferedReader(_open_member(stack, name, raw), _BUFFER_BYTES)
    file = SnapshotFile(name, raw, lines)
    file.refuse_what_has_no_lines()
    return file


def _open_member(stack: ExitStack, name: str, raw: IO[bytes]) -> Any:
    """The JSON file inside a zip."""
    if not raw.seekable():
        raise InvalidInput(f"{name} is a zip, which cannot be read from a pipe; unpack it with 'unzip -p FILE'.")
    archive = stack.enter_context(zipfile.ZipFile(raw))
    members = [info for info in archive.infolist() if _may_be_snapshot(PurePosixPath(info.filename))]
    usual = [info for info in members if PurePosixPath(info.filename).name == _USUAL_NAME]
    if len(chosen := usual or members) != 1:
        held = ", ".join(info.filename for info in members[:5]) or "no file that ends in .json"
        raise InvalidInput(f"{name} is a zip that holds {held}; one with {_USUAL_NAME} is read, or that file itself.")
    return stack.enter_context(archive.open(chosen[0]))


def _may_be_snapshot(member: PurePosixPath) -> bool:
    # macOS adds a folder __MACOSX with a file ._NAME for each.
    return member.suffix.lower() in _ENDINGS and not member.name.startswith(".")


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Say in a sentence what is wrong with a file that cannot be read, or not to its end."""
    try:
        yield
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise FeedRejected(
            "truncated", f"{name} is damaged or stops early ({str(error).rstrip('.')}); fetch it again."
        ) from error
    except RuntimeError as error:
        # The zip is encrypted, or packed by a method that Python does not know (a subclass of this error).
        raise InvalidInput(f"{name} cannot be unpacked here ({str(error).rstrip('.')}); unpack it yourself.") from error
    except OSError as error:
        raise FeedRejected("unreadable_file", f"{name} cannot be read: {error.strerror or error}.") from error
