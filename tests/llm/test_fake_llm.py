"""The fake endpoint speaks as real ones do, and counts what it is to count."""

import ast
import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.fake_llm import BAD, FakeLLM, Recipe, Recipes, good_answer
from tests.fake_llm.asked import Unsupported
from tests.fake_llm.recipes import REPAIRABLE
from tests.fake_llm.texts import kept

TITLE = "Sparse Kernels with $\\ell_1$-Regularization and 7 Tricks"
ABSTRACT = (
    "We study sparse kernels for density estimation in flat space. Our method needs $O(n \\log n)$ steps and reaches an "
    "accuracy of 93.5\\% (up from 71.2\\%) on 12 benchmarks, where GPT-4 stays below. We prove a bound of "
    "$\\alpha^{-3}$ for all $n > 10$, and release code at https://example.org/v2 for everybody. Money: $20 and $30."
)
SYSTEM = (
    'Answer with one JSON object: {"tldr_en": "...", "zh": {"title": "...", "abstract": "...", "tldr": "..."}, '
    '"de": {"title": "...", "abstract": "...", "tldr": "..."}}'
)
KEY = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def running() -> Iterator[FakeLLM]:
    with FakeLLM(api_key="secret").running() as fake:
        yield fake


@pytest.fixture
def fake(running: FakeLLM) -> FakeLLM:
    """The one server of these tests, with nothing of the test before."""
    running.clear()
    running.supports = frozenset(("json_schema", "tools", "json_object"))
    return running


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(headers=KEY, timeout=5) as client:
        yield client


def schema(languages: Sequence[str] = ("zh",), keys: Sequence[str] = ("title", "abstract", "tldr")) -> dict[str, Any]:
    def of(properties: dict[str, Any]) -> dict[str, Any]:
        closed = {"additionalProperties": False, "required": list(properties)}
        return {"type": "object", "properties": properties, **closed}

    texts = of({key: {"type": "string"} for key in keys})
    return of({"tldr_en": {"type": "string"}, **dict.fromkeys(languages, texts)})


def asking(
    mode: str = "json_schema", languages: Sequence[str] = ("zh",), title: str = TITLE, **more: Any
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": "fake-model",
        "messages": [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": f"<paper 3fa9c1>\nTitle: {title}\n\n{ABSTRACT}\n</paper 3fa9c1>"},
        ],
    }
    match mode:
        case "json_schema":
            described = {"name": "summary", "strict": True, "schema": schema(languages)}
            body["response_format"] = {"type": "json_schema", "json_schema": described}
        case "json_object":
            body["response_format"] = {"type": "json_object"}
        case "tools":
            body["tools"] = [{"type": "function", "function": {"name": "store", "parameters": schema(languages)}}]
            body["tool_choice"] = {"type": "function", "function": {"name": "store"}}
    return {**body, **more}


