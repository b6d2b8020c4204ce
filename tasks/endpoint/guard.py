"""Which hosts a job may call: a decision on the resolved address, at connect time.

A name is resolved by the connector, so that a literal address, a decimal form and a name whose
address changes between two look-ups all meet the same check.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Literal

from core.errors import Misconfigured

Address = IPv4Address | IPv6Address
AddressKind = Literal["public", "private", "link-local", "unroutable"]

_NAME: Final = re.compile(r"[\w.-]+")
_NAT64: Final = IPv6Network("64:ff9b::/96")


class AddressRefused(PermissionError):
    """A host is at an address that jobs may not call."""


@dataclass(frozen=True)
class Policy:
    """Which hosts a job may call.

    `allow` lists hosts, addresses and networks (CIDR), each with or without `:port`: then only those
    are called. Without a list all public addresses are, and with `private` loopback and private ones
    too; link-local ones must be listed. Multicast, unspecified and reserved ones are never called.
    Raises Misconfigured for an entry that is none of these.
    """

    allow: tuple[str, ...] = ()
    private: bool = False

    def __post_init__(self) -> None:
        for entry in self.allow:
            _parse(entry)

    def allows(self, host: str, port: int, address: str) -> bool:
        """Tell whether `host`, which is at `address`, may be called."""
        found = embedded(ip_address(address))
        kind = kind_of(found)
        if self.allow:
            return kind != "unroutable" and any(_parse(entry).covers(host, port, found) for entry in self.allow)
        return kind == "public" or (kind == "private" and self.private)

    def check(self, host: str, port: int, address: str) -> None:
        """Raise AddressRefused if `host`, which is at `address`, may not be called."""
        if self.allows(host, port, address):
            return
        kind = kind_of(embedded(ip_address(address)))
        remedy = "" if kind == "unroutable" else "; list the host in ASSAY_ALLOW_ENDPOINTS to allow it"
        place = host if host == address else f"{host} is at {address}, and it"
        raise AddressRefused(f"{place} is {_INDEFINITE[kind]} address that jobs may not call{remedy}")


_INDEFINITE: Final[dict[AddressKind, str]] = {
    "public": "a public",
    "private": "a loopback or private",
    "link-local": "a link-local",
    "unroutable": "a multicast, unspecified or reserved",
}


@dataclass(frozen=True)
class _Entry:
    """An entry of `Policy.allow`; without a port it covers all."""

    place: str | IPv4Network | IPv6Network
    port: int | None

    def covers(self, host: str, port: int, address: Address) -> bool:
        if self.port not in (None, port):
            return False
        if isinstance(self.place, str):
            return host.rstrip(".").lower() == self.place
        return address in self.place


def _parse(entry: str) -> _Entry:
    bracketed = re.fullmatch(r"\[(.+)\](?::(\d+))?", entry)
    plain = re.fullmatch(r"([^:]+):(\d+)", entry)
    match = bracketed or plain
    place, port = match.groups() if match else (entry, None)
    number = int(port) if port else None
    try:
        return _Entry(ip_network(place, strict=False), number)
    except ValueError:
        if not _NAME.fullmatch(place):
            raise Misconfigured(f"ASSAY_ALLOW_ENDPOINTS: {entry!r} is no host, address or network") from None
        return _Entry(place.rstrip(".").lower(), number)


def embedded(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for (mapped, 6to4, NAT64), else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def kind_of(address: Address) -> AddressKind:
    """Return what kind of address this is; loopback counts as private."""
    if address.is_loopback or (isinstance(address, IPv6Address) and address.is_site_local):
        return "private"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast or address.is_unspecified or address.is_reserved:
        return "unroutable"
    return "public" if address.is_global else "private"
