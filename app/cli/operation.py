"""Commands for whoever looks after a service: doctor, openapi, db upgrade."""

import asyncio
import json
import re
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from app.cli.common import Json, Output, app, db_app, put, run_to_end, say, settings_of, tell
from app.config import mask
from app.errors import ZhaiyaoError


@app.command()
def doctor(
    as_json: Json = False,
    call: Annotated[bool, typer.Option(help="Make one real call of each configured language model.")] = True,
) -> None:
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

    async def check() -> tuple[str, list[Any], Any]:
        from app.db import Database
        from app.embedding import look
        from app.resources import open_database_url, open_tools
        from app.summarizing import try_models

        async with open_database_url(settings, progress=say) as url:
            database = Database(url)
            try:
                await database.check_schema()
                embedded = await look(database, settings)
            except ZhaiyaoError as error:
                return error.detail, [], None
            finally:
                await database.close()
            if not (settings.llm_model and call):
                return "", [], embedded
            async with open_tools(settings, url) as tools:
                return "", await try_models(tools), embedded

    fault, trials, embedded = run_to_end(check())
    if as_json:
        report = {
            "settings": shown,
            "warnings": problems,
            "error": fault or None,
            "models": [asdict(one) for one in trials],
            "embeddings": asdict(embedded) if embedded else None,
        }
        print(json.dumps(report, ensure_ascii=False))
    else:
        for name, value in shown.items():
            print(f"{name}={value}")
        for problem in problems:
            tell(f"warning: {problem}")
        tell(f"zhaiyao: {fault}" if fault else "The database answers and its schema is current.")
        if not (fault or settings.llm_model):
            tell("ZHAIYAO_LLM_MODEL is not set: summaries are picked from the abstracts and not translated.")
        if embedded:
            tell(str(embedded))
        for trial in trials:
            tell(_say_trial(trial))
    if fault or any(trial.problem for trial in trials):
        raise typer.Exit(1)


def _say_trial(trial: Any) -> str:
    who = f"{trial.model} at {trial.provider}"
    if trial.problem:
        return f"zhaiyao: {who} gave no summary: {trial.problem}"
    cost = "price unknown" if trial.cost is None else f"${trial.cost:.6f}"
    return (
        f"{who} answers by {trial.mode} in {trial.seconds:.1f} s: {trial.input_tokens} tokens in, "
        f"{trial.output_tokens} out, {cost}."
    )


def _show(name: str, value: Any) -> str:
    if name == "database_url":
        return mask(value.get_secret_value()) if value else "(embedded, in the data directory)"
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}"
    if isinstance(value, SecretStr):
        return "***"
    if name in ("llm_base_url", "llm_model") and value:
        value = ",".join(value) if isinstance(value, tuple) else value
        return re.sub(r"//[^/@\s,]+@", "//***@", value)
    return ",".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)


@app.command()
def openapi(output: Output = None) -> None:
    """Print the OpenAPI document."""
    from app.main import create_app

    put((json.dumps(create_app().openapi(), indent=2, ensure_ascii=False) + "\n").encode(), output)


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
