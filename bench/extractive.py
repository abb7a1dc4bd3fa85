"""The built-in summariser against the English sentences of the older system: ROUGE-1 F and ROUGE-L F, mean over papers.

    .venv/bin/python -m bench.extractive [--fit] [--papers FOLDER]

Weights are fitted on the papers whose id ends in an even digit; what counts is the other half. Beside the method stand the
first, the last and a random sentence, and as the limit the sentence that has the highest ROUGE-1, which only one who knows
the answer can pick. ``--fit`` prints weights fitted anew instead. ROUGE is after C.-Y. Lin (ROUGE, 2004): lower-case words,
no stemming. Records without the English sentence are left out, and counted. The archive's abstracts are cut at 1,000
characters; the oracle and the baselines have the same cut texts.
"""

import argparse
import math
import random
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from app.archive_record import BrokenRecordError, read_record
from app.llm.extractive import WEIGHTS, features, pick_sentence, split_sentences

ARCHIVE = Path(__file__).resolve().parents[2] / "shared/data/cn-chat-arxiv/papers"
BY_HAND = {name: WEIGHTS[name] for name in ("too_long", "unfinished", "question")}
"""Not fitted: a sentence that breaks off scores well and reads badly."""


@dataclass(frozen=True, slots=True)
class Case:
    """A paper with the ROUGE-1 and the ROUGE-L of each of its sentences."""

    arxiv_id: str
    title: str
    abstract: str
    sentences: list[str]
    rouge: list[tuple[float, float]]


def rouge(candidate: str, reference: str) -> tuple[float, float]:
    """ROUGE-1 F and ROUGE-L F."""
    ours, theirs = (re.findall(r"[a-z0-9]+", text.lower()) for text in (candidate, reference))
    if not ours or not theirs:
        return 0.0, 0.0
    total = len(ours) + len(theirs)
    return 2 * (Counter(ours) & Counter(theirs)).total() / total, 2 * common_subsequence(ours, theirs) / total


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        before = 0
        for at, against in enumerate(other, 1):
            before, row[at] = row[at], before + 1 if word == against else max(row[at], row[at - 1])
    return row[-1]


def load(folder: Path) -> tuple[list[Case], dict[str, int]]:
    """The cases in order of their files, and how many records were left out, by reason."""
    cases: list[Case] = []
    left_out: Counter[str] = Counter()
    for file in sorted(folder.rglob("*.json")):
        try:
            record = read_record(file.read_bytes())
        except BrokenRecordError:
            left_out["broken"] += 1
            continue
        sentences = split_sentences(record.abstract)
        if record.tldr_en is None:
            left_out["no English sentence"] += 1
        elif not english(record.tldr_en):
            left_out["sentence not in English"] += 1
        elif not sentences:
            left_out["no abstract"] += 1
        else:
            scores = [rouge(sentence, record.tldr_en) for sentence in sentences]
            cases.append(Case(record.arxiv_id, record.title, record.abstract, sentences, scores))
    return cases, left_out


def english(text: str) -> bool:
    """Whether nine in ten letters are Latin: the older system's other language is Chinese."""
    letters = [letter for letter in text if letter.isalpha()]
    return sum(letter.isascii() for letter in letters) > 0.9 * len(letters)


