"""Make every category and archive of arXiv a channel

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from app.channels import builtin_channels

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    channels = sa.table(
        "channels",
        sa.column("slug", sa.Text),
        sa.column("title", sa.Text),
        sa.column("categories", ARRAY(sa.Text)),
        sa.column("announce_types", ARRAY(sa.Text)),
        sa.column("language", sa.Text),
        sa.column("builtin", sa.Boolean),
    )
    op.bulk_insert(channels, builtin_channels())


def downgrade() -> None:
    op.execute("DELETE FROM channels WHERE builtin")
