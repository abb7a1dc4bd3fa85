"""The command that searches: what it prints, and what it says where there is nothing."""

import json

import pytest
from typer.testing import CliRunner, Result

from app.cli import app as command_line
from app.db import Database
from app.errors import InvalidQuery
from tests.search import corpus
from tests.search.test_searching import record


@pytest.fixture
def run(database_url: str, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Run the command on the test's database."""
    monkeypatch.setenv("ZHAIYAO_DATABASE_URL", database_url)

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(command_line, ["search", *arguments])

    return command


async def _fill(url: str) -> None:
    database = Database(url)
    await corpus.store(
        database, [record("2401.00001", title="Zebras & <b>lions</b>", abstract="A zebra\x1b[31m is seen.")]
    )
    await database.close()


def test_search_prints_and_says(run, database_url: str) -> None:  # type: ignore[no-untyped-def]
    import asyncio

    empty = run("zebra")
    assert (empty.exit_code, empty.stdout) == (0, "")
    assert "No papers are stored yet" in empty.stderr
    asyncio.run(_fill(database_url))
    found = run("zebra")
    assert found.stdout == "2401.00001  Zebras & <b>lions</b>\n    A zebra [31m is seen.\n"
    assert (found.exit_code, found.stderr) == (0, "")
    nothing = run("giraffe")
    assert nothing.stdout == "" and "None of the 1 papers has this" in nothing.stderr
    shown = json.loads(run("zebra", "--json").stdout)
    assert (shown["matched"], shown["indexed"], [one["arxiv_id"] for one in shown["items"]]) == (
        "all",
        1,
        ["2401.00001"],
    )
    assert "1 papers indexed" in run("--rebuild").stderr
    assert isinstance(run('"open').exception, InvalidQuery)
    for wrong in ((), ("zebra", "--oldest"), ("zebra", "--limit", "0")):
        assert run(*wrong).exit_code == 2
