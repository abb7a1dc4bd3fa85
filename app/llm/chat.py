"""One language model at its endpoint: a prompt in, the text of its answer out, or an error that says what to do.

The wire is left to pydantic-ai over the providers' own SDKs (docs/decisions/0011-language-models.md). Neither of them may
try again by itself: each call is counted, paid for and recorded by us.
"""

import asyncio
import contextvars
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic_ai import direct, exceptions
from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, TextPart, ToolCallPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from app.delays import retry_after
from app.errors import ConfigurationError
from app.llm.base import CallFailed, Mode, Trouble
from app.llm.prompts import Prompt

_LONGEST_REST = timedelta(hours=1)
_MODE_WORDS = re.compile(r"response_format|json_schema|json_object|tool_choice|\btools?\b")


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered; ``rest`` is how long its rate-limit headers ask to wait before the next call."""

    text: str
    finish_reason: str | None
    input_tokens: int
    output_tokens: int
    rest: timedelta | None


# The SDKs do not hand the headers of an answer on; the hook of the HTTP client leaves them here, for its own call.
_headers: contextvars.ContextVar[dict[str, str]] = contextvars.ContextVar("headers")


async def _keep_headers(response: Any) -> None:
    _headers.get({}).update({name.lower(): value for name, value in response.headers.items()})


class LanguageModel:
    """A model by its specification: ``name`` at the configured endpoint, ``name@https://host/v1`` at another one,
    ``anthropic:name`` or ``google:name`` at those providers' own.
    """

    def __init__(self, specification: str, base_url: str | None, api_key: str | None, timeout: timedelta) -> None:
        name, at, address = specification.partition("@http")
        if at:
            base_url = f"http{address}"
        self.base_url = base_url
        self.timeout = timeout
        self._key = api_key
        self._client: Any = None
        kind, colon, native = name.partition(":")
        if colon and kind in ("anthropic", "google"):
            self.model, self.provider, self.base_url = native, kind, None
            self._model = _native(kind, native)
        else:
            self.model = name
            self.provider = (urlsplit(base_url).netloc.rpartition("@")[2] if base_url else "") or "api.openai.com"
            self._model = self._openai(name, base_url, api_key)

    @property
    def name(self) -> str:
        """What its state is kept under: the same model elsewhere is another one."""
        return f"{self.model}@{self.provider}"

    def _openai(self, name: str, base_url: str | None, api_key: str | None) -> Model:
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai import OpenAIProvider

        http = DefaultAsyncHttpxClient(event_hooks={"response": [_keep_headers]})
        # Local servers need no key, but the SDK wants one.
        self._client = AsyncOpenAI(base_url=base_url, api_key=api_key or "none", max_retries=0, http_client=http)
        return OpenAIChatModel(name, provider=OpenAIProvider(openai_client=self._client))

    async def ask(self, prompt: Prompt, mode: Mode, idempotency_key: str) -> Reply:
        """One call; raises ``CallFailed``."""
        headers: dict[str, str] = {}
        token = _headers.set(headers)
        try:
            async with asyncio.timeout(self.timeout.total_seconds()):
                response = await direct.model_request(
                    self._model,
                    [ModelRequest(parts=[SystemPromptPart(prompt.system), UserPromptPart(prompt.user)])],
                    model_settings=_settings(mode, idempotency_key, self.timeout),
                    model_request_parameters=_parameters(prompt, mode),
                )
        except TimeoutError:
            seconds = self.timeout.total_seconds()
            raise CallFailed(Trouble.LATER, "timeout", f"{self.name} did not answer in {seconds:g} seconds.") from None
        except exceptions.ModelHTTPError as error:
            raise self._failure(error.status_code, error.body, headers) from error
        except exceptions.ModelAPIError as error:
            detail = f"{self.name} cannot be reached: {_first_line(error.__cause__ or error)}."
            raise CallFailed(Trouble.LATER, "unavailable", detail) from error
        except exceptions.ContentFilterError as error:
            raise CallFailed(Trouble.BAD_ANSWER, "content_filter", f"{self.name} filtered its answer.") from error
        except Exception as error:
            # The body was no answer of this protocol: a proxy's page, a cut answer.
            detail = f"{self.name} sent no answer: {_first_line(error)}."
            raise CallFailed(Trouble.LATER, "no_answer", detail) from error
        finally:
            _headers.reset(token)
        return self._reply(response, headers)

    def _reply(self, response: ModelResponse, headers: Mapping[str, str]) -> Reply:
        tokens = (response.usage.input_tokens, response.usage.output_tokens)
        text = "".join(
            part.content if isinstance(part, TextPart) else part.args_as_json_str()
            for part in response.parts
            if isinstance(part, TextPart | ToolCallPart)
        )
        if response.finish_reason == "content_filter":
            raise CallFailed(Trouble.BAD_ANSWER, "content_filter", f"{self.name} filtered its answer.", tokens=tokens)
        return Reply(text, response.finish_reason, *tokens, rest=_rest_of(headers))

    def _failure(self, status: int, body: object, headers: Mapping[str, str]) -> CallFailed:
        said = _said(body)
        # Some endpoints repeat the key that they refuse.
        detail = f"{self.name} answered {status}: {said.replace(self._key, '***') if self._key else said}"
        lower = f"{body}".lower()
        if status in (401, 403):
            return CallFailed(Trouble.STOPPED, "unauthorized", detail)
        if status == 402 or "insufficient_quota" in lower or "insufficient balance" in lower:
            return CallFailed(Trouble.STOPPED, "no_credit", detail)
        if status == 429:
            return CallFailed(Trouble.LATER, "rate_limited", detail, retry_after=_retry_after(headers))
        # Some servers refuse a mode that they do not know with 500 (llama.cpp, ik_llama.cpp).
        if (status in (400, 404, 422) or status >= 500) and _MODE_WORDS.search(lower):
            return CallFailed(Trouble.UNSUPPORTED, "unsupported_mode", detail)
        if status == 404:
            return CallFailed(Trouble.STOPPED, "unknown_model", detail)
        if status in (408, 409, 425) or status >= 500:
            return CallFailed(Trouble.LATER, "unavailable", detail, retry_after=_retry_after(headers))
        return CallFailed(Trouble.BAD_ANSWER, "refused", detail)

    async def aclose(self) -> None:
        """Close its connections."""
        if self._client is not None:
            await self._client.close()


def _native(kind: str, name: str) -> Model:
    try:
        if kind == "anthropic":
            from anthropic import AsyncAnthropic
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            return AnthropicModel(name, provider=AnthropicProvider(anthropic_client=AsyncAnthropic(max_retries=0)))
        from pydantic_ai.models.google import GoogleModel

        return GoogleModel(name)
    except ImportError:
        raise ConfigurationError(
            f"ZHAIYAO_LLM_MODEL names a model of {kind}: install what it needs with pip install 'zhaiyao[{kind}]'."
        ) from None
    except Exception as error:
        raise ConfigurationError(f"ZHAIYAO_LLM_MODEL={kind}:{name} cannot be used: {_first_line(error)}.") from error


def _settings(mode: Mode, idempotency_key: str, timeout: timedelta) -> ModelSettings:
    settings = ModelSettings(timeout=timeout.total_seconds(), extra_headers={"Idempotency-Key": idempotency_key})
    if mode == Mode.JSON_OBJECT:
        settings["extra_body"] = {"response_format": {"type": "json_object"}}
    return settings


def _parameters(prompt: Prompt, mode: Mode) -> ModelRequestParameters:
    schema = dict(prompt.schema)
    if mode == Mode.JSON_SCHEMA:
        output = OutputObjectDefinition(name="summary", json_schema=schema, strict=True)
        return ModelRequestParameters(output_mode="native", output_object=output)
    if mode == Mode.TOOL:
        tool = ToolDefinition(name="summary", parameters_json_schema=schema, kind="output")
        return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
    return ModelRequestParameters()


def _said(body: object) -> str:
    """What an error's body says, in one line; providers nest it differently, and a proxy sends a page."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        body = inner.get("message") or json.dumps(inner) if isinstance(inner, Mapping) else inner
    return " ".join(re.sub(r"<[^>]*>", " ", f"{body or 'nothing'}").split())[:300]


