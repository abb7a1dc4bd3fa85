"""Commands for channels: list, show, create, edit, delete; and preview, which tries rules and writes nothing.

Options are the API's fields under shorter names, checked by its schemas, and what ``--json`` prints is what the API answers:
a rule for either is a rule for both.
"""

import inspect
import json
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from inspect import Parameter
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from app.cli.common import Json, Language, app, open_work, run_to_end, settings_of
from app.cli.summaries import print_estimate
from app.errors import InvalidInput

if TYPE_CHECKING:
    from app.api.schemas import ChannelPreviewRead, ChannelRead, DayPreview

channels_app = typer.Typer(help="Look after channels, and try their rules.", no_args_is_help=True)
app.add_typer(channels_app, name="channels")

PAGE = 200
"""Channels that are read at a time."""

_NAMES = {
    "categories": "category",
    "announce_types": "type",
    "authors": "author",
    "exclude_words": "exclude-word",
    "exclude_categories": "exclude-category",
    "size_limit": "limit",
}


def _option(field: str) -> str:
    """The option that fills a field of the API."""
    return "--" + _NAMES.get(field, field)


def _text(field: str, help: str, **more: Any) -> Any:
    return Annotated[str | None, typer.Option(_option(field), help=help, **more)]


def _texts(field: str, help: str, **more: Any) -> Any:
    return Annotated[list[str] | None, typer.Option(_option(field), help=f"{help} Repeat it for more.", **more)]


def _no(field: str, help: str) -> Any:
    """The flag that takes a field back."""
    return Annotated[bool, typer.Option(_option(field).replace("--", "--no-"), help=help)]


_RULES = {
    "categories": _texts("categories", "A category or archive whose papers it takes.", metavar="CATEGORY"),
    "announce_types": _texts(
        "announce_types", "new, cross, replace or replace-cross: what it takes (all).", metavar="TYPE"
    ),
    "query": _text("query", "What a paper must match, unless one of the authors wrote it.", metavar="QUERY"),
    "authors": _texts("authors", "An author whose papers it takes, whatever the query.", metavar="NAME"),
    "exclude_words": _texts("exclude_words", "A word or phrase whose papers are left out.", metavar="WORDS"),
    "exclude_categories": _texts("exclude_categories", "A category whose papers are left out.", metavar="CATEGORY"),
    "language": Language,
    "translate": _texts("translate", "title, abstract or tldr: shown in the digest's language (all).", metavar="TEXT"),
    "no_translate": _no("translate", "Show every text as arXiv gives it, and the English sentence."),
    "order": _text(
        "order", "id, announced or relevance: newest id, newest announcement, best match first.", metavar="ORDER"
    ),
    "size_limit": Annotated[
        int | None, typer.Option("--limit", help="Papers in a digest; the others come with the next one.")
    ],
    "repeats": Annotated[bool | None, typer.Option("--repeats", help="Show papers again that it has shown before.")],
}
_SCHEDULE = {
    "title": _text("title", "What people call it.", metavar="TEXT"),
    "schedule": _text("schedule", "announcement, weekly or monthly.", metavar="SCHEDULE"),
    "weekday": _text("weekday", "The last day of a weekly digest (friday).", metavar="DAY"),
}
_TAKE_BACK = {
    "no_announce_types": _no("announce_types", "Take every kind of announcement again."),
    "no_query": _no("query", "Without a query."),
    "no_authors": _no("authors", "Follow no author."),
    "no_exclude_words": _no("exclude_words", "Leave nothing out for its words."),
    "no_exclude_categories": _no("exclude_categories", "Leave nothing out for its categories."),
    "no_language": _no("language", "In the service's own languages."),
    "no_size_limit": _no("size_limit", "Without a limit."),
    "no_repeats": _no("repeats", "Show no paper twice."),
}

Command = TypeVar("Command", bound=Callable[..., None])
Body = TypeVar("Body", bound=BaseModel)
Answer = TypeVar("Answer")
Slug = Annotated[str, typer.Argument(metavar="SLUG", help="A channel's name, such as mine or cs.CL.")]


def _with(*groups: Mapping[str, Any]) -> Callable[[Command], Command]:
    """Append options to a command's own, so that three commands share one list; it gets them as ``**options``."""

    def add(command: Command) -> Command:
        signature = inspect.signature(command)
        own = [one for one in signature.parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        more = [
            Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind, default=False if name.startswith("no_") else None)
            for group in groups
            for name, kind in group.items()
        ]
        command.__signature__ = signature.replace(parameters=[*own, *more])  # type: ignore[attr-defined]
        return command

    return add


