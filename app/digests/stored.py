"""Digests that are written: reading revisions back, finding, listing, comparing and deleting them."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Integer, Select, Text, bindparam, delete, func, literal_column, or_, select, text, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from app.channels import get_channel
from app.db import Database, Prepared, among, prepare
from app.errors import NotFound
from app.models import Channel, Digest, DigestItem, DigestKind, DigestRevision
from app.render import document
from app.render.document import DigestDocument, Receipt

ITEM: TypeAdapter[document.DigestItem] = TypeAdapter(document.DigestItem)
RECEIPT: TypeAdapter[Receipt] = TypeAdapter(Receipt)
"""How items and receipts are kept as JSON, and read back."""


@dataclass(frozen=True, slots=True)
class Head:
    """A revision without its content: enough to tell whether a caller has it already."""

    digest_id: str
    revision: int
    created_at: datetime
    position: int


def build_document(
    digest: Digest, revision: DigestRevision, receipt: Receipt, items: Sequence[document.DigestItem]
) -> DigestDocument:
    """The document that the renderers read, from the rows and what is in them."""
    period = document.Period(digest.period_from, digest.period_to) if digest.period_from and digest.period_to else None
    return DigestDocument(
        id=digest.id,
        channel=digest.channel,
        title=digest.title,
        period=period,
        language=digest.language,
        revision=revision.revision,
        created_at=revision.created_at,
        receipt=receipt,
        items=tuple(items),
        first_created_at=digest.created_at,
    )


_HEAD = (
    select(Digest.id, DigestRevision.revision, DigestRevision.created_at, Digest.position)
    .join(DigestRevision, DigestRevision.digest_id == Digest.id)
    .where(Digest.revision > literal_column("0"))
)


async def find_head(session: AsyncSession, digest_id: str, revision: int | None = None) -> Head:
    """A digest's newest revision, or the one asked for; ``NotFound``. One statement, where there is one."""
    number = DigestRevision.revision == (Digest.revision if revision is None else revision)
    found = await _heads(session, _HEAD.where(Digest.id == digest_id, number))
    if not found:
        raise await _not_found(session, digest_id, revision)
    return found[0]


async def _heads(session: AsyncSession, query: Select[str, int, datetime, int]) -> list[Head]:
    rows = await session.execute(query)
    return [Head(digest_id, revision, created_at, position) for digest_id, revision, created_at, position in rows]


async def read_head(database: Database, digest_id: str, revision: int | None = None) -> Head:
    """As ``find_head``, for those who ask again and again: without a transaction."""
    parameters = {"digest_id": digest_id} | ({"revision": revision} if revision is not None else {})
    for row in await database.fetch(_head_statement(is_newest=revision is None), parameters):
        return Head(*row)
    async with database.transaction() as session:
        raise await _not_found(session, digest_id, revision)


@cache
def _head_statement(*, is_newest: bool) -> Prepared:
    number = Digest.revision if is_newest else bindparam("revision", type_=Integer())
    here = Digest.id == bindparam("digest_id", type_=Text())
    return prepare(_HEAD.where(here, DigestRevision.revision == number))


async def _not_found(session: AsyncSession, digest_id: str, revision: int | None) -> NotFound:
    digest = await session.get(Digest, digest_id)
    if digest is None:
        return NotFound(f"There is no digest {digest_id[:80]!r}.")
    if digest.revision == 0:
        return NotFound(
            f"The digest {digest.id} is being prepared and not written yet; POST /v1/digests writes it with what there is."
        )
    return NotFound(f"The digest {digest.id} has no revision {revision}; its newest is {digest.revision}.")


async def get_digest(session: AsyncSession, digest_id: str, revision: int | None = None) -> DigestDocument:
    """A digest's newest revision, or the one asked for; ``NotFound``."""
    [found] = await get_digests(session, [await find_head(session, digest_id, revision)])
    return found


async def get_digests(session: AsyncSession, heads: Sequence[Head]) -> list[DigestDocument]:
    """These revisions of different digests whole, in this order: two statements, however many they are.

    A revision never changes, but it may be deleted between the two, and made again with the same number: then ``NotFound``.
    """
    if not heads:
        return []
    of_heads = tuple_(DigestRevision.digest_id, DigestRevision.revision, DigestRevision.created_at).in_(
        [(head.digest_id, head.revision, head.created_at) for head in heads]
    )
    rows = await session.execute(
        select(Digest, DigestRevision)
        .join(DigestRevision, DigestRevision.digest_id == Digest.id)
        .where(of_heads)
        .execution_options(populate_existing=True)
    )
    found = {digest.id: (digest, revision) for digest, revision in rows}
    contents = (
        select(DigestItem.digest_id, DigestItem.content, DigestItem.added_at, DigestItem.changed_at)
        .join(
            DigestRevision,
            (DigestRevision.digest_id == DigestItem.digest_id) & (DigestRevision.revision == DigestItem.revision),
        )
        .where(of_heads)
        .order_by(DigestItem.digest_id, DigestItem.position)
    )
    items: dict[str, list[document.DigestItem]] = defaultdict(list)
    for digest_id, content, added_at, changed_at in await session.execute(contents):
        written_at = found[digest_id][1].created_at if digest_id in found else None
        item = ITEM.validate_python(content)
        items[digest_id].append(replace(item, added_at=added_at or written_at, changed_at=changed_at or written_at))
    documents = []
    for head in heads:
        digest, revision = found.get(head.digest_id, (None, None))
        receipt = RECEIPT.validate_python(revision.receipt) if revision is not None else None
        if digest is None or revision is None or receipt is None or len(items[head.digest_id]) != receipt.items:
            raise await _not_found(session, head.digest_id, head.revision)
        documents.append(build_document(digest, revision, receipt, items[head.digest_id]))
    return documents


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """A page of a channel's own digests, the newest period first; ``language`` is theirs, None where they may be in any."""

    channel: Channel
    language: str | None
    heads: tuple[Head, ...]
    has_more: bool


