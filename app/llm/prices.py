"""What calls cost: prices of the maintained table ``genai-prices`` as installed, and token counts before a call is made.

Nothing here uses the network: the table is a part of the package, and is as new as that.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from app.llm.base import Detail, PaperText
from app.llm.glossary import Glossary
from app.llm.prompts import build, translated_languages, wanted_keys

_MILLION = 1_000_000
_LOCAL_NAMES = (".localhost", ".local", ".internal", ".lan", ".home.arpa")


@dataclass(frozen=True, slots=True)
class PriceOverride:
    """US dollars per million tokens, in place of the table's; without ``cached`` these tokens cost what input does."""

    input: float
    output: float
    cached: float | None = None


def cost(
    model: str,
    base_url: str | None,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    override: PriceOverride | None = None,
    at: datetime | None = None,
) -> float | None:
    """US dollars for one call; None where no price is known. ``input_tokens`` include the cached ones.

    A local endpoint costs nothing. An endpoint that the table does not have has no price, even for a model that is known
    elsewhere. ``at`` is when the call was made (now), because some prices change with the hour.
    """
    cached_tokens = max(0, min(cached_tokens, input_tokens))
    if override is not None:
        cached = override.input if override.cached is None else override.cached
        fresh = input_tokens - cached_tokens
        return (fresh * override.input + cached_tokens * cached + output_tokens * override.output) / _MILLION
    if base_url and is_local(base_url):
        return 0.0
    # Only here, because its import takes a quarter of a second.
    from genai_prices import Usage, calc_price

    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens, cache_read_tokens=cached_tokens or None)
    try:
        found = (
            calc_price(usage, model, provider_api_url=base_url, genai_request_timestamp=at)
            if base_url
            else calc_price(usage, model, genai_request_timestamp=at)
        )
    except (LookupError, ValueError):
        return None
    return float(found.total_price)


def is_local(base_url: str) -> bool:
    """Whether an endpoint is on this machine or in a private network: a private address, or a name without a domain."""
    try:
        host = urlsplit(base_url if "//" in base_url else f"//{base_url}").hostname
    except ValueError:
        return False
    if not host:
        return False
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.rstrip(".").endswith(_LOCAL_NAMES)


# Measured with o200k_base, as all numbers below (bench/tokens.py measures them again).
_PIECE = re.compile(
    r"(?P<word>[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)|(?P<digits>[0-9]+)|"
    r"(?P<han>[\u3000-\u3029\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]+)|(?P<kana>[\u3040-\u30ff]+)|"
    r"(?P<hangul>[\u1100-\u11ff\uac00-\ud7af]+)|(?P<cyrillic>[\u0400-\u052f]+)|(?P<greek>[\u0370-\u03ff]+)|"
    r"(?P<arabic>[\u0590-\u06ff]+)|(?P<indic>[\u0900-\u0dff]+)|(?P<thai>[\u0e00-\u0eff]+)|"
    r"(?P<marks>[!-/:-@\[-`{-~]+)|(?P<other>[^\s])"
)
_PER_CHARACTER = {
    "han": 0.725,
    "kana": 0.9,
    "hangul": 0.68,
    "cyrillic": 0.19,
    "greek": 0.44,
    "arabic": 0.33,
    "indic": 0.34,
    "thai": 0.38,
    "other": 1.0,
}


def estimate_tokens(text: str) -> int:
    """About how many tokens a text has, by its scripts.

    Against o200k_base the sum over 800 abstracts and titles of arXiv and their Chinese translations is within 1 %; a single
    text is 9 % off in the mean for English (titles count as much as abstracts there) and 5 % for Chinese. For 11 other
    languages one sentence each was measured: at most 21 % (German) too few, mostly within 10 %.
    """
    count = 0.0
    for match in _PIECE.finditer(text):
        kind, length = match.lastgroup, match.end() - match.start()
        if kind == "word":
            count += 1 + max(0, length - 9) / 4
        elif kind == "digits":
            count += -(-length // 3)
        elif kind == "marks":
            count += 1 + (length - 1) / 6
        elif kind is not None:
            count += length * _PER_CHARACTER[kind]
    return round(count) if count < 1 else max(1, round(count))


# Tokens of a translation for one token of English. Chinese is measured; the others are from sentences, or guesses.
_GROWTH = {"zh": 1.1, "ja": 1.5, "ko": 1.5}
_OTHER_GROWTH = 1.4
_SENTENCE = 45
_KEY = 5


def estimate(
    paper: PaperText, languages: Sequence[str], detail: Detail, fields: Sequence[str], glossary: Glossary
) -> tuple[int, int]:
    """About how many tokens go in and come out when this paper is asked for in these languages with one call."""
    prompt = build(paper, languages, detail, fields, glossary)
    schema = json.dumps(prompt.schema, separators=(",", ":"))
    keys = wanted_keys(paper, detail, fields)
    whole = estimate_tokens(paper.title or "") + ("abstract" in keys) * estimate_tokens(paper.abstract or "")
    sentences = len([key for key in keys if key not in ("title", "abstract")])
    output = _KEY + _SENTENCE
    for language in translated_languages(languages):
        growth = _GROWTH.get(language.split("-")[0].lower(), _OTHER_GROWTH)
        output += round(growth * (whole + sentences * _SENTENCE)) + _KEY * len(keys)
    return sum(map(estimate_tokens, (prompt.system, prompt.user, schema))), output
