"""Channels: named streams of digests. Every category and archive of arXiv is one from the start."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import search
from app.arxiv import taxonomy
from app.arxiv.entries import AnnounceType
from app.errors import Conflict, InvalidInput, NotFound, UnknownCategory
from app.models import Channel, Digest, Order, Schedule

ALL_TYPES = tuple(str(kind) for kind in AnnounceType)
TRANSLATED = ("title", "abstract", "tldr")
"""The texts of a paper that a digest can show in its own language."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Which papers a channel shows, and how: of those that its categories announce as one of its types, the ones that match
    its query or are by one of its authors (all, if it has neither), without what it excludes.

    ``size_limit`` holds the others over for the next digest. ``repeats`` shows every announcement, also of papers that the
    channel has shown before; without it a paper never comes twice.
    """

    categories: tuple[str, ...]
    announce_types: tuple[str, ...] = ALL_TYPES
    query: str | None = None
    authors: tuple[str, ...] = ()
    exclude_words: tuple[str, ...] = ()
    exclude_categories: tuple[str, ...] = ()
    translate: tuple[str, ...] = TRANSLATED
    order_by: Order = Order.ID
    size_limit: int | None = None
    repeats: bool = False

    @property
    def listing_names(self) -> list[str]:
        """The categories whose listings it takes, under all of their names; an archive takes each of its own."""
        return sorted({name for category in self.categories for name in taxonomy.names_or_same(category)})


RULES: TypeAdapter[Rules] = TypeAdapter(Rules)
"""How rules are kept with a digest, and read back."""


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel to create; categories under any of their names, weekday 1 (Monday) to 7."""

    slug: str
    title: str
    rules: Rules
    language: str | None = None
    schedule: Schedule = Schedule.ANNOUNCEMENT
    weekday: int = field(default=5)


def rules_of(channel: Channel) -> Rules:
    """A channel's rules as they are now."""
    return RULES.validate_python({one.name: getattr(channel, one.name) for one in fields(Rules)})


def check_rules(rules: Rules) -> dict[str, Any]:
    """The rules as a channel's columns, names in their canonical form.

    Raises ``UnknownCategory`` if arXiv has no such category, ``InvalidQuery`` for a query that is none, ``InvalidInput`` if
    nothing could ever be shown.
    """
    if rules.query is not None:
        search.parse(rules.query)
    excluded = {taxonomy.canonical(name) for name in rules.exclude_categories}
    categories = [taxonomy.canonical(name) for name in rules.categories]
    if excluded.issuperset(categories):
        raise InvalidInput("The channel excludes every category that it takes; leave one of them in.")
    if rules.repeats and rules.size_limit is not None:
        raise InvalidInput("A channel that repeats shows every announcement, so that it can have no size limit.")
    if rules.order_by == Order.RELEVANCE and rules.query is None:
        raise InvalidInput("order by relevance needs a query: without one every paper is as relevant as the next.")
    return {
        "categories": list(dict.fromkeys(categories)),
        "announce_types": [kind for kind in ALL_TYPES if kind in rules.announce_types],
        "query": rules.query,
        "authors": list(dict.fromkeys(rules.authors)),
        "exclude_words": list(dict.fromkeys(rules.exclude_words)),
        "exclude_categories": sorted(excluded),
        "translate": [name for name in TRANSLATED if name in rules.translate],
        "order_by": rules.order_by,
        "size_limit": rules.size_limit,
        "repeats": rules.repeats,
    }


def checked(rules: Rules) -> Rules:
    """The rules with every name in its canonical form; raises what ``check_rules`` does."""
    return RULES.validate_python(check_rules(rules))


def builtin_channels() -> list[dict[str, object]]:
    """The rows for arXiv's own categories and archives, one for each canonical name; seeded by a migration."""
    rows: dict[str, dict[str, object]] = {}
    things: tuple[taxonomy.Category | taxonomy.Archive, ...] = (*taxonomy.CATEGORIES, *taxonomy.ARCHIVES)
    for thing in things:
        if thing.id == thing.canonical:
            rows[thing.id] = {
                "slug": thing.id,
                "title": f"{thing.name} ({thing.id})",
                "categories": [thing.id],
                "announce_types": list(ALL_TYPES),
                "language": None,
                "builtin": True,
            }
    return list(rows.values())


async def create_channel(session: AsyncSession, new: NewChannel) -> Channel:
    """Store a channel; ``Conflict`` if its slug is taken, and what ``check_rules`` raises."""
    values = check_rules(new.rules)
    taken = await find_channel(session, new.slug)
    if taken is not None:
        raise _taken(taken.slug)
    channel: Channel | None = await session.scalar(
        insert(Channel)
        .values(
            slug=new.slug,
            title=new.title,
            language=new.language,
            schedule=new.schedule,
            weekday=new.weekday,
            builtin=False,
            **values,
        )
        .on_conflict_do_nothing()
        .returning(Channel)
    )
    if channel is None:  # somebody else created it since we looked
        raise _taken(new.slug)
    return channel


