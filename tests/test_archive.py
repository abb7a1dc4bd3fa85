"""Importing the older archive: repairs by a table of cases, broken files, running twice."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app.archive import find_files, import_archive
from app.archive_record import classic_texts, is_cut, read_record, strip_translated_label
from app.errors import InvalidInput
from app.ingestion import Tools, ingest
from tests.feeds import TUESDAY, Item, rss

LABEL = "arXiv:2403.90001v2 Announce Type: replace-cross  Abstract: "


def record(arxiv_id: str = "2403.90001", **fields: Any) -> dict[str, Any]:
    return {
        "title": "A Title",
        "abstract": "An abstract.",
        "link": f"https://arxiv.org/abs/{arxiv_id}",
        "total_tokens": 859,
        "translated_title": "一个标题",
        "translated_abstract": "一段摘要。",
        "tldr": "一句话。",
        "en_tdlr": "One sentence.",
    } | fields


def read(**fields: Any) -> Any:
    return read_record(json.dumps(record(**fields)).encode())


def put(folder: Path, content: dict[str, Any] | bytes, name: str = "24/03/2403.90001.json") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode())
    return file


@pytest.mark.parametrize(
    ("title", "bare", "version", "primary", "announce_type"),
    [
        ("A Title. (arXiv:2403.90001v1 [cs.CL])", "A Title", 1, "cs.CL", "new"),
        ("A Title? (arXiv:2403.90001v3 [q-fin.ST] UPDATED)", "A Title?", 3, "q-fin.ST", "replace"),
        ("A Title. (arXiv:2403.90001v2 [hep-th] CROSS LISTED)", "A Title", 2, "hep-th", "cross"),
        ("A Title (with brackets)", "A Title (with brackets)", None, None, None),
        ("A Title (arXiv:nonsense)", "A Title (arXiv:nonsense)", None, None, None),
    ],
)
def test_the_legacy_suffix_becomes_version_and_category(
    title: str, bare: str, version: int | None, primary: str | None, announce_type: str | None
) -> None:
    found = read(title=title)
    assert (found.title, found.version, found.primary_category) == (bare, version, primary)
    assert found.announce_type == announce_type


@pytest.mark.parametrize("blanks", ["  ", " ", " \n"])
def test_the_label_becomes_version_and_type(blanks: str) -> None:
    found = read(abstract=f"arXiv:2403.90001v2 Announce Type: replace-cross{blanks}Abstract: The text: with a colon.")
    assert (found.abstract, found.version, found.announce_type) == ("The text: with a colon.", 2, "replace-cross")


@pytest.mark.parametrize(
    "leak",
    [
        "arXiv:2403.90001v2 公告类型：替换-交叉 摘要：",
        "arXiv:2403.90001v2 公告类型：新公告  摘要：",
        "arXiv:2403.90001v2 公告类型: 替换 - 交叉 摘要: ",
        "摘要：arXiv:2403.90001v2 公告类型：替换。",
        "摘要：arXiv:2403.90001v2 公告类型：交叉 摘要：",
        "arXiv：2403.90001v2 公告类型：交叉摘要：",
        "arXiv:2403.90001v2 宣布类型: 新的 摘要: ",
        "arXiv:2403.90001v2 声明类型：新的 摘要：",
        "arXiv:2403.90001v2 公告类型：新 提要：",
        "arXiv:2403.90001v2 公告类型: 跨 ",
        "arXiv:2403.90001v2 类型：新  摘要：",
        "arXiv:2403.90001v2 Announce Type: new Abstract: ",
        "公告类型：新 摘要：",
        "摘要：",
        "",
    ],
)
def test_every_shape_of_the_leaked_label_goes(leak: str) -> None:
    assert strip_translated_label(leak + "新的方法：我们提出了它。", labelled=True) == "新的方法：我们提出了它。"


def test_a_label_at_the_end_goes_too() -> None:
    assert (
        strip_translated_label("我们证明了它arXiv:2403.90001v2 Announce Type: cross", labelled=True) == "我们证明了它"
    )


def test_text_that_only_looks_like_a_label_stays() -> None:
    for kept in ("三种类型：新的、旧的和其他。", "摘要：写得好的摘要。", "我们改进了arXiv:2403.90009的结果。"):
        assert strip_translated_label(kept, labelled=False) == kept


@pytest.mark.parametrize(
    ("title", "cleaned"),
    [
        ("标题。 (arXiv:2403.90001v1 [cs.CL])", "标题。"),
        ("标题（arXiv：2403.90001v4 [cs.CL]更新）", "标题"),
        ("标题 (arXiv:2403.90001)", "标题"),
        ("评 (arXiv:2401.90009) 一文", "评 (arXiv:2401.90009) 一文"),
    ],
)
def test_translated_titles_lose_the_suffix_but_no_citation(title: str, cleaned: str) -> None:
    assert read(translated_title=title).translated_title == cleaned


@pytest.mark.parametrize(
    ("raw", "cut"),
    [
        ("x" * 1000, True),
        ("x" * 999 + " ", True),
        ("x" * 998, True),  # one hyphenated line break was joined after the cut
        ("x" * 997 + ".", False),
        ("x" * 500, False),
        ("ends in a blank ", True),
    ],
)
def test_cut_abstracts_are_known(raw: str, cut: bool) -> None:
    assert is_cut(raw) is cut


def test_both_keys_are_the_english_sentence_and_missing_stays_missing() -> None:
    assert read().tldr_en == "One sentence."
    other = record(en_tldr="Other.")
    del other["en_tdlr"]
    assert read_record(json.dumps(other).encode()).tldr_en == "Other."
    for name in ("en_tdlr", "translated_title", "translated_abstract", "tldr", "total_tokens"):
        bare = {key: value for key, value in record().items() if key != name}
        found = read_record(json.dumps(bare).encode())
        assert {"en_tdlr": "tldr_en"}.get(name, name) in found.__dataclass_fields__
        assert getattr(found, {"en_tdlr": "tldr_en"}.get(name, name)) is None


def test_the_raw_texts_are_kept_for_the_classic_style() -> None:
    found = read(abstract=LABEL + "Text.", title="T. (arXiv:2403.90001v2 [cs.CL])")
    texts = classic_texts(found.raw)
    assert (texts.abstract, texts.title, texts.en_tldr) == (LABEL + "Text.", "T. (arXiv:2403.90001v2 [cs.CL])", None)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b"\xff\xfe{", "not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (json.dumps(record(title=7)).encode(), "title is not a text"),
        (json.dumps({"title": "T", "abstract": "A"}).encode(), "no link"),
        (json.dumps(record(link="https://example.org/")).encode(), "no arXiv address"),
        (json.dumps(record(arxiv_id="2403.90002")).encode(), "another paper"),
        (json.dumps(record()).encode() + b" " * 1_000_001, "more than 1,000,000 bytes"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_broken_file_is_reported_and_the_rest_imported(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path, body: bytes, why: str
) -> None:
    put(tmp_path, body)
    put(tmp_path, record("2403.90009"), "24/03/2403.90009.json")
    report = await import_archive(tools.database, tmp_path)
    [broken] = report.broken
    assert broken.path.name == "2403.90001.json"
    assert why in broken.reason
    papers = (await client.get("/v1/papers")).json()["items"]
    assert [paper["arxiv_id"] for paper in papers] == ["2403.90009"]
    [run] = (await client.get("/v1/ingestions")).json()["items"]
    assert (run["kind"], run["state"], run["reason"], run["counts"]["broken"]) == (
        "archive",
        "failed",
        "broken_files",
        1,
    )


def test_a_folder_without_records_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="There is no file"):
        find_files(tmp_path)
    with pytest.raises(InvalidInput, match="does not exist"):
        find_files(tmp_path / "nowhere")


async def counts(tools: Tools) -> tuple[int, ...]:
    async with tools.database.transaction() as session:
        return tuple(
            [
                (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
                for table in ("papers", "paper_entries", "summaries", "announcements")
            ]
        )


async def test_the_second_import_changes_nothing(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    for number in range(90001, 90021):
        put(tmp_path, record(f"2403.{number}"), f"papers/24/03/2403.{number}.json")
    first = await import_archive(tools.database, tmp_path)
    assert (first.papers_created, first.summaries) == (20, 20)
    before = (await counts(tools), (await client.get("/v1/papers", params={"limit": 200})).json())
    second = await import_archive(tools.database, tmp_path)
    assert (second.papers_created, second.papers_changed, second.summaries, second.unchanged) == (0, 0, 0, 20)
    assert (await counts(tools), (await client.get("/v1/papers", params={"limit": 200})).json()) == before


async def test_characters_that_postgres_cannot_store_are_replaced(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    put(tmp_path, json.dumps(record(title="a\x00b\ud800c"), ensure_ascii=True).encode())
    report = await import_archive(tools.database, tmp_path)
    assert report.broken == []
    paper = (await client.get("/v1/papers/2403.90001")).json()
    assert paper["title"] == "a\ufffdb\ufffdc"
    assert r"a\u0000b\ud800c" in paper["source"]["raw"]
    digest = (await client.post("/v1/digests", json={"paper_ids": ["2403.90001"]})).json()["id"]
    classic = await client.get(f"/v1/digests/{digest}.md", params={"style": "classic"})
    assert "a\ufffdb\ufffdc" in classic.text


async def test_a_listing_completes_a_cut_abstract_and_the_import_does_not_undo_it(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    whole = "We propose a thing. " * 60
    put(tmp_path, record(abstract=(LABEL + whole)[:1000]))
    await import_archive(tools.database, tmp_path / "24")
    assert (await client.get("/v1/papers/2403.90001")).json()["abstract_is_cut"] is True
    feed = tmp_path / "feed.xml"
    feed.write_bytes(rss("cs.CL", TUESDAY, Item("2403.90001", version=2, type="replace-cross", abstract=whole.strip())))
    await ingest(tools, "cs.CL", source=str(feed))
    put(tmp_path, record(abstract=(LABEL + whole)[:1000], tldr="另一句。"))
    await import_archive(tools.database, tmp_path / "24")
    paper = (await client.get("/v1/papers/2403.90001")).json()
    assert paper["abstract_is_cut"] is False
    assert paper["abstract"] == whole.strip()


async def test_the_file_is_kept_to_the_letter(tools: Tools, client: httpx.AsyncClient, tmp_path: Path) -> None:
    text = '{ "title":"T",\n\t"abstract": "A\\u00e9", "link":"http://arxiv.org/abs/2403.90001", "tldr": null, "more": [1.0]}'
    put(tmp_path, text.encode())
    assert (await import_archive(tools.database, tmp_path)).broken == []
    assert (await client.get("/v1/papers/2403.90001")).json()["source"]["raw"] == text


@pytest.mark.parametrize("version", ["0", "99999999999"])
def test_a_version_that_cannot_be_is_no_version(version: str) -> None:
    assert read(abstract=f"arXiv:2403.90001v{version} Announce Type: new  Abstract: Text.").version is None


async def test_an_old_style_id_is_imported_under_its_whole_name(
    tools: Tools, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    put(tmp_path, record("hep-th/9901001"), "99/01/9901001.json")
    assert (await import_archive(tools.database, tmp_path)).broken == []
    assert (await client.get("/v1/papers/hep-th/9901001")).status_code == 200
