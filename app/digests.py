"""Digests: which papers, in which order, with which summaries, frozen as a revision.

A digest's id is made from what was asked for, so that asking twice gives the same digest. Composing it again writes a
new revision only if its content has changed; a revision, once written, never changes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime

from pydantic import TypeAdapter
from sqlalchemy import ARRAY, BigInteger, any_, insert, literal, select, text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import archive_record, listings, papers, summaries
from app.arxiv import ids
from app.channels import get_channel
from app.errors import Conflict, InvalidInput, ListingNotRead, NotFound, UnknownPapers
from app.llm import Summariser
from app.models import (
    Channel,
    Digest,
    DigestItem,
    DigestRevision,
    ListingState,
    Paper,
    PaperEntry,
    SummaryStatus,
)
from app.render import document
from app.render.document import DigestDocument, Receipt
from app.summaries import Current

MAX_PAPERS = 5_000
"""Papers that one ad hoc digest may name."""

_ITEM: TypeAdapter[document.DigestItem] = TypeAdapter(document.DigestItem)
_RECEIPT: TypeAdapter[Receipt] = TypeAdapter(Receipt)


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


@dataclass(frozen=True, slots=True)
class Composed:
    """A digest as it now stands; ``created`` if it did not exist before."""

    document: DigestDocument
    created: bool


@dataclass(slots=True)
class Selection:
    """The papers of a digest before they are looked up: announce type by id, None for an ad hoc digest."""

    announced: dict[str, str | None]
    title: str
    states: list[str] = field(default_factory=list)


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
        from_ = to = await listings.latest_announced_on(session, _names(channel))
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


async def compose(session: AsyncSession, wanted: Wanted, summariser: Summariser) -> Composed:
    """Create a digest, or bring it up to date, and ask for the summaries that it lacks.

    Raises ``UnknownPapers`` or ``ListingNotRead``; nothing is stored then.
    """
    await summaries.hold_still(session)
    selection = await _select(session, wanted)
    digest, created = await _digest_row(session, wanted, selection.title)
    stored = await papers.find_papers(session, selection.announced)
    if wanted.paper_ids is not None:
        unknown = [arxiv_id for arxiv_id in wanted.paper_ids if arxiv_id not in stored]
        if unknown:
            raise UnknownPapers(unknown)
    chosen = await summaries.current(session, stored, wanted.language)
    lacking = [arxiv_id for arxiv_id in stored if arxiv_id not in chosen]
    await summaries.request(session, lacking, [wanted.language], summariser)
    items = await _items(session, stored, selection, chosen, wanted.language)
    receipt = _receipt(selection, stored, items)
    revision = await _write_revision(session, digest, items, receipt)
    return Composed(_document(digest, revision, receipt, items), created)


async def _select(session: AsyncSession, wanted: Wanted) -> Selection:
    if wanted.paper_ids is not None:
        title = wanted.title or ("1 paper" if len(wanted.paper_ids) == 1 else f"{len(wanted.paper_ids)} papers")
        return Selection(dict.fromkeys(wanted.paper_ids), title)
    assert wanted.channel is not None
    assert wanted.from_ is not None
    assert wanted.to is not None
    channel = await get_channel(session, wanted.channel)
    found = await listings.find_listings(session, _names(channel), wanted.from_, wanted.to)
    read = [listing for listing in found if listing.state != ListingState.FAILED]
    period = str(wanted.from_) if wanted.from_ == wanted.to else f"{wanted.from_} – {wanted.to}"
    if not read:
        reasons = "; ".join(f"{listing.category} on {listing.announced_on}: {listing.reason}" for listing in found)
        raise ListingNotRead(
            f"No listing of {', '.join(channel.categories)} for {period} has been read"
            + (f" ({reasons})." if reasons else "; POST /v1/ingestions or 'zhaiyao ingest' reads one.")
        )
    types: dict[str, list[str]] = {}
    for listing in read:
        for arxiv_id, kind in listing.announced.items():
            types.setdefault(arxiv_id, []).append(kind)
    strongest = {arxiv_id: listings.strongest(kinds) for arxiv_id, kinds in types.items()}
    kept: dict[str, str | None] = {
        arxiv_id: kind for arxiv_id, kind in strongest.items() if kind in channel.announce_types
    }
    return Selection(kept, f"{channel.title}, {period}")


def _names(channel: Channel) -> list[str]:
    return sorted({name for category in channel.categories for name in listings.taxonomy_names(category)})


async def _digest_row(session: AsyncSession, wanted: Wanted, title: str) -> tuple[Digest, bool]:
    """The digest's row, locked, so that two that compose it write one revision after the other."""
    inserted = await session.scalar(
        pg_insert(Digest)
        .values(
            id=wanted.id,
            channel=wanted.channel,
            title=title,
            period_from=wanted.from_,
            period_to=wanted.to,
            language=wanted.language,
            paper_ids=list(wanted.paper_ids) if wanted.paper_ids is not None else None,
            revision=0,
        )
        .on_conflict_do_nothing()
        .returning(Digest.id)
    )
    digest = (await session.scalars(select(Digest).where(Digest.id == wanted.id).with_for_update())).one()
    return digest, inserted is not None


async def _items(
    session: AsyncSession,
    stored: Mapping[str, Paper],
    selection: Selection,
    chosen: Mapping[str, Current],
    language: str,
) -> list[document.DigestItem]:
    records = await _archive_records(session, chosen.values())
    newest_first = sorted(stored.values(), key=lambda paper: paper.order_key, reverse=True)
    return [
        _item(position, paper, selection.announced[paper.arxiv_id], chosen.get(paper.arxiv_id), records, language)
        for position, paper in enumerate(newest_first, 1)
    ]


