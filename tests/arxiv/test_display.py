r"""The display form of arXiv's texts: what a reader sees, and that nothing is lost on the way."""

import json
import re
import time
from collections import Counter
from pathlib import Path
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.arxiv.display import MAX_REMEMBERED, display, display_pieces, may_have_tex
from app.arxiv.formulas import Formula, find_formulas
from app.arxiv.texnames import ACCENTS

CASES = [
    # Accents: as on arXiv's own pages.
    (r"Fr\'echet", "Fréchet", "acute"),
    (r"Monge-Amp\`ere", "Monge-Ampère", "grave, no quotation"),
    (r"It\^o", "Itô", "circumflex"),
    (r"Gr\"obner", "Gröbner", "diaeresis"),
    (r"ma\~nana", "mañana", "tilde, no tie"),
    (r"S\={a}mayik", "Sāmayik", "macron in braces"),
    (r"\.Zak, \.Istanbul", "Żak, İstanbul", "dot above"),
    (r"Schr\"{o}dinger", "Schrödinger", "the letter in braces"),
    (r"L{\'e}vy", "Lévy", "braces around, as in BibTeX"),
    (r"L{\'{e}}vy", "Lévy", "nested braces"),
    (r"L\'{{e}}vy", "Lévy", "braces in braces"),
    (r"{\'E}tale", "Étale", "a capital"),
    (r"Instru\c{c}\~ao", "Instrução", "cedilla, then tilde"),
    (r"Fran\c cois", "François", "a letter after a blank, which TeX swallows"),
    (r"Mato\v{s}, \v Capek", "Matoš, Čapek", "caron"),
    (r"Erd\H{o}s, Erd\H os", "Erdős, Erdős", "double acute"),
    (r"Wa\l{}\k{e}sa", "Wałęsa", "stroke ended by empty braces, ogonek"),
    (r"Ho\u{a}, \r{a}", "Hoă, å", "breve, ring"),
    (r"Ind\d{o}re, \b{d}", "Indọre, ḏ", "dot below, line below"),
    (r"\d x and \b y", r"\d x and \b y", "without braces these are macros of the author's own"),
    (r"\'\i nez, \'{\i}, \"\i", "ínez, í, ï", "the dotless i takes its accent"),
    (r"\^\j, \v{\j}", "ĵ, ǰ", "the dotless j"),
    (r"Ngu\~{\^e}n", "Nguễn", "two accents"),
    (r"\'\ae, \'{\o}", "ǽ, ǿ", "accents on letters that are commands"),
    (r"\'{x}", "x\u0301", "in braces an accent is meant, composed or not"),
    (r"don\'t", r"don\'t", "no such letter: an apostrophe"),
    (r"\"Hello\" he said", r"\"Hello\" he said", "no language writes Ḧ: a quotation"),
    (r"a\' b", r"a\' b", "an accent on nothing"),
    (r"\'{1}", r"\'{1}", "a digit has no accent"),
    (r"\'{e", r"\'{e", "cut off: shown as it is written"),
    (r"\~{} and \^{}", "~ and ^", "the characters themselves"),
    # Letters and symbols.
    (r"{\O}re, \O re, \O{}re", "Øre, Øre, Øre", "three ways to end a name"),
    (r"Stra{\ss}e, Gau\ss", "Straße, Gauß", "sharp s"),
    (r"{\AA}ngstr\"om, \aa, \ae, \oe", "Ångström, å, æ, œ", "letters"),
    (r"\L{}ukasz, \DJ", "Łukasz, Đ", "letters with a stroke"),
    (r"\lambda and \item", r"\lambda and •", "a longer name is another command"),
    (r"Tool\texttrademark{} by X\textregistered", "Tool™ by X®", "marks"),
    (r"\copyright 2024, \S 3, \dag", "© 2024, § 3, †", "symbols keep the blank after them"),
    (r"and so on \ldots", "and so on …", "ellipsis"),
    (r"\textless{}b\textgreater \& \textbackslash", "<b> & \\", "what TeX has to spell"),
    (r"17\textdegree C", "17° C", "degree"),
    (r"\LaTeX{} and \TeX", "LaTeX and TeX", "names"),
    # Escapes.
    (r"21\% to 40\%", "21% to 40%", "percent"),
    ("100% of cases", "100% of cases", "a percent sign begins no comment"),
    (r"Q\&A, AT&T", "Q&A, AT&T", "ampersand"),
    (r"a\_b \#1 \{x\}", "a_b #1 {x}", "underscore, hash, braces"),
    (r"US \$70k", "US $70k", "dollar"),
    (r"\$20 and \$30", "$20 and $30", "dollars that make no formula"),
    (r"US\$/A\$ rate", r"US\$/A\$ rate", "as dollars they would make a formula"),
    (r"{\&} and {\%}", "& and %", "braces around one character"),
    # Formulas.
    (r"$a<b$ and c>d$", "$a<b$ and c>d$", "a formula, and a lost dollar"),
    ("$20 and $30", "$20 and $30", "prices"),
    (r"less than $0.003 -- about~$5\%$", r"less than $0.003 – about $5\%$", "a price, then a formula"),
    (r"$\alpha~\%\emph{x}$~\%", r"$\alpha~\%\emph{x}$ %", "formulas stay byte for byte"),
    (r"$$x~y$$ \(x~y\) \[x~y\]", r"$$x~y$$ \(x~y\) \[x~y\]", "all delimiters"),
    (r"a~\begin{align*} x~&= y \end{align*}~b", r"a \begin{align*} x~&= y \end{align*} b", "environments"),
    (r"\emph{the $n_{i}$-th} one", "the $n_{i}$-th one", "a formula in a wrapper"),
    (r"train {$\varphi$}", r"train $\varphi$", "braces around one formula"),
    (r"{$k$}2 \& b", r"{$k$}2 \& b", "without the braces it would be no formula: nothing is touched"),
    (r"a$\unicode{x2014}$b", "a—b", "a formula that is only a character"),
    (r"$\unicode{x2014} x$", r"$\unicode{x2014} x$", "a formula that is more than a character"),
    (r"\beta-plane, \leq, x_{i}^2", r"\beta-plane, \leq, x_{i}^2", "formulas without dollars stay"),
    # Characters by number.
    (r"a\unicode{x2013}b \unicode{233}", "a–b é", "hexadecimal, decimal"),
    (r"\unicode{x202E} \unicode{xD800} \unicode{x0}", r"\unicode{x202E} \unicode{xD800} \unicode{x0}", "not to show"),
    (r"\unicode{x5c}alpha \unicode{x24}x$", r"\unicode{x5c}alpha \unicode{x24}x$", "no new commands and formulas"),
    (r"\unicode{x110000} \unicode{zz}", r"\unicode{x110000} \unicode{zz}", "no characters"),
    (r"a\unicode{xA0}b", "a b", "any blank is a blank"),
    # Wrappers.
    (r"\emph{a priori} \textbf{x} \textit{y}", "a priori x y", "fonts"),
    (r"\texttt{FedPower} \textsc{FastKmeans++}", "FedPower FastKmeans++", "more fonts"),
    (r"\textbf{\emph{(i)}} The", "(i) The", "nested"),
    (r"{\textbf{Foo}} {\bf bar}", "Foo bar", "braces around a wrapper"),
    (r"{\em tournament} {\it e.g.}, {\bfseries x}", "tournament e.g., x", "switches"),
    (r"\bf{Title} \em text", "Title text", "switches without their own braces"),
    (r"{\ul \emph{Te}}xt-I{\ul \emph{D}}", "Text-ID", "a wrapper used as a switch"),
    (r"is learning a \emph", r"is learning a \emph", "cut off before the argument"),
    (r"D:\path\text\x", r"D:\path\text\x", "no TeX, though the names are"),
    (r"\section*{Aims} \emph*{x} \'*{e}", r"\section*{Aims} x \'*{e}", "starred"),
    ("the model~Net(x)", "the model Net(x)", "no distribution"),
    (r"\underline{I}ntensity-\underline{f}ree", "Intensity-free", "parts of words"),
    (r"{\color{black} we} \textcolor{red}{propose}", "we propose", "the name of a colour is part of the command"),
    (r"at \url{https://x.org/a\_b~c--d}.", "at https://x.org/a_b~c--d.", "an address is not read further"),
    (r"\href{https://x.org}{our page}", "our page (https://x.org)", "a link shows both"),
    (r"\href{https://x.org}{https://x.org}", "https://x.org", "a link that is its own text"),
    (r"\href{https://x.org}", "https://x.org", "a link without a text"),
    (r"In \cite{Hop82}, \citet{K23}", "In [Hop82], [K23]", "citations stay visible"),
    (r"dimensions~\citep{Vacher-2021}", "dimensions [Vacher-2021]", "a citation after a tie"),
    (r"\citep[see][p.~3]{K23}", "\\citep[see][p. 3]{K23}", "a citation with notes is left as a command"),
    (r"the dataset\footnote{\url{https://x.org}}.", "the dataset (https://x.org).", "a footnote in parentheses"),
    (r"the dataset \footnote{See A.}", "the dataset (See A.)", "no second blank before it"),
    (r"\enquote{importance}", "“importance”", "csquotes"),
    (r"10\textsuperscript{-6}, CO\textsubscript{2}", "10⁻⁶, CO₂", "raised and lowered digits stay so"),
    (r"20\textsuperscript{th}, x\textsubscript{max}", "20th, x_max", "letters"),
    (r"2\textsuperscript{a+b c}", "2^(a+b c)", "what Unicode cannot raise"),
    (r"\begin{itemize} \item A \item B \end{itemize}", "• A • B ", "lists"),
    # What is not known stays.
    (
        r"\sysname{} closes \foo{a~b}{\'e} \x",
        r"\sysname{} closes \foo{a b}{é} \x",
        "unknown commands with their braces",
    ),
    (r"{\it\HB} works", r"\HB works", "a switch before an unknown command"),
    (r"\label{eq:1}", r"\label{eq:1}", "a label is not thrown away"),
    (r"C:\temp\new", r"C:\temp\new", "no TeX at all"),
    ("the set {0, 1} and a {class}", "the set {0, 1} and a {class}", "braces of sets and placeholders"),
    (r"{RET}reival-{A}ugmented {M}ultimodal", "RETreival-Augmented Multimodal", "braces that protect a capital"),
    (r"{zero-shot} f{x} {}", r"{zero-shot} f{x} {}", "braces that may be meant"),
    ("shape invariant model}.", "shape invariant model}.", "a brace too much"),
    (r"the G \textbf{FedP", "the G FedP", "cut off in a wrapper"),
    (r"see\footnote{the", r"see\footnote{the", "cut off in a wrapper that adds something"),
    ("ends in \\", "ends in \\", "a backslash at the end"),
    # Blanks and tildes.
    ("gradient descent~(GD), i.i.d.~losses", "gradient descent (GD), i.i.d. losses", "ties"),
    (r"Morris et al.\ show, e.\,g., a\\b", "Morris et al. show, e. g., a b", "spaces and line breaks"),
    (r"$ \ alpha$", r"$ \ alpha$", "a formula that a translator took apart"),
    ("decreased by ~10x, (~100) ~$5$", "decreased by ~10x, (~100) ~$5$", "about"),
    ("10~20 of 5~GHz", "10~20 of 5 GHz", "to, and a tie before a unit"),
    ("x ~ N(0,1), X~N(0,1)", "x ~ N(0,1), X~N(0,1)", "distributed as"),
    ("提高约~10%", "提高约~10%", "about, in a script without blanks"),
    ("http://x.edu/~user and www.x.edu/~user", "http://x.edu/~user and www.x.edu/~user", "home pages"),
    (r"http://x.edu/\~user/\~{}y", "http://x.edu/~user/~y", "home pages with an escaped tilde"),
    (r"introduce ~\textit{Henna}", "introduce Henna", "a tie beside a blank"),
    ("~", "~", "nothing else to show"),
    # Dashes.
    ("0.4--17.5%, Karush--Kuhn--Tucker", "0.4–17.5%, Karush–Kuhn–Tucker", "ranges and names"),
    ("a gap -- ranging --- from", "a gap – ranging — from", "between blanks"),
    ("the --help option, C-- code", "the --help option, C-- code", "no dashes"),
    ("a --> b, a-->b, <!-- x -->, ----", "a --> b, a-->b, <!-- x -->, ----", "arrows, comments, rules"),
    ("https://x.org/a--b", "https://x.org/a--b", "an address"),
    # Quotes.
    ("``spins'' and `best'", "“spins” and ‘best’", "TeX's quotes"),
    ('``model parsing", ``power-law``', "“model parsing”, “power-law”", "halves of other kinds"),
    ("\"without'' overlap, ''double'' x", "“without” overlap, “double” x", "more of them"),
    (r"``\emph{a} $f''$ `b' c''", "“a $f''$ ‘b’ c”", "around formulas and in each other"),
    ("\"plain\" don't 'x' 5'' f''", "\"plain\" don't 'x' 5'' f''", "none of them is TeX's"),
    ("`code` and ``cut off", "`code` and ``cut off", "without a partner"),
    ("`the model's goal'", "‘the model's goal’", "an apostrophe inside"),
    # Nothing to do.
    ("", "", "empty"),
    ("plain – text é 数", "plain – text é 数", "plain"),
]


