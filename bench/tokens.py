"""Count the tokens of a paper: what is fixed about the prompt, the paper itself, and an answer as an older system gave it.

The papers are those of the cn-chat-arxiv archive, whose field ``total_tokens`` says what they cost that system. Its
abstracts are stored up to 1,000 characters only, although whole ones were translated; so papers with a whole abstract are
also counted apart, and for the others the abstract is reckoned from the translation.

Usage: python bench/tokens.py [--papers N] [--archive DIR] [--node-modules DIR]. Exit code 1 when the fixed part is over
its target. Tokens are counted with o200k_base: by ``tiktoken``, if it is installed and TIKTOKEN_CACHE_DIR is set, or by
the npm package ``js-tiktoken`` in --node-modules (js-tiktoken and base64-js, unpacked). Without either they are estimated.
"""

import argparse
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from app.llm.base import Detail, PaperText
from app.llm.glossary import Glossary
from app.llm.prices import estimate, estimate_tokens
from app.llm.prompts import build

TARGET = 200
ARCHIVE = Path(__file__).parents[2] / "shared/data/cn-chat-arxiv/papers"
STORED = 1_000
OLDER = ("translated_title", "translated_abstract", "tldr", "en_tdlr")
ENCODING = "o200k_base"
SCRIPT = """
const { getEncoding } = require("js-tiktoken");
const encoding = getEncoding("o200k_base");
const texts = JSON.parse(require("fs").readFileSync(0, "utf-8"));
console.log(JSON.stringify(texts.map((text) => encoding.encode(text, [], []).length)));
"""

Counter = Callable[[Sequence[str]], list[int]]


def best_counter(node_modules: Path | None) -> tuple[str, Counter]:
    """The best tokenizer there is, with its name."""
    if os.environ.get("TIKTOKEN_CACHE_DIR"):
        try:
            encoding = importlib.import_module("tiktoken").get_encoding(ENCODING)
            return f"{ENCODING} (tiktoken)", lambda texts: [len(encoding.encode_ordinary(text)) for text in texts]
        except Exception as error:
            print(f"tiktoken cannot be used: {error}", file=sys.stderr)
    node = shutil.which("node")
    if node and node_modules and (node_modules / "js-tiktoken").is_dir():
        version = json.loads((node_modules / "js-tiktoken/package.json").read_text())["version"]
        return f"{ENCODING} (js-tiktoken {version})", lambda texts: _with_node(node, node_modules, texts)
    return "AN ESTIMATE by scripts, no tokenizer", lambda texts: [estimate_tokens(text) for text in texts]


def _with_node(node: str, node_modules: Path, texts: Sequence[str]) -> list[int]:
    done = subprocess.run(
        [node, "-e", SCRIPT],
        input=json.dumps(list(texts)),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NODE_PATH": str(node_modules.resolve())},
    )
    counts: list[int] = json.loads(done.stdout)
    return counts


def fixed_parts(languages: Sequence[str], fields: Sequence[str], detail: Detail) -> dict[str, str]:
    """System, schema and the user's frame without a paper."""
    paper = PaperText("0000.00000", "TITLE", "ABSTRACT")
    prompt = build(paper, languages, detail, fields, Glossary.empty())
    return {
        "system": prompt.system,
        "schema": compact(prompt.schema),
        "frame": prompt.user.replace("TITLE", "").replace("ABSTRACT", ""),
    }


def compact(value: Any) -> str:
    """JSON without blanks."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def read_papers(archive: Path, number: int) -> list[dict[str, Any]]:
    """A sample of the archive's papers that have all that an answer needs, the same one every time."""
    papers = [json.loads(path.read_text("utf-8")) for path in sorted(archive.rglob("*.json"))]
    whole = [paper for paper in papers if all(paper.get(key) for key in (*OLDER, "total_tokens"))]
    print(
        f"{len(papers):,} papers in the archive, total_tokens {mean(p['total_tokens'] for p in papers):.0f} in the mean"
    )
    return random.Random(1).sample(whole, min(number, len(whole)))


