"""Reads TeX text outside formulas, once from left to right: steps 2 to 4 of ``app.arxiv.display``."""

import re
from dataclasses import dataclass
from typing import Final
from unicodedata import category, name, normalize

from app.arxiv.formulas import Formula, find_formulas
from app.arxiv.texnames import (
    ACCENTS,
    ADDRESSES,
    ARGUMENTS,
    BLANKS,
    ESCAPED,
    INVISIBLE,
    LETTERS,
    ONLY_BRACED,
    SUBSCRIPTS,
    SUPERSCRIPTS,
    SWITCHES,
    SYMBOLS,
)

# Every alternative begins with a literal character, which lets the search skip plain text seven times as fast.
_TOKEN: Final = re.compile(
    r"\\(?:[A-Za-z]+|.)|\{|\}|~~*|---*|``?|''|'(?!\w)|\"|https?://(?:[^\s\\{}$~`'\"<>]|(?<=/)~)+", re.DOTALL
)
_UNICODE: Final = re.compile(r"\s*\{\s*(?:[xX]([0-9A-Fa-f]{1,6})|([0-9]{1,7}))\s*\}")
_UNICODE_FORMULA: Final = re.compile(rf"\s*\\unicode{_UNICODE.pattern}\s*")
_SPACES: Final = re.compile(r"\s*")
_INLINE_SPACES: Final = re.compile(r"[ \t]*")
_EMPTY: Final = re.compile(r"\{\}")
_BRACE: Final = re.compile(r"\{")
_STARRED_BRACE: Final = re.compile(r"\*?\{")
_SPACED_BRACE: Final = re.compile(r"\*?\s*\{")
_LETTER: Final = re.compile(r"\\([A-Za-z]+)(?:\{\}|\s*)|([A-Za-z])")
_ADDRESS: Final = re.compile(r"\s*\{([^{}]*)\}")
_ESCAPE: Final = re.compile(r"\\([%&_#~$])")
_COLOUR: Final = re.compile(r"(?:\[[A-Za-z]+\])?\{[A-Za-z0-9!.,-]*\}")
_ENVIRONMENT: Final = re.compile(
    r"\{(?:itemize|enumerate|description|quote|quotation|abstract|center|flushleft|flushright)\}"
)
_DISTRIBUTION: Final = re.compile(r"(?<!\w)\w~\s?[A-Z]\w{0,30}\(")  # X~N(0,1)
_NO_LETTERS: Final = frozenset("ḦḧẄẅẌẍẗ")  # no language writes these, and ``\"Hello\"`` is a quotation
_DOTTED: Final = {"ı": "i", "ȷ": "j"}


@dataclass(slots=True)
class _Group:
    """An open brace: ``out[at]`` is shown in its place, ``written`` stood there, ``closing`` is shown for the closing one."""

    at: int
    written: str
    closing: str
    kind: str = "wrapper"  # or plain, unknown, accent, superscript, subscript, link
    argument: str = ""  # of an accent the combining character, of a link the address


