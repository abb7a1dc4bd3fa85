"""The OpenAPI document, whole. FastAPI knows paths, parameters, bodies and what a route answers when all is well; here come
every error that an operation may answer with, every header, how keys are sent, and examples.

Most errors follow from the operation itself: one with a body may be told that it is none, one with a cursor that it is not
its own. What else a route may answer it declares: ``responses=fails(Conflict)``. ``tests/check_operations.py`` holds the service
against this.
"""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any, Final

from app.api import access, bodies, once, samples
from app.api.problems import MEDIA_TYPE
from app.errors import ZhaiyaoError

_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_DECLARED: Final = "x-errors"
_SAFE: Final = ("get", "head")
_TELLING: Final = {"$ref", "const", "default", "enum", "examples"}
"""What of a parameter's schema says as much as an example."""

HEADERS: Final[dict[str, dict[str, Any]]] = {
    "X-Request-ID": {
        "description": "The request's id, for the log: the caller's own if it sent one that is safe to repeat",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    },
    "RateLimit": {
        "description": "What is left of the limit: `r` requests, for `t` seconds; only where there is a limit",
        "schema": {"type": "string"},
        "example": '"default";r=598;t=42',
    },
    "RateLimit-Policy": {
        "description": "The limit: `q` requests in `w` seconds",
        "schema": {"type": "string"},
        "example": '"default";q=600;w=60',
    },
    "Retry-After": {"description": "Seconds after which to try again", "schema": {"type": "string"}, "example": "1"},
    "WWW-Authenticate": {
        "description": "How to show a key (RFC 6750)",
        "schema": {"type": "string"},
        "example": 'Bearer realm="zhaiyao"',
    },
    "Accept-Patch": {
        "description": "The media types that a PATCH may have",
        "schema": {"type": "string"},
        "example": bodies.PATCHES,
    },
    "ETag": {
        "description": "The state of what is answered: give it as `If-None-Match`, or as `If-Match` to change just this",
        "schema": {"type": "string"},
        "example": '"6f1c9a5e0b1d4c7f8a2e3b4c5d6e7f80"',
    },
    "Last-Modified": {
        "description": "Since when it is as it is",
        "schema": {"type": "string"},
        "example": "Tue, 13 Jan 2026 05:12:07 GMT",
    },
    "Cache-Control": {"description": "For how long it may be given again", "schema": {"type": "string"}},
    "Link": {
        "description": 'The next page, as `rel="next"`, if there is one',
        "schema": {"type": "string"},
        "example": '<http://localhost:8000/v1/papers?cursor=…>; rel="next"',
    },
    "Location": {
        "description": "Where the new thing, or its job, is",
        "schema": {"type": "string"},
        "example": "/v1/jobs/42",
    },
    "Idempotency-Replayed": {
        "description": "The answer is that of an earlier request with the same `Idempotency-Key`",
        "schema": {"type": "string", "enum": ["true"]},
    },
}

_CONDITIONS: Final = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": f"{what} of the answer that you have: 304 if it is still that one",
        "schema": {"type": "string"},
    }
    for name, what in (("If-None-Match", "The `ETag`"), ("If-Modified-Since", "The `Last-Modified`"))
]


def fails(*errors: type[ZhaiyaoError]) -> dict[int | str, dict[str, Any]]:
    """What a route declares, among its ``responses``, that may fail in these ways besides the usual ones."""
    found: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        found.setdefault(error.status, {"description": "", _DECLARED: []})[_DECLARED].append(error.code)
    return found


def complete(schema: dict[str, Any]) -> dict[str, Any]:
    """An OpenAPI document of FastAPI's, completed in place."""
    access.document(schema)
    once.document(schema)
    components = schema["components"]
    components["headers"] = HEADERS
    examples = _examples()
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            _complete_operation(path, method, operation, examples.get(operation["operationId"], {}))
    components["schemas"].pop("HTTPValidationError", None)
    components["schemas"].pop("ValidationError", None)
    return schema


def _complete_operation(path: str, method: str, operation: dict[str, Any], examples: dict[str, Any]) -> None:
    responses: dict[str, dict[str, Any]] = operation["responses"]
    declared = {code for response in responses.values() for code in response.pop(_DECLARED, ())}
    for status in [status for status in responses if status[0] not in "123"]:
        del responses[status]
    errors: dict[str, list[samples.Sample]] = {}
    for sample in samples.SAMPLES:
        if sample.code in declared or sample.code in set(_usual(path, method, operation)):
            errors.setdefault(str(sample.status), []).append(sample)
    is_conditional = "304" in responses
    # What is rendered has the date of its revision; JSON changes with more than one thing, and has tags alone.
    is_dated = is_conditional and responses["200"]["content"].keys() != {"application/json"}
    if is_conditional:
        operation["parameters"] = [*operation.get("parameters", ()), *_CONDITIONS[: 2 if is_dated else 1]]
    for parameter in operation.get("parameters", ()):
        described = samples.DESCRIPTIONS.get((parameter["in"], parameter["name"]))
        if described is not None:
            parameter.setdefault("description", described)
        _give_example(parameter)
    for content in operation.get("requestBody", {}).get("content", {}).values():
        content |= {"example": examples["request"]} if "request" in examples else {}
    for status, response in responses.items():
        _give_headers(response, _headers_of(operation, method, status, is_conditional, is_dated))
        if status in examples and "application/json" in response.get("content", {}):
            response["content"]["application/json"]["example"] = examples[status]
    for status, found in sorted(errors.items()):
        responses[status] = _error(found, has_limit=operation["security"] != [])


