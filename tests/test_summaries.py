"""Summaries: the extractive summariser, and how a digest gains from summaries that arrive later."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app import digests, summaries
from app.archive import import_archive
from app.ingestion import Tools, ingest
from app.llm import Detail, Made, PaperText, SummariserError
from app.llm.extractive import ExtractiveSummariser, pick_sentence, split_sentences
from app.tasks import summarize
from app.worker import work_off
from tests.fake_arxiv import FakeArxiv
from tests.feeds import TUESDAY, WEDNESDAY, Item, rss

Work = Callable[[], Awaitable[None]]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two. Three.", ["One.", "Two.", "Three."]),
        ("We use e.g. Two methods, i.e. A and B.", ["We use e.g. Two methods, i.e. A and B."]),
        ("See Fig. 3 and Smith et al. Then stop.", ["See Fig. 3 and Smith et al. Then stop."]),
        ("It is 0.95 of U.S. Data by J. R. Doe.", ["It is 0.95 of U.S. Data by J. R. Doe."]),
        ("Let $x. Y$ be. Then $z$ is.", ["Let $x. Y$ be.", "Then $z$ is."]),
        ("Really? Yes! (It is.) Done", ["Really?", "Yes!", "(It is.)", "Done"]),
        ("Abstract. We do.", ["We do."]),
        ("Two\nlines  here. And\n\nmore.", ["Two lines here.", "And more."]),
        (
            "It costs $20 and more. It sells for $30 or so. End.",
            ["It costs $20 and more.", "It sells for $30 or so.", "End."],
        ),
        ("Speed, memory, etc. This is hard.", ["Speed, memory, etc.", "This is hard."]),
        ("It beats subtask B. We stop.", ["It beats subtask B.", "We stop."]),
        ("By George B. Moody of the U.S. Navy.", ["By George B. Moody of the U.S. Navy."]),
        ("There are outliers.We drop them.", ["There are outliers.", "We drop them."]),
        ("We use Node.Js and numpy.Int here.", ["We use Node.Js and numpy.Int here."]),
        ("It costs memory. mBERT does not.", ["It costs memory.", "mBERT does not."]),
        ("Let $$x. Y$$ be. End.", ["Let $$x. Y$$ be.", "End."]),
        ("", []),
        ("   ", []),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@pytest.mark.parametrize(
    ("abstract", "picked"),
    [
        ("Parsing is hard. In this paper, we propose a parser. It is fast.", "In this paper, we propose a parser."),
        (
            "Parsers matter. However, we show little here. This work presents PARSE, a parser.",
            "This work presents PARSE, a parser.",
        ),
        ("A single sentence without any cue", "A single sentence without any cue"),
        (
            "This work presents PARSE, a parser. Moreover, we propose a new parser of trees for the parser to par",
            "This work presents PARSE, a parser.",
        ),
        ("One. One. One.", "One."),
    ],
)
def test_the_sentence_that_says_what_is_new(abstract: str, picked: str) -> None:
    assert pick_sentence("A Parser", abstract) == picked


@pytest.mark.parametrize(
    "unit",
    [
        "We show e.g. A. B. C. and $x. Y$ here. ",
        "we " * 9,
        "$",
        "$$a",
        ". ",
        ".)",
        "A.",
        "x",
        "((",
        "\\",
        "其它。",
        "We. 1 ",
        "a.We ",
    ],
)
def test_a_long_text_loses_nothing_and_one_sentence_of_it_is_picked(unit: str) -> None:
    text = (unit * 100_000)[:100_000]
    sentences = split_sentences(text)
    assert "".join("".join(sentences).split()) == "".join(text.split())
    assert pick_sentence(text, text) in sentences


async def test_without_an_abstract_there_is_no_summary_but_a_reason() -> None:
    with pytest.raises(SummariserError, match="no abstract"):
        await ExtractiveSummariser().summarize(PaperText("2601.95001", "T", None), ["en"])


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def new_digest(client: httpx.AsyncClient, **body: Any) -> Any:
    answer = await client.post("/v1/digests", json={"channel": "cs.CL"} | body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def ask(client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work, *items: Item) -> None:
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, *items))
    await client.post("/v1/ingestions", json={"category": "cs.CL"})
    await work()


async def test_without_a_model_a_chinese_digest_has_the_english_sentence_and_says_so(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    await ask(client, fake_arxiv, work, Item("2601.95001"))
    digest = await new_digest(client)
    [item] = digest["items"]
    assert (item["summary_status"], item["tldr"], item["tldr_en"]) == ("done", None, "We propose a test.")
    assert item["summary"]["origin"] == "extractive"
    assert (digest["receipt"]["summarized"], digest["receipt"]["untranslated"]) == (1, 1)


async def test_a_summary_that_arrives_later_makes_a_new_revision(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, Item("2601.95001")))
    await ingest(tools, "cs.CL")
    first = await new_digest(client, language="en")
    assert (first["revision"], first["receipt"]["pending"], first["items"][0]["abstract"]) == (
        1, 1, "We propose a test. It passes.",
    )  # fmt: skip
    await work()
    again = await new_digest(client, language="en")
    assert (again["id"], again["revision"]) == (first["id"], 2)
    assert again["receipt"] | {"missing": []} == {
        "announced": 1, "stored": 1, "summarized": 1, "pending": 0, "failed": 0, "untranslated": 0, "missing": [],
        "incomplete": [], "not_matching": 0, "shown_before": 0, "held_over": 0, "carried_over": 0,
    }  # fmt: skip
    assert await get(client, f"/v1/digests/{first['id']}?revision=1") == first


class Failing(ExtractiveSummariser):
    """A summariser that refuses one paper."""

    async def summarize(self, paper: PaperText, languages: Sequence[str], detail: Detail = Detail.FULL) -> Made:
        if paper.arxiv_id == "2601.95002":
            raise SummariserError("the model answered nonsense")
        return await super().summarize(paper, languages, detail)


async def test_a_failed_summary_never_drops_the_paper(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, database_url: str
) -> None:
    fake_arxiv.serve(
        "cs.CL", rss("cs.CL", TUESDAY, Item("2601.95001"), Item("2601.95002"), Item("2601.95003", abstract=""))
    )
    await ingest(tools, "cs.CL")
    await work_off(replace(tools, summariser=Failing()), database_url)
    digest = await new_digest(client)
    status = {item["arxiv_id"]: (item["summary_status"], item["summary_error"]) for item in digest["items"]}
    assert status["2601.95001"] == ("done", None)
    assert status["2601.95002"] == ("failed", "the model answered nonsense")
    assert status["2601.95003"][0] == "failed"
    receipt = digest["receipt"]
    assert (receipt["announced"], receipt["stored"], receipt["summarized"], receipt["failed"]) == (3, 3, 1, 2)
    text = (await client.get(f"/v1/digests/{digest['id']}.md")).text
    assert all(f"/abs/{arxiv_id}" in text for arxiv_id in status)


async def test_a_replacement_with_another_abstract_is_summarised_anew(
    client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    await ask(client, fake_arxiv, work, Item("2601.95001"))
    old = await new_digest(client)
    changed = Item("2601.95001", version=2, type="replace", abstract="We propose another test.")
    fake_arxiv.serve("cs.CL", rss("cs.CL", WEDNESDAY, changed))
    await client.post("/v1/ingestions", json={"category": "cs.CL"})
    await work()
    new = await new_digest(client)
    assert new["items"][0]["tldr_en"] == "We propose another test."
    assert new["items"][0]["summary"]["paper_version"] == 2
    assert (await get(client, f"/v1/digests/{old['id']}?revision={old['revision']}"))["items"] == old["items"]


async def test_running_twice_makes_no_second_summary(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work
) -> None:
    for _ in range(2):
        await ask(client, fake_arxiv, work, Item("2601.95001"))
        await new_digest(client)
    async with tools.database.transaction() as session:
        assert (await session.execute(text("SELECT count(*) FROM summaries"))).scalar_one() == 1
        jobs = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'summarize'")
        assert (await session.execute(jobs)).scalar_one() == 1


async def test_an_english_digest_takes_the_english_sentence_of_another_language_and_nothing_else(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    file = tmp_path / "24/03/2403.90001.json"
    file.parent.mkdir(parents=True)
    texts = {"title": "T", "abstract": "A.", "link": "http://arxiv.org/abs/2403.90001", "translated_title": "标题",
             "translated_abstract": "摘要。", "tldr": "一句。", "en_tdlr": "One."}  # fmt: skip
    file.write_text(json.dumps(texts))
    await import_archive(tools.database, tmp_path)
    answer = await client.post("/v1/digests", json={"paper_ids": ["2403.90001"], "language": "en"})
    [item] = answer.json()["items"]
    assert (item["tldr"], item["tldr_en"]) == ("One.", "One.")
    assert (item["translated_title"], item["translated_abstract"]) == (None, None)
    assert answer.json()["receipt"]["untranslated"] == 0


async def test_a_translation_outlives_a_listing_that_completes_or_replaces_its_paper(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv, work: Work, tmp_path: Path
) -> None:
    file = tmp_path / "24/02/2402.90001.json"
    file.parent.mkdir(parents=True)
    texts = {"title": "T", "abstract": "We propose", "link": "http://arxiv.org/abs/2402.90001", "translated_title": "标题",
             "translated_abstract": "摘要。", "tldr": "一句。", "en_tdlr": "One."}  # fmt: skip
    file.write_text(json.dumps(texts))
    await import_archive(tools.database, tmp_path)
    for version, stale in ((1, False), (2, True)):
        kind = "new" if version == 1 else "replace"
        await ask(
            client, fake_arxiv, work, Item("2402.90001", version=version, type=kind, abstract=f"Version {version}.")
        )
        [item] = (await new_digest(client, language="zh"))["items"]
        assert (item["version"], item["tldr"], item["summary"]["stale"]) == (version, "一句。", stale)


async def test_a_summary_that_ends_while_a_digest_is_composed_is_not_missed(
    tools: Tools, client: httpx.AsyncClient, fake_arxiv: FakeArxiv
) -> None:
    fake_arxiv.serve("cs.CL", rss("cs.CL", TUESDAY, Item("2601.95001")))
    await ingest(tools, "cs.CL")
    wanted = digests.Wanted(language="zh", channel="cs.CL", from_=TUESDAY, to=TUESDAY)
    async with tools.database.transaction() as session:
        composed = (await digests.compose(session, wanted, tools.summariser)).document
        [summary_id] = await summaries.waiting(session, ["2601.95001"], "zh")
        # The digest has read "pending" and is not committed yet; the summary ends in this very moment.
        ending = asyncio.create_task(summarize(tools, summary_ids=[summary_id]))
        await asyncio.sleep(0.3)
        assert not ending.done()
    assert (await ending)["status"] == "done"
    async with tools.database.transaction() as session:
        query = text("SELECT args FROM procrastinate_jobs WHERE task_name = 'compose' AND args ? 'digest_id'")
        assert list(await session.scalars(query)) == [{"digest_id": composed.id}]
