"""Choosing a format by the ``Accept`` header (RFC 9110 section 12.5.1)."""

from collections.abc import Mapping, Sequence

from app.errors import NotAcceptable


def choose(accept: str | None, media_types: Mapping[str, str], usual: str) -> str:
    """The name of the media type that a caller likes best: ``media_types`` by name, ``usual`` among equals.

    A header that cannot be read counts as none. Raises ``NotAcceptable`` if none of them will do.
    """
    ranges = _ranges(accept) if accept and accept.strip() else [("*/*", 1.0)]
    if not ranges:
        return usual
    names = [usual, *(name for name in media_types if name != usual)]
    liked = {name: _quality(media_types[name], ranges) for name in names}
    best = max(names, key=lambda name: liked[name])
    if liked[best] <= 0:
        raise NotAcceptable(
            f"None of the media types asked for can be given; there are {', '.join(dict.fromkeys(media_types.values()))}."
        )
    return best


def _ranges(accept: str) -> list[tuple[str, float]]:
    found = []
    for part in accept.split(",")[:50]:
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    quality = min(max(float(parameter[2:]), 0.0), 1.0)
                except ValueError:
                    quality = 0.0
        if media_range.count("/") == 1:
            found.append((media_range, quality))
    return found


def _quality(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    """The quality of the most specific range that a media type falls under."""
    main = media_type.split("/")[0]
    for wanted in (media_type, f"{main}/*", "*/*"):
        matching = [quality for media_range, quality in ranges if media_range == wanted]
        if matching:
            return max(matching)
    return 0.0