def _first_line(error: BaseException) -> str:
    return (" ".join(f"{error}".split())[:200] or type(error).__name__).rstrip(".")


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """How long to wait: by ``Retry-After``, or the providers' own headers; None if they say nothing."""
    asked = retry_after(headers.get("retry-after"), datetime.now(UTC))
    return min(asked, _LONGEST_REST) or _rest_of(headers)


def _rest_of(headers: Mapping[str, str]) -> timedelta | None:
    """How long until requests or tokens are there again, if the headers say that none are left."""
    rests = [
        _duration(headers.get(f"x-ratelimit-reset-{what}", ""))
        for what in ("requests", "tokens")
        if headers.get(f"x-ratelimit-remaining-{what}") == "0"
    ]
    known = [rest for rest in rests if rest is not None]
    return max(known) if known else None


def _duration(text: str) -> timedelta | None:
    """``1s``, ``6m0s``, ``120ms`` or plain seconds, as the providers write them; an hour the most."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    number = r"\d{1,9}(?:\.\d{1,9})?"
    if re.fullmatch(number, text):
        text += "s"
    if not re.fullmatch(rf"(?:{number}(?:ms|h|m|s))+", text):
        return None
    seconds = sum(float(count) * units[unit] for count, unit in re.findall(rf"({number})(ms|h|m|s)", text))
    return min(timedelta(seconds=min(seconds, 1e9)), _LONGEST_REST)
