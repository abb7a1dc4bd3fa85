"""Commands for keys of the API: create, list, revoke."""

import json
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from app.cli.common import Json, app, open_work, run_to_end, settings_of, tell
from app.errors import InvalidInput

keys_app = typer.Typer(help="Look after the keys of the API.", no_args_is_help=True)
app.add_typer(keys_app, name="keys")

PAGE = 200

Id = Annotated[int, typer.Argument(metavar="ID", min=1, help="A key's number, as 'zhaiyao keys list' shows it.")]


@keys_app.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Who has it, or what for.")],
    scope: Annotated[str, typer.Option(help="read, write (includes read) or admin (includes both).")] = "read",
    expires: Annotated[
        str | None, typer.Option(metavar="90d|DATE", help="When it ends; without it, when it is revoked.")
    ] = None,
    rate_limit: Annotated[
        str | None,
        typer.Option(metavar="N/minute", help="A limit of its own, or none; without it, as the service is set."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a key and show it, this once. From the first key on, every write over the API needs one."""

    async def work(session: Any, tools: Any) -> tuple[Any, str]:
        from app import keys
        from app.api.schemas import KeyCreate, KeyRead

        try:
            ends = keys.read_expiry(expires, tools.now()) if expires is not None else None
            given = {"name": name, "scope": scope, "expires_at": ends, "rate_limit": rate_limit}
            wanted = KeyCreate.model_validate(given)
        except ValidationError as error:
            first = error.errors()[0]
            option = str(first["loc"][0]).replace("_", "-")
            raise InvalidInput(f"{option}: {str(first['msg']).removeprefix('Value error, ').rstrip('.')}.") from None
        except (ValueError, OverflowError) as error:
            raise InvalidInput(f"expires: {error}.") from None
        row, secret = await keys.create_key(session, wanted.new(), tools.now())
        return KeyRead.of(row), secret

    read, secret = _run(work)
    if as_json:
        print(json.dumps({**read.model_dump(mode="json"), "key": secret}, ensure_ascii=False))
        return
    print(secret)
    ends = f", until {read.expires_at:%Y-%m-%d %H:%M} UTC" if read.expires_at else ""
    tell(f"· key {read.id} ({read.name}) is good for {read.scope}{ends}; it is not shown again")


@keys_app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List the keys, the newest first, those that are revoked or expired included."""

    async def work(session: Any, tools: Any) -> tuple[list[Any], Any]:
        from app import keys
        from app.api.schemas import KeyRead

        rows, before = await keys.list_keys(session, limit=PAGE)
        while before is not None:
            page, before = await keys.list_keys(session, limit=PAGE, before=before)
            rows += page
        return [KeyRead.of(row) for row in rows], tools.now()

    found, now = _run(work)
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], ensure_ascii=False))
        return
    for one in found:
        state = "revoked" if one.revoked_at else "expired" if one.expires_at and one.expires_at <= now else "good"
        used = f"used {one.last_used_at:%Y-%m-%d %H:%M}" if one.last_used_at else "never used"
        until = f"until {one.expires_at:%Y-%m-%d}" if one.expires_at else "without end"
        print(f"{one.id:>4}  {one.hint}…  {one.scope:<5}  {state:<7}  {until:<16}  {used:<21}  {one.name}")
    if not found:
        print("There is none yet; 'zhaiyao keys create' makes one.")


@keys_app.command()
def revoke(
    id: Id,
    forget: Annotated[
        bool, typer.Option("--forget", help="Remove it from the list, too; without any, writing here needs none.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a key good for nothing, at once and for every process."""

    async def work(session: Any, _: Any) -> Any:
        from app import keys
        from app.api.schemas import KeyRead

        revoked = KeyRead.of(await keys.revoke_key(session, id))
        if forget:
            await keys.forget_key(session, id)
        return revoked

    read = _run(work)
    if as_json:
        print(json.dumps(read.model_dump(mode="json"), ensure_ascii=False))
    else:
        tell(f"· key {read.id} ({read.name}) is {'forgotten' if forget else 'revoked'}")


def _run(work: Any) -> Any:
    settings = settings_of()

    async def run() -> Any:
        async with open_work(settings) as (tools, _), tools.database.transaction() as session:
            return await work(session, tools)

    return run_to_end(run())
