"""Summaries, their backlog and their cost on the wire."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, model_validator

from app.api.fields import Language, Line
from app.api.schemas.common import In
from app.models import Paper, Summary, SummaryOrigin, SummaryStatus
from app.summaries import Backlog, is_stale


class SummaryCreate(In):
    """A summary to ask for."""

    language: Language | None = Field(default=None, description="Without one, the service's first")
    fresh: bool = Field(
        default=False,
        description="Have it made by the present model and prompt, even if another one's is there; both stay listed",
    )


class SummaryWrite(In):
    """A human's text; what is left out is not shown."""

    title: Line | None = Field(default=None, min_length=1, max_length=1000)
    abstract: str | None = Field(default=None, min_length=1, max_length=20_000)
    tldr: Line | None = Field(default=None, min_length=1, max_length=2000, description="One sentence in the language")
    tldr_en: Line | None = Field(default=None, min_length=1, max_length=2000, description="The same in English")
    author: Line | None = Field(default=None, min_length=1, max_length=200, description="Who wrote it")

    @model_validator(mode="after")
    def _something(self) -> "SummaryWrite":
        if not (self.tldr or self.tldr_en):
            raise ValueError("give tldr or tldr_en: without a sentence it is no summary")
        return self


class FindingRead(BaseModel):
    """What was noticed about an answer; a fault is why it was, or is, asked for again."""

    check: str
    reason: str
    is_fault: bool = True


class SummaryRead(BaseModel):
    """One summary of a paper, whoever made it and however far it is."""

    id: int
    arxiv_id: str
    paper_version: int | None
    language: str
    status: SummaryStatus
    origin: SummaryOrigin
    title: str | None
    abstract: str | None
    tldr: str | None
    tldr_en: str | None
    fields: dict[str, str] = Field(description="`motivation`, `method`, `result`, `conclusion`, where asked for")
    detail: str = Field(description="`brief`: without the abstract, to save money")
    checks: list[FindingRead]
    model: str | None = Field(description="The model that answered")
    provider: str | None
    prompt_version: str | None
    author: str | None
    released_at: datetime | None = Field(description="Since when a human's text no longer wins")
    input_tokens: int | None
    output_tokens: int | None
    cost: float | None = Field(description="US dollars; null where no price is known")
    attempts: int = Field(description="Calls that did not give a summary")
    reason: str | None = Field(description="Why it waits or failed, as a stable word")
    error: str | None = Field(description="The same in full")
    retry_at: datetime | None
    made_at: datetime
    stale: bool = Field(description="The paper's text has changed since")

    @classmethod
    def of(cls, row: Summary, paper: Paper) -> "SummaryRead":
        """From the stored row."""
        values: dict[str, Any] = {name: getattr(row, name) for name in cls.model_fields if name != "stale"}
        values |= {
            "model": row.answered_by or row.model or None,
            "provider": row.provider or None,
            "prompt_version": row.prompt_version or None,
            "stale": is_stale(row, paper),
        }
        return cls(**values)


class WaitingRead(BaseModel):
    """So many unfinished summaries of a language, for this reason."""

    status: SummaryStatus
    language: str
    reason: str | None = Field(description="null: they have not had their turn")
    count: int
    retry_at: datetime | None = Field(description="When the first of them is tried again")


class ModelStateRead(BaseModel):
    """A model that cannot be asked now."""

    name: str
    reason: str | None
    detail: str | None
    stopped_at: datetime | None = Field(description="Since when it refuses for good, until somebody repairs it")
    rest_until: datetime | None = Field(description="When it is tried again")


class SpendingRead(BaseModel):
    """What calls used, in a UTC day or month."""

    calls: int
    input_tokens: int
    output_tokens: int
    cost: float = Field(description="US dollars")
    budget: float | None


class BacklogRead(BaseModel):
    """What is still to be summarised, why it waits, and when it is done at the present rate."""

    pending: int = Field(description="Waiting or at work")
    failed: int
    groups: list[WaitingRead]
    per_minute: float = Field(description="Summaries finished per minute, over the last ten minutes")
    expected_at: datetime | None = Field(description="null: nothing waits, or nothing is being finished")
    stopped: list[ModelStateRead] = Field(description="Models that rest or refuse")
    day: SpendingRead
    month: SpendingRead

    @classmethod
    def of(cls, backlog: Backlog, day: SpendingRead, month: SpendingRead) -> "BacklogRead":
        """From what was counted."""
        groups = [WaitingRead.model_validate(group, from_attributes=True) for group in backlog.groups]
        return cls(
            pending=backlog.pending,
            failed=sum(group.count for group in groups if group.status == SummaryStatus.FAILED),
            groups=groups,
            per_minute=backlog.per_minute,
            expected_at=backlog.expected_at,
            stopped=[ModelStateRead.model_validate(row, from_attributes=True) for row in backlog.models],
            day=day,
            month=month,
        )


class Resumed(BaseModel):
    """What was set going again."""

    woken: int = Field(description="Summaries' jobs that waited and are due now")
    retried: int = Field(description="Failed summaries that are tried again")