async def _archive_records(session: AsyncSession, chosen: Iterable[Current]) -> dict[int, document.ClassicTexts]:
    """The older system's texts behind imported summaries, by entry."""
    entries = [current.summary.entry_id for current in chosen if current.summary.entry_id is not None]
    if not entries:
        return {}
    named = PaperEntry.id == any_(literal(entries, ARRAY(BigInteger)))
    rows = await session.execute(select(PaperEntry.id, PaperEntry.raw).where(named))
    return {entry_id: archive_record.classic_texts(raw) for entry_id, raw in rows}


def _item(
    position: int,
    paper: Paper,
    announce_type: str | None,
    current: Current | None,
    records: Mapping[int, document.ClassicTexts],
    language: str,
) -> document.DigestItem:
    summary = current.summary if current else None
    done = summary if summary and summary.status == SummaryStatus.DONE else None
    # Of a summary in another language an English digest takes the English sentence, and nothing else.
    own = done if done and done.language == language else None
    return document.DigestItem(
        position=position,
        arxiv_id=paper.arxiv_id,
        version=paper.version,
        title=paper.title,
        translated_title=own.title if own else None,
        tldr=own.tldr if own else done.tldr_en if done else None,
        tldr_en=done.tldr_en if done else None,
        translated_abstract=own.abstract if own else None,
        abstract=paper.abstract,
        abstract_is_cut=paper.abstract_is_cut,
        authors=tuple(document.ItemAuthor(a["name"], tuple(a["affiliations"])) for a in paper.authors),
        authors_omitted=paper.authors_omitted,
        primary_category=paper.primary_category,
        categories=tuple(paper.categories),
        announce_type=announce_type,
        links=document.Links(ids.abs_url(paper.arxiv_id), ids.pdf_url(paper.arxiv_id)),
        summary_status=summary.status if summary else SummaryStatus.PENDING,
        summary_error=summary.error if summary else None,
        summary=_provenance(current) if current and done else None,
        classic=records.get(done.entry_id) if done and done.entry_id is not None else None,
    )


def _provenance(current: Current) -> document.Provenance:
    summary = current.summary
    return document.Provenance(
        origin=summary.origin,
        model=summary.model or None,
        provider=summary.provider or None,
        prompt_version=summary.prompt_version or None,
        paper_version=summary.paper_version,
        tokens=summary.tokens,
        made_at=summary.made_at,
        stale=current.stale,
    )


def _receipt(selection: Selection, stored: Mapping[str, Paper], items: Sequence[document.DigestItem]) -> Receipt:
    status = [item.summary_status for item in items]
    return Receipt(
        announced=len(selection.announced),
        stored=len(stored),
        summarized=status.count(SummaryStatus.DONE),
        pending=status.count(SummaryStatus.PENDING) + status.count(SummaryStatus.RUNNING),
        failed=status.count(SummaryStatus.FAILED),
        untranslated=sum(item.summary_status == SummaryStatus.DONE and item.tldr is None for item in items),
        missing=tuple(sorted(set(selection.announced) - set(stored))),
    )


async def _write_revision(
    session: AsyncSession, digest: Digest, items: Sequence[document.DigestItem], receipt: Receipt
) -> DigestRevision:
    """The newest revision if the content is still the same, else a new one."""
    contents = [_ITEM.dump_python(item, mode="json") for item in items]
    content_hash = hashlib.sha256(
        json.dumps([asdict(receipt), contents], ensure_ascii=False, sort_keys=True).encode()
    ).hexdigest()
    latest = await session.get(DigestRevision, (digest.id, digest.revision))
    if latest is not None and latest.content_hash == content_hash:
        return latest
    digest.revision += 1
    revision = DigestRevision(
        digest_id=digest.id,
        revision=digest.revision,
        content_hash=content_hash,
        receipt=_RECEIPT.dump_python(receipt, mode="json"),
        created_at=datetime.now(UTC),
    )
    session.add(revision)
    await session.flush()
    rows = [
        {
            "digest_id": digest.id,
            "revision": digest.revision,
            "position": item.position,
            "arxiv_id": item.arxiv_id,
            "summary_status": item.summary_status,
            "content": content,
        }
        for item, content in zip(items, contents, strict=True)
    ]
    if rows:
        await session.execute(insert(DigestItem), rows)
    return revision


def _document(
    digest: Digest, revision: DigestRevision, receipt: Receipt, items: Sequence[document.DigestItem]
) -> DigestDocument:
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
    items = [_ITEM.validate_python(content) for content in contents]
    return _document(digest, row, _RECEIPT.validate_python(row.receipt), items)


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
    rows = [(digest, _RECEIPT.validate_python(receipt)) for digest, receipt in await session.execute(query)]
    return rows[:limit], rows[limit - 1][0].position if len(rows) > limit else None


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


_WAITING = text(
    """
    SELECT DISTINCT item.digest_id
    FROM digest_items AS item
    JOIN digests AS digest ON digest.id = item.digest_id AND digest.revision = item.revision
    WHERE item.arxiv_id = :arxiv_id AND item.summary_status <> 'done'
    """
)


async def waiting_for(session: AsyncSession, arxiv_id: str) -> list[str]:
    """The digests whose newest revision shows this paper without a summary."""
    return list(await session.scalars(_WAITING, {"arxiv_id": arxiv_id}))
