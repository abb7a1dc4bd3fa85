"""Rendering: one frozen document in, one text out. This file is the list of formats."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from app.errors import InvalidInput
from app.render import classic, html, json, markdown
from app.render.document import DigestDocument

Renderer = Callable[[DigestDocument], str]


@dataclass(frozen=True)
class Format:
    """A format of digests: its media type without parameters, its file suffix without dot, and its renderer.

    ``styles`` holds other renderers of the same format under the names that ``?style=`` takes.
    """

    media_type: str
    suffix: str
    render: Renderer
    styles: Mapping[str, Renderer] = field(default_factory=dict)


FORMATS: dict[str, Format] = {
    "md": Format("text/markdown", "md", markdown.render, {"classic": classic.render}),
    "html": Format("text/html", "html", html.render),
    "json": Format("application/json", "json", json.render),
}


def check_format(format: str, style: str | None = None) -> Renderer:
    """The renderer of a format and style; InvalidInput, which lists the possible names, if there is none."""
    known = FORMATS.get(format)
    if known is None:
        raise InvalidInput(f"There is no format {format!r}; the formats are {', '.join(sorted(FORMATS))}.")
    if style is None:
        return known.render
    renderer = known.styles.get(style)
    if renderer is None:
        possible = f"its styles are {', '.join(sorted(known.styles))}" if known.styles else "it has no styles"
        raise InvalidInput(f"There is no style {style!r} of the format {format!r}; {possible}.")
    return renderer


def render(document: DigestDocument, format: str, style: str | None = None) -> str:
    """Render a digest in a format of ``FORMATS``, optionally in one of the format's styles; InvalidInput as above."""
    return check_format(format, style)(document)
