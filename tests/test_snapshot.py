"""Importing the Kaggle snapshot: what a line means, every kind of file, and being cut off at any moment."""

import asyncio
import gzip
import itertools
import json
import os
import random
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.db import Database
from app.errors import FeedRejected, InvalidInput
from app.ingestion import Tools
from app.snapshot import SnapshotReport, import_snapshot, open_snapshot, preparing, read_record
from app.snapshot.records import BrokenLineError
from tests import snapshots
from tests.commands import ROOT
from tests.process_tools import CommandLine, ask, query, wait_until

KILLS = int(os.environ.get("KILLS", "3"))
"""How often an import is killed before it may end."""

MEMORY_MB = 300


def put(file: Path, lines: Iterable[bytes]) -> Path:
    file.write_bytes(b"".join(lines))
    return file


async def bring_in(database: Database, file: Path, **options: Any) -> SnapshotReport:
    with open_snapshot(file) as opened:
        return await import_snapshot(database, opened, **options)


def small_batches(monkeypatch: pytest.MonkeyPatch, lines: int = 50) -> None:
    monkeypatch.setattr("app.snapshot.files.BATCH_LINES", lines)


def contents(url: str) -> dict[str, Any]:
    """A hash of what each table holds, apart from the runs."""
    tables = query(url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'ingestions'")
    rows = "SELECT count(*) || md5(coalesce(string_agg(row::text, '|' ORDER BY row::text), '')) FROM {} AS row"
    return {name: ask(url, rows.format(name)) for name in tables}


def assert_complete(url: str, count: int) -> None:
    """Every paper once, with its one raw record, and nothing else."""
    expected = sorted(snapshots.arxiv_id(number) for number in range(count))
    assert sorted(query(url, "SELECT arxiv_id FROM papers")) == expected
    assert sorted(query(url, "SELECT arxiv_id FROM paper_entries")) == expected


# What a line means.


async def test_the_real_lines_are_papers_with_all_their_fields(
    tools: Tools, client: httpx.AsyncClient, samples: Path
) -> None:
    file = samples / "kaggle" / "snapshot-2-lines.jsonl"
    report = await bring_in(tools.database, file)
    assert (report.papers_created, report.broken) == (2, 0)
    paper = (await client.get("/v1/papers/hep-th/9608091")).json()
    assert paper["title"] == "Excited State Destri - De Vega Equation for Sine-Gordon and Restricted Sine-Gordon Models"
    assert paper["abstract"].startswith(
        "We derive a generalization of the Destri - De Vega equation governing the scaling"
    )
    assert "\n" not in paper["abstract"]
    assert [author["name"] for author in paper["authors"]] == [
        "D. Fioravanti", "A. Mariottini", "E. Quattrini", "F. Ravanini"
    ]  # fmt: skip
    assert paper["authors"][3]["affiliations"] == ["Bologna Univ. and INFN"]
    assert (paper["version"], paper["primary_category"], paper["categories"]) == (1, "hep-th", ["hep-th"])
    assert (paper["comments"], paper["doi"]) == ("Latex, 12 pages", "10.1016/S0370-2693(96)01409-8")
    assert (paper["journal_ref"], paper["license"]) == ("Phys.Lett.B390:243-251,1997", None)
    assert paper["submitted_at"] == paper["updated_at"] == "1996-08-14T16:31:26Z"
    assert paper["source"]["format"] == "snapshot"
    assert paper["source"]["raw"].encode() == file.read_bytes().splitlines()[1]
    other = (await client.get("/v1/papers/0704.0002")).json()
    assert (other["version"], other["submitted_at"], other["updated_at"]) == (
        2, "2007-03-31T02:26:18Z", "2008-12-13T17:26:00Z"
    )  # fmt: skip
    assert len((await client.get("/v1/papers", params={"category": "cs.CG"})).json()["items"]) == 1


def test_a_record_has_the_snapshots_own_words() -> None:
    record = read_record(snapshots.line(7, update_date="2010-11-19", categories="math.NA cs.NA math.NA"))
    assert (record.format, record.converted, record.withdrawn) == ("snapshot", False, None)
    assert record.datestamp == date(2010, 11, 19)
    assert (record.primary_category, record.categories) == ("math.NA", ("math.NA", "cs.NA"))
    assert (
        record.raw == snapshots.line(7, update_date="2010-11-19", categories="math.NA cs.NA math.NA").decode().rstrip()
    )


def versions(*created: str) -> list[dict[str, str]]:
    return [{"version": f"v{number}", "created": time} for number, time in enumerate(created, 1)]


FIRST = "Sat, 31 Mar 2007 02:26:18 GMT"


def test_versions_are_put_in_order_whatever_theirs_is() -> None:
    listed = versions(FIRST, "Mon, 2 Apr 2007 19:18:42 GMT", "Tue, 03 Apr 2007 01:00:00 +0200")
    record = read_record(snapshots.line(versions=listed[::-1]))
    assert [version.version for version in record.versions] == [1, 2, 3]
    assert (record.version, record.submitted_at) == (3, datetime(2007, 3, 31, 2, 26, 18, tzinfo=UTC))
    assert record.updated_at == datetime(2007, 4, 2, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "comments", "withdrawn"),
    [
        (2, "This paper has been withdrawn by the author", True),
        (1, "This paper has been withdrawn by the author", None),
        (2, "12 pages, the money was withdrawn", None),
        (3, None, None),
    ],
)
def test_only_a_later_version_is_withdrawn(count: int, comments: str | None, withdrawn: bool | None) -> None:
    line = snapshots.line(versions=versions(*[FIRST] * count), comments=comments)
    assert read_record(line).withdrawn is withdrawn


