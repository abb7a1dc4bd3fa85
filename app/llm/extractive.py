r"""The built-in summariser: picks the sentence of the abstract that says what the paper does. It translates nothing.

Method (docs/decisions/0005-extractive-summariser.md): Edmundson's weighted sum of features (H. P. Edmundson, New methods
in automatic extracting, J. ACM 16, 1969): cue phrases in which authors announce their own contribution, stigma words,
words shared with the title, length; and words shared with the other sentences. ``bench/extractive.py`` fits the weights.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from app.llm.base import Detail, Made, PaperText, SummariserError, SummaryDraft, is_english

_ABBREVIATIONS = (
    r"e\.g|i\.e|vs|cf|resp|approx|Fig|Figs|Eq|Eqs|Sec|Ref|Refs|Tab|Thm|Prop|No|Dr|Prof|Mr|Mrs|St|"
    r"Jr|Sr|a\.k\.a|w\.r\.t|i\.i\.d|viz"
)
_OPENERS = r"(?:We|This|These|Our|In|The|To|It|Here|However|Moreover|Through|Despite)\s"
# A sentence ends at . ! or ? before a blank and something that can begin a sentence (a capital, a formula, a name like
# iPhone), but not after an abbreviation. Feeds lose blanks between lines: "a word.We show" is two sentences.
_BOUNDARY = re.compile(
    r"(?P<end>[.!?][\"')\]}]{0,4})"
    rf"(?:\s+(?=[\"'(\[$\\]{{0,4}}[A-Z0-9$\\]|[a-z]{{1,20}}[A-Z])|(?<=[a-z]{{3}}[.!?])(?={_OPENERS}))"
)
_ENDS_IN_ABBREVIATION = re.compile(rf"(?:^|[\s(\[~])(?:{_ABBREVIATIONS})\.$")
# These can also be a sentence's last word ("in subtask B. We show"): then a word follows that usually begins one.
_ENDS_IN_INITIAL = re.compile(r"(?:^|[\s(\[~])(?:et al|Ph\.D|(?:[A-Z]\.)*[A-Z])\.$")
_OPENER = re.compile(_OPENERS)
_LONGEST_ABBREVIATION = 16  # characters; looking further back would make long texts slow
# As in pandoc: "$20 and $30" is money, because the second dollar has a blank before it and a digit after it. A formula is
# short, so that a stray dollar does not hide what follows.
_MATH = re.compile(r"\$\$[^$]{1,500}\$\$|\$(?=\S)[^$]{0,500}(?<=\S)\$(?!\d)")

_PAPER = r"(?:paper|work|article|study|note|survey|review|letter|thesis|report|research|manuscript|tutorial)"
_AUTHORS = rf"\b(?:we|i|{_PAPER})(?: \w{{1,20}}ly| further| then| here| thus| also| first| next)?"
_OWN = re.compile(
    rf"\b(?:(?:this|the present|the current|our) (?:\w{{1,20}} )?{_PAPER}\b|(?:in|of) this \w{{1,20}},? (?:we|i)\b|here,? we\b)",
    re.IGNORECASE,
)
_PROPOSE = re.compile(
    rf"{_AUTHORS} (?:propos|introduc|present|develop|design|devis|formulat)(?:e|es|s|ed)?\b", re.IGNORECASE
)
_STUDY = re.compile(
    rf"{_AUTHORS} (?:study|studie|investigat|explor|examin|analy[sz]|address|consider|tackl|compar|evaluat|review|survey|"
    r"revisit|discuss|assess|ask|conduct|perform|focus|aim)(?:e|es|s|d|ed)?\b",
    re.IGNORECASE,
)
_SHOW = re.compile(
    r"\b(?:we|i|paper|work|article|study|results?|experiments?|evaluations?)(?: \w{1,20}ly| further| then| also)? (?:show|prove|"
    r"demonstrat|find|found|observ|argue|indicat|reveal|obtain|achiev|verif|confirm|validat|suggest|discover)(?:e|es|s|d|y|ies)?\b",
    re.IGNORECASE,
)
_NOVEL = re.compile(
    r"\b(?:novel|new|first|called|named|dubbed|termed|framework|approach|method|algorithm|model)\b", re.IGNORECASE
)
_GAIN = re.compile(
    r"\b(?:outperform|improv|achiev|effective|superior|state-of-the-art|surpass|reduc|enabl|efficien)", re.IGNORECASE
)
_WE = re.compile(r"\bwe\b", re.IGNORECASE)
_STIGMA = re.compile(
    r"(?:however|but|although|while|despite|unfortunately|yet|nevertheless|nonetheless|still|though|moreover|furthermore|"
    r"additionally|in addition|also|besides|for example|for instance|then|second|third|secondly|thirdly|finally|lastly|next|"
    r"further|similarly|in contrast|on the other hand|meanwhile|consequently|codes?|our code)\b|\(?[ivx\d]{1,3}\)",
    re.IGNORECASE,
)
_FINISHED = re.compile(r"[.!?:)\]}\"'$]$|https?:\S+$")
_WORD = re.compile(r"[A-Za-z][A-Za-z-]{2,}")
_TOKEN = re.compile(r"\w+")
_COMMON_WORDS = (
    "the and for with that this from are was were has have had can our its which their these those such into than then they "
    "them also not but more most other between both been being while over via using used use based how what when where may "
    "will however under each all new one two paper work study"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_STEM = 7
"""Letters by which words are compared: "optimisation" and "optimises" count as one."""

LONGEST = 400
"""Characters; a longer sentence is no one-line summary."""

WEIGHTS = {
    "own": 2.5,  # "in this paper", "our work"
    "propose": 3.1,  # "we propose", "this paper presents"
    "study": 0.4,  # "we investigate"
    "first_cue": 2.1,  # the first sentence with one of these three: what follows is detail
    "show": 2.2,  # "we show", "experiments demonstrate"
    "we": 1.3,  # the authors speak
    "novel": 2.0,  # "a novel method called"
    "gain": 0.4,  # "outperforms", "efficient"
    "stigma": -2.0,  # begins with "however", "moreover", "code is"
    "title": 4.9,  # share of the title's words
    "shared": 2.3,  # words that other sentences use, too
    "words_20": 1.2,  # up to 20 words: less says too little
    "words_40": 2.6,  # the next 20
    "too_long": -1.5,  # set by hand, like the next two: ROUGE would not mind, readers do
    "unfinished": -6.0,
    "question": -1.0,
}
"""Fitted on one half of the older system's archive (``python -m bench.extractive --fit``)."""


