"""Running the web process, alone or together with the worker, until a signal ends it."""

import asyncio
import logging

import uvicorn

from app.ingestion import Tools
from app.main import create_app
from app.worker import run_worker

logger = logging.getLogger(__name__)


async def serve(tools: Tools) -> None:
    """Serve the API until SIGINT or SIGTERM."""
    settings = tools.settings
    config = uvicorn.Config(
        create_app(tools),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=settings.log_level == "debug",
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    await uvicorn.Server(config).serve()


async def serve_with_worker(tools: Tools, url: str) -> None:
    """Serve the API and work in the same process; when one of both ends, so does the other."""
    worker = asyncio.create_task(run_worker(tools, url, install_signal_handlers=False), name="worker")
    server = asyncio.create_task(serve(tools), name="api")
    done, pending = await asyncio.wait({worker, server}, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    results = await asyncio.gather(*pending, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            logger.error("%s while stopping", result)
    for task in done:
        task.result()
