"""Authors by name: whether two names may be one person's, as far as names tell, and whether a name has the words of a query.

arXiv knows no identities. Two names are taken for one person's if nothing in them speaks against it:

* Case, accents, TeX, dots and hyphens do not count, nor does a suffix (``Jr.``, ``III``).
* ``Sample, Ada`` is ``Ada Sample``. Without a comma the last word is the family name, and it must be equal.
* An initial or an abbreviation (``A.``, ``Yu.``) stands for every given name that begins so, on either side.
* Given names are compared in order, as far as both have them: ``Ada Sample`` is ``Ada M. Sample``, and ``Ada K. Sample`` is
  not. ``Xiao-Ming`` is ``Xiaoming``.
* Who follows a family name alone follows everybody who has it.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from app.search.stemming import UNSPACED, fold

MAX_NAME: Final = 300
"""Characters that are looked at; the longest names in arXiv's records, those of collaborations, are shorter."""

_TOKEN: Final = re.compile(r"[^\W_]+\.?")
_CLOSE_DOT: Final = re.compile(r"\.(?=[^\W_])")
_SUFFIXES: Final = frozenset({"jr", "sr", "ii", "iii", "iv"})
_has_unspaced: Final = re.compile(f"[{UNSPACED}]").search


@dataclass(frozen=True, slots=True)
class _Name:
    """``given`` are folded names, abbreviated ones with their dot; ``tokens`` everything, and hyphened names in one, too."""

    given: tuple[str, ...]
    family: str
    whole: str
    tokens: frozenset[str]


def follows(author_name: str, paper_author_name: str) -> bool:
    """Whether an author whom a channel follows may be this author of a paper. Both names may hold TeX; never raises."""
    followed, printed = _name(author_name[:MAX_NAME]), _name(paper_author_name[:MAX_NAME])
    if not followed.family or not printed.family:
        return False
    if followed.whole == printed.whole:
        return True
    return followed.family == printed.family and _may_be(followed.given, printed.given)


def is_named(words: tuple[str, ...], paper_author_name: str, *, is_prefix: bool = False) -> bool:
    """Whether these folded words name an author: the same person, or each word is part of the name, in any order.

    A letter stands for any part that begins with it, but some word must be there in full. ``is_prefix`` lets every word be the
    beginning of a part.
    """
    name = _name(paper_author_name[:MAX_NAME])
    text = " ".join(words)
    if _has_unspaced(text) and text.replace(" ", "") in name.whole:
        return True
    if is_prefix:
        return all(any(token.startswith(word) for token in name.tokens) for word in words)
    known = [_is_part(word, name.tokens) for word in words]
    if all(known):
        return True
    initials = all(
        is_known or (len(word) == 1 and any(token.startswith(word) for token in name.tokens))
        for word, is_known in zip(words, known, strict=True)
    )
    has_full = any(is_known and len(word) > 1 for word, is_known in zip(words, known, strict=True))
    return (initials and has_full) or (len(words) > 1 and follows(text, paper_author_name))


def parts(paper_author_name: str) -> set[str]:
    """Every text that ``is_named`` may compare a word with: the parts of the name, and the whole in one."""
    name = _name(paper_author_name[:MAX_NAME])
    return {*name.tokens, name.whole} if name.whole else set()


def same_person(text: str) -> set[str]:
    """The parts of which a name must have one to be the same person's as this text: the family name, or the whole in one."""
    name = _name(text[:MAX_NAME])
    return {name.family, name.whole} - {""}


def in_order(name: str) -> str:
    """A name with the given names first: ``Sample, Ada`` is ``Ada Sample``; a comma before a suffix is none."""
    head, comma, tail = name.partition(",")
    if not comma or tail.strip(" .,").casefold() in _SUFFIXES:
        return f"{head} {tail}"
    given, _, suffix = tail.partition(",")
    return f"{given} {head} {suffix}"


def _is_part(word: str, tokens: frozenset[str]) -> bool:
    return (
        word in tokens or ("-" in word and all(piece in tokens for piece in word.split("-"))) or _closed(word) in tokens
    )


def _closed(word: str) -> str:
    return word.replace("-", "")


def _may_be(followed: tuple[str, ...], printed: tuple[str, ...]) -> bool:
    if not followed:
        return True
    if not printed:
        return False
    return all(map(_same_given, followed, printed))


def _same_given(one: str, other: str) -> bool:
    short, long = one.rstrip("."), other.rstrip(".")
    return (
        short == long
        or (_is_abbreviated(one) and long.startswith(short))
        or (_is_abbreviated(other) and short.startswith(long))
    )


def _is_abbreviated(name: str) -> bool:
    return len(name) == 1 or name.endswith(".")


@lru_cache(maxsize=20_000)
def _name(text: str) -> _Name:
    pieces = _CLOSE_DOT.sub(". ", in_order(fold(text))).split()
    if len(pieces) > 1 and pieces[0] == "the":  # "The ATLAS Collaboration"
        pieces = pieces[1:]
    named = [tokens for piece in pieces if (tokens := _TOKEN.findall(piece))]
    while len(named) > 1 and named[-1][-1].rstrip(".") in _SUFFIXES:
        named.pop()
    if not named:
        return _Name((), "", "", frozenset())
    bare = [[token.rstrip(".") for token in tokens] for tokens in named]
    joined = ["".join(tokens) for tokens in bare]
    return _Name(
        given=tuple(token for tokens in named[:-1] for token in tokens),
        family=joined[-1],
        whole="".join(joined),
        tokens=frozenset(joined).union(*bare),
    )
