"""What a good model answers: every text that the schema, or the words of the prompt, ask for."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.fake_llm.texts import sentence, translated, translated_title

TAG = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|\d{3}))?")
"""A language tag as a key."""
_FIELDS = ("motivation", "method", "result", "conclusion")
_SENTENCES = ("tldr", "tldr_en", *_FIELDS)
_PAPER = re.compile(r"<paper (\w+)>\s*(.*?)\s*</paper \1>", re.DOTALL)
_TITLE = re.compile(r"Title:[ \t]*(.*)")
_QUOTED = re.compile(rf"[\"'`]({TAG.pattern})[\"'`]")
_OPENED = re.compile(rf"{_QUOTED.pattern}\s*:\s*\{{")


@dataclass(frozen=True, slots=True)
class Paper:
    """The paper that a prompt is about."""

    title: str
    abstract: str


def good_answer(
    languages: Sequence[str], title: str, abstract: str, fields: Sequence[str] = (), brief: bool = False
) -> dict[str, Any]:
    """The answer of a good model for a paper; it is the same for the same paper. A ``brief`` one has no abstracts."""
    paper = Paper(title, abstract)
    keys = ["title", *([] if brief else ["abstract"]), "tldr", *fields]
    return {
        "tldr_en": text("tldr_en", "en", paper),
        **{language: {key: text(key, language, paper) for key in keys} for language in languages},
    }


def text(key: str, language: str, paper: Paper) -> str:
    """The text that belongs to a key of the answer."""
    match key:
        case "title":
            return translated_title(language, paper.title)
        case "abstract":
            return translated(language, paper.abstract)
    place = (*_SENTENCES, key).index(key)
    return sentence(language, f"{paper.title} {paper.abstract}", place)


def answer_to(schema: dict[str, Any], paper: Paper) -> Any:
    """A good answer in the form of ``schema``."""
    return _walk(schema, schema, "", "en", paper)


def _walk(schema: Any, root: dict[str, Any], key: str, language: str, paper: Paper) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    match kind:
        case "object":
            return {
                name: _walk(inner, root, name, name if _is_language(name, inner, root) else language, paper)
                for name, inner in schema.get("properties", {}).items()
            }
        case "array":
            return [_walk(schema.get("items", {}), root, key, language, paper)] * max(1, schema.get("minItems", 1))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case "null":
            return None
    return text(key, language, paper)[: schema.get("maxLength")]


def _resolved(schema: Any, root: dict[str, Any]) -> dict[str, Any]:
    """A schema without references and choices."""
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        found: Any = root
        for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
            found = found[step]
        return _resolved(found, root)
    for name in ("anyOf", "oneOf", "allOf"):
        if name in schema:
            choices = (_resolved(one, root) for one in schema[name])
            return next((one for one in choices if one.get("type") != "null"), {"type": "null"})
    return schema


def _is_language(name: str, schema: Any, root: dict[str, Any]) -> bool:
    return bool(TAG.fullmatch(name)) and "properties" in _resolved(schema, root)


def languages_in(schema: dict[str, Any]) -> tuple[str, ...]:
    """The languages that a schema asks for."""
    return tuple(name for name, inner in schema.get("properties", {}).items() if _is_language(name, inner, schema))


def schema_in_words(prompt: str) -> dict[str, Any]:
    """The schema that a prompt describes: by a JSON schema, by an example of the object, or by quoted keys."""
    for found in _objects(prompt):
        if "properties" in found:
            return found
        if any(TAG.fullmatch(key) and isinstance(inner, dict) for key, inner in found.items()):
            return _schema_of(found)
    languages = dict.fromkeys(_OPENED.findall(prompt) or _QUOTED.findall(prompt))
    named = [key for key in ("abstract", *_FIELDS) if re.search(rf"[\"'`]{key}[\"'`]", prompt)]
    keys = ["title", *named[: "abstract" in named], "tldr", *(key for key in named if key != "abstract")]
    return _schema_of({"tldr_en": "", **{language: dict.fromkeys(keys, "") for language in languages}})


def _objects(prompt: str) -> Iterator[dict[str, Any]]:
    decoder = json.JSONDecoder()
    start = prompt.find("{")
    while start >= 0:
        try:
            found, end = decoder.raw_decode(prompt, start)
        except ValueError:
            end = start + 1
        else:
            if isinstance(found, dict):
                yield found
        start = prompt.find("{", end)


def _schema_of(example: Any) -> dict[str, Any]:
    match example:
        case dict():
            return {"type": "object", "properties": {key: _schema_of(inner) for key, inner in example.items()}}
        case list():
            return {"type": "array", "items": _schema_of(example[0] if example else "")}
        case bool():
            return {"type": "boolean"}
        case int() | float():
            return {"type": "number"}
    return {"type": "string"}


def content_of(message: Any) -> str:
    """The text of a message, also where it comes in parts."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def paper_in(messages: Sequence[dict[str, Any]]) -> Paper:
    """The paper of a conversation: between its delimiters, or, without those, the whole of the first user message."""
    asked = [content_of(message) for message in messages if message.get("role") == "user"]
    found = next((match for match in map(_PAPER.search, asked) if match), None)
    source = found[2] if found else asked[0] if asked else ""
    title = _TITLE.match(source)
    rest = source[title.end() :] if title else source
    return Paper(" ".join(title[1].split()) if title else "", rest.strip().removeprefix("Abstract:").strip())
