"""Composing: which papers, in which order, with which summaries, frozen as a revision.

Asked by hand, a digest is written with what there is. By itself it is written once its listings are read and its summaries
made, or at its deadline; and once more when the summaries that it waited for have come.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, any_, literal, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.ext.asyncio import AsyncSession

from app import archive_record, summaries
from app.arxiv import ids
from app.channels import RULES, TRANSLATED, Rules, lock_channel, rules_of
from app.digests.ledger import Page, turn_page
from app.digests.selecting import Pick, Selection, in_order, select_announced, select_found, select_papers
from app.digests.stored import RECEIPT, build_document
from app.digests.wanted import QUESTION, Clock, Wanted
from app.digests.writing import newest_revision, shown_papers, write_revision
from app.errors import NotFound
from app.models import Channel, Digest, DigestKind, Order, PaperEntry, SummaryOrigin, SummaryStatus
from app.render import document
from app.render.document import DigestDocument, Receipt
from app.summaries import Current, Maker


@dataclass(frozen=True, slots=True)
class Composed:
    """A digest as it now stands; ``created`` if it did not exist before."""

    document: DigestDocument
    created: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """A digest that is not written now, with the numbers of summaries and listings that it still waits for."""

    digest_id: str
    pending: int
    incomplete: int


@dataclass(frozen=True, slots=True)
class _Content:
    """What a revision is to hold."""

    digest: Digest
    items: list[document.DigestItem]
    receipt: Receipt


async def compose(
    session: AsyncSession, wanted: Wanted, summariser: Maker, clock: Clock | None = None, *, is_there: bool = False
) -> Composed:
    """Create a digest, or bring it up to date, by the channel's present rules; the summaries that it lacks are asked for.

    Without a ``clock`` a period that nobody has read is composed all the same, and says so. ``is_there``: only if it exists,
    otherwise ``NotFound``. Raises ``UnknownPapers`` or ``ListingNotRead``; nothing is stored then.
    """
    content = await _content(session, wanted, summariser, clock, is_automatic=False, is_there=is_there)
    return await _write(session, content)


async def compose_if_ready(
    session: AsyncSession, wanted: Wanted, summariser: Maker, clock: Clock, *, is_there: bool = False
) -> Composed | Draft:
    """The same when nobody asks, by the rules that the digest was asked for with: it is written if nothing is waited for any
    more, or if it is due and there is none yet, or not with these papers and listings.

    So a backlog that clears makes one new revision, not one for each summary. Otherwise what it waits for is noted, and the
    last summary that comes has it composed again.
    """
    content = await _content(session, wanted, summariser, None, is_automatic=True, is_there=is_there)
    digest, receipt = content.digest, content.receipt
    written = await newest_revision(session, digest)
    making = await summaries.in_the_making(session, digest.waiting_for, digest.language)
    if not making and (written is not None or not (receipt.pending or receipt.incomplete)):
        return await _write(session, content)
    if wanted.to is not None and clock.is_due(wanted.to):
        papers = [item.arxiv_id for item in content.items]
        if (
            written is None
            or set(await shown_papers(session, digest)) != set(papers)
            or RECEIPT.validate_python(written.receipt).incomplete != receipt.incomplete
        ):
            return await _write(session, content)
    return Draft(digest.id, receipt.pending, len(receipt.incomplete))


async def still_waits(session: AsyncSession, digest_id: str) -> int:
    """How many of the summaries that a digest waits for are in the making: while there are any, it is too early."""
    digest = await session.get(Digest, digest_id)
    if digest is None or not digest.waiting_for:
        return 0
    return await summaries.in_the_making(session, digest.waiting_for, digest.language)


async def _content(
    session: AsyncSession,
    wanted: Wanted,
    summariser: Maker,
    clock: Clock | None,
    *,
    is_automatic: bool,
    is_there: bool,
) -> _Content:
    await summaries.hold_still(session)
    # The channel is locked before its digest, as those do who change or delete a channel.
    channel = await lock_channel(session, wanted.channel) if wanted.channel is not None else None
    before = await _find_locked(session, wanted.id)
    if before is None and is_there:
        raise NotFound(f"There is no digest {wanted.id!r} any more.")
    # A channel's schedule may have made its own what was a roll-up before; the other way round it stays the channel's.
    kind = wanted.kind if before is None or before.kind == DigestKind.ROLLUP else DigestKind(before.kind)
    rules = _rules(channel, before if is_automatic else None)
    selection = await _select(session, wanted, rules, clock, before if is_automatic else None)
    digest = await _digest_row(session, wanted, kind, selection.title, rules)
    if rules is not None and kind == DigestKind.CHANNEL and not rules.repeats:
        page = await turn_page(session, wanted, rules, selection.picks)
    else:
        page = Page(selection.picks)
    order = rules.order_by if rules else wanted.question.order_by if wanted.question else Order.ID
    picks = in_order(page.picks, order)
    stored = {pick.paper.arxiv_id: pick.paper for pick in picks}
    chosen = await summaries.current(session, stored, wanted.language)
    lacking = [arxiv_id for arxiv_id in stored if arxiv_id not in chosen]
    await summaries.request(session, lacking, [wanted.language], summariser)
    translate = frozenset(rules.translate if rules else TRANSLATED)
    items = await _items(session, picks, chosen, wanted.language, translate)
    digest.waiting_for = [item.arxiv_id for item in items if _may_gain(item)]
    if rules is not None and rules.query is not None and not rules.query.isascii():
        # What is asked for in Chinese may be found only in a translation: the papers left out are waited for, too.
        digest.waiting_for += sorted(selection.left_out)
    return _Content(digest, items, _receipt(selection, page, items, has_own_words="tldr" in translate))


def _rules(channel: Channel | None, before: Digest | None) -> Rules | None:
    """A channel's rules: those that an existing digest was asked for with, if nobody asks now."""
    if channel is None:
        return None
    if before is not None and before.definition is not None:
        return RULES.validate_python(before.definition)
    return rules_of(channel)


