"""Commands for whoever looks after a service: doctor, openapi, db upgrade."""

import asyncio
import json
from typing import Any

import typer

from app.cli.common import (
    Json,
    Output,
    app,
    db_app,
    err,
    put,
    run_to_end,
    say,
    settings_of,
)
from app.config import mask
from app.errors import ZhaiyaoError


@app.command()
def doctor(as_json: Json = False) -> None:
    """Show the settings, secrets masked, and say whether everything that the service needs is there."""
    settings = settings_of()
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

        async with open_database_url(settings, progress=say) as url:
            database = Database(url)
            try:
                await database.check_schema()
            except ZhaiyaoError as error:
                return error.detail
            finally:
                await database.close()
        return ""

    fault = run_to_end(check())
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

    put(json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n", output)


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Run the migrations that are missing; safe to run twice."""
    settings = settings_of()

    async def run() -> None:
        from app.db import head, upgrade
        from app.resources import open_database_url

        async with open_database_url(settings, progress=say) as url:
            await asyncio.to_thread(upgrade, url)
            say(f"the schema is at {head()}")

    run_to_end(run())
