"""Create the tables

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock soon must not stop the readers behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "channels",
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("announce_types", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("language", sa.Text(), nullable=True, comment="NULL: the service's own languages"),
        sa.Column("builtin", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_channels")),
    )
    op.create_table(
        "ingestions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False, comment="listing or archive"),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True, comment="the listing's state after a run that succeeded"),
        sa.Column("reason", sa.Text(), nullable=True, comment="a stable word for why a run failed"),
        sa.Column("detail", sa.Text(), nullable=True, comment="the same as a sentence"),
        sa.Column("announced_on", sa.Date(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('running', 'succeeded', 'failed')", name=op.f("ck_ingestions_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingestions")),
    )
    op.create_index("ix_ingestions_kind_category", "ingestions", ["kind", "category"], unique=False)
    op.create_table(
        "job_outcomes",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_job_outcomes")),
    )
    op.create_table(
        "papers",
        sa.Column("arxiv_id", sa.Text(), nullable=False),
        sa.Column(
            "order_key", sa.Text(collation="C"), nullable=False, comment="sorts in time order over both id schemes"
        ),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("abstract", sa.Text(), nullable=True),
        sa.Column(
            "abstract_hash",
            sa.Text(),
            nullable=False,
            comment="sha256 of the abstract; what summaries are made from",
        ),
        sa.Column("abstract_is_cut", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("authors", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("authors_omitted", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("primary_category", sa.Text(), nullable=True),
        sa.Column("categories", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "listed_in",
            postgresql.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="categories it carries or was announced in: what the filter looks at",
        ),
        sa.Column("comments", sa.Text(), nullable=True),
        sa.Column("journal_ref", sa.Text(), nullable=True),
        sa.Column("doi", sa.Text(), nullable=True),
        sa.Column("license", sa.Text(), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_announced_on", sa.Date(), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "text_as_of",
            sa.Date(),
            nullable=True,
            comment="batch date of the listing that the texts come from",
        ),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_papers_version_positive")),
        sa.PrimaryKeyConstraint("arxiv_id", name=op.f("pk_papers")),
        sa.UniqueConstraint("order_key", name=op.f("uq_papers_order_key")),
    )
    op.create_index("ix_papers_listed_in", "papers", ["listed_in"], unique=False, postgresql_using="gin")
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limits")),
    )
    op.create_table(
        "announcements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("arxiv_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("announced_on", sa.Date(), nullable=False),
        sa.Column("announce_type", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), server_default=sa.text("'feed'"), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["arxiv_id"], ["papers.arxiv_id"], name=op.f("fk_announcements_arxiv_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcements")),
    )
    op.create_index("ix_announcements_announced_on", "announcements", ["announced_on"], unique=False)
    op.create_index(
        "ix_announcements_category_announced_on", "announcements", ["category", "announced_on"], unique=False
    )
    op.create_index(
        "uq_announcements_once",
        "announcements",
        ["arxiv_id", "version", "category", "announced_on"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "digests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=True),
        sa.Column("period_to", sa.Date(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column(
            "paper_ids",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="the papers named, for an ad hoc digest",
        ),
        sa.Column("revision", sa.Integer(), nullable=False, comment="the newest revision"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "position",
            sa.BigInteger(),
            sa.Identity(always=True),
            nullable=False,
            comment="order of creation: the key of the list's cursor",
        ),
        sa.ForeignKeyConstraint(["channel"], ["channels.slug"], name=op.f("fk_digests_channel"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digests")),
        sa.UniqueConstraint("position", name=op.f("uq_digests_position")),
    )
    op.create_index("ix_digests_channel_period", "digests", ["channel", "language", "period_to"], unique=False)
    op.create_table(
        "listings",
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("announced_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column(
            "announced",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="every paper that the listing named, with its announce type",
        ),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ingestion_id", sa.BigInteger(), nullable=True),
        sa.Column("first_read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_read_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('announced', 'empty', 'not_yet', 'stale', 'truncated', 'failed')",
            name=op.f("ck_listings_state_known"),
        ),
        sa.ForeignKeyConstraint(
            ["ingestion_id"], ["ingestions.id"], name=op.f("fk_listings_ingestion_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("category", "announced_on", name=op.f("pk_listings")),
    )
    op.create_index(op.f("ix_listings_announced_on"), "listings", ["announced_on"], unique=False)
    op.create_table(
        "paper_entries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("arxiv_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("raw_hash", sa.Text(), nullable=False, comment="sha256 of raw"),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["arxiv_id"], ["papers.arxiv_id"], name=op.f("fk_paper_entries_arxiv_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_paper_entries")),
        sa.UniqueConstraint("arxiv_id", "raw_hash", name=op.f("uq_paper_entries_arxiv_id_raw_hash")),
    )
    op.create_table(
        "digest_revisions",
        sa.Column("digest_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("receipt", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest_id"], ["digests.id"], name=op.f("fk_digest_revisions_digest_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("digest_id", "revision", name=op.f("pk_digest_revisions")),
    )
    op.create_table(
        "summaries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("arxiv_id", sa.Text(), nullable=False),
        sa.Column("paper_version", sa.Integer(), nullable=True),
        sa.Column("abstract_hash", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False, comment="BCP 47"),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("abstract", sa.Text(), nullable=True),
        sa.Column("tldr", sa.Text(), nullable=True),
        sa.Column("tldr_en", sa.Text(), nullable=True),
        sa.Column("model", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("provider", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("prompt_version", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column(
            "entry_id",
            sa.BigInteger(),
            nullable=True,
            comment="the archive record an imported summary comes from",
        ),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "origin IN ('llm', 'extractive', 'human', 'imported')", name=op.f("ck_summaries_origin_known")
        ),
        sa.CheckConstraint(
            "status IN ('pending', 'running', 'done', 'failed')", name=op.f("ck_summaries_status_known")
        ),
        sa.ForeignKeyConstraint(
            ["arxiv_id"], ["papers.arxiv_id"], name=op.f("fk_summaries_arxiv_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["paper_entries.id"], name=op.f("fk_summaries_entry_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summaries")),
        sa.UniqueConstraint(
            "arxiv_id",
            "abstract_hash",
            "language",
            "origin",
            "model",
            "prompt_version",
            name="uq_summaries_once",
        ),
    )
    op.create_table(
        "digest_items",
        sa.Column("digest_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("arxiv_id", sa.Text(), nullable=False),
        sa.Column("summary_status", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["digest_id", "revision"],
            ["digest_revisions.digest_id", "digest_revisions.revision"],
            name=op.f("fk_digest_items_digest_id_revision"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("digest_id", "revision", "position", name=op.f("pk_digest_items")),
    )
    op.create_index("ix_digest_items_arxiv_id", "digest_items", ["arxiv_id"], unique=False)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_index("ix_digest_items_arxiv_id", table_name="digest_items")
    op.drop_table("digest_items")
    op.drop_table("summaries")
    op.drop_table("digest_revisions")
    op.drop_table("paper_entries")
    op.drop_index(op.f("ix_listings_announced_on"), table_name="listings")
    op.drop_table("listings")
    op.drop_index("ix_digests_channel_period", table_name="digests")
    op.drop_table("digests")
    op.drop_index("uq_announcements_once", table_name="announcements", postgresql_nulls_not_distinct=True)
    op.drop_index("ix_announcements_category_announced_on", table_name="announcements")
    op.drop_index("ix_announcements_announced_on", table_name="announcements")
    op.drop_table("announcements")
    op.drop_table("rate_limits")
    op.drop_index("ix_papers_listed_in", table_name="papers", postgresql_using="gin")
    op.drop_table("papers")
    op.drop_table("job_outcomes")
    op.drop_index("ix_ingestions_kind_category", table_name="ingestions")
    op.drop_table("ingestions")
    op.drop_table("channels")