def _taken(slug: str) -> Conflict:
    return Conflict(f"The channel {slug} exists already; choose another slug.")


Check = Callable[[Channel], None]
"""Raises if a channel is not as its caller expects; called while nobody else can change it."""


def _anything(_: Channel) -> None:
    """Expect nothing."""


async def change_channel(
    session: AsyncSession, slug: str, changes: Mapping[str, Any], check: Check = _anything
) -> Channel:
    """Change a channel that a user made; its next digests follow the new rules, those that are written stay.

    ``changes`` are fields of ``Rules``, and ``title``, ``language``, ``schedule``, ``weekday``. ``NotFound``; ``Conflict`` for
    arXiv's own; what ``check_rules`` and ``check`` raise.
    """
    channel = await _own_channel(session, slug)
    check(channel)
    rules = {one.name: changes.get(one.name, getattr(channel, one.name)) for one in fields(Rules)}
    values = check_rules(Rules(**rules))
    values |= {name: changes[name] for name in ("title", "language", "schedule", "weekday") if name in changes}
    for name, value in values.items():
        setattr(channel, name, value)
    await session.flush()
    # A draft of the former schedule is never written, and must not keep its papers from the digests of the new one.
    await session.execute(delete(Digest).where(Digest.channel == channel.slug, Digest.revision == 0))
    await session.refresh(channel)
    return channel


async def delete_channel(session: AsyncSession, slug: str, check: Check = _anything) -> None:
    """Delete a channel that a user made, with its digests; ``NotFound``, ``Conflict`` for arXiv's own, what ``check`` raises."""
    channel = await _own_channel(session, slug)
    check(channel)
    await session.delete(channel)


async def _own_channel(session: AsyncSession, slug: str) -> Channel:
    found = await get_channel(session, slug)
    if found.builtin:
        raise Conflict(
            f"{found.slug} is arXiv's own channel and stays as it is; create one of your own with its categories."
        )
    # Two that change it at once do so one after the other, each on what the other left.
    locked = select(Channel).where(Channel.slug == found.slug).with_for_update(key_share=True)
    return await _still_there(session, locked, slug)


async def lock_channel(session: AsyncSession, slug: str) -> Channel:
    """A channel as it is now, which nobody deletes before this transaction has ended; ``NotFound``."""
    locked = select(Channel).where(Channel.slug == slug).with_for_update(read=True, key_share=True)
    return await _still_there(session, locked, slug)


async def _still_there(session: AsyncSession, query: Select[Channel], slug: str) -> Channel:
    channel = await session.scalar(query.execution_options(populate_existing=True))
    if channel is None:
        raise NotFound(f"The channel {slug[:80]!r} has just been deleted.")
    return channel


async def find_channel(session: AsyncSession, slug: str) -> Channel | None:
    """A channel by its slug, or by any name of a category (``cs.NA`` and ``CS.na`` lead to ``math.NA``)."""
    channel = await session.get(Channel, slug)
    if channel is None:
        try:
            channel = await session.get(Channel, taxonomy.canonical(slug))
        except UnknownCategory:
            return None
    return channel


async def get_channel(session: AsyncSession, slug: str) -> Channel:
    """As ``find_channel``, but ``NotFound`` if there is none."""
    channel = await find_channel(session, slug)
    if channel is None:
        raise NotFound(
            f"There is no channel {slug[:80]!r}. GET /v1/channels and 'zhaiyao channels list' name them; "
            "each arXiv category is one."
        )
    return channel


async def list_channels(
    session: AsyncSession, *, limit: int, after: str | None = None, builtin: bool | None = None
) -> tuple[list[Channel], str | None]:
    """A page of channels by slug, and the slug to continue ``after``, or None on the last page."""
    query = select(Channel).order_by(Channel.slug.collate("C")).limit(limit + 1)
    if after is not None:
        query = query.where(Channel.slug.collate("C") > after)
    if builtin is not None:
        query = query.where(Channel.builtin == builtin)
    rows = list(await session.scalars(query))
    return rows[:limit], rows[limit - 1].slug if len(rows) > limit else None


async def own_channels(session: AsyncSession) -> list[Channel]:
    """The channels that users made."""
    return list(await session.scalars(select(Channel).where(~Channel.builtin).order_by(Channel.slug)))


async def channels_of(session: AsyncSession, names: Sequence[str]) -> list[Channel]:
    """The channels that take the listing of one of these categories: their own ones, and those that users made."""
    found = [await find_channel(session, name) for name in names]
    taking = [one for one in await own_channels(session) if set(rules_of(one).listing_names) & set(names)]
    return list({one.slug: one for one in [*found, *taking] if one is not None}.values())


async def followed_categories(session: AsyncSession, configured: Sequence[str]) -> list[str]:
    """The categories to poll: those of the settings and of every channel that a user made."""
    wanted = dict.fromkeys(configured)
    for channel in await own_channels(session):
        wanted.update(dict.fromkeys(channel.categories))
    return list(wanted)


def listing_names(channel: Channel) -> list[str]:
    """The categories whose listings a channel takes, under all of their names."""
    return rules_of(channel).listing_names
