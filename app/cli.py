"""The command line: parse, call, print. Results go to standard output, everything else to standard error."""

import asyncio
import errno
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app import log
from app.config import Settings, check_language, load_settings, mask
from app.errors import ZhaiyaoError

app = typer.Typer(
    name="zhaiyao",
    help="Digests of new arXiv papers: follow the listings, store every paper, summarise, serve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
db_app = typer.Typer(help="Look after the database.", no_args_is_help=True)
app.add_typer(db_app, name="db")
T = TypeVar("T")
err = Console(stderr=True, highlight=False, markup=False)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on [ZHAIYAO_HOST, 127.0.0.1].")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on [ZHAIYAO_PORT, 8000].")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.", dir_okay=False)]


class InterruptionError(Exception):
    """A signal ended the command. Typer would leave without a word on a ``KeyboardInterrupt``."""


def main() -> NoReturn:
    """Run the command line; an error that we know is one sentence on standard error and exit code 1."""
    try:
        try:
            app()
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except ZhaiyaoError as error:
        err.print(f"zhaiyao: {error.detail}", soft_wrap=True)
    except (InterruptionError, KeyboardInterrupt):
        err.print("zhaiyao: interrupted; what was stored stays, and the same command continues.", soft_wrap=True)
        sys.exit(130)
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.ENOSPC):
            raise
        # Nobody reads our output any more (`| head`), or there is no room for it. It is pointed elsewhere, so that
        # Python's own flush at the end does not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if error.errno == errno.ENOSPC:
            err.print("zhaiyao: the output cannot be written: no space is left on the device.", soft_wrap=True)
    sys.exit(1)


def _settings(**overrides: Any) -> Settings:
    settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    log.configure(settings.log_level)
    return settings


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end. SIGTERM cancels it as Ctrl-C does, so that whatever it has opened is closed in order."""

    async def interruptible() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        return asyncio.run(interruptible())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise InterruptionError from None


def _run_service(work: Coroutine[Any, Any, None]) -> None:
    """Run what runs for ever: a signal is its ordinary end."""
    with suppress(InterruptionError):
        _run(work)


def _say(text: str) -> None:
    err.print(f"· {text}", soft_wrap=True)


@asynccontextmanager
async def _tools(settings: Settings) -> AsyncIterator[tuple[Any, str]]:
    """The tools and the database's address. Our own embedded database is migrated; another's is only checked."""
    from app.db import upgrade
    from app.resources import open_database_url, open_tools

    async with open_database_url(settings, progress=_say) as url:
        if settings.database_url is None:
            await asyncio.to_thread(upgrade, url)
        async with open_tools(settings, url) as tools:
            yield tools, url


@contextmanager
def _bar(what: str, total: int) -> Iterator[Any]:
    """A progress bar on a terminal's standard error; gives a function that takes how many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@app.command()
def up(host: Host = None, port: Port = None) -> None:
    """Run everything on one machine: database, migrations, API, worker and schedule."""
    settings = _settings(host=host, port=port)

    async def run() -> None:
        from app.db import upgrade
        from app.resources import open_database_url, open_tools
        from app.serving import listen, serve_with_worker

        with listen(settings.host, settings.port) as listening:
            async with open_database_url(settings, progress=_say) as url:
                await asyncio.to_thread(upgrade, url)
                async with open_tools(settings, url) as tools:
                    _greet(settings, listening)
                    await serve_with_worker(tools, url, listening)

    _run_service(run())


def _greet(settings: Settings, listening: socket.socket) -> None:
    if settings.contact is None:
        _say("ZHAIYAO_CONTACT is not set: arXiv asks that a client says whom to write to (mailto:you@example.org)")
    _say(f"following {', '.join(settings.categories)}; summaries in {', '.join(settings.languages)}")
    _say(f"listening on {_address(settings, listening)} (try /docs); Ctrl-C stops")


def _address(settings: Settings, listening: socket.socket) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{listening.getsockname()[1]}"


@app.command()
def api(host: Host = None, port: Port = None) -> None:
    """Run the API only; any number of them may share one database."""
    settings = _settings(host=host, port=port)

    async def run() -> None:
        from app.resources import open_database_url, open_tools
        from app.serving import listen, serve

        with listen(settings.host, settings.port) as listening:
            async with open_database_url(settings, progress=_say) as url, open_tools(settings, url) as tools:
                _greet(settings, listening)
                await serve(tools, listening)

    _run_service(run())


