"""Rendering for tests: a document as text, without a service's address unless one is given."""

from app.render import rendering
from app.render.document import DigestDocument


def render(
    document: DigestDocument,
    format: str,
    style: str | None = None,
    *,
    math: str | None = None,
    base_url: str | None = None,
) -> str:
    """A text format's text."""
    return rendering(format, style, math)(document, base_url).decode()