def fit(cases: Sequence[Case], rounds: int = 200, step: float = 0.1, pull: float = 0.0003) -> dict[str, float]:
    """Weights that make the expected ROUGE largest if a sentence is drawn with the softmax of its score (Adam's steps)."""
    names = [name for name in WEIGHTS if name not in BY_HAND]
    papers = [
        (
            [[each[name] for name in names] for each in given],
            [sum(BY_HAND[name] * each[name] for name in BY_HAND) for each in given],
            [sum(scores) for scores in case.rouge],
        )
        for case in cases
        for given in [features(case.title, case.sentences)]
    ]
    weights, slope, size = ([0.0] * len(names) for _ in range(3))
    for turn in range(1, rounds + 1):
        gradient = [-pull * weight for weight in weights]
        for rows, fixed, gains in papers:
            scores = [
                sum(w * v for w, v in zip(weights, row, strict=True)) + f for row, f in zip(rows, fixed, strict=True)
            ]
            odds = [math.exp(score - max(scores)) for score in scores]
            chances = [odd / sum(odds) for odd in odds]
            expected = sum(chance * gain for chance, gain in zip(chances, gains, strict=True))
            for row, chance, gain in zip(rows, chances, gains, strict=True):
                for at, value in enumerate(row):
                    gradient[at] += chance * (gain - expected) * value / len(papers)
        for at, pushed in enumerate(gradient):
            slope[at] = 0.9 * slope[at] + 0.1 * pushed
            size[at] = 0.99 * size[at] + 0.01 * pushed**2
            weights[at] += step * (slope[at] / (1 - 0.9**turn)) / (math.sqrt(size[at] / (1 - 0.99**turn)) + 1e-8)
    return dict(zip(names, (round(weight, 1) for weight in weights), strict=True)) | BY_HAND


def mean(cases: Sequence[Case], pick: Callable[[Case], int]) -> tuple[float, float]:
    """Mean ROUGE-1 and ROUGE-L in percent of the sentences that ``pick`` gives the index of."""
    picked = [case.rouge[pick(case)] for case in cases]
    return 100 * sum(one for one, _ in picked) / len(picked), 100 * sum(long for _, long in picked) / len(picked)


def method(case: Case) -> int:
    """The service's choice."""
    picked = pick_sentence(case.title, case.abstract)
    assert picked is not None
    return case.sentences.index(picked)


def main() -> int:
    """Measure and print; returns 1 if the method is not better than the first sentence in both figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--fit", action="store_true", help="fit the weights anew and print them")
    parser.add_argument("--papers", type=Path, default=ARCHIVE, help="folder of the older system's records")
    options = parser.parse_args()
    if not options.papers.is_dir():
        print(f"The archive of the older system is not at {options.papers}: nothing to measure against.")
        return 2
    cases, left_out = load(options.papers)
    halves = {half: [case for case in cases if int(case.arxiv_id[-1]) % 2 == half] for half in (0, 1)}
    reasons = ", ".join(f"{number} {reason}" for reason, number in left_out.items()) or "none"
    print(f"{len(cases)} papers; left out: {reasons}")
    if not halves[0] or not halves[1]:
        print("Too few papers: both halves are needed.")
        return 2
    if options.fit:
        print(fit(halves[0]))
        return 0
    chance = random.Random(5)
    ways: dict[str, Callable[[Case], int]] = {
        "first sentence": lambda case: 0,
        "last sentence": lambda case: -1,
        "random sentence": lambda case: chance.randrange(len(case.sentences)),
        "longest sentence": lambda case: max(range(len(case.sentences)), key=lambda at: len(case.sentences[at])),
        "zhaiyao": method,
        "oracle (limit)": lambda case: max(range(len(case.sentences)), key=case.rouge.__getitem__),
    }
    print(f"{'':<18}fitted on: {len(halves[0]):>5} papers   held out: {len(halves[1]):>5} papers")
    print(f"{'':<18}{'ROUGE-1':>10}{'ROUGE-L':>12}   {'ROUGE-1':>10}{'ROUGE-L':>12}")
    held_out = {}
    for name, pick in ways.items():
        fitted, held_out[name] = mean(halves[0], pick), mean(halves[1], pick)
        print(f"{name:<18}{fitted[0]:>10.1f}{fitted[1]:>12.1f}   {held_out[name][0]:>10.1f}{held_out[name][1]:>12.1f}")
    started = process_time()
    for case in cases:
        pick_sentence(case.title, case.abstract)
    print(f"CPU per paper: {(process_time() - started) / len(cases) * 1e6:.0f} microseconds")
    better = all(ours > first for ours, first in zip(held_out["zhaiyao"], held_out["first sentence"], strict=True))
    return 0 if better else 1


if __name__ == "__main__":
    sys.exit(main())
