"""Papers like one, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from app import similar
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Day
from app.api.paging import Limit
from app.api.schemas.similar import SearchedRead, SimilarPage, SimilarRead
from app.arxiv import ids, taxonomy
from app.papers import PaperFilter

router = APIRouter(prefix="/v1/papers", tags=["papers"])


@router.get("/{arxiv_id:path}/similar", summary="Find papers like one")
async def list_similar(
    arxiv_id: str,
    session: SessionDep,
    tools: ToolsDep,
    category: Annotated[
        str | None, Query(max_length=80, description="Only papers of this category or archive: `cs.CL`, `econ`")
    ] = None,
    submitted_from: Annotated[
        Day | None, Query(description="Only papers first submitted on or after this day (UTC)")
    ] = None,
    submitted_to: Annotated[
        Day | None, Query(description="Only papers first submitted on or before this day (UTC)")
    ] = None,
    withdrawn: Annotated[bool | None, Query(description="Only withdrawn papers, or only the others")] = None,
    limit: Limit = 10,
) -> SimilarPage:
    """By the rarest words that papers share and, where embeddings are on and the paper has one, by meaning in any language.
    `search` says which, and why. The paper itself is never among them.
    """
    wanted = PaperFilter(
        category=taxonomy.canonical(category) if category is not None else None,
        submitted_from=submitted_from,
        submitted_to=submitted_to,
        withdrawn=withdrawn,
    )
    found = await similar.similar(session, tools.settings, ids.parse(arxiv_id).id, wanted, limit=limit)
    return SimilarPage(
        items=[SimilarRead.with_score(paper, score) for paper, score in found.items],
        next_cursor=None,
        search=SearchedRead.of(found.searched),
    )