def post(fake: FakeLLM, http: httpx.Client, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return http.post(f"{fake.url}/chat/completions", json=body or asking(), headers=sent)


def content(reply: httpx.Response) -> Any:
    assert reply.status_code == 200, reply.text
    return reply.json()["choices"][0]["message"]["content"]


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


# The wire


@pytest.mark.parametrize("mode", ["json_schema", "tools", "json_object", "plain"])
def test_wire_format(fake: FakeLLM, http: httpx.Client, mode: str) -> None:
    reply = post(fake, http, asking(mode, ("zh", "de")))
    said = reply.json()
    assert said["object"] == "chat.completion" and said["model"] == "fake-model"
    assert said["id"].startswith("chatcmpl-") and abs(said["created"] - time.time()) < 5
    [choice] = said["choices"]
    assert (choice["index"], choice["finish_reason"], choice["message"]["role"]) == (0, "stop", "assistant")
    text = choice["message"]["content"]
    if mode == "tools":
        [call] = choice["message"]["tool_calls"]
        assert text is None and call["type"] == "function" and call["function"]["name"] == "store"
        text = call["function"]["arguments"]
    assert json.loads(text) == good_answer(("zh", "de"), TITLE, ABSTRACT)
    usage = said["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] == fake.tokens
    assert usage["prompt_tokens"] > 100 and usage["completion_tokens"] > 100
    [request] = fake.requests
    assert (request.title, request.languages, request.mode) == (TITLE, ("zh", "de"), mode)
    assert (request.status, request.delivered, request.recipe) == (200, True, None)
    assert request.headers["authorization"] == "Bearer secret" and request.body["model"] == "fake-model"
    assert fake.paid(TITLE) == 1


def test_free_choice_of_a_tool_is_a_tool_call(fake: FakeLLM, http: httpx.Client) -> None:
    assert post(fake, http, asking("tools", tool_choice="auto")).json()["choices"][0]["finish_reason"] == "tool_calls"
    assert post(fake, http, asking("tools", tool_choice="none")).json()["choices"][0]["finish_reason"] == "stop"


def test_models(fake: FakeLLM, http: httpx.Client) -> None:
    assert [model["id"] for model in http.get(f"{fake.url}/models").json()["data"]] == ["fake-model"]


def test_strangers_are_refused(fake: FakeLLM) -> None:
    for headers in ({}, {"Authorization": "Bearer other"}):
        reply = httpx.post(f"{fake.url}/chat/completions", json=asking(), headers=headers)
        assert reply.status_code == 401 and reply.json()["error"]["code"] == "invalid_api_key"
    assert httpx.get(f"{fake.url}/models").status_code == 401


def test_unknown_models_and_addresses(fake: FakeLLM, http: httpx.Client) -> None:
    reply = post(fake, http, asking(model="other"))
    assert reply.status_code == 404
    error = reply.json()["error"]
    assert error["code"] == "model_not_found" and "`other`" in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert http.post(f"{fake.url}/completions", json={}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        asking(messages=[]),
        asking(response_format={"type": "yaml"}),
        asking("json_object", messages=[{"role": "user", "content": "no such word"}]),
        asking(
            response_format={"type": "json_schema", "json_schema": {"name": "a b", "schema": schema(), "strict": True}}
        ),
        asking(
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": {**schema(), "required": ["zh"]}, "strict": True},
            }
        ),
        asking("tools", tool_choice={"type": "function", "function": {"name": "other"}}),
    ],
)
def test_invalid_calls(fake: FakeLLM, http: httpx.Client, body: dict[str, Any]) -> None:
    fake.next(Recipe.status(503))
    reply = post(fake, http, body)
    assert reply.status_code == 400 and reply.json()["error"]["type"] == "invalid_request_error"
    assert post(fake, http).status_code == 503


@pytest.mark.parametrize(
    ("wording", "mode", "status", "words"),
    [
        ("openai", "json_schema", 400, "'response_format' of type 'json_schema' is not supported with this model"),
        ("openai", "tools", 400, "'tools' is not supported"),
        ("deepseek", "json_schema", 400, "This response_format type is unavailable now"),
        ("deepseek-422", "json_schema", 422, "Failed to deserialize"),
        ("vllm", "json_object", 400, "BadRequestError"),
        ("vllm", "tools", 400, "--enable-auto-tool-choice"),
        ("llama", "json_schema", 500, "but got: json_schema"),
        ("llama", "tools", 500, "--jinja"),
    ],
)
def test_modes_that_are_not_supported(
    fake: FakeLLM, http: httpx.Client, wording: Unsupported, mode: str, status: int, words: str
) -> None:
    fake.supports, fake.wording = frozenset(), wording
    reply = post(fake, http, asking(mode))
    assert reply.status_code == status and words in reply.text and reply.json()
    assert json.loads(content(post(fake, http, asking("plain"))))["zh"]
    assert fake.requests[0].recipe == f"no {mode}" and fake.paid(TITLE) == 1


@pytest.mark.parametrize("mode", ["json_schema", "tools", "json_object"])
def test_modes_that_are_ignored(fake: FakeLLM, http: httpx.Client, mode: str) -> None:
    fake.supports, fake.wording = frozenset(), "ignored"
    expected = good_answer(("zh", "de"), TITLE, ABSTRACT)  # as the prompt has it
    assert json.loads(content(post(fake, http, asking(mode)))) == expected
    fake.wording = "fenced"
    fenced = content(post(fake, http, asking(mode)))
    assert json.loads(fenced.removeprefix("```json\n").removesuffix("\n```")) == expected


