"""Alembic's environment: connects as the service does and lets one migrating process in at a time."""

import asyncio
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.config import load_settings, sqlalchemy_url
from app.errors import ConfigurationError
from app.models import Base
from app.vectors import TABLE

MIGRATION_LOCK = 0x7A68_6169  # "zhai": an advisory lock that belongs to nothing else in this database


def belongs_to_us(name: str | None, type_: str, _parents: Any) -> bool:
    """Leave out of ``alembic check`` the job engine's tables, which its package defines, and the table of vectors, which is a
    cache and made only where pgvector can be had.
    """
    return not (type_ == "table" and name is not None and (name.startswith("procrastinate") or name == TABLE))


def run(connection: Connection) -> None:
    """Migrate in one transaction; a second process waits, then finds nothing left to do."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=belongs_to_us,
        compare_server_default=False,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context.run_migrations()


def database_url() -> str:
    """The address handed over by ``app.db``, or the one in the environment for the ``alembic`` command."""
    handed: str | None = context.config.attributes.get("url")
    if handed:
        return handed
    settings = load_settings()
    if settings.database_url is None:
        raise ConfigurationError("Set ZHAIYAO_DATABASE_URL to use the alembic command, or run 'zhaiyao db upgrade'.")
    return settings.database_url.get_secret_value()


async def main() -> None:
    """Open one connection and migrate over it."""
    engine = create_async_engine(sqlalchemy_url(database_url()), poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


def run_async() -> None:
    """Run ``main`` in a thread of its own, because the caller may already be inside an event loop."""
    import threading

    outcome: list[BaseException] = []

    def target() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=target, name="migrations")
    thread.start()
    thread.join()
    if outcome:
        raise outcome[0]


Mode = Literal["online", "offline"]
if context.is_offline_mode():
    raise ConfigurationError(
        "Migrations need a connection; --sql is not supported, because the job engine's SQL is dynamic."
    )
run_async()
