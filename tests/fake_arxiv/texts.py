"""Invented titles, abstracts and authors, with the quirks of real ones (FACTS 9.1 and 9.3), and their Unicode forms."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random


@dataclass(frozen=True, slots=True)
class Person:
    """An author, in TeX. A collaboration has a keyname only."""

    forenames: str
    keyname: str
    suffix: str = ""
    affiliations: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name as arXiv's feed prints it; that of a collaboration begins with a blank (FACTS 2.3)."""
        return f"{self.forenames} {self.keyname}" + (f" {self.suffix}" if self.suffix else "")


_FORENAMES = (
    "Ada", "Bo", "Carla M.", "Dewi", "Emre", r"Fr\'ed\'eric", "Grace", "H. J.", r"I\~nigo", "J. -P.", "Kofi", "Li",
    "Mei-Ling", "Nadia", r"Ole {\O}.", "P.", "Qi", "Rosa", r"S{\l}awomir", "Tomoko",
)  # fmt: skip
_KEYNAMES = (
    "Sample", "Example", r"M\"uller-Probe", r"Nov\'ak", "de la Muestra", "Chen", "van der Test", "O'Sample", r"\v{Z}i\v{z}ek",
    "Lagoutiere", "Tanaka", r"Erd\H{o}s", "Smith", r"Gon\c{c}alves", "Nguyen", "Abdumalikov", r"{\AA}ngstr\"om", "Li",
)  # fmt: skip
_AFFILIATIONS = ("Univ. of Tests", "Univ. of Tests, Dept. X", "LJLL", 'Inst. f\\"ur Beispiele, Bonn', "Example Labs")

_ADJECTIVES = (
    "Sparse", "Robust", "Bayesian", "Supersymmetric", "Low-Resource", "Provable", "Causal", "Holographic", "Adaptive",
    "Non-Perturbative", "Multilingual", "Variational",
)  # fmt: skip
_NOUNS = (
    "Transformers", "Black Holes", "Kernels", "Amplitudes", "Language Models", "Estimators", "Conformal Blocks",
    "Parsers", "Wasserstein Flows", "Branes", "Benchmarks", "Gaussian Processes",
)  # fmt: skip
_GOALS = (
    "Translation", "Inference", "Quantum Gravity", "Summarization", "Model Selection", "Flat Space", "Dialogue",
    "Density Estimation", "de Sitter Space", "Speech", "Clustering", "Question Answering",
)  # fmt: skip
_TITLES = (
    "{adjective} {noun} for {goal}",
    "On {adjective} {noun} in {goal}",
    "{noun}: {adjective}, Fast & Open",
    "{adjective} {noun} with $\\ell_1$-Regularization for {goal}",
    "Do {noun} Need {goal}? A {adjective} View",
    'Why "{adjective}" {noun} Work 100\\% of the Time in {goal}',
    'K\\"ahler Geometry and {adjective} {noun} for {goal}',
    "{goal} with <100 {adjective} {noun}",
    "$O(n \\log n)$ {noun} and ~$\\alpha^2$ Corrections to {adjective} {goal}",
    "{adjective}{goal}",
)
_OPENINGS = (
    "We study {noun} for {goal}.",
    "Recent work on {noun} leaves {goal} open.",
    "{goal} is hard for {noun}.",
    "In this paper we propose {adjective} {noun} for {goal}.",
)
_SENTENCES = (
    "If $a<b$ and $c>d$ then the bound is tight.",
    "The method needs 10% of the data and costs $20 per run.",
    "We prove that $\\alpha \\le \\beta$ whenever $\\Gamma$ is finite.",
    "It builds on Schr\\\"odinger, Erd\\H{o}s and H\\'enon maps.",
    "The gain is \\emph{not} due to scale, but to \\textbf{data} & care.",
    "Code: \\url{https://example.org/code_a~b}.",
    "This is a state-of-the-art result\\unicode{x2014}and a simple one.",
    "Accuracy rises from 71.3\\% to 74.9\\% on the test_set.",
    "Errors shrink as $n^{-1/2}$, for <5 parameters as n^-1.",
    'A "simple" baseline (Smith et al.) isn\'t enough.',
    "We release all models.",
    "The limit $$\\lim_{n\\to\\infty} x_n = 0$$ exists.",
)


