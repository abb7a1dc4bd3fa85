"""``If-Match``, ``If-None-Match`` and JSON Merge Patch: nobody overwrites what he has not seen."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from app.postgres import EmbeddedPostgres
from tests.access.service import CHANNEL, database, running
from tests.api import Service, ok, problem, store
from tests.feeds import Item

PAPER = "2601.95001"
TEXT = f"/v1/papers/{PAPER}/summaries/zh"
MERGE_PATCH = "application/merge-patch+json"


@pytest.fixture(scope="module")
async def service(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with one paper."""
    with database(postgres, "access_match") as url:
        folder: Path = tmp_path_factory.mktemp("match")
        async with running(url, folder, pool_size=12) as one:
            await store(one.tools, folder, "cs.CL", date(2026, 1, 13), Item(PAPER))
            yield one


async def a_channel(service: Service, slug: str) -> str:
    """The tag of a new channel."""
    answer = await service.client.post("/v1/channels", json={**CHANNEL, "slug": slug})
    ok(answer, 201)
    return str(answer.headers["etag"])


async def test_a_channel_s_tag(service: Service) -> None:
    """Strong, the same however one comes by it, and another one after every change."""
    first = await a_channel(service, "tags")
    assert first.startswith('"')
    for _ in range(2):
        answer = await service.client.get("/v1/channels/tags")
        assert answer.headers["etag"] == first
        unchanged = await service.client.get("/v1/channels/tags", headers={"if-none-match": first})
        assert (unchanged.status_code, unchanged.content, unchanged.headers["etag"]) == (304, b"", first)
    changed = await service.client.patch("/v1/channels/tags", json={"title": "Other"}, headers={"if-match": first})
    assert ok(changed)["title"] == "Other"
    assert changed.headers["etag"] != first
    now = await service.client.get("/v1/channels/tags", headers={"if-none-match": first})
    assert (now.status_code, now.headers["etag"]) == (200, changed.headers["etag"])


async def test_a_change_of_what_was_changed_since(service: Service) -> None:
    old = await a_channel(service, "since")
    new = (await service.client.patch("/v1/channels/since", json={"title": "Theirs"})).headers["etag"]
    for method, body in (("PATCH", {"title": "Mine"}), ("DELETE", None)):
        for tags in (old, f"W/{new}", "", "nonsense", new.strip('"'), f'"x", {old}', '"' + "x" * 10_000 + '"'):
            answer = await service.client.request(method, "/v1/channels/since", json=body, headers={"if-match": tags})
            assert problem(answer, 412, "precondition_failed")["etag"] == answer.headers["etag"] == new
    assert ok(await service.client.get("/v1/channels/since"))["title"] == "Theirs"
    for form in ("{}", '"x" , {}', "*", '"x", "y",{}'):
        tags = form.format(new)
        answer = await service.client.patch(
            "/v1/channels/since", json={"weekday": "monday"}, headers={"if-match": tags}
        )
        new = answer.headers["etag"]
        ok(answer)
    ok_deleted = await service.client.delete("/v1/channels/since", headers={"if-match": new})
    assert ok_deleted.status_code == 204
    for method in ("PATCH", "DELETE"):
        answer = await service.client.request(method, "/v1/channels/since", json={}, headers={"if-match": "*"})
        problem(answer, 404)


async def test_ten_change_the_same_at_once_and_one_wins(service: Service) -> None:
    tag = await a_channel(service, "race")
    for round_ in range(3):
        answers = await asyncio.gather(*(
            service.client.patch("/v1/channels/race", json={"title": f"{round_}.{n}"}, headers={"if-match": tag})
            for n in range(10)
        ))  # fmt: skip
        won = [answer for answer in answers if answer.status_code == 200]
        assert len(won) == 1
        for answer in answers:
            if answer.status_code != 200:
                assert problem(answer, 412)["etag"] == won[0].headers["etag"]
        tag = won[0].headers["etag"]
        assert ok(await service.client.get("/v1/channels/race")) == won[0].json()
    gone = await asyncio.gather(*(
        service.client.delete("/v1/channels/race", headers={"if-match": tag}) for _ in range(5)
    ))  # fmt: skip
    assert sorted(answer.status_code for answer in gone) == [204, 404, 404, 404, 404]


