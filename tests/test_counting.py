"""Counts: the taxonomy with its papers, and the papers of a period in groups."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.arxiv import taxonomy
from app.postgres import EmbeddedPostgres
from tests.api import Service, execute, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item

A, B, C, D = "2601.95001", "2601.95002", "2601.95003", "2601.95004"
PERIOD = {"announced_from": str(TUESDAY), "announced_to": str(WEDNESDAY)}


@pytest.fixture(scope="module")
async def library(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with four papers of two days; the tests only read."""
    _execute(postgres, f"CREATE DATABASE counting TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    folder = tmp_path_factory.mktemp("counting")
    async with serving(postgres.url("counting"), folder) as service:
        await store(service.tools, folder, "cs.CL", TUESDAY, Item(A), Item(B, categories=("cs.CL", "stat.ML")))
        await store(service.tools, folder, "stat.ML", TUESDAY, Item(B, type="cross", categories=("cs.CL", "stat.ML")))
        await store(service.tools, folder, "math.NA", WEDNESDAY, Item(C, categories=("math.NA", "cs.NA")))
        await store(service.tools, folder, "cs.CL", WEDNESDAY, Item(A, version=2, type="replace"), Item(D))
        for change in (
            "DELETE FROM summaries",
            "INSERT INTO summaries (arxiv_id, paper_version, abstract_hash, language, status, origin, model, answered_by,"
            " input_tokens, output_tokens, cost, tldr) SELECT v.id, p.version, p.abstract_hash, v.language, v.status, v.origin,"
            " v.model, v.answered_by, v.used, v.used, v.cost, 'x' FROM (VALUES"
            f" ('{A}', 'zh', 'done', 'llm', 'm1', NULL, 10, 0.5), ('{A}', 'zh', 'done', 'human', '', NULL, NULL, NULL),"
            f" ('{B}', 'zh', 'done', 'llm', 'm1', 'm2', 5, 0.25), ('{C}', 'zh', 'failed', 'llm', 'm1', NULL, 1, 1),"
            f" ('{B}', 'fr', 'running', 'llm', 'm1', NULL, 1, 1))"
            " AS v(id, language, status, origin, model, answered_by, used, cost) JOIN papers AS p ON p.arxiv_id = v.id",
        ):
            await execute(service.tools, change)
        yield service
    _execute(postgres, "DROP DATABASE counting WITH (FORCE)")


async def groups(library: Service, group_by: str, **params: Any) -> list[dict[str, Any]]:
    answer = ok(await library.client.get("/v1/stats", params={"group_by": group_by, **PERIOD, **params}))
    assert answer["group_by"] == group_by
    assert answer["period"] == {"from": str(TUESDAY), "to": str(WEDNESDAY)} or params
    found: list[dict[str, Any]] = answer["groups"]
    return found


def pairs(found: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(one["key"], one["papers"]) for one in found]


async def test_by_category_and_by_day(library: Service) -> None:
    assert pairs(await groups(library, "category")) == [("cs.CL", 3), ("math.NA", 1), ("stat.ML", 1)]
    assert pairs(await groups(library, "day")) == [("2026-01-13", 2), ("2026-01-14", 3)]
    assert pairs(await groups(library, "day", category="cs.CL")) == [("2026-01-13", 2), ("2026-01-14", 2)]
    assert pairs(await groups(library, "category", announced_from=str(WEDNESDAY))) == [("cs.CL", 2), ("math.NA", 1)]
    assert pairs(await groups(library, "category", category="econ")) == []


@pytest.mark.parametrize("language", ["zh", "fr", "en"])
async def test_by_state_as_the_filter_and_the_figures_have_it(library: Service, language: str) -> None:
    found = dict(pairs(await groups(library, "state", language=language)))
    expected = {"zh": {"done": 2, "failed": 1, "none": 1}, "fr": {"none": 3, "running": 1}, "en": {"none": 4}}
    assert found == expected[language]
    for state in ("done", "pending", "running", "failed", "none"):
        params = {"summary_status": state, "language": language, "fields": "title", **PERIOD}
        assert len(ok(await library.client.get("/v1/papers", params=params))["items"]) == found.get(state, 0)
    figures = ok(await library.client.get("/v1/stats", params={"language": language, **PERIOD}))["totals"]["summaries"][
        language
    ]
    assert figures == {
        "summarized": found.get("done", 0),
        "pending": found.get("pending", 0) + found.get("running", 0),
        "failed": found.get("failed", 0),
        "unrequested": found["none"],
    }


async def test_by_model_with_what_they_took(library: Service) -> None:
    told = [
        (one["key"], one["language"], one["papers"], one["summaries"], one["input_tokens"], one["cost"])
        for one in await groups(library, "model", language="zh")
    ]
    assert told == [("human", "zh", 1, 1, None, None), ("m1", "zh", 1, 1, 10, 0.5), ("m2", "zh", 1, 1, 5, 0.25)]
    assert await groups(library, "model", language="fr") == []


async def test_what_is_no_group_is_refused(library: Service) -> None:
    problem(await library.client.get("/v1/stats", params={"group_by": "author"}), 422, "invalid_request")
    problem(
        await library.client.get("/v1/stats", params={"group_by": "day", "category": "cs.XX"}), 422, "unknown_category"
    )


async def test_the_taxonomy_with_counts(library: Service) -> None:
    answer = await library.client.get("/v1/categories")
    assert answer.headers["cache-control"] == "public, max-age=300"
    found = {one["id"]: one for one in ok(answer)["items"]}
    assert list(found) == [category.id for category in taxonomy.CATEGORIES]
    counts = {
        name: (found[name]["papers"], found[name]["primary_papers"])
        for name in ("cs.CL", "stat.ML", "math.NA", "cs.NA")
    }
    assert counts == {"cs.CL": (3, 3), "stat.ML": (1, 0), "math.NA": (1, 1), "cs.NA": (1, 1)}
    assert found["cs.NA"]["canonical"] == "math.NA"
    econ = ok(await library.client.get("/v1/categories", params={"archive": "econ", "active": "true"}))["items"]
    assert {"econ.GN", "econ.EM"} <= {one["id"] for one in econ}
    assert all(one["active"] for one in econ)
    problem(await library.client.get("/v1/categories", params={"archive": "xx"}), 422, "unknown_category")
