"""Render a 650-paper digest to Markdown, against joining the same strings in a loop (DESIGN section 10: <= 3 times).

The renderer remembers what it wrote of a paper, because digests repeat papers; so three cases are told apart: papers
never seen before, papers seen before but loaded anew (their hash is not known yet), and the same document again.

Usage: python bench/render.py [--papers N] [--rounds N]. Prints one line per format; exit code 1 when over the target.
The papers are invented but shaped like arXiv's: abstracts of about 1,400 characters, a quarter of them with double
blanks, every twelfth with a formula, translations of about 450 characters.
"""

import argparse
import gc
import pickle
import random
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.render import markdown, rendering
from app.render.document import DigestDocument, DigestItem, ItemAuthor, Links, Math, Period, Provenance, Receipt, View

TARGET = 3.0
SENTENCE = (
    "we propose a model that learns from text and improves over strong baselines on several benchmarks of language "
    "understanding while it needs fewer parameters than earlier methods do and remains robust under distribution shift"
)
ENGLISH = SENTENCE.split()
CHINESE = "我们提出一种从文本中学习的模型在多个语言理解基准上优于强基线同时所需参数更少并且在分布变化下保持稳健"
TEX = View(Math.TEX)
MADE_AT = datetime(2031, 3, 4, tzinfo=UTC)


def english(chance: random.Random, length: int, gap: str = ". ") -> str:
    """Return sentences of invented English of at least this many characters."""
    sentences: list[str] = []
    size = 0
    while size < length:
        sentence = " ".join(chance.choices(ENGLISH, k=18)).capitalize()
        if chance.random() < 0.01:
            sentence += " with $O(n \\log n)$ steps"
        sentences.append(sentence)
        size += len(sentence) + len(gap)
    return gap.join(sentences) + "."


def chinese(chance: random.Random, length: int) -> str:
    """Return invented Chinese of this many characters."""
    return "".join(chance.choices(CHINESE, k=length - 1)) + "。"


def invent(papers: int) -> DigestDocument:
    """Return a digest of invented papers, the same one every time."""
    chance = random.Random(20310304)
    items = []
    for number in range(papers, 0, -1):
        arxiv_id = f"3103.{number:05}"
        items.append(
            DigestItem(
                position=papers - number + 1,
                arxiv_id=arxiv_id,
                version=1,
                title=english(chance, 70)[:80].rstrip(" ."),
                translated_title=chinese(chance, 25),
                tldr=chinese(chance, 80),
                tldr_en=english(chance, 200),
                translated_abstract=chinese(chance, 450),
                abstract=english(chance, 1400, ".  " if number % 4 == 0 else ". "),
                abstract_is_cut=False,
                authors=tuple(ItemAuthor(f"Author {index} Name") for index in range(5)),
                authors_omitted=0,
                primary_category="cs.CL",
                categories=("cs.CL", "cs.AI"),
                announce_type="new",
                links=Links(f"https://arxiv.org/abs/{arxiv_id}", f"https://arxiv.org/pdf/{arxiv_id}"),
                summary_status="done",
                summary_error=None,
                summary=Provenance("llm", "m", "p", "1", 1, 1200, MADE_AT, False),
                classic=None,
            )
        )
    return DigestDocument(
        id="bench",
        channel="cs.CL",
        title="cs.CL",
        period=Period(date(2031, 3, 4), date(2031, 3, 4)),
        language="zh",
        revision=1,
        created_at=MADE_AT,
        receipt=Receipt(papers, papers, papers, 0, 0, 0, ()),
        items=tuple(items),
    )


def joined(document: DigestDocument) -> str:
    """Return the same table and footnotes with every text as it is: the limit that the renderer is compared with."""
    text = f"# {document.title}\n\n# 摘要\n\n| Ref | Title | Summary |\n| --- | --- | --- |\n"
    for number, item in enumerate(document.items, 1):
        text += f"| [^{number}] | [{item.title}]({item.links.abs}) | {item.tldr} |\n"
    text += "\n# 详细\n\n"
    for number, item in enumerate(document.items, 1):
        authors = ", ".join([author.name for author in item.authors])
        categories = ", ".join(item.categories)
        text += (
            f"[^{number}]: {item.translated_title}\n\n    {item.title}\n\n    [{item.links.abs}]({item.links.abs})\n\n"
            f"    {item.tldr}\n\n    {item.tldr_en}\n\n    {item.translated_abstract}\n\n    {item.abstract}\n\n"
            f"    {authors} · {categories}\n\n"
        )
    return text


def best(work: Callable[[DigestDocument], object], document: DigestDocument, rounds: int, fresh: bool = False) -> float:
    """Return the shortest of several times in seconds; ``fresh`` gives each round new string objects.

    The garbage collector rests, as it would fire at another place in each of the compared loops.
    """
    times = []
    packed = pickle.dumps(document)
    for _ in range(rounds):
        digest = pickle.loads(packed) if fresh else document
        gc.collect()
        gc.disable()
        start = perf_counter()
        work(digest)
        times.append(perf_counter() - start)
        gc.enable()
    return min(times)


def first(document: DigestDocument) -> str:
    """Render with nothing remembered of earlier digests."""
    markdown._write_remembered.cache_clear()
    return markdown.render(document, TEX)


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--papers", type=int, default=650)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    document = invent(options.papers)
    size = len(joined(document)) / 1e6
    limit = best(joined, document, options.rounds)
    limit_anew = best(joined, document, options.rounds, fresh=True)
    print(f"{options.papers} papers, {size:.2f} M characters")
    print(f"limit, joining in a loop: {limit * 1e3:.2f} ms; of a document loaded anew: {limit_anew * 1e3:.2f} ms")

    def report(name: str, taken: float, limit: float = limit) -> float:
        print(f"{name}: {taken * 1e3:.2f} ms, {taken / limit:.2f} x the limit")
        return taken / limit

    report("md, nothing remembered", best(first, document, options.rounds))
    anew = best(lambda one: markdown.render(one, TEX), document, options.rounds, fresh=True)
    ratio = report(f"md, papers seen before, loaded anew (target: <= {TARGET:.1f})", anew, limit_anew)
    report("md, the same document again", best(lambda one: markdown.render(one, TEX), document, options.rounds))
    for name, style in (("md", "classic"), ("html", None), ("json", None)):
        report(f"{name} {style or ''}".strip(), best(rendering(name, style), document, 5))
    return 0 if ratio <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
