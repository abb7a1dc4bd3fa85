"""Which words a digest uses: the vocabulary nearest to its language, and the direction of its writing.

A language is a BCP 47 tag; the nearest words are found by its primary subtag (Chinese also by script and region).
Languages without words of their own get English ones, although the texts of the papers are in the digest's language.
"""

from app.render.vocabulary import CHINESE, ENGLISH, FRENCH, GERMAN, JAPANESE, KOREAN, SPANISH, TRADITIONAL, Words

LANGUAGES: dict[str, Words] = {
    "en": ENGLISH,
    "zh": CHINESE,
    "zh-hant": TRADITIONAL,
    "ja": JAPANESE,
    "ko": KOREAN,
    "de": GERMAN,
    "fr": FRENCH,
    "es": SPANISH,
}

# Written with traditional characters when no script subtag says otherwise (CLDR likely subtags).
TRADITIONAL_REGIONS = {"tw", "hk", "mo"}

RIGHT_TO_LEFT = {"ar", "he", "fa", "ur", "ps", "yi", "dv", "ug", "sd", "ckb"}


def words_for(language: str) -> Words:
    """Return the words nearest to a tag: ``zh-TW`` gives traditional Chinese, ``pt-BR`` falls back to English."""
    primary, *rest = language.lower().replace("_", "-").split("-")
    if primary == "zh" and "hans" not in rest and ("hant" in rest or TRADITIONAL_REGIONS.intersection(rest)):
        return TRADITIONAL
    return LANGUAGES.get(primary, ENGLISH)


def direction(language: str) -> str:
    """Return ``rtl`` for a language that is written from right to left, ``ltr`` for the others."""
    return "rtl" if language.lower().replace("_", "-").split("-")[0] in RIGHT_TO_LEFT else "ltr"