@pytest.mark.parametrize(
    ("text", "shown"), [case[:2] for case in CASES], ids=[f"{case[2]}: {case[0]}" for case in CASES]
)
def test_cases(text: str, shown: str) -> None:
    assert display(text) == shown


# What may go: names of commands, numbers of characters, names of colours and of the environments of lists.
NAMES = re.compile(
    r"\\(?:unicode\s*\{[^{}]*\}|(?:text)?color(?:\[[A-Za-z]+\])?\{[A-Za-z0-9!.,-]*\}|(?:begin|end)\{[a-z]+\}|[A-Za-z]+|.)",
    re.DOTALL,
)


def letters(text: str) -> Counter[str]:
    """Count the letters and digits of a text, without accents."""
    return Counter(character for character in normalize("NFKD", text) if character.isalnum())


def without_names(text: str) -> str:
    """Return a text without the names of its commands; an escaped character stays, an accent does not.

    A link that is its own text counts once.
    """
    text = re.sub(r"\\href\{([^{}]*)\}\s*\{\1\}", r"\1", text)
    return NAMES.sub(lambda match: " " if match[0][1].isalpha() or match[0][1] in ACCENTS else match[0][1:], text)


def is_only_a_character(formula: Formula) -> bool:
    return re.fullmatch(r"\s*\\unicode\s*\{[^{}]*\}\s*", formula.source) is not None


