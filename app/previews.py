"""What a channel would have given in the last days, and what its summaries would cost. Nothing is stored or called."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from app import channels, costs, digests, summaries
from app.arxiv import calendar
from app.channels import Rules
from app.costs import Estimate
from app.digests import PreviewDay
from app.ingestion import Tools


@dataclass(frozen=True, slots=True)
class Preview:
    """The days that had an announcement, newest first; how many papers that is, each counted once, and how many of them have
    their summaries; and what the summaries of the others would use.
    """

    days: list[PreviewDay]
    papers: int
    summarized: int
    estimate: Estimate

    @property
    def papers_per_day(self) -> float:
        """Over the days that had an announcement; 0 without any."""
        return round(sum(len(day.picks) for day in self.days) / len(self.days), 2) if self.days else 0.0


async def preview(session: AsyncSession, tools: Tools, rules: Rules, language: str | None, days: int) -> Preview:
    """Try rules on the last ``days`` days, today included; without a language, in the service's own.

    Raises what ``channels.check_rules`` does.
    """
    today = calendar.batch_date(tools.now())
    found = await digests.preview(session, channels.checked(rules), today - timedelta(days=days - 1), today)
    ids = list(dict.fromkeys(pick.paper.arxiv_id for day in found for pick in day.picks))
    languages = [language] if language else list(tools.settings.languages)
    lacking = await summaries.lacking(session, ids, languages, tools.summariser.origin)
    estimate = await costs.estimate(session, lacking, languages, tools.summariser)
    return Preview(found, len(ids), len(ids) - len(lacking), estimate)
