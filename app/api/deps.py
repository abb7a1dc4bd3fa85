"""What routes are given: the tools of the process, and a transaction that is committed before the answer is sent."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, cast

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from app.api.lean import check_utf8, is_list, refused, unknown
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

    ``RequestValidationError``, as for a wrong value.
    """
    check_utf8(request.scope["query_string"])
    given = request.query_params
    if not given:
        return
    known = dict(_parameters(request.scope["route"].dependant))
    for name in given:
        if name not in known:
            raise refused(name, "extra_forbidden", unknown(known))
        if not is_list(known[name]) and len(given.getlist(name)) > 1:
            raise refused(name, "repeated", "it is given twice, and only one can count")


def _parameters(dependant: Dependant) -> Iterator[tuple[str, Any]]:
    """The query parameters that a route and its dependencies take, each with its type."""
    for field in dependant.query_params:
        annotation = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from ((name, one.annotation) for name, one in annotation.model_fields.items())
        else:
            yield field.alias, annotation
    for inner in dependant.dependencies:
        yield from _parameters(inner)


ToolsDep = Annotated[Tools, Depends(get_tools)]
# Scope "function" ends the dependency, and so commits, before the response goes out: a failed commit is an error.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
