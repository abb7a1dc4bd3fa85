"""Channels: named streams of digests. Every category and archive of arXiv is one from the start."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from app.arxiv import taxonomy
from app.arxiv.entries import AnnounceType
from app.errors import Conflict, NotFound, UnknownCategory
from app.models import Channel

ALL_TYPES = tuple(str(kind) for kind in AnnounceType)


@dataclass(frozen=True, slots=True)
class NewChannel:
    """A channel to create; categories under any of their names."""

    slug: str
    title: str
    categories: Sequence[str]
    announce_types: Sequence[str] = ALL_TYPES
    language: str | None = None


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
    """Store a channel; ``Conflict`` if its slug is taken, ``UnknownCategory`` if arXiv has no such category."""
    taken = await find_channel(session, new.slug)
    if taken is not None:
        raise _taken(taken.slug)
    channel: Channel | None = await session.scalar(
        insert(Channel)
        .values(
            slug=new.slug,
            title=new.title,
            categories=list(dict.fromkeys(taxonomy.canonical(name) for name in new.categories)),
            announce_types=[kind for kind in ALL_TYPES if kind in new.announce_types],
            language=new.language,
            builtin=False,
        )
        .on_conflict_do_nothing()
        .returning(Channel)
    )
    if channel is None:  # somebody else created it since we looked
        raise _taken(new.slug)
    return channel


def _taken(slug: str) -> Conflict:
    return Conflict(f"The channel {slug} exists already; choose another slug.")


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
        raise NotFound(f"There is no channel {slug[:80]!r}. GET /v1/channels lists them; each arXiv category is one.")
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


async def followed_categories(session: AsyncSession, configured: Sequence[str]) -> list[str]:
    """The categories to poll: those of the settings and of every channel that a user made."""
    wanted = dict.fromkeys(configured)
    for channel in await own_channels(session):
        wanted.update(dict.fromkeys(channel.categories))
    return list(wanted)


def listing_names(channel: Channel) -> list[str]:
    """The categories whose listings a channel takes, under all of their names; an archive takes each of its own."""
    return sorted({name for category in channel.categories for name in taxonomy.names_or_same(category)})
