"""``If-Match`` and ``If-None-Match: *`` of writing requests (RFC 9110 section 13): nobody overwrites what he has not seen."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header
from pydantic import BaseModel

from app.api.caching import etag_of
from app.errors import PreconditionFailed


def tag_of(read: BaseModel) -> str:
    """The strong entity tag of a thing as it is answered."""
    return etag_of(type(read).__name__, read.model_dump_json())


@dataclass(frozen=True, slots=True)
class Expected:
    """What a caller takes the present state for; headers that are not there expect nothing."""

    match: str | None
    none_match: str | None

    def check(self, etag: str | None) -> None:
        """Raise ``PreconditionFailed`` unless the state with this tag (None: there is nothing) is as expected.

        To be called where nobody else can change the state any more, or two who expect the same might both go on.
        """
        if self.match is not None and not (etag is not None and ("*" in self._tags() or etag in self._tags())):
            raise PreconditionFailed(
                "It is not as If-Match expects: somebody has changed it since. Read it again, and apply the change to that.",
                etag,
            )
        if self.none_match is not None and self.none_match.strip() == "*" and etag is not None:
            raise PreconditionFailed("If-None-Match expects that there is nothing yet, but there is.", etag)

    def _tags(self) -> list[str]:
        return [tag.strip() for tag in (self.match or "").split(",")]


_IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="Only if its present `ETag` is one of these (or, for `*`, if it is there); otherwise 412",
    ),
]


def _expected(
    if_match: _IfMatch = None,
    if_none_match: Annotated[
        str | None, Header(alias="If-None-Match", description="`*`: only if there is nothing yet; otherwise 412")
    ] = None,
) -> Expected:
    return Expected(if_match, if_none_match)


def _expected_match(if_match: _IfMatch = None) -> Expected:
    return Expected(if_match, None)


ExpectedDep = Annotated[Expected, Depends(_expected)]
ExpectedMatchDep = Annotated[Expected, Depends(_expected_match)]