def make_title(rng: Random) -> str:
    """A title."""
    return rng.choice(_TITLES).format(
        adjective=rng.choice(_ADJECTIVES), noun=rng.choice(_NOUNS), goal=rng.choice(_GOALS)
    )


def make_abstract(rng: Random) -> str:
    """An abstract of two to five sentences."""
    opening = rng.choice(_OPENINGS).format(
        adjective=rng.choice(_ADJECTIVES), noun=rng.choice(_NOUNS), goal=rng.choice(_GOALS)
    )
    return " ".join([opening, *rng.sample(_SENTENCES, rng.randint(1, 4))])


def make_authors(rng: Random) -> tuple[tuple[Person, ...], str]:
    """Authors as arXiv's parser sees them, and the line in which their submitter named them, in one of five styles.

    By the rules of the parser a name is printed with a blank after each dot, what stands in one pair of parentheses is
    one affiliation, in which "and" becomes a comma, and who has none has that of the next author who has one (FACTS 9.3).
    """
    style = rng.choice(("commas", "and", "places", "numbers", "and", "places", "collaboration"))
    people = [_make_person(rng) for _ in range(rng.randint(1, 5))]
    people = list({(person.forenames, person.keyname): person for person in people}.values())
    written = [person.name.replace(". -", ".-") for person in people]
    if style == "collaboration":
        line = "The Sample Collaboration: " + ", ".join(written)
        return (Person("", "The Sample Collaboration"), *people), line
    if style in ("places", "numbers"):
        stays = [tuple(rng.sample(_AFFILIATIONS, rng.choice((0, 1, 1, 2)))) for _ in people]
        if style == "numbers":
            line = _numbered(written, stays)
        else:
            line = ", ".join(
                name + (f" ({' and '.join(stay)})" if stay else "") for name, stay in zip(written, stays, strict=True)
            )
            stays = [(",".join(stay),) if stay else () for stay in stays]
        for place in reversed(range(len(people) - 1)):
            stays[place] = stays[place] or stays[place + 1]
        return tuple(replace(person, affiliations=stay) for person, stay in zip(people, stays, strict=True)), line
    if style == "and" and len(written) > 1:
        return tuple(people), f"{', '.join(written[:-1])} and {written[-1]}"
    return tuple(people), ", ".join(written)


def _make_person(rng: Random) -> Person:
    keyname = rng.choice(_KEYNAMES)
    suffixed = " " not in keyname and rng.random() < 0.05
    return Person(rng.choice(_FORENAMES), keyname, rng.choice(("Jr.", "III")) if suffixed else "")


def _numbered(names: Sequence[str], stays: Sequence[tuple[str, ...]]) -> str:
    """``A (1), B (1,2) and C ((1) Univ. X, (2) Lab Y)``, or only names if nobody has an affiliation."""
    places = list(dict.fromkeys(place for stay in stays for place in stay))
    parts = [
        name + (f" ({','.join(str(places.index(place) + 1) for place in stay)})" if stay else "")
        for name, stay in zip(names, stays, strict=True)
    ]
    legend = ", ".join(f"({number}) {place}" for number, place in enumerate(places, 1))
    return ", ".join(parts) + (f" ({legend})" if legend else "")


_LETTERS = {
    r"{\O}": "Ø", r"{\l}": "ł", r"{\AA}": "Å", r"\c{c}": "ç", r"\H{o}": "ő", r"\v{Z}": "Ž", r"\v{z}": "ž", r"\~n": "ñ",
    r"\'e": "é", r"\'a": "á", r'\"u': "ü", r'\"a': "ä", r'\"o': "ö",
}  # fmt: skip
_GREEK = {r"\alpha": "α", r"\beta": "β", r"\Gamma": "Γ"}
_ACCENT = re.compile("|".join(map(re.escape, _LETTERS)))
_GREEK_LETTER = re.compile(rf"({'|'.join(map(re.escape, _GREEK))})(?![A-Za-z])")


def to_unicode(text: str, *, greek: bool) -> str:
    """What arXiv's conversion makes of the accents in these texts, and of the Greek letters in formulas (FACTS 3.2)."""
    if "\\" not in text:
        return text
    text = _ACCENT.sub(lambda match: _LETTERS[match[0]], text)
    return _GREEK_LETTER.sub(lambda match: _GREEK[match[1]], text) if greek else text
