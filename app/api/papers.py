"""Papers over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app import papers
from app.api.deps import SessionDep
from app.api.fields import Day
from app.api.paging import TEXT, Cursor, Limit, decode, encode, link_next
from app.api.schemas import Page, PaperDetail, PaperRead
from app.arxiv import ids, taxonomy
from app.errors import InvalidInput
from app.papers import PaperFilter

router = APIRouter(prefix="/v1/papers", tags=["papers"])

MAX_IDS = 200


def parse_ids(values: list[str] | None) -> tuple[str, ...] | None:
    """Canonical ids from repeated or comma-separated parameters, in any form; ``InvalidArxivId``."""
    if values is None:
        return None
    texts = [part for value in values for part in value.split(",") if part.strip()]
    if len(texts) > MAX_IDS:
        raise InvalidInput(f"ids names {len(texts)} papers; at most {MAX_IDS} fit into one request.")
    return tuple(dict.fromkeys(ids.parse(part).id for part in texts))


@router.get("", summary="List papers, newest id first")
async def list_papers(
    request: Request,
    response: Response,
    session: SessionDep,
    category: Annotated[
        str | None, Query(max_length=80, description="A category or archive, under any of its names: `cs.CL`, `econ`")
    ] = None,
    announced_from: Annotated[Day | None, Query(description="Announced on or after this batch date")] = None,
    announced_to: Annotated[Day | None, Query(description="Announced on or before this batch date")] = None,
    ids: Annotated[list[str] | None, Query(description="Only these papers; repeated, or separated by commas")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[PaperRead]:
    """Papers that are stored. With a category they carry it, or were announced in it; with a period they were announced
    in it (in that category, if one is given)."""
    wanted = PaperFilter(
        category=taxonomy.canonical(category) if category is not None else None,
        announced_from=announced_from,
        announced_to=announced_to,
        arxiv_ids=parse_ids(ids),
    )
    query = ["papers", wanted.category, wanted.announced_from, wanted.announced_to, wanted.arxiv_ids]
    rows, key = await papers.list_papers(session, wanted, limit=limit, before=decode(cursor, query, TEXT))
    next_cursor = encode(key, query)
    link_next(request, response, next_cursor)
    return Page[PaperRead](items=[PaperRead.of(row) for row in rows], next_cursor=next_cursor)


@router.get("/{arxiv_id:path}", summary="Get one paper")
async def get_paper(arxiv_id: str, session: SessionDep) -> PaperDetail:
    """The paper with its announcements and its newest raw record.

    The id may have a version, a prefix, or be an address: `2404.02342`, `2404.02342v1`, `arXiv:2404.02342`,
    `hep-th/9901001`. What is served is the newest known version.
    """
    canonical = ids.parse(arxiv_id).id
    paper = await papers.get_paper(session, canonical)
    announcements = await papers.list_announcements(session, canonical)
    return PaperDetail.with_source(paper, announcements, await papers.find_source(session, canonical))
