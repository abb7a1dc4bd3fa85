"""What many answers share: pages, problems, periods, jobs."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.jobs import Job, JobStatus

Item = TypeVar("Item")
AnnounceTypeName = Literal["new", "cross", "replace", "replace-cross"]


class In(BaseModel):
    """A request body: unknown fields are refused, so that a misspelt one is not silently without effect."""

    model_config = ConfigDict(extra="forbid")


class Page(BaseModel, Generic[Item]):
    """One page of a list; `next_cursor` is `null` on the last."""

    items: Sequence[Item]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; also in the `Link` header")


class Problem(BaseModel):
    """An error (RFC 9457). `code` is stable; `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, Any]] | None = Field(default=None, description="What is wrong with which field, for a 422")


class PeriodRead(BaseModel):
    """First and last batch date (US Eastern), both included."""

    from_: date = Field(alias="from")
    to: date


class JobRead(BaseModel):
    """A background job; `result` or `error` once it has ended."""

    id: int
    kind: str
    status: JobStatus
    args: dict[str, Any]
    attempts: int
    queued_at: datetime | None
    scheduled_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None
    error: str | None

    @classmethod
    def of(cls, job: Job) -> "JobRead":
        """From the engine's job."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class Health(BaseModel):
    """Whether the process is alive, or ready."""

    status: Literal["ok"]


class IncompleteListingRead(BaseModel):
    """A listing of the period that was not read, or not whole."""

    category: str
    announced_on: date
    state: str = Field(description="As in `GET /v1/listings`, or `unread`")
