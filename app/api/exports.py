"""Whole lists of papers as streams: JSON lines for programs, a table for spreadsheets."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app import lookup, papers
from app.api.contract import fails
from app.api.deps import ToolsDep
from app.api.lean import LeanRoute
from app.api.schemas import PaperSelection
from app.errors import InvalidInput, TooManyStreams
from app.ingestion import Tools
from app.papers import FIELDS, PaperQuery
from app.render import paper_table
from app.render.csv import BOM

router = APIRouter(prefix="/v1", tags=["papers"], route_class=LeanRoute)

MAX_STREAMS: Final = 4
"""At a time in one process: each keeps Postgres busy for as long as its reader is fast."""

NDJSON: Final = "application/x-ndjson"
_BREAKS: Final = {"\u2028": r"\u2028", "\u2029": r"\u2029", "\x85": r"\u0085"}
"""The line breaks of Unicode, at which many readers split lines that JSON does not, and how JSON may have them."""


class Streams:
    """How many streams are being written, in this process."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.running = 0


STREAMS = Streams(MAX_STREAMS)


class Stream(StreamingResponse):
    """A stream that takes a place, and gives it back however it ends."""

    def __init__(self, parts: AsyncIterator[str], **how: Any) -> None:
        super().__init__(parts, **how)
        self.parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write it, until its end or until nobody reads any more."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            STREAMS.running -= 1
            await self.parts.aclose()  # type: ignore[attr-defined]  # the parts are a generator


@router.get(
    "/papers.ndjson",
    summary="Stream papers as JSON lines",
    response_class=Response,
    responses={
        200: {
            "content": {NDJSON: {"schema": {"$ref": "#/components/schemas/PaperListed"}}},
            "description": "One paper on a line",
        },
        **fails(TooManyStreams),
    },
)
async def stream_ndjson(request: Request, tools: ToolsDep, query: Annotated[PaperSelection, Query()]) -> Response:
    """Every paper of a list, one JSON object on a line, by the filters, order and fields of `GET /v1/papers`.

    It is read in batches while it is written, over no longer transaction: what is stored all the time is there exactly once, what
    comes or changes meanwhile may be there as it was or as it is. A stream that breaks off is not ended properly: the connection
    is closed without the last chunk, which every HTTP client reports as an error.
    """

    def written(batch: list[str]) -> str:
        # Only a text can hold a line break, and there JSON escapes those of ASCII.
        lines = "".join([f"{text}\n" for text in batch])
        for character, escaped in _BREAKS.items():
            lines = lines.replace(character, escaped)
        return lines

    return await _stream(request, tools, query, query.question(tools.settings.languages[0]), written, "", NDJSON)


@router.get(
    "/papers.csv",
    summary="Stream papers as a table",
    response_class=Response,
    responses={
        200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "One paper on a line"},
        **fails(TooManyStreams),
    },
)
async def stream_csv(request: Request, tools: ToolsDep, query: Annotated[PaperSelection, Query()]) -> Response:
    """Every paper of a list as CSV (RFC 4180, UTF-8 with a byte order mark, a header line), by the filters, order and fields of
    `GET /v1/papers`.

    It is read, and may break off, like the JSON lines. Lists are joined by `; `. A cell that a spreadsheet would take for a
    formula begins with an apostrophe. With `include=summaries` and a `language` there are columns for the summary.
    """
    asked = query.question(tools.settings.languages[0])
    if asked.shown.summaries and asked.shown.language is None:
        raise InvalidInput("A table has one line for each paper: with include=summaries name the language, too.")
    names = paper_table.columns(
        [name for name in FIELDS if not asked.shown.fields or name in ("arxiv_id", *asked.shown.fields)],
        summary=asked.shown.summaries,
    )

    def written(batch: list[str]) -> str:
        return paper_table.lines(paper_table.row(json.loads(text), names) for text in batch)

    head = BOM + paper_table.lines([names])
    return await _stream(
        request, tools, query, asked, written, head, "text/csv; charset=utf-8", 'attachment; filename="papers.csv"'
    )


async def _stream(
    request: Request,
    tools: Tools,
    query: PaperSelection,
    asked: PaperQuery,
    written: Callable[[list[str]], str],
    head: str,
    media_type: str,
    disposition: str = "inline",
) -> Response:
    """What is wrong from the beginning is a problem document: the first batch is read before the answer begins."""
    if STREAMS.running >= STREAMS.most:
        raise TooManyStreams(
            f"{STREAMS.most} streams are being read already, and there are no more at a time; try again soon."
        )
    STREAMS.running += 1
    wanted = query.lookup(asked)
    if wanted is not None:
        batches = lookup.find_all(tools.database, tools.settings, wanted)
    else:
        batches = papers.read_all(tools.database, asked)
    try:
        first: list[str] = await anext(batches, [])
    except BaseException:
        STREAMS.running -= 1
        raise

    async def parts() -> AsyncIterator[str]:
        yield head + written(first)
        async for batch in batches:
            # In a thread, so that others have their turn: a table takes a tenth of a second for a batch.
            yield await asyncio.to_thread(written, batch)

    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Content-Disposition": disposition}
    if getattr(request.state, "is_head", False):  # Nobody reads the rest.
        STREAMS.running -= 1
        await batches.aclose()  # type: ignore[attr-defined]  # it is a generator
        response = Response(media_type=media_type, headers=headers)
        del response.headers["content-length"]  # GET does not know it either
        return response
    return Stream(parts(), media_type=media_type, headers=headers)
