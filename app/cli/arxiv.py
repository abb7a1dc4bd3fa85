"""Commands that ask arXiv for more than its listings: harvest, fetch."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from app.cli.common import Json, app, bar, open_work, run_to_end, say, settings_of, tell

FORMATS = ("arXivRaw", "arXiv", "oai_dc")


def _a_format(value: str) -> str:
    if value not in FORMATS:
        raise typer.BadParameter(f"choose one of {', '.join(FORMATS)}; only arXivRaw has versions and announcements.")
    return value


@app.command()
def harvest(
    set_: Annotated[
        str | None,
        typer.Option("--set", metavar="SET", help="A set such as cs:cs:CL, or a category (every followed one)."),
    ] = None,
    from_: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="First day of modification, UTC (where the last harvest ended)."
        ),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day of modification, UTC (now).")
    ] = None,
    format: Annotated[str, typer.Option(callback=_a_format, help="arXivRaw, arXiv or oai_dc.")] = "arXivRaw",
    as_json: Json = False,
) -> None:
    """Harvest records over OAI-PMH and repair the listings; interrupted and run again, it goes on where it was."""
    settings = settings_of()

    async def run() -> list[dict[str, Any]]:
        from app.harvesting import harvest as harvest_set

        reports = []
        async with open_work(settings) as (tools, _):
            for wanted in await _wanted(tools, set_, from_, until, format):
                say(f"harvesting {wanted.set_spec} from {wanted.from_on} until {wanted.until_on or 'now'}")
                report = await harvest_set(tools, wanted, patient=True, progress=_tell)
                reports.append(
                    {"harvest_id": report.harvest_id, "set": report.set_spec, "resumed": report.resumed}
                    | {"pages": report.pages, "records": report.records}
                    | report.counts
                )
        return reports

    reports = run_to_end(run())
    if as_json:
        print(json.dumps(reports))
        return
    for report in reports:
        print(
            f"{report['set']}: {report['records']:,} records on {report['pages']} pages, "
            f"{report.get('papers_created', 0):,} papers new, {report.get('papers_changed', 0):,} changed, "
            f"{report.get('announcements_created', 0)} announcements found, {report.get('announcements_moved', 0)} moved, "
            f"{report.get('days_verified', 0)} days of listings proved complete"
        )


async def _wanted(
    tools: Any, set_: str | None, from_: datetime | None, until: datetime | None, prefix: str
) -> list[Any]:
    from app import channels, harvests
    from app.arxiv.oai import set_of
    from app.harvesting import due_from

    today = tools.now().astimezone(UTC).date()
    async with tools.database.transaction() as session:
        sets = [set_of(set_)] if set_ else [
            set_of(category) for category in await channels.followed_categories(session, tools.settings.categories)
        ]  # fmt: skip
        wanted = []
        for spec in sets:
            coverage = await harvests.find_coverage(session, spec)
            begin = from_.date() if from_ else due_from(coverage.covered_before if coverage else None, today)
            one = harvests.Wanted(spec, begin, until.date() if until else None, prefix)
            harvests.check(one, today)
            wanted.append(one)
    return wanted


def _tell(progress: Any) -> None:
    """One line for each page: a harvest of years prints some thousands, and says how long it will still take."""
    if progress.waits_until is not None:
        say(f"{progress.reason} (waiting; Ctrl-C is safe, run the command again to go on)")
        return
    left = f", about {_span(progress.left)} left" if progress.left is not None else ""
    windows = f", {progress.windows_left} windows of days after this one" if progress.windows_left else ""
    say(f"{progress.records:,} records on {progress.pages} pages, at {progress.window_from}{windows}{left}")


def _span(left: timedelta) -> str:
    minutes = round(left.total_seconds() / 60)
    return (
        f"{minutes // 60} h {minutes % 60} min"
        if minutes >= 60
        else f"{minutes} min"
        if minutes
        else "less than a minute"
    )


@app.command()
def fetch(
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Identifiers in any form, such as 2404.02342.")],
    as_json: Json = False,
) -> None:
    """Fetch papers by id through arXiv's search API, on demand; the listings bring new ones by themselves."""
    settings = settings_of()

    async def run() -> Any:
        from app.details import fetch as fetch_papers
        from app.details import read_ids

        wanted = read_ids(ids)
        async with open_work(settings) as (tools, _):
            with bar("fetching", len(wanted)) as advance:
                return await fetch_papers(tools, wanted, progress=advance)

    details = run_to_end(run())
    counts = details.counts()
    for arxiv_id in details.unknown:
        tell(f"zhaiyao: arXiv has no paper {arxiv_id}.")
    if as_json:
        print(json.dumps(counts | {"unknown_ids": details.unknown}))
    else:
        print(
            f"{counts['found']} papers found: {counts['papers_created']} new, {counts['papers_changed']} changed; "
            f"{counts['unknown']} unknown"
        )
    if details.unknown:
        raise typer.Exit(1)
