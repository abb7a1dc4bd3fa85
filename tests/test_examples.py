"""The examples of the OpenAPI document: real requests and answers over the bundled listing, one of every operation.

Each operation is called as ``REQUESTS`` says; its answer must keep its schema, and the example that is written down must still
look like it. ``ZHAIYAO_UPDATE_GOLDEN=1 pytest -n 0 tests/test_examples.py`` writes them anew.
"""

import json
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest

import app.api
from app import sample
from app.ingestion import Tools, ingest
from app.main import create_app
from app.postgres import EmbeddedPostgres
from app.worker import work_off
from tests.api import at, caller, eastern, serving
from tests.conftest import TEMPLATE, _execute
from tests.fake_arxiv import FakeArxiv, World

FILE = Path(app.api.__file__).with_name("examples.json")
NOW = eastern(date(2026, 1, 14), 12)
INSTANT = "2026-01-14T17:00:00.000000Z"
LONGEST = 240
"""Characters of a text in an example, but in a name or an address."""


@dataclass(frozen=True)
class Ask:
    """One request. ``{operation[field]}`` in its path, query or headers stands for a part of an earlier answer."""

    operation: str
    status: int
    path: str
    body: dict[str, Any] | None = None
    headers: tuple[tuple[str, str], ...] = ()


WRITTEN = {"tldr": "本文研究在一批摘要中重复出现的论断。", "title": "清点说过两遍的话", "author": "Ada Sample"}
ADMIN = (("Authorization", "Bearer {create_key[key]}"),)

REQUESTS = [
    Ask("list_papers", 200, "/v1/papers?q=digest&category=cs.CL&include=summaries&limit=2"),
    Ask("get_paper", 200, "/v1/papers/arXiv:2601.90003v1"),
    Ask("list_similar", 200, "/v1/papers/2601.90003/similar?limit=2"),
    Ask("read_batch", 200, "/v1/papers/batch", {"ids": ["2601.90003", "2404.02342", "nonsense"]}),
    Ask(
        "read_batch",
        202,
        "/v1/papers/batch",
        {"ids": ["2601.90003"], "fields": ["title"], "request_summaries": True, "language": "de"},
    ),
    Ask("stream_ndjson", 200, "/v1/papers.ndjson?category=cs.CL&fields=title"),
    Ask("stream_csv", 200, "/v1/papers.csv?category=cs.CL&fields=title"),
    Ask("fetch_papers", 202, "/v1/papers/fetch", {"ids": ["2404.02342", "hep-th/9901001"]}),
    Ask("list_paper_summaries", 200, "/v1/papers/2601.90003/summaries"),
    Ask("ask_for_summary", 200, "/v1/papers/2601.90003/summaries", {"language": "zh"}),
    Ask("ask_for_summary", 202, "/v1/papers/2601.90003/summaries", {"language": "fr"}),
    Ask("write_summary", 201, "/v1/papers/2601.90003/summaries/zh", WRITTEN),
    Ask("write_summary", 200, "/v1/papers/2601.90003/summaries/zh", WRITTEN | {"title": "说过两遍的话"}),
    Ask("get_written_summary", 200, "/v1/papers/2601.90003/summaries/zh"),
    Ask("release_summary", 204, "/v1/papers/2601.90003/summaries/zh"),
    Ask("list_summaries", 200, "/v1/summaries?status=done&language=zh&limit=2"),
    Ask("get_summary", 200, "/v1/summaries/{list_summaries[items][0][id]}"),
    Ask("get_backlog", 200, "/v1/backlog"),
    Ask("resume", 200, "/v1/backlog/resume"),
    Ask("list_listings", 200, "/v1/listings?category=cs.CL"),
    Ask("create_ingestion", 202, "/v1/ingestions", {"category": "cs.CL"}),
    Ask("list_ingestions", 200, "/v1/ingestions?limit=2"),
    Ask("get_freshness", 200, "/v1/freshness"),
    Ask("get_stats", 200, "/v1/stats?announced_from=2026-01-13&announced_to=2026-01-14&category=cs.CL"),
    Ask("list_categories", 200, "/v1/categories?archive=stat"),
    Ask("get_calendar", 200, "/v1/calendar?year=2026"),
    Ask("create_harvest", 202, "/v1/harvests", {"set": "cs.CL", "from": "2026-01-05"}),
    Ask("list_harvests", 200, "/v1/harvests"),
    Ask("get_harvest", 200, "/v1/harvests/{list_harvests[items][0][id]}"),
    Ask("list_fetches", 200, "/v1/fetches?source=oai"),
    Ask(
        "create_channel",
        201,
        "/v1/channels",
        {"slug": "agents", "title": "Agents", "categories": ["cs.CL"], "query": "reader* -survey", "size_limit": 20},
    ),
    Ask("list_channels", 200, "/v1/channels?builtin=false"),
    Ask("preview_channel", 200, "/v1/channels/preview", {"categories": ["cs.CL"], "query": "reader*", "days": 2}),
    Ask("get_channel", 200, "/v1/channels/agents"),
    Ask("change_channel", 200, "/v1/channels/agents", {"title": "Agents and readers", "query": None}),
    Ask("delete_channel", 204, "/v1/channels/agents"),
    Ask("create_digest", 201, "/v1/digests", {"channel": "cs.CL", "date": "2026-01-14", "language": "en"}),
    Ask("create_digest", 200, "/v1/digests", {"channel": "cs.CL", "date": "2026-01-14", "language": "en"}),
    Ask("latest", 200, "/v1/channels/cs.CL/latest?language=en"),
    Ask("latest_rendered", 200, "/v1/channels/cs.CL/latest.json?language=en"),
    Ask("get_feed", 200, "/v1/channels/cs.CL/feed.atom?language=en"),
    Ask("list_digests", 200, "/v1/digests?channel=cs.CL&limit=2"),
    Ask("get_digest", 200, "/v1/digests/{create_digest[id]}"),
    Ask("get_rendered", 200, "/v1/digests/{create_digest[id]}.json"),
    Ask("refresh", 200, "/v1/digests/{create_digest[id]}/refresh"),
    Ask("list_revisions", 200, "/v1/digests/{create_digest[id]}/revisions"),
    Ask("diff", 200, "/v1/digests/{create_digest[id]}/revisions/1/diff"),
    Ask("list_changes", 200, "/v1/changes?limit=2&include=bodies"),
    Ask("delete_digest", 204, "/v1/digests/{create_digest[id]}"),
    Ask("list_jobs", 200, "/v1/jobs?kind=compose&status=succeeded&limit=2"),
    Ask("get_job", 200, "/v1/jobs/{list_jobs[items][0][id]}"),
    Ask("create_key", 201, "/v1/keys", {"name": "nightly mirror", "scope": "admin"}),
    Ask("list_keys", 200, "/v1/keys", headers=ADMIN),
    Ask("get_key", 200, "/v1/keys/{create_key[id]}", headers=ADMIN),
    Ask("get_own_key", 200, "/v1/keys/me", headers=ADMIN),
    Ask("revoke_key", 200, "/v1/keys/{create_key[id]}", headers=ADMIN),
    Ask("healthz", 200, "/healthz"),
    Ask("readyz", 200, "/readyz"),
]


