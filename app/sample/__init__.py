"""The bundled sample listing: two invented days of two arXiv categories, for a first run without a network.

The four files are RSS 2.0 documents in the form that arXiv's server writes: cs.CL and stat.ML of Tuesday
2026-01-13 and Wednesday 2026-01-14. Every paper, name, number and reference in them was invented for this
project; none is on arXiv.

The ids cannot collide with real ones: their numbers are 90001 and above, while the largest months of arXiv
have little more than 30,000 papers. The one exception is in the old style, ``cmp-lg/9512901``: that archive
never had 900 papers in a month. The DOI has Crossref's prefix for tests (10.5555) and leads nowhere.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

_ROOT = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class SampleFile:
    """One listing: what ``category`` showed on the batch date ``announced_on``."""

    category: str
    announced_on: date
    path: Path


def files() -> list[SampleFile]:
    """All bundled listings, in order of date, then category."""
    found = [
        SampleFile(path.stem, date.fromisoformat(path.parent.name), path) for path in _ROOT.glob("????-??-??/*.xml")
    ]
    return sorted(found, key=lambda file: (file.announced_on, file.category))
