"""Commands that read listings and compose digests: ingest, digest."""

import json
from datetime import date, datetime
from typing import Annotated, Any

import typer

from app.cli.common import (
    Format,
    Json,
    Language,
    Math,
    Output,
    Style,
    app,
    open_work,
    run_to_end,
    settings_of,
    tell,
    write,
)
from app.cli.summaries import make_summaries
from app.errors import ZhaiyaoError


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
    settings = settings_of()

    async def run() -> list[dict[str, Any]]:
        from app.ingestion import ingest as ingest_listing

        results: list[dict[str, Any]] = []
        async with open_work(settings) as (tools, _):
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

    results = run_to_end(run())
    if as_json:
        print(json.dumps(results, ensure_ascii=False))
    for result in results:
        if "error" in result:
            tell(f"zhaiyao: {result['category']}: {result['error']}")
        elif not as_json:
            print(
                f"{result['category']} of {result['announced_on']}: {result['state']}, {result['items']} items, "
                f"{result['papers_created']} papers new, {result['papers_changed']} changed, "
                f"{result['announcements_created']} announcements new"
            )
    if any("error" in result for result in results):
        raise typer.Exit(1)


@app.command()
def digest(
    channel: Annotated[str, typer.Argument(help="A channel, such as cs.CL.")],
    day: Annotated[
        datetime | None,
        typer.Option("--date", formats=["%Y-%m-%d"], help="Batch date, US Eastern (the newest that is announced)."),
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option("--from", formats=["%Y-%m-%d"], help="First day of a roll-up, in place of --date."),
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day of a roll-up.")] = None,
    language: Language = None,
    format: Format = "md",
    style: Style = None,
    math: Math = None,
    output: Output = None,
) -> None:
    """Compose a channel's digest, with the summaries that it lacks, and print it."""
    settings = settings_of()
    from app.render import rendering

    rendering(format, style, math)
    if day and (first or last):
        raise typer.BadParameter("give either --date, or --from and --to")
    days = [one.date() if one else None for one in (day, first, last)]

    async def run() -> Any:
        async with open_work(settings) as (tools, url):
            return await _compose(tools, url, channel, days, language)

    write(run_to_end(run()), format, style, math, output)


async def _compose(tools: Any, url: str, channel: str, days: list[date | None], language: str | None) -> Any:
    from app import digests

    day, from_, to = days
    clock = tools.clock()

    async with tools.database.transaction() as session:
        wanted = await digests.channel_digest(
            session,
            channel,
            language=language,
            default_language=tools.settings.languages[0],
            day=day,
            from_=from_,
            to=to,
            today=clock.today,
        )
        document = (await digests.compose(session, wanted, tools.summariser, clock)).document
    papers = [item.arxiv_id for item in document.items]
    await make_summaries(tools, url, papers, [wanted.language])
    async with tools.database.transaction() as session:
        return (await digests.compose(session, wanted, tools.summariser, clock)).document
