"""Papers are dropped on purpose at every stage, and the receipt of the digest says so each time."""

from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.ingestion import Tools
from tests.api import at, eastern, ok, store
from tests.feeds import TUESDAY, WEDNESDAY, Item

FOUR = [Item(f"2601.9500{number}", abstract=f"We test the stage {number}. It holds.") for number in range(1, 5)]
Work = Callable[[], Coroutine[Any, Any, None]]
DAY = {"channel": "cs.CL", "date": TUESDAY.isoformat(), "language": "en"}


@pytest.fixture
async def read(tools: Tools, tmp_path: Path, client: httpx.AsyncClient, work: Work) -> None:
    """A listing of four papers, all of them summarised and shown."""
    await store(tools, tmp_path, "cs.CL", TUESDAY, *FOUR)
    await work()
    assert await receipt(client) == numbers(4, 4, 4)


def numbers(
    announced: int, stored: int, summarized: int, pending: int = 0, failed: int = 0, **more: Any
) -> dict[str, Any]:
    left_out = dict.fromkeys(("not_matching", "shown_before", "held_over", "carried_over"), 0)
    empty: dict[str, Any] = {"untranslated": 0, "missing": [], "incomplete": [], **left_out}
    counts = {"announced": announced, "stored": stored, "summarized": summarized, "pending": pending, "failed": failed}
    return empty | counts | more


async def receipt(client: httpx.AsyncClient, **more: str) -> dict[str, Any]:
    answer = await client.post("/v1/digests", json=DAY | more)
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()["receipt"]
    return found


async def change(tools: Tools, statement: str) -> None:
    async with tools.database.transaction() as session:
        await session.execute(text(statement))


@pytest.mark.usefixtures("read")
async def test_a_paper_that_is_not_stored_is_named(tools: Tools, client: httpx.AsyncClient) -> None:
    await change(tools, "DELETE FROM papers WHERE arxiv_id = '2601.95002'")
    assert await receipt(client) == numbers(4, 3, 3, missing=["2601.95002"])
    stats = ok(await client.get("/v1/stats", params={"announced_from": str(TUESDAY), "announced_to": str(TUESDAY)}))
    assert (stats["totals"]["announced"], stats["totals"]["stored"]) == (4, 3)
    assert (stats["totals"]["missing"], stats["totals"]["missing_ids"]) == (1, ["2601.95002"])


@pytest.mark.usefixtures("read")
async def test_a_summary_that_failed_is_counted(tools: Tools, client: httpx.AsyncClient) -> None:
    await change(tools, "UPDATE summaries SET status = 'failed', error = 'no' WHERE arxiv_id = '2601.95003'")
    assert await receipt(client) == numbers(4, 4, 3, failed=1)


@pytest.mark.usefixtures("read")
async def test_a_summary_that_is_gone_is_asked_for_again(tools: Tools, client: httpx.AsyncClient, work: Work) -> None:
    await change(tools, "DELETE FROM summaries WHERE arxiv_id = '2601.95004'")
    assert await receipt(client) == numbers(4, 4, 3, pending=1)
    await change(tools, "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'")
    await work()
    assert await receipt(client) == numbers(4, 4, 4)


@pytest.mark.usefixtures("read")
async def test_a_day_of_the_period_that_was_not_read_is_named(client: httpx.AsyncClient) -> None:
    period = {"channel": "cs.CL", "from": str(TUESDAY), "to": str(WEDNESDAY), "language": "en"}
    found = ok(await client.post("/v1/digests", json=period), 201)
    unread = {"category": "cs.CL", "announced_on": str(WEDNESDAY), "state": "unread"}
    assert found["receipt"] == numbers(4, 4, 4, incomplete=[unread])
    shown = (await client.get(f"/v1/digests/{found['id']}.md")).text
    assert "cs.CL January 14, 2026 (not read)" in shown.replace("\\", "")
    assert "cs.CL January 14, 2026 (not read)" in (await client.get(f"/v1/digests/{found['id']}.html")).text


@pytest.mark.parametrize("state", ["truncated", "stale", "failed", "not_yet"])
@pytest.mark.usefixtures("read")
async def test_a_listing_that_was_not_read_whole_is_named(tools: Tools, client: httpx.AsyncClient, state: str) -> None:
    later = TUESDAY + timedelta(days=1)
    await change(
        tools,
        "INSERT INTO listings (category, announced_on, state, source, reason) "
        f"VALUES ('cs.CL', '{later}', '{state}', 'feed', 'because')",
    )
    period = {"channel": "cs.CL", "from": str(TUESDAY), "to": str(later), "language": "en"}
    found = ok(await client.post("/v1/digests", json=period), 201)
    assert found["receipt"]["incomplete"] == [{"category": "cs.CL", "announced_on": str(later), "state": state}]


@pytest.mark.parametrize(
    ("state", "words"), [("stale", "stale"), ("failed", "failed"), ("not_yet", "not yet announced")]
)
async def test_a_source_that_failed_is_no_quiet_day(
    tools: Tools, client: httpx.AsyncClient, state: str, words: str
) -> None:
    await change(
        tools,
        "INSERT INTO listings (category, announced_on, state, source, reason) "
        f"VALUES ('cs.CL', '{TUESDAY}', '{state}', 'feed', 'arXiv is away')",
    )
    # Before the deadline there is nothing to show yet; after it, a digest that says why it is empty.
    client._transport.app.state.tools = at(tools, eastern(TUESDAY, 5, 59))  # type: ignore[attr-defined]
    refused = await client.post("/v1/digests", json=DAY)
    assert refused.status_code == 409
    assert "arXiv is away" in refused.json()["detail"]
    client._transport.app.state.tools = at(tools, eastern(TUESDAY, 6))  # type: ignore[attr-defined]
    found = ok(await client.post("/v1/digests", json=DAY), 201)
    told = [{"category": "cs.CL", "announced_on": str(TUESDAY), "state": state}]
    assert found["receipt"] == numbers(0, 0, 0, incomplete=told)
    for form in ("md", "html", "txt", "atom"):
        shown = (await client.get(f"/v1/digests/{found['id']}.{form}")).text.replace("\\", "")
        assert f"({words})" in shown, (form, shown)
        assert "Nothing was announced" not in shown


async def test_a_quiet_day_has_an_explicit_empty_digest(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY)
    found = ok(await client.post("/v1/digests", json=DAY), 201)
    assert (found["receipt"], found["items"]) == (numbers(0, 0, 0), [])
    assert "Nothing was announced." in (await client.get(f"/v1/digests/{found['id']}.md")).text


async def test_a_day_that_nobody_read_is_refused(client: httpx.AsyncClient) -> None:
    refused = await client.post("/v1/digests", json=DAY)
    assert refused.status_code == 409
    assert "POST /v1/ingestions" in refused.json()["detail"]
