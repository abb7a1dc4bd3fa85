"""COPY of rows that are there already: the limit of everything that stores papers."""

from collections.abc import AsyncIterator, Sequence

import asyncpg


async def read_back(connection: asyncpg.Connection, table: str, columns: Sequence[str], ids: Sequence[str]) -> bytes:
    """These papers' rows of a table in the binary form that COPY takes."""
    parts: list[bytes] = []

    async def keep(part: bytes) -> None:
        parts.append(part)

    query = f"SELECT {', '.join(columns)} FROM {table} WHERE arxiv_id = ANY($1) ORDER BY arxiv_id"
    await connection.copy_from_query(query, ids, output=keep, format="binary")
    return b"".join(parts)


async def copy(connection: asyncpg.Connection, table: str, columns: Sequence[str], rows: bytes) -> None:
    """Copy rows in that form into a table."""

    async def whole() -> AsyncIterator[bytes]:
        yield rows

    await connection.copy_to_table(table, source=whole(), columns=columns, format="binary")
