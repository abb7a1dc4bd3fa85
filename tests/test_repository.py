"""The repository itself: documentation that agrees with the code, locks without addresses, imports that point down."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.config import Settings

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_every_setting_is_documented() -> None:
    names = {f"ZHAIYAO_{name.upper()}" for name in Settings.model_fields}
    for document in ("README.md", ".env.example"):
        assert names - set(re.findall(r"ZHAIYAO_[A-Z_]+", (ROOT / document).read_text())) == set(), document


def test_every_documented_setting_exists() -> None:
    names = {f"ZHAIYAO_{name.upper()}" for name in Settings.model_fields} | {"ZHAIYAO_UPDATE_GOLDEN", "ZHAIYAO_FUZZ"}
    for document in [*DOCUMENTS, ROOT / ".env.example", ROOT / "docker-compose.yml", ROOT / "Dockerfile"]:
        assert set(re.findall(r"ZHAIYAO_[A-Z_]+", document.read_text())) - names == set(), document.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_documented_commands_exist() -> None:
    usage = subprocess.run(
        [sys.executable, "-m", "app", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    commands = set(re.findall(r"^│ ([a-z]+) ", usage, re.MULTILINE))
    assert {"up", "api", "worker", "ingest", "import", "digest", "demo", "doctor", "openapi", "db"} <= commands
    for document in DOCUMENTS:
        named = set(re.findall(r"(?:^|['`\s/])zhaiyao ([a-z]+)\b", document.read_text(), re.MULTILINE))
        assert named - commands - {"is", "does", "itself"} == set(), document.name


def test_the_lock_files_name_no_registry_and_pin_with_hashes() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text()
        assert re.findall(r"https?://|--(?:extra-)?index|--find-links", text) == []
        pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,-]+\])?==", text, re.MULTILINE)
        assert len(pins) > 40
        assert text.count("--hash=sha256:") >= len(pins)


def test_the_run_lock_is_a_part_of_the_test_lock() -> None:
    pins = [set(re.findall(r"^([a-z0-9._-]+==[^\s;]+)", (ROOT / name).read_text(), re.MULTILINE)) for name in
            ("requirements.lock", "requirements-dev.lock")]  # fmt: skip
    assert pins[0] - pins[1] == set()
