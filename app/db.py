"""The database: one engine, one way to commit, and the check that its schema is this release's."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import asyncpg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Dialect,
    Executable,
    PoolProxiedConnection,
    Text,
    any_,
    event,
    literal,
    text,
)
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.util import greenlet_spawn

from app.config import mask, sqlalchemy_url
from app.errors import ConfigurationError, SchemaOutdated

if TYPE_CHECKING:
    import alembic.config

PROJECT = Path(__file__).resolve().parent.parent


_DIALECT: Final[Dialect] = PGDialect_asyncpg()  # type: ignore[no-untyped-call]

PLANNING: Final = {"random_page_cost": "1.1"}
"""What Postgres takes for granted when it plans: that any page is at hand as soon as the next one, as in memory and on disks of
today. With 4, its default, of disks that turn, it may read a table of 60,000 rows rather than look up a thousand of them.
"""

PING_AFTER: Final = 1.0
"""Seconds of rest after which a connection is tried even by those who can read again if it does not work."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement that SQLAlchemy has written, as the driver takes it: ``$1`` and so on, by name or with its own value."""

    sql: str
    names: tuple[str, ...]
    constants: Mapping[str, Any]
    mark: str
    """Tells it from every other statement, in every process."""

    def values(self, parameters: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the statement; ``KeyError`` for one that is missing."""
        return [parameters[name] if name in parameters else self.constants[name] for name in self.names]


def prepare(statement: Executable) -> Prepared:
    """Write a statement once; parameters that must be given are ``bindparam(name)``."""
    compiled = statement.compile(dialect=_DIALECT)  # type: ignore[attr-defined]  # every Executable that is used has it
    constants = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
    sql = str(compiled)
    mark = hashlib.blake2b(sql.encode(), digest_size=8).hexdigest()
    return Prepared(sql, tuple(compiled.positiontup or ()), constants, mark)


class _NotAtHandError(Exception):
    """There is no connection without waiting."""


LastWork = Callable[[AsyncSession, set[str]], Awaitable[None]]
_LAST = "last"


def at_the_end(session: AsyncSession, work: LastWork, about: Iterable[str]) -> None:
    """Have ``work`` done as the last thing before the commit, once, with everything that was named for it.

    For what follows from several changes of a transaction; whatever locks it takes are taken after all others.
    """
    session.info.setdefault(_LAST, {}).setdefault(work, set()).update(about)


class Database:
    """An engine with its connection pool. ``transaction()`` is the only place in the service that commits.

    With ``patience`` no statement takes longer, none waits longer for a lock than a third of it, and no transaction is left
    open for so long without one: callers of the API cannot hold the database. Work in the background goes without.

    There are never more than twice ``pool_size`` connections. All that were needed at a time are kept, the last used in front:
    to open one takes longer than ten quick reads.
    """

    def __init__(self, url: str, *, pool_size: int = 10, patience: timedelta | None = None) -> None:
        self.url = url
        self.engine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=2 * pool_size,
            max_overflow=0,
            pool_use_lifo=True,
            hide_parameters=True,  # errors are logged, and what callers send may be secret
            connect_args={
                "server_settings": {
                    "application_name": "zhaiyao",
                    "timezone": "UTC",
                    **PLANNING,
                    **_limits_of(patience),
                }
            },
        )
        self._is_trying = True
        event.listen(self.engine.sync_engine, "checkout", self._try_out)
        event.listen(self.engine.sync_engine, "checkin", _note_use)
        event.listen(self.engine.sync_engine, "do_connect", self._allow)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncSession]:
        """A session whose work is committed when the block ends well, and rolled back otherwise."""
        async with self._sessions() as session, session.begin():
            yield session
            last: dict[LastWork, set[str]] = session.info.pop(_LAST, {})
            for work, about in last.items():
                await work(session, about)

    async def ask(self, statement: str, *arguments: Any) -> Any:
        """The first row of one statement (``$1`` is its first argument), or None; it stands alone and commits by itself."""
        async with self.connection() as connection:
            return await connection.fetchrow(statement, *arguments)

    async def fetch(self, statement: Prepared, parameters: Mapping[str, Any]) -> list[Any]:
        """The rows of one statement that only reads, each commit of its own; ``DBAPIError`` as from a session.

        For what is asked for often: it spares a session, a transaction and the making of results.
        """
        values = statement.values(parameters)
        try:
            return await self._fetch(statement.sql, values, is_tried=False)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        # The server was restarted, or had enough of this connection: reading again does no harm.
        return await self._fetch(statement.sql, values, is_tried=True)

    async def _fetch(self, sql: str, values: list[Any], *, is_tried: bool) -> list[Any]:
        async with self.connection(is_tried=is_tried) as connection:
            rows: list[Any] = await connection.fetch(sql, *values)
            return rows

    @asynccontextmanager
    async def connection(self, *, is_tried: bool = True) -> AsyncIterator[asyncpg.Connection]:
        """A connection of the pool as the driver has it; what the driver raises becomes ``DBAPIError``.

        Those who can do again what has failed may have one that was not tried, if it was in use a moment ago.
        """
        fairy = None if is_tried else self._at_hand()
        try:
            if fairy is None:
                fairy = await self.engine.raw_connection()
            yield fairy.driver_connection
        except (asyncpg.PostgresError, asyncpg.InterfaceError, self.engine.dialect.loaded_dbapi.Error) as error:
            raise _as_sqlalchemys(error, fairy) from error
        except asyncpg.InternalClientError as error:
            # The server has just said good-bye on it: the driver is in no state to ask anything.
            if fairy is not None:
                await greenlet_spawn(fairy.invalidate)
            raise DBAPIError(None, None, error, connection_invalidated=True) from error
        except BaseException:
            if fairy is not None:  # Left in the middle, by a time limit or a caller who went away.
                await greenlet_spawn(fairy.invalidate)
            raise
        finally:
            if fairy is not None:
                fairy.close()  # the pool keeps it, which needs no waiting

    def _at_hand(self) -> PoolProxiedConnection | None:
        """A connection that was in use a moment ago, if the pool has one free.

        SQLAlchemy switches greenlets to wait, for a connection to be given back, made or tried. Where nothing is waited for
        they are not needed, and they and the try would be two thirds of what a quick read costs.
        """
        if self.engine.sync_engine.pool.checkedin() == 0:  # type: ignore[attr-defined]  # it is a QueuePool
            return None
        self._is_trying = False
        try:
            fairy = self.engine.sync_engine.raw_connection()
        except _NotAtHandError:  # the one in front was cut, and must be made again
            return None
        finally:
            self._is_trying = True
        if monotonic() - fairy.info.get("used_at", 0.0) > PING_AFTER:
            fairy.close()
            return None
        return fairy

    def _allow(self, *_: Any) -> None:
        """Let the pool open a connection, which needs a greenlet, unless one is looked for that is there."""
        if not self._is_trying:
            raise _NotAtHandError

    def _try_out(self, connection: Any, record: Any, fairy: Any) -> None:
        """Have the pool replace a connection that is closed, or does not answer when it is tried."""
        if not self._is_trying:
            return
        try:
            connection.ping()
        except Exception as error:
            raise DisconnectionError from error

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


def _note_use(connection: Any, record: Any) -> None:
    record.info["used_at"] = monotonic()


def _as_sqlalchemys(error: Exception, fairy: PoolProxiedConnection | None) -> DBAPIError:
    driver: Any = fairy.driver_connection if fairy is not None else None
    return DBAPIError(None, None, error, connection_invalidated=driver is None or driver.is_closed())


def among(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], values: Sequence[str]
) -> ColumnElement[bool]:
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