@app.command()
def worker() -> None:
    """Run a worker only: jobs and schedule; any number of them may share one database."""
    settings = _settings()

    async def run() -> None:
        from app.resources import open_database_url, open_tools
        from app.worker import run_worker

        async with open_database_url(settings, progress=_say) as url, open_tools(settings, url) as tools:
            _say("working; Ctrl-C stops")
            await run_worker(tools, url)

    _run_service(run())


@app.command()
def ingest(
    categories: Annotated[
        list[str], typer.Argument(metavar="CATEGORY…", help="Categories or archives, such as cs.CL.")
    ],
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="FILE_OR_URL", help="Read this document instead; - is standard input."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read listings now: from arXiv, or from a saved feed (offline)."""
    settings = _settings()

    async def run() -> list[dict[str, Any]]:
        from app.ingestion import ingest as ingest_listing

        results: list[dict[str, Any]] = []
        async with _tools(settings) as (tools, _):
            for category in categories:
                try:
                    stored = await ingest_listing(tools, category, source=source)
                except ZhaiyaoError as error:
                    results.append({"category": category, "error": error.detail, "code": error.code, **error.extra})
                else:
                    shown = {
                        "category": stored.category,
                        "announced_on": str(stored.announced_on),
                        "state": stored.state,
                    }
                    results.append(shown | stored.counts())
        return results

    results = _run(run())
    if as_json:
        print(json.dumps(results, ensure_ascii=False))
    for result in results:
        if "error" in result:
            err.print(f"zhaiyao: {result['category']}: {result['error']}", soft_wrap=True)
        elif not as_json:
            print(
                f"{result['category']} of {result['announced_on']}: {result['state']}, {result['items']} items, "
                f"{result['papers_created']} papers new, {result['papers_changed']} changed, "
                f"{result['announcements_created']} announcements new"
            )
    if any("error" in result for result in results):
        raise typer.Exit(1)


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="The folder that holds papers/YY/MM/ID.json, or one such file.")],
    as_json: Json = False,
) -> None:
    """Import an older archive; interrupted and run again, it continues."""
    settings = _settings()

    async def run() -> Any:
        from app.archive import find_files, import_archive

        total = len(find_files(path))
        async with _tools(settings) as (tools, _):
            with _bar("importing", total) as advance:
                return await import_archive(tools.database, path, progress=lambda report: advance(report.read))

    report = _run(run())
    counts = report.counts()
    for broken in report.broken:
        err.print(f"zhaiyao: {broken.path} was skipped: {broken.reason}.", soft_wrap=True)
    if as_json:
        print(json.dumps(counts | {"broken_files": {str(one.path): one.reason for one in report.broken}}))
    else:
        print(
            f"{counts['read']} files: {counts['papers_created']} papers new, {counts['papers_changed']} changed, "
            f"{counts['unchanged']} already there; {counts['summaries']} summaries new; "
            f"{counts['cut_abstracts']} abstracts are cut; {counts['broken']} files broken"
        )
    if report.broken:
        raise typer.Exit(1)


def _a_language(value: str | None) -> str | None:
    try:
        return check_language(value) if value is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Language = Annotated[str | None, typer.Option(callback=_a_language, help="BCP 47, such as zh or en.")]
Format = Annotated[str, typer.Option(help="md, html or json.")]
Style = Annotated[str | None, typer.Option(help="classic, for md: the older system's bytes.")]


@app.command()
def digest(
    channel: Annotated[str, typer.Argument(help="A channel, such as cs.CL.")],
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Batch date, US Eastern [the newest that is announced]."),
    ] = None,
    language: Language = None,
    format: Format = "md",
    style: Style = None,
    output: Output = None,
) -> None:
    """Compose a channel's digest, with the summaries that it lacks, and print it."""
    settings = _settings()
    from app.render import check_format

    check_format(format, style)

    async def run() -> Any:
        async with _tools(settings) as (tools, _):
            return await _compose(tools, channel, day.date() if day else None, language)

    _write(_run(run()), format, style, output)


async def _compose(tools: Any, channel: str, day: date | None, language: str | None) -> Any:
    from app import digests, summaries
    from app.listings import today_eastern
    from app.tasks import summarize

    async with tools.database.transaction() as session:
        wanted = await digests.channel_digest(
            session,
            channel,
            language=language,
            default_language=tools.settings.languages[0],
            from_=day,
            to=day,
            today=today_eastern(datetime.now(UTC)),
        )
        document = (await digests.compose(session, wanted, tools.summariser)).document
        waiting = await summaries.waiting(session, [item.arxiv_id for item in document.items], wanted.language)
    if not waiting:
        return document
    with _bar("summarising", len(waiting)) as advance:
        for done, summary_id in enumerate(waiting, 1):
            await summarize(tools, summary_id=summary_id)
            advance(done)
    async with tools.database.transaction() as session:
        return (await digests.compose(session, wanted, tools.summariser)).document


def _write(document: Any, format: str, style: str | None, output: Path | None) -> None:
    from app.render import render

    _put(render(document, format, style), output)


def _put(text: str, output: Path | None) -> None:
    """Write to ``output``, or to standard output, as UTF-8 whatever the terminal's encoding is."""
    if output is None:
        sys.stdout.buffer.write(text.encode())
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(text.encode())
    except OSError as error:
        raise ZhaiyaoError(f"{output} cannot be written: {error.strerror or error}.") from error
    _say(f"wrote {output}")


@app.command()
def demo(
    format: Format = "md",
    style: Style = None,
    output: Output = None,
    serve: Annotated[bool, typer.Option("--serve", help="Keep the API up afterwards.")] = False,
    host: Host = None,
    port: Port = None,
) -> None:
    """Run the main job end to end on the bundled listing, in a throw-away database, and print the digest."""
    settings = _settings(host=host, port=port)
    from app.render import check_format

    check_format(format, style)

    async def run(listening: socket.socket | None) -> None:
        from app.demo import run_demo

        async with run_demo(settings, _say) as shown:
            _write(shown.digest, format, style, output)
            receipt = shown.digest.receipt
            _say(f"{receipt.announced} papers announced, {receipt.stored} stored, {receipt.summarized} summarised")
            if listening is not None:
                from app.serving import serve_with_worker

                address = f"{_address(settings, listening)}/v1/digests/{shown.digest.id}.html"
                _say(f"the API is at {address}; Ctrl-C stops")
                await serve_with_worker(shown.tools, shown.url, listening)

    if serve:
        from app.serving import listen

        with listen(settings.host, settings.port) as listening:
            _run_service(run(listening))
    else:
        _run(run(None))
        _say("next: 'zhaiyao demo --serve' to look at it over the API, or 'zhaiyao up' to follow arXiv for real")


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show the settings, secrets masked, and say whether everything that the service needs is there."""
    settings = _settings()
    shown: dict[str, Any] = {
        f"ZHAIYAO_{name.upper()}": _show(name, getattr(settings, name)) for name in type(settings).model_fields
    }
    problems = (
        []
        if settings.contact
        else ["ZHAIYAO_CONTACT is not set: arXiv asks whom to write to (mailto:you@example.org)."]
    )

    async def check() -> str:
        from app.db import Database
        from app.resources import open_database_url

        async with open_database_url(settings, progress=_say) as url:
            database = Database(url)
            try:
                await database.check_schema()
            except ZhaiyaoError as error:
                return error.detail
            finally:
                await database.close()
        return ""

    fault = _run(check())
    if as_json:
        print(json.dumps({"settings": shown, "warnings": problems, "error": fault or None}, ensure_ascii=False))
    else:
        for name, value in shown.items():
            print(f"{name}={value}")
        for problem in problems:
            err.print(f"warning: {problem}", soft_wrap=True)
        err.print(f"zhaiyao: {fault}" if fault else "The database answers and its schema is current.", soft_wrap=True)
    if fault:
        raise typer.Exit(1)


def _show(name: str, value: Any) -> str:
    if name == "database_url":
        return mask(value.get_secret_value()) if value else "(embedded, in the data directory)"
    if name == "arxiv_interval":
        return f"{value.total_seconds():g}"
    return ",".join(value) if isinstance(value, tuple) else "" if value is None else str(value)


@app.command()
def openapi(output: Output = None) -> None:
    """Print the OpenAPI document."""
    from app.main import create_app

    _put(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n", output)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Run the migrations that are missing; safe to run twice."""
    settings = _settings()

    async def run() -> None:
        from app.db import head, upgrade
        from app.resources import open_database_url

        async with open_database_url(settings, progress=_say) as url:
            await asyncio.to_thread(upgrade, url)
            _say(f"the schema is at {head()}")

    _run(run())
