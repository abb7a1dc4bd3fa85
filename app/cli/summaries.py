"""The command that makes summaries now: summarize."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from app.cli.common import Json, Language, app, bar, open_work, run_to_end, settings_of, tell

LOOK_EVERY = 0.5
"""Seconds between two looks at how far the summaries are."""

"""Reasons to wait that only somebody's repair, or another day, ends."""


@app.command()
def summarize(
    channel: Annotated[
        str | None, typer.Option("--channel", "-c", help="Only this channel's papers of the last 31 days.")
    ] = None,
    language: Language = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many papers, the newest first.")] = None,
    estimate: Annotated[bool, typer.Option("--estimate", help="Say what it would use and cost; call nothing.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed summaries again, too.")] = False,
    as_json: Json = False,
) -> None:
    """Work off the backlog now: ask for summaries that are missing and make them.

    Models that were stopped are tried at once, so that this is the command after a repair.
    """
    settings = settings_of()
    languages = [language] if language else list(settings.languages)

    async def run() -> tuple[Any, dict[str, int], list[Any]]:
        from app import calls, costs, summaries

        async with open_work(settings) as (tools, url):
            async with tools.database.transaction() as session:
                ids = await _papers(session, tools, channel)
                lacking = await summaries.lacking(session, ids, languages, tools.summariser.origin)
                chosen = lacking[:limit] if limit else lacking
                expected = await costs.estimate(session, chosen, languages, tools.summariser)
                if estimate:
                    return expected, {}, []
                await summaries.request(session, chosen, languages, tools.summariser)
                if retry_failed:
                    await summaries.retry_failed(session)
                await summaries.adopt_orphans(session)
                await calls.resume(session)
            counts = await make_summaries(tools, url, chosen, languages)
            async with tools.database.transaction() as session:
                return expected, counts, (await summaries.backlog(session)).groups

    expected, counts, groups = run_to_end(run())
    if estimate:
        print_estimate(expected, as_json)
        return
    if as_json:
        print(json.dumps(counts))
    else:
        print(f"{counts['done']} summaries made, {counts['failed']} failed, {counts['pending']} waiting")
        for group in groups:
            if group.reason and (counts["failed"] or counts["pending"]):
                tell(f"  {group.count} {group.language} {group.status}: {group.reason}")
    if counts["failed"] or counts["pending"]:
        raise typer.Exit(1)


async def _papers(session: Any, tools: Any, channel: str | None) -> list[str]:
    """The papers that may lack a summary: a channel's of the last 31 days, or all that were ever announced."""
    from datetime import timedelta

    from sqlalchemy import text

    from app import digests
    from app.arxiv.calendar import batch_date
    from app.channels import get_channel, rules_of

    if channel is None:
        return list(await session.scalars(text("SELECT DISTINCT arxiv_id FROM announcements")))
    found = await get_channel(session, channel)
    today = batch_date(tools.now())
    days = await digests.preview(session, rules_of(found), today - timedelta(days=31), today)
    return list(dict.fromkeys(pick.paper.arxiv_id for day in days for pick in day.picks))


def print_estimate(expected: Any, as_json: bool) -> None:
    if as_json:
        print(json.dumps(asdict(expected)))
        return
    cost = "unknown (set ZHAIYAO_LLM_PRICE)" if expected.cost is None else f"${expected.cost:.4f}"
    print(
        f"{expected.papers} papers in {', '.join(expected.languages)} with {expected.model or 'the extractive summariser'}: "
        f"{expected.calls} calls, about {expected.input_tokens:,} tokens in and {expected.output_tokens:,} out, cost {cost}"
    )


async def make_summaries(tools: Any, url: str, arxiv_ids: Sequence[str], languages: Sequence[str]) -> dict[str, int]:
    """Work at the queue of summaries until those of these papers are made, or wait for somebody; counts by status."""
    from app import summaries
    from app.worker import run_summaries

    async def count() -> dict[str, int]:
        async with tools.database.transaction() as session:
            return await summaries.count(session, arxiv_ids, languages, tools.summariser, summaries.STOPPED)

    counts = await count()
    total = counts["pending"]
    if not total:
        return counts
    async with tools.database.transaction() as session:
        await summaries.hurry(session, arxiv_ids)
    work = asyncio.create_task(run_summaries(tools, url))
    try:
        with bar("summarising", total) as advance:
            while counts["pending"] - counts["stopped"] and not work.done():
                await asyncio.sleep(LOOK_EVERY if total > 20 else 0.1)
                counts = await count()
                advance(total - counts["pending"])
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    return await count()
