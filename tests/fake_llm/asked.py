"""What a request asks for: in which mode, by which schema, about which paper; and why servers refuse modes."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tests.fake_llm.answers import Paper, content_of, languages_in, paper_in, schema_in_words
from tests.fake_llm.recipes import Recipe, error_body

Mode = Literal["json_schema", "tools", "json_object", "plain"]
Unsupported = Literal["openai", "deepseek", "deepseek-422", "vllm", "llama", "ignored", "fenced"]

_TYPE = {"Content-Type": "application/json"}
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class InvalidCall(Exception):
    """A call that OpenAI refuses; the message is OpenAI's."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for; ``tool`` is the name of the function to call."""

    mode: Mode
    schema: dict[str, Any]
    languages: tuple[str, ...]
    paper: Paper
    tool: str | None
    prompt: str

    def in_words(self) -> "Asked":
        """The same for a server that knows nothing of the mode, and goes by the prompt alone if that says enough."""
        schema = schema_in_words(self.prompt)
        if not languages_in(schema):
            schema = self.schema
        return Asked("plain", schema, languages_in(schema), self.paper, None, self.prompt)


def understand(body: dict[str, Any]) -> Asked:
    """Read the body of a request; raises ``InvalidCall``."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all("role" in one for one in messages):
        raise InvalidCall("Invalid type for 'messages': expected an array of objects.")
    if body.get("stream"):
        raise InvalidCall("The fake does not stream.")
    prompt = "\n".join(content_of(one) for one in messages if one["role"] in ("system", "developer"))
    paper = paper_in(messages)
    mode, schema, tool = _form(body)
    if mode == "json_object" and not any("json" in content_of(one).lower() for one in messages):
        raise InvalidCall(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        )
    schema = schema or schema_in_words(prompt)
    return Asked(mode, schema, languages_in(schema), paper, tool, prompt)


def _form(body: dict[str, Any]) -> tuple[Mode, dict[str, Any] | None, str | None]:
    if body.get("tools") and body.get("tool_choice") != "none":
        return _tool_form(body)
    wanted = body.get("response_format") or {"type": "text"}
    match wanted:
        case {"type": "text"}:
            return "plain", None, None
        case {"type": "json_object"}:
            return "json_object", None, None
        case {"type": "json_schema", "json_schema": {"name": str(name), "schema": dict(schema)} as described}:
            _check(f"response_format '{name}'", name, schema, bool(described.get("strict")))
            return "json_schema", schema, None
        case {"type": "json_schema"}:
            raise InvalidCall("Missing required parameter: 'response_format.json_schema'.")
    raise InvalidCall("Invalid value for 'response_format.type'. Supported: 'json_object', 'json_schema', and 'text'.")


def _tool_form(body: dict[str, Any]) -> tuple[Mode, dict[str, Any] | None, str | None]:
    functions = [tool.get("function", {}) for tool in body["tools"]]
    match body.get("tool_choice", "auto"):
        case {"type": "function", "function": {"name": str(chosen)}}:
            functions = [one for one in functions if one.get("name") == chosen]
        case "auto" | "required":
            pass
        case _:
            raise InvalidCall("Invalid value for 'tool_choice'.")
    if not functions:
        raise InvalidCall("Tool choice not found in 'tools' parameter.")
    name, schema = str(functions[0].get("name")), functions[0].get("parameters", {})
    _check(f"function '{name}'", name, schema, bool(functions[0].get("strict")))
    return "tools", schema, name


def _check(what: str, name: str, schema: dict[str, Any], strict: bool) -> None:
    if not _NAME.fullmatch(name):
        raise InvalidCall(f"Invalid name of {what}: string does not match pattern '^[a-zA-Z0-9_-]+$'.")
    if schema.get("type") != "object":
        raise InvalidCall(f"Invalid schema for {what}: schema must be a JSON Schema of 'type: \"object\"'.")
    for place, inner in _objects((), schema) if strict else ():
        if inner.get("additionalProperties") is not False:
            raise InvalidCall(
                f"Invalid schema for {what}: In context={place}, "
                "'additionalProperties' is required to be supplied and to be false."
            )
        missing = [key for key in inner.get("properties", {}) if key not in inner.get("required", [])]
        if missing:
            raise InvalidCall(
                f"Invalid schema for {what}: In context={place}, 'required' is required to be supplied and to be an array "
                f"including every key in properties. Missing '{missing[0]}'."
            )


def _objects(place: tuple[str, ...], schema: Any) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every object schema within a schema, with where it is."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield place, schema
        for name, inner in schema.items():
            yield from _objects((*place, name), inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _objects(place, inner)


def unsupported(mode: Mode, wording: Unsupported, model: str) -> Recipe:
    """How a server says that it cannot answer in a mode. (OpenAI, DeepSeek, vLLM; llama.cpp does so with a 500.)"""
    code, body = 400, b""
    match wording, mode:
        case "openai", "tools":
            message = "Unsupported parameter: 'tools' is not supported with this model."
            body = error_body(message, "invalid_request_error", "unsupported_parameter", "tools")
        case "openai", _:
            message = f"Invalid parameter: 'response_format' of type '{mode}' is not supported with this model."
            if mode == "json_schema":
                message += (
                    " Learn more about supported models at the Structured Outputs guide: "
                    "https://platform.openai.com/docs/guides/structured-outputs"
                )
            body = error_body(message, "invalid_request_error", None)
        case "deepseek" | "deepseek-422", "tools":
            body = error_body(
                f"{model} does not support Function Calling", "invalid_request_error", "invalid_request_error"
            )
        case "deepseek", _:
            message = "This response_format type is unavailable now"
            body = error_body(message, "invalid_request_error", "invalid_request_error")
        case "deepseek-422", _:
            message = (
                "Failed to deserialize the JSON body into the target type: response_format: response_format.type "
                f"`{mode}` is unavailable now at line 1 column 2048"
            )
            code, body = 422, error_body(message, "invalid_request_error", "invalid_request_error")
        case "vllm", _:
            message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
            if mode != "tools":
                message = (
                    f"[{{'type': 'literal_error', 'loc': ('body', 'response_format', 'type'), 'input': '{mode}'}}]"
                )
            said = {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}
            body = json.dumps(said).encode()
        case "llama", _:
            message = f'response_format type must be one of "text" or "json_object", but got: {mode}'
            if mode == "tools":
                message = "tools param requires --jinja flag"
            code = 500
            body = json.dumps({"error": {"code": code, "message": message, "type": "server_error"}}).encode()
    return Recipe(f"no {mode}", "status", code, body, _TYPE)
