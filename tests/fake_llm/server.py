"""The endpoint: takes calls, keeps to its limits, follows its recipes, and remembers who got what."""

import asyncio
import hashlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from typing import Any

from tests.fake_llm.answers import answer_to
from tests.fake_llm.asked import Asked, InvalidCall, Unsupported, understand, unsupported
from tests.fake_llm.recipes import Recipe, Recipes, error_body, rate_headers
from tests.fake_llm.records import Made, Request, Window
from tests.fake_llm.wire import Call, Connection

MODES = frozenset(("json_schema", "tools", "json_object"))
_JSON = {"Content-Type": "application/json"}


class FakeLLM:
    """Answers as a good model does, after ``latency`` seconds, unless a recipe says otherwise.

    The recipe of a call is the first of: the queue (``next``), that of its paper (``for_paper``), ``always``, and what
    ``recipes`` picks by chance. Calls that are invalid or unauthorised, or in a mode that is not in ``supports``, take none;
    ``wording`` says how the mode is refused ("ignored" and "fenced" answer in plain text). ``rpm`` and ``tpm`` hold for
    any ``window`` seconds, a minute by default; what they and ``max_concurrent`` refuse is counted in ``refused``.
    ``peak`` is the most calls that were under way at once.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        recipes: Recipes | None = None,
        api_key: str | None = None,
        models: Sequence[str] = ("fake-model",),
        supports: AbstractSet[str] = MODES,
        wording: Unsupported = "openai",
        rpm: int | None = None,
        tpm: int | None = None,
        max_concurrent: int | None = None,
        window: float = 60.0,
    ) -> None:
        self.latency = latency
        self.recipes = recipes
        self.api_key = api_key
        self.models = tuple(models)
        self.supports = supports
        self.wording = wording
        self.rpm, self.tpm, self.max_concurrent, self.window = rpm, tpm, max_concurrent, window
        self._url = ""
        self._lock = threading.Lock()
        self.active = 0
        self.clear()

    def clear(self) -> None:
        """Forget all calls, answers and scripted recipes; what was given to ``FakeLLM()`` stays."""
        with self._lock:
            self.requests: list[Request] = []
            # Calls under way are not forgotten: they end, and are counted then.
            self.refused = self.replayed = self.peak = 0
            self._queue: deque[Recipe] = deque()
            self._always: Recipe | None = None
            self._papers: dict[str, deque[Recipe]] = {}
            self._paid: Counter[str] = Counter()
            self._attempts: Counter[str] = Counter()
            self._made: dict[str, Made] = {}
            self._busy: set[str] = set()
            self._window = Window(self.window)

    @property
    def url(self) -> str:
        """The base URL, which ends in /v1; empty until the server runs."""
        return self._url

    def settings(self) -> dict[str, str]:
        """The environment in which the application uses this model."""
        return {
            "ZHAIYAO_LLM_BASE_URL": self.url,
            "ZHAIYAO_LLM_API_KEY": self.api_key or "secret",
            "ZHAIYAO_LLM_MODEL": self.models[0],
        }

    def next(self, *recipes: Recipe) -> None:
        """What happens to the next calls, one after the other."""
        with self._lock:
            self._queue.extend(recipes)

    def always(self, recipe: Recipe | None) -> None:
        """What happens to every call from now on; None for good answers."""
        with self._lock:
            self._always = recipe

    def for_paper(self, part: str, *recipes: Recipe) -> None:
        """What happens to the calls for papers whose title contains ``part``: in turn, the last one for ever."""
        with self._lock:
            self._papers[part] = deque(recipes)

    def paid(self, title: str) -> int:
        """How many good answers for a paper were delivered; one that was given again by its Idempotency-Key counts once."""
        return self._paid[" ".join(title.split())]

    @property
    def tokens(self) -> int:
        """The tokens of all answers with 200 that were delivered, good or bad, but not of those given again."""
        return sum(one.tokens for one in list(self.requests) if one.delivered and not one.replayed)

    @contextmanager
    def running(self, port: int = 0) -> Iterator["FakeLLM"]:
        """Listen on a port of the loopback interface, a free one if it is 0, in a thread of its own."""
        loop = asyncio.new_event_loop()
        connections: set[Connection] = set()
        thread = threading.Thread(target=loop.run_forever, name="fake-llm", daemon=True)
        thread.start()
        try:
            listening = loop.create_server(
                lambda: Connection(self._handle, connections), "127.0.0.1", port, backlog=512
            )
            server = asyncio.run_coroutine_threadsafe(listening, loop).result()
            self._url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            try:
                yield self
            finally:
                asyncio.run_coroutine_threadsafe(_stop(server, connections), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    # What happens to a call

    async def _handle(self, call: Call, connection: Connection) -> None:
        path = call.path.partition("?")[0]
        if self.api_key and call.headers.get("authorization") != f"Bearer {self.api_key}":
            message = "You didn't provide an API key. Use an Authorization header: Bearer YOUR_KEY."
            if "authorization" in call.headers:
                message = "Incorrect API key provided: secret-***."
            await connection.send(401, _JSON, error_body(message, "invalid_request_error", "invalid_api_key"))
        elif path == "/v1/models" and call.method == "GET":
            listed = [
                {"id": name, "object": "model", "created": 1767225600, "owned_by": "fake"} for name in self.models
            ]
            await connection.send(200, _JSON, json.dumps({"object": "list", "data": listed}).encode())
        elif path == "/v1/chat/completions" and call.method == "POST":
            await self._chat(call, connection)
        else:
            message = f"Invalid URL ({call.method} {path})"
            await connection.send(404, _JSON, error_body(message, "invalid_request_error", None))

    async def _chat(self, call: Call, connection: Connection) -> None:
        request = Request(time.monotonic(), call.headers, {})
        with self._lock:
            self.requests.append(request)
        try:
            request.body = json.loads(call.body)
            asked = understand(request.body)
        except (ValueError, AttributeError, TypeError, InvalidCall) as error:
            message = (
                str(error) if isinstance(error, InvalidCall) else "We could not parse the JSON body of your request."
            )
            await self._send(request, connection, 400, {}, error_body(message, "invalid_request_error", None))
            return
        request.title, request.languages, request.mode = asked.paper.title, asked.languages, asked.mode
        if request.body.get("model") not in self.models:
            message = f"The model `{request.body.get('model')}` does not exist or you do not have access to it."
            body = error_body(message, "invalid_request_error", "model_not_found", None)
            await self._send(request, connection, 404, {}, body)
            return
        with self._lock:
            refusal = self._over_limits(request)
            if refusal is None:
                self.active += 1
                self.peak = max(self.peak, self.active)
        if refusal:
            await self._follow(request, connection, refusal)
            return
        try:
            await self._answer(request, connection, asked)
        finally:
            with self._lock:
                self.active -= 1

    async def _answer(self, request: Request, connection: Connection, asked: Asked) -> None:
        """A call that keeps to the limits: the answer of its key, or that of its recipe."""
        key = request.headers.get("idempotency-key")
        with self._lock:
            made = self._made.get(key) if key else None
            busy = bool(key) and key in self._busy
        if made and made.title != asked.paper.title:
            message = "Keys for idempotent requests can only be used with the parameters they were first used with."
            await self._send(request, connection, 400, {}, error_body(message, "idempotency_error", None))
        elif made:
            with self._lock:
                self.replayed += 1
            request.replayed, request.tokens = True, made.tokens
            await self._send(request, connection, 200, {"Idempotent-Replayed": "true"}, made.body, made=made)
        elif busy:
            await self._follow(request, connection, Recipe.status(409, message="A request with this key is under way."))
        elif asked.mode != "plain" and asked.mode not in self.supports and self.wording not in ("ignored", "fenced"):
            await self._follow(request, connection, unsupported(asked.mode, self.wording, self.models[0]))
        else:
            self._busy |= {key} if key else set()
            try:
                await self._think(request, connection, asked, key)
            finally:
                self._busy.discard(key or "")

    async def _think(self, request: Request, connection: Connection, asked: Asked, key: str | None) -> None:
        with self._lock:
            recipe = self._recipe(asked.paper.title)
        request.recipe = None if recipe.kind == "good" else recipe.name
        latency = self.latency if recipe.latency is None else recipe.latency
        if recipe.kind == "hang":
            await asyncio.get_running_loop().create_future()
        if latency:
            await asyncio.sleep(latency)
        if recipe.kind in ("status", "body"):
            await self._follow(request, connection, recipe)
            return
        body, request.tokens = self._completion(request, asked, recipe)
        made = Made(asked.paper.title, body, request.tokens) if recipe.is_good else None
        with self._lock:
            if self.tpm is not None:
                self._window.add(time.monotonic(), 0, request.tokens - _prompt_tokens(request.body))
            if made and key:
                self._made[key] = made
        await self._send(request, connection, 200, {}, body, cut=recipe.at, made=made)

    def _recipe(self, title: str) -> Recipe:
        attempt = self._attempts[title]
        self._attempts[title] += 1
        if self._queue:
            return self._queue.popleft()
        for part, recipes in self._papers.items():
            if part in title and recipes:
                return recipes.popleft() if len(recipes) > 1 else recipes[0]
        by_chance = self.recipes.pick(title, attempt) if self.recipes and not self._always else None
        return self._always or by_chance or Recipe.good()

    def _over_limits(self, request: Request) -> Recipe | None:
        """The refusal of a call that is too much; else the call is noted."""
        now = request.at
        self._window.forget(now)
        calls, tokens = self._window.calls, self._window.tokens
        prompt_tokens = 0 if self.tpm is None else _prompt_tokens(request.body)
        wait = f"{self._window.wait(now) + 0.001:.3f}"
        message = None
        headers: dict[str, str] = dict(_JSON)
        if self.max_concurrent is not None and self.active >= self.max_concurrent:
            message = (
                f"Your account has reached max request concurrency: {self.max_concurrent}. Please try again later."
            )
        elif self.rpm is not None and calls >= self.rpm:
            message = (
                f"on requests per min (RPM): Limit {self.rpm}, Used {calls}, Requested 1. Please try again in {wait}s."
            )
            headers |= {"Retry-After": wait} | rate_headers("requests", self.rpm, 0, f"{wait}s")
        elif self.tpm is not None and tokens + prompt_tokens > self.tpm:
            message = f"on tokens per min (TPM): Limit {self.tpm}, Used {tokens}, Requested {prompt_tokens}."
            headers |= {"Retry-After": wait} | rate_headers("tokens", self.tpm, max(0, self.tpm - tokens), f"{wait}s")
        if message is None:
            self._window.add(now, 1, prompt_tokens)
            return None
        self.refused += 1
        body = error_body(f"Rate limit reached for {self.models[0]} {message}", "requests", "rate_limit_exceeded")
        request.recipe = "limit"
        return Recipe("limit", "status", 429, body, headers)

    def _completion(self, request: Request, asked: Asked, recipe: Recipe) -> tuple[bytes, int]:
        """The body of a 200, and its tokens."""
        ignored = asked.mode != "plain" and asked.mode not in self.supports
        if ignored:
            asked = asked.in_words()
        said = recipe.say(answer_to(asked.schema, asked.paper), asked.paper, asked.languages, asked.mode)
        content, finish = said.content, said.finish
        if ignored and self.wording == "fenced" and content and recipe.name != "fenced":
            content = f"```json\n{content}\n```"
        prompt_tokens = _prompt_tokens(request.body)
        completion_tokens = _tokens(content or said.refusal or "")
        most = request.body.get("max_completion_tokens") or request.body.get("max_tokens")
        if content and most and completion_tokens > most:
            content, finish, completion_tokens = content[: len(content) * most // completion_tokens], "length", most
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": said.refusal}
        identity = hashlib.blake2s(f"{id(request)} {request.at}".encode(), digest_size=12).hexdigest()
        if asked.mode == "tools" and said.as_call:
            function = {"name": asked.tool, "arguments": content}
            message["content"] = None
            message["tool_calls"] = [{"id": f"call_{identity}", "type": "function", "function": function}]
            named = isinstance(request.body.get("tool_choice"), Mapping)
            finish = finish if finish != "stop" or named else "tool_calls"  # OpenAI says "stop" for a named function
        whole = {
            "id": f"chatcmpl-{identity}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request.body["model"],
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": {
                "prompt_tokens": prompt_tokens,
                "completion_tokens": completion_tokens,
                "total_tokens": prompt_tokens + completion_tokens,
            },
            "system_fingerprint": "fp_fake",
        }
        return json.dumps(whole, ensure_ascii=False).encode(), prompt_tokens + completion_tokens

    async def _follow(self, request: Request, connection: Connection, recipe: Recipe) -> None:
        """Send what a recipe holds."""
        request.recipe = recipe.name
        await self._send(request, connection, recipe.code, recipe.http_headers(), recipe.body)

    async def _send(
        self,
        request: Request,
        connection: Connection,
        status: int,
        headers: Mapping[str, str],
        body: bytes,
        *,
        cut: float | None = None,
        made: Made | None = None,
    ) -> None:
        def delivered() -> None:
            with self._lock:
                request.delivered = True
                request.ended = time.monotonic()
                if made and not made.paid:
                    made.paid = True
                    self._paid[made.title] += 1

        request.status = status
        await connection.send(status, {**_JSON, **headers}, body, cut=cut, delivered=delivered)


async def _stop(server: asyncio.Server, connections: set[Connection]) -> None:
    server.close()
    for connection in list(connections):
        connection.close()
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)


def _tokens(text: str) -> int:
    """About what a tokenizer makes of it."""
    return len(text.encode()) // 4


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    return _tokens(json.dumps(body.get("messages"), ensure_ascii=False))