def _is_json(answer: httpx.Response) -> bool:
    return bool(answer.content) and answer.headers["content-type"] == "application/json"


@dataclass(frozen=True)
class Answered:
    """A request with its answer, and the operation as the document has it."""

    ask: Ask
    path: str
    answer: httpx.Response
    operation: dict[str, Any]

    @property
    def schema(self) -> dict[str, Any] | None:
        """What its JSON must be, None for an answer that is none."""
        content = self.operation["responses"][str(self.ask.status)].get("content", {})
        is_json = _is_json(self.answer)
        found: dict[str, Any] | None = content["application/json"]["schema"] if is_json else None
        return found


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return _document()


def _document() -> dict[str, Any]:
    nothing: Any = None
    return create_app(Tools(nothing, nothing, nothing, nothing)).openapi()


def _operations(document: dict[str, Any]) -> dict[str, tuple[str, str, dict[str, Any]]]:
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


async def _prepare(tools: Tools, url: str) -> None:
    """The bundled listing, read and summarised on its second day; and a harvest, so that there is one to show."""
    for file in sample.files():
        await ingest(tools, file.category, source=str(file.path))
    world = World(first_day=date(2026, 1, 5), days=3, categories=("econ.EM",), per_day=1)
    with FakeArxiv(world).running() as fake:
        fake.today_at = NOW
        settings = tools.settings.model_copy(update={"arxiv_feed_url": fake.url, "arxiv_oai_url": fake.oai_url})
        there = replace(tools, settings=settings)
        async with caller(create_app(there)) as client:
            await client.post("/v1/harvests", json={"set": "econ.EM", "from": "2026-01-05"})
        await work_off(there, url)


