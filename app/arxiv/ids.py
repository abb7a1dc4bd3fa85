"""arXiv identifiers: every form that people and programs write, read into one (FACTS section 10).

The canonical form has no version and is text: ``2404.02342``, ``hep-th/9901001``, ``math/0309136``.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.errors import InvalidArxivId

MAX_INPUT: Final = 200
"""Longer texts are refused unread; arXiv's own server draws the same line."""

# The month may be any two digits and the number of digits is not held against the year: arXiv's own regular
# expressions are as lenient, and its own test data holds 1234.5645, whose month would be 34. Refusing such an
# id would lose a paper; accepting one that does not exist only gives "not found". For the same reason a short
# number is never padded: 2404.0234 with a digit forgotten must not turn into another paper. A version has at
# most four digits so that it always fits the database's integer.
_ID: Final = r"""
    (?P<id>
        (?P<new>\d{4}\.\d{4,5})
      | (?P<archive>[a-z]+(?:-[a-z]{2,})?) (?:\.[a-z-]{2,})? / (?P<old>\d{7})
    )
    (?:v(?P<version>[1-9]\d{0,3}))?
"""
_FORMS: Final = re.compile(
    rf"""
    (?:
        (?: oai:arxiv\.org: | arxiv:\s* | (?:doi:\s*|https?://(?:dx\.)?doi\.org/)?10\.48550/arxiv\. )?
        (?P<plain>{_ID})
        (?:\.pdf)?
      |
        (?:https?://)?
        (?:(?:www|export|rss|browse|[a-z]{{2}})\.)?arxiv\.org/
        (?:abs|pdf|html|format|src|e-print)/
        (?P<url>{_ID.replace("?P<", "?P<url_")})
        (?:\.pdf)? /? (?:[?\#]\S*)?
    )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_OLD_STYLE_BEGINS: Final = 91


@dataclass(frozen=True, slots=True)
class ArxivId:
    """A paper, and one of its versions if the text named one."""

    id: str
    version: int | None = None

    def __str__(self) -> str:
        """The canonical text, with the version where there is one: ``2404.02342v2``."""
        return self.id if self.version is None else f"{self.id}v{self.version}"


def parse(text: str) -> ArxivId:
    """Read an identifier in any form of FACTS 10.2: bare, ``arXiv:``, URL, ``oai:arXiv.org:``, DOI.

    The subject class of an old-style id is dropped (``math.GT/0309136`` is ``math/0309136``) and its archive
    is lower case. Raises InvalidArxivId, with a sentence that shows a right example.
    """
    match = _FORMS.fullmatch(text.strip()) if len(text) <= MAX_INPUT else None
    if match is None:
        raise _invalid(text)
    prefix = "" if match["plain"] is not None else "url_"
    new, old, version = match[prefix + "new"], match[prefix + "old"], match[prefix + "version"]
    # A number of zeros only was never given to a paper: the running number starts at 1.
    if not int(new[5:] if new is not None else old[4:]):
        raise _invalid(text)
    canonical = new if new is not None else f"{match[prefix + 'archive'].lower()}/{old}"
    return ArxivId(canonical, None if version is None else int(version))


@lru_cache(maxsize=10_000)
def order_key(arxiv_id: str) -> str:
    """A text that sorts papers in time order across both schemes: year and month, number, archive.

    ``hep-th/9901001`` gives ``199901-00001-hep-th`` and ``2404.02342`` gives ``202404-02342-5``. Old-style ids
    run from 9107 to 0703, new ones from 0704 on, so only the old scheme has years of the last century. Remembered,
    because a listing asks for its papers' keys several times. Raises InvalidArxivId.
    """
    canonical = parse(arxiv_id).id
    archive, slash, digits = canonical.rpartition("/")
    if slash:
        century = "19" if int(digits[:2]) >= _OLD_STYLE_BEGINS else "20"
        return f"{century}{digits[:4]}-{digits[4:]:0>5}-{archive}"
    # Four and five digits stay apart: 2404.0234 is not 2404.00234, although no month has both.
    return f"20{canonical[:4]}-{canonical[5:]:0>5}-{len(canonical[5:])}"


def abs_url(arxiv_id: str) -> str:
    """The abstract page of a canonical id; ``arxiv_id`` may carry a version."""
    return f"https://arxiv.org/abs/{arxiv_id}"


def pdf_url(arxiv_id: str) -> str:
    """The PDF of a canonical id; ``arxiv_id`` may carry a version."""
    return f"https://arxiv.org/pdf/{arxiv_id}"


def _invalid(text: str) -> InvalidArxivId:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return InvalidArxivId(
        f"{shown!r} is not an arXiv identifier; write one like 2404.02342, 2404.02342v2 or hep-th/9901001."
    )
