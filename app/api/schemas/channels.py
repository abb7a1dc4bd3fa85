"""Channels on the wire: created, changed, previewed."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from app.api.fields import Language, Line, Query
from app.api.schemas.common import AnnounceTypeName, In
from app.api.schemas.digests import ReasonRead
from app.channels import NewChannel, Rules
from app.costs import Estimate
from app.digests import PreviewDay
from app.models import Channel, Order, Schedule
from app.previews import Preview

PREVIEW_TITLES = 100
ALL_TEXTS: list[Literal["title", "abstract", "tldr"]] = ["title", "abstract", "tldr"]
Translated = Literal["title", "abstract", "tldr"]
ALL_TYPES: list[AnnounceTypeName] = ["new", "cross", "replace", "replace-cross"]
Name = Annotated[Line, Field(min_length=1, max_length=200)]


class Weekday(StrEnum):
    """The last day of a weekly digest."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"

    @property
    def number(self) -> int:
        """As ISO 8601 counts them: Monday is 1."""
        return list(Weekday).index(self) + 1


class ChannelRules(In):
    """Which papers a channel shows, and how."""

    categories: list[str] = Field(min_length=1, max_length=50, examples=[["cs.CL", "stat.ML"]])
    announce_types: list[AnnounceTypeName] = Field(
        default=ALL_TYPES, min_length=1, description="Which announcements it takes"
    )
    query: Query | None = Field(default=None, description="What a paper must match, unless one of `authors` wrote it")
    authors: list[Name] = Field(
        default=[], max_length=200, description="Whose papers it takes; with a query, besides what that finds"
    )
    exclude_words: list[Name] = Field(
        default=[], max_length=200, description="Words and phrases whose papers are left out, whatever else they match"
    )
    exclude_categories: list[str] = Field(default=[], max_length=50, description="Categories whose papers are left out")
    translate: list[Translated] = Field(
        default=ALL_TEXTS, description="The texts that are shown in the digest's language"
    )
    order: Order = Field(
        default=Order.ID, description="Newest id first, newest announcement first, or best match of the query first"
    )
    size_limit: int | None = Field(
        default=None, ge=1, le=5_000, description="Papers in a digest; the others come with the next one"
    )
    repeats: bool = Field(
        default=False, description="Show every announcement, also of papers (new versions) that were shown before"
    )

    def rules(self) -> Rules:
        """As the channels take them."""
        return Rules(
            categories=tuple(self.categories),
            announce_types=tuple(self.announce_types),
            query=self.query,
            authors=tuple(self.authors),
            exclude_words=tuple(self.exclude_words),
            exclude_categories=tuple(self.exclude_categories),
            translate=tuple(self.translate),
            order_by=self.order,
            size_limit=self.size_limit,
            repeats=self.repeats,
        )


class ChannelCreate(ChannelRules):
    """A channel to create."""

    slug: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$", description="Its name in addresses", examples=["nlp-and-stats"]
    )
    title: Line = Field(min_length=1, max_length=200, examples=["Language and statistics"])
    language: Language | None = Field(default=None, description="Without one, the service's own languages")
    schedule: Schedule = Field(
        default=Schedule.ANNOUNCEMENT,
        description="A digest for each batch date, for seven days, or for a calendar month",
    )
    weekday: Weekday = Field(default=Weekday.FRIDAY, description="The last day of a weekly digest")

    def new(self) -> NewChannel:
        """As the channels take it."""
        return NewChannel(self.slug, self.title, self.rules(), self.language, self.schedule, self.weekday.number)


class ChannelUpdate(In):
    """What to change of a channel (RFC 7396): what is left out stays, `null` takes it back to its default."""

    title: Line | None = Field(default=None, min_length=1, max_length=200)
    categories: list[str] | None = Field(default=None, min_length=1, max_length=50)
    announce_types: list[AnnounceTypeName] | None = Field(default=None, min_length=1)
    query: Query | None = None
    authors: list[Name] | None = Field(default=None, max_length=200)
    exclude_words: list[Name] | None = Field(default=None, max_length=200)
    exclude_categories: list[str] | None = Field(default=None, max_length=50)
    translate: list[Translated] | None = None
    order: Order | None = None
    size_limit: int | None = Field(default=None, ge=1, le=5_000)
    repeats: bool | None = None
    language: Language | None = None
    schedule: Schedule | None = None
    weekday: Weekday | None = None

    def changes(self) -> dict[str, Any]:
        """What to change, by the channel's own names; ``ValueError`` for what has no default to go back to."""
        given = self.model_dump(exclude_unset=True)
        for name in ("title", "categories"):
            if name in given and given[name] is None:
                raise ValueError(f"{name} cannot be null: a channel has one")
        for name, value in given.items():
            if value is None:
                given[name] = ChannelCreate.model_fields[name].get_default(call_default_factory=True)
        if "order" in given:
            given["order_by"] = given.pop("order")
        if "weekday" in given:
            given["weekday"] = Weekday(given["weekday"]).number
        return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