class ExtractiveSummariser:
    """Gives the English sentence only. In an English digest it is the summary; elsewhere nothing is translated."""

    origin = "extractive"
    model = ""
    provider = "zhaiyao"
    prompt_version = "extractive-2"

    async def summarize(self, paper: PaperText, languages: Sequence[str], detail: Detail = Detail.FULL) -> Made:
        """Pick the sentence; raises ``SummariserError`` if there is no abstract to pick from."""
        sentence = pick_sentence(paper.title or "", paper.abstract or "")
        if sentence is None:
            raise SummariserError("The paper has no abstract to take a sentence from.")
        drafts = {
            language: SummaryDraft(None, None, sentence if is_english(language) else None, sentence)
            for language in languages
        }
        return Made(drafts, self.model, self.provider)


def pick_sentence(title: str, abstract: str) -> str | None:
    """The sentence of ``abstract`` that best says what the paper does, white space normalised; None without sentences."""
    sentences = split_sentences(abstract)
    if not sentences:
        return None
    scores = [sum(WEIGHTS[name] * value for name, value in each.items()) for each in features(title, sentences)]
    return sentences[scores.index(max(scores))]


def features(title: str, sentences: list[str]) -> list[dict[str, float]]:
    """What is known of each sentence: for each of ``WEIGHTS`` a number from 0 to 1."""
    in_title = _words(title)
    words = [_words(sentence) for sentence in sentences]
    used_in = Counter(chain.from_iterable(words))
    found = []
    seen_cue = False
    for sentence, own_words in zip(sentences, words, strict=True):
        own, propose, study = (bool(cue.search(sentence)) for cue in (_OWN, _PROPOSE, _STUDY))
        cue = own or propose or study
        length = len(_TOKEN.findall(sentence))
        found.append(
            {
                "own": float(own),
                "propose": float(propose),
                "study": float(study),
                "first_cue": float(cue and not seen_cue),
                "show": float(_SHOW.search(sentence) is not None),
                "we": float(_WE.search(sentence) is not None),
                "novel": min(3, len(_NOVEL.findall(sentence))) / 3,
                "gain": min(3, len(_GAIN.findall(sentence))) / 3,
                "stigma": float(_STIGMA.match(sentence) is not None),
                "title": len(own_words & in_title) / max(1, len(in_title)),
                "shared": min(25, sum(used_in[word] - 1 for word in own_words)) / 25,
                "words_20": min(20, length) / 20,
                "words_40": min(20, max(0, length - 20)) / 20,
                "too_long": float(len(sentence) > LONGEST),
                "unfinished": float(_FINISHED.search(sentence) is None),
                "question": float(sentence.endswith("?")),
            }
        )
        seen_cue = seen_cue or cue
    return found


def _words(text: str) -> set[str]:
    """The words that say what a text is about, cut to their stems."""
    return {word[:_STEM] for word in _WORD.findall(text.lower()) if word not in _COMMON}


def split_sentences(text: str) -> list[str]:
    """Sentences in order, white space normalised. Formulas are kept whole; abbreviations and initials do not end one."""
    text = " ".join(text.split())
    formulas = [match.span() for match in _MATH.finditer(text)]
    sentences, start, formula = [], 0, 0
    for match in _BOUNDARY.finditer(text):
        at = match.start()
        while formula < len(formulas) and formulas[formula][1] - 1 <= at:
            formula += 1
        if formula < len(formulas) and formulas[formula][0] < at:
            continue
        before = text[max(start, at - _LONGEST_ABBREVIATION) : at + 1]
        if before.endswith(".") and (
            _ENDS_IN_ABBREVIATION.search(before)
            or (_ENDS_IN_INITIAL.search(before) and not _OPENER.match(text, match.end()))
        ):
            continue
        sentences.append(text[start : match.end("end")].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence and sentence.lower() not in ("abstract.", "abstract:")]
