"""The ledger: a channel never shows a paper twice, and what its size limit holds over comes with the next digest.

Each language of a channel has its own. Composing is done one digest after the other (``summaries.hold_still``), so that
nobody else writes it meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import papers
from app.channels import Rules
from app.db import among
from app.digests.selecting import Announced, Pick, in_order, pick
from app.digests.wanted import Wanted
from app.models import ChannelPaper, Digest


@dataclass(frozen=True, slots=True)
class Page:
    """What a digest shows of what it could, and how many papers it leaves to the digests before and after it."""

    picks: tuple[Pick, ...]
    shown_before: int = 0
    held_over: int = 0
    carried_over: int = 0


async def turn_page(session: AsyncSession, wanted: Wanted, rules: Rules, picks: Sequence[Pick]) -> Page:
    """Enter a digest of the channel's own schedule: what it shows stays its own, and what the limit leaves over waits.

    The limit is kept by showing first what this digest has shown already, then what was held over longest, then the best of
    the rest by the channel's order.
    """
    rows, last_days = await _rows(session, wanted, picks)
    mine = {arxiv_id for arxiv_id, row in rows.items() if row.digest_id == wanted.id}
    others = {arxiv_id: row for arxiv_id, row in rows.items() if row.digest_id not in (None, wanted.id)}
    fresh = [pick for pick in picks if pick.paper.arxiv_id not in others]
    named = {pick.paper.arxiv_id for pick in fresh}
    carried = await _carried(
        session, wanted, rules, [row for one, row in rows.items() if one not in named and one not in others]
    )
    candidates = {pick.paper.arxiv_id: pick for pick in [*carried, *fresh]}
    order = [
        *(
            one.paper.arxiv_id
            for one in in_order(list(candidates.values()), rules.order_by)
            if one.paper.arxiv_id in mine
        ),
        *(pick.paper.arxiv_id for pick in carried),
        *(pick.paper.arxiv_id for pick in in_order(fresh, rules.order_by)),
    ]
    queue = list(dict.fromkeys(order))
    shown = queue[: rules.size_limit]
    await _enter(session, wanted, [candidates[one] for one in queue], set(shown))
    waiting = sum(one in named for one in queue[len(shown) :])
    # What a later digest shows of this one's announcements, this one had held over for it.
    passed_on = sum(
        row.announced_on == pick.announced.announced_on and last_days[row.arxiv_id] > (wanted.to or date.max)
        for pick in picks
        if (row := others.get(pick.paper.arxiv_id)) is not None
    )
    return Page(
        tuple(candidates[one] for one in shown),
        shown_before=len(picks) - len(fresh) - passed_on,
        held_over=waiting + passed_on,
        carried_over=sum(one not in named for one in shown),
    )


async def _rows(
    session: AsyncSession, wanted: Wanted, picks: Sequence[Pick]
) -> tuple[dict[str, ChannelPaper], dict[str, date]]:
    """The ledger's rows of these papers, of this digest, and of those that wait; and the last days of the digests named."""
    rows = await session.execute(
        select(ChannelPaper, Digest.period_to)
        .outerjoin(Digest, Digest.id == ChannelPaper.digest_id)
        .where(
            ChannelPaper.channel == wanted.channel,
            ChannelPaper.language == wanted.language,
            among(ChannelPaper.arxiv_id, [pick.paper.arxiv_id for pick in picks])
            | ChannelPaper.digest_id.is_(None)
            | (ChannelPaper.digest_id == wanted.id),
        )
        .execution_options(populate_existing=True)
    )
    found = [(row, last_day) for row, last_day in rows]
    return {row.arxiv_id: row for row, _ in found}, {row.arxiv_id: day for row, day in found if day is not None}


async def _carried(session: AsyncSession, wanted: Wanted, rules: Rules, rows: Sequence[ChannelPaper]) -> list[Pick]:
    """What earlier digests held over and the rules still let through, the oldest first."""
    assert wanted.from_ is not None
    earlier = {
        row.arxiv_id: Announced(row.announce_type, row.category, row.announced_on)
        for row in rows
        if row.announced_on < wanted.from_
    }
    stored = await papers.find_papers(session, earlier)
    picks = in_order(await pick(session, rules, stored, earlier), rules.order_by)
    return sorted(picks, key=lambda one: one.announced.announced_on or date.min)


async def _enter(session: AsyncSession, wanted: Wanted, queue: Sequence[Pick], shown: set[str]) -> None:
    """Write what is shown and what waits; what this digest no longer shows is free again."""
    ledger = (ChannelPaper.channel == wanted.channel) & (ChannelPaper.language == wanted.language)
    await session.execute(
        delete(ChannelPaper).where(
            ledger, ChannelPaper.digest_id == wanted.id, ~among(ChannelPaper.arxiv_id, sorted(shown))
        )
    )
    if not queue:
        return
    values = [
        {
            "channel": wanted.channel,
            "language": wanted.language,
            "arxiv_id": pick.paper.arxiv_id,
            "digest_id": wanted.id if pick.paper.arxiv_id in shown else None,
            "announced_on": pick.announced.announced_on,
            "announce_type": pick.announced.announce_type,
            "category": pick.announced.category,
        }
        for pick in queue
    ]
    await session.execute(insert(ChannelPaper).on_conflict_do_nothing(), values)
    await session.execute(
        update(ChannelPaper)
        .where(ledger, ChannelPaper.digest_id.is_(None), among(ChannelPaper.arxiv_id, sorted(shown)))
        .values(digest_id=wanted.id)
        .execution_options(synchronize_session=False)
    )
