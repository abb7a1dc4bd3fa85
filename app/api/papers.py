"""Papers over HTTP."""

import json
from collections.abc import Sequence
from dataclasses import astuple
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, TypeAdapter

from app import details, lookup, papers, summaries
from app.api.access import needs, require
from app.api.caching import cached_headers, etag_of, etag_of_body, not_modified
from app.api.contract import fails
from app.api.deps import SessionDep, ToolsDep
from app.api.lean import LeanRoute
from app.api.paging import Text, cursors_of
from app.api.schemas import (
    InvalidIdRead,
    JobRead,
    PaperDetail,
    PapersBatch,
    PapersBatchRead,
    PapersFetch,
    PapersPage,
    PapersQuery,
    SearchRead,
)
from app.api.schemas.paper_queries import shown
from app.arxiv import ids
from app.errors import InvalidArxivId
from app.jobs import enqueue_or_find, get_job
from app.models import Scope
from app.papers import Key, Sort
from app.search import Key as Place
from app.search import Matched
from app.tasks import fetch_job, request_job

router = APIRouter(prefix="/v1/papers", tags=["papers"])
lean = APIRouter(prefix="/v1/papers", tags=["papers"], route_class=LeanRoute)
"""What is asked most often."""

_KEYS: dict[Sort, TypeAdapter[Any]] = {
    Sort.ID: TypeAdapter(tuple[None, Text]),
    Sort.ANNOUNCED: TypeAdapter(tuple[date | None, Text]),
    Sort.SUBMITTED: TypeAdapter(tuple[AwareDatetime | None, Text]),
}
_PLACE: TypeAdapter[tuple[Any, ...]] = TypeAdapter(
    tuple[str, int | str | None, Matched, int, tuple[int, ...], int, str | None]
)
"""Of a ``search.Key``."""

_SAME: dict[int | str, dict[str, Any]] = {304: {"description": "The caller has this answer already"}}


@lean.get("", summary="List papers", response_model=PapersPage, responses=_SAME)
async def list_papers(request: Request, tools: ToolsDep, query: Annotated[PapersQuery, Query()]) -> Response:
    """Papers that are stored, by filters that all hold together, newest id first unless another order is asked for.

    With a category they carry it; with a period or a type they were announced in it, as that type (in that category, if one is
    given, whatever they carry now). A page begins behind the last paper of the page before: papers that come or go in between
    move nothing. A cursor belongs to its filters and order; `limit`, `fields` and `include` may change from page to page. An
    unknown parameter is a 422.
    """
    cursors = await cursors_of(request.app.state, tools)
    asked = query.question(tools.settings.languages[0])
    bound = query.bound(asked)
    if (wanted := query.lookup(asked)) is not None:
        place = cursors.decode(query.cursor, bound, _PLACE)
        found = await lookup.find_page(
            tools.database, tools.settings, wanted, limit=query.limit, after=Place(*place) if place else None
        )
        told = SearchRead.of(found.told).model_dump_json()
        return _page(request, found.texts, cursors.encode(found.key and astuple(found.key), bound), f',"search":{told}')
    after: Key | None = cursors.decode(query.cursor, bound, _KEYS[asked.sort])
    page = await papers.read_page(tools.database, asked, limit=query.limit, after=after)
    cursor = cursors.encode(page.key, bound)
    headers = {"Link": _next(request, cursor)} if cursor is not None else {}
    if page.version is not None:
        headers |= cached_headers(etag_of(page.version, cursor), None)
        if (unchanged := not_modified(request, headers)) is not None:
            return unchanged
    if page.version is not None:
        return Response(_body(page.texts, cursor), media_type="application/json", headers=headers)
    return _page(request, page.texts, cursor)


def _body(texts: Sequence[str], cursor: str | None, more: str = "") -> bytes:
    return f'{{"items":[{",".join(texts)}],"next_cursor":{json.dumps(cursor)}{more}}}'.encode()