def losses(text: str) -> list[str]:
    """Return what a reader of the display form would miss: letters, digits, formulas, and the characters < > % & $ # + =."""
    shown = display(text)
    lost = [f"{character} {number}x" for character, number in (letters(without_names(text)) - letters(shown)).items()]
    position = 0
    formulas = [formula for formula in find_formulas(text) if not is_only_a_character(formula)]
    for formula in formulas:
        found = shown.find(formula.written, position)
        if found < 0:
            lost.append(formula.written)
        position = max(found, position)
    dollars = 2 * sum(map(is_only_a_character, find_formulas(text)))
    written = without_names(text)
    for character in "<>%&$#+=":
        if shown.count(character) < written.count(character) - (dollars if character == "$" else 0):
            lost.append(character)
    return lost


def test_the_check_of_losses_finds_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.arxiv.test_display.display", lambda text: "so $x$")
    assert losses(r"so $x$") == []
    assert losses(r"so \emph{\%} $y$ < 1") == ["y 1x", "1 1x", "$y$", "<", "%"]


def test_nothing_is_lost_of_the_edge_cases(samples: Path) -> None:
    lines = (samples / "text-edge-cases.jsonl").read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert len(records) == 95
    lost = [
        (record["id"], name, loss)
        for record in records
        for name in ("title", "abstract")
        for loss in losses(record[name])
    ]
    assert lost == []


