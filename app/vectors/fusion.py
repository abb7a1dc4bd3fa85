"""Reciprocal rank fusion: one ranking of several whose scores cannot be compared (Cormack et al., SIGIR 2009). Pure."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

K: Final = 60
"""The constant of the paper: how little the first places are ahead of the next ones."""

QUERY_WEIGHTS: Final = (1.0, 0.1)
"""Of words and of meaning, where a query looks for papers: equal weights make known items harder to find."""

PAPER_WEIGHTS: Final = (1.0, 0.5)
"""The same where papers are alike: a whole abstract says more by its meaning than a query does. Both are measured by
``bench/similar.py`` (docs/similar.md)."""


def fuse(
    rankings: Sequence[Sequence[str]], k: int = K, weights: Sequence[float] | None = None
) -> list[tuple[str, float]]:
    """Every id of the rankings with its score, best first: the sum of ``weight / (k + place)``, places counted from 1.

    Without ``weights`` all rankings count the same. An id counts once in a ranking, at its first place. Ids with the same
    score come in the order of the rankings in which they are found first. ``ValueError`` if weights and rankings do not pair.
    """
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for place, arxiv_id in enumerate(dict.fromkeys(ranking), 1):
            scores[arxiv_id] += weight / (k + place)
    return sorted(scores.items(), key=lambda item: -item[1])
