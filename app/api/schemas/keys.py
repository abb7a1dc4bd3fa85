"""Keys on the wire: the key itself is there once, when it is made."""

from datetime import datetime

from pydantic import BaseModel, Field, field_validator

from app.api.fields import Instant, Line
from app.api.schemas.common import In
from app.keys import NewKey
from app.models import ApiKey, Scope
from app.rates import parse_rate


class KeyCreate(In):
    """A key to make."""

    name: Line = Field(min_length=1, max_length=100, description="Who has it, or what for", examples=["nightly mirror"])
    scope: Scope = Field(default=Scope.READ, description="`write` includes `read`, and `admin` includes both")
    expires_at: Instant | None = Field(
        default=None, description="When it ends, within ten years; without it, when it is revoked"
    )
    rate_limit: str | None = Field(
        default=None,
        max_length=40,
        description="A limit of its own, such as `600/minute`, or `none`; without it, as the service is set",
        examples=["600/minute"],
    )

    @field_validator("rate_limit")
    @classmethod
    def _a_rate(cls, value: str | None) -> str | None:
        return str(parse_rate(value)) if value is not None else None

    def new(self) -> NewKey:
        """As the keys take it."""
        return NewKey(self.name, self.scope, self.expires_at, parse_rate(self.rate_limit) if self.rate_limit else None)


class KeyRead(BaseModel):
    """A key, without what makes it one."""

    id: int
    name: str
    hint: str = Field(description="Its first characters")
    scope: Scope
    rate_limit: str | None = Field(description="Its own; null: as the service is set")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None = Field(description="To the minute")

    @classmethod
    def of(cls, row: ApiKey) -> "KeyRead":
        """From the stored row."""
        return cls.model_validate(row, from_attributes=True)


class KeyCreated(KeyRead):
    """A key that was just made."""

    key: str | None = Field(
        description="To be sent as `Authorization: Bearer …`. Shown this once; null where the request is a repetition"
    )
