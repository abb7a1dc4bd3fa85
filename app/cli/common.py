"""What the commands share: the application, options, running to the end or to a signal, saying and printing."""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from app import log
from app.config import Settings, check_language, load_settings
from app.errors import ZhaiyaoError

app = typer.Typer(
    name="zhaiyao",
    help="Digests of new arXiv papers: follow the listings, store every paper, summarise, serve.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"zhaiyao {metadata.version('zhaiyao')}")
        raise typer.Exit


@app.callback()
def _global_options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_say_version)
    ] = False,
) -> None: ...


db_app = typer.Typer(help="Look after the database.", no_args_is_help=True)
app.add_typer(db_app, name="db")
T = TypeVar("T")
err = Console(stderr=True, highlight=False, markup=False)

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Host = Annotated[str | None, typer.Option(help="Address to listen on (ZHAIYAO_HOST, 127.0.0.1).")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on (ZHAIYAO_PORT, 8000).")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file.", dir_okay=False)]


class InterruptionError(Exception):
    """A signal ended the command. Typer would leave without a word on a ``KeyboardInterrupt``."""


def settings_of(**overrides: Any) -> Settings:
    settings = load_settings(**{name: value for name, value in overrides.items() if value is not None})
    log.configure(settings.log_level)
    return settings


def collect_seldom() -> None:
    """Let Python look for cycles of garbage after 100,000 new objects instead of 700.

    Papers have none, and a listing or a batch of an import is tens of thousands of objects that live for a second: to
    look through them over and over would take a sixth of the time.
    """
    gc.set_threshold(100_000, 10, 10)


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` to its end. SIGTERM cancels it as Ctrl-C does, so that whatever it has opened is closed in order."""
    collect_seldom()

    async def interruptible() -> T:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await work

    try:
        with asyncio.Runner(loop_factory=_loop) as runner:
            return runner.run(interruptible())
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise InterruptionError from None


def _loop() -> asyncio.AbstractEventLoop:
    """uvloop's, where it is: a fifth less CPU for work that mostly waits."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def run_service(work: Coroutine[Any, Any, None]) -> None:
    """Run what runs for ever: a signal is its ordinary end."""
    with suppress(InterruptionError):
        run_to_end(work)


def tell(sentence: object) -> None:
    """On standard error, on one line however long: who reads it from a file has no width."""
    err.print(sentence, soft_wrap=True)


def say(text: str) -> None:
    tell(f"· {text}")


@asynccontextmanager
async def open_work(settings: Settings) -> AsyncIterator[tuple[Any, str]]:
    """The tools and the database's address. Our own embedded database is migrated; another's is only checked."""
    from app.db import upgrade
    from app.resources import open_database_url, open_tools

    async with open_database_url(settings, progress=say) as url:
        if settings.database_url is None:
            await asyncio.to_thread(upgrade, url)
        async with open_tools(settings, url) as tools:
            yield tools, url


@contextmanager
def bar(what: str, total: int) -> Iterator[Any]:
    """A progress bar on a terminal's standard error; gives a function that takes how many are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def byte_bar(what: str, size: int | None) -> Iterator[Callable[[int, int], None]]:
    """The same for a file of ``size`` bytes (None: it is a pipe), with the records per second.

    Gives a function that takes how many bytes are read, and how many records. The rate is that since its first call.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(
        *columns, TimeRemainingColumn(), console=err, transient=True, disable=not err.is_terminal
    ) as progress:
        task = progress.add_task(what, total=size, rate="")
        begun: list[tuple[float, int]] = []

        def advance(consumed: int, records: int) -> None:
            now = time.monotonic()
            if not begun:
                begun.append((now, records))
                # What an earlier run had read is not this one's speed.
                progress.reset(task, completed=consumed)
                return
            since, before = begun[0]
            rate = f"{(records - before) / (now - since):,.0f}/s, {records:,} records"
            progress.update(task, completed=consumed, rate=rate)

        yield advance


def _a_language(value: str | None) -> str | None:
    try:
        return check_language(value) if value is not None else None
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Language = Annotated[str | None, typer.Option(callback=_a_language, help="BCP 47, such as zh or en.")]
Format = Annotated[str, typer.Option(help="md, html, json, rss, atom, txt, csv, bib, ris or epub.")]
Style = Annotated[str | None, typer.Option(help="classic, for md and rss: as the older system wrote it.")]
Math = Annotated[str | None, typer.Option(help="Formulas as tex, mathml or unicode; usually as suits the format best.")]


def write(document: Any, format: str, style: str | None, math: str | None, output: Path | None) -> None:
    from app.render import rendering

    put(rendering(format, style, math)(document), output)


def put(written: bytes, output: Path | None) -> None:
    """Write to ``output``, or to standard output, as UTF-8 whatever the terminal's encoding is."""
    if output is None:
        sys.stdout.buffer.write(written)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(written)
    except OSError as error:
        raise ZhaiyaoError(f"{output} cannot be written: {error.strerror or error}.") from error
    say(f"wrote {output}")
