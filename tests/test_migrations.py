"""The schema: made by Alembic alone, the same as the models, and taken away again."""

import json
import os
import subprocess
import sys
from pathlib import Path

import alembic.command
import alembic.script
import httpx
import psycopg
import pytest

from app import vectors
from app.arxiv.display import display
from app.db import Database, alembic_config, head, upgrade
from app.errors import ConfigurationError, SchemaOutdated

EXTENSIONS = "SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'"
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic%'"
FUNCTIONS = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
TYPES = "SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typname NOT LIKE '%alembic%'"


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def test_the_newest_migration_is_alembic_s_only_head() -> None:
    script = alembic.script.ScriptDirectory.from_config(alembic_config("postgresql://nowhere"))
    assert script.get_heads() == [head()]


def test_up_check_down_up(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    config = alembic_config(empty_database_url)
    alembic.command.check(config)
    assert rows(empty_database_url, EXTENSIONS) == []
    assert rows(
        empty_database_url, "SELECT slug FROM channels WHERE slug IN ('cs.CL', 'econ', 'cs.NA') ORDER BY 1"
    ) == [
        ("cs.CL",),
        ("econ",),
    ]
    alembic.command.downgrade(config, "base")
    assert [rows(empty_database_url, query) for query in (TABLES, FUNCTIONS, TYPES)] == [[], [], []]
    upgrade(empty_database_url)
    upgrade(empty_database_url)
    alembic.command.check(config)


async def test_the_table_of_vectors_is_no_part_of_the_schema_and_goes_with_it(empty_database_url: str) -> None:
    upgrade(empty_database_url)
    database = Database(empty_database_url)
    async with database.transaction() as session:
        assert await vectors.ensure_table(session) is None
    await database.close()
    config = alembic_config(empty_database_url)
    alembic.command.check(config)
    assert (vectors.TABLE,) in rows(empty_database_url, TABLES)
    alembic.command.downgrade(config, "base")
    # The extension stays: it may be another's.
    assert [name for (name,) in rows(empty_database_url, TABLES)] == []


def test_papers_that_are_there_get_their_display_texts(empty_database_url: str) -> None:
    config = alembic_config(empty_database_url)
    revisions = alembic.script.ScriptDirectory.from_config(config).walk_revisions()
    [wanted] = [one for one in revisions if "keep_display_texts" in one.path]
    before = str(wanted.down_revision)
    alembic.command.upgrade(config, before)
    texts = [None, "plain", "L{\\'e}vy -- $a$", "摘要"]
    with psycopg.connect(empty_database_url) as connection:
        for number in range(2_500):  # more than two batches
            name = json.dumps(texts[number % 4] or "Ada")
            listed = f'[{{"name": {name}, "affiliations": ["X"]}}]' if number % 3 else "[]"
            connection.execute(
                "INSERT INTO papers (arxiv_id, order_key, abstract_hash, title, abstract, authors)"
                " VALUES (%s, %s, 'h', %s, %s, %s)",
                (f"2601.{number:05}", str(number), texts[number % 4], texts[number % 3], listed),
            )
    kept = rows(empty_database_url, "SELECT arxiv_id, title, abstract, authors, changed_at FROM papers ORDER BY 1")
    upgrade(empty_database_url)
    query = "SELECT title, display_title, abstract, display_abstract, authors FROM papers ORDER BY arxiv_id"
    filled = rows(empty_database_url, query)
    for title, display_title, abstract, display_abstract, authors in filled:
        for told, shown in ((title, display_title), (abstract, display_abstract)):
            assert shown == ("Lévy – $a$" if told == texts[2] else None)
        assert isinstance(authors, list)
        assert [author["display_name"] for author in authors] == [display(author["name"]) for author in authors]
        assert all(author["affiliations"] == ["X"] for author in authors)
    assert len(filled) == 2_500
    alembic.command.downgrade(config, before)
    back = "SELECT arxiv_id, title, abstract, authors, changed_at FROM papers ORDER BY 1"
    assert rows(empty_database_url, back) == kept


async def test_an_old_schema_is_refused_with_what_to_do(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(SchemaOutdated, match="zhaiyao db upgrade"):
        await database.check_schema()
    alembic.command.upgrade(alembic_config(empty_database_url), "0001")
    with pytest.raises(SchemaOutdated, match=f"is at 0001, but this release needs {head()}"):
        await database.check_schema()
    await database.close()


async def test_a_database_that_is_not_there_is_one_sentence() -> None:
    database = Database("postgresql://someone:secret@127.0.0.1:9/nothing")
    with pytest.raises(ConfigurationError, match=r"someone:\*\*\*@127.0.0.1") as caught:
        await database.check_schema()
    assert "secret" not in str(caught.value)
    await database.close()


def test_three_processes_migrate_at_once(empty_database_url: str, tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "ZHAIYAO_DATABASE_URL": empty_database_url}
    command = [sys.executable, "-m", "app", "db", "upgrade"]
    running = [subprocess.Popen(command, env=environment, cwd=tmp_path) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert rows(empty_database_url, "SELECT version_num FROM alembic_version") == [(head(),)]


async def test_the_health_of_a_ready_service(client: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