def test_without_parsed_authors_the_line_is_read() -> None:
    record = read_record(snapshots.line(authors_parsed=[], authors="A. B. Smith and\n  C. Doe"))
    assert [author.name for author in record.authors] == ["A. B. Smith", "C. Doe"]


def test_what_is_not_there_is_not_said() -> None:
    record = read_record(b'{"id": "math.GT/0309136", "title": "T", "abstract": null}\r\n')
    assert (record.arxiv_id, record.title) == ("math/0309136", "T")
    assert (record.abstract, record.authors, record.categories, record.versions) == (None, (), (), ())
    assert (record.version, record.submitted_at, record.updated_at, record.datestamp) == (None, None, None, None)


BROKEN = {
    b"": "not JSON",
    b"{'id': 1}": "not JSON",
    b'{"id": "0704.0001"': "not JSON",
    b"[1, 2]": "no JSON object",
    b"[" * 100_000: "nesting",
    b'{"id": 1' + b"0" * 5000 + b"}": "number",
    b'{"id": "0704.0001", "title": "\xff"}': "not UTF-8",
    b'{"title": "T"}': "no id",
    b'{"id": 704.0001, "title": "T"}': "the number 704.0001",
    b'{"id": ["0704.0001"], "title": "T"}': "id is not a text",
    b'{"id": "704.0001", "title": "T"}': "'704.0001' is not one of arXiv's",
    b'{"id": "0704.0001"}': "neither title nor abstract nor authors",
    snapshots.line(title=5): "title is not a text",
    snapshots.line(categories=["cs.CL"]): "categories is not a text",
    snapshots.line(categories="x" * 101): "category of more than 100",
    snapshots.line(abstract="a\x00b"): "NUL",
    snapshots.line(authors_parsed=[["\ud800", "", ""]]): "surrogate",
    snapshots.line(versions={}): "versions are not a list",
    snapshots.line(versions=["v1"]): "versions are not objects",
    snapshots.line(versions=[{"version": "1"}]): "version named '1'",
    snapshots.line(versions=versions(FIRST) * 2): "one version twice",
    snapshots.line(versions=versions("yesterday")): "'yesterday'",
    snapshots.line(versions=versions("Sat, 31 Feb 2007 02:26:18 GMT")): "31 Feb",
    snapshots.line(update_date="2007-02-30"): "'2007-02-30' is no day",
    snapshots.line(update_date="20070230"): "is no day",
    snapshots.line(authors_parsed="Smith"): "authors_parsed",
    snapshots.line(authors_parsed=["Smith"]): "authors_parsed",
    snapshots.line(authors_parsed=[["Smith", 1, ""]]): "authors_parsed",
    snapshots.line(authors_parsed=[["Smith", "", "", None]]): "authors_parsed",
}


@pytest.mark.parametrize(("line", "reason"), BROKEN.items(), ids=BROKEN.values())
def test_a_broken_line_says_why(line: bytes, reason: str) -> None:
    with pytest.raises(BrokenLineError, match=reason):
        read_record(line)


def test_a_whole_surrogate_pair_and_an_escaped_backslash_are_no_fault() -> None:
    assert read_record(snapshots.line(title="\U0001d538 \\u0000 é")).title == "\U0001d538 \\u0000 é"