class ChannelRead(BaseModel):
    """A named stream of digests."""

    slug: str
    title: str
    categories: list[str]
    announce_types: list[str]
    query: str | None
    authors: list[str]
    exclude_words: list[str]
    exclude_categories: list[str]
    translate: list[str]
    order: Order
    size_limit: int | None
    repeats: bool
    language: str | None
    schedule: Schedule
    weekday: Weekday = Field(description="The last day of a weekly digest; without meaning for other schedules")
    builtin: bool = Field(description="Every category and archive of arXiv is a channel from the start")
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Channel) -> "ChannelRead":
        """From the stored row."""
        values = {name: getattr(row, name) for name in cls.model_fields if name not in ("order", "weekday")}
        return cls(**values, order=Order(row.order_by), weekday=list(Weekday)[row.weekday - 1])


class ChannelPreview(ChannelRules):
    """A channel that does not exist yet; the body of one to create may be given as it is."""

    slug: str | None = Field(default=None, max_length=80, description="Without effect here")
    title: Line | None = Field(default=None, max_length=200, description="Without effect here")
    language: Language | None = Field(default=None, description="Without one, the service's own languages")
    schedule: Schedule = Field(default=Schedule.ANNOUNCEMENT, description="Without effect here: days are shown")
    weekday: Weekday = Field(default=Weekday.FRIDAY, description="Without effect here")
    days: int = Field(default=7, ge=1, le=92, description="How many days back, today included")


class EstimateRead(BaseModel):
    """What summaries would use; nothing is called."""

    papers: int
    languages: list[str]
    model: str | None = Field(description="null: the built-in extractive summariser")
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None = Field(description="US dollars; null where no price is known")

    @classmethod
    def of(cls, estimate: Estimate) -> "EstimateRead":
        """From the estimate."""
        return cls.model_validate(estimate, from_attributes=True)


class PaperPreview(BaseModel):
    """A paper that a day would have given."""

    arxiv_id: str
    title: str | None
    announce_type: str | None
    reasons: list[ReasonRead]


class DayPreview(BaseModel):
    """What one batch date would have given."""

    announced_on: date
    announced: int = Field(description="Papers that the listings name")
    papers: int = Field(description="Of them, and of those held over before, in the digest")
    not_matching: int
    shown_before: int
    held_over: int
    items: list[PaperPreview] = Field(description=f"The first {PREVIEW_TITLES}, in the channel's order")

    @classmethod
    def of(cls, day: PreviewDay) -> "DayPreview":
        """From what was tried."""
        return cls(
            announced_on=day.announced_on,
            announced=day.announced,
            papers=len(day.picks),
            not_matching=day.not_matching,
            shown_before=day.shown_before,
            held_over=day.held_over,
            items=[
                PaperPreview(
                    arxiv_id=pick.paper.arxiv_id,
                    title=pick.paper.title,
                    announce_type=pick.announced.announce_type,
                    reasons=[ReasonRead.model_validate(reason, from_attributes=True) for reason in pick.reasons],
                )
                for pick in day.picks[:PREVIEW_TITLES]
            ],
        )


class ChannelPreviewRead(BaseModel):
    """What the last days would have given, and what their summaries would cost. Nothing is stored or called."""

    days: list[DayPreview]
    papers: int = Field(description="Each paper once")
    papers_per_day: float = Field(description="Over the days that had an announcement")
    summarized: int = Field(description="Papers that have their summaries already")
    estimate: EstimateRead = Field(description="For the papers that lack a summary")

    @classmethod
    def of(cls, found: Preview) -> "ChannelPreviewRead":
        """From what was tried."""
        return cls(
            days=[DayPreview.of(day) for day in found.days],
            papers=found.papers,
            papers_per_day=found.papers_per_day,
            summarized=found.summarized,
            estimate=EstimateRead.of(found.estimate),
        )
