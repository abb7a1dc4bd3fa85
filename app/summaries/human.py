"""A human's text: it wins until its author releases it."""

from dataclasses import dataclass

from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.errors import NotFound
from app.models import Paper, Summary, SummaryOrigin, SummaryStatus
from app.search import indexing


@dataclass(frozen=True, slots=True)
class HumanText:
    """What a human wrote of a paper in a language; what is None is not shown."""

    title: str | None
    abstract: str | None
    tldr: str | None
    tldr_en: str | None
    author: str | None


async def put_text(session: AsyncSession, paper: Paper, language: str, written: HumanText) -> tuple[Summary, bool]:
    """Store a human's text for the paper as it is now, in place of an earlier one; True if there was none."""
    await session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('summaries'))"))
    values = {
        "paper_version": paper.version,
        "status": SummaryStatus.DONE,
        "title": written.title,
        "abstract": written.abstract,
        "tldr": written.tldr,
        "tldr_en": written.tldr_en,
        "author": written.author,
        "released_at": None,
        "made_at": func.now(),
    }
    # One text of a human for each language: what was written for an earlier abstract is released with the new one.
    await session.execute(_of(paper.arxiv_id, language).values(released_at=func.now()))
    key = {"arxiv_id": paper.arxiv_id, "abstract_hash": paper.abstract_hash, "language": language}
    statement = (
        insert(Summary)
        .values(origin=SummaryOrigin.HUMAN, model="", provider="", prompt_version="", **key, **values)
        .on_conflict_do_update(constraint="uq_summaries_once", set_=values)
        .returning(Summary.id, text("xmax = 0"))
    )
    summary_id, created = (await session.execute(statement)).one()
    indexing.touch(session, [paper.arxiv_id])
    summary = await session.scalars(
        select(Summary).where(Summary.id == summary_id).execution_options(populate_existing=True)
    )
    return summary.one(), created


async def release_text(session: AsyncSession, arxiv_id: str, language: str) -> None:
    """Let the other summaries speak again; the text stays stored. ``NotFound`` if no human's text is in force."""
    await session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('summaries'))"))
    released = await session.scalars(_of(arxiv_id, language).values(released_at=func.now()).returning(Summary.id))
    if not released.all():
        raise NotFound(f"No human's text of {arxiv_id} in {language} is in force.")
    indexing.touch(session, [arxiv_id])


def _of(arxiv_id: str, language: str):  # type: ignore[no-untyped-def]
    return update(Summary).where(
        Summary.arxiv_id == arxiv_id,
        Summary.language == language,
        Summary.origin == SummaryOrigin.HUMAN,
        Summary.released_at.is_(None),
    )
