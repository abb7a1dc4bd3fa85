"""Rendering: one frozen document in, one text out. This file is the list of formats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.errors import InvalidInput
from app.render import bib, classic, classic_rss, csv, epub, feeds, html, json, markdown, ris, txt
from app.render.document import DigestDocument, Math, View
from app.render.fingerprint import fingerprint

Renderer = Callable[[DigestDocument, View], str | bytes]


@dataclass(frozen=True)
class Format:
    """A format of digests: its media type, its file suffix without dot, and its renderer.

    ``styles`` holds other renderers of the same format under the names that ``?style=`` takes; ``math`` the ways in which it
    can show formulas, the usual one first (none: texts are given as they are). ``download``: a browser is to save it.
    ``has_addresses``: it links to the service, so that its bytes depend on where that is reached.
    """

    media_type: str
    suffix: str
    render: Renderer
    styles: Mapping[str, Renderer] = field(default_factory=dict)
    math: tuple[Math, ...] = ()
    download: bool = False
    has_addresses: bool = False


FORMATS: dict[str, Format] = {
    "md": Format("text/markdown", "md", markdown.render, {"classic": classic.render}, (Math.TEX, Math.UNICODE)),
    "html": Format("text/html", "html", html.render, {}, (Math.MATHML, Math.TEX, Math.UNICODE), has_addresses=True),
    "json": Format("application/json", "json", json.render),
    "txt": Format("text/plain", "txt", txt.render, {}, (Math.UNICODE, Math.TEX)),
    "rss": Format(
        "application/rss+xml", "rss", feeds.render_rss, {"classic": classic_rss.render}, feeds.MATH, has_addresses=True
    ),
    "atom": Format("application/atom+xml", "atom", feeds.render_atom, {}, feeds.MATH, has_addresses=True),
    "csv": Format("text/csv", "csv", csv.render, download=True),
    "bib": Format("application/x-bibtex", "bib", bib.render, download=True),
    "ris": Format(
        "application/x-research-info-systems", "ris", ris.render, {}, (Math.TEX, Math.UNICODE), download=True
    ),
    "epub": Format(epub.MEDIA_TYPE, "epub", epub.render, {}, (Math.MATHML, Math.UNICODE, Math.TEX), download=True),
}


FINGERPRINT = fingerprint()
"""Part of every rendered document's entity tag."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A format that is known, in a style and with a kind of formulas that it has; ``InvalidInput`` otherwise."""

    format: Format
    render: Renderer
    math: Math

    def __call__(self, document: DigestDocument, base_url: str | None = None) -> bytes:
        """The document in this format, as UTF-8 where it is text."""
        written = self.render(document, View(self.math, base_url))
        return written.encode() if isinstance(written, str) else written


def rendering(format: str, style: str | None = None, math: str | None = None) -> Rendering:
    """How to render a format, optionally in one of its styles; ``InvalidInput``, which lists the possible names."""
    known = FORMATS.get(format)
    if known is None:
        raise InvalidInput(f"There is no format {format!r}; the formats are {', '.join(FORMATS)}.")
    if style is not None and style not in known.styles:
        possible = f"its styles are {', '.join(known.styles)}" if known.styles else "it has no styles"
        raise InvalidInput(f"There is no style {style!r} of the format {format!r}; {possible}.")
    if math is not None and (math not in known.math or style is not None):
        possible = (
            f"it takes {', '.join(known.math)}" if known.math and style is None else "its texts are given as they are"
        )
        raise InvalidInput(f"The format {format!r} has no math={math!r}; {possible}.")
    chosen = Math(math) if math is not None else known.math[0] if known.math else Math.TEX
    return Rendering(known, known.styles[style] if style else known.render, chosen)
