"""What a digest is asked to hold. Its id is made from the question, so that asking twice gives the same digest."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncSession

from app import listings, papers, search
from app.arxiv import ids, taxonomy
from app.arxiv.calendar import batch_date
from app.channels import get_channel, listing_names
from app.digests.periods import due_at, is_own_period, latest_period, period_of
from app.errors import Conflict, InvalidInput, ListingNotRead, NotFound
from app.models import Channel, Digest, DigestKind, Order

MAX_PAPERS = 5_000
"""Papers that one ad hoc digest may name, or find."""

MAX_DAYS = 366
"""Days that a roll-up may cover."""

FIRST_DAY = date(1991, 1, 1)
"""No listing is older (arXiv began in August 1991), and calendars cannot reckon back from the year 1."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a digest over a query searches: all stored papers, or those that these categories carry, announced in the period."""

    query: str
    categories: tuple[str, ...] = ()
    announced_from: date | None = None
    announced_to: date | None = None
    order_by: Order = Order.ID
    limit: int = 100


QUESTION: TypeAdapter[Question] = TypeAdapter(Question)
"""How a question is kept, and read back."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a digest is asked to hold: a channel's period, named papers, or what a query finds."""

    language: str
    channel: str | None = None
    from_: date | None = None
    to: date | None = None
    paper_ids: tuple[str, ...] | None = None
    title: str | None = None
    question: Question | None = None
    kind: DigestKind = DigestKind.PAPERS

    @property
    def id(self) -> str:
        """The digest's public id: the same question always has the same."""
        question: list[Any] = [self.language, self.channel, str(self.from_), str(self.to), self.paper_ids, self.title]
        if self.question is not None:
            question.append(QUESTION.dump_python(self.question, mode="json"))
        return hashlib.sha256(json.dumps(question, ensure_ascii=False).encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Clock:
    """The present, and the time of day (US Eastern) at which a digest is written with what there is."""

    now: datetime
    deadline: time

    @property
    def today(self) -> date:
        """The batch date of the present."""
        return batch_date(self.now)

    def is_due(self, last_day: date) -> bool:
        """Whether the digest of a period that ends with this day no longer waits for what it lacks."""
        return self.now >= due_at(last_day, self.deadline)


async def channel_digest(
    session: AsyncSession,
    slug: str,
    *,
    language: str | None,
    default_language: str,
    day: date | None = None,
    from_: date | None = None,
    to: date | None = None,
    today: date | None,
) -> Wanted:
    """What a channel's digest holds: of the period that ``day`` is in, or of days from ``from_`` to ``to`` (a roll-up, unless
    the channel's own schedule has that period); without any, of its newest period with an announcement.

    Raises ``NotFound``, ``InvalidInput`` for a period upside down or after ``today`` (None: it may be), ``ListingNotRead``.
    """
    channel = await get_channel(session, slug)
    given = [one for one in (day, from_, to) if one is not None]
    if today is not None and max(given, default=today) > today:
        raise InvalidInput(f"{max(given)} lies in the future: today's batch date (US Eastern) is {today}.")
    if min(given, default=FIRST_DAY) < FIRST_DAY:
        raise InvalidInput(f"arXiv has announced papers since 1991; give days from {FIRST_DAY} on.")
    if day is not None:
        from_, to = period_of(channel, day)
    elif from_ is None and to is None:
        from_, to = await _newest_period(session, channel, today)
    from_, to = from_ or to, to or from_
    assert from_ is not None
    assert to is not None
    papers.check_period(from_, to)
    if (to - from_).days >= MAX_DAYS:
        raise InvalidInput(f"A digest covers {MAX_DAYS} days at most; make one for each year.")
    if today is not None and to > today:
        raise InvalidInput(
            f"The channel's period is {from_} to {to}, which lies in the future: today's batch date (US Eastern) is {today}."
        )
    return Wanted(
        language=language or channel.language or default_language,
        channel=channel.slug,
        from_=from_,
        to=to,
        kind=DigestKind.CHANNEL if is_own_period(channel, (from_, to)) else DigestKind.ROLLUP,
    )


async def _newest_period(session: AsyncSession, channel: Channel, today: date | None) -> tuple[date, date]:
    latest = await listings.latest_announced_on(session, listing_names(channel))
    if latest is None:
        raise ListingNotRead(
            f"No listing of {', '.join(channel.categories)} was read yet; POST /v1/ingestions or 'zhaiyao ingest' reads one."
        )
    period = period_of(channel, latest)
    return period if today is None or period[1] <= today else latest_period(channel, today)


def adhoc_digest(paper_ids: Sequence[str], *, language: str, title: str | None) -> Wanted:
    """What a digest over named papers holds; ids in any form, one named twice counts once. ``InvalidArxivId``."""
    canonical = tuple(dict.fromkeys(ids.parse(paper_id).id for paper_id in paper_ids))
    if not canonical:
        raise InvalidInput("paper_ids is empty; name at least one paper.")
    return Wanted(language=language, paper_ids=canonical, title=title)


def query_digest(question: Question, *, language: str, title: str | None) -> Wanted:
    """What a digest over a query holds. ``InvalidQuery``, ``UnknownCategory``, ``InvalidInput`` for a period upside down."""
    papers.check_period(question.announced_from, question.announced_to)
    canonical = replace(
        question,
        query=str(search.parse(question.query)),
        categories=tuple(dict.fromkeys(taxonomy.canonical(name) for name in question.categories)),
    )
    return Wanted(language=language, title=title, question=canonical, kind=DigestKind.QUERY)


async def wanted_again(session: AsyncSession, digest_id: str) -> Wanted:
    """What an existing digest was asked to hold, to compose it again; ``NotFound``."""
    digest = await session.get(Digest, digest_id)
    if digest is None:
        raise NotFound(f"There is no digest {digest_id[:80]!r}.")
    # The title is part of an ad hoc digest's question only if the caller gave one: both readings are tried.
    for title in (None, digest.title):
        wanted = Wanted(
            digest.language,
            digest.channel,
            digest.period_from,
            digest.period_to,
            tuple(digest.paper_ids) if digest.paper_ids is not None else None,
            title,
            QUESTION.validate_python(digest.query) if digest.query is not None else None,
            DigestKind(digest.kind),
        )
        if wanted.id == digest.id:
            return wanted
    raise Conflict(f"The digest {digest_id} was made by an older release and cannot be composed again.")
