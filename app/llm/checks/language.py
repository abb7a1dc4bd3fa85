"""Is a text in the language that was asked for? By script, and among languages of the Latin script by function words.

Own rules in place of a library: the texts are one sentence to one page in a language known beforehand, so the question is
not "which language is it" but "was it left in English, or answered in another one". Unknown languages are not checked.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from app.llm.checks.finding import Answer, Finding, prose

_HAN: Final = "\u3005\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA: Final = "\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff"
_SCRIPTS: Final = {
    "Hani": _HAN,
    "Jpan": _HAN + _KANA,
    "Kore": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "Cyrl": "\u0400-\u052f",
    "Arab": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefe",
    "Hebr": "\u0590-\u05ff",
    "Grek": "\u0370-\u03ff\u1f00-\u1fff",
    "Deva": "\u0900-\u097f",
    "Beng": "\u0980-\u09ff",
    "Guru": "\u0a00-\u0a7f",
    "Gujr": "\u0a80-\u0aff",
    "Taml": "\u0b80-\u0bff",
    "Telu": "\u0c00-\u0c7f",
    "Knda": "\u0c80-\u0cff",
    "Mlym": "\u0d00-\u0d7f",
    "Sinh": "\u0d80-\u0dff",
    "Thai": "\u0e00-\u0e7f",
    "Laoo": "\u0e80-\u0eff",
    "Mymr": "\u1000-\u109f",
    "Geor": "\u10a0-\u10ff\u1c90-\u1cbf",
    "Ethi": "\u1200-\u139f",
    "Khmr": "\u1780-\u17ff",
    "Armn": "\u0530-\u058f",
    "Latn": "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff\u0300-\u036f",
}
_SCRIPT_OF: Final = {
    language: script
    for script, languages in {
        "Hani": "zh yue wuu nan hak lzh cmn",
        "Jpan": "ja",
        "Kore": "ko",
        "Cyrl": "ru uk be bg mk sr kk ky mn tg",
        "Arab": "ar fa ur ps ckb ug sd",
        "Hebr": "he iw yi",
        "Grek": "el",
        "Deva": "hi mr ne sa",
        "Beng": "bn as",
        "Guru": "pa",
        "Gujr": "gu",
        "Taml": "ta",
        "Telu": "te",
        "Knda": "kn",
        "Mlym": "ml",
        "Sinh": "si",
        "Thai": "th",
        "Laoo": "lo",
        "Mymr": "my",
        "Geor": "ka",
        "Ethi": "am ti",
        "Khmr": "km",
        "Armn": "hy",
        "Latn": "en de fr es pt it nl pl vi tr sv da nb nn no fi cs sk hu ro id ms ca hr sl et lv lt sq eu gl is ga sw af",
    }.items()
    for language in languages.split()
}
_LETTERS: Final = {script: re.compile(f"[{characters}]+") for script, characters in _SCRIPTS.items()}
_KANA_LETTERS: Final = re.compile(f"[{_KANA}]+")
_LATIN_WORD: Final = re.compile(f"[{_SCRIPTS['Latn']}]+")

WEIGHTS: Final = {"Hani": 3.4, "Kana": 1.7, "Kore": 2.2}
"""How many letters of English a character stands for in a translation; 1 in every other script. Measured for Chinese."""

# Words that no text is without, and that the other languages here have rarely; the first sort of word in each language.
_FUNCTION_WORDS: Final = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the of and that this which with from these our their has been by to for is are we it on as can not using",
        "de": "der die das und von zu mit den des dem ein eine einer eines einen ist sind für auf wird werden durch nicht wir",
        "fr": "le la les des du et une un est dans pour que qui nous sur par avec ce cette sont aux en de plus ces au",
        "es": "el la los las del de y en una un que para con por se es este esta son como mediante sobre al lo más",
        "pt": "o a os as do da dos das de e em uma um que para com por não é são este esta no na ao pela mais",
        "it": "il la lo gli le di del della dei delle e un una che per con è sono nel questo questa da al dal nella si",
        "nl": "de het een van en in is dat die voor met op zijn worden wordt door niet te we aan deze dit als om",
        "pl": "w i na z do się jest nie że oraz dla przez od które który która to jak tym tego są przy po za",
        "vi": "và của là các trong cho được với một có này những để không từ chúng tôi trên bằng đã",
        "tr": "ve bir bu için ile olarak olan da de daha çok en gibi üzerinde ise göre kadar biz",
        "sv": "och att det som en på är av för med till den har ett om inte vi kan från i",
        "da": "og at det som en på er af for med til den har et om ikke vi kan fra i der",
        "nb": "og at det som en på er av for med til den har et om ikke vi kan fra i vi",
        "fi": "ja on että se ei ovat myös joka tämä jotka kuin sekä tässä voidaan voi",
        "cs": "a v na se je že s z pro do jako které který která jsou k pomocí tento tato nebo při",
        "sk": "a v na sa je že s z pre do ako ktoré ktorý ktorá sú k pomocou tento táto alebo pri",
        "hu": "a az és egy hogy nem is ez amely meg mint által vagy volt ezt azt",
        "ro": "și în de la a cu pe un o este pentru care din ale prin sunt mai al că se",
        "id": "yang dan di dari untuk dengan pada ini dalam adalah kami sebagai oleh secara tidak dapat",
        "ca": "el la els les de del i en una un que per amb és aquest aquesta són com al dels",
    }.items()
}
_SAME_WORDS: Final = {"no": "nb", "nn": "nb", "ms": "id", "gl": "pt"}
_FEWEST_WORDS: Final = 6
"""A text with fewer words shows its language by chance only."""

# Letters that one has and the other has not, as both have the same script.
_FOREIGN_LETTERS: Final = {"ru": re.compile("[іїєґІЇЄҐ]"), "uk": re.compile("[ыэъёЫЭЪЁ]")}
# Characters that occur in nearly every text, and that the other way of writing does not have.
_SIMPLIFIED: Final = re.compile("[这来对们实验过时学习个种为与从构问题将训练络数据结显现简单仅]")
_TRADITIONAL: Final = re.compile("[這來對們實驗過時學習個種為與從構問題將訓練絡數據結顯現簡單僅]")


def check_language(answer: Answer) -> Iterator[Finding]:
    """language: every text is in the language asked for."""
    for name, text in answer.texts.items():
        language = answer.language_of(name)
        # Names and the like stay as they are in any language: a title of one or two words may.
        if name == "title" and len(answer.source(name).split()) <= 2:
            continue
        if not in_language(text, language, is_title=name == "title"):
            asked = "English" if language == "en" else f"the language asked for ({language})"
            yield Finding("language", f"The {name} is not in {asked}.", True)


def in_language(text: str, tag: str, *, is_title: bool = False) -> bool:
    """Whether ``text`` may pass for one in the language ``tag`` (BCP 47); True where that cannot be told."""
    language, *subtags = re.split("[-_]", tag.lower())
    script = next((subtag.title() for subtag in subtags if subtag.title() in _SCRIPTS), _SCRIPT_OF.get(language))
    if script is None:
        return True
    text = prose(text)
    if script == "Latn":
        return _in_latin_script(text) and _has_words_of(text, language)
    if not _in_script(text, script):
        return False
    if language == "ja":
        return is_title or _count(_KANA_LETTERS, text) >= 0.1 * _count(_LETTERS["Jpan"], text)
    if script == "Hani":
        return _is_chinese(text, subtags)
    if language in _FOREIGN_LETTERS:
        return _count(_FOREIGN_LETTERS[language], text) <= 0.01 * _count(_LETTERS[script], text)
    return True


def _in_script(text: str, script: str) -> bool:
    """Whether the script prevails over words in Latin letters; names, known by a capital letter, count little."""
    own = weight("".join(_LETTERS[script].findall(text)))
    latin = _LATIN_WORD.findall(text)
    plain = sum(len(word) for word in latin if word.islower())
    in_latin = sum(map(len, latin))
    others = sum(map(str.isalpha, text)) - _count(_LETTERS[script], text) - in_latin
    return own > 0 and own >= plain + others and own >= 0.15 * in_latin


def _is_chinese(text: str, subtags: list[str]) -> bool:
    """Not Japanese, and written as asked: traditional for zh-Hant, zh-TW and their kin, else simplified."""
    if _count(_KANA_LETTERS, text) > 0.1 * _count(_LETTERS["Hani"], text):
        return False
    # A character that both have (為) decides nothing, as only a clear majority counts.
    simplified, traditional = _count(_SIMPLIFIED, text), _count(_TRADITIONAL, text)
    if {"hant", "tw", "hk", "mo"} & set(subtags):
        return simplified <= traditional
    return traditional <= simplified + 1


def _in_latin_script(text: str) -> bool:
    letters = sum(map(str.isalpha, text))
    return letters == 0 or _count(_LETTERS["Latn"], text) >= 0.6 * letters


def _has_words_of(text: str, language: str) -> bool:
    """Whether no other language's function words are twice as many; where the words are not known, whether it is English."""
    language = _SAME_WORDS.get(language, language)
    words = Counter(_LATIN_WORD.findall(text.lower()))
    if words.total() < _FEWEST_WORDS:
        return True
    found = {other: sum(words[word] for word in known) for other, known in _FUNCTION_WORDS.items()}
    best = max(found.values())
    if language not in _FUNCTION_WORDS:
        return found["en"] < best or best < 0.2 * words.total()
    return best < 3 or 2 * found[language] > best


def weight(text: str) -> float:
    """A text's length in letters of English, so that lengths compare across scripts."""
    if text.isascii():
        return len(text)
    han, kana, hangul = (_count(letters, text) for letters in (_LETTERS["Hani"], _KANA_LETTERS, _LETTERS["Kore"]))
    return len(text) + (WEIGHTS["Hani"] - 1) * han + (WEIGHTS["Kana"] - 1) * kana + (WEIGHTS["Kore"] - 1) * hangul


def _count(letters: re.Pattern[str], text: str) -> int:
    """How many characters of ``text`` a pattern of runs matches."""
    return sum(map(len, letters.findall(text)))
