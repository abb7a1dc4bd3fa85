"""Importing an older archive (``papers/YY/MM/ID.json``): in batches, each in one transaction, so that it can be cut off
anywhere and continued. What is stored already is recognised by its content and skipped.
"""

import asyncio
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app import papers, runs
from app.archive_record import ArchiveRecord, BrokenRecordError, read_record
from app.db import Database
from app.errors import InvalidInput
from app.models import PaperEntry, RunState
from app.papers import PaperRecord, abstract_hash, names_listed, raw_hash
from app.search import indexing

BATCH = 500
"""Files in one transaction: a second's work, so that little is done again after a crash."""

MAX_FILE_BYTES = 1_000_000
"""Over a hundred times the usual size of a record."""

_FILE = re.compile(r"(?:^|/)\d{2}/\d{2}/(?P<id>[^/]+)\.json$")
FORMAT = "archive"


@dataclass(frozen=True, slots=True)
class Broken:
    """A file that was skipped, and why."""

    path: Path
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What an import did so far."""

    files: int
    read: int = 0
    papers_created: int = 0
    papers_changed: int = 0
    unchanged: int = 0
    summaries: int = 0
    cut_abstracts: int = 0
    broken: list[Broken] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """The numbers, as a run keeps them."""
        return {
            "files": self.files,
            "read": self.read,
            "papers_created": self.papers_created,
            "papers_changed": self.papers_changed,
            "unchanged": self.unchanged,
            "summaries": self.summaries,
            "cut_abstracts": self.cut_abstracts,
            "broken": len(self.broken),
        }


def is_archive(path: Path) -> bool:
    """Whether a path is a folder, or a record of the older system; else it may be another kind of file, or nothing."""
    try:
        if path.is_dir() or _FILE.search(path.as_posix()):
            return True
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            return False
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and "link" in fields


def find_files(path: Path) -> list[Path]:
    """The record files below ``path`` (a folder such as ``papers``, or one file), in order; ``InvalidInput`` if none."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InvalidInput(f"{path} does not exist; name the folder that holds papers/YY/MM/ID.json.")
    files = sorted(file for file in path.rglob("*.json") if _FILE.search(file.as_posix()))
    if not files:
        raise InvalidInput(
            f"There is no file YY/MM/ID.json below {path}; name the folder that holds papers/YY/MM/ID.json."
        )
    return files


async def import_archive(
    database: Database, path: Path, *, progress: Callable[[ImportReport], None] = lambda report: None
) -> ImportReport:
    """Import every record below ``path``; broken files are reported and skipped.

    ``progress`` is called after each batch. Running it again changes nothing; interrupted, it continues.
    """
    files = await asyncio.to_thread(find_files, path)
    report = ImportReport(files=len(files))
    async with database.transaction() as session:
        run_id = await runs.begin_run(session, kind="archive", category=None, source=str(path))
    for batch in _batches(files):
        records = await asyncio.to_thread(_read_batch, batch, report)
        async with database.transaction() as session:
            await _store(session, records, report)
        report.read += len(batch)
        progress(report)
    async with database.transaction() as session:
        broken = "; ".join(f"{one.path.name}: {one.reason}" for one in report.broken[:20])
        await runs.end_run(
            session,
            run_id,
            state=RunState.FAILED if report.broken else RunState.SUCCEEDED,
            reason="broken_files" if report.broken else None,
            detail=f"{len(report.broken)} of {report.files} files were skipped: {broken}." if report.broken else None,
            counts=report.counts(),
        )
        await indexing.tidy(session)
    return report


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    iterator = iter(files)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def _read_batch(files: Sequence[Path], report: ImportReport) -> list[ArchiveRecord]:
    """The records of a batch, each paper once; the last file wins, as it would in a run file by file."""
    records: dict[str, ArchiveRecord] = {}
    for file in files:
        try:
            record = _read_file(file)
        except BrokenRecordError as error:
            report.broken.append(Broken(file, str(error)))
        else:
            records[record.arxiv_id] = record
    return list(records.values())


def _read_file(file: Path) -> ArchiveRecord:
    try:
        with file.open("rb") as stream:
            body = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BrokenRecordError(f"it cannot be read ({error.strerror or error})") from error
    if len(body) > MAX_FILE_BYTES:
        raise BrokenRecordError(f"it has more than {MAX_FILE_BYTES:,} bytes")
    match = _FILE.search(file.as_posix())
    return read_record(body, expected_id=match["id"] if match else None)


async def _store(session: AsyncSession, records: Sequence[ArchiveRecord], report: ImportReport) -> None:
    hashes = {raw_hash(record.raw): record for record in records}
    known = set(await session.scalars(select(PaperEntry.raw_hash).where(PaperEntry.raw_hash.in_(list(hashes)))))
    fresh = [record for key, record in hashes.items() if key not in known]
    report.unchanged += len(records) - len(fresh)
    report.cut_abstracts += sum(record.abstract_is_cut for record in records)
    upserted = await papers.upsert(session, [_paper(record) for record in fresh], with_summaries=True)
    report.papers_created += len(upserted.created)
    report.papers_changed += len(upserted.changed)
    report.summaries += await _store_summaries(session, [record for record in fresh if _has_summary(record)])


def _paper(record: ArchiveRecord) -> PaperRecord:
    categories = (record.primary_category,) if record.primary_category else ()
    return PaperRecord(
        arxiv_id=record.arxiv_id,
        version=record.version,
        title=record.title or None,
        abstract=record.abstract or None,
        abstract_is_cut=record.abstract_is_cut,
        primary_category=record.primary_category,
        categories=categories,
        categories_are_partial=True,
        listed_in=names_listed(categories),
        format=FORMAT,
        raw=record.raw,
    )


def _has_summary(record: ArchiveRecord) -> bool:
    return any((record.translated_title, record.translated_abstract, record.tldr, record.tldr_en))


_STORE_SUMMARIES = text(
    """
    INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, title, abstract, tldr, tldr_en,
                           provider, prompt_version, tokens, entry_id)
    SELECT row.arxiv_id, row.version, row.abstract_hash, 'zh', 'done', 'imported', row.title, row.abstract, row.tldr,
           row.tldr_en, 'cn-chat-arxiv', row.fingerprint, row.tokens, entry.id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS row(arxiv_id text, version int, abstract_hash text, title text,
        abstract text, tldr text, tldr_en text, tokens int, raw_hash text, fingerprint text)
    JOIN paper_entries AS entry ON entry.arxiv_id = row.arxiv_id AND entry.raw_hash = row.raw_hash
    ORDER BY row.arxiv_id
    ON CONFLICT ON CONSTRAINT uq_summaries_once DO NOTHING
    RETURNING id
    """
)


async def _store_summaries(session: AsyncSession, records: Sequence[ArchiveRecord]) -> int:
    """Store the older system's Chinese summaries; two records of one paper with different texts are two summaries."""
    if not records:
        return 0
    rows = [
        {
            "arxiv_id": record.arxiv_id,
            "version": record.version,
            "abstract_hash": abstract_hash(record.abstract or None),
            "title": record.translated_title,
            "abstract": record.translated_abstract,
            "tldr": record.tldr,
            "tldr_en": record.tldr_en,
            "tokens": record.total_tokens,
            "raw_hash": raw_hash(record.raw),
            "fingerprint": hashlib.sha256(record.raw.encode()).hexdigest()[:12],
        }
        for record in records
    ]
    inserted = await session.scalars(_STORE_SUMMARIES, {"rows": json.dumps(rows)})
    indexing.touch(session, [record.arxiv_id for record in records])
    return len(inserted.all())
