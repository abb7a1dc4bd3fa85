"""The log of what changed: marks that writers leave, and the places that the sequencer gives them (``app/changes.py``)."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Identity, Index, Table, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of
from app.models.states import ChangeKind


class Change(Base):
    """An entity's place in the log: that of its last change. What was deleted keeps its place."""

    __tablename__ = "changes"
    __table_args__ = (
        Index("ix_changes_kind_position", "kind", "position"),
        Index("ix_changes_changed_at_position", "changed_at", "position"),
        one_of("kind", ChangeKind),
    )

    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger, Identity(always=False), comment="grows from change to change")
    is_deleted: Mapped[bool]
    changed_at: Mapped[datetime] = mapped_column(
        comment="when it was given its position, which is after the commit; grows with the position"
    )


class ChangeEpoch(Base):
    """A stretch of the log between two starts of the server.

    A restored copy does not know the epochs that began after it was made, and ends the one that it was made in where the log
    ended then: so a cursor from a time that was undone is told from all others.
    """

    __tablename__ = "change_epochs"

    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    epoch: Mapped[str] = mapped_column(unique=True)
    server: Mapped[str] = mapped_column(comment="the start of the server, the database and the table")
    began_after: Mapped[int] = mapped_column(BigInteger, comment="the last position of the time before")
    began_at: Mapped[datetime] = mapped_column(server_default=func.now())


change_marks = Table(
    "change_marks", Base.metadata, Column("kind", Text, nullable=False), Column("key", Text, nullable=False)
)
"""What changed and has no place in the log yet. Triggers append to it in the writer's transaction; it has no index, so that
they can in bulk. ``kind`` is one of ``ChangeKind``, or ``texts``: of a paper, on which depends whether
its summaries are stale."""
