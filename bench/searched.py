"""The corpus of bench/search.py: the real archive, and invented papers among it whose words are as common as the real ones'."""

import json
import random
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from app.archive_record import read_record
from app.db import Database, copy_rows
from app.papers import PaperRecord, names_listed, upsert_rows
from app.papers.records import abstract_hash, document, entry, row

REDRAWN = 0.4
"""The share of an invented paper's words that are drawn anew from all words, as often as each of them is there."""

BATCH = 2_000
_SENTENCES = re.compile(r"(?<=[.!?。!?])\s*")
_SUMMARY = ("arxiv_id", "abstract_hash", "language", "status", "origin", "title", "abstract")


@dataclass(frozen=True, slots=True)
class Text:
    """A paper with its one-line summaries, which are what is asked with and are not stored."""

    arxiv_id: str
    title: str
    abstract: str
    title_zh: str | None
    abstract_zh: str | None
    tldr_en: str | None = None
    tldr_zh: str | None = None


def real(folder: Path) -> list[Text]:
    """The papers of the archive."""
    records = [read_record(file.read_bytes(), file.stem) for file in sorted(folder.rglob("*.json"))]
    return [
        Text(
            one.arxiv_id, one.title, one.abstract, one.translated_title, one.translated_abstract, one.tldr_en, one.tldr
        )
        for one in records
    ]


class Inventor:
    """Makes papers of sentences of real ones, in English and Chinese, many of whose words are drawn anew."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = texts
        self.chance = random.Random(6)
        self.sentences = {
            False: [s for one in texts for s in _SENTENCES.split(one.abstract) if len(s) > 20],
            True: [s for one in texts for s in _SENTENCES.split(one.abstract_zh or "") if len(s) > 8],
        }
        self.drawn: dict[bool, tuple[list[str], list[int]]] = {}
        for is_chinese, sentences in self.sentences.items():
            counts = Counter(word for sentence in sentences for word in self._words(sentence, is_chinese))
            self.drawn[is_chinese] = (list(counts), list(accumulate(counts.values())))

    def papers(self, count: int, *, with_chinese: bool = True) -> Iterator[Text]:
        """So many papers, with ids that no paper of the archive has."""
        for number in range(count):
            arxiv_id = f"{5001 + number // 90_000 % 12 + number // 1_080_000 * 100}.{number % 90_000 + 1:05}"
            like = self.chance.choice(self.texts)
            chinese = with_chinese and like.abstract_zh is not None
            yield Text(
                arxiv_id,
                self._redrawn(like.title, is_chinese=False),
                self._abstract(self.chance.randint(4, 9), is_chinese=False),
                self._redrawn(like.title_zh or "", is_chinese=True) if chinese else None,
                self._abstract(self.chance.randint(4, 9), is_chinese=True) if chinese else None,
            )

    def _abstract(self, sentences: int, *, is_chinese: bool) -> str:
        some = (self._redrawn(self.chance.choice(self.sentences[is_chinese]), is_chinese) for _ in range(sentences))
        return ("" if is_chinese else " ").join(some)

    def _redrawn(self, text: str, is_chinese: bool) -> str:
        words, bounds = self.drawn[is_chinese]
        chance = self.chance.random
        some = (
            words[bisect(bounds, chance() * bounds[-1])] if chance() < REDRAWN else word
            for word in self._words(text, is_chinese)
        )
        return ("" if is_chinese else " ").join(some)

    @staticmethod
    def _words(text: str, is_chinese: bool) -> list[str]:
        """English words; of Chinese, which has no blanks, two characters each."""
        return [text[place : place + 2] for place in range(0, len(text), 2)] if is_chinese else text.split()


async def store(database: Database, texts: Iterator[Text] | Sequence[Text], *, is_indexed: bool = False) -> int:
    """Store papers and their translations; how many. Those without translations can be indexed at once."""
    count = 0
    batch: list[Text] = []
    for one in texts:
        batch.append(one)
        if len(batch) == BATCH:
            count += await _store(database, batch, is_indexed)
            batch = []
    return count + (await _store(database, batch, is_indexed) if batch else 0)


async def _store(database: Database, texts: Sequence[Text], is_indexed: bool) -> int:
    async with database.transaction() as session:
        # Otherwise with a document that holds nothing: the rebuild, which is timed, makes the real one.
        records = map(_record, texts)
        await upsert_rows(session, [(row(one), entry(one), document(one) if is_indexed else b"") for one in records])
        summaries = [
            (one.arxiv_id, abstract_hash(one.abstract), "zh", "done", "imported", one.title_zh, one.abstract_zh)
            for one in texts
            if one.abstract_zh
        ]
        await copy_rows(session, "summaries", _SUMMARY, summaries)
    return len(texts)


def _record(one: Text) -> PaperRecord:
    return PaperRecord(
        arxiv_id=one.arxiv_id,
        version=1,
        title=one.title,
        abstract=one.abstract,
        categories=("cs.CL",),
        primary_category="cs.CL",
        listed_in=names_listed(("cs.CL",)),
        format="bench",
        raw=json.dumps(one.arxiv_id),
    )
