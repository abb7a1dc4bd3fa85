"""Channels on the command line: what the API would show, take and refuse; and a person who is asked before anything is gone."""

import asyncio
import json
import os
import pty
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.arxiv import calendar
from app.ingestion import Tools
from tests.api import counts, ok, store
from tests.feeds import Item
from tests.process_tools import CommandLine, wait_until

TODAY = calendar.batch_date(datetime.now(UTC))
BEFORE, LAST = calendar.batch_days(TODAY - timedelta(days=10), TODAY - timedelta(days=1))[-2:]
"""Two days on which arXiv announced lately: commands go by the real clock."""

RULES = [
    *("--category", "cs.CL", "--category", "cs.NA", "--type", "new", "--type", "cross", "--query", "agents -survey"),
    *("--author", "Ada Sample", "--exclude-word", "it is fast", "--exclude-category", "math.CO", "--language", "de"),
    *("--translate", "abstract", "--order", "relevance", "--limit", "7"),
]
FIELDS = {
    "categories": ["cs.CL", "math.NA"],
    "announce_types": ["new", "cross"],
    "query": "agents -survey",
    "authors": ["Ada Sample"],
    "exclude_words": ["it is fast"],
    "exclude_categories": ["math.CO"],
    "language": "de",
    "translate": ["abstract"],
    "order": "relevance",
    "size_limit": 7,
    "repeats": False,
}


@pytest.fixture
def zhaiyao(database_url: str, tmp_path: Path) -> Iterator[CommandLine]:
    """The command on the test's own database."""
    commands = CommandLine(tmp_path / "home", database_url=database_url, languages="en")
    yield commands
    commands.end()


def told(zhaiyao: CommandLine, *arguments: object) -> Any:
    """What a command that goes well prints as JSON."""
    done = zhaiyao.run("channels", *arguments, "--json")
    assert done.code == 0, done
    return json.loads(done.out)


async def test_a_channel_is_made_shown_changed_and_deleted_as_over_the_api(
    zhaiyao: CommandLine, client: httpx.AsyncClient
) -> None:
    made = told(
        zhaiyao, "create", "mine", "--title", "Mein Kanal 摘要", *RULES, "--schedule", "weekly", "--weekday", "monday"
    )
    assert {name: made[name] for name in FIELDS} == FIELDS
    assert (made["slug"], made["title"], made["schedule"], made["weekday"], made["builtin"]) == (
        "mine", "Mein Kanal 摘要", "weekly", "monday", False
    )  # fmt: skip
    assert made == ok(await client.get("/v1/channels/mine")) == told(zhaiyao, "show", "mine")
    assert told(zhaiyao, "list", "--own") == [made]
    # Only what is given changes.
    changed = told(zhaiyao, "edit", "mine", "--title", "Other", "--exclude-word", "survey", "--exclude-word", "poster")
    assert changed == made | {
        "title": "Other", "exclude_words": ["survey", "poster"], "updated_at": changed["updated_at"]
    }  # fmt: skip
    shown = zhaiyao.run("channels", "show", "mine").out
    for text in ("mine: Other\n", "agents -survey", "survey, poster, math.CO", "at most 7 papers", "ends on monday"):
        assert text in shown
    deleted = zhaiyao.run("channels", "delete", "mine", "--yes")
    assert (deleted.code, deleted.out) == (0, "mine is deleted\n")
    assert (await client.get("/v1/channels/mine")).status_code == 404


async def test_whatever_was_set_is_taken_back(zhaiyao: CommandLine, client: httpx.AsyncClient) -> None:
    plain = {"slug": "plain", "title": "Mine", "categories": FIELDS["categories"], "translate": []}
    plain = ok(await client.post("/v1/channels", json=plain), 201)
    ok(await client.post("/v1/channels", json={"slug": "mine", "title": "Mine"} | FIELDS), 201)
    names = ("type", "query", "author", "exclude-word", "exclude-category", "language", "translate", "limit", "repeats")
    undone = told(zhaiyao, "edit", "mine", "--order", "id", *(f"--no-{name}" for name in names))
    own = {name: undone[name] for name in ("slug", "created_at", "updated_at")}
    assert undone == plain | own == ok(await client.get("/v1/channels/mine"))


async def test_every_channel_is_listed(zhaiyao: CommandLine) -> None:
    lines = zhaiyao.run("channels", "list").out.splitlines()
    slugs = [line.split()[0] for line in lines]
    assert slugs == sorted(set(slugs))
    assert len(slugs) > 150
    [line] = [line for line in lines if line.startswith("cs.CL ")]
    assert line.split(maxsplit=2) == ["cs.CL", "announcement", "Computation and Language (cs.CL) [cs.CL]"]