@channels_app.command("list")
def list_channels(
    own: Annotated[bool, typer.Option("--own", help="Only those that users made, without arXiv's own.")] = False,
    as_json: Json = False,
) -> None:
    """List the channels: arXiv's own, one for each category and archive, and those that users made."""

    async def work(session: Any, _: Any) -> "list[ChannelRead]":
        from app import channels
        from app.api.schemas import ChannelRead

        rows, after = await channels.list_channels(session, limit=PAGE, builtin=False if own else None)
        while after is not None:
            page, after = await channels.list_channels(session, limit=PAGE, after=after, builtin=False if own else None)
            rows += page
        return [ChannelRead.of(row) for row in rows]

    found = _run(work)
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], ensure_ascii=False))
        return
    room = max((len(one.slug) for one in found), default=0)
    for one in found:
        print(f"{one.slug:<{room}}  {one.schedule:<12}  {one.title} [{', '.join(one.categories)}]")
    if not found:
        print("There is none yet; 'zhaiyao channels create' makes one.")


@channels_app.command()
def show(slug: Slug, as_json: Json = False) -> None:
    """Show one channel; any name of a category leads to its own."""

    async def work(session: Any, _: Any) -> "ChannelRead":
        from app import channels
        from app.api.schemas import ChannelRead

        return ChannelRead.of(await channels.get_channel(session, slug))

    _print_channel(_run(work), as_json)


@channels_app.command()
@_with(_SCHEDULE, _RULES)
def create(
    slug: Annotated[
        str, typer.Argument(metavar="SLUG", help="Its name in addresses: small letters, digits and hyphens.")
    ],
    as_json: Json = False,
    **options: Any,
) -> None:
    """Create a channel. Its categories are followed from now on."""
    from app.api.schemas import ChannelCreate

    new = _body(ChannelCreate, {"slug": slug} | _given(options)).new()

    async def work(session: Any, _: Any) -> "ChannelRead":
        from app import channels
        from app.api.schemas import ChannelRead

        return ChannelRead.of(await channels.create_channel(session, new))

    _print_channel(_run(work), as_json)


@channels_app.command()
@_with(_SCHEDULE, _RULES, _TAKE_BACK)
def edit(slug: Slug, as_json: Json = False, **options: Any) -> None:
    """Change what is given of a channel that a user made; an option that may be repeated replaces its whole list.

    Digests that are written keep the rules that they were made by, until somebody refreshes them.
    """
    from app.api.schemas import ChannelUpdate

    given = _given(options)
    if not given:
        raise InvalidInput("Nothing to change is given; 'zhaiyao channels edit --help' lists what can be.")
    changes = _body(ChannelUpdate, given).changes()

    async def work(session: Any, _: Any) -> "ChannelRead":
        from app import channels
        from app.api.schemas import ChannelRead

        return ChannelRead.of(await channels.change_channel(session, slug, changes))

    _print_channel(_run(work), as_json)


@channels_app.command()
def delete(
    slug: Slug, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether it is meant.")] = False
) -> None:
    """Delete a channel that a user made, with its digests and what it knows to have shown."""
    if not yes:
        if not sys.stdin.isatty():
            raise InvalidInput(f"The digests of {slug} would be deleted, too; say --yes if that is meant.")
        typer.confirm(f"Delete the channel {slug} and all of its digests?", abort=True, err=True)

    async def work(session: Any, _: Any) -> None:
        from app import channels

        await channels.delete_channel(session, slug)

    _run(work)
    print(f"{slug} is deleted")


