"""Whose address a connection comes from, told by those proxies alone that are trusted."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

UNKNOWN: Final = "unknown"
# A household gets at least so much of IPv6: whoever has one address of it has them all.
_IPV6_PREFIX: Final = 64


def networks(names: Iterable[str]) -> Sequence[Network]:
    """Return the networks of addresses (`10.0.0.7`) and ranges (`10.0.0.0/8`)."""
    return [ipaddress.ip_network(name) for name in names]


def client_address(scope: Mapping[str, Any], trusted: Sequence[Network]) -> str:
    """Return who asks; `X-Forwarded-For` counts as far as trusted proxies have written it.

    Each proxy adds at the end whom it was asked by, so the last one that is no trusted proxy is it;
    what stands before may be anybody's invention.
    """
    peer = (scope.get("client") or (UNKNOWN,))[0]
    address = _parsed(peer)
    if address is None or not _is_trusted(address, trusted):
        return str(address or UNKNOWN)
    for name in reversed(_forwarded(scope)):
        told = _parsed(name)
        if told is None:
            break
        address = told
        if not _is_trusted(address, trusted):
            break
    return str(address)


def household(address: str) -> str:
    """Return what stands for all addresses that whoever has this one may have as well."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/{_IPV6_PREFIX}", strict=False))


def _forwarded(scope: Mapping[str, Any]) -> Sequence[str]:
    values = [value for name, value in scope["headers"] if name.lower() == b"x-forwarded-for"]
    return b",".join(values).decode("latin-1").split(",")


def _parsed(name: str) -> _Address | None:
    try:
        # Without the zone of an IPv6 address, which may be any text.
        address = ipaddress.ip_address(name.strip().partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_trusted(address: _Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