async def test_a_text_by_hand(service: Service) -> None:
    problem(await service.client.get(TEXT), 404)
    problem(
        await service.client.put(TEXT, json={"tldr": "一。"}, headers={"if-match": "*"}), 412, "precondition_failed"
    )
    made = await service.client.put(TEXT, json={"tldr": "一。"}, headers={"if-none-match": "*"})
    ok(made, 201)
    read = await service.client.get(TEXT)
    assert (read.headers["etag"], read.json()) == (made.headers["etag"], made.json())
    assert (await service.client.get(TEXT, headers={"if-none-match": made.headers["etag"]})).status_code == 304
    again = await service.client.put(TEXT, json={"tldr": "二。"}, headers={"if-none-match": "*"})
    assert problem(again, 412)["etag"] == made.headers["etag"]
    changed = await service.client.put(TEXT, json={"tldr": "二。"}, headers={"if-match": made.headers["etag"]})
    ok(changed)
    for method, body in (("PUT", {"tldr": "三。"}), ("DELETE", None)):
        answer = await service.client.request(method, TEXT, json=body, headers={"if-match": made.headers["etag"]})
        assert problem(answer, 412)["etag"] == changed.headers["etag"]
    assert ok(await service.client.get(TEXT))["tldr"] == "二。"
    assert (await service.client.delete(TEXT, headers={"if-match": changed.headers["etag"]})).status_code == 204
    problem(await service.client.get(TEXT), 404)


async def test_ten_write_the_same_text_at_once_and_one_wins(service: Service) -> None:
    address = TEXT.replace("/zh", "/de")
    first = await asyncio.gather(*(
        service.client.put(address, json={"tldr": f"Satz {n}."}, headers={"if-none-match": "*"}) for n in range(10)
    ))  # fmt: skip
    assert sorted(answer.status_code for answer in first) == [201, *[412] * 9]
    tag = next(answer.headers["etag"] for answer in first if answer.status_code == 201)
    second = await asyncio.gather(*(
        service.client.put(address, json={"tldr": f"Satz {n}."}, headers={"if-match": tag}) for n in range(10)
    ))  # fmt: skip
    assert sorted(answer.status_code for answer in second) == [200, *[412] * 9]


@pytest.mark.parametrize("media_type", [MERGE_PATCH, "application/json", "APPLICATION/MERGE-PATCH+JSON; charset=utf-8"])
async def test_a_merge_patch(service: Service, media_type: str) -> None:
    slug = f"patch-{abs(hash(media_type))}"
    await a_channel(service, slug)
    patch = {"query": "attention", "authors": ["Ada"], "language": "en"}
    ok(await service.client.patch(f"/v1/channels/{slug}", json=patch))
    content = json.dumps({"query": None, "title": "New"})
    answer = await service.client.patch(f"/v1/channels/{slug}", content=content, headers={"content-type": media_type})
    changed = ok(answer)
    assert (changed["query"], changed["title"], changed["authors"], changed["language"]) == (None, "New", ["Ada"], "en")


@pytest.mark.parametrize(
    "media_type", ["application/json-patch+json", "text/plain", "application/problem+json", "", "x/merge-patch+json"]
)
async def test_a_change_in_another_form(service: Service, media_type: str) -> None:
    content = '[{"op": "replace", "path": "/title", "value": "x"}]'
    answer = await service.client.patch("/v1/channels/cs.CL", content=content, headers={"content-type": media_type})
    problem(answer, 415, "not_json")
    assert answer.headers["accept-patch"] == f"{MERGE_PATCH}, application/json"


async def test_a_digest_that_was_revised_is_not_deleted_unseen(service: Service) -> None:
    body = {"paper_ids": [PAPER], "language": "fr"}
    made = await service.client.post("/v1/digests", json=body)
    address = f"/v1/digests/{ok(made, 201)['id']}"
    old = made.headers["etag"]
    assert (await service.client.get(address)).headers["etag"] == old
    assert (await service.client.post("/v1/digests", json=body)).headers["etag"] == old
    assert (await service.client.post(f"{address}/refresh")).headers["etag"] == old
    ok(await service.client.put(f"/v1/papers/{PAPER}/summaries/fr", json={"tldr": "Une phrase."}), 201)
    revised = await service.client.post(f"{address}/refresh")
    assert ok(revised)["revision"] == 2
    new = revised.headers["etag"]
    refused = await service.client.delete(address, headers={"if-match": old})
    assert problem(refused, 412, "precondition_failed")["etag"] == refused.headers["etag"] == new != old
    assert (await service.client.delete(address, headers={"if-match": f"{old}, {new}"})).status_code == 204
    problem(await service.client.delete(address, headers={"if-match": "*"}), 404)
