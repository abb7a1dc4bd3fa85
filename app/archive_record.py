"""The records of the older system (``papers/YY/MM/ID.json``): reading one and repairing what can be repaired. Pure.

What was wrong with them is counted in DESIGN section 1: cut abstracts, the feed's label inside abstracts and
translations, the English sentence under a misspelt key, the legacy feed's suffix inside titles.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from app.arxiv import ids
from app.arxiv.entries import AnnounceType
from app.arxiv.feed.fields import ItemError
from app.arxiv.feed.legacy import LegacyTitle, split_title
from app.errors import InvalidArxivId
from app.render.document import ClassicTexts

CUT_AT = 1000
"""Characters after which the older system cut the feed's text, before it joined hyphenated lines."""

_TEXTS = (
    "title",
    "abstract",
    "link",
    "translated_title",
    "translated_abstract",
    "tldr",
    "en_tdlr",
    "en_tldr",
)
_REQUIRED = ("title", "abstract", "link")
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


class BrokenRecordError(ValueError):
    """A file that holds no record of a paper; the message says why."""


@dataclass(frozen=True, slots=True)
class ArchiveRecord:
    """A repaired record; a field that the file lacks is None. ``raw`` is the file's text."""

    arxiv_id: str
    version: int | None
    announce_type: AnnounceType | None
    primary_category: str | None
    title: str
    abstract: str
    abstract_is_cut: bool
    translated_title: str | None
    translated_abstract: str | None
    tldr: str | None
    tldr_en: str | None
    total_tokens: int | None
    raw: str


def read_record(body: bytes, expected_id: str | None = None) -> ArchiveRecord:
    """Read and repair a file's content; ``BrokenRecordError`` if it is none, or is of another paper than ``expected_id``."""
    raw = _text(body)
    fields = _fields(raw)
    try:
        identity = ids.parse(fields["link"])
    except InvalidArxivId as error:
        raise BrokenRecordError(f"its link is no arXiv address ({fields['link'][:60]!r})") from error
    if (
        expected_id is not None
        and identity.id.replace("/", "_") != expected_id
        and identity.id.split("/")[-1] != expected_id
    ):
        raise BrokenRecordError(f"its link leads to another paper, {identity.id}")
    suffix, announce_type = _suffix(fields["title"])
    label = _LABEL.match(fields["abstract"])
    abstract = fields["abstract"][label.end() :] if label else fields["abstract"]
    version = ids.parse(suffix.paper).version if suffix.paper else int(label["version"]) if label else identity.version
    tokens = fields.get("total_tokens")
    return ArchiveRecord(
        arxiv_id=identity.id,
        version=version,
        announce_type=announce_type or (AnnounceType(label["type"]) if label else None),
        primary_category=suffix.primary,
        title=suffix.title,
        abstract=abstract.strip(),
        abstract_is_cut=is_cut(fields["abstract"]),
        translated_title=_present(strip_title_suffix(fields.get("translated_title"), identity.id)),
        translated_abstract=_present(
            strip_translated_label(fields.get("translated_abstract"), labelled=label is not None)
        ),
        tldr=_present(fields.get("tldr")),
        tldr_en=_present(fields.get("en_tdlr")) or _present(fields.get("en_tldr")),
        total_tokens=tokens if isinstance(tokens, int) and 0 <= tokens < 2**31 else None,
        raw=raw,
    )


def classic_texts(raw: str) -> ClassicTexts:
    """The texts of a stored record exactly as the older system had them.

    Its renderer looked for ``en_tldr`` only, although it had written ``en_tdlr``; that is kept, because it is what its
    digests show.
    """
    fields = _fields(raw)
    return ClassicTexts(
        title=fields["title"],
        link=fields["link"],
        abstract=fields["abstract"],
        translated_title=fields.get("translated_title"),
        translated_abstract=fields.get("translated_abstract"),
        tldr=fields.get("tldr"),
        en_tldr=fields.get("en_tldr"),
    )


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BrokenRecordError("it is not UTF-8 text") from error


def _fields(raw: str) -> dict[str, Any]:
    try:
        fields = json.loads(raw)
    except json.JSONDecodeError as error:
        raise BrokenRecordError(f"it is not JSON ({error.msg} at line {error.lineno})") from error
    except RecursionError as error:
        raise BrokenRecordError("its JSON is nested too deeply") from error
    if not isinstance(fields, dict):
        raise BrokenRecordError("it holds no JSON object")
    for name in _TEXTS:
        if fields.get(name) is None:
            fields.pop(name, None)
        elif not isinstance(fields[name], str):
            raise BrokenRecordError(f"its {name} is not a text")
    for name in _REQUIRED:
        if name not in fields:
            raise BrokenRecordError(f"it has no {name}")
    # Postgres stores neither NUL nor half of a surrogate pair; nothing else of a record is ever altered.
    return {key: _storable(value) for key, value in fields.items()}


def _storable(value: Any) -> Any:
    return _NOT_STORABLE.sub("\ufffd", value) if isinstance(value, str) else value


def _present(value: str | None) -> str | None:
    return value.strip() or None if value is not None else None


