"""Keys over HTTP, for those who have the scope ``admin``."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from app import keys
from app.api.access import caller_of, needs
from app.api.deps import SessionDep, ToolsDep
from app.api.paging import NUMBER, Cursor, CursorsDep, Limit, link_next
from app.api.schemas import KeyCreate, KeyCreated, KeyRead, Page
from app.errors import KeyRequired
from app.models import Scope

router = APIRouter(prefix="/v1/keys", tags=["keys"])

Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


@router.post("", status_code=201, summary="Create a key", openapi_extra=needs(Scope.ADMIN))
async def create_key(
    body: KeyCreate, request: Request, response: Response, session: SessionDep, tools: ToolsDep
) -> KeyCreated:
    """The answer shows the key, this once: only its hash is stored. From the first key on, every write needs one."""
    row, secret = await keys.create_key(session, body.new(), tools.now())
    read = KeyRead.of(row).model_dump()
    # What an Idempotency-Key keeps for a day must not hold what is stored nowhere else.
    request.state.kept_body = KeyCreated(**read, key=None).model_dump_json().encode()
    response.headers["Location"] = f"/v1/keys/{row.id}"
    response.headers["Cache-Control"] = "no-store"
    return KeyCreated(**read, key=secret)


@router.get("", summary="List keys", openapi_extra=needs(Scope.ADMIN))
async def list_keys(
    request: Request,
    response: Response,
    session: SessionDep,
    cursors: CursorsDep,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Page[KeyRead]:
    """Newest first, those that are revoked or expired included."""
    query = ["keys"]
    rows, key = await keys.list_keys(session, limit=limit, before=cursors.decode(cursor, query, NUMBER))
    next_cursor = cursors.encode(key, query)
    link_next(request, response, next_cursor)
    return Page[KeyRead](items=[KeyRead.of(row) for row in rows], next_cursor=next_cursor)


@router.get("/me", summary="Get the key that was sent")
async def get_own_key(request: Request, session: SessionDep) -> KeyRead:
    """For what it is good, and how long. Any key may ask."""
    own = caller_of(request.scope).key
    if own is None:
        raise KeyRequired("No key was sent: this address tells about the one in 'Authorization: Bearer zy_…'.")
    return KeyRead.of(await keys.get_key(session, own.id))


@router.get("/{id}", summary="Get one key", openapi_extra=needs(Scope.ADMIN))
async def get_key(id: Id, session: SessionDep) -> KeyRead:
    """When it was made, used last, and how long it is good."""
    return KeyRead.of(await keys.get_key(session, id))


@router.delete("/{id}", summary="Revoke a key", openapi_extra=needs(Scope.ADMIN))
async def revoke_key(id: Id, session: SessionDep) -> KeyRead:
    """At once, for every process. It stays listed, and writing goes on to need a key."""
    return KeyRead.of(await keys.revoke_key(session, id))
