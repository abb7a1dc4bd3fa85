"""Writing revisions: a new one only if the content has changed; once written, it never changes.

Whatever is to happen with a new revision (deliveries, one day) begins where this is called: ``composing`` returns the
document, and the job or request that composed it runs in the transaction that writes it.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.digests.stored import ITEM, RECEIPT
from app.models import Digest, DigestItem, DigestRevision
from app.render import document
from app.render.document import Receipt

_STAMPS = {"added_at", "changed_at"}


async def newest_revision(session: AsyncSession, digest: Digest) -> DigestRevision | None:
    """The newest revision of a digest; None if none is written yet."""
    return await session.get(DigestRevision, (digest.id, digest.revision))


async def shown_papers(session: AsyncSession, digest: Digest) -> list[str]:
    """The papers of a digest's newest revision, in order."""
    return list((await _rows(session, digest)).keys())


async def _rows(session: AsyncSession, digest: Digest) -> dict[str, DigestItem]:
    newest = (DigestItem.digest_id == digest.id) & (DigestItem.revision == digest.revision)
    rows = await session.scalars(select(DigestItem).where(newest).order_by(DigestItem.position))
    return {row.arxiv_id: row for row in rows}


async def write_revision(
    session: AsyncSession, digest: Digest, items: Sequence[document.DigestItem], receipt: Receipt
) -> tuple[DigestRevision, list[document.DigestItem]]:
    """The newest revision if the content is still the same, else a new one; with its items as they were stored."""
    contents = [ITEM.dump_python(item, mode="json", exclude=_STAMPS) for item in items]
    proof = RECEIPT.dump_python(receipt, mode="json")
    content_hash = hashlib.sha256(
        json.dumps([proof, contents], ensure_ascii=False, sort_keys=True).encode()
    ).hexdigest()
    latest = await newest_revision(session, digest)
    before = await _rows(session, digest) if latest is not None else {}
    if latest is not None and latest.content_hash == content_hash:
        return latest, [_stamped(item, before[item.arxiv_id], latest) for item in items]
    now = datetime.now(UTC)
    digest.revision += 1
    revision = DigestRevision(
        digest_id=digest.id, revision=digest.revision, content_hash=content_hash, receipt=proof, created_at=now
    )
    if digest.revision == 1:
        digest.created_at = now
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
        | _stamps(content, before.get(item.arxiv_id), latest, now)
        for item, content in zip(items, contents, strict=True)
    ]
    if rows:
        await session.execute(insert(DigestItem), rows)
    stamped = [
        replace(item, added_at=row["added_at"], changed_at=row["changed_at"])
        for item, row in zip(items, rows, strict=True)
    ]
    return revision, stamped


def _stamps(
    content: dict[str, Any], before: DigestItem | None, latest: DigestRevision | None, now: datetime
) -> dict[str, datetime]:
    """Since when the digest shows a paper, and what it shows of it; where it stands in the digest is not of it."""
    if before is None or latest is None:
        return {"added_at": now, "changed_at": now}
    same = {**before.content, "position": 0} == {**content, "position": 0}
    added_at = before.added_at or latest.created_at
    return {"added_at": added_at, "changed_at": (before.changed_at or latest.created_at) if same else now}


def _stamped(item: document.DigestItem, row: DigestItem, revision: DigestRevision) -> document.DigestItem:
    return replace(item, added_at=row.added_at or revision.created_at, changed_at=row.changed_at or revision.created_at)
