"""Digests that are written: reading a revision back, finding and listing them."""

from collections.abc import Sequence

from pydantic import TypeAdapter
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.channels import get_channel
from app.errors import NotFound
from app.models import Digest, DigestItem, DigestRevision
from app.render import document
from app.render.document import DigestDocument, Receipt

ITEM: TypeAdapter[document.DigestItem] = TypeAdapter(document.DigestItem)
RECEIPT: TypeAdapter[Receipt] = TypeAdapter(Receipt)
"""How items and receipts are kept as JSON, and read back."""


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
    )


async def get_digest(session: AsyncSession, digest_id: str, revision: int | None = None) -> DigestDocument:
    """A digest's newest revision, or the one asked for; ``NotFound``."""
    digest = await session.get(Digest, digest_id)
    if digest is None:
        raise NotFound(f"There is no digest {digest_id[:80]!r}.")
    number = revision if revision is not None else digest.revision
    row = await session.get(DigestRevision, (digest.id, number))
    if row is None:
        raise NotFound(f"The digest {digest.id} has no revision {number}; its newest is {digest.revision}.")
    contents = await session.scalars(
        select(DigestItem.content)
        .where(DigestItem.digest_id == digest.id, DigestItem.revision == number)
        .order_by(DigestItem.position)
    )
    items = [ITEM.validate_python(content) for content in contents]
    return build_document(digest, row, RECEIPT.validate_python(row.receipt), items)


async def latest_digest(session: AsyncSession, slug: str, language: str | None) -> DigestDocument:
    """A channel's newest digest, in ``language`` if one is asked for; ``NotFound`` if there is none yet."""
    channel = await get_channel(session, slug)
    query = select(Digest.id).where(Digest.channel == channel.slug)
    if language is not None:
        query = query.where(Digest.language == language)
    newest = await session.scalar(query.order_by(Digest.period_to.desc(), Digest.position.desc()).limit(1))
    if newest is None:
        in_language = f" in {language}" if language else ""
        raise NotFound(
            f"The channel {channel.slug} has no digest{in_language} yet; one is composed when a listing of "
            f"{', '.join(channel.categories)} is read, or by POST /v1/digests."
        )
    return await get_digest(session, newest)


async def list_digests(
    session: AsyncSession,
    *,
    limit: int,
    before: int | None = None,
    channel: str | None = None,
    language: str | None = None,
) -> tuple[list[tuple[Digest, Receipt]], int | None]:
    """A page of digests with the receipts of their newest revisions, the last created first; the number to continue.

    ``NotFound`` for a channel that does not exist.
    """
    query = (
        select(Digest, DigestRevision.receipt)
        .join(
            DigestRevision,
            (DigestRevision.digest_id == Digest.id) & (DigestRevision.revision == Digest.revision),
        )
        .order_by(Digest.position.desc())
        .limit(limit + 1)
    )
    if before is not None:
        query = query.where(Digest.position < before)
    if channel is not None:
        query = query.where(Digest.channel == (await get_channel(session, channel)).slug)
    if language is not None:
        query = query.where(Digest.language == language)
    rows = [(digest, RECEIPT.validate_python(receipt)) for digest, receipt in await session.execute(query)]
    return rows[:limit], rows[limit - 1][0].position if len(rows) > limit else None


_WAITING = text(
    """
    SELECT DISTINCT item.digest_id
    FROM digest_items AS item
    JOIN digests AS digest ON digest.id = item.digest_id AND digest.revision = item.revision
    WHERE item.arxiv_id = :arxiv_id
      AND (:every OR item.summary_status <> 'done' OR item.content #>> '{summary,origin}' = 'extractive'
           OR item.content #>> '{summary,stale}' = 'true')
    """
)


async def waiting_for(session: AsyncSession, arxiv_id: str, *, every: bool = False) -> list[str]:
    """The digests whose newest revision shows this paper without a summary, or with one that a better one may replace.

    With ``every``, all whose newest revision shows the paper: a human's text may replace any.
    """
    return list(await session.scalars(_WAITING, {"arxiv_id": arxiv_id, "every": every}))
