"""Index what is searched

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

VECTORS = ("words", "title_words", "bigrams", "title_bigrams", "author_words")


def upgrade() -> None:
    # A migration that cannot get its lock soon must not stop the readers behind it.
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.create_table(
        "search_documents",
        sa.Column("order_key", sa.Text(collation="C"), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.Column("title_words", postgresql.TSVECTOR(), nullable=False),
        sa.Column(
            "bigrams", postgresql.TSVECTOR(), nullable=False, comment="pairs of characters of scripts without blanks"
        ),
        sa.Column("title_bigrams", postgresql.TSVECTOR(), nullable=False),
        sa.Column("author_words", postgresql.TSVECTOR(), nullable=False),
        sa.Column("made_by", sa.SmallInteger(), nullable=False, comment="version of the rules that made it"),
        sa.ForeignKeyConstraint(
            ["order_key"],
            ["papers.order_key"],
            name=op.f("fk_search_documents_order_key_papers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("order_key", name=op.f("pk_search_documents")),
    )
    # Wide vectors out of line and as they are: compressing takes time, saves little, and most searches never read them.
    # The words of a title stay in the row, where ranking looks at them.
    op.execute("ALTER TABLE search_documents SET (toast_tuple_target = 128)")
    for column in VECTORS:
        storage = "MAIN" if column.startswith("title") else "EXTERNAL"
        op.execute(f"ALTER TABLE search_documents ALTER {column} SET STORAGE {storage}")
    op.create_index("ix_search_documents_vectors", "search_documents", list(VECTORS), postgresql_using="gin")
    op.create_table(
        "search_terms",
        sa.Column("term", sa.Text(collation="C"), nullable=False),
        sa.Column("papers", sa.Integer(), nullable=False),
        sa.Column(
            "trigrams",
            postgresql.ARRAY(sa.Text()),
            nullable=True,
            comment="of English words: what a misspelt word is compared by",
        ),
        sa.PrimaryKeyConstraint("term", name=op.f("pk_search_terms")),
    )
    op.create_index("ix_search_terms_trigrams", "search_terms", ["trigrams"], postgresql_using="gin")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.drop_table("search_terms")
    op.drop_table("search_documents")
