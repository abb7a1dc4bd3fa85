"""Forget the vectors last

The table of vectors is made by whoever embeds first, where pgvector can be had (``app.vectors``), and refers to the papers. Going
down, it has to go before they do; the extension stays, which may be another's.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TABLE IF EXISTS paper_embeddings")
