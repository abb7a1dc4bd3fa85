"""The older system's real papers and digests, which lie beside the repository on the machines that have them."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from app.render.document import ClassicTexts, DigestItem, Links
from tests.render.documents import item

ARCHIVE = Path(__file__).parents[3] / "shared" / "data" / "cn-chat-arxiv"
needs_archive = pytest.mark.skipif(
    not ARCHIVE.is_dir(), reason=f"the older system's archive is not at {ARCHIVE}; it is not part of the repository"
)


@cache
def papers() -> dict[str, DigestItem]:
    """Return every paper of the archive by its link."""
    records = [json.loads(path.read_text("utf-8")) for path in sorted((ARCHIVE / "papers").rglob("*.json"))]
    return {record["link"]: _item(record) for record in records}


def digests() -> list[Path]:
    """Return the files of the older system's digests."""
    return sorted((ARCHIVE / "digests").glob("*.md"))


def _item(record: dict[str, Any]) -> DigestItem:
    link = record["link"]
    return item(
        link.rsplit("/abs/", 1)[1],
        title=record["title"],
        translated_title=record.get("translated_title"),
        tldr=record.get("tldr"),
        tldr_en=record.get("en_tldr", record.get("en_tdlr")),
        translated_abstract=record.get("translated_abstract"),
        abstract=record["abstract"],
        links=Links(abs=link, pdf=link.replace("/abs/", "/pdf/")),
        classic=ClassicTexts(
            title=record["title"],
            link=link,
            abstract=record["abstract"],
            translated_title=record.get("translated_title"),
            translated_abstract=record.get("translated_abstract"),
            tldr=record.get("tldr"),
            en_tldr=record.get("en_tldr"),
        ),
    )
