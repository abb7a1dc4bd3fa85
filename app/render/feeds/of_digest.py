"""From digests to feeds: which entries a feed has, and what each of them is called, says and dates from.

Ids are name-based UUIDs (RFC 9562, version 5) over what an entry *is*, so that they stay the same over revisions, restarts and
databases. A paper's ``updated`` moves when what the digest shows of the paper changes, not when a revision is written.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from uuid import UUID, uuid5

from app.arxiv import taxonomy
from app.render import phrases
from app.render.document import DigestDocument, DigestItem, Math, View
from app.render.feeds.model import FeedDocument, FeedEntry
from app.render.html import digest_html, paper_html
from app.render.i18n import translator
from app.render.text import encodable, one_line, web_address
from app.render.unicode_math import plain_math

NAMESPACE = UUID("6f1d5a0e-6f0c-5c0b-9f43-2a7c1b0d9e58")  # never to be changed: every id of every feed hangs on it
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class FeedHead:
    """What a channel's feed says of itself. ``created_at`` dates a feed without entries; addresses are whole, or ``None``."""

    channel: str
    title: str
    language: str
    created_at: datetime
    self_url: str | None = None
    home_url: str | None = None
    first_url: str | None = None
    previous_url: str | None = None
    next_url: str | None = None


def digest_feed(document: DigestDocument, view: View, suffix: str = "atom") -> FeedDocument:
    """One digest as a feed of its papers, in the digest's order. ``suffix`` is that of the feed's own address."""
    address = _address(document, view)
    entries = tuple(_once(_paper_entries(document, view.math)))
    query = "" if view.math is Math.UNICODE else f"?math={view.math}"
    return FeedDocument(
        id=_urn("digest-feed", document.id, document.language),
        title=_digest_title(document, view.math),
        subtitle=" ".join([_papers_subtitle(document.language), _state(document)]),
        rights=phrases.ACKNOWLEDGEMENT,
        language=document.language,
        updated=_newest(entries, document.created_at),
        entries=entries,
        subject_url=_subject_url(document.channel),
        self_url=f"{address}.{suffix}{query}" if address else None,
        home_url=f"{address}.html" if address else None,
    )


def digests_feed(documents: Iterable[DigestDocument], view: View, head: FeedHead) -> FeedDocument:
    """A channel's digests, newest first, one entry for each; a day without papers or without a listing has its entry too."""
    entries = tuple(
        _digest_entry(document, number, view) for number, document in enumerate(_newest_first(documents), 1)
    )
    _ = translator(head.language)
    return _channel_feed("digests", entries, head, _("Digests of new papers at arXiv."))


def papers_feed(documents: Iterable[DigestDocument], view: View, head: FeedHead) -> FeedDocument:
    """The papers of a channel's digests, newest first, each once; those of one moment in their digest's order."""
    papers = _once(entry for document in _newest_first(documents) for entry in _paper_entries(document, view.math))
    entries = sorted(papers, key=lambda entry: _aware(entry.published), reverse=True)
    return _channel_feed("papers", tuple(entries), head, _papers_subtitle(head.language))


def _channel_feed(kind: str, entries: tuple[FeedEntry, ...], head: FeedHead, subtitle: str) -> FeedDocument:
    return FeedDocument(
        id=_urn(f"{kind}-feed", head.channel, head.language),
        title=one_line(head.title) or one_line(head.channel),
        subtitle=subtitle,
        rights=phrases.ACKNOWLEDGEMENT,
        language=head.language,
        updated=_newest(entries, head.created_at),
        entries=entries,
        subject_url=_subject_url(head.channel),
        self_url=head.self_url,
        home_url=head.home_url,
        first_url=head.first_url,
        previous_url=head.previous_url,
        next_url=head.next_url,
    )


