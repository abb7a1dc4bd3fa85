"""The database: one engine, one way to commit, and the check that its schema is this release's."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import ARRAY, ColumnElement, Text, any_, literal, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import InstrumentedAttribute

from app.config import mask, sqlalchemy_url
from app.errors import ConfigurationError, SchemaOutdated

if TYPE_CHECKING:
    import alembic.config

PROJECT = Path(__file__).resolve().parent.parent


class Database:
    """An engine with its connection pool. ``transaction()`` is the only place in the service that commits.

    With ``patience`` no statement takes longer, none waits longer for a lock than a third of it, and no transaction is left
    open for so long without one: callers of the API cannot hold the database. Work in the background goes without.
    """

    def __init__(self, url: str, *, pool_size: int = 10, patience: timedelta | None = None) -> None:
        self.url = url
        self.engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            hide_parameters=True,  # errors are logged, and what callers send may be secret
            connect_args={
                "server_settings": {"application_name": "zhaiyao", "timezone": "UTC", **_limits_of(patience)}
            },
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed when the block ends well, and rolled back otherwise."""
        async with self._sessions() as session, session.begin():
            yield session

    async def ask(self, statement: str, *arguments: Any) -> Any:
        """The first row of one statement (``$1`` is its first argument), or None; it stands alone and commits by itself.

        For what every request asks: straight on the pool's connection it costs a third of a session.
        """
        async with self.engine.connect() as connection:
            driver = (await connection.get_raw_connection()).driver_connection
            assert driver is not None
            try:
                return await driver.fetchrow(statement, *arguments)
            except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                lost = isinstance(error, asyncpg.InterfaceError)
                raise DBAPIError(None, None, error, connection_invalidated=lost) from error

    async def close(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    async def check_schema(self) -> None:
        """Raise ``SchemaOutdated`` unless the migrations that ran are exactly this release's."""
        found, wanted = await self._revision(), head()
        if found != wanted:
            state = f"is at {found}" if found else "has no tables of Zhaiyao"
            raise SchemaOutdated(
                f"The database {state}, but this release needs {wanted}: run 'zhaiyao db upgrade' (a backup first does no harm)."
            )

    async def _revision(self) -> str | None:
        try:
            async with self.engine.connect() as connection:
                if await connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
                    return None
                row = await connection.execute(text("SELECT version_num FROM alembic_version"))
                return row.scalar_one_or_none()
        except (OSError, DBAPIError) as error:
            raise _unreachable(self.url, error) from error


def _limits_of(patience: timedelta | None) -> dict[str, str]:
    if patience is None:
        return {}
    whole = round(patience.total_seconds() * 1000)
    return {
        "statement_timeout": str(whole),
        "lock_timeout": str(max(whole // 3, 1)),
        "idle_in_transaction_session_timeout": str(whole),
    }


def among(column: InstrumentedAttribute[str], values: Sequence[str]) -> ColumnElement[bool]:
    """A condition that holds for these values, in one array: Postgres takes no more than 32,767 parameters."""
    return column == any_(literal(values, ARRAY(Text)))


async def hold_moment(session: AsyncSession) -> None:
    """Have all that a transaction will read be of one moment; it must not have asked anything before."""
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


async def copy_rows(session: AsyncSession, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Copy rows into a table within the session's transaction: several times as fast as INSERT.

    Values are Python's own; JSON columns take JSON text. A row that is there already is an ``IntegrityError``.
    """
    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.copy_records_to_table(table, records=rows, columns=columns)


def alembic_config(url: str) -> "alembic.config.Config":
    """Alembic's configuration for the database at ``url``."""
    import alembic.config  # a quarter of a second, which only those who migrate should pay

    config = alembic.config.Config(toml_file=str(PROJECT / "pyproject.toml"))
    config.set_main_option("script_location", str(PROJECT / "migrations"))
    config.attributes["url"] = url
    return config


@cache
def head() -> str:
    """The newest migration of this release: its files are numbered in a row, which spares most commands Alembic."""
    return max(file.name[:4] for file in (PROJECT / "migrations" / "versions").glob("[0-9]*.py"))


def upgrade(url: str) -> None:
    """Run every migration that is missing. Safe to run twice, and by two processes at once (``migrations/env.py`` locks)."""
    import alembic.command

    try:
        alembic.command.upgrade(alembic_config(url), "head")
    except (OSError, DBAPIError) as error:
        if getattr(error, "statement", None) is not None:
            raise
        # No statement was reached: there is no connection.
        raise _unreachable(url, error) from error


def _unreachable(url: str, error: Exception) -> ConfigurationError:
    reason = str(getattr(error, "orig", error)).splitlines()[0].rstrip(".")
    return ConfigurationError(f"No connection to the database at {mask(url)}: {reason}. Check ZHAIYAO_DATABASE_URL.")
