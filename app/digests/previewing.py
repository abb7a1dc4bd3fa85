"""What a channel would have given in the last days, had it been there. Nothing is written."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app import listings, papers
from app.channels import Rules
from app.digests.selecting import Pick, announced_of, in_order, pick


@dataclass(frozen=True, slots=True)
class PreviewDay:
    """What one batch date would have given, in the channel's order, and what it would have left out."""

    announced_on: date
    announced: int
    picks: tuple[Pick, ...]
    not_matching: int
    shown_before: int
    held_over: int


async def preview(session: AsyncSession, rules: Rules, from_: date, to: date) -> list[PreviewDay]:
    """Each day of a period on which listings were read with papers, the newest first, each paper once (but for ``repeats``)."""
    found = await listings.find_listings(session, rules.listing_names, from_, to)
    read = [listing for listing in found if listing.state in listings.READ]
    by_day = {
        day: announced_of([listing for listing in read if listing.announced_on == day], rules)
        for day in sorted({listing.announced_on for listing in read})
    }
    stored = await papers.find_papers(session, {arxiv_id for named in by_day.values() for arxiv_id in named})
    shown: set[str] = set()
    waiting: list[Pick] = []
    days = []
    for day, named in by_day.items():
        of_day = {arxiv_id: stored[arxiv_id] for arxiv_id in named if arxiv_id in stored}
        picks = await pick(session, rules, of_day, named)
        gone = set() if rules.repeats else shown | {one.paper.arxiv_id for one in waiting}
        fresh = [one for one in in_order(picks, rules.order_by) if one.paper.arxiv_id not in gone]
        queue = [*waiting, *fresh]
        page, waiting = queue[: rules.size_limit], queue[len(queue[: rules.size_limit]) :]
        shown |= {one.paper.arxiv_id for one in page}
        days.append(
            PreviewDay(
                day,
                len(named),
                tuple(in_order(page, rules.order_by)),
                len(of_day) - len(picks),
                len(picks) - len(fresh),
                sum(one in waiting for one in fresh),
            )
        )
    return days[::-1]
