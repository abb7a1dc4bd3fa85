"""The command that makes papers' vectors now: embeddings."""

import json
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from app.cli.common import Json, app, bar, open_work, run_to_end, settings_of, tell


@app.command()
def embeddings(
    status: Annotated[bool, typer.Option("--status", help="Only say how things stand.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make those anew that are there, too.")] = False,
    as_json: Json = False,
) -> None:
    """Embed the papers that are not embedded yet, for similar papers and hybrid search; a worker does the same in time."""
    settings = settings_of()

    async def run() -> Any:
        from app import embedding

        async with open_work(settings) as (tools, _):
            before = await embedding.look(tools.database, settings)
            if status or before.obstacle:
                return before
            if rebuild:
                await embedding.forget(tools.database)
            with bar("embedding", before.stored if rebuild else before.stored - before.indexed) as advance:
                obstacle, done, more = None, 0, True
                while more:
                    made = await embedding.embed_lacking(tools.database, settings)
                    obstacle, done, more = made.obstacle, done + made.count, made.more
                    advance(done)
            after = await embedding.look(tools.database, settings)
            return replace(after, obstacle=after.obstacle or obstacle)

    state = run_to_end(run())
    if as_json:
        print(json.dumps(asdict(state)))
    else:
        print(f"{state.indexed:,} of {state.stored:,} papers can be compared by meaning ({state.model})")
        if state.obstacle:
            tell(f"zhaiyao: {state.obstacle}")
    if state.obstacle and not status:
        raise typer.Exit(1)