# Files.


def as_plain(folder: Path, body: bytes) -> Path:
    return put(folder / "snapshot.json", [b"\xef\xbb\xbf" + body.replace(b"\n", b"\r\n") + b"\n\n"])


def as_gzip(folder: Path, body: bytes) -> Path:
    return put(folder / "snapshot.json.gz", [gzip.compress(body)])


def as_zip(folder: Path, body: bytes, name: str = "arxiv-metadata-oai-snapshot.json") -> Path:
    file = folder / "archive.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._arxiv-metadata-oai-snapshot.json", b"\x00\x05")
        archive.writestr(name, body)
    return file


@pytest.mark.parametrize("pack", [as_plain, as_gzip, as_zip])
async def test_every_kind_of_file_is_read_and_continued(
    tools: Tools,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    pack: Callable[[Path, bytes], Path],
) -> None:
    small_batches(monkeypatch)
    file = pack(tmp_path, b"".join(snapshots.lines(220)))
    await cut_off(tools.database, file, behind=100)
    assert ask(database_url, "SELECT count(*) FROM papers") == 100
    report = await bring_in(tools.database, file)
    assert (report.continued_behind, report.records, report.papers_created) == (100, 220, 220)
    assert report.consumed >= file.stat().st_size * 0.9
    assert_complete(database_url, 220)


async def cut_off(database: Database, file: Path, behind: int) -> None:
    """Cancel an import when it has stored so many lines."""

    def stop(report: SnapshotReport) -> None:
        if report.position.line >= behind:
            importing.cancel()

    importing = asyncio.ensure_future(bring_in(database, file, progress=stop))
    with pytest.raises(asyncio.CancelledError):
        await importing


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is empty"),
    "blank lines": (b"\n \n", "is empty"),
    "an array": (b'[\n{"id": "0704.0001"}]', "one JSON array .*jq"),
    "a web page": (b"<!DOCTYPE html>\n<html>", r"no snapshot .*line 1: it is not JSON.*papers/YY/MM"),
    "another table": (b'{"name": "x"}\n' * 5, r"no snapshot of arXiv's metadata \(line 1: it has no id\)"),
    "gzip, cut": (gzip.compress(b"".join(snapshots.lines(50)))[:-900], "stops early .*fetch it again"),
    "zip, cut": (b"PK\x03\x04" + b"x" * 5000, "stops early .*fetch it again"),
    "bzip2": (b"BZh91AY", "unpack it first with bunzip2"),
}


@pytest.mark.parametrize(("body", "sentence"), REFUSED.values(), ids=REFUSED.keys())
async def test_another_file_is_refused_in_a_sentence(
    tools: Tools, database_url: str, tmp_path: Path, body: bytes, sentence: str
) -> None:
    with pytest.raises((InvalidInput, FeedRejected), match=sentence):
        await bring_in(tools.database, put(tmp_path / "file", [body]))
    assert ask(database_url, "SELECT count(*) FROM papers") == 0


def test_a_zip_without_a_snapshot_says_what_it_holds(tmp_path: Path) -> None:
    with (
        pytest.raises(InvalidInput, match=r"holds no file that ends in \.json"),
        open_snapshot(as_zip(tmp_path, b"x", "a.csv")),
    ):
        pass  # pragma: no cover


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="does not exist"), open_snapshot(tmp_path / "nothing.json"):
        pass  # pragma: no cover


