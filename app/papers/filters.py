"""Which papers are meant: the conditions that lists, streams and search have in common."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select
from sqlalchemy.orm import aliased

from app.arxiv import taxonomy
from app.db import among
from app.errors import InvalidInput
from app.llm import is_english
from app.models import Announcement, Paper, Summary
from app.papers.authorship import written_by


class Standing(StrEnum):
    """How a paper's present text stands in a language: as the figures of ``GET /v1/stats`` count it."""

    DONE = "done"
    PENDING = "pending"
    RUNNING = "running"
    FAILED = "failed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class PaperFilter:
    """Which papers to list; unset conditions do not restrict.

    ``category`` finds papers that carry the category (under any of its names, an archive's included); with ``announced_from``,
    ``announced_to`` or ``announce_types`` it means announced there, in that period (both days included), as one of these types,
    whatever the paper carries now. The days of submission are UTC, and of the first version. ``language`` says in which one
    the ``standing`` is meant.
    """

    category: str | None = None
    primary: str | None = None
    author: str | None = None
    announced_from: date | None = None
    announced_to: date | None = None
    announce_types: tuple[str, ...] | None = None
    submitted_from: date | None = None
    submitted_to: date | None = None
    standing: Standing | None = None
    language: str | None = None
    withdrawn: bool | None = None
    arxiv_ids: tuple[str, ...] | None = None


def check_period(from_: date | None, to: date | None) -> None:
    """Raise ``InvalidInput`` for a period that ends before it begins: it would look like a quiet time."""
    if from_ is not None and to is not None and from_ > to:
        raise InvalidInput(f"The period begins on {from_}, after its end on {to}.")


MISSING_DAY: Final[ColumnElement[Any]] = literal_column("'-infinity'::date")
MISSING_INSTANT: Final[ColumnElement[Any]] = literal_column("'-infinity'::timestamptz")
"""What stands for a date that is not known, so that it counts as the oldest. The indexes are written with the same words."""

ANNOUNCED: Final = func.coalesce(Paper.first_announced_on, MISSING_DAY)
SUBMITTED: Final = func.coalesce(Paper.submitted_at, MISSING_INSTANT)


def conditions(wanted: PaperFilter) -> list[ColumnElement[bool]]:
    """What a row of ``papers`` must fulfil to pass the filter, for a ``select`` that has ``Paper`` in its FROM.

    Raises ``InvalidInput`` for a period that ends before it begins or a name without a word, and ``UnknownCategory``.
    """
    check_period(wanted.announced_from, wanted.announced_to)
    check_period(wanted.submitted_from, wanted.submitted_to)
    found: list[ColumnElement[bool]] = []
    names = sorted(taxonomy.names(wanted.category)) if wanted.category else None
    if wanted.announced_from or wanted.announced_to or wanted.announce_types:
        found.append(_announced(wanted, names))
    elif names:
        found.append(Paper.listed_in.overlap(names))
    if wanted.primary is not None:
        primary = sorted(taxonomy.names(wanted.primary))
        # Of one name the index gives the papers in order.
        found.append(
            Paper.primary_category == primary[0] if len(primary) == 1 else among(Paper.primary_category, primary)
        )
    if wanted.author is not None:
        found.append(written_by(wanted.author))
    if wanted.submitted_from or wanted.submitted_to:
        found.append(SUBMITTED > MISSING_INSTANT)  # It is known; said so that the index begins there.
    if wanted.submitted_from:
        found.append(datetime.combine(wanted.submitted_from, time.min, UTC) <= SUBMITTED)
    if wanted.submitted_to:
        found.append(datetime.combine(wanted.submitted_to, time.max, UTC) >= SUBMITTED)
    if wanted.withdrawn is not None:
        found.append(Paper.withdrawn == literal_column("true" if wanted.withdrawn else "false"))
    if wanted.standing is not None:
        found += _standing(wanted.standing, wanted.language or "")
    if wanted.arxiv_ids is not None:
        found.append(among(Paper.arxiv_id, wanted.arxiv_ids))
    return found


def _announced(wanted: PaperFilter, names: Sequence[str] | None) -> ColumnElement[bool]:
    announced: list[ColumnElement[bool]] = [Announcement.arxiv_id == Paper.arxiv_id]
    if wanted.announced_from:
        announced.append(Announcement.announced_on >= wanted.announced_from)
    if wanted.announced_to:
        announced.append(Announcement.announced_on <= wanted.announced_to)
    if wanted.announce_types:
        announced.append(among(Announcement.announce_type, wanted.announce_types))
    if names:
        announced.append(among(Announcement.category, names))
    return exists().where(and_(*announced))


ORIGINS: Final[ColumnElement[Any]] = literal_column("ARRAY['human', 'llm', 'imported', 'extractive']")
"""Who makes summaries, the best first; as ``summaries.current`` ranks them."""


def _standing(standing: Standing, language: str) -> list[ColumnElement[bool]]:
    """That what speaks for a paper in a language is done, or not yet, or that nothing does."""
    one, speaks = _speaking(language)
    if standing is Standing.NONE:
        return [~exists().where(speaks)]
    if standing is Standing.DONE:
        return [exists().where(speaks, one.status == _word(Standing.DONE))]
    # Few papers wait or have failed, mostly: the index on what is unfinished names them.
    unfinished = exists().where(Summary.arxiv_id == Paper.arxiv_id, Summary.status == _word(standing))
    return [unfinished, _best(language) == _word(standing)]


def standing_of(language: str) -> ColumnElement[str]:
    """How a row of ``papers`` stands in a language, as a word of ``Standing``: by the rule of ``statistics``."""
    return func.coalesce(_best(language), _word(Standing.NONE))


def _best(language: str) -> ColumnElement[str]:
    """Done before not done; one that is not done only if it is of the present text; then the better origin and the later."""
    one, speaks = _speaking(language)
    order = (
        (one.status == _word(Standing.DONE)).desc(),
        (one.language == language).desc(),
        one.tldr.is_not(None).desc(),
        func.array_position(ORIGINS, one.origin),
        one.made_at.desc(),
        one.id.desc(),
    )
    best = select(one.status).where(speaks).order_by(*order).limit(literal_column("1"))
    return best.correlate(Paper).scalar_subquery()


def _speaking(language: str) -> tuple[Any, ColumnElement[bool]]:
    one = aliased(Summary)
    spoken: ColumnElement[bool] = one.language == language
    if is_english(language):
        spoken = or_(spoken, one.tldr_en.is_not(None))
    return one, and_(
        one.arxiv_id == Paper.arxiv_id,
        spoken,
        one.released_at.is_(None),
        or_(
            one.status == _word(Standing.DONE),
            one.abstract_hash == Paper.abstract_hash,
            func.coalesce(one.paper_version, 1) == func.coalesce(Paper.version, 1),
        ),
    )


def _word(standing: Standing) -> ColumnElement[str]:
    """A status as part of the statement, not as a parameter: partial indexes are chosen by it."""
    return literal_column(f"'{standing}'")
