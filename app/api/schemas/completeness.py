"""How fresh and how complete the service is, on the wire."""

from datetime import date, datetime

from pydantic import BaseModel, Field, RootModel

from app.api.schemas.common import PeriodRead
from app.counting import GroupBy
from app.freshness import AlertKind
from app.models import ListingState


class UnsettledRead(BaseModel):
    """A batch that is due and not confirmed by OAI-PMH."""

    announced_on: date
    state: ListingState
    reason: str


class FreshnessRead(BaseModel):
    """How one followed category stands."""

    category: str
    last_batch: date | None = Field(description="The newest batch with papers")
    age: int | None = Field(description="How many batches have become due since `last_batch`; 0 is fresh")
    due_batch: date = Field(description="The newest batch that is due, from midnight US Eastern of its day")
    state: ListingState = Field(description="Of the batch that is due; `not_yet` while nobody has read it")
    reason: str | None = Field(description="Why `state` is what it is, unless it is plain")
    complete: bool = Field(description="OAI-PMH has confirmed the batch that is due")
    last_complete: date | None = Field(description="The newest batch that OAI-PMH has confirmed")
    unsettled: list[UnsettledRead] = Field(
        description="Batches of the last 14 days, since the category was first read, that are not confirmed, read or not"
    )
    last_read_at: datetime | None
    resting_until: datetime | None = Field(
        description="arXiv's feed is left alone until then, because it refused or failed"
    )
    resting_reason: str | None
    harvested_at: datetime | None = Field(description="When OAI-PMH was last harvested for it")
    covered_before: date | None = Field(description="The first day (UTC) that may not be harvested completely")


class AlertRead(BaseModel):
    """Something that deserves attention."""

    kind: AlertKind = Field(
        description="`late`: no papers by 10:00 US Eastern of a batch day; `stale`: arXiv serves a former batch; `empty`: two "
        "batch days in a row without papers; `unharvested`: OAI-PMH is more than 36 hours behind; `resting`: a "
        "source refused or failed"
    )
    category: str | None = Field(description="`null`: it concerns all of a source")
    message: str


class FreshnessReport(BaseModel):
    """Every followed category, and what is the matter."""

    now: datetime
    time_zone: str = Field(description="Of batch dates")
    items: list[FreshnessRead]
    alerts: list[AlertRead]


class MailingRead(BaseModel):
    """A mailing: when it goes out, and the day that its listings are dated."""

    announced_at: datetime = Field(description="UTC")
    announced_at_local: datetime = Field(description="US Eastern")
    batch_date: date


class CalendarRead(BaseModel):
    """arXiv's announcement calendar around now."""

    time_zone: str
    now: datetime
    today: date = Field(description="The batch date (US Eastern) of now")
    is_batch_day: bool
    latest_batch: date = Field(description="The newest batch day, today included")
    next_announcement: MailingRead
    upcoming: list[MailingRead] = Field(description="The next ten mailings")
    skipped_mailings: list[date] = Field(
        description="Days without a deadline, as arXiv lists them; that of a Friday takes the mailing of the Sunday after with it"
    )
    known_years: list[int] = Field(description="The years whose skipped mailings are known")
    caution: str


class GapRead(BaseModel):
    """Batch days in a row without a listing, both ends included."""

    from_: date = Field(serialization_alias="from")
    to: date
    days: int


class DaysRead(BaseModel):
    """The batch days of a period that are due. In the totals a day is complete if it is in every category, and unread if it is
    in any."""

    due: int
    complete: int = Field(description="Confirmed by OAI-PMH")
    unread: int = Field(description="Without a listing, or with one that could not be read")
    gaps: list[GapRead] = Field(description="Every unread day")


class SummaryCountsRead(BaseModel):
    """How the stored papers stand in one language; the four together are `stored`."""

    summarized: int
    pending: int
    failed: int
    unrequested: int = Field(description="Nobody has asked for a summary yet")


class FiguresRead(BaseModel):
    """What a period brought. `announced` = `stored` + `missing`."""

    announced: int = Field(description="Papers that listings named, each once")
    by_type: dict[str, int] = Field(description="The same, by each paper's strongest announce type")
    stored: int
    missing: int = Field(description="Named by a listing and not stored")
    missing_ids: list[str] = Field(description="All of them, up to 1,000")
    withdrawn: int = Field(description="Stored papers that are withdrawn now")
    summaries: dict[str, SummaryCountsRead] = Field(description="By language")
    announcements: dict[str, int] = Field(
        description="Announcements by who told of them: `feed`, or `oai` for what the feeds had lost"
    )
    listings: dict[str, int] = Field(description="Listings by state, whatever day they are of")
    days: DaysRead


class StatsRead(BaseModel):
    """Whether everything that arXiv announced in a period is stored and summarised."""

    period: PeriodRead
    totals: FiguresRead = Field(description="All categories together; a paper that is in several counts once")
    categories: dict[str, FiguresRead]


class GroupRead(BaseModel):
    """Papers, or done summaries, that have something in common."""

    key: str = Field(
        description="The category, the batch date, the state, or the model (the origin, where no model made it)"
    )
    papers: int
    language: str | None = Field(description="Of the summaries; `null` by category and by day")
    summaries: int | None = Field(description="By model: summaries that are done")
    input_tokens: int | None = Field(description="By model: where they are known")
    output_tokens: int | None
    cost: float | None = Field(description="By model: US dollars, where a price is known")


class GroupedStatsRead(BaseModel):
    """The stored papers that were announced in a period, in groups."""

    period: PeriodRead
    group_by: GroupBy
    groups: list[GroupRead]


class StatsAnswer(RootModel[StatsRead | GroupedStatsRead]):
    """Whether all is there; with `group_by`, what is there in groups."""


class CategoryRead(BaseModel):
    """A category that arXiv has or had, and how many of its papers are stored."""

    id: str
    name: str
    archive: str
    group: str
    active: bool = Field(description="It takes new papers")
    canonical: str = Field(description="The name it is known by here; another one's for aliases and former archives")
    papers: int = Field(description="Stored papers that carry it, under any of its names")
    primary_papers: int = Field(description="Those of which it is the first category")


class CategoriesRead(BaseModel):
    """The taxonomy, in the order of the ids."""

    items: list[CategoryRead]
    next_cursor: None = Field(description="All are on one page")
    counted_at: datetime
