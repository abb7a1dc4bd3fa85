"""The OpenAPI document: what callers generate their clients from changes only on purpose.

``ZHAIYAO_UPDATE_GOLDEN=1 pytest tests/test_openapi.py`` rewrites the snapshot after an intended change.
"""

import difflib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api import samples
from app.api.problems import MEDIA_TYPE
from app.errors import ConfigurationError, FeedRejected, OaiError, SourceUnavailable, ZhaiyaoError
from app.ingestion import Tools
from app.main import create_app
from app.render import FORMATS

SNAPSHOT = Path(__file__).with_name("openapi.json")

PROMISED = {
    ("GET", "/v1/papers"),
    ("GET", "/v1/papers/{arxiv_id}"),
    ("GET", "/v1/listings"),
    ("GET", "/v1/channels"),
    ("POST", "/v1/channels"),
    ("POST", "/v1/digests"),
    ("GET", "/v1/digests"),
    ("GET", "/v1/digests/{id}"),
    ("GET", "/v1/digests/{id}.{format}"),
    ("GET", "/v1/channels/{slug}/latest.{format}"),
    ("POST", "/v1/ingestions"),
    ("GET", "/v1/freshness"),
    ("GET", "/v1/stats"),
    ("GET", "/v1/calendar"),
    ("GET", "/v1/fetches"),
    ("POST", "/v1/harvests"),
    ("GET", "/v1/harvests"),
    ("GET", "/v1/harvests/{id}"),
    ("POST", "/v1/papers/fetch"),
    ("GET", "/v1/jobs/{id}"),
    ("GET", "/v1/changes"),
    ("GET", "/v1/categories"),
    ("POST", "/v1/papers/batch"),
    ("GET", "/v1/papers.ndjson"),
    ("GET", "/v1/papers.csv"),
    ("GET", "/v1/papers/{arxiv_id}/similar"),
    ("POST", "/v1/keys"),
    ("GET", "/v1/keys"),
    ("DELETE", "/v1/keys/{id}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document as served; it needs neither settings nor a database."""
    nothing: Any = None
    return create_app(Tools(nothing, nothing, nothing, nothing)).openapi()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_the_document_is_the_one_that_was_agreed_on(document: dict[str, Any]) -> None:
    document = document | {"info": document["info"] | {"version": "any"}}
    now = json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if os.environ.get("ZHAIYAO_UPDATE_GOLDEN"):
        SNAPSHOT.write_text(now, encoding="utf-8")
    before = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    if now != before:
        lines = list(
            difflib.unified_diff(before.splitlines(), now.splitlines(), "tests/openapi.json", "now", lineterm="", n=4)
        )
        shown = "\n".join(lines[:80]) + (f"\n… and {len(lines) - 80} more lines" if len(lines) > 80 else "")
        pytest.fail(
            "The API's contract has changed. If that is meant, run "
            f"'ZHAIYAO_UPDATE_GOLDEN=1 pytest tests/test_openapi.py' and commit tests/openapi.json.\n{shown}",
            pytrace=False,
        )


def test_it_is_the_same_whenever_it_is_asked_for() -> None:
    nothing: Any = None
    app = create_app(Tools(nothing, nothing, nothing, nothing))
    assert json.dumps(app.openapi()) == json.dumps(app.openapi())


def test_every_promised_address_is_there(document: dict[str, Any]) -> None:
    there = {tuple(name.split(" ")) for name, _ in operations(document)}
    assert there >= PROMISED


def test_every_operation_says_what_it_is_for(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation.get("summary"), name
        assert operation.get("description"), name
        assert operation.get("tags"), name


def test_operations_have_plain_and_unique_names(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(name.isidentifier() and "v1" not in name for name in names)


def test_every_error_is_documented_as_a_problem(document: dict[str, Any]) -> None:
    known = {sample.code: sample for sample in samples.SAMPLES}
    for name, operation in operations(document):
        responses = operation["responses"]
        assert {"400", "408", "414", "422", "431", "500"} <= responses.keys(), name
        assert "default" not in responses, name
        for status, response in responses.items():
            assert "X-Request-ID" in response["headers"], (name, status)
            if int(status) < 400:
                continue
            [media_type] = response["content"]
            assert media_type == MEDIA_TYPE
            assert response["content"][MEDIA_TYPE]["schema"] == {"$ref": "#/components/schemas/Problem"}
            for code, example in response["content"][MEDIA_TYPE]["examples"].items():
                value = example["value"]
                assert value == known[code].problem()
                assert (value["code"], str(value["status"])) == (code, status)
    assert not {"HTTPValidationError", "ValidationError"} & document["components"]["schemas"].keys()
    required = document["components"]["schemas"]["Problem"]["required"]
    assert set(required) == {"type", "title", "status", "detail", "code", "request_id"}


def test_every_error_class_has_an_example() -> None:
    def below(kind: type[ZhaiyaoError]) -> Iterator[type[ZhaiyaoError]]:
        for one in kind.__subclasses__():
            yield one
            yield from below(one)

    # What only jobs and commands meet is no answer of the API.
    elsewhere = {FeedRejected, SourceUnavailable, OaiError, ConfigurationError}
    codes = {sample.code for sample in samples.SAMPLES}
    assert {one.code for one in below(ZhaiyaoError) if one not in elsewhere and one.__module__ == "app.errors"} <= codes


def test_what_is_limited_conditional_paged_or_written_says_so(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        named = {(one["in"], one["name"]) for one in operation.get("parameters", ())}
        good = {status: set(answer["headers"]) for status, answer in operation["responses"].items() if status < "4"}
        if operation["security"]:
            assert all({"RateLimit", "RateLimit-Policy"} <= headers for headers in good.values()), name
            assert {"401", "403", "429", "503"} <= operation["responses"].keys(), name
        if "304" in good:
            assert {"ETag"} <= good["304"] & good["200"], name
            assert ("header", "If-None-Match") in named, name
        if ("query", "cursor") in named:
            assert "Link" in good["200"], name
        if ("header", "Idempotency-Key") in named:
            assert all("Idempotency-Replayed" in headers for headers in good.values()), name
        assert ("202" not in good) or "Location" in good["202"], name


def test_rendered_digests_claim_their_formats(document: dict[str, Any]) -> None:
    types = {form.media_type.split(";")[0] for form in FORMATS.values()}
    for path in ("/v1/digests/{id}.{format}", "/v1/channels/{slug}/latest.{format}"):
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        assert content.keys() == types
        assert content["text/markdown"] == content["text/html"] == {"schema": {"type": "string"}}
        assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/DigestRead"}


def test_every_successful_answer_has_a_schema_of_its_own(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            is_json = "{format}" not in name and not name.endswith((".ndjson", ".csv"))
            if status.startswith("2") and status != "204" and is_json:
                assert response["content"]["application/json"]["schema"].get("$ref"), (name, status)


def test_references_lead_somewhere_and_nothing_is_left_over(document: dict[str, Any]) -> None:
    text = json.dumps(document)
    for schema in document["components"]["schemas"]:
        assert f'"#/components/schemas/{schema}"' in text, f"nothing uses {schema}"
    for reference in (part.split('"')[0] for part in text.split('"#/components/schemas/')[1:]):
        assert reference in document["components"]["schemas"], reference


def test_every_parameter_and_body_says_what_it_may_look_like(document: dict[str, Any]) -> None:
    telling = {"$ref", "const", "default", "enum", "examples"}
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])
            branches = [parameter["schema"], *parameter["schema"].get("anyOf", ())]
            is_clear = "example" in parameter or any(telling & branch.keys() for branch in branches)
            is_clear |= any(branch.get("type") == "boolean" for branch in branches)
            # A cursor is opaque: any that stood here would be refused.
            assert is_clear or parameter["name"] == "cursor", (name, parameter["name"])
        for content in operation.get("requestBody", {}).get("content", {}).values():
            assert content["example"], name


def test_every_tag_is_described(document: dict[str, Any]) -> None:
    described = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert described.keys() == {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert document["info"]["license"]["identifier"] == "MIT"


def test_bodies_refuse_unknown_fields(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        if "requestBody" in operation:
            reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = document["components"]["schemas"][reference.rsplit("/", 1)[1]]
            assert schema["additionalProperties"] is False, name