@pytest.fixture(scope="module")
async def answers(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> AsyncIterator[list[Answered]]:
    """What the service answers to ``REQUESTS``, one after the other."""
    operations = _operations(document)
    _execute(postgres, f"CREATE DATABASE examples TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    url = postgres.url("examples")
    known: dict[str, Any] = {}
    found: list[Answered] = []
    async with serving(url, tmp_path_factory.mktemp("examples")) as service:
        then = at(service.tools, NOW)
        await _prepare(then, url)
        async with caller(create_app(then)) as client:
            for ask in REQUESTS:
                method, _, operation = operations[ask.operation]
                path = ask.path.format(**known)
                headers = {name: value.format(**known) for name, value in ask.headers}
                answer = await client.request(method, path, json=ask.body, headers=headers)
                assert answer.status_code == ask.status, (ask, answer.text[:500])
                if _is_json(answer):
                    known[ask.operation] = answer.json()
                found.append(Answered(ask, path, answer, operation))
    yield found
    _execute(postgres, "DROP DATABASE examples WITH (FORCE)")


def _recorded() -> dict[str, dict[str, Any]]:
    examples: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return examples


def _validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(schema | {"components": document["components"]}, validate_formats=True)


def _shorten(value: Any, name: str = "") -> Any:
    """An answer as it is written down: short lists and texts, no secret, and nothing that is another one in every run."""
    match value:
        case dict():
            return {key: _shorten(one, key) for key, one in value.items()}
        case list():
            return [_shorten(one, name) for one in value[:2]]
        case str() if name == "key":
            return "zy_…"
        case str() if name == "hint":
            return "zy_3kq8Vd"
        case str() if name == "next_cursor":
            return "MZ4LLAex5Bzs9-LGqIj661siOGExNTY1YmIt"
        case str() if re.fullmatch(r"\d{4}-\d{2}-\d{2}T[\d:.]+(Z|\+00:00)", value):
            # What the database's clock says, not the test's.
            return INSTANT if abs((datetime.fromisoformat(value) - datetime.now(UTC)).days) < 3 else value
        case str():
            value = re.sub(r"http://127\.0\.0\.1:\d+/rss", "https://rss.arxiv.org/rss", value)
            value = re.sub(r"http://127\.0\.0\.1:\d+", "https://oaipmh.arxiv.org", value)
            value = value.replace(str(sample.files()[0].path.parents[1]), "app/sample")
            return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
    return value


def _examples(answers: list[Answered]) -> dict[str, dict[str, Any]]:
    examples: dict[str, dict[str, Any]] = {}
    for one in answers:
        mine = examples.setdefault(one.ask.operation, {})
        if one.ask.body is not None:
            mine.setdefault("request", one.ask.body)
        if one.schema is not None:
            mine[str(one.ask.status)] = _shorten(one.answer.json())
    return {name: mine for name, mine in examples.items() if mine}


def _differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Where two answers are not of one form; what is null or empty is like anything."""
    if old in (None, [], {}) or new in (None, [], {}):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        odd = [f"{place}/{name}" for name in sorted(old.keys() ^ new.keys())]
        return odd + [
            text for name in old.keys() & new.keys() for text in _differences(old[name], new[name], f"{place}/{name}")
        ]
    if isinstance(old, list) and isinstance(new, list):
        return _differences(old[0], new[0], f"{place}/0")
    numbers = (int, float)
    is_like = type(old) is type(new) or (type(old) in numbers and type(new) in numbers)
    return [] if is_like else [place]


def test_every_operation_is_asked_at_the_address_that_it_has(document: dict[str, Any], answers: list[Answered]) -> None:
    operations = _operations(document)
    assert operations.keys() == {ask.operation for ask in REQUESTS}
    for one in answers:
        template = operations[one.ask.operation][1]
        pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(template))
        assert re.fullmatch(pattern, one.path.partition("?")[0]), (one.path, template)


def test_every_good_json_answer_was_given(document: dict[str, Any], answers: list[Answered]) -> None:
    given = {(one.ask.operation, str(one.ask.status)) for one in answers}
    for name, (_, _, operation) in _operations(document).items():
        good = {(name, status) for status in operation["responses"] if status.startswith("2")}
        assert good <= given, good - given


def test_answers_keep_their_schemas(document: dict[str, Any], answers: list[Answered]) -> None:
    for one in answers:
        if one.schema is not None:
            errors = [
                f"{one.path}: {error.message}"[:400]
                for error in _validator(document, one.schema).iter_errors(one.answer.json())
            ]
            assert errors == []


def test_examples_are_of_the_form_of_present_answers(document: dict[str, Any], answers: list[Answered]) -> None:
    now = _examples(answers)
    if os.environ.get("ZHAIYAO_UPDATE_GOLDEN"):
        FILE.write_text(json.dumps(now, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    before = _recorded()
    assert before.keys() == now.keys(), "run ZHAIYAO_UPDATE_GOLDEN=1 pytest -n 0 tests/test_examples.py"
    for name, examples in now.items():
        assert _differences(before[name], examples, name) == [], "run ZHAIYAO_UPDATE_GOLDEN=1 pytest …"
        assert before[name].get("request") == examples.get("request"), name


def test_examples_in_the_document_keep_their_schemas_and_no_secret() -> None:
    document, recorded = _document(), _recorded()
    for name, (_, _, operation) in _operations(document).items():
        mine = recorded.get(name, {})
        for status, response in operation["responses"].items():
            content = response.get("content", {}).get("application/json")
            if status.startswith("2") and content is not None:
                assert content["example"] == mine[status], (name, status)
                errors = [str(error) for error in _validator(document, content["schema"]).iter_errors(mine[status])]
                assert errors == [], (name, status)
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["example"] == mine["request"], name
            assert _validator(document, content["schema"]).is_valid(mine["request"]), name
    assert re.findall(r"zy_\w{12,}|127\.0\.0\.1|/(?:home|root|tmp|work)/", FILE.read_text()) == []