@pytest.mark.parametrize(
    "prompt",
    [
        "Give JSON with the key `tldr_en` and for each of `zh` and `zh-Hant` an object of `title`, `abstract` and `tldr`.",
        'Give JSON: {"tldr_en": one sentence, "zh": {"title": ..., "abstract": ..., "tldr": ...}, "zh-Hant": {...}}',
        f"It must fit {json.dumps(schema(('zh', 'zh-Hant')))}, as JSON.",
    ],
)
def test_languages_in_words(fake: FakeLLM, http: httpx.Client, prompt: str) -> None:
    body = asking("json_object")
    body["messages"][0]["content"] = prompt
    assert json.loads(content(post(fake, http, body))) == good_answer(("zh", "zh-Hant"), TITLE, ABSTRACT)
    body["messages"][0]["content"] = prompt.replace("abstract", "motivation")
    said = json.loads(content(post(fake, http, body)))
    assert set(said["zh"]) == {"title", "tldr", "motivation"}


def test_schemas_with_references_and_choices(fake: FakeLLM, http: httpx.Client) -> None:
    wanted = {
        "type": "object",
        "properties": {
            "tldr_en": {"anyOf": [{"type": "null"}, {"type": "string"}]},
            "zh": {"$ref": "#/$defs/Texts"},
            "sure": {"type": "boolean"},
            "kind": {"enum": ["new", "old"]},
            "score": {"type": ["null", "integer"], "minimum": 3},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        },
        "$defs": {"Texts": {"type": "object", "properties": {"title": {"type": ["string", "null"]}}}},
    }
    body = asking(response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": wanted}})
    said = json.loads(content(post(fake, http, body)))
    good = good_answer(("zh",), TITLE, ABSTRACT)
    assert said["tldr_en"] == good["tldr_en"] and said["zh"] == {"title": good["zh"]["title"]}
    assert (said["sure"], said["kind"], said["score"], len(said["tags"])) == (True, "new", 3, 2)


def test_max_tokens_cut_the_answer(fake: FakeLLM, http: httpx.Client) -> None:
    reply = post(fake, http, asking(max_tokens=20)).json()
    assert reply["choices"][0]["finish_reason"] == "length" and reply["usage"]["completion_tokens"] == 20
    assert len(reply["choices"][0]["message"]["content"].encode()) < 150


# The texts


@pytest.mark.parametrize(
    ("language", "pattern", "low", "high"),
    [
        ("zh", "[\u4e00-\u9fff]", 0.25, 0.6),
        ("zh-Hant", "[\u4e00-\u9fff]", 0.25, 0.6),
        ("ja", "[\u3040-\u30ff\u4e00-\u9fff]", 0.3, 0.8),
        ("ru", "[а-яё]", 0.8, 1.5),
        ("de", "\\b(die|der|das|und|von|bei)\\b", 0.8, 1.5),
        ("fr", "\\b(les?|la|des|une?)\\b", 0.8, 1.5),
    ],
)
def test_good_texts(language: str, pattern: str, low: float, high: float) -> None:
    texts = good_answer((language,), TITLE, ABSTRACT, ("method", "result"))[language]
    assert list(texts) == ["title", "abstract", "tldr", "method", "result"]
    assert len(set(texts.values())) == 5
    assert all(re.search(pattern, one, re.IGNORECASE) for one in texts.values())
    assert kept(ABSTRACT)[:3] == ("$O(n \\log n)$", "93.5\\%", "71.2\\%")
    assert all(token in texts["abstract"] for token in kept(ABSTRACT)) and all(t in texts["title"] for t in kept(TITLE))
    assert low * len(ABSTRACT) < len(texts["abstract"]) < high * len(ABSTRACT)
    ends = [one[-1] for key, one in texts.items() if key != "title"]
    assert set(ends) == {"。" if language[:2] in ("zh", "ja") else "."}
    assert len(re.findall("[。.!?]", texts["tldr"])) == 1
    sentences = re.split(r"(?<=[。.]) *", texts["abstract"])
    assert len(sentences) == len(set(sentences)) > 2


def test_chinese_scripts_are_not_mixed() -> None:
    for number in range(40):
        answer = good_answer(("zh", "zh-Hant", "zh-TW"), f"{TITLE} {number}", ABSTRACT * 5, ("method",))
        "".join(answer["zh"].values()).encode("gb2312")
        "".join(answer["zh-Hant"].values()).encode("big5")
        assert answer["zh-TW"] == answer["zh-Hant"]


def test_brief_and_empty() -> None:
    assert list(good_answer(("zh",), TITLE, ABSTRACT, brief=True)["zh"]) == ["title", "tldr"]
    assert good_answer(("zh",), TITLE, "")["zh"]["abstract"].endswith("。")
    assert good_answer(("zh",), TITLE, ABSTRACT) == good_answer(("zh",), TITLE, ABSTRACT)
    assert good_answer(("zh",), TITLE, ABSTRACT) != good_answer(("zh",), "Other", ABSTRACT)


# Recipes


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 500, 502, 503, 504, 529])
def test_status(fake: FakeLLM, http: httpx.Client, code: int) -> None:
    fake.next(Recipe.status(code))
    reply = post(fake, http)
    assert reply.status_code == code and "retry-after" not in reply.headers
    if code in (502, 504):
        assert reply.headers["content-type"] == "text/html" and reply.text.startswith("<html>")
    else:
        assert reply.json()["error"]["message"]
    [request] = fake.requests
    assert (request.recipe, request.status, request.delivered) == (f"status {code}", code, True)
    assert fake.paid(TITLE) == 0 and fake.tokens == 0
    assert post(fake, http).status_code == 200


