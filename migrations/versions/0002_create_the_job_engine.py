"""Create the job engine's schema from its package

Revision ID: 0002
Revises: 0001

The SQL is that of the installed Procrastinate. When a later release of it brings migrations of its own, a new migration
here applies them; the comment on the table says from which release a database started.
"""

from importlib.metadata import version
from typing import Any

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def run_script(script: str) -> None:
    """Run SQL of many statements: asyncpg's own simple-query call is the one that takes them."""
    connection: Any = op.get_bind().connection.dbapi_connection
    connection.run_async(lambda raw: raw.execute(script))


def upgrade() -> None:
    run_script(SchemaManager.get_schema())
    op.execute(f"COMMENT ON TABLE procrastinate_jobs IS 'created by procrastinate {version('procrastinate')}'")


def downgrade() -> None:
    run_script(
        """
        DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers CASCADE;
        DO $$
        DECLARE item record;
        BEGIN
            FOR item IN SELECT oid::regprocedure AS name FROM pg_proc
                WHERE proname LIKE 'procrastinate!_%' ESCAPE '!' AND pronamespace = current_schema()::regnamespace
            LOOP EXECUTE 'DROP FUNCTION ' || item.name || ' CASCADE'; END LOOP;
            FOR item IN SELECT oid::regtype AS name FROM pg_type
                WHERE typname LIKE 'procrastinate!_%' ESCAPE '!' AND typtype IN ('e', 'c')
                  AND typnamespace = current_schema()::regnamespace
            LOOP EXECUTE 'DROP TYPE ' || item.name || ' CASCADE'; END LOOP;
        END $$
        """
    )
