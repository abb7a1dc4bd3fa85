"""Texts that try to break out of the place where a document puts them, or that no format can hold as they are."""

import json
from pathlib import Path
from typing import Any

from app.render.document import DigestItem, ItemAuthor
from tests.render.documents import COUNTING, item

HOSTILE = (
    "<script>alert(1)</script>",
    "</p></body></html><!-- ]]> -->",
    "<![CDATA[ ]]> <?xml version='1.0'?> <!DOCTYPE a>",
    "&nbsp; &lt; &#0; &#x1F600; &unknown; &",
    "javascript:alert(1)",
    "\u202egnp.exe \u2066isolate \u200fmark \u200bzero\ufeffwidth",
    "\x00\x01\x08\x0b\x0c\x1b\x7f\x85\u2028\u2029\ufffe\uffff",
    "lone \ud800 and \udfff",
    "line\nbreak\r\nand\ttab",
    "\nTY  - JOUR\nER  - \n",
    "},\n@article{evil, title = {gotcha}}\n",
    "@misc{a, title={b}}",
    "{ { }",
    "} } {",
    "\\{ \\{ \\}",
    "\\\\{a}",
    "a\\",
    "a\\\\",
    '"quoted", "twice"',
    "100% of # & _ ^ ~",
    "$unbalanced and $5",
    "$x_1^2$ and $\\left\\{ a \\right.$ and $50%$",
    "\\input{/etc/passwd} \\def\\a{b} $\\write18{ls}$",
    '=HYPERLINK("https://evil.example","x")',
    "+1; =2+5+cmd|' /C calc'!A0",
    "\t@SUM(1)",
    "\uff1d1+1",
    "  -1",
    "and Smith and and",
    ";;;",
    "x" * 100_000,
    "{" * 5_000 + "$" * 5_000,
    "١٢٣ مرحبا",
)


def hostile_item(text: str, arxiv_id: str = "3103.00001", **changes: Any) -> DigestItem:
    """Return a paper all of whose texts are this one, but for its id and its links."""
    texts: dict[str, Any] = dict.fromkeys(
        ("title", "translated_title", "tldr", "tldr_en", "abstract", "translated_abstract", "comments", "journal_ref"),
        text,
    )
    return item(
        arxiv_id,
        **texts,
        doi=text,
        license=text,
        primary_category=text,
        categories=(text, "cs.CL"),
        announce_type=text,
        summary_error=text,
        authors=(ItemAuthor(text, (text,)), ItemAuthor("Ada Sample")),
        summary=COUNTING.summary,
        **changes,
    )


def edge_cases(samples: Path) -> list[DigestItem]:
    """Return real papers with texts that have given trouble."""
    lines = (samples / "text-edge-cases.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [
        item(one["id"], title=one["title"], abstract=one["abstract"], authors=(ItemAuthor(one["title"]),))
        for one in records
    ]


def real_papers(archive_papers: Path, number: int = 1_000) -> list[DigestItem]:
    """Return papers of the older system's archive, every so many of them."""
    paths = sorted(archive_papers.glob("*/*/*.json"))
    papers = []
    for path in paths[:: max(1, len(paths) // number)]:
        record = json.loads(path.read_text("utf-8"))
        papers.append(
            item(
                record["link"].rsplit("/abs/", 1)[1],
                title=record["title"],
                abstract=record["abstract"],
                translated_title=record.get("translated_title"),
                translated_abstract=record.get("translated_abstract"),
                tldr=record.get("tldr"),
            )
        )
    return papers
