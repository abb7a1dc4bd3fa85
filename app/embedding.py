"""Making papers' vectors in the background: load a batch, embed it without a transaction, save it.

What is lacking is found by comparing texts, not remembered: whoever is killed has lost one batch of work, a paper whose text
has changed is embedded anew, and a changed model has everything made anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from app import vectors
from app.config import Settings
from app.db import Database
from app.embedder import MODEL, open_process
from app.jobs import JobKind, NewJob

BATCH: Final = 100
"""Papers between two saves: about a second's work."""

ROUND: Final = 2000
"""Papers for which what is lacking is looked up at once, and what one job does: half a minute's work."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """How many papers were embedded, whether more are left, and why nothing could be done, if so."""

    count: int
    more: bool
    obstacle: str | None = None


async def embed_lacking(
    database: Database, settings: Settings, *, most: int = ROUND, progress: Callable[[int], object] | None = None
) -> Embedded:
    """Embed up to ``most`` papers whose vectors are lacking; ``progress`` is told how many are done."""
    async with database.transaction() as session:
        obstacle = await vectors.find_obstacle(session, settings.embeddings, to="embed")
        obstacle = obstacle or await vectors.ensure_table(session)
        if obstacle is not None:
            return Embedded(0, False, obstacle)
        found = await vectors.lacking(session, most + 1)
    if not found:
        return Embedded(0, False)
    wanted, done = found[:most], 0
    async with open_process() as model:
        for start in range(0, len(wanted), BATCH):
            async with database.transaction() as session:
                batch = await vectors.passages(session, wanted[start : start + BATCH])
            made = await model.embed([passage.text for passage in batch])
            async with database.transaction() as session:
                await vectors.save(session, batch, made)
            done += len(batch)
            if progress is not None:
                progress(done)
    return Embedded(done, len(found) > most)


@dataclass(frozen=True, slots=True)
class State:
    """How things stand: papers with a vector of the present model, papers stored, and why there are no more, if something hinders
    it.
    """

    model: str
    indexed: int
    stored: int
    obstacle: str | None

    def __str__(self) -> str:
        said = f"{self.indexed:,} of {self.stored:,} papers can be compared by meaning ({self.model})."
        return f"{said} {self.obstacle}" if self.obstacle else said


async def look(database: Database, settings: Settings) -> State:
    """How things stand."""
    async with database.transaction() as session:
        share = await vectors.coverage(session)
        obstacle = await vectors.find_obstacle(session, settings.embeddings, to="embed")
    return State(MODEL, share.indexed, share.stored, obstacle)


async def forget(database: Database) -> None:
    """Have every paper embedded anew; the vectors that are there serve until then."""
    async with database.transaction() as session:
        if await vectors.has_table(session):
            await vectors.forget_all(session)


def embed_job() -> NewJob:
    """The job that embeds what is lacking: one runs in the cluster, and one waits; everything else goes before it."""
    return NewJob(JobKind.EMBED, {}, lock="embed", queueing_lock="embed", priority=-1)


async def due_embeddings(session: AsyncSession, settings: Settings) -> list[NewJob]:
    """The job, if it can do something: where the extra or pgvector is not to be had, nothing is asked for."""
    if await vectors.find_obstacle(session, settings.embeddings, to="embed") is not None:
        return []
    if not await vectors.has_table(session):
        return [embed_job()]
    return [embed_job()] if await vectors.lacking(session, 1) else []
