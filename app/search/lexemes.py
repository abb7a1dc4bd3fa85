"""From the texts of a paper to what is stored of it in the index: five tsvectors, in the binary form that COPY takes. Pure.

The words are those of ``stemming``, so that the index knows exactly what the matching compares. A compound is there in
parts and in one, the latter at the places of its first and its last part, so that it stands beside both neighbours. Of
scripts without blanks there are pairs of characters, and the last character of each run alone: then one character is found
as the beginning of a lexeme.

Postgres bounds a tsvector: 1 MB, 16,383 places, 255 of one word. A paper beyond that, which no honest one is, has ``BEYOND``
among its lexemes: it must be looked at whatever is wanted.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import Final, cast

from app.arxiv import ids
from app.search import names, stemming

MADE_BY: Final = 1
"""The version of these rules and those of ``stemming``: raise it with each change, and every paper is indexed anew."""

BEYOND: Final = "-"
"""The lexeme of a paper that does not fit; no word has a hyphen."""

COLUMNS: Final = ("order_key", "words", "title_words", "bigrams", "title_bigrams", "author_words", "made_by")
"""The columns of ``search_documents``, in the order of ``document``."""

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
"""What stands before and behind the rows of ``document`` in the binary form of COPY."""

MAX_LETTERS: Final = 255
"""Letters of a word that are indexed, of four bytes each at most; Postgres takes 2,046 bytes."""

MAX_PLACE: Final = 16_382
MAX_PLACES: Final = 255
MAX_BYTES: Final = 900_000
_PLACE: Final = (1 << 14) - 1
_IN_TITLE: Final = 3 << 14
_IN_ABSTRACT: Final = 2 << 14
_FIRST_UNSPACED: Final = "\u0e01"

_COUNT: Final = Struct(">H").pack
_LENGTH: Final = Struct(">i").pack
# What stands behind a word, by the number of its places: the end of the word, the number, the places.
_PLACES: Final = [Struct(f">x{count + 1}H").pack for count in range(MAX_PLACES + 1)]
_NOWHERE: Final = _PLACES[0](0)
_BEGIN: Final = _COUNT(len(COLUMNS))
_END: Final = _LENGTH(2) + _COUNT(MADE_BY)


@dataclass(slots=True)
class _Reader:
    """What has been read of a paper: where each word stands, and the pairs of characters."""

    words: defaultdict[bytes, list[int]] = field(default_factory=lambda: defaultdict(list))
    pairs: set[str] = field(default_factory=set)
    place: int = 0

    def read(self, text: str, weight: int) -> None:
        """Read a text; between two texts lies a place, so that no phrase reaches from one into the other."""
        folded = stemming.fold(text)
        words = stemming.compounds(folded)
        if folded.isascii() and self.place + len(folded) < MAX_PLACE:
            self._read_plain(words, weight)
        else:
            self._read_any(words, weight)

    def _read_plain(self, folded: list[str], weight: int) -> None:
        """Read words of ASCII that all have places; nearly all texts are such."""
        words, known = self.words, _known
        place = weight + self.place + 1
        for word in folded:
            place += 1
            if entry := known.get(word):
                words[entry].append(place)
            elif word.isalnum():
                words[_remember(word)].append(place)
            else:
                entries, length = _compound(word)
                for entry, offsets in entries:
                    words[entry] += [place + offset for offset in offsets]
                place += length - 1
        self.place = place - weight

    def _read_any(self, folded: list[str], weight: int) -> None:
        """Read words in any script, as many as there are; what has no place any more stands at the last."""
        words, known, place, before = self.words, _known, self.place + 1, ""
        for word in folded:
            place += 1
            entry = known.get(word)
            if entry is None and word >= _FIRST_UNSPACED and stemming.is_unspaced(word):
                if before:
                    self.pairs.add(before + word)
                before = word
                continue
            if entry is None and not word.isalnum():
                entries, length = _compound(word)
                for entry, offsets in entries:
                    words[entry] += sorted({weight | min(place + offset, MAX_PLACE) for offset in offsets})
                place += length - 1
            else:
                words[entry or _remember(word)].append(weight | min(place, MAX_PLACE))
            if before:
                self.pairs.add(before)
                before = ""
        if before:
            self.pairs.add(before)
        self.place = place


@lru_cache(maxsize=10_000)
def _compound_remembered(compound: str) -> tuple[list[tuple[bytes, list[int]]], int]:
    parts = compound.replace("'", "-").split("-")
    found = {_remember("".join(parts)): {0, len(parts) - 1}}
    for number, part in enumerate(map(_remember, parts)):
        found.setdefault(part, set()).add(number)
    return [(one, sorted(places)) for one, places in found.items()], len(parts)


def _compound(word: str) -> tuple[list[tuple[bytes, list[int]]], int]:
    """What a compound is in the index, each with its places from that of the first part on, and how many parts it has."""
    return (_compound_remembered if len(word) <= _REMEMBERED else _compound_remembered.__wrapped__)(word)


# Longer words are their own stems. They are not remembered, because outside text must not fill the memory.
_REMEMBERED: Final = 60
_MOST_REMEMBERED: Final = 50_000

# What the commonest words are in the index.
_stems: Final[dict[str, str]] = {}


def lexeme(word: str) -> str:
    """What a folded word without a hyphen is in the index."""
    found = _stems.get(word)
    if found is not None:
        return found
    if len(word) > _REMEMBERED:
        return word[:MAX_LETTERS]
    if len(_stems) >= _MOST_REMEMBERED:
        _stems.clear()
    return _stems.setdefault(word, stemming.stem(word))


def lexemes(words: Sequence[str]) -> list[str]:
    """The same of many words, in half the time."""
    found = list(map(_stems.get, words))
    return [lexeme(word) for word in words] if None in found else cast(list[str], found)


# The same in bytes.
_known: Final[dict[str, bytes]] = {}


def _remember(word: str) -> bytes:
    found = _known.get(word)
    if found is None:
        found = lexeme(word).encode()
        if len(word) <= _REMEMBERED:
            if len(_known) >= _MOST_REMEMBERED:
                _known.clear()
            _known[word] = found
    return found


def document(arxiv_id: str, titles: Iterable[str], abstracts: Iterable[str], authors: Iterable[str]) -> bytes:
    """The row of a paper with these texts, translations among them. Never raises for what a text holds."""
    reader = _Reader()
    for text in titles:
        reader.read(text, _IN_TITLE)
    title_words, title_pairs = set(reader.words), set(reader.pairs)
    for text in abstracts:
        reader.read(text, _IN_ABSTRACT)
    key = ids.order_key(arxiv_id).encode()
    vectors = (
        _placed(reader),
        _vector(title_words),
        _vector({pair.encode() for pair in reader.pairs}),
        _vector({pair.encode() for pair in title_pairs}),
        _vector({part.encode() for part in author_lexemes(authors)}),
    )
    return b"".join((_BEGIN, _LENGTH(len(key)), key, *vectors, _END))


def author_lexemes(authors: Iterable[str]) -> set[str]:
    """The parts of names by which ``names.is_named`` knows authors; of scripts without blanks, each character."""
    found: set[str] = set()
    for author in authors:
        for part in names.parts(author):
            found.add(part[:MAX_LETTERS])
            if not part.isascii():
                found.update(filter(stemming.is_unspaced, part))
    return found


def _placed(reader: _Reader) -> bytes:
    """The words with their places."""
    if reader.place > MAX_PLACE or max(map(len, reader.words.values()), default=0) > MAX_PLACES:
        return _whole(_fitting({BEYOND.encode(): [], **reader.words}))
    one, packs = _PLACES[1], _PLACES
    return _whole(
        [
            word + (one(1, places[0]) if len(places) == 1 else packs[len(places)](len(places), *places))
            for word, places in sorted(reader.words.items())
        ]
    )


def _fitting(words: Mapping[bytes, list[int]]) -> list[bytes]:
    """As many words and places as Postgres takes, each place once and in order."""
    fitting = []
    for word, places in sorted(words.items()):
        once = {weighted & _PLACE: weighted for weighted in places}
        kept = [once[place] for place in sorted(once)[:MAX_PLACES]]
        fitting.append(word + _PLACES[len(kept)](len(kept), *kept))
    return fitting


def _vector(lexemes: set[bytes]) -> bytes:
    """Lexemes without places."""
    return _whole([one + _NOWHERE for one in sorted(lexemes)])


def _whole(entries: list[bytes]) -> bytes:
    """The field of a row: its length, the number of entries, and the entries; not all of them if they are too many."""
    body = b"".join(entries)
    if len(body) + 2 * len(entries) > MAX_BYTES:
        size, kept = 0, [BEYOND.encode() + _NOWHERE]
        for entry in entries:
            size += len(entry) + 2
            if size > MAX_BYTES:
                break
            kept.append(entry)
        entries = sorted({entry.split(b"\0", 1)[0]: entry for entry in kept}.values())
        body = b"".join(entries)
    return b"%b%b%b" % (_LENGTH(len(body) + 4), _LENGTH(len(entries)), body)
