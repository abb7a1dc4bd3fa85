"""Every operation of the OpenAPI document under schemathesis: no 500, no undeclared status, no breach of a schema.

Not found by pytest on its own: ``make test`` runs it last, bounded; ``make fuzz`` goes on for longer (``ZHAIYAO_FUZZ``
examples for each operation).
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    positive_data_acceptance,
    unsupported_method,
)

from app.ingestion import Tools
from app.main import create_app
from app.postgres import EmbeddedPostgres
from tests.api import ok
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


REFUSALS = [400, 401, 403, 404, 405, 406, 409, 412, 413, 414, 415, 422, 429, 431]
"""How bad input may be answered; schemathesis itself knows none of 413, 414 and 431, of what is too long."""

schema = schemathesis.openapi.from_dict(
    _document(),
    config=SchemathesisConfig.from_dict({"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}),
)


USUAL_HEADERS = {
    "content-length",
    "content-type",
    "content-disposition",
    "content-location",
    "connection",
    "date",
    "vary",
}
USUAL_HEADERS |= {
    "cache-control",
    "content-security-policy",
    "referrer-policy",
    "transfer-encoding",
    "x-content-type-options",
}
"""What HTTP and browsers need; all others are promises, and stand in the document."""


@dataclass
class Fuzzed:
    """A service whose callers have a key, so that it may do anything."""

    address: str
    key: str


@pytest.fixture(scope="module")
def fuzzed(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    """A service in which something of everything is there."""
    made: list[str] = []

    async def prepare(tools: Tools, client: httpx.AsyncClient) -> None:
        await with_the_sample(tools, client)
        made.append(ok(await client.post("/v1/keys", json={"name": "fuzz", "scope": "admin"}), 201)["key"])

    _execute(postgres, f"CREATE DATABASE fuzz TEMPLATE {TEMPLATE} STRATEGY FILE_COPY")
    with live(postgres.url("fuzz"), tmp_path_factory.mktemp("fuzz"), prepare) as address:
        yield Fuzzed(address, made[0])
    _execute(postgres, "DROP DATABASE fuzz WITH (FORCE)")


@schema.parametrize()
@hypothesis.settings(
    # The same requests each time in make test, others in make fuzz.
    derandomize="ZHAIYAO_FUZZ" not in os.environ,
    database=None,
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_an_operation_keeps_its_contract(case: "schemathesis.Case[Any]", fuzzed: Fuzzed) -> None:
    headers = {"Authorization": f"Bearer {fuzzed.key}"}
    response = case.call(base_url=fuzzed.address, headers=headers, timeout=30)
    case.validate_response(response, excluded_checks=EXCLUDED)
    assert response.elapsed < 10
    if response.status_code != 405:
        declared = case.operation.definition.raw["responses"][str(response.status_code)]["headers"]
        assert set(response.headers) - {name.lower() for name in declared} <= USUAL_HEADERS
