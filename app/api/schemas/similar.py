"""Papers that are alike, on the wire."""

from typing import Literal

from pydantic import BaseModel, Field

from app.api.schemas.common import Page
from app.api.schemas.papers import PaperRead
from app.models import Paper
from app.similar import Searched


class SearchedRead(BaseModel):
    """How an answer was found."""

    mode: Literal["lexical", "hybrid"] = Field(
        description="`lexical`: by the words that they share; `hybrid`: by words and meaning together",
        examples=["hybrid"],
    )
    indexed: int = Field(description="Papers that can be compared by meaning, now", examples=[65000])
    stored: int = Field(
        description="Papers that are stored; both are counted up to 200,000 and estimated beyond", examples=[65538]
    )
    model: str | None = Field(description="The embedding model, where one was used", examples=["use-multilingual-3"])
    reason: str | None = Field(description="Why words alone had to do, where meaning was wanted", examples=[None])

    @classmethod
    def of(cls, searched: Searched) -> "SearchedRead":
        """From the search."""
        return cls(
            mode=searched.mode,
            indexed=searched.indexed,
            stored=searched.stored,
            model=searched.model,
            reason=searched.reason,
        )


class SimilarRead(PaperRead):
    """A paper, and how alike it is."""

    score: float = Field(
        description="The more, the more alike; comparable within one answer only. In mode `hybrid` the sum of weighted "
        "reciprocal ranks, in mode `lexical` the sum of the shared words' rarities",
        examples=[0.0238],
    )

    @classmethod
    def with_score(cls, paper: Paper, score: float) -> "SimilarRead":
        """From the stored row."""
        return cls(**cls.fields_of(paper), score=score)


class SimilarPage(Page[SimilarRead]):
    """Papers like one, the most alike first, and how they were found. There is no further page: ask for more with `limit`."""

    search: SearchedRead
