"""Every operation of the OpenAPI document under schemathesis: no 500, no undeclared status, no breach of a schema.

Bounded here; ``make fuzz`` goes on for longer (``ZHAIYAO_FUZZ`` examples for each operation).
"""

import os
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    positive_data_acceptance,
    unsupported_method,
)

from app.ingestion import Tools
from app.main import create_app
from app.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE, _execute
from tests.live import live, with_the_sample

EXCLUDED = [
    positive_data_acceptance,  # a schema cannot say which text is an id of arXiv's, a category or a query
    # Any text below /v1/papers is read as an id and below /v1/channels as a slug, so that other methods are known there.
    unsupported_method,
    allow_header_conformance,
]
EXAMPLES = int(os.environ.get("ZHAIYAO_FUZZ", "5"))


def _document() -> dict[str, Any]:
    nothing: Any = None
    return create_app(Tools(nothing, nothing, nothing, nothing)).openapi()


schema = schemathesis.openapi.from_dict(_document())


@pytest.fixture(scope="module")
def address(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service in which something of everything is there."""
    _execute(postgres, f"CREATE DATABASE fuzz TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    with live(postgres.url("fuzz"), tmp_path_factory.mktemp("fuzz"), with_the_sample) as address:
        yield address
    _execute(postgres, "DROP DATABASE fuzz WITH (FORCE)")


@schema.parametrize()
@hypothesis.settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(hypothesis.HealthCheck))
def test_an_operation_keeps_its_contract(case: "schemathesis.Case[Any]", address: str) -> None:
    case.call_and_validate(base_url=address, timeout=30, excluded_checks=EXCLUDED)