async def channel_page(
    session: AsyncSession,
    slug: str,
    language: str | None,
    *,
    otherwise: str | None = None,
    limit: int,
    skip: int = 0,
    with_rollups: bool = False,
) -> ChannelPage:
    """The digests of a channel's schedule in a language. Without one they are in the channel's, or ``otherwise``; without
    that either, in any. ``with_rollups``: behind them its other digests.

    One statement, unless ``slug`` is another name of the channel's category. ``NotFound`` if there is no such channel.
    """
    statement = _page(language, otherwise, limit + 1, skip, with_rollups=with_rollups)
    rows = (await session.execute(statement.where(Channel.slug == slug))).all()
    if not rows:
        canonical = (await get_channel(session, slug)).slug
        rows = (await session.execute(statement.where(Channel.slug == canonical))).all()
    channel = rows[0][0]
    heads = [Head(*row[1:5]) for row in rows if row[1] is not None]
    spoken = language or (channel.language or otherwise if otherwise else None)
    return ChannelPage(channel, spoken, tuple(heads[:limit]), len(heads) > limit)


def _page(language: str | None, otherwise: str | None, limit: int, skip: int, *, with_rollups: bool) -> Select[Any]:
    is_own = (Digest.kind == DigestKind.CHANNEL).label("is_own")
    own = _HEAD.add_columns(Digest.period_to, is_own).where(
        Digest.channel == Channel.slug, DigestRevision.revision == Digest.revision
    )
    if not with_rollups:
        own = own.where(is_own)
    if language is not None:
        own = own.where(Digest.language == language)
    elif otherwise is not None:
        own = own.where(Digest.language == func.coalesce(Channel.language, otherwise))
    newest = is_own.desc(), Digest.period_to.desc(), Digest.position.desc()
    page = own.order_by(*newest).limit(limit).offset(skip).correlate(Channel).lateral("page")
    columns = (page.c.id, page.c.revision, page.c.created_at, page.c.position)
    statement = select(Channel, *columns).outerjoin(page, true())
    return statement.order_by(page.c.is_own.desc(), page.c.period_to.desc(), page.c.position.desc())


async def latest_head(session: AsyncSession, slug: str, language: str | None) -> Head:
    """A channel's newest digest, in ``language`` if one is asked for; ``NotFound`` if there is none yet.

    Of its own schedule, if there is one; otherwise a roll-up.
    """
    page = await channel_page(session, slug, language, limit=1, with_rollups=True)
    if not page.heads:
        in_language = f" in {language}" if language else ""
        raise NotFound(
            f"The channel {page.channel.slug} has no digest{in_language} yet; one is composed when a listing of "
            f"{', '.join(page.channel.categories)} is read, or by POST /v1/digests."
        )
    return page.heads[0]


_LISTED = (
    select(Digest, DigestRevision.receipt)
    .join(
        DigestRevision,
        (DigestRevision.digest_id == Digest.id) & (DigestRevision.revision == Digest.revision),
    )
    .where(Digest.revision > 0)
)


async def get_listed(session: AsyncSession, digest_ids: Sequence[str]) -> list[tuple[Digest, Receipt]]:
    """Those of these digests that are written, with the receipts of their newest revisions."""
    rows = await session.execute(_LISTED.where(among(Digest.id, digest_ids)))
    return [(digest, RECEIPT.validate_python(receipt)) for digest, receipt in rows]


