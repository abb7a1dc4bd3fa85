"""Summaries over HTTP: asked for, written by hand, and how the making of them stands."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from app import calls, digests, papers, summaries, summarizing
from app.api.access import needs
from app.api.caching import not_modified
from app.api.contract import fails
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Language
from app.api.paging import NUMBER, Cursor, CursorsDep, Limit, link_next
from app.api.preconditions import Expected, ExpectedDep, ExpectedMatchDep, tag_of
from app.api.schemas import (
    BacklogRead,
    JobRead,
    Page,
    Resumed,
    SpendingRead,
    SummaryCreate,
    SummaryRead,
    SummaryWrite,
)
from app.arxiv import ids
from app.calls import Spent
from app.errors import NotFound
from app.jobs import get_job
from app.models import Paper, Scope, Summary, SummaryOrigin, SummaryStatus
from app.summaries import HumanText, SummaryFilter

router = APIRouter(prefix="/v1", tags=["summaries"])


@router.get("/papers/{arxiv_id:path}/summaries", summary="List a paper's summaries")
async def list_paper_summaries(
    arxiv_id: str, session: SessionDep, language: Annotated[Language | None, Query()] = None
) -> Page[SummaryRead]:
    """All of them, by language, the newest first: of several models, imported, extracted, written by hand."""
    paper = await papers.get_paper(session, ids.parse(arxiv_id).id)
    rows = await summaries.list_summaries(session, paper.arxiv_id, language)
    return Page[SummaryRead](items=[SummaryRead.of(row, paper) for row in rows], next_cursor=None)


@router.post(
    "/papers/{arxiv_id:path}/summaries",
    summary="Ask for a summary",
    response_model=SummaryRead,
    responses={202: {"model": JobRead, "description": "It is being made: the job that does it"}},
)
async def ask_for_summary(
    arxiv_id: str, body: SummaryCreate, session: SessionDep, tools: ToolsDep
) -> SummaryRead | JSONResponse:
    """200 with the summary, if there is one of the present text; otherwise 202 with its job.

    Whoever asks while it is being made gets the job that runs already. One that failed is tried again.
    """
    language = body.language or tools.settings.languages[0]
    paper = await papers.get_paper(session, ids.parse(arxiv_id).id)
    found = await summaries.ask(session, paper, language, tools.summariser, fresh=body.fresh)
    if not isinstance(found, int):
        return SummaryRead.of(found, paper)
    job = JobRead.of(await get_job(session, found))
    return JSONResponse(job.model_dump(mode="json"), 202, headers={"Location": f"/v1/jobs/{found}"})


@router.get(
    "/papers/{arxiv_id:path}/summaries/{language}",
    summary="Get a summary by hand",
    response_model=SummaryRead,
    responses={304: {"description": "The caller has it as it is"}},
)
async def get_written_summary(
    arxiv_id: str, language: Language, request: Request, response: Response, session: SessionDep
) -> SummaryRead | Response:
    """The text that wins over every other one in this language; 404 if nobody wrote one. Its `ETag` is what `If-Match` takes."""
    paper = await papers.get_paper(session, ids.parse(arxiv_id).id)
    read = SummaryRead.of(await summaries.get_text(session, paper.arxiv_id, language), paper)
    headers = {"ETag": tag_of(read), "Cache-Control": "no-cache"}
    if (unchanged := not_modified(request, headers)) is not None:
        return unchanged
    response.headers.update(headers)
    return read


def _check(expected: Expected, paper: Paper) -> Callable[[Summary | None], None]:
    return lambda row: expected.check(tag_of(SummaryRead.of(row, paper)) if row is not None else None)


@router.put(
    "/papers/{arxiv_id:path}/summaries/{language}",
    summary="Write a summary by hand",
    responses={201: {"model": SummaryRead, "description": "There was none"}},
)
async def write_summary(
    arxiv_id: str,
    language: Language,
    body: SummaryWrite,
    response: Response,
    session: SessionDep,
    expected: ExpectedDep,
) -> SummaryRead:
    """It wins over every other one until it is released, even when the paper changes (then it is marked stale)."""
    paper = await papers.get_paper(session, ids.parse(arxiv_id).id)
    text = HumanText(**body.model_dump())
    summary, created = await summaries.put_text(session, paper, language, text, _check(expected, paper))
    await summarizing.refresh_digests(session, paper.arxiv_id, every=True)
    response.status_code = 201 if created else 200
    read = SummaryRead.of(summary, paper)
    response.headers["ETag"] = tag_of(read)
    return read


@router.delete("/papers/{arxiv_id:path}/summaries/{language}", status_code=204, summary="Release a summary by hand")
async def release_summary(arxiv_id: str, language: Language, session: SessionDep, expected: ExpectedMatchDep) -> None:
    """The text stays stored; from now on the other summaries speak for the paper again."""
    paper = await papers.get_paper(session, ids.parse(arxiv_id).id)
    await summaries.release_text(session, paper.arxiv_id, language, _check(expected, paper))
    await summarizing.refresh_digests(session, paper.arxiv_id, every=True)


@router.get("/summaries", summary="List summaries")
async def list_summaries(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    status: SummaryStatus | None = None,
    origin: SummaryOrigin | None = None,
    language: Annotated[Language | None, Query()] = None,
    reason: Annotated[str | None, Query(min_length=1, max_length=40, description="Why it waits or failed")] = None,
    check: Annotated[
        str | None, Query(min_length=1, max_length=40, description="A check that noticed something")
    ] = None,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[SummaryRead]:
    """Newest first, as they were asked for."""
    wanted = SummaryFilter(status, origin, language, reason, check)
    query = ["summaries", status, origin, language, reason, check]
    rows, key = await summaries.find_summaries(
        session, wanted, limit=limit, before=cursors.decode(cursor, query, NUMBER)
    )
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[SummaryRead](items=[SummaryRead.of(row, paper) for row, paper in rows], next_cursor=next_cursor)


@router.get("/summaries/{id}", summary="Get one summary")
async def get_summary(
    id: Annotated[int, Path(ge=1, le=2**63 - 1, description="As in the lists of summaries")], session: SessionDep
) -> SummaryRead:
    """The same as in the lists, by its number."""
    return SummaryRead.of(*await summaries.get_summary(session, id))


@router.get("/backlog", summary="What is still to be summarised", responses=fails(NotFound))
async def get_backlog(
    session: SessionDep,
    tools: ToolsDep,
    digest: Annotated[str | None, Query(max_length=80, description="A digest: when will it be complete?")] = None,
) -> BacklogRead:
    """Counts by status and reason, the rate, when all will be done at that rate, and what was spent.

    With a digest, `pending` and `expected_at` are those of its papers.
    """
    document = await digests.get_digest(session, digest) if digest is not None else None
    papers_of = [item.arxiv_id for item in document.items] if document is not None else None
    spent = await calls.spent(session)
    settings = tools.settings
    return BacklogRead.of(
        await summaries.backlog(session, papers_of, document.language if document is not None else None),
        _spending(spent.day, float(settings.llm_budget_day) if settings.llm_budget_day is not None else None),
        _spending(spent.month, float(settings.llm_budget_month) if settings.llm_budget_month is not None else None),
    )


def _spending(spent: Spent, budget: float | None) -> SpendingRead:
    return SpendingRead(
        calls=spent.calls,
        input_tokens=spent.input_tokens,
        output_tokens=spent.output_tokens,
        cost=float(spent.cost),
        budget=budget,
    )


@router.post("/backlog/resume", summary="Go on after a repair", openapi_extra=needs(Scope.ADMIN))
async def resume(
    session: SessionDep,
    retry_failed: Annotated[bool, Query(description="Try failed summaries again, too")] = False,
) -> Resumed:
    """Models that were stopped (a wrong key, no credit) are tried at once, and so is everything that waits."""
    retried = await summaries.retry_failed(session) if retry_failed else 0
    return Resumed(woken=await calls.resume(session), retried=retried)
