"""What routes are given: the tools of the process, and a transaction that is committed before the answer is sent."""

from collections.abc import AsyncIterator
from typing import Annotated, cast

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

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


ToolsDep = Annotated[Tools, Depends(get_tools)]
# Scope "function" ends the dependency, and so commits, before the response goes out: a failed commit is an error.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
