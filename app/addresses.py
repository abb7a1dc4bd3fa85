"""Network addresses: which are this machine's own, who is asking behind proxies, and what counts as one caller."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from urllib.parse import urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNKNOWN = "unknown"
"""A caller of whom a proxy that we trust tells nothing that can be read: never local, and all of them are one caller."""

_LONGEST = 64
"""Characters of an address, with the name of an interface; what is longer is none, and callers' inventions are not kept."""

LOCAL_NAMES = ("localhost", "test")
"""Top-level names that nobody can register (RFC 6761), so that no page of another site is served under one."""


def parse(text: str) -> Address | None:
    """An address, or None if it is none; IPv4 written as IPv6 (``::ffff:192.0.2.1``) is IPv4."""
    return _parse(text) if len(text) <= _LONGEST else None


@lru_cache(maxsize=10_000)
def _parse(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(text: str) -> bool:
    """Whether an address is this machine's own."""
    address = parse(text)
    return address is not None and address.is_loopback


def listens_locally(host: str) -> bool:
    """Whether a service that listens on ``host`` is reached from its own machine only."""
    return host.lower() == "localhost" or is_loopback(host)


def host_of(header: str) -> str:
    """The name in a ``Host`` header or the authority of an address, in lower case, without port and brackets; "" if none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_local_name(host: str) -> bool:
    """Whether a host can only lead to this machine: a page of another site never has it for its own."""
    return host.rsplit(".", 1)[-1] in LOCAL_NAMES or is_loopback(host)


@lru_cache(maxsize=10_000)
def as_caller(text: str) -> str:
    """What counts as one caller: an IPv4 address, or the 64 bits of an IPv6 one that its owner cannot choose freely."""
    address = parse(text)
    if address is None:
        return UNKNOWN
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def is_among(text: str, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of these networks."""
    address = parse(text)
    return address is not None and any(address in network for network in networks)


def behind(peer: str, forwarded_for: Sequence[str], forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """Who is asking: ``peer``, or if that is a proxy that we trust, the nearest address it tells that is not one as well.

    ``forwarded_for`` and ``forwarded`` are the values of ``X-Forwarded-For`` and ``Forwarded`` (RFC 7239). A proxy that
    writes one of them may hand on what the caller wrote in the other: where they disagree, nobody is believed (``UNKNOWN``).
    """
    if not is_among(peer, trusted):
        return peer
    told = [hops for hops in (_plain(forwarded_for), _elements(forwarded)) if hops]
    if not told:
        return peer
    found = {_nearest(hops, trusted) for hops in told}
    return found.pop() if len(found) == 1 else UNKNOWN


def _nearest(hops: Sequence[str], trusted: Sequence[Network]) -> str:
    for hop in reversed(hops):
        address = parse(_without_port(hop))
        if address is None:
            return UNKNOWN
        if not is_among(str(address), trusted):
            return str(address)
    return str(parse(_without_port(hops[0])))


def _plain(values: Sequence[str]) -> list[str]:
    return [part.strip() for value in values for part in value.split(",")]


def _elements(values: Sequence[str]) -> list[str]:
    """The ``for`` of each element; an element without one tells nothing, and must not be passed over."""
    found = []
    for value in values:
        for element in value.split(","):
            match = re.search(r'(?:^|;)\s*for\s*=\s*"?([^";]*)"?', element, re.IGNORECASE)
            found.append(match[1].strip() if match else "")
    return found


def _without_port(hop: str) -> str:
    match = re.fullmatch(r"\[([^\]]*)\](?::\d+)?|([^:]*):\d+", hop)
    return (match[1] or match[2] or "") if match else hop
