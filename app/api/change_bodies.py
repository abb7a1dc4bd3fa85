"""What the log of changes shows of the entities that it names: the same as their own addresses answer."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from app import digests, papers, summaries
from app.api.schemas import DigestListed, PaperDetail, SummaryRead
from app.api.schemas.changes import Body
from app.changes import Change
from app.models import ChangeKind


async def bodies_of(session: AsyncSession, changes: Iterable[Change]) -> dict[tuple[ChangeKind, str], Body]:
    """By kind and key, as they are now; what is not there any more is left out. At most three statements for a kind."""
    keys: dict[ChangeKind, list[str]] = defaultdict(list)
    for change in changes:
        keys[change.kind].append(change.key)
    found: dict[tuple[ChangeKind, str], Body] = {}
    if ids := keys[ChangeKind.PAPER]:
        stored = await papers.find_papers(session, ids)
        announced, sources = await papers.announcements_of(session, ids), await papers.sources_of(session, ids)
        for arxiv_id, paper in stored.items():
            body = PaperDetail.with_source(paper, announced.get(arxiv_id, []), sources.get(arxiv_id))
            found[ChangeKind.PAPER, arxiv_id] = body
    if ids := keys[ChangeKind.SUMMARY]:
        for summary, paper in await summaries.get_summaries(session, [int(key) for key in ids]):
            found[ChangeKind.SUMMARY, str(summary.id)] = SummaryRead.of(summary, paper)
    if ids := keys[ChangeKind.DIGEST]:
        for digest, receipt in await digests.get_listed(session, ids):
            found[ChangeKind.DIGEST, digest.id] = DigestListed.of(digest, receipt)
    return found
