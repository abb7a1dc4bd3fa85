"""A glossary: how terms are to be translated, and which names are to be left as they are.

It is a TOML file: ``keep`` lists what is never translated, and each language has a table of terms, within which a table
named after an arXiv category or archive holds what is said differently there::

    keep = ["Transformer", "LoRA"]
    [zh]
    "large language model" = "大语言模型"
    [zh."cs.CL"]
    "token" = "词元"
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.errors import ConfigurationError

FILE_LIMIT = 1_000_000
"""Bytes of a glossary file."""
TERM_LIMIT = 200
"""Characters of a term, and of its translation."""

_TRADITIONAL = ("zh-tw", "zh-hk", "zh-mo")
_Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Glossary:
    """Terms by language tag in lower case and category (``""`` for all); make one with ``load_glossary``."""

    keep: tuple[str, ...] = ()
    terms: tuple[tuple[str, str, _Pairs], ...] = ()
    digest: str = ""
    """Eight hex digits, another one for another content; empty for the empty glossary."""

    @staticmethod
    def empty() -> "Glossary":
        """The glossary without entries."""
        return Glossary()

    def entries_for(
        self, language: str, categories: Sequence[str], text: str
    ) -> tuple[Mapping[str, str], tuple[str, ...]]:
        """The terms with their translations, and the names to keep, that occur in ``text``, the longest first.

        Whole words count, in either case, also in the plural with s; a term within a longer one that is in the glossary
        does not. What is said for a category of the paper goes before what is said for all, the first category first.
        """
        if not self.digest:
            return {}, ()
        terms, pattern = _terms(self, _lookup_order(language), tuple(categories))
        found = _found(pattern, text)
        kept = _found(_names(self), text)
        return (
            {term: said for key, (term, said) in terms.items() if key in found},
            tuple(name for name in self.keep if _key(name) in kept),
        )


def load_glossary(path: str | Path) -> Glossary:
    """Read a glossary file; raises ``ConfigurationError`` if it is missing or not as it should be."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(FILE_LIMIT + 1)
        if len(content) > FILE_LIMIT:
            raise _wrong(path, f"is larger than {FILE_LIMIT:,} bytes")
        raw = tomllib.loads(content.decode("utf-8-sig"))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise _wrong(path, f"is not valid TOML in UTF-8: {error}") from error
    keep = raw.pop("keep", [])
    if not isinstance(keep, list):
        raise _wrong(path, "has a keep that is not a list of names")
    names = {_key(name): name for name in (_checked(path, item) for item in keep)}
    tables = list(_tables(path, raw))
    for language, _, pairs in tables:
        for term, _ in pairs:
            if _key(term) in names:
                raise _wrong(path, f"both keeps {term!r} and translates it ([{language}])")
    if not names and not tables:
        return Glossary.empty()
    ordered = tuple(sorted(names.values(), key=_longest_first))
    terms = tuple(sorted(tables))
    canonical = json.dumps([ordered, terms], ensure_ascii=False)
    return Glossary(ordered, terms, hashlib.sha256(canonical.encode()).hexdigest()[:8])


def _tables(path: str | Path, raw: Mapping[str, Any]) -> Iterator[tuple[str, str, _Pairs]]:
    for language, table in raw.items():
        if not isinstance(table, dict):
            raise _wrong(path, f"has {language!r} where only keep and tables of languages such as [zh] can stand")
        if not re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8})*", language):
            raise _wrong(path, f"has a table [{language}] that is no language tag such as zh")
        categories = {key: value for key, value in table.items() if isinstance(value, dict)}
        categories[""] = {key: value for key, value in table.items() if not isinstance(value, dict)}
        for category, entries in categories.items():
            pairs = {_checked(path, term): _checked(path, said) for term, said in entries.items()}
            if len({_key(term) for term in pairs}) < len(pairs):
                raise _wrong(path, f"has a term twice in [{language}], in upper and lower case")
            if pairs:
                yield language.lower().replace("_", "-"), category, tuple(sorted(pairs.items()))


def _checked(path: str | Path, value: object) -> str:
    """One term, name or translation in good form."""
    if not isinstance(value, str):
        raise _wrong(path, f"has {value!r} where a text should be")
    text = value.strip()
    if not text or not text.isprintable() or len(text) > TERM_LIMIT:
        raise _wrong(path, f"has {value[:40]!r}, which is empty, longer than {TERM_LIMIT} characters or not one line")
    return text


def _wrong(path: str | Path, what: str) -> ConfigurationError:
    return ConfigurationError(f"The glossary {path} {' '.join(what.split())}.")


def _key(term: str) -> str:
    return " ".join(term.casefold().split())


def _longest_first(term: str) -> tuple[int, str]:
    return -len(term), term


def _lookup_order(language: str) -> tuple[str, ...]:
    """The tags whose terms fit a language, the nearest first. Terms in another script do not fit: zh is no zh-Hant."""
    tag = language.lower().replace("_", "-")
    order = [tag]
    while "-" in tag:
        tag, _, last = tag.rpartition("-")
        if len(last) == 4 and last.isalpha() and (tag, last) != ("zh", "hans"):
            break
        if order[-1] in _TRADITIONAL:
            order.append("zh-hant")
            break
        order.append(tag)
    return tuple(order)


@lru_cache(256)
def _terms(
    glossary: Glossary, languages: tuple[str, ...], categories: tuple[str, ...]
) -> tuple[Mapping[str, tuple[str, str]], re.Pattern[str]]:
    """The terms for these languages and categories by key, the longest first, and what finds them."""
    scopes = list(dict.fromkeys([*categories, *(category.split(".")[0] for category in categories), ""]))
    ranked = sorted(
        (scopes.index(category), languages.index(language), pairs)
        for language, category, pairs in glossary.terms
        if language in languages and category in scopes
    )
    found: dict[str, tuple[str, str]] = {}
    for _, _, pairs in ranked:
        for term, said in pairs:
            found.setdefault(_key(term), (term, said))
    ordered = dict(sorted(found.items(), key=lambda item: _longest_first(item[0])))
    return ordered, _pattern(tuple(ordered))


@lru_cache(16)
def _names(glossary: Glossary) -> re.Pattern[str]:
    return _pattern(tuple(_key(name) for name in glossary.keep))


def _pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    """Finds any of these terms as whole words; of those that begin at one place the first given."""
    if not keys:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)({'|'.join(re.escape(key) for key in keys)})(?:e?s)?(?!\w)")


def _found(pattern: re.Pattern[str], text: str) -> set[str]:
    return {match[1] for match in pattern.finditer(_key(text))}
