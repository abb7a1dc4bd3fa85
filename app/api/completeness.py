"""Whether everything is there, over HTTP: freshness, statistics, arXiv's calendar."""

from typing import Annotated

from fastapi import APIRouter, Query

from app import freshness, statistics
from app.api.deps import SessionDep, ToolsDep
from app.api.fields import Day, Language
from app.api.schemas import (
    AlertRead,
    CalendarRead,
    FiguresRead,
    FreshnessRead,
    FreshnessReport,
    MailingRead,
    PeriodRead,
    StatsRead,
)
from app.arxiv import calendar, taxonomy

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


@router.get("/stats", summary="Is everything stored and summarised?")
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
) -> StatsRead:
    """The numbers of a period, over all categories and for each: those that are followed, and those with a listing.

    `announced` = `stored` + `missing`, and in each language `stored` = `summarized` + `pending` + `failed` + `unrequested`. A
    year of all of arXiv takes some seconds.
    """
    today = calendar.batch_date(tools.now())
    from_, to = statistics.period(announced_from, announced_to, today)
    found = await statistics.gather(
        session,
        from_,
        to,
        category=taxonomy.canonical(category) if category is not None else None,
        languages=[language] if language else tools.settings.languages,
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
