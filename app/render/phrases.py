"""The sentences that every reading format says in the same way: receipt, state of a paper, authors, acknowledgement."""

from app.render.document import DigestDocument, DigestItem
from app.render.vocabulary import Words

# arXiv's brand guidelines prescribe this sentence (FACTS 8.2); it stays in English in every language.
ACKNOWLEDGEMENT = (
    "Thank you to arXiv for use of its open access interoperability. "
    "This service was not reviewed or approved by, nor does it necessarily express or reflect the policies or "
    "opinions of, arXiv."
)


def dates(document: DigestDocument) -> str:
    """Return the period as ISO days, or the day on which an ad hoc digest was made."""
    if document.period is None:
        return document.created_at.date().isoformat()
    first, last = document.period.from_.isoformat(), document.period.to.isoformat()
    return first if first == last else f"{first} – {last}"


def counts(document: DigestDocument, words: Words) -> list[tuple[str, int]]:
    """Return the receipt's numbers with their words, in the order in which a paper passes through them."""
    receipt = document.receipt
    numbers = [
        (words.announced, receipt.announced),
        (words.stored, receipt.stored),
        (words.summarized, receipt.summarized),
        (words.pending, receipt.pending),
        (words.failed, receipt.failed),
    ]
    return numbers + ([(words.missing, len(receipt.missing))] if receipt.missing else [])


def receipt_line(document: DigestDocument, words: Words) -> str:
    """Return the one line that proves the digest complete, or names the papers that it lacks."""
    parts = [f"{word} {number}" for word, number in counts(document, words)]
    if document.receipt.missing:
        parts[-1] += f" ({', '.join(document.receipt.missing)})"
    return " · ".join([*parts, dates(document), f"{words.revision} {document.revision}"])


def untranslated_line(document: DigestDocument, words: Words) -> str:
    """Return the sentence that owns up to missing translations; ``""`` when there are none missing."""
    number = document.receipt.untranslated
    return f"{words.untranslated}{words.colon}{number}" if number else ""


def incomplete_line(document: DigestDocument, words: Words) -> str:
    """Return the sentence that names the listings which were not read whole; ``""`` when there are none."""
    listings = [f"{one.category} {one.announced_on} ({one.state})" for one in document.receipt.incomplete]
    return f"{words.incomplete}{words.colon}{', '.join(listings)}" if listings else ""


def empty_line(document: DigestDocument, words: Words) -> str:
    """Return why a digest has no papers: nothing was announced, or nothing of it is stored, which is not the same."""
    return words.none_stored if document.receipt.announced else words.nothing_announced


def status(item: DigestItem, words: Words) -> str:
    """Return the state of a paper's summary in words, with the reason of a failure."""
    word = {
        "pending": words.pending,
        "running": words.running,
        "done": words.done,
        "failed": words.failed,
    }.get(item.summary_status, item.summary_status)
    return f"{word}{words.colon}{item.summary_error}" if item.summary_error else word


def authors(item: DigestItem, words: Words) -> list[str]:
    """Return the authors' names in arXiv's order, TeX intact, with affiliations where known; last, how many are left out.

    They are not joined here, so that a stray dollar or quote of one name never meets another's.
    """
    names = [
        f"{author.name} ({'; '.join(author.affiliations)})" if author.affiliations else author.name
        for author in item.authors
    ]
    if item.authors_omitted:
        names.append(f"{words.omitted}{words.colon}{item.authors_omitted}")
    return names


def categories(primary: str | None, others: tuple[str, ...]) -> tuple[str, ...]:
    """Return a paper's categories, the primary one first, each once."""
    return tuple(dict.fromkeys((primary, *others))) if primary else tuple(dict.fromkeys(others))
