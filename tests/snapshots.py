"""Invented records in the form of the Kaggle snapshot, as many as are wanted, always the same ones."""

import json
import random
from bisect import bisect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any

CATEGORIES = (
    "cs.CL",
    "cs.LG",
    "math.CO",
    "math.NA",
    "cs.NA",
    "hep-th",
    "astro-ph.GA",
    "quant-ph",
    "stat.ML",
    "eess.SY",
)
LICENSES = (None, "http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "http://creativecommons.org/licenses/by/4.0/")
PER_MONTH = 9999


def record(number: int = 0, **fields: Any) -> dict[str, Any]:
    """The record of a number; ``fields`` replace its own."""
    return _record(random.Random(number), number) | fields


def line(number: int = 0, **fields: Any) -> bytes:
    """A record as a line of the file."""
    return json.dumps(record(number, **fields)).encode() + b"\n"


def lines(count: int) -> Iterator[bytes]:
    """The lines of a whole file: as in the real one, papers with new ids come before those with old ones."""
    return map(line, range(count))


def arxiv_id(number: int) -> str:
    """The id of a number: 9,999 papers a month from April 2007 on, so that every one is another."""
    months, place = divmod(number, PER_MONTH)
    years, month = divmod(months + 3, 12)
    width = 4 if years < 8 else 5
    return f"{7 + years:02}{month + 1:02}.{place + 1:0{width}}"


def _record(pick: random.Random, number: int) -> dict[str, Any]:
    names = [(_name(pick), f"{chr(65 + pick.randrange(26))}.") for _ in range(pick.randint(1, 12))]
    first = datetime(2007, 4, 1, tzinfo=UTC) + timedelta(seconds=17 * number)
    times = [first + timedelta(days=40 * place) for place in range(pick.choice((1, 1, 1, 2, 2, 3)))]
    return {
        "id": arxiv_id(number),
        "submitter": f"{names[0][1]} {names[0][0]}",
        "authors": ", ".join(f"{initial} {last}" for last, initial in names),
        "title": _wrapped(pick, pick.randint(40, 110), "\n  "),
        "comments": f"{pick.randint(4, 40)} pages, {pick.randint(1, 9)} figures" if pick.random() < 0.7 else None,
        "journal-ref": f"J. {_word(pick).title()} {number % 300} (2010) 1-9" if pick.random() < 0.3 else None,
        "doi": f"10.1016/{_word(pick)}.{number}" if pick.random() < 0.4 else None,
        "report-no": None,
        "categories": " ".join(pick.sample(CATEGORIES, pick.choice((1, 1, 2, 2, 3)))),
        "license": pick.choice(LICENSES),
        "abstract": f"  {_wrapped(pick, pick.randint(500, 1700), chr(10))}\n",
        "versions": [
            {"version": f"v{place}", "created": f"{time:%a, %-d %b %Y %H:%M:%S} GMT"}
            for place, time in enumerate(times, 1)
        ],
        "update_date": f"{times[-1]:%Y-%m-%d}",
        "authors_parsed": [[last, initial, ""] for last, initial in names],
    }


def _vocabulary() -> list[str]:
    syllables = [
        "ab",
        "con",
        "de",
        "er",
        "for",
        "gen",
        "ing",
        "li",
        "ma",
        "no",
        "or",
        "per",
        "qua",
        "re",
        "sta",
        "ti",
        "um",
    ]
    pick = random.Random(1)
    return ["the", "of", "a", "and", "we", "in", "to", "is", "$x_i$"] + [
        "".join(pick.choices(syllables, k=pick.randint(1, 4))) for _ in range(3000)
    ]


_WORDS = _vocabulary()
# Few words are frequent and many are rare, as in any language, so that the texts compress as real ones do.
_WEIGHTS = list(accumulate(1 / (place + 2) for place in range(len(_WORDS))))
_STREAM = random.Random(2).choices(_WORDS, cum_weights=_WEIGHTS, k=200_000)


def _word(pick: random.Random) -> str:
    return _WORDS[min(bisect(_WEIGHTS, pick.random() * _WEIGHTS[-1]) + 9, len(_WORDS) - 1)]


def _name(pick: random.Random) -> str:
    name = _word(pick).title()
    return name if pick.random() < 0.95 else f"{name}én"


def _wrapped(pick: random.Random, length: int, line_end: str) -> str:
    """Words, about ``length`` characters in all, in lines of thirteen."""
    start = pick.randrange(len(_STREAM) - 400)
    words = _STREAM[start : start + length * 10 // 58]
    return line_end.join(" ".join(words[place : place + 13]) for place in range(0, len(words), 13))
