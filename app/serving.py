"""Running the web process, alone or together with the worker, until it is cancelled."""

import asyncio
import resource
import socket
from contextlib import AbstractContextManager, nullcontext

import uvicorn

from app.errors import ConfigurationError
from app.ingestion import Tools
from app.main import create_app
from app.protocol import BoundedProtocol
from app.resources import open_api
from app.worker import run_worker

MAX_FILES = 65_536
"""Open files, each connection being one; what systems allow a process at first, 1,024 mostly, a thousand idle callers use up."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; ``ConfigurationError`` if the address is taken, or is none of this machine's.

    It is opened before anything else, so that a second service on the same port ends before it has started a database.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(
            f"The API cannot listen on {host}, port {port} ({reason.split(' (while')[0]}): set ZHAIYAO_HOST and"
            " ZHAIYAO_PORT, or --host and --port, to an address that is free. Example: ZHAIYAO_PORT=8001"
        ) from error


class _Server(uvicorn.Server):
    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals to the command line: uvicorn would end the process before the worker and the database."""
        return nullcontext()


async def serve(tools: Tools, listening: socket.socket) -> None:
    """Serve the API until cancelled; requests that are being answered are given five seconds then."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if most == resource.RLIM_INFINITY else min(MAX_FILES, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    async with open_api(tools) as own:
        await _serve(own, listening)


async def _serve(tools: Tools, listening: socket.socket) -> None:
    config = uvicorn.Config(
        create_app(tools),
        http=BoundedProtocol,
        proxy_headers=False,  # whom to believe about callers' addresses is our own setting
        log_config=None,
        access_log=tools.settings.log_level == "debug",
        timeout_graceful_shutdown=5,
        server_header=False,
        ws="none",
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve([listening]), name="uvicorn")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


async def serve_with_worker(tools: Tools, url: str, listening: socket.socket) -> None:
    """Serve the API and work in the same process until cancelled; when one of both fails, the other ends too."""
    async with asyncio.TaskGroup() as both:
        both.create_task(run_worker(tools, url), name="worker")
        both.create_task(serve(tools, listening), name="api")
