r"""The built-in summariser: picks the sentence of the abstract that says what the paper does. It translates nothing.

Method (docs/decisions/0005-extractive-summariser.md): Edmundson's features for abstracts (H. P. Edmundson, New methods
in automatic extracting, 1969), reduced to those that matter in a text of five to ten sentences: cue phrases in which
authors announce their own contribution, the overlap with the title, position, and length.
"""

import re

from app.llm.base import PaperText, SummariserError, SummaryDraft

_ABBREVIATIONS = (
    r"e\.g|i\.e|et al|etc|vs|cf|resp|approx|Fig|Figs|Eq|Eqs|Sec|Ref|Refs|Tab|Thm|Prop|No|Dr|Prof|Mr|Mrs|St|"
    r"Jr|Sr|a\.k\.a|w\.r\.t|i\.i\.d|viz|Ph\.D|(?:[A-Z]\.)*[A-Z]"
)
# A sentence ends at . ! or ? before a blank and something that can begin a sentence, but not after an abbreviation.
_BOUNDARY = re.compile(r"(?P<end>[.!?][\"')\]}]*)\s+(?=[\"'(\[$\\]*[A-Z0-9$\\])")
_ENDS_IN_ABBREVIATION = re.compile(rf"(?:^|[\s(\[~])(?:{_ABBREVIATIONS})\.$")
# As in pandoc: "$20 and $30" is money, because the second dollar has a blank before it and a digit after it.
_MATH = re.compile(r"\$(?=\S)[^$]*(?<=\S)\$(?!\d)")

_STRONG_CUE = re.compile(
    r"\b(?:(?:in this (?:paper|work|article|study|note|letter|thesis|report)|here),? (?:we|i)\b|"
    r"(?:we|i)(?: \w+ly)? (?:propose|present|introduce|develop|describe|show|prove|demonstrate|establish|design|derive|study|"
    r"investigate|provide|construct|release|report|argue|find|build|obtain|give|offer|explore|examine|analy[sz]e|address)|"
    r"(?:this|the present|our) (?:paper|work|article|study|note|survey|letter|thesis|report)\b)",
    re.IGNORECASE,
)
_CONTRIBUTION = re.compile(
    r"\b(?:we|i|paper|work|article)(?: \w+ly)? (?:propos|present|introduc|develop|prov|show)", re.IGNORECASE
)
_WEAK_CUE = re.compile(r"\b(?:result|outperform|improve|achieve|novel|new|state-of-the-art|first)\w*", re.IGNORECASE)
_CONTRAST = re.compile(
    r"^(?:however|but|although|while|despite|unfortunately|yet|for example|for instance|moreover|code)\b",
    re.I,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{3,}")

LONGEST = 400
"""Characters; a longer sentence is no one-line summary, and loses points."""


class ExtractiveSummariser:
    """Gives the English sentence only. In an English digest it is the summary; elsewhere nothing is translated."""

    origin = "extractive"
    model = ""
    provider = "zhaiyao"
    prompt_version = "extractive-1"

    async def summarize(self, paper: PaperText, language: str) -> SummaryDraft:
        """Pick the sentence; raises ``SummariserError`` if there is no abstract to pick from."""
        sentence = pick_sentence(paper.title or "", paper.abstract or "")
        if sentence is None:
            raise SummariserError("The paper has no abstract to take a sentence from.")
        is_english = language.split("-")[0] == "en"
        return SummaryDraft(title=None, abstract=None, tldr=sentence if is_english else None, tldr_en=sentence)


def pick_sentence(title: str, abstract: str) -> str | None:
    """The sentence of ``abstract`` that best says what the paper does, white space normalised; None without sentences."""
    sentences = split_sentences(abstract)
    if not sentences:
        return None
    title_words = _words(title)
    scored = [
        (_score(sentence, position, len(sentences), title_words), -position)
        for position, sentence in enumerate(sentences)
    ]
    return sentences[-max(scored)[1]]


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _score(sentence: str, position: int, count: int, title_words: set[str]) -> float:
    words = _words(sentence)
    score = 3.0 * bool(_STRONG_CUE.search(sentence)) + 1.5 * bool(_CONTRIBUTION.search(sentence))
    score += 0.3 * min(2, len(_WEAK_CUE.findall(sentence)))
    if title_words:
        score += 2.0 * len(words & title_words) / len(title_words)
    score += 0.6 * (position == 0) + 0.3 * (position == count - 1)
    score -= 1.5 * bool(_CONTRAST.search(sentence))
    if len(sentence) > LONGEST:
        score -= 2.0
    if len(words) < 4:
        score -= 2.0
    return score


def split_sentences(text: str) -> list[str]:
    """Sentences in order, white space normalised. Formulas are kept whole; abbreviations and initials do not end one."""
    text = " ".join(text.split())
    spans = [match.span() for match in _MATH.finditer(text)]
    sentences, start = [], 0
    for match in _BOUNDARY.finditer(text):
        end = match.end("end")
        if any(left < match.start() < right - 1 for left, right in spans):
            continue
        if text[match.start()] == "." and _ENDS_IN_ABBREVIATION.search(text[start : match.start() + 1]):
            continue
        sentences.append(text[start:end].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence and sentence.lower() not in ("abstract.", "abstract:")]
