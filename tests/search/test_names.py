"""Whether two names may be one person's."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.search import follows
from app.search.names import is_named

SAME = [
    ("Ada Sample", "Ada Sample"),
    ("ada sample", "ADA SAMPLE"),
    ("A. Sample", "Ada Sample"),
    ("A Sample", "Ada Sample"),
    ("Ada Sample", "A. Sample"),  # Physicists print initials only.
    ("Sample, Ada", "Ada Sample"),
    ("Sample, A.", "Ada Sample"),
    ("Ada Sample", "Ada M. Sample"),
    ("Ada Maria Sample", "A. M. Sample"),
    ("A.M. Sample", "Ada Maria Sample"),
    ("Paul Erdos", r"Paul Erd\H{o}s"),
    ("Paul Erdős", "P. Erdös"),
    ("Łukasz Kaiser", "Lukasz Kaiser"),
    ("Xiao-Ming Wang", "Xiaoming Wang"),
    ("Xiao-Ming Wang", "X.-M. Wang"),
    ("Jean-Pierre Sample", "J.-P. Sample"),
    ("Y. A. Pashkin", "Yu. A. Pashkin"),
    ("Yuri Pashkin", "Yu. A. Pashkin"),
    ("Philippe Di Francesco", "P. Di Francesco"),
    ("Di Francesco, P.", "Philippe Di Francesco"),
    ("A. A. Abdumalikov", "A. A. Abdumalikov Jr."),
    ("Forney, Jr.", "Forney"),
    ("G. David Forney, Jr.", "G. David Forney"),
    ("ATLAS Collaboration", "The ATLAS Collaboration"),
    ("王伟", "王伟"),
    ("Sample", "Ada Sample"),  # Nothing speaks against it.
    ("Ada Garcia-Lopez", "Ada Garcia Lopez"),
]

OTHER = [
    ("Ada Sample", "Bo Sample"),
    ("A. Sample", "Bo Sample"),
    ("Ada Sample", "Ada Simple"),
    ("Ada M. Sample", "Ada K. Sample"),
    ("Ada Sample", "Ad Sample"),  # a name in full is no abbreviation
    ("Ada Sample", "Sample"),
    ("Wei Wang", "Wang Wei"),
    ("王伟", "王"),
    ("Ada S.", "Ada Sample"),
    ("", "Ada Sample"),
    ("Ada Sample", ""),
    ("...", "..."),
]


@pytest.mark.parametrize(("followed", "printed"), SAME)
def test_follows(followed: str, printed: str) -> None:
    assert follows(followed, printed)


@pytest.mark.parametrize(("followed", "printed"), OTHER)
def test_does_not_follow(followed: str, printed: str) -> None:
    assert not follows(followed, printed)


@pytest.mark.parametrize(
    ("words", "printed", "named"),
    [
        (("sample",), "Ada Sample", True),
        (("ada",), "Ada Sample", True),
        (("ada", "sample"), "Ada Maria Sample", True),
        (("sample", "ada"), "Ada Sample", True),  # A search box takes any order; Chinese names come in both.
        (("a", "sample"), "Ada Sample", True),
        (("ada", "sample"), "A. Sample", True),
        (("ada", "sample"), "Ada S. Other", False),
        (("a", "sample"), "Bo Sample", False),
        (("xiao-ming",), "Xiaoming Wang", True),
        (("xiaoming", "wang"), "Xiao-Ming Wang", True),
        (("di", "francesco"), "P. Di Francesco", True),
        (("sam",), "Ada Sample", False),
        (("王",), "王伟", True),
        (("erdos",), r"P. Erd\H{o}s", True),
    ],
)
def test_author_of_a_query(words: tuple[str, ...], printed: str, named: bool) -> None:
    assert is_named(words, printed) is named


def test_beginning_of_a_name() -> None:
    assert is_named(("sam",), "Ada Sample", is_prefix=True)
    assert not is_named(("amp",), "Ada Sample", is_prefix=True)


@given(st.text(max_size=40), st.text(max_size=40))
def test_never_raises(one: str, other: str) -> None:
    follows(one, other)
    is_named((one, other), other)


@given(st.from_regex(r"[A-Z][a-z]{1,8} ([A-Z]\. )?[A-Z][a-z]{2,9}", fullmatch=True))
def test_everybody_follows_themselves_in_every_form(name: str) -> None:
    given, family = name.rsplit(" ", 1)
    assume(given.lower() not in ("jr", "sr", "ii", "iii", "iv") and family.lower() != "iii")
    for form in (name, name.upper(), f"{family}, {given}", f"{name[0]}. {family}", f"{name} Jr."):
        assert follows(form, name) and follows(name, form)


def test_long_names_are_quick() -> None:
    assert not follows("A. " * 50_000, "B" * 100_000)
