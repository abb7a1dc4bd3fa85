"""Invented sentences in several languages, that carry the numbers and formulas of a source as a translation does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Bank:
    """The parts of a language's sentences: a sentence has one of each of ``parts``, which are all equally many.

    ``ratio`` is how long a text is compared with its English source; ``clause`` holds what is carried over.
    """

    parts: tuple[tuple[str, ...], ...]
    titles: tuple[str, ...]
    ratio: float
    blank: str = " "
    stop: str = "."
    clause: str = " ({})"
    comma: str = ", "


_CHINESE = Bank(
    (
        ("本文", "我们", "该方法", "所提模型", "这项工作", "实验结果", "理论分析", "新的算法"),
        (
            "系统地研究了", "明显改进了", "详细说明了", "进一步验证了",
            "重新审视了", "有效提升了", "定量比较了", "完整给出了",
        ),
        (
            "复杂数据下的参数估计问题", "不同条件下的收敛速度与误差", "大规模语料中的语义表示", "观测结果与理论预测的差异",
            "稀疏样本下的稳健推断", "常用任务上的整体性能", "长程相互作用的物理机制", "多任务学习的泛化能力",
        ),
    ),
    ("面向稀疏数据的稳健估计方法", "复杂系统中的语义表示研究", "基于统计推断的收敛性分析", "多任务场景下的物理机制探讨"),
    0.33, "", "。", "（含 {}）", "、",
)  # fmt: skip
_SIMPLIFIED = "们该这项实验结论统显进详细说审视给复杂数据参计问题条敛误规语义观测预样稳断体长机务学习与较场异证讨"
_TRADITIONAL = "們該這項實驗結論統顯進詳細說審視給複雜數據參計問題條斂誤規語義觀測預樣穩斷體長機務學習與較場異證討"
_HANT = str.maketrans(_SIMPLIFIED, _TRADITIONAL)


def _traditional(parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(part.translate(_HANT) for part in parts)


_BANKS = {
    "zh": _CHINESE,
    "zh-Hant": replace(
        _CHINESE, parts=tuple(map(_traditional, _CHINESE.parts)), titles=_traditional(_CHINESE.titles)
    ),
    "en": Bank(
        (
            ("This paper", "The proposed method", "The present work", "Our approach", "The new model", "A careful analysis"),
            ("describes", "improves", "measures", "explains", "revisits", "makes possible"),
            (
                "the estimation of parameters", "the decay of errors", "the meaning of texts", "the link to observations",
                "the known results", "the transfer of skills",
            ),
            (
                "with few data", "on common benchmarks", "in many dimensions", "under weak assumptions",
                "for several tasks", "beyond the usual limits",
            ),
        ),
        ("Robust Estimation from Few Data", "A Study of Long Texts", "Theory and Observation Compared"),
        1.0,
    ),
    "de": Bank(
        (
            ("Diese Arbeit", "Die Methode", "Der neue Ansatz", "Das Modell", "Der Vergleich", "Die Analyse"),
            ("beschreibt", "verbessert", "untersucht", "bestimmt", "erklärt", "ermöglicht"),
            (
                "die Schätzung der Parameter", "die Abnahme der Fehler", "die Bedeutung von Texten",
                "den Vergleich mit der Theorie", "die bekannten Ergebnisse", "das Lernen von Aufgaben",
            ),
            (
                "bei wenigen Daten", "auf üblichen Testdaten", "in vielen Dimensionen", "unter schwachen Annahmen",
                "für mehrere Sprachen", "mit einem neuen Verfahren",
            ),
        ),
        ("Robuste Schätzung bei wenigen Daten", "Untersuchung von langen Texten", "Theorie und Beobachtung im Vergleich"),
        1.1,
    ),
    "fr": Bank(
        (
            ("Cet article", "La méthode", "Notre approche", "Le modèle", "La comparaison", "Une analyse"),
            ("décrit", "améliore", "étudie", "détermine", "explique", "rend possible"),
            (
                "l'estimation des paramètres", "la décroissance des erreurs", "le sens des textes",
                "le lien avec les observations", "les résultats connus", "l'apprentissage des tâches",
            ),
            (
                "avec peu de données", "sur les jeux usuels", "en grande dimension", "sous des hypothèses faibles",
                "pour plusieurs langues", "au-delà des limites connues",
            ),
        ),
        ("Estimation robuste avec peu de données", "Une étude des textes longs", "La théorie et les observations"),
        1.1,
    ),
    "ru": Bank(
        (
            ("Эта работа", "Новый метод", "Наш подход", "Модель", "Сравнение", "Анализ"),
            ("описывает", "улучшает", "объясняет", "определяет", "исследует", "уточняет"),
            (
                "оценку параметров", "скорость убывания ошибок", "представление смысла", "связь с наблюдениями",
                "известные результаты", "обучение многим задачам",
            ),
            (
                "при малом числе данных", "на известных наборах", "в больших размерностях", "при слабых условиях",
                "для нескольких языков", "за пределами теории",
            ),
        ),
        ("Устойчивая оценка при малом числе данных", "Исследование длинных текстов", "Теория и наблюдения в сравнении"),
        1.0,
    ),
    "ja": Bank(
        (
            ("本論文は", "提案手法は", "この研究は", "新しいモデルは", "比較実験は", "理論的な解析は"),
            (
                "少ないデータからのパラメータ推定を", "誤差が減る速さとその限界を", "長い文章の意味の表し方を",
                "理論と観測との関係を", "よく知られた評価データでの性能を", "多くの課題を一度に学ぶ方法を",
            ),
            ("詳しく調べる", "大きく改善する", "明らかにする", "新たに説明する", "あらためて検討する", "可能にする"),
        ),
        ("少ないデータからの頑健な推定", "長い文章の意味についての研究", "理論と観測との比較"),
        0.45, "", "。", "（{} を含む）", "、",
    ),
}  # fmt: skip

# As in pandoc: "$20 and $30" is money, because the second dollar has a blank before it and a digit after it.
FORMULA = re.compile(r"\$\$[^$]+\$\$|(?<!\\)\$(?=\S)(?:\\.|[^$\\])*(?<=\S)\$(?!\d)|\\\(.*?\\\)|\\\[.*?\\\]", re.DOTALL)
"""A formula of a source, dollars and all."""
_KEPT = re.compile(rf"{FORMULA.pattern}|[^\s$]*\d[^\s$]*", re.DOTALL)
_EDGES = ".,;:!?()[]{}\"'`~"


def bank(language: str) -> Bank:
    """The sentences of a language tag; English ones where there are none."""
    if re.match(r"zh-(Hant|TW|HK|MO)", language):
        return _BANKS["zh-Hant"]
    return _BANKS.get(language.partition("-")[0], _BANKS["en"])


@lru_cache(maxsize=4096)
def kept(source: str) -> tuple[str, ...]:
    """What a translation takes over as it is: formulas, and words with a digit, in order."""
    tokens = []
    for match in _KEPT.finditer(source):
        token = match[0]
        if not FORMULA.fullmatch(token):
            token = token.strip(_EDGES)
            token += ")" if token.count("(") == token.count(")") + 1 else ""
            token += "}" if token.count("{") == token.count("}") + 1 else ""
        tokens.append(" ".join(token.split()))
    return tuple(tokens)


def sentence(language: str, seed: str, position: int = 0, tokens: Sequence[str] = ()) -> str:
    """One sentence, the same for the same seed; a hundred positions have different ones.

    All parts step on with every position, and shift against each other, so that neighbours seldom meet again.
    """
    words = bank(language)
    size = len(words.parts[0])
    number, (turns, position) = crc32(seed.encode()), divmod(position, size)
    rounds = turns // size
    said = (
        part[(number // size**place + position + turns * place + rounds * place**2) % size]
        for place, part in enumerate(words.parts)
    )
    clause = words.clause.format(words.comma.join(tokens)) if tokens else ""
    return words.blank.join(said) + clause + words.stop


@lru_cache(maxsize=4096)
def translated_title(language: str, title: str) -> str:
    """A title that keeps what ``title`` has of numbers and formulas; in English it is the title itself."""
    if language.partition("-")[0] == "en":
        return title
    words = bank(language)
    tokens = kept(title)
    clause = words.clause.format(words.comma.join(tokens)) if tokens else ""
    return words.titles[crc32(title.encode()) % len(words.titles)] + clause


@lru_cache(maxsize=4096)
def translated(language: str, source: str) -> str:
    """A text as long as a translation of ``source``, with its numbers and formulas, and no sentence twice if possible."""
    words = bank(language)
    tokens = kept(source)
    wanted = (len(source) - sum(map(len, tokens))) * words.ratio
    length = len(words.clause) * min(len(tokens), 3)
    for number in count(1):
        length += len(sentence(language, source, number)) + len(words.blank)
        if length >= wanted:
            break
    share = -(-len(tokens) // number)
    return words.blank.join(
        sentence(language, source, position + 1, tokens[position * share : (position + 1) * share])
        for position in range(number)
    )
