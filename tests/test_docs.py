"""The documentation's command lines, run as they stand: each document is one bash script against a live service.

The service has the bundled listing and answers at ``localhost:8000``, and ``zhaiyao`` is the real command on its database.
Every line must go well, unless it ends in a comment with the status that comes, such as ``# 412``.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path

import psycopg
import pytest

from app.postgres import EmbeddedPostgres
from tests.commands import ROOT, started
from tests.conftest import TEMPLATE, _execute
from tests.fake_arxiv import FakeArxiv, World
from tests.live import live, with_the_sample

DOCUMENTS = ("README.md", "docs/api.md", "docs/access.md", "docs/sync.md", "docs/channels.md", "docs/digests.md")
SAMPLED = "documented"

PRELUDE = r"""
set -euo pipefail
trap 'code=$?; [ $code = 0 ] || printf "this line failed: %s\n" "$line" >&2' EXIT
zhaiyao() { "$PYTHON" -S "$COMMANDS" "$SOCKET" "$@"; }
curl() {
    local answer code
    answer=$(mktemp -p "$SCRATCH")
    command curl -sS -w '%{stderr}%{http_code}' "${@//localhost:8000/$ADDRESS}" > "$answer" 2> "$answer.code" || {
        cat "$answer.code" >&2
        return 1
    }
    code=$(tail -c 3 "$answer.code")
    cat "$answer" || true  # who reads may have had enough, such as head
    if [ -n "${EXPECTED:-}" ]; then [ "$code" = "$EXPECTED" ]; else [ "$code" -lt 400 ]; fi || {
        echo "curl: status $code" >&2
        return 1
    }
}
"""

pytestmark = pytest.mark.skipif(
    not (shutil.which("bash") and shutil.which("curl")), reason="needs bash and curl, which are not on this machine"
)


def _script(document: str) -> str:
    """The lines of a document's shell blocks, each of which knows itself; of the README only how the service is used."""
    text = (ROOT / document).read_text(encoding="utf-8")
    if document == "README.md":
        text = text.partition("\n## Use\n")[2].partition("\n## ")[0]
    parts = [PRELUDE]
    for block in re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            parts.append(f"line={shlex.quote(line)}")
            status = re.search(r" # (\d{3})\b", line)
            parts.append(line.replace("curl ", f"EXPECTED={status[1]} curl ", 1) if status else line)
    return "\n".join([*parts, ""])


@pytest.fixture(scope="module")
def sampled(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a database with the bundled listing, for copies."""
    _execute(postgres, f"CREATE DATABASE {SAMPLED} TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    with live(postgres.url(SAMPLED), tmp_path_factory.mktemp("sampled"), with_the_sample):
        pass
    yield SAMPLED
    _execute(postgres, f"DROP DATABASE {SAMPLED} WITH (FORCE)")


@pytest.fixture(scope="module")
def arxiv() -> Iterator[FakeArxiv]:
    """An arXiv for the commands that ask it."""
    with FakeArxiv(World(first_day=date(2026, 1, 5), days=5, categories=("cs.CL",), per_day=2)).running() as fake:
        fake.now = lambda: datetime.now(UTC)
        yield fake


@pytest.fixture
def archive(tmp_path: Path) -> None:
    """An older archive of one paper, where the documentation has one, and the bundled listing."""
    paper = {"title": "An Older Paper", "abstract": "We keep old papers.", "link": "https://arxiv.org/abs/2301.00001"}
    file = tmp_path / "path/to/papers/23/01/2301.00001.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(paper))
    (tmp_path / "app").symlink_to(ROOT / "app")


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.usefixtures("archive")
def test_what_a_document_says_can_be_done(
    document: str, sampled: str, postgres: EmbeddedPostgres, arxiv: FakeArxiv, tmp_path: Path
) -> None:
    name = f"doc_{re.sub(r'[^a-z]', '_', document.lower())}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {sampled} STRATEGY FILE_COPY")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ZHAIYAO_", "OPENAI_"))}
    environment |= {
        "PYTHON": sys.executable,
        "COMMANDS": str(ROOT / "tests/commands.py"),
        "SOCKET": started(),
        "SCRATCH": str(scratch),
        "ZHAIYAO_DATABASE_URL": postgres.url(name),
        "ZHAIYAO_DATA_DIR": str(scratch),
        "ZHAIYAO_ARXIV_FEED_URL": arxiv.url,
        "ZHAIYAO_ARXIV_OAI_URL": arxiv.oai_url,
        "ZHAIYAO_ARXIV_API_URL": arxiv.api_url,
        "ZHAIYAO_ARXIV_INTERVAL": "0",
        "ZHAIYAO_EMBEDDINGS": "off",
    }
    try:
        with live(postgres.url(name), tmp_path) as address:
            environment["ADDRESS"] = address.removeprefix("http://")
            done = subprocess.run(
                ["bash", "-c", _script(document)],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        assert done.returncode == 0, f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    finally:
        with suppress(psycopg.Error):
            _execute(postgres, f"DROP DATABASE {name} WITH (FORCE)")
