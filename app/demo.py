"""The main job end to end on the bundled listing, in a database that is thrown away."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from app import channels, digests, sample, summaries
from app.channels import NewChannel, Rules
from app.config import Settings
from app.db import upgrade
from app.ingestion import Tools, ingest
from app.render.document import DigestDocument
from app.resources import open_database_url, open_tools
from app.worker import work_off


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demonstration leaves open while it is shown."""

    tools: Tools
    url: str
    digest: DigestDocument


@asynccontextmanager
async def run_demo(settings: Settings, say: Callable[[str], None]) -> AsyncIterator[Demo]:
    """Ingest the bundled listing, summarise, compose; everything is gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="zhaiyao-demo-") as folder:
        private = settings.model_copy(
            update={"data_dir": Path(folder), "database_url": None, "languages": (_language(settings),)}
        )
        say("starting a throw-away Postgres")
        async with open_database_url(private) as url:
            await asyncio.to_thread(upgrade, url)
            async with open_tools(private, url) as tools:
                yield Demo(tools, url, await _main_job(tools, url, say))


async def _main_job(tools: Tools, url: str, say: Callable[[str], None]) -> DigestDocument:
    files = sample.files()
    categories = list(dict.fromkeys(file.category for file in files))
    async with tools.database.transaction() as session:
        new = NewChannel(
            "demo",
            "The bundled listing: " + " and ".join(categories),
            Rules(tuple(categories), repeats=True),
            language=tools.settings.languages[0],
        )
        channel = (await channels.create_channel(session, new)).slug
    for file in files:
        stored = await ingest(tools, file.category, source=str(file.path), compose=False)
        say(f"read {file.category} of {file.announced_on}: {stored.items} items, {stored.papers_created} new papers")
    say(f"summarising with {tools.summariser.model or 'the extractive summariser'}")
    await _summarise(tools, url)
    # Each day's digest is for the pages and feeds of --serve; the one over all days is what is printed.
    days = sorted({file.announced_on for file in files})
    for day in days:
        await _compose(tools, channel, day, day)
    return await _compose(tools, channel, days[0], days[-1])


async def _summarise(tools: Tools, url: str) -> None:
    """Work until every summary is made, has failed, or waits for somebody."""
    while True:
        await work_off(tools, url)
        async with tools.database.transaction() as session:
            backlog = await summaries.backlog(session)
        stopped = [row for row in backlog.models if row.stopped_at is not None]
        if not backlog.pending or stopped or any(group.reason == "budget" for group in backlog.groups):
            return
        await asyncio.sleep(0.5)


def _language(settings: Settings) -> str:
    """Without a model nothing is translated, and the abstracts are in English."""
    return settings.languages[0] if settings.llm_model else "en"


async def _compose(tools: Tools, channel: str, from_: date, to: date) -> DigestDocument:
    async with tools.database.transaction() as session:
        language = tools.settings.languages[0]
        wanted = await digests.channel_digest(
            session, channel, language=language, default_language=language, from_=from_, to=to, today=None
        )
        return (await digests.compose(session, wanted, tools.summariser)).document
