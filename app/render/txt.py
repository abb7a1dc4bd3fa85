"""Plain text for terminals and mail: 72 columns, in which a Chinese, Japanese or Korean character takes two.

Heading, receipt, a numbered list of one-line summaries, then the details of each paper. Formulas are in Unicode characters,
or as TeX where that is asked for.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from unicodedata import category, east_asian_width

from app.render import phrases
from app.render.document import DigestDocument, DigestItem, View
from app.render.i18n import Translator, translator
from app.render.text import plain, web_address
from app.render.unicode_math import plain_math

COLUMNS = 72
# A line may break at blanks, and beside any wide character, but neither before closing punctuation nor after an opening one.
WIDE = (
    "\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uffe6\U00020000-\U0003fffd"
)
OPENING = "（「『【〈《〔［｛“‘"
CLOSING = "，。、；：！？）」』】〉》〕］｝”’…ー"
UNIT = re.compile(f"(?:[{OPENING}]{{0,3}}[{WIDE}][{CLOSING},.;:!?)\\]]{{0,3}}|[^ {WIDE}]+[{CLOSING}]{{0,3}}) ?")
ADDRESS = re.compile(r"\(?https?://").match

Show = Callable[[str | None], str]


def render(document: DigestDocument, view: View) -> str:
    """Return a digest as plain text. Addresses are never broken, so that only they can be wider than 72 columns."""
    _ = translator(document.language)
    show = partial(plain_math, math=view.math)
    title = plain(document.title) or plain(document.channel) or plain(document.id)
    head = [
        _heading(title, "="),
        wrap(plain(phrases.receipt_line(document, _))),
        wrap(plain(phrases.incomplete_line(document, _))),
        wrap(phrases.untranslated_line(document, _)),
    ]
    body = [wrap(phrases.empty_line(document, _))]
    if document.items:
        numbered = list(enumerate(document.items, 1))
        body = [_heading(_("Summaries"), "-")]
        body += [_summary(number, item, show, _) for number, item in numbered]
        body += [_heading(_("Details"), "-")]
        body += [_details(number, item, show, _) for number, item in numbered]
    foot = ["-" * COLUMNS, wrap(phrases.ACKNOWLEDGEMENT)]
    return "\n\n".join([part for part in (*head, *body, *foot) if part]) + "\n"


def _summary(number: int, item: DigestItem, show: Show, _: Translator) -> str:
    """Return a paper's entry in the list: its title, and below it the sentence or the state of its summary."""
    title = show(item.translated_title) or show(item.title) or plain(item.arxiv_id)
    sentence = show(item.tldr) or show(item.tldr_en) or plain(phrases.status(item, _))
    label = f"{number}. "
    return f"{wrap(title, label)}\n{wrap(sentence, ' ' * len(label))}"


def _details(number: int, item: DigestItem, show: Show, _: Translator) -> str:
    """Return all that is known of a paper, each text once; the sentence of the list is not repeated."""
    title = show(item.title) or plain(item.arxiv_id)
    abstract = show(item.abstract)
    if abstract and item.abstract_is_cut:
        abstract += " … (" + _("only the beginning of the abstract is known") + ")"
    names = ", ".join([show(name) for name in phrases.authors(item, _)])
    names_of_categories = [plain(name) for name in phrases.categories(item.primary_category, item.categories)]
    kind = plain(phrases.announce_type(item.announce_type or "", _))
    about = [
        phrases.labelled(_, _("Authors"), names) if names else "",
        phrases.labelled(_, _("Categories"), ", ".join(names_of_categories)) if names_of_categories else "",
        " · ".join(part for part in (kind, _("withdrawn") if item.withdrawn else "") if part),
        web_address(item.links.abs),
    ]
    heading = wrap(show(item.translated_title) or title, f"[{number}] ")
    lines = "\n".join([wrap(line) for line in about if line])
    said = {show(item.translated_title) or title, show(item.tldr) or show(item.tldr_en)}
    texts = [title, show(item.tldr_en), show(item.translated_abstract), abstract]
    first, *others = [wrap(text) if text and text not in said else "" for text in texts]
    origin = [phrases.reason(reason, _) for reason in item.reasons]
    origin += [" · ".join(phrases.provenance(item.summary, _))] if item.summary else []
    small = wrap(f"({plain(' · '.join(origin))})") if origin else ""
    return "\n\n".join([part for part in (heading, first, lines, *others, small) if part])


def _heading(text: str, line: str) -> str:
    return f"{wrap(text)}\n{line * min(width(text), COLUMNS)}" if text else ""


@lru_cache(maxsize=8_192)  # Characters and words come again and again.
def width(text: str) -> int:
    """Return how many columns a text takes: two for a wide character, none for one that joins the character before."""
    if text.isascii():
        return len(text)
    return sum(
        [2 if east_asian_width(one) in "WF" else 0 if category(one) in ("Mn", "Me", "Cf") else 1 for one in text]
    )


def wrap(text: str, first: str = "") -> str:
    """Return a text of one line in lines of at most 72 columns, in linear time.

    ``first``, a number or blanks, stands before it and indents all lines.
    """
    room = COLUMNS - len(first)
    lines: list[str] = []
    line: list[str] = []
    taken = 0
    for unit in _units(text, room):
        size = len(unit) if unit.isascii() else width(unit)
        if line and taken + size - unit.endswith(" ") > room:
            lines.append("".join(line).rstrip())
            line, taken = [], 0
        line.append(unit)
        taken += size
    lines.append("".join(line).rstrip())
    return first + f"\n{' ' * len(first)}".join(lines)


def _units(text: str, room: int) -> Iterator[str]:
    """Yield what must not be broken, each with the blank after it; a word longer than a line is cut, an address is not."""
    for unit in UNIT.findall(text):
        if len(unit) * 2 <= room or width(unit) <= room or ADDRESS(unit):
            yield unit
        else:
            yield from (unit[start : start + room // 2] for start in range(0, len(unit), room // 2))
