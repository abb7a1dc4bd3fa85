"""A digest as a book: EPUB 3.3, made of a title page with the receipt, the table of one-line summaries and the details.

The container is a ZIP whose first member, ``mimetype``, is stored (EPUB 3.3, section 4.2). The same document gives the same
bytes: members stand in a fixed order and carry the time at which the revision was made. The identifier is that of the digest
in all its revisions, ``dcterms:modified`` tells them apart. Chapters are XHTML, well-formed for any text: texts are escaped by
the templates or come as markup from ``app.render.mathml``, neither of which uses named entities other than XML's own.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.render import phrases
from app.render.document import DigestDocument, Math, View
from app.render.epub.papers import Paper, paper, shower
from app.render.i18n import direction, translator
from app.render.templates import environment
from app.render.text import instant, plain
from app.render.unicode_math import plain_math

PAPERS_PER_FILE: Final = 50  # Reading systems lay out a file as a whole; long ones make them slow.
FOLDER: Final = "EPUB"
MEDIA_TYPE: Final = "application/epub+zip"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*").fullmatch

ENVIRONMENT = environment(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One XHTML file of the book: its name, what the table of contents calls it, its content, the papers in it."""

    name: str
    label: str
    content: str
    papers: tuple[Paper, ...] = ()

    @property
    def has_mathml(self) -> bool:
        """Whether the manifest has to say that the file holds MathML."""
        return "<math " in self.content


def render(document: DigestDocument, view: View) -> bytes:
    """Return the digest as an EPUB file. ``math=mathml`` needs a reading system of EPUB 3, the other ways do not."""
    language = document.language.replace("_", "-")
    _ = translator(document.language)
    common = {
        "_": _,
        "language": language if _LANGUAGE(language) else "und",
        "direction": direction(document.language),
        "title": plain(document.title) or plain(document.channel) or plain(document.id),
        "show": shower(view.math),
    }
    chapters = _chapters(document, common)
    book = common | {
        "chapters": chapters,
        "identifier": f"urn:uuid:{_uuid(document.id)}",
        "modified": instant(document.created_at.replace(microsecond=0)),
        "day": (document.period.to if document.period else document.created_at.date()).isoformat(),
        "description": plain(phrases.receipt_line(document, _)),
        "acknowledgement": phrases.ACKNOWLEDGEMENT,
        "has_mathml": any(chapter.has_mathml for chapter in chapters),
        "toc_title": lambda text: plain_math(text, Math.UNICODE),
    }
    files = {"META-INF/container.xml": _write("container.xml.j2", {"folder": FOLDER})}
    files |= {f"{FOLDER}/{name}": _write(f"{name}.j2", book) for name in ("package.opf", "nav.xhtml", "style.css")}
    files |= {f"{FOLDER}/{chapter.name}": chapter.content for chapter in chapters}
    return _zipped(files, document.created_at)


def _chapters(document: DigestDocument, common: dict[str, Any]) -> list[Chapter]:
    """Return the title page and, where there are papers, the table and the details, some papers to a file."""
    _ = common["_"]
    papers = [
        paper(item, number, _, file=f"papers-{(number - 1) // PAPERS_PER_FILE + 1}.xhtml", language=common["language"])
        for number, item in enumerate(document.items, 1)
    ]
    files = [tuple(papers[at : at + PAPERS_PER_FILE]) for at in range(0, len(papers), PAPERS_PER_FILE)]
    missing = ", ".join(document.receipt.missing)
    front = common | {
        "dates": phrases.dates(document),
        "revision": document.revision,
        "counts": phrases.counts(document, _),
        "notes": [
            plain(note)
            for note in (
                phrases.labelled(_, _("missing"), missing) if missing else "",
                phrases.incomplete_line(document, _),
                phrases.untranslated_line(document, _),
                "" if document.items else phrases.empty_line(document, _),
            )
            if note
        ],
        "acknowledgement": phrases.ACKNOWLEDGEMENT,
    }
    chapters = [Chapter("title.xhtml", common["title"], _write("title.xhtml.j2", front))]
    if papers:
        table = _write("summaries.xhtml.j2", common | {"papers": papers})
        chapters.append(Chapter("summaries.xhtml", _("Summaries"), table))
    for file in files:
        label = _("Details") + f" {file[0].number}–{file[-1].number}" if len(files) > 1 else _("Details")
        content = _write("papers.xhtml.j2", common | {"papers": file, "label": label})
        chapters.append(Chapter(file[0].file, label, content, file))
    return chapters


def _write(template: str, values: dict[str, Any]) -> str:
    return ENVIRONMENT.get_template(template).render(values)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return uuid5(NAMESPACE_URL, plain(text))


def _zipped(files: dict[str, str], made_at: datetime) -> bytes:
    """Return the files as an EPUB container, all dated ``made_at`` as far as ZIP can say it."""
    moment = made_at.astimezone(UTC) if made_at.tzinfo else made_at
    date_time = (min(max(moment.year, 1980), 2107), *moment.timetuple()[1:6])
    container = BytesIO()
    with ZipFile(container, "w") as archive:
        for name, content in {"mimetype": MEDIA_TYPE, **files}.items():
            entry = ZipInfo(name, date_time)
            entry.compress_type = ZIP_STORED if name == "mimetype" else ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever the service runs
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content.encode())
    return container.getvalue()
