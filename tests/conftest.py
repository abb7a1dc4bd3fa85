"""Fixtures: one real Postgres for the whole run, migrated by Alembic once; each test has a clone of that database."""

import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from app.arxiv.client import make_client
from app.config import Settings
from app.db import Database, upgrade
from app.door import Door
from app.ingestion import Tools
from app.llm import make_summariser
from app.main import create_app
from app.postgres import EmbeddedPostgres
from app.worker import work_off
from tests.fake_arxiv import FakeArxiv

SHARED = Path(__file__).resolve().parents[2] / "shared"
TEMPLATE = "zhaiyao_template"


def pytest_collection_finish() -> None:
    """What six thousand tests consist of stays to the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A server in a throw-away folder, without fsync."""
    with (
        tempfile.TemporaryDirectory(prefix="zhaiyao-tests-", dir=_fast_folder()) as folder,
        EmbeddedPostgres(Path(folder), tests=True) as server,
    ):
        _execute(server, f"CREATE DATABASE {TEMPLATE}")
        upgrade(server.url(TEMPLATE))
        yield server


def _fast_folder() -> Path | None:
    """Memory in place of a disk, where there is plenty: a clone is hundreds of files, and half of the run's time on a disk."""
    memory = Path("/dev/shm")
    with suppress(OSError):
        if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4_000_000_000:
            return memory
    return None


def _execute(server: EmbeddedPostgres, statement: str) -> None:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)


_numbers = itertools.count()


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The address of a database without tables."""
    name = f"empty_{next(_numbers)}"
    _execute(postgres, f"CREATE DATABASE {name}")
    yield postgres.url(name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """The address of a migrated database that belongs to this test alone."""
    name = f"test_{next(_numbers)}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    yield postgres.url(name)
    _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def fake_arxiv() -> Iterator[FakeArxiv]:
    """A fake arXiv on a free port."""
    with FakeArxiv().running() as fake:
        yield fake


@pytest.fixture
def settings(fake_arxiv: FakeArxiv, tmp_path: Path) -> Settings:
    """The settings of a test whose arXiv is the fake one."""
    return make_settings(tmp_path, fake_arxiv.url)


def make_settings(data_dir: Path, feed_url: str = "http://127.0.0.1:9/rss") -> Settings:
    """Settings that come from the test alone, not from the machine's environment."""
    return Settings.model_construct(
        database_url=None,
        data_dir=data_dir,
        categories=("cs.CL",),
        languages=("zh",),
        contact="mailto:tests@example.org",
        arxiv_feed_url=feed_url,
        arxiv_oai_url="http://127.0.0.1:9/oai",
        arxiv_api_url="http://127.0.0.1:9/api/query",
        arxiv_interval=timedelta(0),
        host="127.0.0.1",
        port=0,
        worker_concurrency=4,
        log_level="warning",
        embeddings="off",
    )


@pytest.fixture
async def tools(settings: Settings, database_url: str) -> AsyncIterator[Tools]:
    """What the application works with, on the test's own database."""
    database = Database(database_url, pool_size=5)
    http = make_client(settings.contact)
    yield Tools(settings, database, Door(database, http, settings.arxiv_interval), make_summariser())
    await http.aclose()
    await database.close()


@pytest.fixture
async def client(tools: Tools) -> AsyncIterator[httpx.AsyncClient]:
    """The API as a caller on this machine sees it, with the application's own commits."""
    transport = httpx.ASGITransport(create_app(tools), raise_app_exceptions=False, client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url="http://zhaiyao.test") as http:
        yield http


@pytest.fixture
def work(tools: Tools, database_url: str) -> Callable[[], object]:
    """Do the jobs that are due, as a worker would."""
    return lambda: work_off(tools, database_url)


@pytest.fixture(scope="session")
def archive_papers() -> Path:
    """The real archive of the older system; the test is skipped where it is not there."""
    return _shared("data/cn-chat-arxiv/papers")


@pytest.fixture(scope="session")
def archive_digests() -> Path:
    """The older system's real digests; the test is skipped where they are not there."""
    return _shared("data/cn-chat-arxiv/digests")


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real answers of arXiv; the test is skipped where they are not there."""
    return _shared("arxiv/samples")


def _shared(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs ../shared/{name}, which is not on this machine")
    return path
