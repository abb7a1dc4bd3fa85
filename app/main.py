"""The web process: the application with its routes and error handlers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute

from app import log, web
from app.api import contract, feeds, problems
from app.api.deps import known_parameters
from app.api.guards import Guards
from app.api.routers import FIRST, ROUTERS
from app.api.schemas import Problem
from app.config import load_settings
from app.ingestion import Tools
from app.resources import open_api, open_database_url, open_tools

DESCRIPTION = """\
Follows arXiv's listings, stores every announced paper, and serves digests of them.

* Lists answer `{"items": […], "next_cursor": …}`; give `next_cursor` as `cursor` for the next page.
* Errors are `application/problem+json` with a stable `code`.
* Days are arXiv's batch dates in US Eastern time; instants are UTC.

Thank you to arXiv for use of its open access interoperability. This service was not reviewed or approved by, nor does
it necessarily express or reflect the policies or opinions of, arXiv.
"""

TAGS = [
    {"name": "papers", "description": "Found by filters and searches, read by their ids, streamed whole, compared."},
    {
        "name": "summaries",
        "description": "One-line summaries and translations: asked for, written by hand, still to be made.",
    },
    {"name": "listings", "description": "What arXiv announced in a category on a day, and whether it was read."},
    {"name": "completeness", "description": "Whether everything is there: freshness, counts, arXiv's calendar."},
    {"name": "harvests", "description": "What is asked of arXiv: harvests over OAI-PMH, and every single request."},
    {"name": "channels", "description": "Named streams of digests: arXiv's categories, and those that users make."},
    {
        "name": "digests",
        "description": "The papers of a day, a period, a query or a choice, in revisions and in ten formats.",
    },
    {"name": "feeds", "description": "A channel's digests, or their papers, for feed readers."},
    {"name": "changes", "description": "The log of all that is not what it was, for copies."},
    {"name": "jobs", "description": "Work in the background: how it stands and how it ended."},
    {"name": "keys", "description": "Who may do what."},
    {"name": "operation", "description": "Whether the process is alive, and whether it can serve."},
]


def create_app(tools: Tools | None = None) -> FastAPI:
    """The application; without ``tools`` it opens its own from the environment, as under ``uvicorn --factory``."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if tools is None:
                app.state.tools = await _open(stack)
            yield

    app = FastAPI(
        title="Zhaiyao",
        version=version("zhaiyao"),
        summary="Digests of new arXiv papers, summarised and translated",
        description=DESCRIPTION,
        contact={"name": "Zhaiyao's founders"},
        license_info={"name": "MIT License", "identifier": "MIT"},
        servers=[{"url": "/", "description": "The service that gave this document"}],
        openapi_tags=TAGS,
        lifespan=lifespan,
        generate_unique_id_function=lambda route: route.name,
        responses={500: {"model": Problem}},  # which brings its schema into the document
        telemetry={"tracing": False, "metrics": False, "logs": False},  # else it looks for a collector at every request
    )
    if tools is not None:
        app.state.tools = tools
    for router in ROUTERS:
        # Feeds' addresses are lengthened by readers and by those who pass them on.
        dependencies = [] if router is feeds.router else [Depends(known_parameters)]
        app.include_router(router, dependencies=dependencies)
    app.include_router(web.router)
    problems.install(app)
    _document_problems(app)
    app.add_middleware(Guards, routes=_routes(), first=FIRST)
    return app


def _routes() -> list[APIRoute]:
    routers = [*ROUTERS, web.router]
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def _document_problems(app: FastAPI) -> None:
    make = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:  # completed once: it is changed in place
            app.openapi_schema = contract.complete(make())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


async def _open(stack: AsyncExitStack) -> Tools:
    settings = load_settings()
    log.configure(settings.log_level)
    url = await stack.enter_async_context(open_database_url(settings))
    tools = await stack.enter_async_context(open_tools(settings, url))
    return await stack.enter_async_context(open_api(tools))
