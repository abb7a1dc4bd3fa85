"""The log of changes on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Literal
from urllib.parse import quote

from pydantic import BaseModel, Field

from app.api.schemas.digests import DigestListed
from app.api.schemas.papers import PaperDetail
from app.api.schemas.summaries import SummaryRead
from app.changes import Change
from app.models import ChangeKind

Body = PaperDetail | SummaryRead | DigestListed

_ADDRESSES = {ChangeKind.PAPER: "papers", ChangeKind.SUMMARY: "summaries", ChangeKind.DIGEST: "digests"}


class Include(StrEnum):
    """What a change may bring beyond its id."""

    BODIES = "bodies"


class StartAt(StrEnum):
    """Where to begin without a cursor."""

    BEGINNING = "beginning"
    NOW = "now"


class ChangeRead(BaseModel):
    """A paper, summary or digest that is not what it was."""

    kind: ChangeKind
    id: str = Field(description="Its arXiv id, the number of the summary, or the digest's id", examples=["2404.02342"])
    change: Literal["upserted", "deleted"] = Field(description="`upserted`: it is new, or differs from before")
    changed_at: datetime = Field(description="When the log took it up, which is after the change was committed")
    address: str = Field(description="Where it is read; once deleted, a 404", examples=["/v1/papers/2404.02342"])
    body: Body | None = Field(
        default=None,
        description="With `include=bodies`: what its address answers now, of a digest without its papers (as in the list of "
        "digests); `null` once it is deleted. Without `include` the field is left out",
    )

    @classmethod
    def of(cls, change: Change, body: Body | None, *, is_deleted: bool) -> "ChangeRead":
        """From the log, and what is there now."""
        return cls(
            kind=change.kind,
            id=change.key,
            change="deleted" if is_deleted else "upserted",
            changed_at=change.changed_at,
            address=f"/v1/{_ADDRESSES[change.kind]}/{quote(change.key)}",
            body=body,
        )


class ChangesPage(BaseModel):
    """A page of the log, the earliest change first."""

    items: list[ChangeRead]
    next_cursor: str = Field(
        description="Always there: where to go on, at once if there is more, otherwise after a while. Keep it together "
        "with what you made of the items"
    )
    has_more: bool = Field(
        description="There is more already; `false`: this was all that was committed before the request"
    )