def _digest_entry(document: DigestDocument, number: int, view: View) -> FeedEntry:
    address = _address(document, view)
    categories = (item.primary_category for item in document.items if item.primary_category)
    return FeedEntry(
        id=_urn("digest", document.id),
        title=_digest_title(document, view.math),
        url=f"{address}.html" if address else None,
        published=document.first_created_at or document.created_at,
        updated=document.created_at,
        authors=(),
        categories=tuple(dict.fromkeys(filter(None, map(one_line, categories)))),
        content_html=str(digest_html(document, view.math)),
        summary=_state(document),
        language=document.language,
        position=number,
    )


def _paper_entries(document: DigestDocument, math: Math) -> Iterable[FeedEntry]:
    """The papers of a digest as entries, in its order."""
    begun = document.first_created_at or document.created_at
    stream = document.channel or document.id
    for item in document.items:
        is_translated = bool(item.translated_title or item.translated_abstract or item.tldr)
        title = plain_math(item.translated_title, math)
        summary = plain_math(item.tldr, math)
        yield FeedEntry(
            id=_urn("paper", stream, document.language, item.arxiv_id),
            title=title or plain_math(item.title, math) or one_line(item.arxiv_id),
            url=web_address(item.links.abs) or None,
            published=item.added_at or begun,
            updated=item.changed_at or item.added_at or document.created_at,
            authors=tuple(filter(None, (plain_math(author.name, math) for author in item.authors))),
            categories=_categories(item),
            content_html=str(paper_html(item, document.language, math)),
            summary=summary or plain_math(item.tldr_en, math) or None,
            language=document.language if is_translated else ENGLISH,
            position=item.position,
            title_language=document.language if title else ENGLISH,
            summary_language=document.language if summary else ENGLISH,
        )


def _categories(item: DigestItem) -> tuple[str, ...]:
    """A paper's categories on one line, the primary one first, each once."""
    return tuple(filter(None, map(one_line, phrases.categories(item.primary_category, item.categories))))


def _digest_title(document: DigestDocument, math: Math) -> str:
    """The digest's title with its days in words, unless the title names the last of them."""
    title = plain_math(document.title, math) or one_line(document.channel) or one_line(document.id)
    if document.period is None or document.period.to.isoformat() in title:
        return title
    return f"{title} · {phrases.dates(document)}"


def _papers_subtitle(language: str) -> str:
    _ = translator(language)
    return _("New papers at arXiv, each with a summary of one sentence.")


def _state(document: DigestDocument) -> str:
    """How complete the digest is: its receipt, or why it is empty; and the listings that were not read whole."""
    _ = translator(document.language)
    receipt = phrases.receipt_line(document, _) if document.items else phrases.empty_line(document, _)
    return one_line(" · ".join(filter(None, [receipt, phrases.incomplete_line(document, _)])))


def _address(document: DigestDocument, view: View) -> str | None:
    """The digest's address at the service, without a suffix; ``None`` where the service's own is not known."""
    return f"{view.base_url}/v1/digests/{quote(encodable(document.id), safe='')}" if view.base_url else None


def _subject_url(channel: str | None) -> str:
    """The page at arXiv that a channel is about; of one that is no category of arXiv's, arXiv's first page."""
    name = taxonomy.canonical_or_same(channel or "")
    return f"https://arxiv.org/list/{name}/new" if name in taxonomy.OAI_SETS else "https://arxiv.org/"


def _newest_first(documents: Iterable[DigestDocument]) -> Sequence[DigestDocument]:
    return sorted(
        documents, key=lambda document: _aware(document.first_created_at or document.created_at), reverse=True
    )


def _once(entries: Iterable[FeedEntry]) -> Iterable[FeedEntry]:
    """The entries without those whose id came before."""
    first: dict[str, FeedEntry] = {}
    for entry in entries:
        first.setdefault(entry.id, entry)
    return first.values()


def _newest(entries: Sequence[FeedEntry], otherwise: datetime) -> datetime:
    return max((_aware(entry.updated) for entry in entries), default=otherwise)


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _urn(kind: str, *parts: str) -> str:
    """The id of a thing by its names, which hold no line break."""
    return uuid5(NAMESPACE, "\n".join((kind, *map(one_line, parts)))).urn
