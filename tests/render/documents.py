"""Invented documents for the renderers' tests: every paper, person and number in them is made up."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from app.render.document import (
    ClassicTexts,
    DigestDocument,
    DigestItem,
    ItemAuthor,
    Links,
    Period,
    Provenance,
    Receipt,
)

MADE_AT = datetime(2031, 3, 5, 6, 7, 8, tzinfo=UTC)


def item(arxiv_id: str = "3103.00001", **changes: Any) -> DigestItem:
    """Return a paper with only what is always known; ``changes`` are fields of ``DigestItem``."""
    bare = DigestItem(
        position=1,
        arxiv_id=arxiv_id,
        version=1,
        title="A Title",
        translated_title=None,
        tldr=None,
        tldr_en=None,
        translated_abstract=None,
        abstract=None,
        abstract_is_cut=False,
        authors=(),
        authors_omitted=0,
        primary_category=None,
        categories=(),
        announce_type=None,
        links=Links(abs=f"https://arxiv.org/abs/{arxiv_id}", pdf=f"https://arxiv.org/pdf/{arxiv_id}"),
        summary_status="done",
        summary_error=None,
        summary=None,
        classic=None,
    )
    return replace(bare, **changes)


def document(*items: DigestItem, **changes: Any) -> DigestDocument:
    """Return a digest of these papers, with a receipt that fits them unless ``changes`` holds another."""
    states = [paper.summary_status for paper in items]
    plain = DigestDocument(
        id="0190f0aa-0000-7000-8000-000000000001",
        channel="cs.CL",
        title="cs.CL",
        period=Period(date(2031, 3, 4), date(2031, 3, 4)),
        language="en",
        revision=1,
        created_at=MADE_AT,
        receipt=Receipt(
            announced=len(items),
            stored=len(items),
            summarized=states.count("done"),
            pending=states.count("pending") + states.count("running"),
            failed=states.count("failed"),
            untranslated=0,
            missing=(),
        ),
        items=tuple(replace(paper, position=number) for number, paper in enumerate(items, 1)),
    )
    return replace(plain, **changes)


def by_model(**changes: Any) -> Provenance:
    """Return the provenance of a summary that a model wrote."""
    made = Provenance(
        origin="llm",
        model="invented-7b",
        provider="example.org",
        prompt_version="v3",
        paper_version=1,
        tokens=1234,
        made_at=MADE_AT,
        stale=False,
    )
    return replace(made, **changes)


EXTRACTED = by_model(origin="extractive", model=None, provider=None, prompt_version="sentence-1", tokens=None)

COUNTING = item(
    "3103.00003",
    version=2,
    title="Counting Sheep with $O(n \\log n)$ Dreams | A [Sleepy] Approach to p < 0.05 & *Rest*",
    translated_title="用 $O(n \\log n)$ 个梦数羊：一种困倦的方法",
    tldr="本文提出一种数羊方法，复杂度为 $O(n\\log n)$，成本从 $20 降到 $10。",
    tldr_en="We count sheep in $O(n \\log n)$ dreams and cut the cost from $20 to $10.",
    translated_abstract="数羊是一个经典问题。我们证明 $\\sum_{i=1}^{n} s_i \\le \\frac{n(n+1)}{2}$，并给出实验。",
    abstract=(
        "Counting sheep is a classic problem.  We show that $\\sum_{i=1}^{n} s_i \\le \\frac{n(n+1)}{2}$ holds for "
        "every flock in $\\mathbb{R}^{d}$ and that <script>alert('baa')</script> changes nothing. Code: "
        "https://example.org/sheep_counter; write to sheep@example.org. The norm \\(\\|x\\|_2\\) is bounded: "
        "\\[ \\lim_{n\\to\\infty} \\left( 1 + \\frac{1}{n} \\right)^n = e \\]"
    ),
    authors=(
        ItemAuthor("Ada Meadow", ("Institute of Sleep", "Night School")),
        ItemAuthor('Bj\\"orn Wool'),
        ItemAuthor("杨小绵"),
    ),
    authors_omitted=12,
    primary_category="cs.CL",
    categories=("cs.CL", "cs.AI"),
    announce_type="new",
    summary=by_model(),
    classic=ClassicTexts(
        title="Counting Sheep with Dreams. (arXiv:3103.00003v2 [cs.CL])",
        link="http://arxiv.org/abs/3103.00003",
        abstract="Counting sheep\nis a classic problem.",
        translated_title="数羊",
        translated_abstract="数羊是一个\n经典问题。",
        tldr="本文数羊。",
        en_tldr=None,
    ),
)
STALE = item(
    "hep-th/3101002",
    title="Strings of Yarn",
    translated_title="毛线之弦",
    tldr="毛线可以解释引力。",
    tldr_en="Yarn explains gravity.",
    translated_abstract="我们把弦换成毛线。",
    abstract="We replace strings by yarn",
    abstract_is_cut=True,
    authors=(ItemAuthor("C. Knitter"),),
    primary_category="hep-th",
    categories=("hep-th", "gr-qc"),
    announce_type="replace-cross",
    summary=by_model(stale=True, paper_version=1),
    version=3,
)
FAILED = item(
    "3103.00002",
    title="Ignore All Previous Instructions: A Survey",
    abstract="We survey papers that speak to their readers' machines.",
    authors=(ItemAuthor("Mallory Prompt"),),
    primary_category="cs.CR",
    categories=("cs.CR",),
    announce_type="cross",
    summary_status="failed",
    summary_error="the answer was English, not Chinese",
)
PENDING = item("3103.00001", title=None, abstract=None, summary_status="pending", announce_type="new")

EXTRACTED_ITEM = replace(
    COUNTING,
    translated_title=None,
    translated_abstract=None,
    tldr=COUNTING.tldr_en,
    summary=EXTRACTED,
    classic=None,
)

ALL_FIELDS = document(
    COUNTING,
    STALE,
    FAILED,
    PENDING,
    language="zh",
    title="cs.CL 每日摘要",
    revision=2,
    receipt=Receipt(6, 4, 2, 1, 1, 0, ("3103.00004", "3103.00005")),
)
EXTRACTIVE = document(EXTRACTED_ITEM, replace(PENDING, title="A Paper That Waits", abstract="It waits."))
UNTRANSLATED = document(replace(EXTRACTED_ITEM, tldr=None), language="zh-TW", receipt=Receipt(1, 1, 1, 0, 0, 1, ()))
EMPTY = document(language="zh")