async def test_what_precedes_a_files_damage_is_stored(
    tools: Tools, database_url: str, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch, 500)
    packed = gzip.compress(b"".join(snapshots.lines(2000)))
    with pytest.raises(FeedRejected, match="stops early"):
        await bring_in(tools.database, put(tmp_path / "cut.gz", [packed[: len(packed) // 2]]))
    assert 500 <= ask(database_url, "SELECT count(*) FROM papers") < 2000
    [run] = (await client.get("/v1/ingestions")).json()["items"]
    assert (run["state"], run["reason"], run["counts"]["lines"] % 500) == ("failed", "truncated", 0)
    await bring_in(tools.database, put(tmp_path / "whole.gz", [packed]))
    assert_complete(database_url, 2000)


async def test_a_line_that_is_too_long_is_skipped_unread(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.snapshot.files.MAX_LINE_BYTES", 10_000)
    long = snapshots.line(1, abstract="x" * 1_000_000)
    file = put(tmp_path / "long.json", [snapshots.line(0), long, snapshots.line(2), long.rstrip()])
    report = await bring_in(tools.database, file)
    assert [one.line for one in report.broken_lines] == [2, 4]
    assert (report.papers_created, report.position.line, report.position.offset) == (2, 4, file.stat().st_size)


# Importing.


async def test_the_second_import_changes_nothing(tools: Tools, database_url: str, tmp_path: Path) -> None:
    file = put(tmp_path / "snapshot.json", snapshots.lines(300))
    await bring_in(tools.database, file)
    before = contents(database_url)
    for restart in (False, True):
        report = await bring_in(tools.database, file, restart=restart)
        assert report.counts() == {
            "lines": 300, "records": 300, "papers_created": 0, "papers_changed": 0, "unchanged": 300, "broken": 0
        }  # fmt: skip
    assert contents(database_url) == before
    assert ask(database_url, "SELECT count(*) FROM summaries") == 0


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "in two"])
@pytest.mark.parametrize("newest_first", [True, False])
async def test_the_higher_version_then_the_later_day_wins_and_every_record_is_kept(
    tools: Tools, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, together: bool, newest_first: bool
) -> None:
    small_batches(monkeypatch, 10 if together else 1)
    lines = [
        snapshots.line(title="First", versions=versions(FIRST), update_date="2020-01-01"),
        snapshots.line(title="Second", versions=versions(FIRST, FIRST), update_date="2008-01-01"),
        snapshots.line(title="Second, mended", versions=versions(FIRST, FIRST), update_date="2009-01-01"),
    ]
    report = await bring_in(tools.database, put(tmp_path / "s.json", lines[::-1] if newest_first else lines))
    assert query(database_url, "SELECT version || ' ' || title FROM papers") == ["2 Second, mended"]
    assert ask(database_url, "SELECT count(*) FROM paper_entries") == 3
    assert (report.records, report.papers_created) == (3, 1)


async def test_broken_lines_are_named_and_everything_else_is_stored(
    tools: Tools, database_url: str, client: httpx.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch, 10)
    lines = [*snapshots.lines(40), b"{}\n", *map(snapshots.line, range(40, 60))]
    lines[3] = b"rubbish\n"
    file = put(tmp_path / "snapshot.json", lines)
    # What was found before an interruption counts in the end, too.
    await cut_off(tools.database, file, behind=20)
    report = await bring_in(tools.database, file)
    assert (report.broken, report.records, report.papers_created) == (2, 59, 59)
    assert [one.line for one in report.broken_lines] == [41]
    last, first = (await client.get("/v1/ingestions")).json()["items"]
    assert (last["state"], last["reason"], first["reason"]) == ("failed", "broken_lines", "interrupted")
    assert last["detail"] == (
        "2 of 61 lines were skipped: line 4: it is not JSON (Expecting value at character 1); line 41: it has no id."
    )
    assert ask(database_url, "SELECT count(*) FROM papers") == 59
    again = await bring_in(tools.database, file)
    assert (again.continued_behind, again.broken) == (0, 2)


async def test_another_file_does_not_continue_the_place_of_the_first(
    tools: Tools, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    lines = list(snapshots.lines(150))
    file = put(tmp_path / "snapshot.json", lines)
    await cut_off(tools.database, file, behind=100)
    # A newer snapshot begins alike and is longer; one that was changed in place has the same head and size.
    longer = put(tmp_path / "next.json", [*lines, snapshots.line(150)])
    assert (await bring_in(tools.database, longer)).continued_behind == 0
    changed = lines[:60] + lines[61:100] + lines[60:61] + lines[100:]
    assert (await bring_in(tools.database, put(file, changed))).continued_behind == 0
    assert_complete(database_url, 151)


async def test_restart_begins_at_the_first_line(
    tools: Tools, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    file = put(tmp_path / "snapshot.json", snapshots.lines(150))
    await cut_off(tools.database, file, behind=100)
    report = await bring_in(tools.database, file, restart=True)
    assert (report.continued_behind, report.papers_created, report.records) == (0, 50, 150)
    assert_complete(database_url, 150)


async def test_two_imports_at_once_store_everything_once(
    tools: Tools, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_batches(monkeypatch)
    file = put(tmp_path / "snapshot.json", snapshots.lines(500))
    reports = await asyncio.gather(*(bring_in(tools.database, file) for _ in range(3)))
    assert sum(report.papers_created for report in reports) == 500
    assert_complete(database_url, 500)
    assert query(database_url, "SELECT DISTINCT state FROM ingestions") == ["succeeded"]


# The command.


def test_an_import_killed_at_random_moments_ends_complete(database_url: str, tmp_path: Path) -> None:
    count = 3_500 * (KILLS + 1)
    file = as_zip(tmp_path, b"".join(snapshots.lines(count)))
    zhaiyao = CommandLine(tmp_path / "home", database_url=database_url)

    def stored() -> int:
        return int(ask(database_url, "SELECT count(*) FROM papers"))

    for _ in range(KILLS):
        begin = stored()
        running = zhaiyao.start("import", file)
        # Not before it has stored something, so that every kill meets it at work.
        wait_until(lambda begin=begin: stored() > begin, "a batch")  # type: ignore[misc]
        time.sleep(random.uniform(0, 0.3))
        running.kill()
        assert stored() < count, "the kill came too late to prove anything"
    done = zhaiyao.run("import", file, "--json")
    assert done.code == 0, done
    assert "going on behind line" in done.err
    counts = json.loads(done.out)
    assert (counts["lines"], counts["papers_created"], counts["broken"]) == (count, count, 0)
    assert_complete(database_url, count)


def test_the_command_reads_standard_input_and_reports_broken_lines(database_url: str, tmp_path: Path) -> None:
    zhaiyao = CommandLine(tmp_path, database_url=database_url)
    done = zhaiyao.feed(b"".join([*snapshots.lines(20), b'{"id": 704.0001}\n']), "import", "-")
    assert done.code == 1
    assert done.out == "21 lines: 20 papers new, 0 changed, 0 already there; 1 lines broken\n"
    assert (
        done.err
        == "zhaiyao: line 21 was skipped: its id is the number 704.0001; as a number 0704.0010 has lost digits.\n"
    )
    assert "is a zip" in zhaiyao.feed(as_zip(tmp_path, b"{}").read_bytes(), "import", "-").sentence
    assert_complete(database_url, 20)


def test_memory_is_bounded(database_url: str, tmp_path: Path) -> None:
    """60 MB: usual records, papers with thousands of authors, and texts as long as no paper has."""
    crowd = [[f"Author{number}", "A.", "", "Institute of Large Experiments, Somewhere"] for number in range(3000)]
    shapes = [(4000, snapshots.line(0)), (100, snapshots.line(0, authors_parsed=crowd))]
    shapes.append((35, snapshots.line(0, abstract="long text " * 90_000)))
    numbers = itertools.count()
    file = tmp_path / "large.json"
    with file.open("wb") as lines:
        for count, line in shapes:
            for number in itertools.islice(numbers, count):
                lines.write(line.replace(b"0704.0001", snapshots.arxiv_id(number).encode(), 1))
    assert file.stat().st_size > 60_000_000
    script = (
        # Not ru_maxrss, which begins with what the process had that started this one.
        "import re; from app.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1000)"
    )
    zhaiyao = CommandLine(tmp_path / "home", database_url=database_url)
    done = subprocess.run(
        [sys.executable, "-c", script, "import", str(file)],
        cwd=ROOT, env=zhaiyao.environment({}), capture_output=True, text=True, check=True,
    )  # fmt: skip
    said, peak = done.stdout.splitlines()
    assert said.startswith("4135 lines: 4135 papers new")
    assert int(peak) < MEMORY_MB


async def test_another_process_prepares_the_same_and_its_death_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "snapshot.json"
    path.write_bytes(b"".join(snapshots.lines(6)) + b"broken\n")
    monkeypatch.setattr("app.snapshot.files.BATCH_LINES", 3)

    async def all_of(batches: preparing.Here | preparing.There) -> list[preparing.Prepared]:
        found = []
        while one := await batches.next():
            found.append(one)
        return found

    with open_snapshot(path) as file:
        async with preparing.preparing(file) as batches:
            assert isinstance(batches, preparing.Here)
            here = await all_of(batches)
    monkeypatch.setattr(preparing, "SMALL", 0)
    with open_snapshot(path) as file:
        async with preparing.preparing(file) as batches:
            assert isinstance(batches, preparing.There)
            assert await all_of(batches) == here
    assert [len(one.rows) for one in here] == [3, 3, 0] and here[2].broken
    with open_snapshot(path) as file:
        async with preparing.preparing(file) as batches:
            assert isinstance(batches, preparing.There)
            batches._process.kill()
            with pytest.raises(RuntimeError, match="exit code -9"):
                await all_of(batches)
