r"""Reading what a model answered.

Good JSON is read as it is, wherever it stands in the answer. Bad JSON is repaired by ``json_repair``, but only if nothing
of it can get lost: its brackets are closed, and the repaired object has the keys that were asked for, no others, and every
letter of the answer. An answer whose end is missing is never taken for a whole one.

Formulas need care of their own: models forget to double TeX's backslashes, and then ``\alpha`` is no JSON, and ``\frac``,
``\theta`` and ``\beta`` are, but begin with a form feed, a tab and a backspace.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import json_repair

from app.llm.base import Detail, PaperText, SummaryDraft, is_english
from app.llm.prompts import clean, translated_languages, wanted_keys

ANSWER_LIMIT = 200_000
"""Bytes of an answer."""
REPAIR_LIMIT = 60_000
"""Characters of an answer that is repaired: what a repair costs grows faster than the text."""
CURLY_LIMIT = 500
"""Curly quotation marks in an answer that is repaired: with many of them a repair can take seconds."""
DEEPEST = 8
"""Levels of objects and lists in an answer that is repaired; a right one has two."""
ATTEMPTS = 30
"""Places in an answer at which an object is looked for."""

_CUT = frozenset({"length", "max_tokens", "model_length", "max_output_tokens"})
_FILTERED = frozenset({"content_filter", "safety", "refusal"})
_THOUGHT = re.compile(r"\s*<(think|thinking|reasoning)>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)
_UNFINISHED_THOUGHT = re.compile(r"\s*<(?:think|thinking|reasoning)>", re.IGNORECASE)
_FENCE = re.compile(r"```[a-z0-9]*[ \t]*\n?(.*?)```", re.DOTALL | re.IGNORECASE)
_CURLY = re.compile("[“”‘’]")
_ESCAPE = re.compile(r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})|\\(?P<single>\'?)')
_READ_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_SPELLED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

# What JSON made of TeX commands with a single backslash: anywhere, and, where the character has a meaning, in formulas.
_LOST = str.maketrans({"\b": "\\b", "\f": "\\f"})
_LOST_LETTERS = re.compile(r"[\b\f](?=[A-Za-z])")
_MATH = re.compile(r"\$\$.+?\$\$|\$[^$]+\$", re.DOTALL)
_LOST_IN_MATH = re.compile(
    r"(?P<t>\t)(?=[A-Za-z])|(?P<r>\r)(?=[A-Za-z])|"
    r"(?P<n>\n)(?=(?:u|e|eq|eg|i|ot|otin|abla|orm|mid|leq|geq|less|subseteq|atural|ewline|onumber|olimits)(?![A-Za-z]))"
)
_LOST_IN_TEXT = re.compile(r"\t(?=ext[a-z]{2}\{)")


class BrokenAnswer(Exception):
    """The answer cannot be used; the message says why, in words that a model understands too."""


def parse_answer(
    text: str,
    languages: Sequence[str],
    detail: Detail,
    fields: Sequence[str],
    finish_reason: str | None = None,
    paper: PaperText | None = None,
) -> dict[str, SummaryDraft]:
    """The drafts in an answer, one for each of ``languages``; raises ``BrokenAnswer`` if any part of them is missing.

    ``finish_reason`` is the provider's. ``paper`` is the one asked about: where it has no title or no abstract none is
    expected; without it both are.
    """
    reason = (finish_reason or "").lower()
    if reason in _CUT:
        raise BrokenAnswer("The answer was cut off at the length limit.")
    if reason in _FILTERED:
        raise BrokenAnswer("The provider's content filter stopped the answer.")
    if len(text) > ANSWER_LIMIT or len(text.encode("utf-8", "replace")) > ANSWER_LIMIT:
        raise BrokenAnswer(f"The answer is larger than {ANSWER_LIMIT // 1000} kB.")
    targets = translated_languages(languages)
    keys = wanted_keys(paper, detail, fields)
    answer = _read(text.strip("\ufeff \t\r\n"), ("tldr_en", *targets), keys)
    tldr_en = _text(answer, "tldr_en", "")
    drafts = {language: SummaryDraft(None, None, tldr_en, tldr_en) for language in languages if is_english(language)}
    for language in targets:
        part = answer.get(_key(language))
        if part is None:
            raise BrokenAnswer(f"The key {language!r} is missing.")
        given = _opened(part)
        if not isinstance(given, dict):
            raise BrokenAnswer(f"The value of {language!r} is not an object.")
        part = {_key(key): value for key, value in given.items()}
        texts = {key: _text(part, key, f" in {language!r}") for key in keys}
        drafts[language] = SummaryDraft(
            texts.pop("title", None), texts.pop("abstract", None), texts.pop("tldr"), tldr_en, texts
        )
    return {language: drafts[language] for language in languages}


def _text(part: Mapping[str, Any], key: str, where: str) -> str:
    """One text of the answer, cleaned."""
    value = part.get(_key(key))
    if value is None and _key(key) not in part:
        raise BrokenAnswer(f"The key {key!r} is missing{where}.")
    if not isinstance(value, str):
        raise BrokenAnswer(f"The value of {key!r}{where} is not a string.")
    cleaned = clean(unicodedata.normalize("NFC", clean(_with_backslashes(value)))).strip()
    if not cleaned:
        raise BrokenAnswer(f"The value of {key!r}{where} is empty.")
    return cleaned


def _key(key: str) -> str:
    """A key without the differences that models make: zh_Hant, zh-hant; TLDR_en, tldr-en."""
    return key.strip().lower().replace("_", "-")


def _read(text: str, wanted: Sequence[str], keys: Sequence[str]) -> dict[str, Any]:
    """The object of an answer, with its keys in one form; raises ``BrokenAnswer``."""
    if not text:
        raise BrokenAnswer("The answer is empty.")
    best: dict[str, Any] | None = None
    for body in _bodies(text):
        for found in _objects(body):
            answer = {_key(key): value for key, value in found.items()}
            if all(_key(key) in answer for key in wanted):
                return answer
            if best is None or len(answer.keys() & set(map(_key, wanted))) > len(best.keys() & set(map(_key, wanted))):
                best = answer
    repaired = _repaired(_without_thought(text), wanted, keys) if best is None or "tldr-en" not in best else None
    if repaired is not None:
        return repaired
    if best is None:
        raise BrokenAnswer("The answer is not a JSON object that can be read.")
    return best


def _without_thought(text: str) -> str:
    """The answer after the thoughts that some models show first. The same words within the answer are text."""
    thought = _THOUGHT.match(text)
    if thought:
        return text[thought.end() :]
    if _UNFINISHED_THOUGHT.match(text):
        raise BrokenAnswer("The answer ends before the model finished thinking.")
    if not text.startswith(("{", "[", '"', "`")) and "</think>" in text:
        return text.partition("</think>")[2].strip()
    return text


def _bodies(text: str) -> Iterator[str]:
    """The answer, and what stands in fences in it."""
    answer = _without_thought(text)
    yield answer
    if not answer.startswith(("{", "[")):
        for fence in _FENCE.finditer(answer):
            yield fence[1].strip()


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text: all of it first, then those that stand between other words, from the last to the first."""
    for form in dict.fromkeys((text, _escaped(text))):
        try:
            whole = _opened(json.loads(form, strict=False))
        except (ValueError, RecursionError):
            pass
        else:
            if isinstance(whole, dict):
                yield whole
            return
    inner: list[dict[str, Any]] = []
    escaped = _escaped(text)
    decoder = json.JSONDecoder(strict=False)
    start = escaped.find("{")
    for _ in range(ATTEMPTS):
        if start < 0:
            break
        try:
            found, end = decoder.raw_decode(escaped, start)
        except (ValueError, RecursionError):
            # What begins inside of an object that cannot be read is a part of it, no answer.
            end = _end(escaped, start)[0]
        else:
            inner.append(found)
        start = escaped.find("{", end) if end > start else -1
    yield from reversed(inner)


