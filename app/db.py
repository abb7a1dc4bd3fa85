"""The database: one engine, one way to commit, and the check that its schema is this release's."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, ColumnElement, Text, any_, literal, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import InstrumentedAttribute

from app.config import mask, sqlalchemy_url
from app.errors import ConfigurationError, SchemaOutdated

if TYPE_CHECKING:
    import alembic.config

PROJECT = Path(__file__).resolve().parent.parent


LastWork = Callable[[AsyncSession, set[str]], Awaitable[None]]
_LAST = "last"


def at_the_end(session: AsyncSession, work: LastWork, about: Iterable[str]) -> None:
    """Have ``work`` done as the last thing before the commit, once, with everything that was named for it.

    For what follows from several changes of a transaction; whatever locks it takes are taken after all others.
    """
    session.info.setdefault(_LAST, {}).setdefault(work, set()).update(about)


class Database:
    """An engine with its connection pool. ``transaction()`` is the only place in the service that commits."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = url
        self.engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            connect_args={"server_settings": {"application_name": "zhaiyao", "timezone": "UTC"}},
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed when the block ends well, and rolled back otherwise."""
        async with self._sessions() as session, session.begin():
            yield session
            last: dict[LastWork, set[str]] = session.info.pop(_LAST, {})
            for work, about in last.items():
                await work(session, about)

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


def among(column: InstrumentedAttribute[str], values: Sequence[str]) -> ColumnElement[bool]:
    """A condition that holds for these values, in one array: Postgres takes no more than 32,767 parameters."""
    return column == any_(literal(values, ARRAY(Text)))


async def hold_moment(session: AsyncSession) -> None:
    """Have all that a transaction will read be of one moment; it must not have asked anything before."""
    await session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))


async def copy_binary(session: AsyncSession, table: str, columns: Sequence[str], rows: bytes) -> None:
    """Copy rows, with header and trailer in the binary form of COPY, into a table, as ``copy_rows`` does."""

    async def whole() -> AsyncIterator[bytes]:
        yield rows

    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.copy_to_table(table, source=whole(), columns=columns, format="binary")


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