def _usual(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    """The codes of errors that follow from what an operation takes."""
    parameters = operation.get("parameters", ())
    named = {(parameter["in"], parameter["name"].lower()) for parameter in parameters}
    yield from ("bad_request", "address_too_long", "invalid_request", "internal_error")
    yield from ("head_too_large", "head_too_slow")
    if operation["security"] != []:
        yield from ("wrong_host", "key_required", "invalid_key", "rate_limited", "overloaded")
        yield from ("missing_scope", "database_unavailable", "query_timeout", "busy")
        if {} not in operation["security"]:
            yield "writing_is_local"
    if method not in _SAFE:
        yield from ("body_too_slow", "body_too_large", "not_json", "bad_json")
    if ("header", "idempotency-key") in named:
        yield from ("invalid_idempotency_key", "idempotency_key_reused", "answer_not_kept")
    if any(parameter["in"] == "path" for parameter in parameters):
        yield "not_found"
    if parameters or "requestBody" in operation:
        yield "invalid_input"
    if ("query", "cursor") in named:
        yield "invalid_cursor"
    if ("path", "arxiv_id") in named or ("query", "ids") in named:
        yield "invalid_arxiv_id"
    if named & {("query", "category"), ("query", "primary")}:
        yield "unknown_category"
    if ("header", "if-match") in named:
        yield "precondition_failed"
    if ("query", "q") in named:
        yield "invalid_query"


def _headers_of(
    operation: dict[str, Any], method: str, status: str, is_conditional: bool, is_dated: bool
) -> Iterator[str]:
    """The headers of an answer that is no error."""
    yield "X-Request-ID"
    if operation["security"] != []:
        yield from ("RateLimit", "RateLimit-Policy")
    parameters = {(parameter["in"], parameter["name"].lower()) for parameter in operation.get("parameters", ())}
    if is_conditional or (("header", "if-match") in parameters and status in ("200", "201")):
        yield from ("ETag", "Cache-Control")
    if is_dated:
        yield "Last-Modified"
    if ("query", "cursor") in parameters and status in ("200", "304"):
        yield "Link"
    if method == "post" and status in ("201", "202"):
        yield "Location"
    if ("header", "idempotency-key") in parameters:
        yield "Idempotency-Replayed"


def _give_example(parameter: dict[str, Any]) -> None:
    """To a parameter that has none, unless its schema names all of its values or the one that it usually has."""
    schema = parameter["schema"]
    branches = [schema, *schema.get("anyOf", ())]
    if "example" in parameter or any(_TELLING & branch.keys() for branch in branches):
        return
    if parameter["name"] == "id":  # of a digest a text, of everything else a number
        parameter["example"] = 42 if schema["type"] == "integer" else samples.DIGEST_ID
    elif (example := samples.PARAMETERS.get((parameter["in"], parameter["name"]))) is not None:
        parameter["example"] = example


def _give_headers(response: dict[str, Any], names: Iterator[str]) -> None:
    headers = response.setdefault("headers", {})
    for name in names:
        headers.setdefault(name, {"$ref": f"#/components/headers/{name}"})


def _error(found: list[samples.Sample], *, has_limit: bool) -> dict[str, Any]:
    names = ["X-Request-ID", *(("RateLimit", "RateLimit-Policy") if has_limit else ())]
    names += [name for name in HEADERS if any(name in sample.headers for sample in found) and name not in names]
    titles = list(dict.fromkeys(sample.title for sample in found))
    response: dict[str, Any] = {
        "description": "; ".join(titles),
        "content": {
            MEDIA_TYPE: {
                "schema": _PROBLEM,
                "examples": {sample.code: {"summary": sample.title, "value": sample.problem()} for sample in found},
            }
        },
    }
    _give_headers(response, iter(names))
    return response


def _examples() -> dict[str, dict[str, Any]]:
    """Real requests and answers over the bundled listing, by operation and status; ``tests/test_examples.py`` makes them."""
    text = resources.files("app.api").joinpath("examples.json").read_text(encoding="utf-8")
    examples: dict[str, dict[str, Any]] = json.loads(text)
    return examples
