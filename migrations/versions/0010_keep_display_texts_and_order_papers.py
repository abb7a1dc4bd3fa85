"""Keep display texts beside the texts, and order papers by date

Revision ID: 0010
Revises: 0009
"""

import json

import sqlalchemy as sa
from alembic import op

from app.arxiv.display import display

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BATCH = 1_000
SHOWN = (
    "arxiv_id", "version", "title", "abstract", "abstract_is_cut", "authors", "authors_omitted", "primary_category", "categories",
    "comments", "journal_ref", "doi", "license", "submitted_at", "updated_at", "first_announced_on", "withdrawn", "versions",
    "stored_at", "changed_at",
)  # fmt: skip
"""The columns of a paper that a caller sees, but for the new ones."""

_READ = sa.text(
    "SELECT arxiv_id, title, abstract, authors FROM papers WHERE arxiv_id > :after ORDER BY arxiv_id LIMIT :batch"
)
_WRITE = sa.text(
    """
    UPDATE papers SET display_title = new.display_title, display_abstract = new.display_abstract, authors = new.authors
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS new(arxiv_id text, display_title text, display_abstract text, authors jsonb)
    WHERE papers.arxiv_id = new.arxiv_id
    """
)


def upgrade() -> None:
    # A migration that cannot get its lock soon must not stop the readers behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.add_column(
        "papers",
        sa.Column("display_title", sa.Text(), nullable=True, comment="in plain Unicode; NULL: the same as the title"),
    )
    op.add_column(
        "papers",
        sa.Column(
            "display_abstract", sa.Text(), nullable=True, comment="in plain Unicode; NULL: the same as the abstract"
        ),
    )
    op.alter_column(
        "papers", "authors", comment="each with name, affiliations and display_name", existing_nullable=False
    )
    _fill()
    _mark_changes_of(*SHOWN, "display_title", "display_abstract")
    op.create_index(
        "ix_papers_announced", "papers", [sa.text("coalesce(first_announced_on, '-infinity'::date)"), "order_key"]
    )
    op.create_index(
        "ix_papers_submitted", "papers", [sa.text("coalesce(submitted_at, '-infinity'::timestamptz)"), "order_key"]
    )
    op.create_index("ix_papers_primary_category", "papers", ["primary_category", "order_key"])
    op.create_index("ix_papers_withdrawn", "papers", ["order_key"], postgresql_where=sa.text("withdrawn"))
    op.create_index(
        "ix_summaries_done", "summaries", ["language", "arxiv_id"], postgresql_where=sa.text("status = 'done'")
    )
    op.create_table(
        "service_secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_service_secrets")),
    )


def _mark_changes_of(*columns: str) -> None:
    """Have the log of changes look at these columns of a paper."""
    op.execute("DROP TRIGGER mark_update ON papers")
    op.execute(
        "CREATE TRIGGER mark_update AFTER UPDATE ON papers REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows "
        f"FOR EACH STATEMENT EXECUTE FUNCTION mark_changes('paper', 'arxiv_id', '{', '.join(columns)}')"
    )


def _fill() -> None:
    """Derive the display texts of the papers that are there, some at a time: millions do not fit into memory."""
    connection, after = op.get_bind(), ""
    while papers := connection.execute(_READ, {"after": after, "batch": BATCH}).all():
        rows = [
            {
                "arxiv_id": arxiv_id,
                "display_title": _other(title),
                "display_abstract": _other(abstract),
                "authors": [author | {"display_name": display(author["name"])} for author in authors],
            }
            for arxiv_id, title, abstract, authors in papers
        ]
        connection.execute(_WRITE, {"rows": json.dumps(rows)})
        after = papers[-1].arxiv_id


def _other(text: str | None) -> str | None:
    shown = text and display(text)
    return None if shown == text else shown


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("service_secrets")
    op.drop_index("ix_summaries_done", table_name="summaries", postgresql_where=sa.text("status = 'done'"))
    op.drop_index("ix_papers_withdrawn", table_name="papers", postgresql_where=sa.text("withdrawn"))
    op.drop_index("ix_papers_primary_category", table_name="papers")
    op.drop_index("ix_papers_submitted", table_name="papers")
    op.drop_index("ix_papers_announced", table_name="papers")
    op.execute(
        """
        UPDATE papers SET authors = (SELECT jsonb_agg(value - 'display_name' ORDER BY place)
                                     FROM jsonb_array_elements(authors) WITH ORDINALITY AS one(value, place))
        WHERE authors <> '[]'
        """
    )
    op.alter_column("papers", "authors", comment=None, existing_nullable=False)
    _mark_changes_of(*SHOWN)
    op.drop_column("papers", "display_abstract")
    op.drop_column("papers", "display_title")
