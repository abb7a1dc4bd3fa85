"""Commands that run for long: up, api, worker, and the demonstration."""

import asyncio
import socket
from typing import Annotated

import typer

from app.cli.common import (
    Format,
    Host,
    Math,
    Output,
    Port,
    Style,
    app,
    run_service,
    run_to_end,
    say,
    settings_of,
    write,
)
from app.config import Settings


@app.command()
def up(host: Host = None, port: Port = None) -> None:
    """Run everything on one machine: database, migrations, API, worker and schedule."""
    settings = settings_of(host=host, port=port)

    async def run() -> None:
        from app.db import upgrade
        from app.resources import open_database_url, open_tools
        from app.serving import listen, serve_with_worker

        with listen(settings.host, settings.port) as listening:
            async with open_database_url(settings, progress=say) as url:
                await asyncio.to_thread(upgrade, url)
                async with open_tools(settings, url) as tools:
                    _greet(settings, listening)
                    await serve_with_worker(tools, url, listening)

    run_service(run())


def _greet(settings: Settings, listening: socket.socket) -> None:
    if settings.contact is None:
        say("ZHAIYAO_CONTACT is not set: arXiv asks that a client says whom to write to (mailto:you@example.org)")
    say(f"following {', '.join(settings.categories)}; summaries in {', '.join(settings.languages)}")
    if not settings.listens_locally:
        say("writing over the API needs a key here; 'zhaiyao keys create NAME --scope write' makes one")
    say(f"listening on {_address(settings, listening)} (/ for people, /docs for programs); Ctrl-C stops")


def _address(settings: Settings, listening: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listening.getsockname()[1]}"


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the API only; any number of them may share one database."""
    settings = settings_of(host=host, port=port)

    async def run() -> None:
        from app.resources import open_database_url, open_tools
        from app.serving import listen, serve

        with listen(settings.host, settings.port) as listening:
            async with open_database_url(settings, progress=say) as url, open_tools(settings, url) as tools:
                _greet(settings, listening)
                await serve(tools, listening)

    run_service(run())


@app.command()
def worker() -> None:
    """Run a worker only: jobs and schedule; any number of them may share one database."""
    settings = settings_of()

    async def run() -> None:
        from app.resources import open_database_url, open_tools
        from app.worker import run_worker

        async with open_database_url(settings, progress=say) as url, open_tools(settings, url) as tools:
            say("working; Ctrl-C stops")
            await run_worker(tools, url)

    run_service(run())


@app.command()
def demo(
    format: Format = "md",
    style: Style = None,
    math: Math = None,
    output: Output = None,
    serve: Annotated[bool, typer.Option("--serve", help="Keep the API up afterwards.")] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Run the main job end to end on the bundled listing, in a throw-away database, and print the digest."""
    settings = settings_of(host=host, port=port)
    from app.render import rendering

    rendering(format, style, math)

    async def run(listening: socket.socket | None) -> None:
        from app.demo import run_demo

        async with run_demo(settings, say) as shown:
            write(shown.digest, format, style, math, output)
            receipt = shown.digest.receipt
            say(f"{receipt.announced} papers announced, {receipt.stored} stored, {receipt.summarized} summarised")
            if listening is not None:
                from app.serving import serve_with_worker

                address = _address(settings, listening)
                say(f"the digest is at {address}/v1/digests/{shown.digest.id}.html")
                say(f"the pages begin at {address}/, the API is described at {address}/docs; Ctrl-C stops")
                await serve_with_worker(shown.tools, shown.url, listening)

    if serve:
        from app.serving import listen

        with listen(settings.host, settings.port) as listening:
            run_service(run(listening))
    else:
        run_to_end(run(None))
        say("next: 'zhaiyao demo --serve' to look at it over the API, or 'zhaiyao up' to follow arXiv for real")
