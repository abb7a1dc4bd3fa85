"""The sentences that every reading format says in the same way: receipt, state of a paper, authors, acknowledgement.

Numbers always follow their label (``announced 105``), so that no language needs plural forms.
"""

from datetime import datetime

from app.render.document import DigestDocument, DigestItem, Provenance, Reason, ReasonKind
from app.render.i18n import Translator, written_day, written_period
from app.render.text import instant

# arXiv's brand guidelines prescribe this sentence (FACTS 8.2); it stays in English in every language.
ACKNOWLEDGEMENT = (
    "Thank you to arXiv for use of its open access interoperability. "
    "This service was not reviewed or approved by, nor does it necessarily express or reflect the policies or "
    "opinions of, arXiv."
)


def labelled(_: Translator, label: str, value: object) -> str:
    """Return a label and its value with the colon that the language writes."""
    return _("{label}: {value}").format(label=label, value=value)


def dates(document: DigestDocument) -> str:
    """Return the period in words, or the day on which an ad hoc digest was made."""
    if document.period is None:
        return written_day(document.created_at.date(), document.language)
    return written_period(document.period.from_, document.period.to, document.language)


def counts(document: DigestDocument, _: Translator) -> list[tuple[str, int]]:
    """Return the receipt's numbers with their words, in the order in which a paper passes through them.

    Those that only some channels have (filters, limits, nothing twice) are left out where they are zero.
    """
    receipt = document.receipt
    left_out = [
        (_("carried over"), receipt.carried_over),
        (_("not matching"), receipt.not_matching),
        (_("shown before"), receipt.shown_before),
        (_("held over"), receipt.held_over),
    ]
    return [
        (_("announced"), receipt.announced),
        (_("stored"), receipt.stored),
        *[(word, number) for word, number in left_out if number],
        (_("summarised"), receipt.summarized),
        (_("pending"), receipt.pending),
        (_("failed"), receipt.failed),
        *([(_("missing"), len(receipt.missing))] if receipt.missing else []),
    ]


def receipt_line(document: DigestDocument, _: Translator) -> str:
    """Return the one line that proves the digest complete, or names the papers that it lacks."""
    parts = [f"{word} {number}" for word, number in counts(document, _)]
    if document.receipt.missing:
        parts[-1] += f" ({', '.join(document.receipt.missing)})"
    return " · ".join([*parts, dates(document), _("revision") + f" {document.revision}"])


def untranslated_line(document: DigestDocument, _: Translator) -> str:
    """Return the sentence that owns up to missing translations; ``""`` when there are none missing."""
    number = document.receipt.untranslated
    return labelled(_, _("Summaries taken from the original abstract, without a translation"), number) if number else ""


def incomplete_line(document: DigestDocument, _: Translator) -> str:
    """Return the sentence that names the listings which were not read whole, and why; ``""`` when there are none."""
    states = {
        "unread": _("not read"),
        "not_yet": _("not yet announced"),
        "stale": _("stale"),
        "truncated": _("cut short"),
        "failed": _("failed"),
    }
    listings = [
        _("{listing} ({state})").format(
            listing=f"{one.category} {written_day(one.announced_on, document.language)}",
            state=states.get(one.state, one.state),
        )
        for one in document.receipt.incomplete
    ]
    return labelled(_, _("listings not read whole"), ", ".join(listings)) if listings else ""


def empty_line(document: DigestDocument, _: Translator) -> str:
    """Return why a digest has no papers; a day without papers and a day that is not known are not the same."""
    receipt = document.receipt
    if receipt.stored:
        return _("None of the announced papers belongs to this digest.")
    if receipt.announced:
        return _("None of the announced papers is stored yet.")
    if receipt.incomplete:
        return _("What was announced could not be read, so that papers may be missing here.")
    return _("Nothing was announced.")


def status(item: DigestItem, _: Translator) -> str:
    """Return the state of a paper's summary in words, with the reason of a failure."""
    word = {
        "pending": _("pending"),
        "running": _("in progress"),
        "done": _("summary done"),
        "failed": _("failed"),
    }.get(item.summary_status, item.summary_status)
    return labelled(_, word, item.summary_error) if item.summary_error else word


def authors(item: DigestItem, _: Translator) -> list[str]:
    """Return the authors' names in arXiv's order, TeX intact, with affiliations where known; last, how many are left out.

    They are not joined here, so that a stray dollar or quote of one name never meets another's.
    """
    names = [
        f"{author.name} ({'; '.join(author.affiliations)})" if author.affiliations else author.name
        for author in item.authors
    ]
    if item.authors_omitted:
        names.append(labelled(_, _("and more authors"), item.authors_omitted))
    return names


def categories(primary: str | None, others: tuple[str, ...]) -> tuple[str, ...]:
    """Return a paper's categories, the primary one first, each once."""
    return tuple(dict.fromkeys((primary, *others))) if primary else tuple(dict.fromkeys(others))


def announce_type(kind: str, _: Translator) -> str:
    """Return an announce type in words, as arXiv names it where there are none."""
    return {
        "new": _("new"),
        "cross": _("cross-list"),
        "replace": _("replacement"),
        "replace-cross": _("replacement of a cross-list"),
    }.get(kind, kind)


def reason(why: Reason, _: Translator) -> str:
    """Return why a paper is in a digest; the value is the caller's to escape, the rest is fixed."""
    sentence = {
        ReasonKind.CATEGORY: _("announced in {value}"),
        ReasonKind.AUTHOR: _("written by {value}"),
        ReasonKind.WORDS: _("matches {value}"),
        ReasonKind.NAMED: _("asked for by its id"),
    }[why.kind]
    return sentence.format(value=why.value)


def minute(moment: datetime) -> str:
    """Return an instant to the minute, in UTC and with its name, as people read it."""
    day, time = instant(moment)[:16].split("T")
    return f"{day} {time} UTC"


def provenance(summary: Provenance, _: Translator) -> list[str]:
    """Return where a summary comes from: maker, prompt, paper version, tokens, instant, and whether it is stale.

    The parts are not joined, so that a page can mark the instant (``minute(summary.made_at)``).
    """
    origin = {
        "llm": _("Summarised by"),
        "extractive": _("Sentence taken from the abstract"),
        "human": _("Written by a human"),
        "imported": _("Imported from an older archive"),
    }.get(summary.origin, summary.origin)
    maker = " / ".join(name for name in (summary.provider, summary.model) if name)
    parts = [labelled(_, origin, maker) if maker else origin]
    if summary.prompt_version:
        parts.append(_("prompt") + f" {summary.prompt_version}")
    if summary.paper_version is not None:
        parts.append(_("paper version") + f" {summary.paper_version}")
    if summary.tokens is not None:
        parts.append(_("tokens") + f" {summary.tokens}")
    parts.append(minute(summary.made_at))
    if summary.stale:
        parts.append(_("out of date: made from an earlier text of the paper"))
    return parts