def _opened(value: Any) -> Any:
    """A value that was wrapped in a string of JSON, or in a list of one."""
    for _ in range(2):
        if isinstance(value, list) and len(value) == 1:
            value = value[0]
        if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
            for form in dict.fromkeys((value, _escaped(value))):
                try:
                    value = json.loads(form, strict=False)
                    break
                except (ValueError, RecursionError):
                    continue
    return value


def _repaired(text: str, wanted: Sequence[str], keys: Sequence[str]) -> dict[str, Any] | None:
    """The object that ``json_repair`` makes of bad JSON; None if something would get lost."""
    start = text.find("{")
    if start < 0:
        return None
    text = _escaped(text[start:])
    end, depth = _end(text, 0)
    if end < 0:
        raise BrokenAnswer("The answer is not whole: its JSON is not closed.")
    if depth > DEEPEST:
        raise BrokenAnswer("The answer's JSON is nested too deeply.")
    source, rest = text[:end], text[end:]
    if len(source) > REPAIR_LIMIT or len(_CURLY.findall(source)) > CURLY_LIMIT:
        return None
    if re.search(r"""["'}\]]\s*[:,}\]]""", rest):
        return None
    try:
        found: Any = json_repair.loads(source, skip_json_loads=True)
    except Exception as error:
        raise BrokenAnswer("The answer is not a JSON object that can be read.") from error
    if not isinstance(found, dict) or _letters(_unescaped(source)) != _letters("".join(_leaves(found))):
        return None
    answer = {_key(key): value for key, value in found.items()}
    allowed = set(map(_key, keys))
    strange = [*answer.keys() - set(map(_key, wanted))]
    for part in answer.values():
        strange += [key for key in part if _key(key) not in allowed] if isinstance(part, dict) else []
    if strange:
        raise BrokenAnswer("The answer's JSON is broken: a quotation mark in a text is not escaped.")
    return answer