def _suffix(title: str) -> tuple[LegacyTitle, AnnounceType | None]:
    """The title taken apart; one whose suffix cannot be read is left whole."""
    try:
        suffix = split_title(title)
        if suffix.paper is not None:
            ids.parse(suffix.paper)
        return suffix, suffix.announce_type
    except (ItemError, InvalidArxivId):
        return LegacyTitle(title.strip()), None


_LABEL = re.compile(
    r"\s*arXiv:\S+?v(?P<version>[1-9]\d{0,3})\s+Announce Type:\s*(?P<type>replace-cross|replace|cross|new)\s+Abstract:\s*"
)


def is_cut(raw_abstract: str) -> bool:
    """Whether the older system cut this text.

    It stripped, cut at 1,000 characters, then deleted each hyphen at a line's end together with the line break, two
    characters at a time. So a text of exactly 1,000 characters, or one that ends in a blank, was cut; one that is an even
    number short of 1,000 was, if it stops in the middle of a sentence.
    """
    length = len(raw_abstract)
    if length >= CUT_AT or raw_abstract != raw_abstract.rstrip():
        return True
    return length >= CUT_AT - 40 and length % 2 == 0 and not re.search(r"[.!?:;$)\]}\"'/0-9]$", raw_abstract)


_BRACKETED = re.compile(r"\s*[(（]\s*arxiv\s*[:：]\s*(?P<id>[^\s()（）\[\]]+)(?P<rest>[^()（）]*)[)）]", re.IGNORECASE)


def strip_title_suffix(title: str | None, arxiv_id: str) -> str | None:
    """A translated title without the legacy feed's ``(arXiv:… [cs.CL])``, in ASCII or full-width punctuation.

    It is known by the category in brackets, or by the paper's own id: a citation of another paper is the author's.
    """

    def keep(match: re.Match[str]) -> str:
        own = re.sub(r"v\d+$", "", match["id"]) == arxiv_id
        return "" if own or "[" in match["rest"] else match[0]

    return None if title is None else _BRACKETED.sub(keep, title).strip()


_KIND = (
    r"(?:新增?(?:的|公告|论文|提交|文章|发布|投稿|稿件|工作|研究)?|交叉(?:领域|列表|列出|发布|学科|引用|提交|公告)?|跨(?:学科|领域|列表|域|类)?|"
    r"(?:替换|替代|更新|修订|取代|置换)(?:版本?|公告)?(?:\s*[-–—－/、]?\s*(?:交叉|跨(?:学科|领域|列表|域|类)?))?(?:版本?|公告)?|"
    r"replace-cross|replace|cross|new)(?:的)?"
)
_KIND_WORD = r"(?:公告|宣布|声明|发布|通告|公布|通知|公示|告示|宣告|announce(?:ment)?)?\s*(?:类型|类别|type)"
_ABSTRACT_WORD = r"(?:摘要|提要|概要|摘 要|abstract)\s*[:：]"
_ARXIV = r"arxiv\s*[:：]\s*[\w.\-/]+?(?:v\d+)?"
_TRANSLATED_LABEL = re.compile(
    rf"^\s*(?:{_ABSTRACT_WORD}\s*)?(?:"
    # The whole label: whatever the kind was translated to, up to the word for "abstract".
    rf"(?:{_ARXIV}[\s，,;；。]*)?{_KIND_WORD}\s*[:：]\s*[^:：。]{{1,16}}?[\s，,。;；]*{_ABSTRACT_WORD}"
    # Without that word, only a kind that is known, closed by a blank or a full stop.
    rf"|(?:{_ARXIV}[\s，,;；。]*)?{_KIND_WORD}\s*[:：]\s*{_KIND}(?:[\s，,。;；:：]+|$)"
    # The id alone, or with the word for "abstract".
    rf"|{_ARXIV}[\s，,;；。]+(?:{_ABSTRACT_WORD})?"
    r")\s*",
    re.IGNORECASE,
)
_LEADING_ABSTRACT_WORD = re.compile(rf"^\s*{_ABSTRACT_WORD}\s*", re.IGNORECASE)
_LEFTOVER = re.compile(
    rf"(?:{_ARXIV}[\s，,;；。]*)?(?:公告类型|Announce Type)\s*[:：]?\s*(?:{_KIND})?[\s，,。;；:：]*",
    re.IGNORECASE,
)


def strip_translated_label(text: str | None, *, labelled: bool) -> str | None:
    """A translation without the feed's label in any of the shapes that models gave it.

    ``labelled`` says that the source had the label, so that a leading word for "abstract" is a part of it.
    """
    if text is None:
        return None
    stripped = _TRANSLATED_LABEL.sub("", text, count=1) if labelled or _mentions_label(text) else text
    if labelled or stripped != text:
        stripped = _LEADING_ABSTRACT_WORD.sub("", stripped, count=1)
    return _LEFTOVER.sub("", stripped)


def _mentions_label(text: str) -> bool:
    return re.match(rf"\s*(?:{_ABSTRACT_WORD}\s*)?(?:{_ARXIV}|公告类型|Announce Type)", text, re.IGNORECASE) is not None
