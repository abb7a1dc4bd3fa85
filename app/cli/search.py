"""The command that searches the stored papers: search."""

import json
import sys
from dataclasses import asdict
from html import unescape
from typing import Annotated, Any, Literal

import typer

from app.cli.common import Json, app, bar, open_work, run_to_end, say, settings_of, tell
from app.config import Settings

_NOTES = {
    "near": "no paper has these words; shown is what finds papers that spell them otherwise: {searched}",
    "some": "no paper has all of this; shown are the papers that have most of it",
}


@app.command()
def search(
    query: Annotated[
        list[str] | None,
        typer.Argument(metavar="QUERY", help="As in the search box, such as 'ti:attention -survey cat:cs.CL'."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="Papers to show.")] = 10,
    sort: Annotated[
        Literal["relevance", "id", "announced", "submitted"], typer.Option(help="Best first, or newest first.")
    ] = "relevance",
    oldest: Annotated[bool, typer.Option("--oldest", help="The oldest first, with --sort id and the like.")] = False,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Index every paper anew first; usually the worker sees to it.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Search the stored papers: words, "phrases", -exclusions, ti: abs: au: cat: announced: (docs/search.md).

    Queries that begin with a minus come behind --.
    """
    text = " ".join(query or ())
    if not text and not rebuild:
        raise typer.BadParameter("say what to search for, or --rebuild", param_hint="QUERY")
    if oldest and sort == "relevance":
        raise typer.BadParameter("needs --sort id, announced or submitted", param_hint="--oldest")
    results = run_to_end(_run(settings_of(), text, limit=limit, sort=sort, oldest=oldest, rebuild=rebuild))
    if results is None:
        return
    if as_json:
        shown = asdict(results)
        del shown["next"]  # there is one page here
        print(json.dumps({"items": shown.pop("hits"), **shown}, ensure_ascii=False))
        return
    _print(results)


async def _run(settings: Settings, text: str, *, limit: int, sort: Any, oldest: bool, rebuild: bool) -> Any:
    from app import search as searching

    async with open_work(settings) as (tools, _):
        if rebuild:
            async with tools.database.transaction() as session:
                total = (await searching.extent(session)).stored
            with bar("indexing", total) as advance:
                done = await searching.rebuild(tools.database, everything=True, progress=advance)
            say(f"{done:,} papers indexed")
        if not text:
            return None
        async with tools.database.transaction() as session:
            return await searching.search(session, text, limit=limit, sort=sort, descending=not oldest, highlight=True)


def _print(results: Any) -> None:
    """The papers, each with where it says what was looked for; what is to be known of them goes to standard error."""
    if results.indexed < results.stored:
        lacking = results.stored - results.indexed
        say(
            f"{lacking:,} of {results.stored:,} papers are not indexed yet; the worker does it, or zhaiyao search --rebuild"
        )
    if not results.stored:
        tell("No papers are stored yet; 'zhaiyao ingest cs.CL' reads a listing.")
    elif not results.hits:
        tell(f"None of the {results.stored:,} papers has this; try fewer or other words (docs/search.md).")
    elif note := _NOTES.get(results.matched):
        say(note.format(searched=results.searched))
    for number, hit in enumerate(results.hits):
        if number:
            print()
        print(f"{hit.arxiv_id}  {_shown(hit.title_html or '(no title)')}")
        for snippet in hit.snippets:
            print(f"    {_shown(snippet)}")


def _shown(html: str) -> str:
    """A snippet for a terminal, the marked words bold; elsewhere as plain text."""
    on, off = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")
    text = unescape(html.replace("<mark>", "\1").replace("</mark>", "\2"))
    # What a paper holds is never sent to a terminal as a command.
    printable = "".join(one if one.isprintable() or one in "\1\2" else " " for one in text)
    return printable.replace("\1", on).replace("\2", off)
