"""Papers over HTTP."""

from dataclasses import astuple
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app import details, papers
from app.api.deps import SessionDep
from app.api.fields import Day
from app.api.paging import TEXT, Cursor, Limit, decode, encode, link_next
from app.api.schemas import AnnounceTypeName, JobRead, Page, PaperDetail, PaperRead, PapersFetch
from app.arxiv import ids, taxonomy
from app.errors import InvalidInput
from app.jobs import enqueue_or_find, get_job
from app.papers import PaperFilter
from app.tasks import fetch_job

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
    announce_type: Annotated[
        list[AnnounceTypeName] | None, Query(description="Announced as this type; repeated, as any of these")
    ] = None,
    submitted_from: Annotated[Day | None, Query(description="First submitted on or after this day (UTC)")] = None,
    submitted_to: Annotated[Day | None, Query(description="First submitted on or before this day (UTC)")] = None,
    withdrawn: Annotated[bool | None, Query(description="Only withdrawn papers, or only the others")] = None,
    ids: Annotated[list[str] | None, Query(description="Only these papers; repeated, or separated by commas")] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[PaperRead]:
    """Papers that are stored. With a category they carry it, or were announced in it; with a period or a type they were
    announced in it, as that type (in that category, if one is given)."""
    wanted = PaperFilter(
        category=taxonomy.canonical(category) if category is not None else None,
        announced_from=announced_from,
        announced_to=announced_to,
        announce_types=tuple(sorted(set(announce_type))) if announce_type else None,
        submitted_from=submitted_from,
        submitted_to=submitted_to,
        withdrawn=withdrawn,
        arxiv_ids=parse_ids(ids),
    )
    query = ["papers", *astuple(wanted)]
    rows, key = await papers.list_papers(session, wanted, limit=limit, before=decode(cursor, query, TEXT))
    next_cursor = encode(key, query)
    link_next(request, response, next_cursor)
    return Page[PaperRead](items=[PaperRead.of(row) for row in rows], next_cursor=next_cursor)


@router.post("/fetch", status_code=202, summary="Fetch papers by id")
async def fetch_papers(body: PapersFetch, response: Response, session: SessionDep) -> JobRead:
    """Enqueues a job that fetches them through arXiv's search API, or gives the one that is waiting already.

    For papers that no listing brought; the job's result names ids that arXiv does not have. The daily path is the listings.
    """
    job_id = await enqueue_or_find(session, fetch_job(details.read_ids(body.ids)))
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return JobRead.of(await get_job(session, job_id))


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
