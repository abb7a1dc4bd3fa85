"""What a digest is asked to hold. Its id is made from the question, so that asking twice gives the same digest."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app import listings, papers
from app.arxiv import ids
from app.channels import get_channel, listing_names
from app.errors import Conflict, InvalidInput, ListingNotRead, NotFound
from app.models import Digest

MAX_PAPERS = 5_000
"""Papers that one ad hoc digest may name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a digest is asked to hold: a channel's period, or named papers."""

    language: str
    channel: str | None = None
    from_: date | None = None
    to: date | None = None
    paper_ids: tuple[str, ...] | None = None
    title: str | None = None

    @property
    def id(self) -> str:
        """The digest's public id: the same question always has the same."""
        question = [self.language, self.channel, str(self.from_), str(self.to), self.paper_ids, self.title]
        return hashlib.sha256(json.dumps(question, ensure_ascii=False).encode()).hexdigest()[:20]


async def channel_digest(
    session: AsyncSession,
    slug: str,
    *,
    language: str | None,
    default_language: str,
    from_: date | None = None,
    to: date | None = None,
    today: date,
) -> Wanted:
    """What a channel's digest of a period holds; without one, of its newest announced day.

    Raises ``NotFound``, ``InvalidInput`` for a period in the future or upside down, ``ListingNotRead``.
    """
    channel = await get_channel(session, slug)
    if from_ is None and to is None:
        from_ = to = await listings.latest_announced_on(session, listing_names(channel))
        if from_ is None:
            raise ListingNotRead(
                f"No listing of {', '.join(channel.categories)} was read yet; POST /v1/ingestions or 'zhaiyao ingest' reads one."
            )
    from_, to = from_ or to, to or from_
    assert from_ is not None
    assert to is not None
    papers.check_period(from_, to)
    if to > today:
        raise InvalidInput(f"{to} lies in the future: today's batch date (US Eastern) is {today}.")
    return Wanted(language=language or channel.language or default_language, channel=channel.slug, from_=from_, to=to)


def adhoc_digest(paper_ids: Sequence[str], *, language: str, title: str | None) -> Wanted:
    """What a digest over named papers holds; ids in any form, one named twice counts once. ``InvalidArxivId``."""
    canonical = tuple(dict.fromkeys(ids.parse(paper_id).id for paper_id in paper_ids))
    if not canonical:
        raise InvalidInput("paper_ids is empty; name at least one paper.")
    return Wanted(language=language, paper_ids=canonical, title=title)


async def wanted_again(session: AsyncSession, digest_id: str) -> Wanted:
    """What an existing digest was asked to hold, to compose it again; ``NotFound``."""
    digest = await session.get(Digest, digest_id)
    if digest is None:
        raise NotFound(f"There is no digest {digest_id[:80]!r}.")
    paper_ids = tuple(digest.paper_ids) if digest.paper_ids is not None else None
    # The title is part of an ad hoc digest's question only if the caller gave one: both readings are tried.
    for title in (None, digest.title):
        wanted = Wanted(digest.language, digest.channel, digest.period_from, digest.period_to, paper_ids, title)
        if wanted.id == digest.id:
            return wanted
    raise Conflict(f"The digest {digest_id} was made by an older release and cannot be composed again.")
