"""What searches look at: one row of words for each paper, and how many papers have each word."""

from sqlalchemy import ForeignKey, Index, SmallInteger, Text
from sqlalchemy.dialects.postgresql import ARRAY, TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base

SEARCHED = ("words", "title_words", "bigrams", "title_bigrams", "author_words")
"""The vectors of a document, which share one index."""


class SearchDocument(Base):
    """A paper as searches see it: the stems of its texts, of done summaries too, made by ``app.search.lexemes``.

    Only ``words`` has places and weights (A in a title, B in an abstract). The wide vectors are kept out of line, so that a
    search which the index answers reads narrow rows.
    """

    __tablename__ = "search_documents"
    __table_args__ = (Index("ix_search_documents_vectors", *SEARCHED, postgresql_using="gin"),)

    order_key: Mapped[str] = mapped_column(
        Text(collation="C"), ForeignKey("papers.order_key", ondelete="CASCADE"), primary_key=True
    )
    words: Mapped[str] = mapped_column(TSVECTOR)
    title_words: Mapped[str] = mapped_column(TSVECTOR)
    bigrams: Mapped[str] = mapped_column(TSVECTOR, comment="pairs of characters of scripts without blanks")
    title_bigrams: Mapped[str] = mapped_column(TSVECTOR)
    author_words: Mapped[str] = mapped_column(TSVECTOR)
    made_by: Mapped[int] = mapped_column(SmallInteger, comment="version of the rules that made it")


class SearchTerm(Base):
    """How many papers have a word or bigram, counted now and then; of the empty term, how many papers there were."""

    __tablename__ = "search_terms"
    __table_args__ = (Index("ix_search_terms_trigrams", "trigrams", postgresql_using="gin"),)

    term: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    papers: Mapped[int]
    trigrams: Mapped[list[str] | None] = mapped_column(
        ARRAY(Text), comment="of English words: what a misspelt word is compared by"
    )
