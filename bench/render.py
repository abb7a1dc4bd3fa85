"""Render a 650-paper digest to Markdown, against joining the same strings in a loop (DESIGN section 10: <= 3 times), and to
HTML with MathML (<= 400 ms, whether or not the papers were seen before); then to every other format, for comparison.

The renderers remember what they made of a paper or a formula, because digests repeat papers; so three cases are told apart:
papers never seen before, papers seen before but loaded anew (their hash is not known yet), and the same document again.

Times are processor time: a renderer does nothing but compute, and what else the machine does is not its fault.

Usage: python bench/render.py [--papers N] [--rounds N]. Prints one line per format; exit code 1 when over a target.
The papers are invented but shaped like arXiv's: abstracts of about 1,400 characters, a quarter of them with double
blanks, one in eight with two to four formulas, no two of which are the same, translations of about 450 characters that
repeat the formulas.
"""

import argparse
import gc
import pickle
import random
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from time import thread_time

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.arxiv import display
from app.render import FORMATS, markdown, mathml, rendering, unicode_math
from app.render.document import DigestDocument, DigestItem, ItemAuthor, Links, Math, Period, Provenance, Receipt, View

TARGET = 3.0  # times the limit, of Markdown
TARGET_HTML = 0.4  # seconds
FORMULAS = (
    "O(n^{{{0}}} \\log n)",
    "\\sum_{{i=1}}^{{{0}}} x_i \\le \\frac{{n(n+1)}}{{2}}",
    "\\mathbb{{R}}^{{{0} \\times d}}",
    "\\alpha_{{{0}}} = 0.{0}",
    "\\|\\hat{{\\mathbf{{x}}}}_{{{0}}} - x^*\\|_2 < \\epsilon",
    "\\tilde{{\\mathcal{{O}}}}(\\sqrt{{{0}T}})",
    "{0}\\%",
    "p_\\theta(y \\mid x_{{<{0}}})",
)
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
        sentences.append(sentence)
        size += len(sentence) + len(gap)
    return gap.join(sentences) + "."


def chinese(chance: random.Random, length: int) -> str:
    """Return invented Chinese of this many characters."""
    return "".join(chance.choices(CHINESE, k=length - 1)) + "。"


def formulas(chance: random.Random, number: int) -> str:
    """Return what a paper's abstract says in two to four formulas, or nothing for seven papers in eight."""
    if number % 8:
        return ""
    chosen = chance.sample(FORMULAS, chance.randint(2, 4))
    return " " + ", ".join(f"${formula.format(number)}$" for formula in chosen) + "."


def invent(papers: int) -> DigestDocument:
    """Return a digest of invented papers, the same one every time."""
    chance = random.Random(20310304)
    items = []
    for number in range(papers, 0, -1):
        arxiv_id = f"3103.{number:05}"
        math = formulas(chance, number)
        items.append(
            DigestItem(
                position=papers - number + 1,
                arxiv_id=arxiv_id,
                version=1,
                title=english(chance, 70)[:80].rstrip(" ."),
                translated_title=chinese(chance, 25),
                tldr=chinese(chance, 80),
                tldr_en=english(chance, 200),
                translated_abstract=chinese(chance, 450) + math,
                abstract=english(chance, 1400, ".  " if number % 4 == 0 else ". ") + math,
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
        start = thread_time()
        work(digest)
        times.append(thread_time() - start)
        gc.enable()
    return min(times)


def forget() -> None:
    """Forget all that was ever made of a text."""
    markdown._write_remembered.cache_clear()
    display._display_remembered.cache_clear()
    mathml._mathml.cache_clear()
    mathml._styled.cache_clear()
    unicode_math._shown_remembered.cache_clear()
    unicode_math.formula_text.cache_clear()


def first(render: Callable[[DigestDocument], object]) -> Callable[[DigestDocument], object]:
    """Return what renders with nothing remembered of earlier digests."""

    def work(document: DigestDocument) -> object:
        forget()
        return render(document)

    return work


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

    md, html = rendering("md").render, rendering("html")
    report("md, nothing remembered", best(first(lambda one: md(one, TEX)), document, options.rounds))
    anew = best(lambda one: md(one, TEX), document, options.rounds, fresh=True)
    ratio = report(f"md, papers seen before, loaded anew (target: <= {TARGET:.1f})", anew, limit_anew)
    report("md, the same document again", best(lambda one: md(one, TEX), document, options.rounds))
    target = f"(target: <= {TARGET_HTML * 1e3:.0f} ms)"
    cold = best(first(html), document, 5, fresh=True)
    print(f"html with MathML, nothing remembered, loaded anew {target}: {cold * 1e3:.0f} ms")
    warm = best(html, document, 5, fresh=True)
    print(f"html with MathML, papers seen before, loaded anew {target}: {warm * 1e3:.0f} ms")
    for name, known in FORMATS.items():
        for style in ((None,) if name not in ("md", "html") else ()) + tuple(known.styles):
            taken = best(first(rendering(name, style)), document, 3, fresh=True)
            report(f"{name} {style or ''}".strip() + ", nothing remembered", taken, limit_anew)
    return 0 if ratio <= TARGET and max(cold, warm) <= TARGET_HTML else 1


if __name__ == "__main__":
    sys.exit(main())