def _page(request: Request, texts: Sequence[str], cursor: str | None, more: str = "") -> Response:
    """A page whose entity tag is that of its bytes."""
    body = _body(texts, cursor, more)
    headers = cached_headers(etag_of_body(body), None)
    if cursor is not None:
        headers["Link"] = _next(request, cursor)
    return not_modified(request, headers) or Response(body, media_type="application/json", headers=headers)


def _next(request: Request, cursor: str) -> str:
    """The ``Link`` to the next page: the same address with another cursor."""
    address, _, query = str(request.url).partition("?")
    kept = [part for part in query.split("&") if part and not part.startswith("cursor=")]
    return f'<{address}?{"&".join([*kept, f"cursor={cursor}"])}>; rel="next"'


@router.post("/fetch", status_code=202, summary="Fetch papers by id", responses=fails(InvalidArxivId))
async def fetch_papers(body: PapersFetch, response: Response, session: SessionDep) -> JobRead:
    """Enqueues a job that fetches them through arXiv's search API, or gives the one that is waiting already.

    For papers that no listing brought; the job's result names ids that arXiv does not have. The daily path is the listings.
    """
    job_id = await enqueue_or_find(session, fetch_job(details.read_ids(body.ids)))
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return JobRead.of(await get_job(session, job_id))


@router.post(
    "/batch",
    summary="Read papers by their ids",
    response_model=PapersBatchRead,
    responses={
        202: {"model": PapersBatchRead, "description": "The same, and a job asks for the summaries that they lack"}
    },
    openapi_extra=needs(Scope.READ),
)
async def read_batch(body: PapersBatch, request: Request, session: SessionDep, tools: ToolsDep) -> Response:
    """Up to 500, in the order asked for. An id that is unknown or none at all is told, and loses no other.

    With `request_summaries` one job asks for the summaries that the papers lack in the language (202, its address in
    `Location`), which needs the scope `write`. Asked again while it waits, it is the same job; when every lacking summary is
    being made already, there is nothing to do (200): `pending` names those papers.
    """
    named: dict[str, str] = {}
    invalid: list[InvalidIdRead] = []
    for given in dict.fromkeys(body.ids):
        try:
            named.setdefault(ids.parse(given).id, given)
        except InvalidArxivId as error:
            invalid.append(InvalidIdRead(id=given[:200], detail=error.detail))
    found = await papers.read_papers(tools.database, list(named), shown(body.fields, body.include, body.language))
    job, pending = None, []
    if body.request_summaries:
        await require(request, Scope.WRITE)
        language = body.language or tools.settings.languages[0]
        rest = await summaries.rest(session, list(found), language, tools.summariser)
        lacking = {*rest.unrequested, *rest.making}
        pending = [arxiv_id for arxiv_id in found if arxiv_id in lacking]
        if rest.unrequested:
            job_id = await enqueue_or_find(session, request_job(rest.unrequested, language))
            job = JobRead.of(await get_job(session, job_id))
    told = PapersBatchRead(
        items=[],
        unknown=[given for one, given in named.items() if one not in found],
        invalid=invalid,
        pending=pending,
        job=job,
    )
    others = told.model_dump_json(exclude={"items"}).removeprefix("{")
    content = f'{{"items":[{",".join(found.values())}],{others}'
    headers = {"Location": f"/v1/jobs/{job.id}"} if job else {}
    return Response(content, 202 if job else 200, media_type="application/json", headers=headers)


@lean.get("/{arxiv_id:path}", summary="Get one paper", response_model=PaperDetail, responses=_SAME)
async def get_paper(arxiv_id: str, request: Request, tools: ToolsDep) -> Response:
    """The paper with its announcements and its newest raw record.

    The id may have a version, a prefix, or be an address: `2404.02342`, `2404.02342v1`, `arXiv:2404.02342`,
    `hep-th/9901001`. What is served is the newest known version.
    """
    text = await papers.read_paper(tools.database, ids.parse(arxiv_id).id)
    body = text.encode()
    headers = cached_headers(etag_of_body(body), None)
    return not_modified(request, headers) or Response(body, media_type="application/json", headers=headers)
