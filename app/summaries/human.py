"""A human's text: it wins until its author releases it."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Update, func, select, text, update
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


Check = Callable[[Summary | None], None]
"""Raises if the text in force (None: there is none) is not as its caller expects; nobody else can change it meanwhile."""


def _anything(_: Summary | None) -> None:
    """Expect nothing."""


async def get_text(session: AsyncSession, arxiv_id: str, language: str) -> Summary:
    """The human's text that is in force; ``NotFound`` if there is none."""
    found = await _find_text(session, arxiv_id, language)
    if found is None:
        raise _not_in_force(arxiv_id, language)
    return found


async def put_text(
    session: AsyncSession, paper: Paper, language: str, written: HumanText, check: Check = _anything
) -> tuple[Summary, bool]:
    """Store a human's text for the paper as it is now, in place of an earlier one; True if there was none.

    Raises what ``check`` does of the text that is in force until now.
    """
    await _take_turn(session, paper.arxiv_id, language)
    check(await _find_text(session, paper.arxiv_id, language))
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


async def release_text(session: AsyncSession, arxiv_id: str, language: str, check: Check = _anything) -> None:
    """Let the other summaries speak again; the text stays stored. ``NotFound`` if none is in force; what ``check`` raises."""
    await _take_turn(session, arxiv_id, language)
    check(await get_text(session, arxiv_id, language))
    released = await session.scalars(_of(arxiv_id, language).values(released_at=func.now()).returning(Summary.id))
    if not released.all():
        raise _not_in_force(arxiv_id, language)
    indexing.touch(session, [arxiv_id])


async def _take_turn(session: AsyncSession, arxiv_id: str, language: str) -> None:
    """Have those who write the same text do so one after the other, each on what the other left."""
    turn = {"text": f"text {arxiv_id} {language}"}
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:text, 0))"), turn)
    await session.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('summaries'))"))


async def _find_text(session: AsyncSession, arxiv_id: str, language: str) -> Summary | None:
    wanted = select(Summary).where(*_in_force(arxiv_id, language))
    found: Summary | None = await session.scalar(wanted.execution_options(populate_existing=True))
    return found


def _not_in_force(arxiv_id: str, language: str) -> NotFound:
    return NotFound(f"No human's text of {arxiv_id} in {language} is in force.")


def _of(arxiv_id: str, language: str) -> Update:
    return update(Summary).where(*_in_force(arxiv_id, language))


def _in_force(arxiv_id: str, language: str) -> list[ColumnElement[bool]]:
    return [
        Summary.arxiv_id == arxiv_id,
        Summary.language == language,
        Summary.origin == SummaryOrigin.HUMAN,
        Summary.released_at.is_(None),
    ]