def test_rate_limit_headers(fake: FakeLLM, http: httpx.Client) -> None:
    fake.next(
        Recipe.status(429, retry_after="2"),
        Recipe.status(429, retry_after=timedelta(seconds=30)),
        Recipe.status(429, reset_requests="1s", reset_tokens="6m0s"),
        Recipe.insufficient_quota(),
        Recipe.insufficient_balance(),
        Recipe.context_length(),
    )
    assert post(fake, http).headers["retry-after"] == "2"
    wait = parsedate_to_datetime(post(fake, http).headers["retry-after"]) - datetime.now(UTC)
    assert timedelta(seconds=27) < wait < timedelta(seconds=31)
    headers = post(fake, http).headers
    assert headers["x-ratelimit-limit-requests"] == "60" and headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-reset-requests"] == "1s" and headers["x-ratelimit-reset-tokens"] == "6m0s"
    quota = post(fake, http)
    assert quota.status_code == 429 and quota.json()["error"]["code"] == "insufficient_quota"
    balance = post(fake, http)
    assert balance.status_code == 402 and balance.json()["error"]["message"] == "Insufficient Balance"
    assert post(fake, http).json()["error"]["code"] == "context_length_exceeded"


def test_no_answer(fake: FakeLLM, http: httpx.Client) -> None:
    fake.next(
        Recipe.hang(), Recipe.cut(), Recipe.cut(0), Recipe.empty_body(), Recipe.not_json(), Recipe.good(latency=0.2)
    )
    with pytest.raises(httpx.ReadTimeout):
        http.post(f"{fake.url}/chat/completions", json=asking(), timeout=0.1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        post(fake, http)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        post(fake, http)
    assert [one.delivered for one in fake.requests] == [False] * 3
    assert post(fake, http).content == b""
    assert post(fake, http).text.startswith("<html>")
    assert fake.paid(TITLE) == 0
    start = time.monotonic()
    assert content(post(fake, http)) and time.monotonic() - start > 0.2
    assert [one.recipe for one in fake.requests] == ["hang", "cut", "cut", "empty body", "not JSON", None]
    wait_until(lambda: fake.active == 0)


@pytest.mark.parametrize("mode", ["json_schema", "tools", "plain"])
@pytest.mark.parametrize("name", BAD)
def test_bad_answers(fake: FakeLLM, http: httpx.Client, name: str, mode: str) -> None:
    fake.next(Recipe.bad(name))
    [choice] = post(fake, http, asking(mode)).json()["choices"]
    message = choice["message"]
    said = message["content"]
    if message.get("tool_calls"):
        said = message["tool_calls"][0]["function"]["arguments"]
    good = good_answer(("zh",) if mode != "plain" else ("zh", "de"), TITLE, ABSTRACT)
    assert choice["finish_reason"] == {"broken_json": "length", "content_filter": "content_filter"}.get(name, "stop")
    assert fake.requests[0].recipe == name and fake.paid(TITLE) == (name in REPAIRABLE)
    match name:
        case "broken_json" | "single_quotes" | "trailing_comma" | "fenced":
            with pytest.raises(ValueError, match=r"Expecting|Unterminated|Illegal"):
                json.loads(said)
            if name == "single_quotes":
                assert ast.literal_eval(said) == good
            if name == "trailing_comma":
                assert json.loads(re.sub(r",\s*}", "}", said)) == good
            if name == "fenced":
                assert json.loads(said.split("```json\n")[1].split("\n```")[0]) == good
            return
        case "empty_content":
            assert said == ""
            return
        case "refusal":
            assert "can't assist" in (message["refusal"] if mode == "json_schema" else said)
            return
        case "content_filter":
            assert len(said) < 300
            return
    said, zh = json.loads(said), good["zh"]
    assert said != good
    match name:
        case "missing_field":
            assert "tldr" not in said["zh"]
        case "wrong_type":
            assert isinstance(said["zh"]["tldr"], list)
        case "extra_keys":
            assert {**said["zh"], **zh} == said["zh"] and set(said) > set(good)
        case "english":
            assert said["zh"]["abstract"].isascii() and said["zh"]["tldr"].isascii()
        case "wrong_language":
            assert re.search("[а-я]{5}", said["zh"]["tldr"])
        case "label":
            assert said["zh"]["abstract"] == "摘要：" + zh["abstract"]
        case "feed_label":
            assert "Announce Type: new" in said["zh"]["abstract"]
        case "abstract_copied":
            assert said["zh"]["abstract"] == ABSTRACT
        case "doubled":
            assert said["zh"]["abstract"].count(zh["abstract"]) == 2
        case "number_changed":
            assert "93.5" not in said["zh"]["abstract"]
        case "formula_lost":
            assert "$" not in said["zh"]["abstract"]
        case _:
            pytest.fail(f"no test of {name}")


def test_which_recipe_holds(fake: FakeLLM, http: httpx.Client) -> None:
    fake.always(Recipe.status(503))
    fake.for_paper("Kernels", Recipe.status(500), Recipe.good())
    fake.next(Recipe.status(409))
    assert [post(fake, http).status_code for _ in range(4)] == [409, 500, 200, 200]
    other = asking(title="Other")
    assert [post(fake, http, other).status_code for _ in range(2)] == [503, 503]
    fake.always(None)
    assert post(fake, http, other).status_code == 200
    assert fake.paid(TITLE) == 2 and fake.paid("Other") == 1 and fake.paid("None") == 0


def test_recipes_by_chance() -> None:
    recipes = Recipes(seed=3, share=0.3, most=2)
    picks = [recipes.pick(f"Paper {number}", 0) for number in range(1000)]
    assert 250 < sum(pick is not None for pick in picks) < 350
    assert len({pick.name for pick in picks if pick}) > 15
    assert recipes.pick("Paper 1", 0) == Recipes(seed=3, share=0.3).pick("Paper 1", 0)
    assert not any(recipes.pick(f"Paper {number}", 2) for number in range(1000))
    only = Recipes(share=1.0, kinds=[Recipe.status(500), Recipe.status(503)], weights=[1.0, 0.0])
    assert {pick.code for number in range(50) if (pick := only.pick(str(number), 0))} == {500}


# What is counted


def test_idempotency_keys(fake: FakeLLM, http: httpx.Client) -> None:
    fake.next(Recipe.status(500), Recipe.bad("english"))
    replies = [post(fake, http, idempotency_key="a") for _ in range(4)]
    assert [reply.status_code for reply in replies] == [500, 200, 200, 200]
    assert replies[1].json() != replies[2].json() == replies[3].json()
    assert fake.paid(TITLE) == 1 and fake.replayed == 1
    post(fake, http, idempotency_key="b")
    assert fake.paid(TITLE) == 2 and fake.replayed == 1
    assert post(fake, http, asking(title="Other"), idempotency_key="b").status_code == 400


def test_an_answer_that_was_cut_can_be_had_again(fake: FakeLLM, http: httpx.Client) -> None:
    fake.next(Recipe.cut())
    with pytest.raises(httpx.RemoteProtocolError):
        post(fake, http, idempotency_key="a")
    assert fake.paid(TITLE) == 0
    assert json.loads(content(post(fake, http, idempotency_key="a"))) == good_answer(("zh",), TITLE, ABSTRACT)
    assert fake.paid(TITLE) == 1 and fake.replayed == 1


def test_who_goes_away_has_got_nothing(fake: FakeLLM, http: httpx.Client) -> None:
    fake.next(Recipe.good(latency=30))
    body = json.dumps(asking()).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer secret\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", httpx.URL(fake.url).port or 0)) as client:
        client.sendall(head.encode() + body)
        wait_until(lambda: fake.active == 1)
    wait_until(lambda: fake.active == 0)
    assert not fake.requests[0].delivered and fake.requests[0].status is None and fake.paid(TITLE) == 0
    content(post(fake, http))


async def _many(fake: FakeLLM, count: int) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(headers=KEY, limits=limits, timeout=10) as client:
        bodies = (asking(title=f"Paper {number}") for number in range(count))
        return await asyncio.gather(*(client.post(f"{fake.url}/chat/completions", json=body) for body in bodies))


async def test_many_at_once() -> None:
    with FakeLLM(latency=0.3).running() as fake:
        start = time.monotonic()
        replies = await _many(fake, 64)
        assert time.monotonic() - start < 1.5
        assert [reply.status_code for reply in replies] == [200] * 64
        assert fake.peak > 16
        assert all(fake.paid(f"Paper {number}") == 1 for number in range(64))


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="Linux only")
def test_a_call_takes_little_cpu(fake: FakeLLM, http: httpx.Client) -> None:
    thread = next(one for one in threading.enumerate() if one.name == "fake-llm")
    assert thread.ident
    clock = time.pthread_getcpuclockid(thread.ident)
    before = time.clock_gettime(clock)
    for number in range(100):
        post(fake, http, asking(title=f"Paper {number}"))
    assert (time.clock_gettime(clock) - before) / 100 < 0.003


