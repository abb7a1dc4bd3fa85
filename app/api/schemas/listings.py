"""Listings on the wire, and how they are read: ingestions, harvests, single requests."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from app.api.fields import Day
from app.api.schemas.common import In
from app.door import Source
from app.listings import count_types
from app.models import Fetch, FetchOutcome, Harvest, Ingestion, Listing, ListingState, RunState


class ListingRead(BaseModel):
    """What is known of one category on one batch date."""

    category: str
    announced_on: date
    state: ListingState
    complete: bool = Field(description="OAI-PMH has confirmed it")
    verified_at: datetime | None = Field(description="When OAI-PMH was last compared with it and agreed")
    announced: int = Field(description="Papers that the listing named")
    counts: dict[str, int] = Field(description="Papers per announce type")
    source: str
    reason: str | None
    ingestion_id: int | None
    first_read_at: datetime
    last_read_at: datetime

    @classmethod
    def of(cls, row: Listing) -> "ListingRead":
        """From the stored row."""
        return cls(
            category=row.category,
            announced_on=row.announced_on,
            state=ListingState(row.state),
            complete=row.verified_at is not None,
            verified_at=row.verified_at,
            announced=len(row.announced),
            counts=count_types(row.announced),
            source=row.source,
            reason=row.reason,
            ingestion_id=row.ingestion_id,
            first_read_at=row.first_read_at,
            last_read_at=row.last_read_at,
        )


class IngestionCreate(In):
    """A listing to read now."""

    category: str = Field(max_length=80, description="A category or an archive", examples=["cs.CL"])


class IngestionRead(BaseModel):
    """One run of reading a listing or an archive."""

    id: int
    kind: str
    category: str | None
    source: str
    job_id: int | None
    state: RunState
    outcome: str | None
    reason: str | None = Field(description="A stable word for why it failed")
    detail: str | None
    announced_on: date | None
    http_status: int | None
    bytes: int | None
    counts: dict[str, int]
    started_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Ingestion) -> "IngestionRead":
        """From the stored row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class HarvestCreate(In):
    """A harvest over OAI-PMH: what was modified in a set, from one UTC day to another, both included."""

    set: str = Field(max_length=80, description="A set of arXiv's, a category or an archive", examples=["cs:cs:CL"])
    from_: Day = Field(alias="from", description="Not before 2005-09-16")
    until: Day | None = Field(default=None, description="Without one, until now")
    format: Literal["arXivRaw", "arXiv", "oai_dc"] = Field(
        default="arXivRaw", description="Only `arXivRaw` has versions, so that listings can be completed from it"
    )


class WindowRead(BaseModel):
    """The days that are asked for at a time."""

    from_: date = Field(serialization_alias="from")
    until: date | None = Field(description="`null`: until now")


class HarvestRead(BaseModel):
    """A harvest over OAI-PMH, and how far it has come."""

    id: int
    set: str
    format: str
    from_: date = Field(serialization_alias="from")
    until: date | None = Field(description="`null`: until now")
    state: RunState
    pages: int
    records: int
    counts: dict[str, int]
    window: WindowRead
    detail: str | None = Field(description="Why it failed")
    job_id: int | None
    started_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, row: Harvest) -> "HarvestRead":
        """From the stored row."""
        return cls(
            id=row.id,
            set=row.set_spec,
            format=row.prefix,
            from_=row.from_on,
            until=row.until_on,
            state=RunState(row.state),
            pages=row.pages,
            records=row.records,
            counts=row.counts,
            window=WindowRead(from_=row.window_from, until=row.window_until),
            detail=row.detail,
            job_id=row.job_id,
            started_at=row.started_at,
            updated_at=row.updated_at,
            finished_at=row.finished_at,
        )


class FetchRead(BaseModel):
    """One request to arXiv. It is written down before it is sent."""

    id: int
    source: Source
    target: str = Field(description="The category, the set, or what else was asked for")
    url: str
    started_at: datetime
    duration_ms: int | None = Field(description="`null` while it runs")
    status: int | None = Field(description="The HTTP status; `null` if no whole answer came")
    bytes: int | None = Field(description="Of the body, uncompressed")
    outcome: FetchOutcome
    detail: str | None
    headers: dict[str, str] = Field(description="Those of the answer that say how fresh it is")

    @classmethod
    def of(cls, row: Fetch) -> "FetchRead":
        """From the stored row."""
        return cls(
            id=row.id,
            source=Source(row.source),
            target=row.target,
            url=row.url,
            started_at=row.started_at,
            duration_ms=None if row.duration is None else round(row.duration.total_seconds() * 1000),
            status=row.status,
            bytes=row.size,
            outcome=FetchOutcome(row.outcome),
            detail=row.detail,
            headers=row.headers,
        )
