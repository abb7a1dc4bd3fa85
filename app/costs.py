"""What summaries that are still to be made would cost: papers, tokens, money. Nothing is called."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.db import among
from app.llm import Detail, PaperText, Summariser, is_chain
from app.models import Paper

if TYPE_CHECKING:
    from app.llm.chain import ModelChain

SAMPLE = 500
"""Papers whose texts are looked at; more are taken to be like them."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """For so many papers in these languages; ``cost`` in US dollars, None where no price is known (0 without a model)."""

    papers: int
    languages: tuple[str, ...]
    model: str | None
    calls: int
    input_tokens: int
    output_tokens: int
    cost: float | None


async def estimate(
    session: AsyncSession, arxiv_ids: Sequence[str], languages: Sequence[str], summariser: "Summariser | ModelChain"
) -> Estimate:
    """What the summaries of these papers would use, all languages of a paper in one call."""
    if not is_chain(summariser):
        return Estimate(len(arxiv_ids), tuple(languages), None, 0, 0, 0, 0.0)
    sample = list(arxiv_ids[:: max(len(arxiv_ids) // SAMPLE, 1)])
    papers = list(await session.scalars(select(Paper).where(among(Paper.arxiv_id, sample))))
    model = summariser.models[0]
    expected = [
        summariser.expect(
            model,
            PaperText(paper.arxiv_id, paper.title, paper.abstract, tuple(paper.categories)),
            languages,
            Detail.FULL,
        )
        for paper in papers
    ]
    factor = len(arxiv_ids) / len(papers) if papers else 0
    input_tokens = round(factor * sum(one.input_tokens for one in expected))
    output_tokens = round(factor * sum(one.output_tokens for one in expected))
    cost = summariser.cost(model, input_tokens, output_tokens)
    return Estimate(
        len(arxiv_ids), tuple(languages), summariser.model, len(arxiv_ids), input_tokens, output_tokens, cost
    )