def test_limit_of_requests(http: httpx.Client) -> None:
    with FakeLLM(rpm=2, window=1.0).running() as fake:
        replies = [post(fake, http) for _ in range(4)]
        assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
        assert fake.refused == 2 and fake.requests[-1].recipe == "limit"
        assert 0 < float(replies[-1].headers["retry-after"]) < 1.1
        assert replies[-1].headers["x-ratelimit-limit-requests"] == "2"
        time.sleep(1.0)
        assert post(fake, http).status_code == 200


def test_limit_of_tokens(http: httpx.Client) -> None:
    with FakeLLM(tpm=1000).running() as fake:
        statuses = [post(fake, http, asking(title=f"Paper {number}")).status_code for number in range(8)]
        assert statuses[0] == 200 and statuses[-1] == 429
        assert fake.refused == statuses.count(429) and 500 < fake.tokens < 1500


async def test_limit_of_calls_at_once() -> None:
    with FakeLLM(latency=0.3, max_concurrent=5).running() as fake:
        statuses = [reply.status_code for reply in await _many(fake, 8)]
        assert sorted(statuses) == [200] * 5 + [429] * 3
        assert fake.refused == 3 and fake.peak == 5


def test_a_port_that_is_taken(fake: FakeLLM) -> None:
    port = httpx.URL(fake.url).port or 0
    with pytest.raises(OSError, match="in use"), FakeLLM().running(port):
        pytest.fail("it runs")


def test_settings(fake: FakeLLM) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v1", fake.url) and FakeLLM().url == ""
    assert fake.settings() == {
        "ZHAIYAO_LLM_BASE_URL": fake.url,
        "ZHAIYAO_LLM_API_KEY": "secret",
        "ZHAIYAO_LLM_MODEL": "fake-model",
    }
