"""Who is asking, for what the caller is good, and how often: decided before a route or a body is looked at.

What a request needs is a property of its route: ``read`` for GET, ``write`` for everything else, unless the route declares
another scope (``openapi_extra=needs(Scope.ADMIN)``).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.types import Scope as Connection

from app import addresses, keys
from app.addresses import Network
from app.config import Settings
from app.db import Database
from app.errors import (
    InvalidKey,
    KeyRequired,
    MissingScope,
    RateLimited,
    Refused,
    WritingIsLocal,
)
from app.keys import Key
from app.limits import Limiter
from app.models import Scope
from app.rates import UNLIMITED, Rate

ADDRESS_RATE = Rate(600, 60)
KEY_RATE = Rate(6_000, 60)
"""Limits where the settings name none; callers on the service's own machine have none then."""

READING = ("GET", "HEAD", "OPTIONS")
OPEN = ("/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect", "/healthz", "/readyz")
"""What everybody may see: the description of the API, and whether the service is well."""

_DECLARED = "x-scope"
_HIDING = (b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via")
_BEARER = re.compile(rb"bearer +([^ ,;\x00-\x1f\x7f-\xff]{1,200})", re.IGNORECASE)


def needs(scope: Scope) -> dict[str, Any]:
    """What a route declares, as ``openapi_extra``, that needs another scope than its method says."""
    return {_DECLARED: str(scope)}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is asking: an address, a key if one was sent, and the scope that the request needs (None: it is open to all)."""

    address: str
    key: Key | None
    needed: Scope | None

    @property
    def name(self) -> str:
        """By which what belongs to the caller is kept."""
        return f"key:{self.key.id}" if self.key else "anonymous"


def caller_of(connection: Connection) -> Caller:
    """The caller of a request that was let in."""
    return cast(Caller, connection["state"]["caller"])


class Needs:
    """Which scope a request needs, by method and path."""

    def __init__(self, routes: Iterable[APIRoute]) -> None:
        self._routes = [
            (frozenset(route.methods or ()), route.path_regex, (route.openapi_extra or {}).get(_DECLARED))
            for route in routes
        ]
        self._declared = [route[1] for route in self._routes if route[2] is not None]

    def of(self, method: str, path: str) -> Scope | None:
        """The scope, or None for what is open to all."""
        if method in READING and path in OPEN:
            return None
        usual = Scope.READ if method in READING else Scope.WRITE
        for declared in self._declared:
            if declared.match(path):
                break
        else:  # nearly always
            return usual
        # The route that answers is the first that fits, and it may be one that declares nothing.
        for methods, pattern, scope in self._routes:
            if method in methods and pattern.match(path):
                return Scope(scope) if scope else usual
        return usual


class Access:
    """The rules of one application: keys, who may do without one, and limits."""

    def __init__(self, settings: Settings, needs: Needs, limiter: Limiter) -> None:
        self._settings = settings
        self._needs = needs
        self._limiter = limiter
        self._hosts = settings.allowed_hosts

    def answers_for(self, connection: Connection) -> bool:
        """Whether the service answers for the host that a request is addressed to."""
        if not self._hosts:
            return True
        host = _host(connection)
        return any(host == one or (one.startswith("*.") and host.endswith(one[1:])) for one in self._hosts)

    async def admit(self, connection: Connection, database: Database, method: str, path: str) -> Caller:
        """Let a request in, or raise a ``Refused`` that says why not; how its limit stands goes into the answer's headers."""
        address = self._address(connection)
        needed = self._needs.of(method, path)
        sent = [value for name, value in connection["headers"] if name == b"authorization"]
        key, refusal = None, None
        if sent and needed is not None:
            try:
                key = await keys.recognise(database, _secret(sent))
            except Refused as error:
                refusal = error  # counted first, so that trying keys is limited like everything else
        if (rate := self._rate(address, key)).count:
            who = f"address {addresses.as_caller(address)}" if key is None else f"key {key.id}"
            verdict = await self._limiter.take(database, who, rate)
            connection["state"]["headers"] += [
                (b"ratelimit-policy", b'"default";q=%d;w=%d' % (rate.count, rate.seconds)),
                (b"ratelimit", b'"default";r=%d;t=%d' % (verdict.remaining, verdict.seconds)),
            ]
            if not verdict.passes:
                raise RateLimited(str(rate), verdict.seconds)
        if refusal is not None:
            raise refusal
        caller = Caller(address, key, needed)
        await self.authorise(connection, database, caller)
        connection["state"].update(caller=caller, access=self)
        return caller

    def _rate(self, address: str, key: Key | None) -> Rate:
        own = key.rate_limit if key is not None else None
        configured = own or (self._settings.key_rate_limit if key is not None else self._settings.rate_limit)
        if configured is None and addresses.is_loopback(address):
            return UNLIMITED
        return configured or (ADDRESS_RATE if key is None else KEY_RATE)

    async def authorise(self, connection: Connection, database: Database, caller: Caller) -> None:
        """Raise ``KeyRequired``, ``MissingScope`` or ``WritingIsLocal`` unless the caller may do what it needs to."""
        if caller.needed is None:
            return
        if caller.key is not None:
            if not caller.key.scope.includes(caller.needed):
                raise MissingScope(str(caller.needed), str(caller.key.scope))
            return
        if caller.needed is Scope.READ and self._settings.public_read:
            return
        how = f"'zhaiyao keys create NAME --scope {caller.needed}' on the service's machine makes one."
        if not self._settings.public_read or not self._settings.listens_locally:
            raise KeyRequired(f"This needs a key, sent as 'Authorization: Bearer zy_…'; {how}")
        if not _is_from_here(connection, caller.address, self._settings.trusted_proxies):
            raise WritingIsLocal(
                "Without a key, writing is for callers on the service's own machine, and not for pages of other sites; "
                "send it from there, or with a key."
            )
        if await keys.any_exists(database):
            raise KeyRequired(f"Since there are keys, this needs one, sent as 'Authorization: Bearer zy_…'; {how}")

    def _address(self, connection: Connection) -> str:
        client = connection.get("client")
        if client is None:  # a unix socket: whoever can open it is on this machine
            return "127.0.0.1"
        peer: str = client[0]
        if re.fullmatch("[a-z]+", peer):  # a network peer has an address; a bare name is a caller inside this process
            return "127.0.0.1"
        if not self._settings.trusted_proxies:
            return peer
        values = {
            wanted: [value.decode("latin-1") for name, value in connection["headers"] if name == wanted]
            for wanted in (b"x-forwarded-for", b"forwarded", b"x-forwarded-proto")
        }
        trusted = self._settings.trusted_proxies
        if addresses.is_among(peer, trusted) and values[b"x-forwarded-proto"][-1:] in (["http"], ["https"]):
            connection["scheme"] = values[b"x-forwarded-proto"][-1]
        return addresses.behind(peer, values[b"x-forwarded-for"], values[b"forwarded"], trusted)


async def require(request: Request, scope: Scope) -> None:
    """For a route that reads, and of which a part does more: raises what a route that needs ``scope`` would."""
    access: Access = request.state.access
    caller = replace(caller_of(request.scope), needed=scope)
    await access.authorise(request.scope, request.app.state.tools.database, caller)


def _secret(sent: Sequence[bytes]) -> str:
    if len(sent) > 1:
        raise Refused("There is more than one Authorization header; send one.")
    match = _BEARER.fullmatch(sent[0].strip())
    if match is None:
        raise InvalidKey("The Authorization header holds no key: send it as 'Authorization: Bearer zy_…'.")
    return match[1].decode("ascii")


def _is_from_here(connection: Connection, address: str, trusted: Sequence[Network]) -> bool:
    """Whether a caller is on this machine and no page of another site: such a page can make a browser here send requests."""
    if not addresses.is_loopback(address):
        return False
    headers = dict(connection["headers"])
    peer = connection.get("client")
    is_believed = peer is not None and addresses.is_among(peer[0], trusted)
    is_told = b"x-forwarded-for" in headers or b"forwarded" in headers
    if not (is_believed and is_told) and any(name in headers for name in _HIDING):
        return False  # there is a proxy, of which nobody has said that it is to be believed
    host = _host(connection)
    if host and not addresses.is_local_name(host):
        return False  # a name of somebody else's that was made to lead here (DNS rebinding)
    origin = headers.get(b"origin")
    return origin is None or _is_local_origin(origin.decode("latin-1"))


def _is_local_origin(origin: str) -> bool:
    scheme, separator, authority = origin.partition("://")
    return bool(separator) and scheme in ("http", "https") and addresses.is_local_name(addresses.host_of(authority))


def _host(connection: Connection) -> str:
    for name, value in connection["headers"]:
        if name == b"host":
            return addresses.host_of(value.decode("latin-1"))
    return ""


def document(schema: Mapping[str, Any]) -> None:
    """Write into an OpenAPI document how keys are sent, and which scope each operation needs."""
    components = cast(dict[str, Any], schema).setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A key of this service: `zy_…`"}
    }
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            if path in OPEN:
                operation["security"] = []
                continue
            usual = Scope.READ if method == "get" else Scope.WRITE
            scope = operation.setdefault(_DECLARED, str(usual))
            # Reading is open unless a setting closes it: a key may be sent, and need not.
            operation["security"] = [{"key": []}] if scope != Scope.READ else [{}, {"key": []}]
