"""The command that brings many papers in at once: from an older archive, or from the Kaggle snapshot."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.common import Json, app, bar, byte_bar, open_work, run_to_end, say, settings_of, tell
from app.config import Settings


@app.command("import")
def import_(
    path: Annotated[
        Path,
        typer.Argument(
            help="arXiv's metadata from Kaggle (.json, .zip, .gz; - is standard input), or the folder that holds "
            "an older archive, papers/YY/MM/ID.json."
        ),
    ],
    restart: Annotated[
        bool, typer.Option("--restart", help="Read a snapshot from its first line, wherever an earlier import was.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Import a snapshot or an older archive; interrupted and run again, it continues."""
    settings = settings_of()
    from app.archive import is_archive

    broken = (
        _import_archive(settings, path, as_json)
        if is_archive(path)
        else _import_snapshot(settings, path, as_json, restart=restart)
    )
    if broken:
        raise typer.Exit(1)


def _import_archive(settings: Settings, path: Path, as_json: bool) -> bool:
    """Whether files were skipped."""

    async def run() -> Any:
        from app.archive import find_files, import_archive

        total = len(find_files(path))
        async with open_work(settings) as (tools, _):
            with bar("importing", total) as advance:
                return await import_archive(tools.database, path, progress=lambda report: advance(report.read))

    report = run_to_end(run())
    counts = report.counts()
    for broken in report.broken:
        tell(f"zhaiyao: {broken.path} was skipped: {broken.reason}.")
    if as_json:
        print(json.dumps(counts | {"broken_files": {str(one.path): one.reason for one in report.broken}}))
    else:
        print(
            f"{counts['read']} files: {counts['papers_created']} papers new, {counts['papers_changed']} changed, "
            f"{counts['unchanged']} already there; {counts['summaries']} summaries new; "
            f"{counts['cut_abstracts']} abstracts are cut; {counts['broken']} files broken"
        )
    return bool(report.broken)


def _import_snapshot(settings: Settings, path: Path, as_json: bool, *, restart: bool) -> bool:
    """Whether lines were skipped."""

    async def run() -> Any:
        from app.snapshot import SnapshotReport, import_snapshot, open_snapshot

        def show(report: SnapshotReport) -> None:
            if 0 < report.continued_behind == report.position.line:
                say(f"an earlier import of this file was interrupted; going on behind line {report.position.line:,}")
            advance(report.consumed, report.records)

        with open_snapshot(path) as file:
            async with open_work(settings) as (tools, _):
                with byte_bar("importing", file.size) as advance:
                    return await import_snapshot(tools.database, file, restart=restart, progress=show)

    report = run_to_end(run())
    for broken in report.broken_lines:
        tell(f"zhaiyao: line {broken.line} was skipped: {broken.reason}.")
    if more := report.broken - len(report.broken_lines):
        tell(f"zhaiyao: {more} more lines were skipped; ingestion {report.run_id} names the first.")
    counts = report.counts()
    if as_json:
        lines = {str(broken.line): broken.reason for broken in report.broken_lines}
        print(json.dumps(counts | {"ingestion_id": report.run_id, "broken_lines": lines}))
    else:
        print(
            f"{counts['lines']} lines: {counts['papers_created']} papers new, {counts['papers_changed']} changed, "
            f"{counts['unchanged']} already there; {counts['broken']} lines broken"
        )
    return bool(report.broken)
