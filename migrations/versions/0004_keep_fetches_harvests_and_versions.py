"""Keep fetches, harvests and version histories; take summaries' texts as equal whatever their line ends

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A migration that cannot get its lock soon must not stop the readers behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "coverages",
        sa.Column("set_spec", sa.Text(), nullable=False),
        sa.Column("covered_from", sa.Date(), nullable=False),
        sa.Column("covered_before", sa.Date(), nullable=False, comment="the first day that may still be incomplete"),
        sa.Column("harvested_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("set_spec", name=op.f("pk_coverages")),
    )
    op.create_table(
        "fetches",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="feed, oai or api"),
        sa.Column("target", sa.Text(), nullable=False, comment="the category, the set, or what else was asked for"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("size", sa.BigInteger(), nullable=True, comment="bytes of the body, uncompressed"),
        sa.Column("duration", sa.Interval(), nullable=True),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column(
            "body", sa.LargeBinary(), nullable=True, comment="as received, compressed with zlib; kept for 30 days"
        ),
        sa.Column("body_of", sa.BigInteger(), nullable=True, comment="the fetch that has the same body"),
        sa.CheckConstraint(
            "outcome IN ('running', 'ok', 'not_modified', 'redirected', 'later', 'refused', 'rejected', 'cut', "
            "'too_large', 'interrupted')",
            name=op.f("ck_fetches_outcome_known"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fetches")),
    )
    op.create_index("ix_fetches_started_at", "fetches", ["started_at"], unique=False)
    op.create_index("ix_fetches_url_id", "fetches", ["url", "id"], unique=False)
    op.create_table(
        "harvests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("set_spec", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("from_on", sa.Date(), nullable=False),
        sa.Column("until_on", sa.Date(), nullable=True, comment="NULL: until now"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("window_from", sa.Date(), nullable=False, comment="first day of the window at work"),
        sa.Column("window_until", sa.Date(), nullable=True, comment="its last day; NULL: until now"),
        sa.Column("token", sa.Text(), nullable=True, comment="what the last page gave for the next"),
        sa.Column("window_pages", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("responded_on", sa.Date(), nullable=True, comment="UTC day of the first answer of the last window"),
        sa.Column("pages", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("records", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("job_id", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('running', 'succeeded', 'failed')", name=op.f("ck_harvests_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_harvests")),
    )
    op.create_index(
        "uq_harvests_running",
        "harvests",
        ["set_spec", "prefix", "from_on", "until_on"],
        unique=True,
        postgresql_where=sa.text("state = 'running'"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "rests",
        sa.Column("key", sa.Text(), nullable=False, comment="feed, oai or api; or feed:cs.CL and the like"),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False, comment="in a row"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rests")),
    )
    op.alter_column(
        "ingestions",
        "kind",
        existing_type=sa.TEXT(),
        comment="listing, archive, snapshot or details",
        existing_comment="listing or archive",
        existing_nullable=False,
    )
    op.add_column(
        "listings",
        sa.Column(
            "verified_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when OAI-PMH was last compared with it and agreed",
        ),
    )
    op.add_column(
        "listings",
        sa.Column(
            "doubts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="papers of which OAI-PMH leaves open whether they belong here, with the days that they may belong to",
        ),
    )
    op.add_column(
        "papers",
        sa.Column(
            "versions",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="what is known of each version: version, submitted_at, size, source_type",
        ),
    )
    op.add_column(
        "papers",
        sa.Column(
            "text_is_converted",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the source had turned the TeX of the texts into Unicode",
        ),
    )
    op.add_column(
        "papers",
        sa.Column(
            "categories_are_partial",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="the source named the primary category only",
        ),
    )
    op.add_column(
        "papers",
        sa.Column("datestamp", sa.Date(), nullable=True, comment="UTC day of the last modification, from OAI-PMH"),
    )
    op.alter_column(
        "papers",
        "listed_in",
        existing_type=postgresql.ARRAY(sa.TEXT()),
        comment="categories it carries, under every name: what the filter looks at",
        existing_comment="categories it carries or was announced in: what the filter looks at",
        existing_nullable=False,
        existing_server_default=sa.text("'{}'::text[]"),
    )
    op.alter_column(
        "papers",
        "text_as_of",
        existing_type=sa.DATE(),
        comment="day of the listing or record that the texts come from",
        existing_comment="batch date of the listing that the texts come from",
        existing_nullable=True,
    )
    _fill_in()


def _fill_in() -> None:
    """What the new columns say of papers that are stored already, and hashes that do not depend on line ends."""
    op.execute(
        "UPDATE papers SET versions = jsonb_build_array(jsonb_build_object('version', version)) WHERE version > 0"
    )
    op.execute(
        """
        UPDATE papers SET categories_are_partial = true WHERE NOT EXISTS (
            SELECT FROM paper_entries AS entry
            WHERE entry.arxiv_id = papers.arxiv_id AND entry.format NOT IN ('archive', 'rss1'))
        """
    )
    op.execute(
        r"""
        CREATE TEMPORARY TABLE rehashed ON COMMIT DROP AS
        SELECT arxiv_id, abstract_hash AS old, encode(sha256(convert_to(
            btrim(regexp_replace(coalesce(abstract, ''), '[ \t\n\r\f\v]+', ' ', 'g'), ' '), 'UTF8')), 'hex') AS new
        FROM papers
        """
    )
    op.execute("DELETE FROM rehashed WHERE old = new")
    op.execute(
        """
        UPDATE summaries SET abstract_hash = rehashed.new FROM rehashed
        WHERE summaries.arxiv_id = rehashed.arxiv_id AND summaries.abstract_hash = rehashed.old
        """
    )
    op.execute("UPDATE papers SET abstract_hash = new FROM rehashed WHERE rehashed.arxiv_id = papers.arxiv_id")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.alter_column(
        "papers",
        "text_as_of",
        existing_type=sa.DATE(),
        comment="batch date of the listing that the texts come from",
        existing_comment="day of the listing or record that the texts come from",
        existing_nullable=True,
    )
    op.alter_column(
        "papers",
        "listed_in",
        existing_type=postgresql.ARRAY(sa.TEXT()),
        comment="categories it carries or was announced in: what the filter looks at",
        existing_comment="categories it carries, under every name: what the filter looks at",
        existing_nullable=False,
        existing_server_default=sa.text("'{}'::text[]"),
    )
    op.drop_column("papers", "datestamp")
    op.drop_column("papers", "categories_are_partial")
    op.drop_column("papers", "text_is_converted")
    op.drop_column("papers", "versions")
    op.drop_column("listings", "doubts")
    op.drop_column("listings", "verified_at")
    op.alter_column(
        "ingestions",
        "kind",
        existing_type=sa.TEXT(),
        comment="listing or archive",
        existing_comment="listing, archive, snapshot or details",
        existing_nullable=False,
    )
    op.drop_table("rests")
    op.drop_index(
        "uq_harvests_running",
        table_name="harvests",
        postgresql_where=sa.text("state = 'running'"),
        postgresql_nulls_not_distinct=True,
    )
    op.drop_table("harvests")
    op.drop_index("ix_fetches_url_id", table_name="fetches")
    op.drop_index("ix_fetches_started_at", table_name="fetches")
    op.drop_table("fetches")
    op.drop_table("coverages")
