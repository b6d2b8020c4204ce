"""Who may ask a server from a browser: pages of its own, under a name that is its own.

A page of another site can send requests to this machine, and one whose name is made to point here (DNS rebinding) can
read the answers too. Programs are let in: they
do not say where they come from.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

OWN: Final = frozenset({b"same-origin", b"none"})
"""What a browser says in Sec-Fetch-Site of a request of a page of ours, or of the user."""

_HOST: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")


@dataclass(frozen=True)
class Door:
    """Lets requests in that name one of `names`, or an address, as their host, and come from no other site.

    `published` are the hosts of other addresses of the service, such as that of a proxy before it.
    """

    names: frozenset[str]
    published: frozenset[str] = frozenset()

    def refusal(self, headers: Iterable[tuple[bytes, bytes]], method: str = "GET") -> str | None:
        """Return why a request with these headers (names in lower case) is refused; None if it is let in."""
        given = [(name, value) for name, value in headers if name in (b"host", b"origin") or name[:10] == b"sec-fetch-"]
        hosts = [value.decode("latin-1") for name, value in given if name == b"host"]
        if len(hosts) != 1 or not self._is_own(hosts[0]):
            return "The Host header names another host; list the names of this service in ASSAY_HOSTS"
        said = dict(given)
        way = (method, said.get(b"sec-fetch-mode"), said.get(b"sec-fetch-dest"))
        is_visit = way == ("GET", b"navigate", b"document")
        if said.get(b"sec-fetch-site", b"none") not in OWN and not is_visit:
            return "Pages of other sites may not ask this service"
        origins = [value.decode("latin-1") for name, value in given if name == b"origin"]
        if not all(self._is_of(origin, hosts[0]) for origin in origins):
            return "Pages of other sites may not ask this service"
        return None

    def _is_own(self, host: str) -> bool:
        name = _name(host)
        return name is not None and (name in self.names | self.published or _is_address(name))

    def _is_of(self, origin: str, host: str) -> bool:
        """Tell whether an origin is that of the host that is asked, or where the service is published."""
        scheme, _, named = origin.partition("://")
        return scheme in ("http", "https") and (named == host or _name(named) in self.published)


def _name(host: str) -> str | None:
    match = _HOST.fullmatch(host)
    return match and match[1].strip("[]").rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
