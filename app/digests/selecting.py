"""Which papers a digest is about, and why each of them: what was announced, matched against the channel's rules."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from app import listings, papers, search
from app.arxiv import calendar, taxonomy
from app.arxiv.entries import AnnounceType
from app.channels import Rules, get_channel
from app.digests.wanted import Clock, Wanted
from app.errors import ListingNotRead, UnknownPapers
from app.models import Listing, ListingState, Order, Paper
from app.render.document import IncompleteListing, Reason, ReasonKind


@dataclass(frozen=True, slots=True)
class Announced:
    """How a paper was announced: as what, where, and on which batch date; None where nobody announced it to the digest."""

    announce_type: str | None = None
    category: str | None = None
    announced_on: date | None = None


@dataclass(frozen=True, slots=True)
class Pick:
    """A stored paper that belongs into a digest, with the reasons, and how well it matches the query."""

    paper: Paper
    announced: Announced
    reasons: tuple[Reason, ...]
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Selection:
    """What a digest is about before the ledger is asked: ``announced`` are all papers that were named."""

    title: str
    announced: Mapping[str, Announced]
    stored: int
    picks: tuple[Pick, ...]
    incomplete: tuple[IncompleteListing, ...] = ()
    not_matching: int = 0
    missing: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()


async def select_papers(session: AsyncSession, wanted: Wanted) -> Selection:
    """The papers that a caller named, in any order; ``UnknownPapers``."""
    named = wanted.paper_ids or ()
    stored = await papers.find_papers(session, named)
    unknown = [arxiv_id for arxiv_id in named if arxiv_id not in stored]
    if unknown:
        raise UnknownPapers(unknown)
    picks = tuple(Pick(paper, Announced(), (Reason(ReasonKind.NAMED, arxiv_id),)) for arxiv_id, paper in stored.items())
    title = wanted.title or ("1 paper" if len(named) == 1 else f"{len(named)} papers")
    return Selection(title, dict.fromkeys(named, Announced()), len(stored), picks)


async def select_found(session: AsyncSession, wanted: Wanted, keep: Sequence[str] | None) -> Selection:
    """The papers that a query finds, the first by its order; or those that the digest found before (``keep``)."""
    question = wanted.question
    assert question is not None
    found = await search.find_papers(
        session,
        search.parse(question.query),
        # Newest ids come first, so that a query by id needs no more than it shows.
        limit=question.limit if question.order_by == Order.ID else None,
        categories=question.categories,
        announced_from=question.announced_from,
        announced_to=question.announced_to,
        arxiv_ids=keep,
    )
    picks = [Pick(paper, Announced(), _why(match), match.score) for paper, match in found]
    chosen = tuple(in_order(picks, question.order_by)[: question.limit])
    return Selection(
        wanted.title or question.query,
        {pick.paper.arxiv_id: Announced() for pick in chosen},
        len(chosen),
        chosen,
    )


async def select_announced(session: AsyncSession, wanted: Wanted, rules: Rules, clock: Clock | None) -> Selection:
    """What a channel's categories announced in a period, and its rules let through.

    With a ``clock``, a period of which nothing was read yet is ``ListingNotRead``, unless it is over, due, and somebody tried
    to read it: then the digest is to say so.
    """
    assert wanted.channel is not None
    assert wanted.from_ is not None
    assert wanted.to is not None
    channel = await get_channel(session, wanted.channel)
    found = await listings.find_listings(session, rules.listing_names, wanted.from_, wanted.to)
    batches = calendar.batch_days(wanted.from_, wanted.to)
    read = [listing for listing in found if listing.state in (*listings.READ, ListingState.EMPTY)]
    period = str(wanted.from_) if wanted.from_ == wanted.to else f"{wanted.from_} – {wanted.to}"
    if clock is not None and not read and batches and not (found and clock.is_due(wanted.to)):
        reasons = "; ".join(f"{row.category} on {row.announced_on} ({row.state}): {row.reason}" for row in found)
        raise ListingNotRead(
            f"No listing of {', '.join(rules.categories)} for {period} has been read"
            + (f": {reasons.rstrip('.')}." if reasons else "; POST /v1/ingestions or 'zhaiyao ingest' reads one.")
        )
    announced = announced_of(read, rules)
    stored = await papers.find_papers(session, announced)
    picks = await pick(session, rules, stored, announced)
    return Selection(
        f"{channel.title}, {period}",
        announced,
        len(stored),
        tuple(picks),
        _incomplete(rules.categories, found, batches),
        len(stored) - len(picks),
        tuple(sorted(set(announced) - set(stored))),
        frozenset(stored) - {one.paper.arxiv_id for one in picks},
    )


def announced_of(read: Sequence[Listing], rules: Rules) -> dict[str, Announced]:
    """Each paper that a channel takes once: as the strongest of its types, where and when it was that first."""
    own = {
        name: number for number, category in enumerate(rules.categories) for name in taxonomy.names_or_same(category)
    }
    found: dict[str, Announced] = {}
    for listing in sorted(read, key=lambda row: (row.announced_on, own.get(row.category, len(own)))):
        for arxiv_id, kind in listing.announced.items():
            before = found.get(arxiv_id)
            if before is None or listings.strongest([kind, str(before.announce_type)]) != before.announce_type:
                found[arxiv_id] = Announced(kind, listing.category, listing.announced_on)
    return {arxiv_id: one for arxiv_id, one in found.items() if one.announce_type in rules.announce_types}


async def pick(
    session: AsyncSession, rules: Rules, stored: Mapping[str, Paper], announced: Mapping[str, Announced]
) -> list[Pick]:
    """Those of the papers that a channel's rules let through, with why; a query looks into translations, too."""
    translations = await search.find_translations(session, stored) if rules.query else {}
    query = search.parse(rules.query) if rules.query else None

    def picked() -> list[Pick]:
        found = (
            _pick(rules, query, paper, announced[arxiv_id], translations.get(arxiv_id))
            for arxiv_id, paper in stored.items()
        )
        return [one for one in found if one is not None]

    # Hundreds of words against thousands of papers take seconds, in which others shall have their turn.
    return await asyncio.to_thread(picked)


