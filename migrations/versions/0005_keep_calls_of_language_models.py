"""Keep the calls of language models, and more of each summary

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock soon must not stop the readers behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("summary_ids", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("arxiv_id", sa.Text(), nullable=True, comment="NULL: a call of zhaiyao doctor"),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column(
            "input_tokens", sa.Integer(), nullable=False, comment="reserved while it runs, then as the provider counted"
        ),
        sa.Column("output_tokens", sa.Integer(), nullable=False),
        sa.Column(
            "cost", sa.Numeric(precision=14, scale=8), server_default=sa.text("0"), nullable=False, comment="US dollars"
        ),
        sa.CheckConstraint(
            "outcome IN ('running', 'ok', 'bad_answer', 'later', 'stopped', 'lost')",
            name=op.f("ck_calls_outcome_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calls")),
    )
    op.create_index(
        "ix_calls_running",
        "calls",
        ["summary_ids"],
        unique=False,
        postgresql_where=sa.text("outcome = 'running'"),
        postgresql_using="gin",
    )
    op.create_index("ix_calls_started_at", "calls", ["started_at"], unique=False)
    op.create_table(
        "model_states",
        sa.Column("name", sa.Text(), nullable=False, comment="the model and its endpoint's host"),
        sa.Column(
            "mode", sa.Text(), nullable=True, comment="how JSON is asked for: json_schema, tool, json_object or plain"
        ),
        sa.Column(
            "failures",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="in a row, of the endpoint, not of answers",
        ),
        sa.Column("rest_until", sa.DateTime(timezone=True), nullable=True, comment="no call before"),
        sa.Column(
            "stopped_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="since when it refuses for good: wrong key, unknown model",
        ),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_model_states")),
    )
    op.create_table(
        "spendings",
        sa.Column("spent_on", sa.Date(), nullable=False),
        sa.Column("calls", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "cost",
            sa.Numeric(precision=14, scale=8),
            server_default=sa.text("0"),
            nullable=False,
            comment="US dollars",
        ),
        sa.PrimaryKeyConstraint("spent_on", name=op.f("pk_spendings")),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "fields",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="motivation, method, result, conclusion, where they were asked for",
        ),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "detail",
            sa.Text(),
            server_default=sa.text("'full'"),
            nullable=False,
            comment="brief: without the abstract, to save",
        ),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "checks",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="what was noticed about the answer: check and reason",
        ),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "answered_by", sa.Text(), nullable=True, comment="the model that did answer, if it is another of the chain"
        ),
    )
    op.add_column("summaries", sa.Column("author", sa.Text(), nullable=True, comment="who wrote a human's text"))
    op.add_column(
        "summaries",
        sa.Column(
            "released_at", sa.DateTime(timezone=True), nullable=True, comment="since when a human's text no longer wins"
        ),
    )
    op.add_column("summaries", sa.Column("input_tokens", sa.Integer(), nullable=True))
    op.add_column("summaries", sa.Column("output_tokens", sa.Integer(), nullable=True))
    op.add_column(
        "summaries",
        sa.Column(
            "cost", sa.Numeric(precision=14, scale=8), nullable=True, comment="US dollars; NULL where no price is known"
        ),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="calls that did not give a summary",
        ),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "refusals",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="those of them that had a bad answer",
        ),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "reason",
            sa.Text(),
            nullable=True,
            comment="why it waits or failed, as a stable word; error says it in full",
        ),
    )
    op.add_column(
        "summaries",
        sa.Column(
            "retry_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when it is tried again, if it waits for that",
        ),
    )
    op.create_index("ix_summaries_made_at", "summaries", ["made_at"], unique=False)
    op.create_index(
        "ix_summaries_unfinished",
        "summaries",
        ["status", "reason"],
        unique=False,
        postgresql_where=sa.text("status <> 'done'"),
    )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_summaries_made_at", table_name="summaries")
    op.drop_index("ix_summaries_unfinished", table_name="summaries", postgresql_where=sa.text("status <> 'done'"))
    op.drop_column("summaries", "retry_at")
    op.drop_column("summaries", "reason")
    op.drop_column("summaries", "refusals")
    op.drop_column("summaries", "attempts")
    op.drop_column("summaries", "cost")
    op.drop_column("summaries", "output_tokens")
    op.drop_column("summaries", "input_tokens")
    op.drop_column("summaries", "released_at")
    op.drop_column("summaries", "author")
    op.drop_column("summaries", "answered_by")
    op.drop_column("summaries", "checks")
    op.drop_column("summaries", "detail")
    op.drop_column("summaries", "fields")
    op.drop_table("spendings")
    op.drop_table("model_states")
    op.drop_index("ix_calls_started_at", table_name="calls")
    op.drop_index(
        "ix_calls_running", table_name="calls", postgresql_where=sa.text("outcome = 'running'"), postgresql_using="gin"
    )
    op.drop_table("calls")
