r"""Over HTTP, a paper's texts are served as arXiv gives them, and beside them in their display form."""

from pathlib import Path

import httpx

from app.ingestion import Tools
from tests.api import ok, store
from tests.feeds import TUESDAY, Item

PAPER = Item(
    "2601.95001",
    title=r"Schr\"odinger {\it Bridges} for $a<b$ \& 100% of cases",
    abstract=r"We \emph{price}~$\alpha$-bridges at 20\%$\unicode{x2014}$at most, and c>d$. See \url{https://x.example/a\_b}.",
    creator=r"Bj\"orn \'Swi\k{a}tek (Universit\'e de Test), J.~P. {\O}re",
)
DISPLAY_TITLE = "Schrödinger Bridges for $a<b$ & 100% of cases"
DISPLAY_ABSTRACT = "We price $\\alpha$-bridges at 20%—at most, and c>d$. See https://x.example/a_b."


async def test_papers_have_both_forms(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, PAPER)
    listed = ok(await client.get("/v1/papers"))["items"][0]
    single = ok(await client.get(f"/v1/papers/{PAPER.id}"))
    for paper in (listed, single):
        assert (paper["title"], paper["abstract"]) == (PAPER.title, PAPER.abstract)
        assert (paper["display_title"], paper["display_abstract"]) == (DISPLAY_TITLE, DISPLAY_ABSTRACT)
        assert paper["authors"] == [
            {
                "name": r"Bj\"orn \'Swi\k{a}tek",
                "display_name": "Björn Świątek",
                "affiliations": [r"Universit\'e de Test"],
            },
            {"name": r"J.~P. {\O}re", "display_name": "J. P. Øre", "affiliations": []},
        ]


async def test_digests_have_both_forms(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    await store(tools, tmp_path, "cs.CL", TUESDAY, PAPER)
    created = ok(await client.post("/v1/digests", json={"channel": "cs.CL", "language": "en"}), 201)
    item = created["items"][0]
    assert (item["title"], item["abstract"]) == (PAPER.title, PAPER.abstract)
    assert (item["display_title"], item["display_abstract"]) == (DISPLAY_TITLE, DISPLAY_ABSTRACT)
    assert [author["display_name"] for author in item["authors"]] == ["Björn Świątek", "J. P. Øre"]

    address = f"/v1/digests/{created['id']}"
    markdown = (await client.get(f"{address}.md")).text
    assert f"[{DISPLAY_TITLE.replace('<', '&lt;')}](https://arxiv.org/abs/{PAPER.id})" in markdown
    assert "Björn Świątek (Université de Test), J. P. Øre" in markdown
    page = (await client.get(f"{address}.html")).text
    assert "Schrödinger Bridges for <math>" in page
    assert "bridges at 20%—at most, and c&gt;d$. See https://x.example/a_b." in page
    classic = (await client.get(f"{address}.md", params={"style": "classic"})).text
    assert "Schrödinger" not in classic
