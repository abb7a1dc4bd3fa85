"""What the bytes of a rendered document depend on besides the document: this release's code, words and libraries."""

import hashlib
from importlib.metadata import version
from pathlib import Path

_APP = Path(__file__).parent.parent
_SUFFIXES = {".py", ".j2", ".po", ".css"}
_LIBRARIES = ("babel", "jinja2", "latex2mathml", "lxml", "markupsafe", "rispy", "zhaiyao")


def fingerprint() -> str:
    """A hash that changes whenever the same document might be rendered to other bytes."""
    told = hashlib.blake2b(digest_size=16)
    for folder in (_APP / "render", _APP / "arxiv", _APP / "web"):
        for file in sorted(folder.rglob("*")):
            if file.suffix in _SUFFIXES:
                told.update(file.read_bytes())
    for library in _LIBRARIES:
        told.update(version(library).encode())
    return told.hexdigest()
