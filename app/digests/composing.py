"""Composing: which papers, in which order, with which summaries, frozen as a revision.

A new revision is written only if the content has changed; once written, it never changes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy import ARRAY, BigInteger, any_, insert, literal, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import archive_record, listings, papers, summaries
from app.arxiv import calendar, ids, taxonomy
from app.channels import get_channel, listing_names
from app.digests.stored import ITEM, RECEIPT, build_document
from app.digests.wanted import Wanted
from app.errors import ListingNotRead, UnknownPapers
from app.models import Digest, DigestItem, DigestRevision, Listing, ListingState, Paper, PaperEntry, SummaryStatus
from app.render import document
from app.render.document import DigestDocument, Receipt
from app.summaries import Current, Maker


@dataclass(frozen=True, slots=True)
class Composed:
    """A digest as it now stands; ``created`` if it did not exist before."""

    document: DigestDocument
    created: bool


@dataclass(frozen=True, slots=True)
class Selection:
    """The papers of a digest before they are looked up: announce type by id, None for an ad hoc digest."""

    announced: dict[str, str | None]
    title: str
    incomplete: tuple[document.IncompleteListing, ...] = ()


async def compose(session: AsyncSession, wanted: Wanted, summariser: Maker) -> Composed:
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
    return Composed(build_document(digest, revision, receipt, items), created)


async def _select(session: AsyncSession, wanted: Wanted) -> Selection:
    if wanted.paper_ids is not None:
        title = wanted.title or ("1 paper" if len(wanted.paper_ids) == 1 else f"{len(wanted.paper_ids)} papers")
        return Selection(dict.fromkeys(wanted.paper_ids), title)
    assert wanted.channel is not None
    assert wanted.from_ is not None
    assert wanted.to is not None
    channel = await get_channel(session, wanted.channel)
    found = await listings.find_listings(session, listing_names(channel), wanted.from_, wanted.to)
    read = [listing for listing in found if listing.state in (*listings.READ, ListingState.EMPTY)]
    period = str(wanted.from_) if wanted.from_ == wanted.to else f"{wanted.from_} – {wanted.to}"
    if not read:
        reasons = "; ".join(f"{row.category} on {row.announced_on} ({row.state}): {row.reason}" for row in found)
        raise ListingNotRead(
            f"No listing of {', '.join(channel.categories)} for {period} has been read"
            + (f": {reasons.rstrip('.')}." if reasons else "; POST /v1/ingestions or 'zhaiyao ingest' reads one.")
        )
    types: dict[str, list[str]] = {}
    for listing in read:
        for arxiv_id, kind in listing.announced.items():
            types.setdefault(arxiv_id, []).append(kind)
    strongest = {arxiv_id: listings.strongest(kinds) for arxiv_id, kinds in types.items()}
    kept: dict[str, str | None] = {
        arxiv_id: kind for arxiv_id, kind in strongest.items() if kind in channel.announce_types
    }
    incomplete = _incomplete(channel.categories, found, calendar.batch_days(wanted.from_, wanted.to))
    return Selection(kept, f"{channel.title}, {period}", incomplete)


def _incomplete(
    categories: Sequence[str], found: Sequence[Listing], days: Sequence[date]
) -> tuple[document.IncompleteListing, ...]:
    """The listings that a period lacks. An archive's papers may be in its own listing or in those of its categories."""
    whole = {
        (row.category, row.announced_on) for row in found if row.state in (ListingState.ANNOUNCED, ListingState.EMPTY)
    }
    partial = [row for row in found if (row.category, row.announced_on) not in whole]
    lacking = [document.IncompleteListing(row.category, row.announced_on, row.state) for row in partial]
    for category in categories:
        names = taxonomy.names_or_same(category)
        known = {row.announced_on for row in found if row.category in names}
        lacking += [document.IncompleteListing(category, day, "unread") for day in days if day not in known]
    return tuple(sorted(lacking, key=lambda one: (one.announced_on, one.category)))


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
        model=summary.answered_by or summary.model or None,
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
        incomplete=selection.incomplete,
    )


async def _write_revision(
    session: AsyncSession, digest: Digest, items: Sequence[document.DigestItem], receipt: Receipt
) -> DigestRevision:
    """The newest revision if the content is still the same, else a new one."""
    contents = [ITEM.dump_python(item, mode="json") for item in items]
    proof = RECEIPT.dump_python(receipt, mode="json")
    content_hash = hashlib.sha256(
        json.dumps([proof, contents], ensure_ascii=False, sort_keys=True).encode()
    ).hexdigest()
    latest = await session.get(DigestRevision, (digest.id, digest.revision))
    if latest is not None and latest.content_hash == content_hash:
        return latest
    digest.revision += 1
    revision = DigestRevision(
        digest_id=digest.id,
        revision=digest.revision,
        content_hash=content_hash,
        receipt=proof,
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