async def test_whatever_cannot_be_is_one_sentence_that_says_what(
    zhaiyao: CommandLine, client: httpx.AsyncClient
) -> None:
    ok(await client.post("/v1/channels", json={"slug": "mine", "title": "Mine", "categories": ["cs.CL"]}), 201)
    for arguments, sentence in (
        ("create mine --title Mine --category cs.CL", "exists already"),
        ("create Mine! --title Mine --category cs.CL", "SLUG: write it with at most 63 small letters"),
        ("create other --category cs.CL", "--title is needed."),
        ("edit mine", "Nothing to change is given"),
        ("edit mine --limit 0", "--limit: input should be greater than or equal to 1."),
        ("edit mine --type new --type old", "--type: input should be 'new', 'cross', 'replace' or 'replace-cross'."),
        ("edit mine --query x --no-query", "Give either --query or --no-query."),
        ("edit mine --query ti:", "At character"),
        ("delete mine", "say --yes"),
        ("preview", "Give a --category"),
    ):
        assert sentence in zhaiyao.run("channels", *arguments.split()).sentence, arguments
    assert ok(await client.get("/v1/channels/mine"))["title"] == "Mine"


async def test_on_a_terminal_a_person_is_asked(zhaiyao: CommandLine, client: httpx.AsyncClient) -> None:
    ok(await client.post("/v1/channels", json={"slug": "mine", "title": "Mine", "categories": ["cs.CL"]}), 201)
    for answer, code, status in ((b"n\n", 1, 200), (b"y\n", 0, 404)):
        assert await asyncio.to_thread(answered, zhaiyao, answer) == code
        assert (await client.get("/v1/channels/mine")).status_code == status


def answered(zhaiyao: CommandLine, answer: bytes) -> int | None:
    """Be asked on a terminal, answer, and give the exit code."""
    terminal, stdin = pty.openpty()
    try:
        running = zhaiyao.start("channels", "delete", "mine", stdin=stdin)
        running.said("Delete the channel mine and all of its digests")
        os.write(terminal, answer)
        wait_until(lambda: running.process.poll() is not None, "the end")
    finally:
        os.close(terminal)
        os.close(stdin)
    assert "Traceback" not in running.err
    return running.process.returncode


async def test_a_preview_says_what_the_api_says_and_writes_nothing(
    zhaiyao: CommandLine, tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    agents = Item("2601.95001", title=r"Agents with $\alpha$ of Erd\H{o}s", creator="Ada Sample")
    survey = Item("2601.95002", title="A survey", creator="Bo Example")
    trees = Item("2601.95003", title="Parsing\nof trees", creator="Cy Nobody")
    await store(tools, tmp_path, "cs.CL", BEFORE, agents, survey, trees)
    again = Item("2601.95001", version=2, type="replace", title=r"Agents with $\alpha$ of Erd\H{o}s")
    await store(tools, tmp_path, "cs.CL", LAST, again, Item("2601.96001", title="More trees"))
    before = await counts(tools)
    rules = ["--category", "cs.CL", "--query", "trees", "--author", "Ada Sample", "--limit", "1", "--days", "20"]
    fields = {"categories": ["cs.CL"], "query": "trees", "authors": ["Ada Sample"], "size_limit": 1, "days": 20}
    found = told(zhaiyao, "preview", *rules)
    assert found == ok(await client.post("/v1/channels/preview", json=fields | {"language": "en"}))
    printed = zhaiyao.run("channels", "preview", *rules).out.splitlines()
    assert [line.split() for line in printed if line.startswith((f"{LAST}  ", f"{BEFORE}  "))] == [
        [str(LAST), "2", "1", "0", "1", "1"],
        [str(BEFORE), "3", "1", "1", "0", "1"],
    ]
    assert "  2601.95003  Parsing of trees [cs.CL, “trees”]" in printed
    assert "  2601.95001  Agents with α of Erdős [cs.CL, by Ada Sample]" in printed
    assert "2 papers, 1 a day; 0 of them have their summaries" in printed
    assert await counts(tools) == before
    # A channel's own rules are where a change is tried before it is made.
    own = {"slug": "mine", "title": "Mine"} | {name: value for name, value in fields.items() if name != "days"}
    ok(await client.post("/v1/channels", json=own), 201)
    wider = told(zhaiyao, "preview", "--channel", "mine", "--days", "20", "--no-query", "--no-author", "--no-limit")
    assert [(day["announced_on"], day["papers"]) for day in wider["days"]] == [(str(LAST), 1), (str(BEFORE), 3)]
    nothing = zhaiyao.run("channels", "preview", "--category", "hep-th")
    assert (nothing.code, "'zhaiyao ingest' reads one" in nothing.out) == (0, True)


def test_help_is_on_every_level(zhaiyao: CommandLine) -> None:
    above = zhaiyao.run("channels", "--help").out
    for command in ("list", "show", "create", "edit", "delete", "preview"):
        assert f"│ {command} " in above
    options = zhaiyao.run("channels", "edit", "--help").out
    for name in ("--no-exclude-category", "--category", "--repeats", "--weekday"):
        assert f"{name} " in options