async def _find_locked(session: AsyncSession, digest_id: str) -> Digest | None:
    locked = select(Digest).where(Digest.id == digest_id).with_for_update()
    return await session.scalar(locked.execution_options(populate_existing=True))


async def _select(
    session: AsyncSession, wanted: Wanted, rules: Rules | None, clock: Clock | None, before: Digest | None
) -> Selection:
    if rules is not None:
        return await select_announced(session, wanted, rules, clock)
    if wanted.question is not None:
        return await select_found(session, wanted, await shown_papers(session, before) if before else None)
    return await select_papers(session, wanted)


async def _digest_row(
    session: AsyncSession, wanted: Wanted, kind: DigestKind, title: str, rules: Rules | None
) -> Digest:
    """The digest's row, locked, so that two that compose it write one revision after the other."""
    row = pg_insert(Digest).values(
        id=wanted.id,
        kind=kind,
        channel=wanted.channel,
        title=title,
        period_from=wanted.from_,
        period_to=wanted.to,
        language=wanted.language,
        paper_ids=list(wanted.paper_ids) if wanted.paper_ids is not None else None,
        query=QUESTION.dump_python(wanted.question, mode="json") if wanted.question else None,
        revision=0,
    )
    # One statement inserts or locks: between two, somebody might delete it.
    upsert = row.on_conflict_do_update(index_elements=[Digest.id], set_={"kind": row.excluded.kind})
    options = {"populate_existing": True}
    digest = (await session.scalars(upsert.returning(Digest), execution_options=options)).one()
    digest.definition = RULES.dump_python(rules, mode="json") if rules else None
    return digest


async def _write(session: AsyncSession, content: _Content) -> Composed:
    is_new = content.digest.revision == 0
    revision, items = await write_revision(session, content.digest, content.items, content.receipt)
    return Composed(build_document(content.digest, revision, content.receipt, items), is_new)


async def _items(
    session: AsyncSession,
    picks: Sequence[Pick],
    chosen: Mapping[str, Current],
    language: str,
    translate: frozenset[str],
) -> list[document.DigestItem]:
    records = await _archive_records(session, chosen.values())
    return [
        _item(position, pick, chosen.get(pick.paper.arxiv_id), records, language, translate)
        for position, pick in enumerate(picks, 1)
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
    pick: Pick,
    current: Current | None,
    records: Mapping[int, document.ClassicTexts],
    language: str,
    translate: frozenset[str],
) -> document.DigestItem:
    paper = pick.paper
    summary = current.summary if current else None
    done = summary if summary and summary.status == SummaryStatus.DONE else None
    # Of a summary in another language an English digest takes the English sentence, and nothing else.
    own = done if done and done.language == language else None
    tldr = own.tldr if own else done.tldr_en if done else None
    return document.DigestItem(
        position=position,
        arxiv_id=paper.arxiv_id,
        version=paper.version,
        title=paper.title,
        translated_title=own.title if own and "title" in translate else None,
        tldr=tldr if "tldr" in translate else None,
        tldr_en=done.tldr_en if done else None,
        translated_abstract=own.abstract if own and "abstract" in translate else None,
        abstract=paper.abstract,
        abstract_is_cut=paper.abstract_is_cut,
        authors=tuple(document.ItemAuthor(a["name"], tuple(a["affiliations"])) for a in paper.authors),
        authors_omitted=paper.authors_omitted,
        primary_category=paper.primary_category,
        categories=tuple(paper.categories),
        announce_type=pick.announced.announce_type,
        links=document.Links(ids.abs_url(paper.arxiv_id), ids.pdf_url(paper.arxiv_id)),
        summary_status=summary.status if summary else SummaryStatus.PENDING,
        summary_error=summary.error if summary else None,
        summary=_provenance(current) if current and done else None,
        classic=records.get(done.entry_id) if done and done.entry_id is not None else None,
        announced_on=pick.announced.announced_on,
        submitted_at=paper.submitted_at,
        updated_at=paper.updated_at,
        comments=paper.comments,
        journal_ref=paper.journal_ref,
        doi=paper.doi,
        license=paper.license,
        withdrawn=paper.withdrawn,
        reasons=pick.reasons,
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


def _may_gain(item: document.DigestItem) -> bool:
    """Whether a summary that comes later may be better than what there is: none, an extracted sentence, a stale one."""
    made = item.summary
    return made is None or made.stale or made.origin == SummaryOrigin.EXTRACTIVE


def _receipt(selection: Selection, page: Page, items: Sequence[document.DigestItem], *, has_own_words: bool) -> Receipt:
    status = [item.summary_status for item in items]
    return Receipt(
        announced=len(selection.announced),
        stored=selection.stored,
        summarized=status.count(SummaryStatus.DONE),
        pending=status.count(SummaryStatus.PENDING) + status.count(SummaryStatus.RUNNING),
        failed=status.count(SummaryStatus.FAILED),
        untranslated=sum(
            has_own_words and item.summary_status == SummaryStatus.DONE and item.tldr is None for item in items
        ),
        missing=selection.missing,
        incomplete=selection.incomplete,
        not_matching=selection.not_matching,
        shown_before=page.shown_before,
        held_over=page.held_over,
        carried_over=page.carried_over,
    )
