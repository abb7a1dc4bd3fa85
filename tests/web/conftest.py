"""The pages, at a Wednesday morning in New York."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime

import httpx
import pytest

from app.ingestion import Tools
from app.main import create_app
from tests.api import at, caller, eastern
from tests.feeds import WEDNESDAY

Visit = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


@pytest.fixture
def visit(tools: Tools) -> Visit:
    """A caller of the service at an instant; without one, on Wednesday 2026-01-14 at 9 in the morning."""

    @asynccontextmanager
    async def open_at(instant: datetime | None = None) -> AsyncIterator[httpx.AsyncClient]:
        async with caller(create_app(at(tools, instant or eastern(WEDNESDAY, 9)))) as client:
            yield client

    return open_at
