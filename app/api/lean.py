"""Routes for what is asked most: FastAPI documents them, and they go to their answer without its machinery.

Solving the dependencies of twenty parameters takes longer than the query that they ask for. Here the address's query is read into
its model once, and remembered for as long as it is asked for again; errors are the same as everywhere.
"""

import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from functools import cache, lru_cache
from inspect import signature
from typing import Any, Final, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, unquote_to_bytes

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette._utils import get_route_path
from starlette.convertors import Convertor, register_url_convertor
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

MAX_PARAMETERS: Final = 300

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class LeanRoute(APIRoute):
    """A route whose endpoint takes ``request``, ``tools``, parts of its path, and ``query``, a model; no dependencies.

    ``query`` is declared ``Annotated[Model, Query()]``, so that each of its fields is documented as a parameter.
    """

    def get_route_handler(self) -> Handler:
        """What answers a request."""
        return _handler(self.endpoint)


def first(path: str, endpoint: Callable[..., Awaitable[Response]]) -> Route:
    """A lean route once more, for ``First``."""
    return Route(path, _handler(endpoint), include_in_schema=False)


class First:
    """The layer in front of the application that answers what is asked most.

    FastAPI looks through dozens of routes, several times each, inside of layers for what these do not need. Errors go out to
    the layer that answers all of them.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[Route]) -> None:
        self._app = app
        self._table: list[tuple[re.Pattern[str], Handler]] = [(one.path_regex, one.endpoint) for one in routes]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer if the address is one of ours, or hand on."""
        if scope["method"] == "GET":
            path = get_route_path(scope)
            for pattern, handle in self._table:
                if match := pattern.match(path):
                    scope["path_params"] = match.groupdict()
                    response = await handle(Request(scope, receive, send))
                    await response(scope, receive, send)
                    return
        await self._app(scope, receive, send)


class _PlainId(Convertor[str]):
    """An arXiv id as nearly all callers write it. Other forms, and what is no id, find the route further down."""

    regex = r"\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+/\d{7}(?:v\d+)?"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Plain(_PlainId):
    """Letters and digits."""

    regex = "[A-Za-z0-9_-]+"


register_url_convertor("plain_id", _PlainId())
register_url_convertor("plain", _Plain())


@cache
def _handler(endpoint: Callable[..., Awaitable[Response]]) -> Handler:
    kinds = get_type_hints(endpoint, include_extras=True)
    takes_query = "query" in kinds
    read = _reader(get_args(kinds["query"])[0] if takes_query else _Nothing)
    in_path = {
        name: TypeAdapter(kinds[name]).validate_python
        for name in signature(endpoint).parameters
        if name not in ("request", "tools", "query")
    }

    async def handle(request: Request) -> Response:
        scope = request.scope
        values: dict[str, Any] = {}
        for name, validate in in_path.items():
            try:
                values[name] = validate(scope["path_params"][name])
            except ValidationError as error:
                raise _as_fastapis(error, "path", name) from None
        query = read(scope["query_string"])
        if takes_query:
            values["query"] = query
        return await endpoint(request=request, tools=scope["app"].state.tools, **values)

    return handle


class _Nothing(BaseModel, extra="forbid"):
    """The query of an address that takes none."""


def _reader(model: type[BaseModel]) -> Callable[[bytes], BaseModel]:
    @lru_cache(maxsize=1_024)
    def read(query_string: bytes) -> BaseModel:
        query: BaseModel = read_query(model, query_string)
        return query

    return read


def read_query(model: type[BaseModel], query_string: bytes) -> Any:
    """A query string as a model; ``RequestValidationError`` as FastAPI raises it.

    A parameter that is not known, or is given twice where one is meant, is refused: it would be without effect. A model that
    passes over what it does not know passes over what is no UTF-8, too.
    """
    if model.model_config.get("extra") == "forbid":
        check_utf8(query_string)
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        raise refused(None, "too_many", f"it has more than {MAX_PARAMETERS} parameters") from None
    given: dict[str, Any] = {}
    lists = _lists(model)
    for name, value in pairs:
        if name in lists:
            given.setdefault(name, []).append(value)
        elif name in given:
            raise refused(name, "repeated", "it is given twice, and only one can count")
        else:
            given[name] = value
    try:
        return model.model_validate(given)
    except ValidationError as error:
        refusal = _as_fastapis(error, "query")
        for one in refusal.errors():
            if one["type"] == "extra_forbidden":
                one["msg"] = unknown(model.model_fields)
        raise refusal from None


def _as_fastapis(error: ValidationError, *place: str) -> RequestValidationError:
    return RequestValidationError([one | {"loc": (*place, *one["loc"])} for one in error.errors(include_url=False)])


def check_utf8(query_string: bytes) -> None:
    """Refuse a query string that is no text: what cannot be read would be looked for as another character."""
    try:
        unquote_to_bytes(query_string).decode()
    except UnicodeDecodeError:
        raise refused(None, "unicode", "it is not UTF-8, percent-encoded") from None


def unknown(there_are: Iterable[str]) -> str:
    """What is said of a parameter that is none of these."""
    return f"there is no parameter of this name; there are {', '.join(there_are) or 'none'}"


def refused(name: str | None, kind: str, message: str) -> RequestValidationError:
    """The refusal of one parameter, or of all that there are (None), as FastAPI raises it."""
    place = ("query",) if name is None else ("query", name)
    return RequestValidationError([{"type": kind, "loc": place, "msg": message}])


@lru_cache(maxsize=64)
def _lists(model: type[BaseModel]) -> frozenset[str]:
    """The parameters of a model that may be repeated."""
    return frozenset(name for name, field in model.model_fields.items() if is_list(field.annotation))


def is_list(annotation: Any) -> bool:
    """Whether a parameter of this type may be repeated."""
    return get_origin(annotation) is list or any(map(is_list, get_args(annotation)))