def _pick(
    rules: Rules,
    query: search.Query | None,
    paper: Paper,
    announced: Announced,
    translations: search.Translations | None,
) -> Pick | None:
    category = (Reason(ReasonKind.CATEGORY, announced.category),) if announced.category else ()
    if query is None and not rules.authors and not rules.exclude_words and not rules.exclude_categories:
        return Pick(paper, announced, category)
    if set(rules.exclude_categories).intersection(map(taxonomy.canonical_or_same, paper.categories)):
        return None
    prepared = search.prepare(search.candidate(paper, translations))
    if search.excluded(rules.exclude_words, prepared) is not None:
        return None
    authors = [one for one in rules.authors if any(search.follows(one, author["name"]) for author in paper.authors)]
    match = search.match(query, prepared) if query is not None else None
    if (query is not None or rules.authors) and match is None and not authors:
        return None
    followed = tuple(Reason(ReasonKind.AUTHOR, author) for author in authors)
    reasons = dict.fromkeys((*category, *followed, *(_why(match) if match else ())))
    return Pick(paper, announced, tuple(reasons), match.score if match else 0.0)


def _why(match: search.Match) -> tuple[Reason, ...]:
    return (
        *(Reason(ReasonKind.WORDS, word) for word in match.words),
        *(Reason(ReasonKind.AUTHOR, author) for author in match.authors),
    )


def in_order(picks: Sequence[Pick], order: Order) -> list[Pick]:
    """The picks as a digest shows them; what is equal otherwise, newest id first."""
    ordered = sorted(picks, key=lambda pick: pick.paper.order_key, reverse=True)
    if order == Order.RELEVANCE:
        ordered.sort(key=lambda pick: -pick.score)
    elif order == Order.ANNOUNCED:
        # Newest day first, and of a day in arXiv's own order: new papers, cross-lists, replacements.
        ordered.sort(key=lambda pick: -_strength(pick.announced.announce_type))
        ordered.sort(key=lambda pick: pick.announced.announced_on or date.min, reverse=True)
    return ordered


def _strength(announce_type: str | None) -> int:
    return listings.STRENGTH[AnnounceType(announce_type)] if announce_type else -1


def _incomplete(
    categories: Sequence[str], found: Sequence[Listing], days: Sequence[date]
) -> tuple[IncompleteListing, ...]:
    """The listings that a period lacks. An archive's papers may be in its own listing or in those of its categories."""
    whole = {
        (row.category, row.announced_on) for row in found if row.state in (ListingState.ANNOUNCED, ListingState.EMPTY)
    }
    partial = [row for row in found if (row.category, row.announced_on) not in whole]
    lacking = [IncompleteListing(row.category, row.announced_on, row.state) for row in partial]
    for category in categories:
        names = taxonomy.names_or_same(category)
        known = {row.announced_on for row in found if row.category in names}
        lacking += [IncompleteListing(category, day, "unread") for day in days if day not in known]
    return tuple(sorted(lacking, key=lambda one: (one.announced_on, one.category)))