def _end(text: str, start: int) -> tuple[int, int]:
    """Where the object that begins at ``start`` is closed (-1: nowhere), and how deep it is.

    A quotation mark opens a text only after a bracket, comma or colon, and closes it only before one: those between are
    taken for parts of the text.
    """
    depth = deepest = 0
    before, quote = "", ""
    position = start
    while position < len(text):
        char = text[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote and _CLOSES.match(text, position + 1):
                quote = ""
        elif char in "\"'" and before in "{[,:":
            quote = char
        elif char in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "}]":
            depth -= 1
            if depth <= 0:
                return position + 1, deepest
        if not char.isspace():
            before = char
        position += 1
    return -1, deepest


_CLOSES = re.compile(r"\s{0,40}(?:[,:}\]]|\Z|[\"']\s{0,40}[\w-]+[\"']\s{0,40}:)")


def _escaped(text: str) -> str:
    r"""``text`` with those backslashes doubled that begin no escape of JSON, as in ``\alpha``."""
    return _ESCAPE.sub(lambda match: match[0] if match["single"] is None else (match["single"] or "\\\\"), text)


def _unescaped(source: str) -> str:
    """JSON's source with its escapes read, for comparing letters."""
    return _READ_ESCAPE.sub(
        lambda match: chr(int(match[1][1:], 16)) if len(match[1]) == 5 else _SPELLED.get(match[1], match[1]), source
    )


def _leaves(value: Any) -> Iterator[str]:
    """All keys and values in their order, as words."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield str(key)
            yield from _leaves(part)
    elif isinstance(value, list):
        for part in value:
            yield from _leaves(part)
    else:
        yield {None: "null", True: "true", False: "false"}.get(value, str(value))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def _with_backslashes(text: str) -> str:
    r"""A text in which JSON took TeX commands for escapes, with these commands again."""
    if not any(char in text for char in "\b\f\t\r\n"):
        return text
    text = _LOST_LETTERS.sub(lambda match: match[0].translate(_LOST), text)
    text = _LOST_IN_TEXT.sub(r"\\t", text)
    return _MATH.sub(
        lambda formula: _LOST_IN_MATH.sub(lambda match: f"\\{match.lastgroup}", formula[0]),
        text,
    )
