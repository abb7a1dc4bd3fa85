"""The older system's Markdown, byte for byte, from the raw texts.

Nothing is escaped here and titles keep their line breaks: that is the older format, and readers of it compare bytes.
"""

import re

from app.render.document import ClassicTexts, DigestDocument, DigestItem, View
from app.render.text import encodable

ANNOUNCEMENT = re.compile(r"\s*\(arXiv.+")  # "(arXiv:2301.00001v1 [cs.CL])" that old feeds put after the title


def render(document: DigestDocument, view: View) -> str:
    """Return the digest in the older layout: links descending as text, papers without a Chinese text left out."""
    papers = list(enumerate(shown(document), 1))
    rows = "\n".join(_row(number, paper) for number, paper in papers)
    details = "\n".join(_detail(number, paper) for number, paper in papers)
    table = f"# 摘要\n\n| Ref | Title | Summary |\n| --- | --- | --- |\n{rows}"
    return encodable(f"{table}\n\n# 详细\n\n{details}\n\n")


def shown(document: DigestDocument) -> list[ClassicTexts]:
    """Return the papers that the older system showed, in its order."""
    papers = sorted((_texts(item) for item in document.items), key=lambda paper: paper.link, reverse=True)
    return [paper for paper in papers if _is_complete(paper)]


def _texts(item: DigestItem) -> ClassicTexts:
    """Return the texts as the older system stored them, or what it would have stored for a paper it never saw."""
    return item.classic or ClassicTexts(
        title=item.title if item.title is not None else item.arxiv_id,
        link=f"https://arxiv.org/abs/{item.arxiv_id}",
        abstract=item.abstract or "",
        translated_title=item.translated_title,
        translated_abstract=item.translated_abstract,
        tldr=item.tldr,
        en_tldr=None,
    )


def _is_complete(paper: ClassicTexts) -> bool:
    """Tell whether the older system would have shown the paper: an empty text counts as present, a missing does not."""
    return None not in (paper.tldr, paper.translated_title, paper.translated_abstract)


def _row(number: int, paper: ClassicTexts) -> str:
    title = ANNOUNCEMENT.sub("", paper.title) if "(arXiv" in paper.title else paper.title
    return f"| [^{number}] | [{join_lines(title)}]({paper.link}) | {join_lines(paper.tldr)} |"


def _detail(number: int, paper: ClassicTexts) -> str:
    """Return the footnote; ``en_tldr`` is the only key the older renderer read, so a misspelt one shows as nothing."""
    paragraphs = (
        f"[^{number}]: {join_lines(paper.translated_title)}",
        paper.title,
        f"[{paper.link}]({paper.link})",
        join_lines(paper.tldr),
        join_lines(paper.en_tldr),
        join_lines(paper.translated_abstract),
        join_lines(paper.abstract),
    )
    return "\n\n    ".join(paragraphs) + "\n    "


def join_lines(text: str | None) -> str:
    """Return a text as the older system wrote it on a line: each line break a blank."""
    return (text or "").replace("\n", " ")
