"""What can go wrong with a call: refusals over HTTP, broken connections, and bad answers of the model."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Any, Literal, Self

from tests.fake_llm.answers import Paper, text
from tests.fake_llm.texts import FORMULA

_JSON = "application/json"
_HTML = b"<html>\r\n<head><title>%s</title></head>\r\n<body>\r\n<center><h1>%s</h1></center>\r\n</body>\r\n</html>\r\n"

# By status: message, type, code.
_ERRORS: dict[int, tuple[str, str | None, str | None]] = {
    400: ("We could not parse the JSON body of your request.", "invalid_request_error", None),
    401: ("Incorrect API key provided: secret-***.", "invalid_request_error", "invalid_api_key"),
    402: ("Insufficient Balance", "unknown_error", "invalid_request_error"),
    403: (
        "Country, region, or territory not supported",
        "request_forbidden",
        "unsupported_country_region_territory",
    ),
    404: (
        "The model `fake-model` does not exist or you do not have access to it.",
        "invalid_request_error",
        "model_not_found",
    ),
    408: ("Request timed out.", "timeout", None),
    409: ("The resource is locked by another request. Please try again.", "invalid_request_error", "conflict"),
    413: ("Request too large for fake-model.", "tokens", "rate_limit_exceeded"),
    422: ("Failed to deserialize the JSON body into the target type", "invalid_request_error", "invalid_request_error"),
    429: ("Rate limit reached for fake-model on requests per min (RPM).", "requests", "rate_limit_exceeded"),
    500: ("The server had an error while processing your request. Sorry about that!", "server_error", None),
    503: ("That model is currently overloaded with other requests.", "server_error", None),
}


def error_body(message: str, kind: str | None, code: str | int | None, param: str | None = None) -> bytes:
    """An error in OpenAI's form."""
    return json.dumps({"error": {"message": message, "type": kind, "param": param, "code": code}}).encode()


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said. ``as_call`` is false where it was asked for a tool call and only talks."""

    content: str | None
    finish: str = "stop"
    refusal: str | None = None
    as_call: bool = True


@dataclass(frozen=True, slots=True)
class Recipe:
    """What happens to one call; made by the class methods. ``is_good`` says whether the answer can be used and is paid."""

    name: str
    kind: Literal["good", "status", "hang", "cut", "body", "bad"] = "good"
    code: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    retry_after: str | timedelta | None = None
    at: float | None = None
    latency: float | None = None
    is_good: bool = False

    @classmethod
    def good(cls, latency: float | None = None) -> Self:
        """A good answer, after so many seconds: by default as soon as the fake's answers come."""
        return cls("good", latency=latency, is_good=True)

    @classmethod
    def status(
        cls,
        code: int,
        *,
        retry_after: str | timedelta | None = None,
        reset_requests: str | None = None,
        reset_tokens: str | None = None,
        message: str | None = None,
        error: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Self:
        """An error; 502 and 504 come as a proxy's HTML, 529 in Anthropic's form.

        ``retry_after`` is the header as it is, or the time until the date that it then holds. ``reset_requests`` and
        ``reset_tokens`` are as "1s" or "6m0s", and bring the other x-ratelimit headers with them. ``message`` and
        ``error`` replace the message and the code of the body.
        """
        sent = {"Content-Type": _JSON, **(headers or {})}
        for what, limit, reset in (("requests", 60, reset_requests), ("tokens", 90_000, reset_tokens)):
            if reset is not None:
                sent |= rate_headers(what, limit, 0, reset)
        if code in (502, 504):
            title = b"502 Bad Gateway" if code == 502 else b"504 Gateway Time-out"
            body = _HTML % (title, title)
            sent["Content-Type"] = "text/html"
        elif code == 529:
            body = json.dumps(
                {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            ).encode()
        else:
            usual, kind, usual_error = _ERRORS.get(code, (f"Error {code}", None, None))
            body = error_body(message or usual, kind, error or usual_error)
        return cls(f"status {code}", "status", code, body, sent, retry_after)

    @classmethod
    def insufficient_quota(cls) -> Self:
        """OpenAI's way to say that there is no money: a 429 that no waiting helps against."""
        message = "You exceeded your current quota, please check your plan and billing details."
        body = error_body(message, "insufficient_quota", "insufficient_quota")
        return cls("insufficient quota", "status", 429, body, {"Content-Type": _JSON})

    @classmethod
    def insufficient_balance(cls) -> Self:
        """DeepSeek's way to say the same."""
        return cls.status(402)

    @classmethod
    def context_length(cls) -> Self:
        """A prompt that is longer than the model can read."""
        message = "This model's maximum context length is 8192 tokens. Please reduce the length of the messages."
        return cls.status(400, message=message, error="context_length_exceeded")

    @classmethod
    def hang(cls) -> Self:
        """No answer, ever."""
        return cls("hang", "hang")

    @classmethod
    def cut(cls, at: float = 0.5) -> Self:
        """A good answer whose connection closes after that fraction of the body; for 0 before its first byte.

        The answer was made, so a repeated Idempotency-Key gets it.
        """
        return cls("cut", "cut", at=at, is_good=True)

    @classmethod
    def empty_body(cls) -> Self:
        """200, and nothing in it."""
        return cls("empty body", "body", headers={"Content-Type": _JSON})

    @classmethod
    def not_json(cls) -> Self:
        """200, and a web page."""
        page = _HTML % (b"Welcome", b"Please log in")
        return cls("not JSON", "body", body=page, headers={"Content-Type": "text/html"})

    @classmethod
    def bad(cls, name: str, *, is_good: bool | None = None) -> Self:
        """A bad answer of the model: one of ``BAD``. Those that are in ``REPAIRABLE`` count as good, unless told otherwise."""
        if name not in BAD:
            raise ValueError(f"no such bad answer: {name}")
        return cls(name, "bad", is_good=name in REPAIRABLE if is_good is None else is_good)

    def http_headers(self) -> dict[str, str]:
        """The headers of the answer, now."""
        if self.retry_after is None:
            return dict(self.headers)
        after = self.retry_after
        if isinstance(after, timedelta):
            after = format_datetime(datetime.now(UTC) + after, usegmt=True)
        return {**self.headers, "Retry-After": after}

    def say(self, answer: Any, paper: Paper, languages: tuple[str, ...], mode: str) -> Said:
        """What the model says where ``answer`` would be right."""
        if self.kind == "bad" and isinstance(answer, dict):
            _spoil(self.name, answer, paper, languages)
        whole = json.dumps(answer, ensure_ascii=False)
        if self.kind != "bad":
            return Said(whole)
        match self.name:
            case "broken_json":
                return Said(whole[: len(whole) * 3 // 5], "length")
            case "fenced":
                pretty = json.dumps(answer, ensure_ascii=False, indent=2)
                said = f"Sure! Here is the summary as JSON:\n\n```json\n{pretty}\n```\n\nLet me know if you need more."
                return Said(said, as_call=False)
            case "single_quotes":
                return Said(repr(answer))
            case "trailing_comma":
                pretty = json.dumps(answer, ensure_ascii=False, indent=2)
                return Said(re.sub(r"\n( *)}", r",\n\1}", pretty))
            case "empty_content":
                return Said("", as_call=False)
            case "refusal":
                sorry = "I'm sorry, but I can't assist with that request."
                return Said(None, refusal=sorry) if mode == "json_schema" else Said(sorry, as_call=False)
            case "content_filter":
                return Said("" if mode == "tools" else whole[: len(whole) // 4], "content_filter", as_call=False)
        return Said(whole)


BAD = (
    "broken_json", "fenced", "single_quotes", "trailing_comma", "missing_field", "wrong_type", "empty_content", "refusal",
    "english", "label", "feed_label", "abstract_copied", "doubled", "wrong_language", "content_filter", "extra_keys",
    "number_changed", "formula_lost",
)  # fmt: skip
"""The names of bad answers."""

REPAIRABLE = ("fenced", "trailing_comma", "extra_keys")
"""Those bad answers that hold a whole good one."""

_LABELS = {"zh": "摘要：", "de": "Zusammenfassung: ", "fr": "Résumé : ", "ru": "Аннотация: ", "ja": "要旨："}


def _spoil(name: str, answer: dict[str, Any], paper: Paper, languages: tuple[str, ...]) -> None:
    """Put into an answer what is wrong with it. Without languages it is the answer itself that is spoilt."""
    for language, texts in [(one, answer[one]) for one in languages] or [("en", answer)]:
        longest = next((key for key in ("abstract", "tldr", *texts) if isinstance(texts.get(key), str)), None)
        if longest is None:
            continue
        said = texts[longest]
        match name:
            case "missing_field":
                del texts["tldr" if "tldr" in texts else longest]
            case "wrong_type":
                texts["tldr" if "tldr" in texts else longest] = [said]
            case "extra_keys":
                texts["notes"] = "Translated with care."
            case "english" | "wrong_language":
                other = "en" if name == "english" else "de" if language == "ru" else "ru"
                texts |= {key: text(key, other, paper) for key in texts if isinstance(texts[key], str)}
            case "label":
                texts[longest] = _LABELS.get(language.partition("-")[0], "Abstract: ") + said
            case "feed_label":
                texts[longest] = f"arXiv:2601.00001v1 Announce Type: new {said}"
            case "abstract_copied":
                texts[longest] = paper.abstract
            case "doubled":
                texts[longest] = f"{said}\n\n{said}"
            case "number_changed":
                texts[longest] = said.translate(str.maketrans("0123456789", "1234567890"))
            case "formula_lost":
                texts[longest] = FORMULA.sub("", said)
    if name == "extra_keys":
        answer["confidence"] = 0.93


def rate_headers(what: str, limit: int, remaining: int, reset: str) -> dict[str, str]:
    """OpenAI's headers about one rate limit."""
    return {
        f"x-ratelimit-limit-{what}": str(limit),
        f"x-ratelimit-remaining-{what}": str(remaining),
        f"x-ratelimit-reset-{what}": reset,
    }


def passing() -> list[Recipe]:
    """What goes wrong with real endpoints and is better the next time."""
    return [
        Recipe.status(429, retry_after="1", reset_requests="1s"),
        Recipe.status(429),
        Recipe.status(429, retry_after=timedelta(seconds=2), reset_tokens="1.5s"),
        *(Recipe.status(code) for code in (408, 409, 500, 502, 503, 529)),
        Recipe.cut(0.5),
        Recipe.cut(0),
        Recipe.empty_body(),
        Recipe.not_json(),
        *(Recipe.bad(name) for name in BAD),
    ]


@dataclass(frozen=True)
class Recipes:
    """Faults by chance: a ``share`` of the calls gets one of ``kinds``, with ``weights`` if they are not all alike.

    The chance goes by seed, paper and how often the paper was asked about, not by the order of calls. After ``most``
    faults in a row a paper is left alone.
    """

    seed: int = 1
    share: float = 0.3
    kinds: list[Recipe] = field(default_factory=passing)
    weights: list[float] | None = None
    most: int | None = None

    def pick(self, title: str, attempt: int) -> Recipe | None:
        """The recipe for a paper's n-th call; None for a good answer."""
        chance = Random(f"{self.seed}|{title}|{attempt}")
        if chance.random() >= self.share or (self.most is not None and attempt >= self.most):
            return None
        return chance.choices(self.kinds, self.weights)[0]
