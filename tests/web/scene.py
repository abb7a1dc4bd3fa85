"""Channels, listings and digests for the pages, written into the database as they are, so that each test is of one thing."""

import json
from datetime import date
from typing import Any

from app.ingestion import Tools
from tests.api import execute

_DIGEST = """
    WITH digest AS (
        INSERT INTO digests (id, kind, channel, title, period_from, period_to, language, revision)
        VALUES (:id, 'channel', :channel, :title, :from, :to, :language, :revision)
    )
    INSERT INTO digest_revisions (digest_id, revision, content_hash, receipt)
    SELECT :id, number, 'x', CAST(:receipt AS jsonb) FROM generate_series(1, :revision) AS number
"""


async def put_digest(
    tools: Tools,
    day: date,
    *,
    to: date | None = None,
    channel: str = "cs.CL",
    language: str = "zh",
    title: str | None = None,
    revision: int = 1,
    id: str | None = None,
    summarized: int = 5,
    pending: int = 0,
    failed: int = 0,
    missing: tuple[str, ...] = (),
    incomplete: tuple[str, ...] = (),
) -> str:
    """Have a digest of a day, or of the days until another; its id."""
    name = id or f"{channel}-{day}-{to or day}-{language}".replace(".", "").lower()
    papers = summarized + pending + failed
    receipt: dict[str, Any] = {
        "announced": papers + len(missing),
        "stored": papers,
        "summarized": summarized,
        "pending": pending,
        "failed": failed,
        "untranslated": 0,
        "missing": list(missing),
        "incomplete": [{"category": one, "announced_on": str(day), "state": "failed"} for one in incomplete],
    }
    await execute(
        tools, _DIGEST, id=name, channel=channel, title=title or f"{channel}, {day}", to=to or day, language=language,
        revision=revision, receipt=json.dumps(receipt), **{"from": day},
    )  # fmt: skip
    return name


async def put_listing(
    tools: Tools,
    day: date,
    state: str = "announced",
    *,
    category: str = "cs.CL",
    papers: int = 3,
    reason: str | None = None,
) -> None:
    """Have a listing of a category on a day."""
    named = {f"2601.9{number:04}": "new" for number in range(papers)} if state in ("announced", "truncated") else {}
    await execute(
        tools,
        "INSERT INTO listings (category, announced_on, state, reason, announced, source)"
        " VALUES (:category, :day, :state, :reason, CAST(:announced AS jsonb), 'test')",
        category=category, day=day, state=state, reason=reason, announced=json.dumps(named),
    )  # fmt: skip


async def put_channel(tools: Tools, slug: str, title: str, *categories: str, **rules: Any) -> None:
    """Have a channel that a user made; ``rules`` are further columns."""
    columns = {
        "slug": slug,
        "title": title,
        "categories": list(categories),
        "announce_types": ["new", "cross"],
        **rules,
    }
    await execute(
        tools,
        f"INSERT INTO channels ({', '.join(columns)}) VALUES ({', '.join(':' + name for name in columns)})",
        **columns,
    )