def main() -> int:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", type=int, default=500)
    parser.add_argument("--archive", type=Path, default=ARCHIVE)
    modules = os.environ.get("NODE_PATH")
    parser.add_argument("--node-modules", type=Path, default=Path(modules) if modules else None)
    options = parser.parse_args()
    name, count = best_counter(options.node_modules)
    print(f"Counted with: {name}")
    cases: list[tuple[str, list[str], list[str], Detail]] = [
        ("zh", ["zh"], [], Detail.FULL),
        ("zh, brief", ["zh"], [], Detail.BRIEF),
        ("zh, 4 fields", ["zh"], ["motivation", "method", "result", "conclusion"], Detail.FULL),
        ("zh, de", ["zh", "de"], [], Detail.FULL),
        ("en only", ["en"], [], Detail.FULL),
    ]
    totals: dict[str, int] = {}
    for label, languages, fields, detail in cases:
        parts = fixed_parts(languages, fields, detail)
        counts = dict(zip(parts, count(list(parts.values())), strict=True))
        totals[label] = sum(counts.values())
        shown = ", ".join(f"{part} {number}" for part, number in counts.items())
        print(f"Fixed part, {label}: {totals[label]} ({shown}; without schema {totals[label] - counts['schema']})")
    papers = read_papers(options.archive, options.papers)
    _compare(papers, count, totals["zh"])
    print(f"Target: the fixed part for one language at most {TARGET}: {'met' if totals['zh'] <= TARGET else 'MISSED'}")
    return 0 if totals["zh"] <= TARGET else 1


def _compare(papers: list[dict[str, Any]], count: Counter, fixed: int) -> None:
    texts = [PaperText("", p["title"].partition("(arXiv:")[0].strip(), p["abstract"]) for p in papers]
    answers = [
        compact(
            {
                "tldr_en": p["en_tdlr"],
                "zh": {"title": p["translated_title"], "abstract": p["translated_abstract"], "tldr": p["tldr"]},
            }
        )
        for p in papers
    ]
    titles = count([text.title or "" for text in texts])
    abstracts = count([text.abstract or "" for text in texts])
    translated = count([p["translated_abstract"] for p in papers])
    out = count(answers)
    older = [p["total_tokens"] for p in papers]
    whole = [len(p["abstract"]) < STORED for p in papers]
    kept = [index for index, is_whole in enumerate(whole) if is_whole]
    growth = sum(translated[index] for index in kept) / sum(abstracts[index] for index in kept)
    reckoned = [
        count_ if is_whole else max(count_, round(chinese / growth))
        for count_, is_whole, chinese in zip(abstracts, whole, translated, strict=True)
    ]
    print(
        f"{len(papers)} papers, {len(kept)} with a whole abstract; Chinese abstract / English one: {growth:.2f} tokens"
    )
    for label, indexes, source in (
        ("whole abstracts only", kept, abstracts),
        ("all, abstracts as stored", range(len(papers)), abstracts),
        ("all, cut abstracts reckoned", range(len(papers)), reckoned),
    ):
        given = mean(fixed + titles[index] + source[index] for index in indexes)
        answered = mean(out[index] for index in indexes)
        before = mean(older[index] for index in indexes)
        print(
            f"{label}: in {given:.0f} + out {answered:.0f} = {given + answered:.0f} a paper; "
            f"the older system {before:.0f} ({(given + answered) / before:.0%})"
        )
    guesses = [estimate(text, ["zh"], Detail.FULL, [], Glossary.empty()) for text in texts]
    truth = [fixed + title + abstract for title, abstract in zip(titles, abstracts, strict=True)]
    print(
        f"app.llm.prices.estimate: in {sum(given for given, _ in guesses) / sum(truth):.1%} of the count; "
        f"out, whole abstracts, {sum(guesses[i][1] for i in kept) / sum(out[i] for i in kept):.1%}"
    )


if __name__ == "__main__":
    sys.exit(main())
