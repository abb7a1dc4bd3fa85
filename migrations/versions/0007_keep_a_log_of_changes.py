"""Keep a log of changes

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Whoever writes leaves a mark in the same transaction. EXCEPT finds what an update really changed, also where it changed the key.
MARK = """
CREATE FUNCTION mark_changes() RETURNS trigger LANGUAGE plpgsql AS $$
-- Arguments: the kind of mark, the column that names the entity, and the columns whose change counts.
DECLARE
    marks text := format('INSERT INTO %I.change_marks (kind, key) ', TG_TABLE_SCHEMA);
BEGIN
    IF TG_OP = 'INSERT' THEN
        EXECUTE marks || format('SELECT %L, %I FROM new_rows', TG_ARGV[0], TG_ARGV[1]);
    ELSIF TG_OP = 'DELETE' THEN
        EXECUTE marks || format('SELECT %L, %I FROM old_rows', TG_ARGV[0], TG_ARGV[1]);
    ELSIF TG_OP = 'UPDATE' THEN
        EXECUTE marks || format(
            'SELECT DISTINCT %L, %I FROM (
                (SELECT %3$s FROM old_rows EXCEPT SELECT %3$s FROM new_rows) UNION ALL
                (SELECT %3$s FROM new_rows EXCEPT SELECT %3$s FROM old_rows)) AS differing',
            TG_ARGV[0], TG_ARGV[1], TG_ARGV[2]);
    ELSE
        -- What a TRUNCATE has taken away nobody can see any more; but the log has it, or will, from marks.
        PERFORM pg_advisory_xact_lock(hashtext('changes'));
        EXECUTE marks || format(
            'SELECT kind, key FROM %I.changes WHERE kind = %L AND NOT is_deleted', TG_TABLE_SCHEMA, TG_ARGV[0]);
    END IF;
    RETURN NULL;
END $$
"""

PAPER = (
    "arxiv_id, version, title, abstract, abstract_is_cut, authors, authors_omitted, primary_category, categories, "
    "comments, journal_ref, doi, license, submitted_at, updated_at, first_announced_on, withdrawn, versions, stored_at, "
    "changed_at"
)
SUMMARY = (
    "id, arxiv_id, paper_version, abstract_hash, language, status, origin, title, abstract, tldr, tldr_en, fields, detail, "
    "checks, model, answered_by, provider, prompt_version, author, released_at, input_tokens, output_tokens, cost, attempts, "
    "reason, error, retry_at, made_at"
)
DIGEST = "id, kind, channel, title, period_from, period_to, language, revision, created_at"
MARKED = (
    ("papers", "paper", "arxiv_id", PAPER),
    ("announcements", "paper", "arxiv_id", "id, arxiv_id, category, announced_on, announce_type, version, source"),
    ("paper_entries", "paper", "arxiv_id", "id, arxiv_id, format, received_at, raw"),
    ("summaries", "summary", "id", SUMMARY),
    ("digests", "digest", "id", DIGEST),
)
"""Table, kind of entity, the column that names it, and the columns that a caller sees of it."""

ROWS = {
    "INSERT": "REFERENCING NEW TABLE AS new_rows",
    "UPDATE": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "DELETE": "REFERENCING OLD TABLE AS old_rows",
    "TRUNCATE": "",
}


def _trigger(name: str, table: str, event: str, *arguments: str) -> str:
    told = ", ".join(f"'{argument}'" for argument in arguments)
    return (
        f"CREATE TRIGGER {name} AFTER {event} ON {table} {ROWS[event]} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION mark_changes({told})"
    )


def upgrade() -> None:
    # A migration that cannot get its lock soon must not stop the readers behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "changes",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column(
            "position",
            sa.BigInteger(),
            sa.Identity(always=False),
            nullable=False,
            comment="grows from change to change",
        ),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when it was given its position, which is after the commit; grows with the position",
        ),
        sa.CheckConstraint("kind IN ('paper', 'summary', 'digest')", name=op.f("ck_changes_kind_known")),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_changes")),
    )
    op.create_index("ix_changes_kind_position", "changes", ["kind", "position"])
    op.create_index("ix_changes_changed_at_position", "changes", ["changed_at", "position"])
    op.create_table(
        "change_epochs",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("server", sa.Text(), nullable=False, comment="the start of the server, the database and the table"),
        sa.Column("began_after", sa.BigInteger(), nullable=False, comment="the last position of the time before"),
        sa.Column("began_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_change_epochs")),
        sa.UniqueConstraint("epoch", name=op.f("uq_change_epochs_epoch")),
    )
    op.execute("INSERT INTO change_epochs (epoch, server, began_after) VALUES (gen_random_uuid(), 'migration', 0)")
    op.create_table(
        "change_marks", sa.Column("kind", sa.Text(), nullable=False), sa.Column("key", sa.Text(), nullable=False)
    )
    # Marks live for seconds: what they leave must be cleared away before looking for the next ones gets slow.
    op.execute(
        "ALTER TABLE change_marks SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, "
        "autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000)"
    )
    op.execute("ALTER TABLE changes SET (autovacuum_vacuum_scale_factor = 0.05)")
    op.execute(MARK)
    for table, *arguments in MARKED:
        for event in ROWS:
            op.execute(_trigger(f"mark_{event.lower()}", table, event, *arguments))
    # Whether a summary is stale is told from these of its paper.
    texts = ("texts", "arxiv_id", "arxiv_id, abstract_hash, version")
    op.execute(_trigger("mark_texts", "papers", "UPDATE", *texts))
    # What is there already comes into the log as any change does, a batch at a time: the triggers hold writers off until here.
    for table, kind, key in (
        ("papers", "paper", "arxiv_id"),
        ("summaries", "summary", "id"),
        ("digests", "digest", "id"),
    ):
        op.execute(f"INSERT INTO change_marks (kind, key) SELECT '{kind}', {key} FROM {table}")  # noqa: S608


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP TRIGGER mark_texts ON papers")
    for table, *_ in MARKED:
        for event in ROWS:
            op.execute(f"DROP TRIGGER mark_{event.lower()} ON {table}")
    op.execute("DROP FUNCTION mark_changes")
    for table in ("change_marks", "change_epochs", "changes"):
        op.drop_table(table)