@channels_app.command()
@_with(_RULES, _TAKE_BACK)
def preview(
    channel: Annotated[
        str | None,
        typer.Option(
            "--channel", metavar="SLUG", help="Begin with this channel's rules; the other options change them."
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=92, help="How many days back, today included.")] = 7,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Say what a channel would have given in the last days, and what its summaries would cost; nothing is written or called."""
    given = _given(options)
    if channel is None and "categories" not in given:
        raise InvalidInput("Give a --category, or with --channel the channel to begin with.")

    async def work(session: Any, tools: Any) -> "ChannelPreviewRead":
        from app import channels
        from app.api.schemas import ChannelPreview, ChannelPreviewRead, ChannelRead
        from app.previews import preview as try_rules

        rules: dict[str, Any] = {"days": days}
        if channel is not None:
            row = ChannelRead.of(await channels.get_channel(session, channel))
            rules |= row.model_dump(include=set(_RULES))
        taken = {name: value for name, value in (rules | given).items() if value is not None}
        body = _body(ChannelPreview, taken)
        return ChannelPreviewRead.of(await try_rules(session, tools, body.rules(), body.language, body.days))

    found = _run(work)
    if as_json:
        print(found.model_dump_json())
    else:
        _print_preview(found, days)


def _run(work: Callable[[Any, Any], Coroutine[Any, Any, Answer]]) -> Answer:
    """Do ``work`` in one transaction; it gets the session and the tools."""
    settings = settings_of()

    async def run() -> Answer:
        async with open_work(settings) as (tools, _), tools.database.transaction() as session:
            return await work(session, tools)

    return run_to_end(run())


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, by the API's fields, in which None is the default; ``InvalidInput`` for what is given and taken back."""
    given = {name: value for name, value in options.items() if value is not None and not name.startswith("no_")}
    for field in [name.removeprefix("no_") for name, value in options.items() if name.startswith("no_") and value]:
        if field in given:
            raise InvalidInput(f"Give either {_option(field)} or {_option(field).replace('--', '--no-')}.")
        given[field] = [] if field == "translate" else None
    return given


def _body(schema: type[Body], given: Mapping[str, Any]) -> Body:
    """What was given as the API's body; ``InvalidInput``, which names the option."""
    try:
        return schema(**given)
    except ValidationError as error:
        raise InvalidInput(_sentence(error.errors()[0])) from None


def _sentence(fault: Mapping[str, Any]) -> str:
    field = str(fault["loc"][0])
    option = "SLUG" if field == "slug" else _option(field)
    if fault["type"] == "missing":
        return f"{option} is needed."
    if fault["type"] == "string_pattern_mismatch":
        return f"{option}: write it with at most 63 small letters, digits and hyphens, such as nlp-and-stats."
    message = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    return f"{option}: {message[0].lower()}{message[1:]}."


def _print_channel(channel: "ChannelRead", as_json: bool) -> None:
    if as_json:
        print(json.dumps(channel.model_dump(mode="json"), ensure_ascii=False))
        return
    print(f"{channel.slug}: {channel.title}")
    for name, value in _told(channel).items():
        if value:
            print(f"  {name:<11}{value}")


def _told(channel: "ChannelRead") -> dict[str, str]:
    """A channel's rules in words; what it does not have is empty."""
    weekly = f", the week ends on {channel.weekday}" if channel.schedule == "weekly" else ""
    limit = f"at most {channel.size_limit} papers, " if channel.size_limit else ""
    return {
        "takes": f"{_listed(channel.announce_types)} in {_listed(channel.categories)}",
        "query": channel.query or "",
        "authors": _listed(channel.authors),
        "leaves out": _listed([*channel.exclude_words, *channel.exclude_categories]),
        "shows": f"{limit}by {channel.order}, {'every announcement' if channel.repeats else 'no paper twice'}",
        "language": channel.language or "the service's own",
        "translates": _listed(channel.translate) or "nothing",
        "digests": channel.schedule + weekly,
    }


def _listed(values: Sequence[str]) -> str:
    return ", ".join(values)


def _print_preview(found: "ChannelPreviewRead", days: int) -> None:
    if not found.days:
        print(f"No listing of these categories was read in the last {days} days; 'zhaiyao ingest' reads one.")
        return
    print("day         announced  papers  not matching  shown before  held over")
    for day in found.days:
        print(
            f"{day.announced_on}  {day.announced:>9}  {day.papers:>6}  {day.not_matching:>12}  "
            f"{day.shown_before:>12}  {day.held_over:>9}"
        )
    for day in found.days:
        if day.items:
            _print_titles(day)
    print(f"\n{found.papers} papers, {found.papers_per_day:g} a day; {found.summarized} of them have their summaries")
    print_estimate(found.estimate, as_json=False)


def _print_titles(day: "DayPreview") -> None:
    print(f"\n{day.announced_on}")
    for item in day.items:
        why = _listed([_why(reason.kind, reason.value) for reason in item.reasons])
        print(f"  {item.arxiv_id}  {_shown(item.title)} [{why}]")
    if day.papers > len(day.items):
        print(f"  … and {day.papers - len(day.items)} more")


def _why(kind: str, value: str) -> str:
    shown = _shown(value)
    return f"by {shown}" if kind == "author" else f"“{shown}”" if kind == "words" else shown


def _shown(text: str | None) -> str:
    """A text from outside on one line, its formulas in Unicode, without what a terminal would obey."""
    from app.render.document import Math
    from app.render.unicode_math import plain_math

    return plain_math(text, Math.UNICODE)