class TexReader:
    r"""One reading of one text. ``dollar`` is what ``\$`` becomes."""

    def __init__(self, text: str, dollar: str = "$") -> None:
        self.text = text
        self.dollar = dollar
        self.position = 0
        self.end = len(text)  # of the stretch that is being read: the beginning of the next formula
        self.out: list[str | Formula] = []
        self.made = -1  # index of the last piece that is a command's character or a formula
        self.groups: list[_Group] = []
        self.double = -1  # index of the piece that opened a double quotation, or -1
        self.single = -1

    def read(self) -> list[str | Formula]:
        """Return the display form in pieces: texts, and formulas as they were found."""
        for formula in find_formulas(self.text):
            self._read_until(formula.start)
            dash = _UNICODE_FORMULA.fullmatch(formula.source)
            self._make((dash and _character(dash)) or formula)
            self.position = formula.end
        self._read_until(len(self.text))
        for group in self.groups:  # What adds something of its own is shown as written when its end was cut off.
            if group.closing:
                self.out[group.at] = group.written
        return self.out

    def _read_until(self, end: int) -> None:
        self.end = end
        while match := _TOKEN.search(self.text, self.position, end):
            if match.start() > self.position:
                self.out.append(self.text[self.position : match.start()])
            self.position = match.end()
            self._token(match[0], match.start())
        if self.position < end:
            self.out.append(self.text[self.position : end])

    def _token(self, token: str, start: int) -> None:
        first = token[0]
        if first == "\\":
            self._command(token[1:], start)
        elif first == "{":
            self._open("{", "{", "}", "plain")
        elif first == "}":
            self._close()
        elif first == "~":
            self._tilde(token, start)
        elif first == "-":
            self.out.append(_dash(self.text, start, self.position))
        elif first in "`\"'":
            self._quote(token, start)
        else:
            self.out.append(token)  # an address

    def _take(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Read what the pattern matches here, if it does."""
        match = pattern.match(self.text, self.position, self.end)
        if match is not None:
            self.position = match.end()
        return match

    def _make(self, piece: str | Formula) -> None:
        self.out.append(piece)
        self.made = len(self.out) - 1

    def _stands_after_blank(self) -> bool:
        last = self.out[-1] if self.out else " "
        return isinstance(last, str) and last[-1:].isspace()

    def _blank(self) -> None:
        """Write a blank, but never a second one beside another."""
        if self._stands_after_blank():
            self._take(_INLINE_SPACES)
        elif not self.text[self.position : self.position + 1].isspace():
            self.out.append(" ")

    # Commands

    def _command(self, command: str, start: int) -> None:
        if command in ESCAPED:
            self._make(command)
        elif command == "$":
            self._make(self.dollar)
        elif command.isspace() and (self._stands_after_blank() or self.text[start - 1] == "{"):
            self.out.append(self.text[start : self.position])  # "\\ alpha" of a translator who takes formulas apart
        elif command in BLANKS:
            self._take(_EMPTY)
            self._blank()
        elif command in LETTERS:
            self._make(LETTERS[command])
            self._end_name()
        elif command in SYMBOLS:
            self._make(SYMBOLS[command])
            self._take(_EMPTY)
        elif command in ACCENTS:
            self._accent(command, start)
        elif command in INVISIBLE:
            self._end_name()
        elif command in SWITCHES:
            self._switch()
        elif not self._special(command, start):
            self._with_argument(command, start)

    def _end_name(self) -> None:
        """Pass over what ends the name of a command: empty braces, or blanks, which TeX swallows."""
        if not self._take(_EMPTY):
            self._take(_SPACES)

    def _accent(self, accent: str, start: int) -> None:
        after = self.position
        if accent.isalpha():
            self._take(_SPACES)
        if self._take(_BRACE):
            written = self.text[start : self.position]
            self._open(written, written, "}", "accent", ACCENTS[accent])
            return
        if accent == "~" and self.text[start - 1 : start] == "/":
            self._make("~")  # a home page, http://x.example/\~name
            return
        letter = None if accent in ONLY_BRACED else self._take(_LETTER)
        base = letter and (letter[2] or LETTERS.get(letter[1]))
        composed = _compose(base, ACCENTS[accent]) if base else ""
        if len(composed) == 1 and composed not in _NO_LETTERS:
            self._make(composed)
        else:
            self.position = after
            self.out.append(self.text[start:after])

    def _switch(self) -> None:
        """Drop a change of font. The braces around it or those that follow go with it."""
        if self._begins_group():
            self.groups[-1] = _Group(len(self.out) - 1, "{", "")
            self.out[-1] = ""
        self._take(_SPACES)
        if not self._take(_EMPTY) and self._take(_BRACE):
            self._open("", "{", "")

    def _begins_group(self) -> bool:
        return bool(self.groups) and self.groups[-1].kind == "plain" and self.groups[-1].at == len(self.out) - 1

    def _special(self, command: str, start: int) -> bool:
        """Read a command whose argument is no text, and tell whether it was one."""
        if command == "unicode":
            match = _UNICODE.match(self.text, self.position, self.end)
            if match and (character := _character(match)):
                self._make(character)
                self.position = match.end()
                return True
        elif command in ("color", "textcolor") and self._take(_COLOUR):
            self._switch()
            return True
        elif command in ("begin", "end") and self._take(_ENVIRONMENT):
            self._blank()
            return True
        elif command in ADDRESSES and (match := self._take(_ADDRESS)):
            address = _ESCAPE.sub(r"\1", match[1].strip())
            if command == "href" and self._take(_SPACED_BRACE):
                self._open("", self.text[start : self.position], f" ({address})", "link", address)
            else:
                self._make(address)
            return True
        return False

    def _with_argument(self, command: str, start: int) -> None:
        """Read a command and the brace after it; the name of an unknown one is written as it is, and so are its braces."""
        known = ARGUMENTS.get(command)
        if not self._take(_SPACED_BRACE if known else _STARRED_BRACE):
            if known and not known[1] and self._begins_group():
                self._switch()  # {\ul x}
            else:
                self.out.append(self.text[start : self.position])
            return
        written = self.text[start : self.position]
        if known is None:
            self._open(written, written, "}", "unknown")
            return
        before, closing, kind = known
        self._open(before.lstrip() if self._stands_after_blank() else before, written, closing, kind)

    # Groups

    def _open(self, shown: str, written: str, closing: str, kind: str = "wrapper", argument: str = "") -> None:
        self.groups.append(_Group(len(self.out), written, closing, kind, argument))
        self.out.append(shown)

    def _close(self) -> None:
        if not self.groups:
            self.out.append("}")
            return
        group = self.groups.pop()
        shown = self._merge(group)
        if shown is not None:
            self.out[group.at :] = [shown]
            self.made = group.at
            self.double = -1 if self.double > group.at else self.double
            self.single = -1 if self.single > group.at else self.single
        elif group.closing:
            self.out.append(group.closing)
        if group.kind == "unknown" and self._take(_BRACE):
            self._open("{", "{", "}", "unknown")

    def _merge(self, group: _Group) -> str | Formula | None:
        """Return the one piece that a group becomes, or None if its content stays between what its braces show."""
        if len(self.out) > group.at + 2:
            return None
        content = self.out[-1] if len(self.out) == group.at + 2 else ""
        if group.kind == "plain":
            if self.made == group.at + 1 or (isinstance(content, str) and self._protects(content)):
                return content or None
            return None
        if group.kind == "wrapper":
            return content if not group.closing else None
        if isinstance(content, str):
            if group.kind == "accent":
                return _accented(content, group.argument)
            if group.kind == "link":
                return content if content == group.argument else None
            if group.kind in ("superscript", "subscript"):
                return _raised(content) if group.kind == "superscript" else _lowered(content)
        return None

    def _protects(self, content: str) -> bool:
        """Tell whether braces only keep BibTeX from lowering a capital, or hold the letter of an accent around them."""
        if not (content.isascii() and content.isalpha()):
            return False
        if self.groups and self.groups[-1].kind == "accent":
            return len(content) == 1
        following = self.text[self.position : self.position + 1]
        return not content.islower() and following.isascii() and following.isalpha()

    # Blanks and quotes

    def _tilde(self, token: str, start: int) -> None:
        if _is_meant(self.text, start, self.position):
            self.out.append(token)
        else:
            self._blank()

    def _quote(self, mark: str, start: int) -> None:
        """Write a quote; when it closes a pair of which one half is TeX's, both halves become typographic."""
        before, after = self.text[start - 1 : start], self.text[self.position : self.position + 1]
        begins = not (before.isalnum() or (before and before in ").,;:!?]}")) and bool(after.strip())
        ends = bool(before.strip()) and not after.isalnum()
        if mark == "`":
            self.single = len(self.out) if begins else -1
        elif mark == "'":
            if self.single >= 0 and ends:
                self.out[self.single] = "‘"
                self.single = -1
                mark = "’"
        elif self.double >= 0 and ends and not (mark == "''" and before.isdigit() and self.out[self.double] == '"'):
            if mark != '"' or self.out[self.double] != '"':
                self.out[self.double] = "“"
                mark = "”"
            self.double = -1
        elif begins:
            self.double = len(self.out)
        self.out.append(mark)


def _character(match: re.Match[str]) -> str | None:
    r"""Return the character that a ``\unicode{...}`` names, if it is one to show."""
    number = int(match[1], 16) if match[1] else int(match[2])
    character = chr(number) if number <= 0x10FFFF else "\0"
    kind = category(character)
    if kind == "Zs":
        return " "
    # Control characters, directions, surrogates and what is not assigned would be invisible or worse.
    return None if kind[0] == "C" or kind in ("Zl", "Zp") or character in "\\$" else character


def _compose(base: str, mark: str) -> str:
    return normalize("NFC", _DOTTED.get(base, base) + mark)


def _accented(content: str, mark: str) -> str | None:
    r"""Return the content of an accent's braces with the accent on its first letter, where TeX sets it."""
    if not content:
        return {ACCENTS["~"]: "~", ACCENTS["^"]: "^"}.get(mark)  # ``\~{}`` and ``\^{}`` are the characters themselves
    is_letter = content.isalpha() and name(content[0], "").startswith("LATIN")
    return _compose(content[0], mark) + content[1:] if is_letter else None


def _raised(content: str) -> str | None:
    if all(character in SUPERSCRIPTS for character in content):
        return "".join([SUPERSCRIPTS[character] for character in content])
    return content if content.isalpha() else None  # 20th


def _lowered(content: str) -> str | None:
    if all(character in SUBSCRIPTS for character in content):
        return "".join([SUBSCRIPTS[character] for character in content])
    return f"_{content}" if content.isalpha() else None


def _is_meant(text: str, start: int, end: int) -> bool:
    """Tell whether a tilde says something: "about", "to", "distributed as", or a part of an address."""
    before, after = text[start - 1 : start], text[end : end + 1]
    if not before or before.isspace() or before in "([":
        return not after or after.isspace() or after.isalnum() or after in "$.+-/=<>" or text.startswith("\\$", end)
    if before == "/" or _DISTRIBUTION.match(text, start - 1):
        return True
    # Chinese has no blanks around numbers, and a tie has no place in it.
    return after.isdigit() and (before.isdigit() or before in "\"'<>=" or not before.isascii())


def _dash(text: str, start: int, end: int) -> str:
    """Return what a run of hyphens shows."""
    before, after = text[start - 1 : start], text[end : end + 1]
    is_other = end - start > 3 or (before and before in "<>|!=+*_-") or (after and after in "<>|!=+*_-")
    if is_other:
        return text[start:end]
    if end - start == 3:
        return "—"
    # Beside only one blank it is an option (``--help``), or no dash at all (``C-- is``).
    return "–" if bool(before.strip()) == bool(after.strip()) else "--"
