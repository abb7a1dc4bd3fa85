"""The digest as JSON, with the names that DESIGN section 6 fixes; beside the raw texts their display forms."""

import json
from datetime import datetime
from typing import Any

from app.arxiv.display import display
from app.render.document import DigestDocument, DigestItem, Provenance, View
from app.render.text import encodable, instant


def render(document: DigestDocument, view: View) -> str:
    """Return the digest as one line of JSON: non-ASCII as it is, keys always in the same order."""
    text = json.dumps(to_dict(document), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return encodable(text) + "\n"  # Lone surrogates are all that JSON leaves to replace: it writes NUL as an escape.


def to_dict(document: DigestDocument) -> dict[str, Any]:
    """Return the digest as JSON values; the raw texts of ``?style=classic`` are left out."""
    receipt = document.receipt
    period = document.period
    return {
        "id": document.id,
        "channel": document.channel,
        "title": document.title,
        "period": period and {"from": period.from_.isoformat(), "to": period.to.isoformat()},
        "language": document.language,
        "revision": document.revision,
        "created_at": instant(document.created_at),
        "first_created_at": _instant(document.first_created_at),
        "receipt": {
            "announced": receipt.announced,
            "stored": receipt.stored,
            "summarized": receipt.summarized,
            "pending": receipt.pending,
            "failed": receipt.failed,
            "untranslated": receipt.untranslated,
            "missing": list(receipt.missing),
            "incomplete": [
                {"category": one.category, "announced_on": one.announced_on.isoformat(), "state": one.state}
                for one in receipt.incomplete
            ],
            "not_matching": receipt.not_matching,
            "shown_before": receipt.shown_before,
            "held_over": receipt.held_over,
            "carried_over": receipt.carried_over,
        },
        "items": [_item(item) for item in document.items],
    }


def _item(item: DigestItem) -> dict[str, Any]:
    return {
        "position": item.position,
        "arxiv_id": item.arxiv_id,
        "version": item.version,
        "title": item.title,
        "display_title": item.title and display(item.title),
        "translated_title": item.translated_title,
        "tldr": item.tldr,
        "tldr_en": item.tldr_en,
        "translated_abstract": item.translated_abstract,
        "abstract": item.abstract,
        "display_abstract": item.abstract and display(item.abstract),
        "abstract_is_cut": item.abstract_is_cut,
        "authors": [
            {"name": author.name, "display_name": display(author.name), "affiliations": list(author.affiliations)}
            for author in item.authors
        ],
        "authors_omitted": item.authors_omitted,
        "primary_category": item.primary_category,
        "categories": list(item.categories),
        "announce_type": item.announce_type,
        "announced_on": item.announced_on and item.announced_on.isoformat(),
        "submitted_at": _instant(item.submitted_at),
        "updated_at": _instant(item.updated_at),
        "comments": item.comments,
        "journal_ref": item.journal_ref,
        "doi": item.doi,
        "license": item.license,
        "withdrawn": item.withdrawn,
        "links": {"abs": item.links.abs, "pdf": item.links.pdf},
        "reasons": [{"kind": reason.kind, "value": reason.value} for reason in item.reasons],
        "summary_status": item.summary_status,
        "summary_error": item.summary_error,
        "summary": _provenance(item.summary),
        "added_at": _instant(item.added_at),
        "changed_at": _instant(item.changed_at),
    }


def _instant(moment: datetime | None) -> str | None:
    return instant(moment) if moment is not None else None


def _provenance(summary: Provenance | None) -> dict[str, Any] | None:
    if summary is None:
        return None
    return {
        "origin": summary.origin,
        "model": summary.model,
        "provider": summary.provider,
        "prompt_version": summary.prompt_version,
        "paper_version": summary.paper_version,
        "tokens": summary.tokens,
        "made_at": instant(summary.made_at),
        "stale": summary.stale,
    }
