"""What routes are given: the tools of the process, and a transaction that is committed before the answer is sent."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.lean import check_utf8, refused, unknown
from app.ingestion import Tools


def get_tools(request: Request) -> Tools:
    """The tools that the application was opened with."""
    return cast(Tools, request.app.state.tools)


async def get_session(request: Request, tools: Annotated[Tools, Depends(get_tools)]) -> AsyncIterator[AsyncSession]:
    """One transaction for the request: the one that its ``Idempotency-Key`` was claimed in, if it has one."""
    shared = getattr(request.state, "session", None)
    if shared is not None:
        yield shared
        return
    async with tools.database.transaction() as session:
        yield session


async def known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have, or is given twice where one is meant: it would be without effect.
    So is a query that is no UTF-8.

    ``RequestValidationError``, as for a wrong value. What a route has is what the OpenAPI document says.
    """
    check_utf8(request.scope["query_string"])
    given = request.query_params
    if not given:
        return
    path, method = request.scope["route"].path_format, request.method.lower()
    operation = request.app.openapi()["paths"].get(path, {}).get(method)
    if operation is None:
        return
    parameters = operation.get("parameters", ())
    known = {one["name"]: "array" in str(one["schema"]) for one in parameters if one["in"] == "query"}
    for name in given:
        if name not in known:
            raise refused(name, "extra_forbidden", unknown(known))
        if not known[name] and len(given.getlist(name)) > 1:
            raise refused(name, "repeated", "it is given twice, and only one can count")


ToolsDep = Annotated[Tools, Depends(get_tools)]
# Scope "function" ends the dependency, and so commits, before the response goes out: a failed commit is an error.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
