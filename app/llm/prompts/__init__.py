"""What a model is asked: a prompt is made of the texts of a named, versioned TOML file beside this module.

The paper is data from outside. It stands between ``<paper NONCE>`` and ``</paper NONCE>``, and as the nonce does not occur
in it, no paper can close that and go on as an instruction. The system part is the same for all papers of a digest, so that
providers can keep it in their cache; whatever depends on the paper is in the user's part.
"""

import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from app.llm.base import FIELDS, Detail, PaperText, is_english
from app.llm.glossary import Glossary

PROMPT = "digest-1"
"""The prompt file that is used."""
TITLE_LIMIT = 2_000
ABSTRACT_LIMIT = 20_000
"""Characters. The longest abstract on arXiv is far shorter; what is longer is cut, and ``Prompt.cut`` says so."""
COMPLAINT_LIMIT = 300
COMPLAINTS = 5

_PLACE = re.compile(r"\{([a-z_]+)\}")
_JOINERS = "\u200c\u200d\u200e\u200f"  # format characters that Persian, Hindi, Arabic and Hebrew spelling needs


@dataclass(frozen=True, slots=True)
class Prompt:
    """What one call sends. ``cut`` says that the paper's text was too long and its end is missing."""

    system: str
    user: str
    schema: Mapping[str, Any]
    cut: bool = False


def prompt_version(fields: Sequence[str], glossary: Glossary) -> str:
    """The version that summaries are stored with: another one wherever the same paper would be asked for differently."""
    version = f"{_texts()['name']}-{_texts()['version']}"
    chosen = chosen_fields(fields)
    if chosen:
        version += "+f" + hashlib.sha256(",".join(chosen).encode()).hexdigest()[:8]
    return f"{version}+g{glossary.digest}" if glossary.digest else version


def build(
    paper: PaperText,
    languages: Sequence[str],
    detail: Detail,
    fields: Sequence[str],
    glossary: Glossary,
    complaints: Sequence[str] = (),
) -> Prompt:
    """The prompt that asks for one paper in ``languages``; ``complaints`` are why the last answer was refused."""
    title, title_cut = _capped(" ".join(clean(paper.title or "").split()), TITLE_LIMIT)
    abstract, abstract_cut = _capped(clean(paper.abstract or "").strip(), ABSTRACT_LIMIT)
    targets = translated_languages(languages)
    keys = wanted_keys(paper, detail, fields)
    lines = [
        _fill(
            "paper" if abstract else "without_abstract", nonce=_nonce(title, abstract), title=title, abstract=abstract
        ),
        *_terms(targets, paper.categories, f"{title}\n{abstract}", glossary),
    ]
    if complaints:
        reasons = (" ".join(clean(reason).split())[:COMPLAINT_LIMIT] for reason in complaints[:COMPLAINTS])
        lines.append(_fill("complaints", reasons="; ".join(reasons)))
    return Prompt(_system(targets, keys), "\n".join(lines), _schema(targets, keys), title_cut or abstract_cut)


def translated_languages(languages: Sequence[str]) -> tuple[str, ...]:
    """The languages to translate into, each once, in their order."""
    return tuple(dict.fromkeys(language for language in languages if not is_english(language)))


def wanted_keys(paper: PaperText | None, detail: Detail, fields: Sequence[str]) -> tuple[str, ...]:
    """The keys of the answer for one language; without a paper, those of one that has everything."""
    keys = ["title"] if paper is None or clean(paper.title or "").strip() else []
    if detail is Detail.FULL and (paper is None or clean(paper.abstract or "").strip()):
        keys.append("abstract")
    keys.append("tldr")
    return (*keys, *chosen_fields(fields)) if detail is Detail.FULL else tuple(keys)


def chosen_fields(fields: Sequence[str]) -> tuple[str, ...]:
    """The structured fields in the order of ``FIELDS``; raises ``ValueError`` for one that does not exist."""
    unknown = set(fields).difference(FIELDS)
    if unknown:
        raise ValueError(f"There is no field {min(unknown)!r}. The fields are {', '.join(FIELDS)}.")
    return tuple(field for field in FIELDS if field in fields)


def language_name(tag: str) -> str:
    """How a language is called in a prompt: its English name, or the bare tag where none is known."""
    names = _languages()
    parts = tag.lower().replace("_", "-").split("-")
    for length in range(len(parts), 0, -1):
        name = names.get("-".join(parts[:length]))
        if name is not None:
            return name if length == len(parts) else f"{name} ({tag})"
    return tag


def clean(text: str) -> str:
    """``text`` without characters that nobody can see: control characters but line ends, lone surrogates, tags, bidi marks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        char
        for char in text
        if char == "\n" or char in _JOINERS or unicodedata.category(char) not in ("Cc", "Cf", "Cs")
    )


@cache
def _texts() -> Mapping[str, Any]:
    """The prompt file's values, each text without its outer line ends."""
    found = tomllib.loads(resources.files(__name__).joinpath(f"{PROMPT}.toml").read_text("utf-8"))
    return {key: value.strip("\n") if isinstance(value, str) else value for key, value in found.items()}


@cache
def _languages() -> Mapping[str, str]:
    return tomllib.loads(resources.files(__name__).joinpath("languages.toml").read_text("utf-8"))


def _fill(text: str, **values: str) -> str:
    """The named text with its places filled in, in one pass: what is filled in is not looked at again."""
    return _PLACE.sub(lambda place: values[place[1]], _texts()[text])


@lru_cache(64)
def _system(targets: tuple[str, ...], keys: tuple[str, ...]) -> str:
    empty = ",".join(f'"{key}":""' for key in keys)
    answer = [f'"tldr_en":"{_texts()["tldr_en"]}"', *(f'"{tag}":{{{empty}}}' for tag in targets)]
    shown = "{" + ",".join(answer) + "}"
    if not targets:
        return _fill("english", keys=shown)
    chosen = [key for key in keys if key in FIELDS]
    return _fill(
        "translate",
        keys=shown,
        languages=", ".join(_fill("language", tag=tag, name=language_name(tag)) for tag in targets),
        whole=_texts()["whole"] if "abstract" in keys else "",
        fields=_fill("fields", names=", ".join(chosen)) if chosen else "",
    )


def _schema(targets: tuple[str, ...], keys: tuple[str, ...]) -> Mapping[str, Any]:
    """The answer's JSON schema, in the form that providers' strict modes ask for."""
    string = {"type": "string"}
    return _object({"tldr_en": string, **{tag: _object(dict.fromkeys(keys, string)) for tag in targets}})


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _terms(targets: Sequence[str], categories: Sequence[str], text: str, glossary: Glossary) -> list[str]:
    """One line for each language whose terms occur in the text, and one for the names to keep."""
    lines, kept = [], dict[str, None]()
    for tag in targets:
        terms, keep = glossary.entries_for(tag, categories, text)
        kept |= dict.fromkeys(keep)
        if terms:
            lines.append(_fill("terms", tag=tag, pairs="; ".join(f"{term} = {said}" for term, said in terms.items())))
    return [*lines, _fill("keep", names=", ".join(kept))] if kept else lines


def _nonce(title: str, abstract: str) -> str:
    """Hex digits that do not occur in the text, the same ones each time for the same text."""
    text = f"{title}\n{abstract}"
    digits, lower = hashlib.sha256(text.encode()).hexdigest(), text.lower()
    length = 6
    while digits[:length] in lower:
        length += 2
        if length > len(digits):
            digits += hashlib.sha256(digits.encode()).hexdigest()
    return digits[:length]


def _capped(text: str, limit: int) -> tuple[str, bool]:
    return text[:limit], len(text) > limit
