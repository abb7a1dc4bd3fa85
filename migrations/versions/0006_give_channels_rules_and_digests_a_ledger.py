"""Give channels rules of their own, and digests a ledger

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TEXTS = postgresql.ARRAY(sa.Text())


def upgrade() -> None:
    # A migration that cannot get its lock soon must not stop the readers behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")
    empty = sa.text("'{}'")
    for column in (
        sa.Column("query", sa.Text(), nullable=True, comment="a paper must match it, or be of one of the authors"),
        sa.Column("authors", TEXTS, server_default=empty, nullable=False),
        sa.Column("exclude_words", TEXTS, server_default=empty, nullable=False),
        sa.Column("exclude_categories", TEXTS, server_default=empty, nullable=False),
        sa.Column(
            "translate",
            TEXTS,
            server_default=sa.text("'{title,abstract,tldr}'"),
            nullable=False,
            comment="the texts that are shown in the digest's language",
        ),
        sa.Column("order_by", sa.Text(), server_default=sa.text("'id'"), nullable=False),
        sa.Column(
            "size_limit", sa.Integer(), nullable=True, comment="papers in a digest; the others come with the next one"
        ),
        sa.Column("schedule", sa.Text(), server_default=sa.text("'announcement'"), nullable=False),
        sa.Column(
            "weekday",
            sa.Integer(),
            server_default=sa.text("5"),
            nullable=False,
            comment="1 is Monday: the last day of a weekly digest",
        ),
        sa.Column(
            "repeats",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="shows each day's announcements, also of papers that it has shown before",
        ),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
    ):
        op.add_column("channels", column)
    # What a category announced is a matter of record: its own channel shows all of it, every day.
    op.execute("UPDATE channels SET repeats = true WHERE builtin")
    for name, condition in (
        ("order_by_known", "order_by IN ('id', 'announced', 'relevance')"),
        ("schedule_known", "schedule IN ('announcement', 'weekly', 'monthly')"),
        ("weekday_known", "weekday BETWEEN 1 AND 7"),
        ("size_limit_positive", "size_limit > 0"),
    ):
        op.create_check_constraint(op.f(f"ck_channels_{name}"), "channels", condition)
    op.add_column("digests", sa.Column("kind", sa.Text(), nullable=True))
    op.execute(
        "UPDATE digests SET kind = CASE WHEN channel IS NULL THEN 'papers' "
        "WHEN period_from = period_to THEN 'channel' ELSE 'rollup' END"
    )
    op.alter_column("digests", "kind", nullable=False)
    op.create_check_constraint(
        op.f("ck_digests_kind_known"), "digests", "kind IN ('channel', 'rollup', 'papers', 'query')"
    )
    op.add_column(
        "digests",
        sa.Column(
            "query", postgresql.JSONB(), nullable=True, comment="what was searched for, for a digest over a query"
        ),
    )
    op.add_column(
        "digests",
        sa.Column(
            "definition",
            postgresql.JSONB(),
            nullable=True,
            comment="the channel's rules as they were when somebody last asked for the digest",
        ),
    )
    op.alter_column(
        "digests",
        "revision",
        existing_type=sa.Integer(),
        existing_nullable=False,
        comment="the newest revision; 0: none is written yet",
        existing_comment="the newest revision",
    )
    op.add_column(
        "digests",
        sa.Column(
            "waiting_for",
            TEXTS,
            server_default=empty,
            nullable=False,
            comment="papers whose summary is still to come, or may become better",
        ),
    )
    op.execute(
        """
        UPDATE digests SET waiting_for = waiting.arxiv_ids FROM (
            SELECT digest_id, revision, array_agg(arxiv_id) AS arxiv_ids FROM digest_items
            WHERE summary_status <> 'done' OR content #>> '{summary,origin}' = 'extractive'
               OR content #>> '{summary,stale}' = 'true'
            GROUP BY digest_id, revision) AS waiting
        WHERE waiting.digest_id = digests.id AND waiting.revision = digests.revision
        """
    )
    op.create_index("ix_digests_waiting_for", "digests", ["waiting_for"], postgresql_using="gin")
    op.add_column(
        "digest_items",
        sa.Column(
            "added_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when the digest shows the paper",
        ),
    )
    op.add_column(
        "digest_items",
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when it shows of it what it shows now",
        ),
    )
    op.create_table(
        "channel_papers",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("arxiv_id", sa.Text(), nullable=False),
        sa.Column("digest_id", sa.Text(), nullable=True),
        sa.Column("announced_on", sa.Date(), nullable=False),
        sa.Column("announce_type", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False, comment="where it was announced"),
        sa.ForeignKeyConstraint(
            ["channel"], ["channels.slug"], name=op.f("fk_channel_papers_channel_channels"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["digest_id"], ["digests.id"], name=op.f("fk_channel_papers_digest_id_digests"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("channel", "language", "arxiv_id", name=op.f("pk_channel_papers")),
    )
    op.create_index("ix_channel_papers_digest_id", "channel_papers", ["digest_id"])


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("channel_papers")
    op.drop_column("digest_items", "changed_at")
    op.drop_column("digest_items", "added_at")
    op.drop_index("ix_digests_waiting_for", table_name="digests", postgresql_using="gin")
    # What an older release does not know cannot stay: digests without a revision, and those over a query.
    op.execute("DELETE FROM digests WHERE revision = 0 OR kind = 'query'")
    op.drop_column("digests", "waiting_for")
    op.drop_column("digests", "definition")
    op.drop_column("digests", "query")
    op.drop_constraint(op.f("ck_digests_kind_known"), "digests")
    op.drop_column("digests", "kind")
    op.alter_column(
        "digests",
        "revision",
        existing_type=sa.Integer(),
        existing_nullable=False,
        comment="the newest revision",
        existing_comment="the newest revision; 0: none is written yet",
    )
    for name in ("size_limit_positive", "weekday_known", "schedule_known", "order_by_known"):
        op.drop_constraint(op.f(f"ck_channels_{name}"), "channels")
    for name in (
        "updated_at", "repeats", "weekday", "schedule", "size_limit", "order_by", "translate", "exclude_categories",
        "exclude_words", "authors", "query",
    ):  # fmt: skip
        op.drop_column("channels", name)
