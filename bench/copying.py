"""COPY of rows that are there already: the limit of everything that stores papers."""

from collections.abc import AsyncIterator, Sequence

import asyncpg

from app.arxiv.ids import order_key

DOCUMENTS = "search_documents"


async def read_back(connection: asyncpg.Connection, table: str, columns: Sequence[str], ids: Sequence[str]) -> bytes:
    """These papers' rows of a table in the binary form that COPY takes."""
    name = "arxiv_id"
    if table == DOCUMENTS:
        name, ids = "order_key", list(map(order_key, ids))
    parts: list[bytes] = []

    async def keep(part: bytes) -> None:
        parts.append(part)

    query = f"SELECT {', '.join(columns)} FROM {table} WHERE {name} = ANY($1) ORDER BY {name}"
    await connection.copy_from_query(query, ids, output=keep, format="binary")
    return b"".join(parts)


async def copy(connection: asyncpg.Connection, table: str, columns: Sequence[str], rows: bytes) -> None:
    """Copy rows in that form into a table."""

    async def whole() -> AsyncIterator[bytes]:
        yield rows

    await connection.copy_to_table(table, source=whole(), columns=columns, format="binary")


async def make_limit_tables(connection: asyncpg.Connection, tables: Sequence[str]) -> None:
    """Tables with the same columns, storage, indexes and triggers, which keep the log of changes: with foreign keys, which LIKE
    leaves out like triggers (``limit_``), and without (``bare_``)."""
    for prefix in ("limit", "bare"):
        for table in tables:
            await connection.execute(f"CREATE TABLE {prefix}_{table} (LIKE {table} INCLUDING ALL)")
            triggers = await connection.fetch(
                "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = $1::text::regclass AND NOT tgisinternal",
                table,
            )
            for (definition,) in triggers:
                await connection.execute(definition.replace(f" ON public.{table} ", f" ON {prefix}_{table} "))
        await connection.execute(f"ALTER TABLE {prefix}_{DOCUMENTS} SET (toast_tuple_target = 128)")
    for table in tables:
        if table == DOCUMENTS:
            await connection.execute(
                f"ALTER TABLE limit_{table} ADD FOREIGN KEY (order_key) REFERENCES limit_papers (order_key)"
            )
        elif table != "papers":
            await connection.execute(f"ALTER TABLE limit_{table} ADD FOREIGN KEY (arxiv_id) REFERENCES limit_papers")
