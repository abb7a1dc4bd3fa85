"""The older system's real archive: imported once, then everything that is promised of it, over the API."""

import csv
import io
import re
import zipfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import rispy
from bibtexparser.entrypoint import parse_string
from lxml import etree

from app.archive import import_archive
from app.archive_record import read_record
from app.arxiv.display import display
from app.db import Database, upgrade
from app.door import Door
from app.ingestion import Tools
from app.llm import make_summariser
from app.main import create_app
from app.postgres import EmbeddedPostgres
from tests.conftest import _execute, make_settings
from tests.render.reading import read, readers

PAGE = 200


@pytest.fixture(scope="module")
async def archive(
    postgres: EmbeddedPostgres, archive_papers: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a service that has imported the archive; these tests only read and compose."""
    _execute(postgres, "CREATE DATABASE real_archive")
    url = postgres.url("real_archive")
    upgrade(url)
    database = Database(url)
    await import_archive(database, archive_papers)
    async with httpx.AsyncClient() as outward:
        tools = Tools(
            make_settings(tmp_path_factory.mktemp("data")),
            database,
            Door(database, outward, timedelta(0)),
            make_summariser(),
        )
        transport = httpx.ASGITransport(create_app(tools), client=("127.0.0.1", 50000))
        async with httpx.AsyncClient(transport=transport, base_url="http://zhaiyao.test", timeout=60) as client:
            yield client
    await database.close()
    _execute(postgres, "DROP DATABASE real_archive WITH (FORCE)")


async def all_papers(client: httpx.AsyncClient) -> list[dict[str, object]]:
    items, cursor = [], None
    while True:
        params = {"limit": str(PAGE)} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/v1/papers", params=params)).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


async def digest_over(client: httpx.AsyncClient, ids: list[str]) -> str:
    answer = await client.post("/v1/digests", json={"paper_ids": ids, "language": "zh"})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


async def test_every_file_is_a_paper(archive: httpx.AsyncClient, archive_papers: Path) -> None:
    files = {file.stem for file in archive_papers.rglob("*.json")}
    papers = await all_papers(archive)
    assert {paper["arxiv_id"] for paper in papers} == files
    assert len(papers) == len(files) == 2703


async def test_digests_are_the_same_bytes(archive: httpx.AsyncClient, archive_digests: Path) -> None:
    different = []
    files = sorted(archive_digests.glob("*.md"))
    assert len(files) == 28
    for file in files:
        expected = file.read_bytes()
        ids = re.findall(r"^\| \[\^\d+\] \| .*\]\(https?://\S*?/abs/(\S+?)\) \|", expected.decode(), re.MULTILINE)
        digest = await digest_over(archive, ids)
        answer = await archive.get(f"/v1/digests/{digest}.md", params={"style": "classic"})
        if answer.content != expected:
            different.append(file.name)
    assert different == []


async def test_no_label_is_left_in_any_text(archive: httpx.AsyncClient) -> None:
    papers = await all_papers(archive)
    by_id = {str(paper["arxiv_id"]): paper for paper in papers}
    digest = await digest_over(archive, list(by_id))
    items = (await archive.get(f"/v1/digests/{digest}")).json()["items"]
    assert len(items) == len(by_id)
    texts = [(item["arxiv_id"], item[name] or "") for item in items for name in
             ("title", "abstract", "translated_title", "translated_abstract")]  # fmt: skip
    assert [found for found in texts if re.search(r"Announce Type|公告类型", found[1])] == []
    own_suffix = [(i, t) for i, t in texts if re.search(rf"[(（]arXiv[:：]\s*{re.escape(i)}", t, re.IGNORECASE)]
    assert own_suffix == []
    # The one that remains is an author's citation of another paper, which is text and stays.
    assert [i for i, t in texts if "(arXiv:" in t] == ["2403.05004"]


async def test_default_markdown_has_one_row_and_one_footnote_each(archive: httpx.AsyncClient) -> None:
    papers = await all_papers(archive)
    digest = await digest_over(archive, [str(paper["arxiv_id"]) for paper in papers])
    items = (await archive.get(f"/v1/digests/{digest}")).json()["items"]
    for reader in readers().values():
        found = read((await archive.get(f"/v1/digests/{digest}.md")).text, reader)
        assert len(found.rows) == len(found.footnotes) == len(papers)
        for item, (_, title, address, summary), note in zip(items, found.rows, found.footnotes.values(), strict=True):
            assert (title, address) == (line(item["display_title"]), item["links"]["abs"])
            if item["tldr"] or item["tldr_en"]:
                assert summary == line(display(item["tldr"] or item["tldr_en"]))
            for text in (item["translated_title"], item["translated_abstract"]):
                assert not text or line(display(text)) in note
            if not item["abstract_is_cut"] and item["display_abstract"]:
                assert line(item["display_abstract"]) in note


def line(text: str) -> str:
    """A text as it stands on one line."""
    return " ".join(text.split())


async def test_every_format_has_every_paper_once(archive: httpx.AsyncClient) -> None:
    """Every fourth paper: all of them take half a minute, and came out the same."""
    wanted = sorted(str(paper["arxiv_id"]) for paper in await all_papers(archive))[::4]
    path = f"/v1/digests/{await digest_over(archive, wanted)}"

    async def get(suffix: str) -> bytes:
        answer = await archive.get(f"{path}.{suffix}")
        assert answer.status_code == 200, (suffix, answer.text[:500])
        return answer.content

    rows = list(csv.DictReader(io.StringIO((await get("csv")).decode("utf-8-sig"))))
    assert sorted(row["arxiv_id"] for row in rows) == wanted
    library = parse_string((await get("bib")).decode())
    assert not library.failed_blocks
    assert sorted(entry["eprint"] for entry in library.entries) == wanted
    records = rispy.loads((await get("ris")).decode())
    assert len(records) == len(wanted)
    for suffix, entry in (("rss", "item"), ("atom", "{http://www.w3.org/2005/Atom}entry")):
        root = etree.fromstring(await get(suffix))
        links = [
            str(found) for one in root.iter(entry) for found in one.xpath(".//text() | .//@href") if "/abs/" in found
        ]
        assert {found for found in wanted if not any(link.endswith(f"/abs/{found}") for link in links)} == set()
        assert len(list(root.iter(entry))) == len(wanted)
    page = (await get("html")).decode()
    assert page.count("<article") == len(wanted)
    text = (await get("txt")).decode()
    assert [one for one in wanted if f"/abs/{one}" not in text] == []
    with zipfile.ZipFile(io.BytesIO(await get("epub"))) as book:
        chapters = b"".join(book.read(name) for name in book.namelist() if name.endswith(".xhtml")).decode()
    assert [one for one in wanted if f"/abs/{one}" not in chapters] == []


async def test_numbers_of_the_repair(archive: httpx.AsyncClient, archive_papers: Path) -> None:
    """What the API serves is what the pure reader makes of each file: nothing is lost on the way to the database."""
    served = {str(paper["arxiv_id"]): paper for paper in await all_papers(archive)}
    for file in archive_papers.rglob("*.json"):
        record = read_record(file.read_bytes(), file.stem)
        paper = served[record.arxiv_id]
        assert (paper["version"], paper["title"], paper["abstract"]) == (record.version, record.title, record.abstract)
        assert paper["abstract_is_cut"] == record.abstract_is_cut
        assert paper["primary_category"] == record.primary_category