async def list_digests(
    session: AsyncSession,
    *,
    limit: int,
    before: int | None = None,
    channel: str | None = None,
    language: str | None = None,
    kind: DigestKind | None = None,
) -> tuple[list[tuple[Digest, Receipt]], int | None]:
    """A page of digests with the receipts of their newest revisions, the last created first; the number to continue.

    ``NotFound`` for a channel that does not exist.
    """
    query = _LISTED.order_by(Digest.position.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(Digest.position < before)
    if channel is not None:
        query = query.where(Digest.channel == (await get_channel(session, channel)).slug)
    if language is not None:
        query = query.where(Digest.language == language)
    if kind is not None:
        query = query.where(Digest.kind == kind)
    rows = [(digest, RECEIPT.validate_python(receipt)) for digest, receipt in await session.execute(query)]
    return rows[:limit], rows[limit - 1][0].position if len(rows) > limit else None


async def list_revisions(
    session: AsyncSession, digest_id: str, *, limit: int, before: int | None = None
) -> tuple[list[tuple[DigestRevision, Receipt]], int | None]:
    """A page of a digest's revisions with their receipts, the newest first, and the number to continue; ``NotFound``."""
    head = await find_head(session, digest_id)
    query = select(DigestRevision).where(DigestRevision.digest_id == head.digest_id)
    if before is not None:
        query = query.where(DigestRevision.revision < before)
    rows = list(await session.scalars(query.order_by(DigestRevision.revision.desc()).limit(limit + 1)))
    pairs = [(row, RECEIPT.validate_python(row.receipt)) for row in rows[:limit]]
    return pairs, rows[limit - 1].revision if len(rows) > limit else None


@dataclass(frozen=True, slots=True)
class ItemChange:
    """A paper that both revisions show, differently; ``fields`` are the names of what differs."""

    arxiv_id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a revision has changed against an earlier one (None: against nothing, so that all of it is new)."""

    before: DigestDocument | None
    after: DigestDocument
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[ItemChange, ...]


_NOT_CONTENT = {"position", "added_at", "changed_at"}


async def compare(session: AsyncSession, digest_id: str, revision: int, against: int | None = None) -> Difference:
    """What a revision has changed against the one before it, or against the one named; ``NotFound``."""
    after = await get_digest(session, digest_id, revision)
    against = against if against is not None else revision - 1
    before = await get_digest(session, digest_id, against) if against >= 1 else None
    old = {item.arxiv_id: item for item in before.items} if before else {}
    new = {item.arxiv_id: item for item in after.items}
    return Difference(
        before,
        after,
        tuple(one for one in new if one not in old),
        tuple(one for one in old if one not in new),
        tuple(
            ItemChange(one, names) for one, item in new.items() if one in old and (names := _differing(old[one], item))
        ),
    )


def _differing(old: document.DigestItem, new: document.DigestItem) -> tuple[str, ...]:
    names = [field.name for field in fields(document.DigestItem) if field.name not in _NOT_CONTENT]
    return tuple(name for name in names if getattr(old, name) != getattr(new, name))


def _anything(_: Head | None) -> None:
    """Expect nothing."""


async def delete_digest(
    session: AsyncSession, digest_id: str, check: Callable[[Head | None], None] = _anything
) -> None:
    """Delete a digest with its revisions; what only it has shown, its channel may show again. ``NotFound``.

    ``check`` is given its newest revision (None: none is written yet) while nobody else can write one, and may raise.
    """
    digest = await session.scalar(select(Digest).where(Digest.id == digest_id).with_for_update())
    if digest is None:
        raise await _not_found(session, digest_id, None)
    newest = DigestRevision.revision == Digest.revision
    check(next(iter(await _heads(session, _HEAD.where(Digest.id == digest_id, newest))), None))
    await session.execute(delete(Digest).where(Digest.id == digest_id))


_SHOWING = text(
    """
    SELECT DISTINCT item.digest_id
    FROM digest_items AS item
    JOIN digests AS digest ON digest.id = item.digest_id AND digest.revision = item.revision
    WHERE item.arxiv_id = :arxiv_id
    """
)


async def showing(session: AsyncSession, arxiv_id: str) -> list[str]:
    """The digests whose newest revision shows a paper: a human's text may replace any."""
    return list(await session.scalars(_SHOWING, {"arxiv_id": arxiv_id}))


async def waiting_for(session: AsyncSession, arxiv_id: str) -> list[str]:
    """The digests that wait for a summary of this paper, or show one that a better one may replace."""
    return list(await session.scalars(select(Digest.id).where(Digest.waiting_for.contains([arxiv_id]))))


async def rollups_over(session: AsyncSession, slugs: Sequence[str], days: Sequence[date]) -> list[str]:
    """The roll-ups of these channels that are written and cover one of these days."""
    if not days:
        return []
    covering = or_(*((Digest.period_from <= day) & (Digest.period_to >= day) for day in days))
    query = select(Digest.id).where(
        Digest.channel.in_(slugs), Digest.kind == DigestKind.ROLLUP, Digest.revision > 0, covering
    )
    return list(await session.scalars(query.order_by(Digest.id)))


async def is_written(session: AsyncSession, slug: str, language: str, first: date, last: date) -> bool:
    """Whether a channel's digest of a period in a language has a revision."""
    query = select(Digest.id).where(
        Digest.channel == slug,
        Digest.language == language,
        Digest.period_to == last,
        Digest.period_from == first,
        Digest.revision > 0,
    )
    return await session.scalar(query.limit(1)) is not None