def test_nothing_is_lost_of_the_archive(archive_papers: Path) -> None:
    texts = []
    for path in sorted(archive_papers.rglob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        texts += [
            (path.stem, name, record[name]) for name in ("title", "abstract", "translated_abstract") if record.get(name)
        ]
    assert len(texts) > 2 * 2_703
    assert [(stem, name, loss) for stem, name, text in texts for loss in losses(text)] == []
    for stem, _, text in texts:
        prose = "".join([piece for piece in display_pieces(text) if isinstance(piece, str)])
        assert not re.search(r"\\(?:emph|text[a-z]{2}|url|cite[tp]?)\{|\\['\"`^]\{?[aeiou]|\\[%&#]", prose), (
            stem,
            prose,
        )
        again = display(display(text))
        assert again == display(text), stem


FRAGMENTS = st.one_of(
    st.sampled_from([case[0] for case in CASES]),
    st.sampled_from(
        [
            *(
                "\\",
                "{",
                "}",
                "$",
                "~",
                "`",
                "'",
                '"',
                "-",
                "\\'",
                '\\"',
                "\\c",
                "\\i",
                "\\emph{",
                "{\\bf ",
                "\\url{",
                "\\(",
                "\\)",
            ),
            *(
                "\\href{a}{",
                "\\footnote{",
                "\\unicode{x2014}",
                "\\textsuperscript{",
                "\\foo{",
                "\\$",
                "\\%",
                "\\ ",
                "\\\\",
                "\n",
            ),
            *(
                " ",
                "a",
                "B",
                "9",
                "数",
                "<",
                "%",
                "&",
                "\\begin{align}",
                "\\end{align}",
                "\\begin{itemize}",
                "\\color{red}",
                "[",
                "]",
            ),
        ]
    ),
    st.text(st.characters(categories=None), max_size=5),
)
TEXTS = st.lists(FRAGMENTS, max_size=14).map("".join)


@given(TEXTS)
@settings(max_examples=1_500, deadline=None)
def test_nothing_is_lost_of_any_text(text: str) -> None:
    assert losses(text) == []
    shown = display(text)
    assert bool(shown.strip()) == bool(text.strip())
    assert isinstance(shown, str)


@given(TEXTS)
@settings(max_examples=1_500, deadline=None)
def test_the_formulas_are_those_of_the_raw_text(text: str) -> None:
    pieces = display_pieces(text)
    shown = "".join([piece if isinstance(piece, str) else piece.written for piece in pieces])
    assert display(text) == shown
    formulas = [piece for piece in pieces if isinstance(piece, Formula)]
    assert [formula.written for formula in formulas] == [formula.written for formula in find_formulas(shown)]
    raw = list(find_formulas(text))
    assert formulas in (raw, [formula for formula in raw if not is_only_a_character(formula)])


@given(TEXTS)
@settings(max_examples=1_000, deadline=None)
def test_what_has_no_tex_is_its_own_display_form(text: str) -> None:
    shown = display(text)
    if not may_have_tex(shown):
        assert display(shown) == shown
    if not may_have_tex(text):
        assert shown == text


@given(st.lists(st.sampled_from([case[1] for case in CASES if case[0] != case[1]]), max_size=6).map(" ".join))
@settings(max_examples=300, deadline=None)
def test_a_display_form_with_nothing_left_to_read_stays_as_it_is(shown: str) -> None:
    if not re.search(r"[\\{]|://", shown):
        assert display(shown) == shown


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "\\",
            "{",
            "}",
            "{}",
            "$",
            "$$",
            "\\(",
            "\\[",
            "~",
            "-",
            "--",
            "`",
            "``",
            "''",
            '"',
            "\\'",
            "\\'{",
            "\\'{e}",
            "\\emph{",
        ),
        *(
            "\\foo{",
            "\\foo{}{}",
            "{\\bf ",
            "\\bf{",
            "\\url{",
            "\\url{a",
            "\\href{a}{",
            "\\unicode{x",
            "\\begin{align}",
            "\\c ",
        ),
        *(
            "\\footnote{",
            "\\textsuperscript{",
            "\\i",
            "\\$",
            "\\$a",
            "\\(the cat sat on",
            "https://a",
            "/~",
            "\\color{",
            "\\\\",
            "{A}b",
        ),
    ],
)
def test_time_is_linear_in_the_length(piece: str) -> None:
    for text in (piece * (100_000 // len(piece)), piece * (50_000 // len(piece)) + "}" * 50_000):
        start = time.process_time()
        assert display(text)
        assert time.process_time() - start < 2


def test_long_texts_are_read_like_short_ones() -> None:
    text = r"L\'evy " * MAX_REMEMBERED
    assert display(text) == "Lévy " * MAX_REMEMBERED
