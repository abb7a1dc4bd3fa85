"""Compares a rendered text with a file under golden/; ZHAIYAO_UPDATE_GOLDEN=1 writes the file instead."""

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def check_golden(name: str, text: str) -> None:
    """Assert that the text equals the golden file of this name, byte for byte."""
    path = GOLDEN / name
    if os.environ.get("ZHAIYAO_UPDATE_GOLDEN") == "1":
        path.write_bytes(text.encode())
    assert path.read_bytes() == text.encode(), f"{name} differs; ZHAIYAO_UPDATE_GOLDEN=1 writes it anew"
