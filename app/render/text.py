"""Outside text, made fit for a document: one line, encodable; and escaped for Markdown.

Everything here treats a text as data: what is read back out of the rendered document equals the text that went in,
with runs of whitespace (line breaks, U+2028 and the like) collapsed to one blank.
"""

import re
from datetime import UTC, datetime
from urllib.parse import quote

NOT_A_CHARACTER = re.compile(r"[\x00\ud800-\udfff]")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")  # what HTML forbids, and XML too

# What acts inside a paragraph, a table cell or a link text, by character, in the order in which it is escaped: the
# backslash first, so that it never meets the backslashes of the others.
# - A backslash acts before ASCII punctuation and at the end, where the document's own punctuation follows.
# - An underscore opens emphasis only where no letter or digit precedes it; without an opener the others are text.
# - "<" begins a tag only before a letter, "/", "!" or "?"; "&" an entity only when a ";" ends it. They become entities,
#   because there are Markdown readers that do not know "\\<" and would let the tag through.
# - "//", "@" and "." are escaped where GFM or linkify-it would make a link of the address around them.
RULES = tuple(
    (character, re.compile(pattern), replacement)
    for character, pattern, replacement in (
        ("\\", r"\\(?![^!-/:-@\[-`{-~])", r"\\\\"),
        ("&", r"&(?=#?[0-9A-Za-z]+;)", "&amp;"),
        ("<", r"<(?=[A-Za-z/!?])", "&lt;"),
        ("*", r"\*", r"\\*"),
        ("`", "`", r"\\`"),
        ("[", r"\[", r"\\["),
        ("]", r"\]", r"\\]"),
        ("|", r"\|", r"\\|"),
        ("~", "~", r"\\~"),
        ("_", r"_(?<![^\W_]_)", r"\\_"),
        ("/", "/(?=/)", r"\\/"),
        ("@", r"@(?<=\S@)(?=\S)", r"\\@"),
    )
)
ADDRESS_DOT = re.compile(r"\.(?<=\S\.)(?:(?=[^\W\d_]{2})|(?<=[wW]{3}\.))")
# What acts only as the first thing of a block: headings, quotes, list markers, thematic breaks, setext underlines.
BLOCK_START = re.compile(r"[#>=+-]|[0-9]{1,9}(?=[.)](?: |$))")

# Every ASCII character for which there is neither a rule nor a reason to collapse.
CALM = bytes(set(range(32, 127)) - {ord(character) for character, _, _ in RULES})

PLAIN_URL = re.compile(r"https?://[A-Za-z0-9./:+-]+").fullmatch


def encodable(text: str) -> str:
    """Return the text with NUL and lone surrogates, which no document can hold, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return NOT_A_CHARACTER.sub("\ufffd", text)
    return text.replace("\x00", "\ufffd")


def one_line(text: str | None) -> str:
    """Return an encodable text with every run of Unicode whitespace collapsed to one blank; ``""`` for ``None``."""
    return encodable(" ".join(text.split())) if text else ""


def plain(text: str | None) -> str:
    """Return a text on one line without the control characters that HTML and XML forbid and terminals obey."""
    return CONTROL.sub("\ufffd", one_line(text))


def instant(moment: datetime) -> str:
    """Return an instant as RFC 3339 in UTC with ``Z``; a naive one is taken as UTC, as everywhere in the service."""
    aware = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return aware.isoformat().replace("+00:00", "Z")


def web_address(url: str) -> str:
    """Return a link target without a character that acts in Markdown or HTML; ``""`` if it is not http or https."""
    if PLAIN_URL(url):
        return url
    if not url.lower().startswith(("http://", "https://")):
        return ""
    return quote(encodable(url), safe="/:?#@!$,;=&+-._%")


def escape(text: str | None) -> str:
    """Return one line of Markdown that is read as exactly this text, at the start of a block or inside of one.

    The rules are CommonMark 0.31's and GFM's. The result may stand in a paragraph, a table cell, a link text or after
    a footnote's label, provided that whatever follows it is not a letter or digit. Nearly all texts need no escaping,
    so most of the time goes into seeing that.
    """
    if not text:
        return ""
    marks = text.encode("ascii", "ignore").translate(None, CALM)
    # Whitespace, NUL and surrogates beyond ASCII are not printable to Python.
    if marks or "  " in text or not (text.isascii() or text.isprintable()) or text[0] == " " or text[-1] == " ":
        text = one_line(text)
        marks = text.encode("ascii", "ignore").translate(None, CALM)
    # The characters of a block start are not in the rules, so the match still holds after them.
    start = BLOCK_START.match(text) if text < "A" else None
    if marks:
        for character, pattern, replacement in RULES:
            if character in text:
                text = pattern.sub(replacement, text)
    if "." in text and ADDRESS_DOT.search(text):
        text = ADDRESS_DOT.sub(r"\\.", text)
    if start is None:
        return text
    return text[: start.end()] + "\\" + text[start.end() :] if start[0].isdigit() else "\\" + text
