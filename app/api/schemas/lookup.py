"""What searches answer, on the wire."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.common import Page
from app.api.schemas.papers import PaperListed
from app.api.schemas.similar import SearchedRead
from app.lookup import Mode, Told
from app.search import Matched


class SearchRead(BaseModel):
    """How a search went."""

    mode: Mode = Field(description="How papers were found: `lexical` where meaning could not be had, too")
    matched: Matched = Field(
        description="`all`: everything that was asked for; `near`: the same with a word put right, see `query`; `some`: there is "
        "nothing with everything, so these have some of the words"
    )
    query: str | None = Field(description="What was searched in place of `q`, if another query was")
    indexed: int = Field(description="Papers that searches can find by their words", examples=[65538])
    stored: int = Field(description="Papers that are stored", examples=[65538])
    meaning: SearchedRead | None = Field(description="With `mode=hybrid`: how far papers could be compared by meaning")

    @classmethod
    def of(cls, told: Told) -> "SearchRead":
        """From what is told of the search."""
        return cls(
            mode=Mode(told.meaning.mode) if told.meaning is not None else Mode.LEXICAL,
            matched=told.matched,
            query=told.query,
            indexed=told.indexed,
            stored=told.stored,
            meaning=SearchedRead.of(told.meaning) if told.meaning is not None else None,
        )


def _search_may_lack(schema: dict[str, Any]) -> None:
    schema["required"] = ["items", "next_cursor"]


class PapersPage(Page[PaperListed]):
    """A page of a list of papers; with `q`, how the search went."""

    model_config = ConfigDict(json_schema_extra=_search_may_lack)

    search: SearchRead | None = Field(default=None, description="With `q`: how papers were found")
