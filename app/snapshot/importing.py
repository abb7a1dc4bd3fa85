"""Importing the snapshot, a batch after the other, each in one transaction that also says how far the file is read.

Killed at any moment and run again, it goes on behind the last batch that was stored. While the database stores a batch, the
next one is read and parsed, and no more than that.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from app import papers, runs
from app.db import Database
from app.errors import InvalidInput, ZhaiyaoError
from app.models import Ingestion, RunState
from app.papers import Rows
from app.search import indexing
from app.snapshot.files import Position, SnapshotFile
from app.snapshot.preparing import Broken, Here, Prepared, There, preparing

KIND: Final = "snapshot"
BROKEN: Final = "broken_lines"
"""Why a run failed that read its file to the end."""

NAMED: Final = 20
"""Broken lines that a run names in its sentence."""

KEPT: Final = 1000
"""Broken lines that a report names; further ones are only counted, because memory is bounded."""


@dataclass(slots=True)
class SnapshotReport:
    """What an import did so far, together with what earlier ones did that it continues.

    ``continued_behind`` is the line where the earlier import ended, ``consumed`` are bytes of the file, packed as it is.
    ``broken`` counts the lines that were skipped, ``broken_lines`` are the first of this run, and ``named`` is the beginning
    of a run's sentence about them.
    """

    run_id: int = 0
    consumed: int = 0
    position: Position = field(default_factory=Position)
    continued_behind: int = 0
    records: int = 0
    papers_created: int = 0
    papers_changed: int = 0
    broken: int = 0
    broken_lines: list[Broken] = field(default_factory=list)
    named: str = ""

    def counts(self) -> dict[str, int]:
        """The numbers, as a run keeps them."""
        return {
            "lines": self.position.line,
            "records": self.records,
            "papers_created": self.papers_created,
            "papers_changed": self.papers_changed,
            "unchanged": self.records - self.papers_created - self.papers_changed,
            "broken": self.broken,
        }


async def import_snapshot(
    database: Database,
    file: SnapshotFile,
    *,
    restart: bool = False,
    progress: Callable[[SnapshotReport], None] = lambda report: None,
) -> SnapshotReport:
    """Import every record of a file; broken lines are reported and skipped. ``progress`` is called before the first batch
    and after each.

    An import of the same file that was interrupted is continued, unless ``restart``; one that came to its end is done
    again, and changes nothing. Raises ``InvalidInput`` for what is no snapshot, and ``FeedRejected`` for a file that cannot
    be read to its end; what was stored until then stays.
    """
    report, earlier = await _place(database, file, restart=restart)
    async with preparing(file) as batches:
        try:
            await _store_all(database, file, batches, report, earlier, progress)
        except ZhaiyaoError as error:
            if report.run_id:
                async with database.transaction() as session:
                    await runs.fail_run(session, report.run_id, error)
            raise
    await _end(database, file, report)
    return report


async def _store_all(
    database: Database,
    file: SnapshotFile,
    batches: Here | There,
    report: SnapshotReport,
    earlier: Ingestion | None,
    progress: Callable[[SnapshotReport], None],
) -> None:
    """Store one batch after the other; the next one is prepared meanwhile."""
    prepared = await batches.next()
    if report.position.line == 0:
        _refuse_other_files(file, prepared)
    report.run_id = await _begin(database, file, earlier)
    progress(report)
    while prepared is not None:
        reading = asyncio.create_task(batches.next())
        try:
            await _store(database, file, prepared, report)
            progress(report)
            prepared = await asyncio.shield(reading)
        finally:
            # Its thread cannot be stopped, and must not be left with a file that is closed.
            await asyncio.gather(reading, return_exceptions=True)


async def _place(database: Database, file: SnapshotFile, *, restart: bool) -> tuple[SnapshotReport, Ingestion | None]:
    """Go to where the import begins; also the interrupted run that it continues, if there is one."""
    report = SnapshotReport()
    async with database.transaction() as session:
        earlier = None if restart else await _find_unfinished(session, file)
    if earlier is None or not await asyncio.to_thread(file.go_to, _position(earlier)):
        return report, None
    report.position = _position(earlier)
    report.continued_behind = report.position.line
    report.consumed = file.consumed()
    for name in ("records", "papers_created", "papers_changed", "broken"):
        setattr(report, name, earlier.counts.get(name, 0))
    # While a run is under way its sentence names the broken lines so far.
    report.named = (earlier.detail or "") if earlier.state == RunState.RUNNING else ""
    return report, earlier


def _refuse_other_files(file: SnapshotFile, first: Prepared | None) -> None:
    """Raise ``InvalidInput`` for a file that begins with a whole batch of lines without one record."""
    if first is None or not first.rows:
        why = f" ({first.broken[0]})" if first and first.broken else ""
        raise InvalidInput(
            f"{file.name} is no snapshot of arXiv's metadata{why}: name arxiv-metadata-oai-snapshot.json, plain, .zip or .gz, "
            "or the folder that holds papers/YY/MM/ID.json."
        )


async def _find_unfinished(session: AsyncSession, file: SnapshotFile) -> Ingestion | None:
    """The newest import of the same file, unless it came to the end of it."""
    if file.size is None or file.fingerprint is None:
        return None
    run = await runs.find_last(session, kind=KIND, size=file.size, fingerprint=file.fingerprint)
    done = run is None or run.state == RunState.SUCCEEDED or run.reason == BROKEN
    return None if done else run


_POSITION: Final = {"line": "lines", "offset": "offset", "length": "last_length", "check": "last_check"}
"""Where the counts of a run keep its position."""


def _position(run: Ingestion) -> Position:
    return Position(**{name: run.counts.get(key, 0) for name, key in _POSITION.items()})


async def _begin(database: Database, file: SnapshotFile, earlier: Ingestion | None) -> int:
    async with database.transaction() as session:
        if earlier is not None and earlier.state == RunState.RUNNING:
            await runs.interrupt(session, earlier.id)
        return await runs.begin_run(session, kind=KIND, category=None, source=file.name)


async def _store(database: Database, file: SnapshotFile, prepared: Prepared, report: SnapshotReport) -> None:
    """Store a batch and the position behind it, both or neither."""
    async with database.transaction() as session:
        for once in _rounds(prepared.rows):
            upserted = await papers.upsert_rows(session, once)
            report.papers_created += len(upserted.created)
            report.papers_changed += len(upserted.changed)
        report.records += len(prepared.rows)
        report.position, report.consumed = prepared.position, prepared.consumed
        _note_broken(report, prepared.broken)
        await runs.note(session, report.run_id, **_noted(file, report))


def _rounds(rows: Sequence[Rows]) -> list[list[Rows]]:
    """The records in lists that have no id twice; the second record of a paper is in the second list, and so on."""
    rounds: list[dict[str, Rows]] = [{}]
    for both in rows:
        arxiv_id = both[0][0]
        free = next((once for once in rounds if arxiv_id not in once), None)
        if free is None:
            rounds.append(free := {})
        free[arxiv_id] = both
    return [list(once.values()) for once in rounds]


def _note_broken(report: SnapshotReport, broken: Sequence[Broken]) -> None:
    fits = max(0, NAMED - report.broken)
    report.named = "; ".join(filter(None, (report.named, *map(str, broken[:fits]))))
    report.broken += len(broken)
    report.broken_lines += broken[: KEPT - len(report.broken_lines)]


def _noted(file: SnapshotFile, report: SnapshotReport) -> dict[str, Any]:
    """What a run keeps of an import under way, so that another can continue it."""
    place = {key: getattr(report.position, name) for name, key in _POSITION.items()}
    return {
        "bytes": file.size,
        "counts": report.counts() | place | {"fingerprint": file.fingerprint or 0},
        "detail": report.named or None,
    }


async def _end(database: Database, file: SnapshotFile, report: SnapshotReport) -> None:
    ended = _noted(file, report) | {"state": RunState.SUCCEEDED}
    if report.broken:
        skipped = f"{report.broken} of {report.position.line} lines were skipped: {report.named}."
        ended |= {"state": RunState.FAILED, "reason": BROKEN, "detail": skipped}
    async with database.transaction() as session:
        await runs.end_run(session, report.run_id, **ended)
        await indexing.tidy(session)
