"""Who may do what, how often, and what was answered to whom."""

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, LargeBinary, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, one_of
from app.models.states import Scope


class ApiKey(Base):
    """A key of the API. It is 256 bits of chance, so that a plain hash says nothing of it; the key itself is kept nowhere."""

    __tablename__ = "api_keys"
    __table_args__ = (one_of("scope", Scope),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    name: Mapped[str]
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True, comment="SHA-256 of the whole key")
    hint: Mapped[str] = mapped_column(comment="its first characters, by which people tell it from others")
    scope: Mapped[str]
    rate_limit: Mapped[str | None] = mapped_column(comment="its own, such as 600/minute; NULL: as the setting says")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None] = mapped_column(comment="to the minute")


class RateWindow(Base):
    """How many requests of a caller's present window were given out to API processes. Unlogged: a crash of the database
    begins the windows anew, and nothing else."""

    __tablename__ = "rate_windows"
    __table_args__ = (Index("ix_rate_windows_ends_at", "ends_at"), {"prefixes": ["UNLOGGED"]})

    subject: Mapped[str] = mapped_column(primary_key=True, comment="a key or an address, and its rate")
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    taken: Mapped[int]


class IdempotencyKey(Base):
    """What was answered to a writing request that carried a key, committed together with what the request did."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_created_at", "created_at"),)

    caller: Mapped[str] = mapped_column(primary_key=True, comment="key:ID, or anonymous")
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary, comment="SHA-256 of method, address and body")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    status: Mapped[int | None]
    headers: Mapped[list[list[str]] | None] = mapped_column(JSONB)
    body: Mapped[bytes | None] = mapped_column(LargeBinary, comment="NULL: it was too large to be kept")
