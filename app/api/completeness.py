"""Whether everything is there, over HTTP: freshness, statistics, arXiv's calendar."""

from dataclasses import asdict
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app import counting, freshness, statistics
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Day, Language
from app.api.schemas import (
    AlertRead,
    CalendarRead,
    CategoriesRead,
    CategoryRead,
    FiguresRead,
    FreshnessRead,
    FreshnessReport,
    GroupedStatsRead,
    GroupRead,
    MailingRead,
    PeriodRead,
    StatsAnswer,
    StatsRead,
)
from app.arxiv import calendar, taxonomy
from app.counting import CategoryCounts, GroupBy

router = APIRouter(prefix="/v1", tags=["completeness"])

CAUTION = (
    "The calendar is what arXiv plans. Mailings are also put off at short notice (https://status.arxiv.org), and of years that "
    "are not in known_years no skipped mailing is known; only a listing says what was announced."
)


@router.get("/freshness", summary="How fresh and how complete is each followed category?")
async def get_freshness(session: SessionDep, tools: ToolsDep) -> FreshnessReport:
    """With every day of the last 14 that is not confirmed, read or not, and an alert for what deserves attention.

    Followed are the categories of the settings and of every channel that was created.
    """
    now = tools.now()
    report = await freshness.report(session, tools.settings.categories, now)
    return FreshnessReport(
        now=now,
        time_zone=calendar.EASTERN.key,
        items=[FreshnessRead.model_validate(item, from_attributes=True) for item in report.items],
        alerts=[AlertRead.model_validate(alert, from_attributes=True) for alert in report.alerts],
    )


@router.get("/stats", summary="Is everything stored and summarised?", response_model=StatsAnswer)
async def get_stats(
    session: SessionDep,
    tools: ToolsDep,
    announced_from: Annotated[
        Day | None, Query(description="First batch date; without one, that of seven batches back")
    ] = None,
    announced_to: Annotated[Day | None, Query(description="Last batch date; without one, today")] = None,
    category: Annotated[
        str | None, Query(max_length=80, description="A category, or an archive with all of its own")
    ] = None,
    language: Annotated[
        Language | None, Query(description="Of the summaries; without one, each of the service's own")
    ] = None,
    group_by: Annotated[
        GroupBy | None, Query(description="The stored papers of the period in groups, in place of the completeness")
    ] = None,
) -> StatsRead | GroupedStatsRead:
    """The numbers of a period, over all categories and for each: those that are followed, and those with a listing.

    `announced` = `stored` + `missing`, and in each language `stored` = `summarized` + `pending` + `failed` + `unrequested`. A
    year of all of arXiv takes some seconds.

    With `group_by` the stored papers that were announced in the period are counted in groups: by category and by day in each in
    which they were announced; by state once in each language, as `summary_status` of `GET /v1/papers` finds them; by model their
    done summaries, with what those took.
    """
    today = calendar.batch_date(tools.now())
    from_, to = statistics.period(announced_from, announced_to, today)
    name = taxonomy.canonical(category) if category is not None else None
    languages = [language] if language else tools.settings.languages
    if group_by is not None:
        groups = await counting.group(session, group_by, from_, to, category=name, languages=languages)
        return GroupedStatsRead(
            period=PeriodRead.model_validate({"from": from_, "to": to}),
            group_by=group_by,
            groups=[GroupRead.model_validate(one, from_attributes=True) for one in groups],
        )
    found = await statistics.gather(
        session,
        from_,
        to,
        category=name,
        languages=languages,
        configured=tools.settings.categories,
        today=today,
    )
    return StatsRead(
        period=PeriodRead.model_validate({"from": from_, "to": to}),
        totals=FiguresRead.model_validate(found.totals, from_attributes=True),
        categories={
            name: FiguresRead.model_validate(one, from_attributes=True) for name, one in found.categories.items()
        },
    )


COUNTED_FOR = timedelta(minutes=5)
"""How long counts of all papers are given out: they are added up from the whole table."""


@router.get("/categories", summary="List arXiv's categories, with counts")
async def list_categories(
    request: Request,
    response: Response,
    session: SessionDep,
    tools: ToolsDep,
    archive: Annotated[str | None, Query(max_length=80, description="Only those of an archive, such as `econ`")] = None,
    active: Annotated[bool | None, Query(description="Only those that take new papers, or only the others")] = None,
) -> CategoriesRead:
    """Every category that arXiv ever had, aliases and former ones included. The counts are up to five minutes old."""
    now = tools.now()
    counts: dict[str, CategoryCounts]
    counted_at, counts = getattr(request.app.state, "category_counts", (None, {}))
    if counted_at is None or not timedelta(0) <= now - counted_at < COUNTED_FOR:
        counted_at, counts = now, await counting.count_categories(session)
        request.app.state.category_counts = counted_at, counts
    names = taxonomy.names(archive) if archive is not None else None
    items = [
        CategoryRead(
            **asdict(category), **asdict(counts.get(category.canonical, CategoryCounts())),
        )
        for category in taxonomy.CATEGORIES
        if (names is None or category.id in names) and active in (None, category.active)
    ]  # fmt: skip
    response.headers["Cache-Control"] = f"public, max-age={COUNTED_FOR.total_seconds():.0f}"
    return CategoriesRead(items=items, next_cursor=None, counted_at=counted_at)


@router.get("/calendar", summary="When does arXiv announce next?")
async def get_calendar(
    tools: ToolsDep,
    year: Annotated[int | None, Query(ge=1, le=9999, description="Only this year's skipped mailings")] = None,
) -> CalendarRead:
    """arXiv's schedule around now, in US Eastern time, with the mailings that are known to be skipped."""
    now = tools.now()
    today = calendar.batch_date(now)
    upcoming = [_mailing(one) for one in calendar.upcoming(now, 10)]
    return CalendarRead(
        time_zone=calendar.EASTERN.key,
        now=now,
        today=today,
        is_batch_day=calendar.is_batch_day(today),
        latest_batch=calendar.latest_batch(today),
        next_announcement=upcoming[0],
        upcoming=upcoming,
        skipped_mailings=sorted(day for day in calendar.NO_DEADLINE if year in (None, day.year)),
        known_years=sorted(calendar.KNOWN_YEARS),
        caution=CAUTION,
    )


def _mailing(one: calendar.Announcement) -> MailingRead:
    local = one.announced_at.astimezone(calendar.EASTERN)
    return MailingRead(announced_at=one.announced_at, announced_at_local=local, batch_date=one.batch_date)
