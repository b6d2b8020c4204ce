"""Machines on this one for the length of a command: `python -m tests.network COMMAND...` (Linux, as root).

Each is a network namespace with one link, which leads to one address of this machine, and nowhere else. The command
finds them by `ASSAY_TEST_NETWORK`; what they have in common listens on that address, as `tests.postgres` and
`tests.objects` do within this command. A namespace is held by a process that reads from this one, so that it is gone
when this one is, by whatever end. Where there can be no namespaces, the command runs without, and finds out why.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from ipaddress import IPv4Network, ip_interface, ip_network
from pathlib import Path
from typing import Any, Final

from tests import around

VARIABLE: Final = "ASSAY_TEST_NETWORK"
SUBNET: Final = IPv4Network("198.18.77.0/29")
"""Of the addresses that are kept for measuring networks (RFC 2544); nobody routes them."""

MACHINES: Final = 2
REACH: Final = """
import errno, socket, sys
probe = socket.socket()
probe.settimeout(30)
sys.exit(probe.connect_ex((sys.argv[1], 9)) != errno.ECONNREFUSED)
"""
"""Ends well if whoever is asked is there, and refuses."""

LOOPBACK: Final = "127.0.0.1"


class CannotIsolate(Exception):
    """This machine lets nobody make namespaces; the message says why."""


class Taken(Exception):
    """The addresses are another's; the message says whose."""


@dataclass(frozen=True)
class Place:
    """Where a machine's processes run: its own address, and the process that holds its namespace, if it has one."""

    address: str = LOOPBACK
    holder: int | None = None

    def command(self, disk: Path, command: Sequence[str]) -> list[str]:
        """Return what runs a command there, as the process that is started.

        With a namespace, what is below `disk` is hidden from it by an empty disk, which is gone when its processes are.
        """
        if self.holder is None:
            return list(command)
        on_empty_disk = """
            mount -t tmpfs -o mode=700 disk "$0" && [ -z "$(ls -A "$0")" ] && exec "$@"
            echo "no empty disk at $0" >&2
            exit 1
        """
        network = f"--net=/proc/{self.holder}/ns/net"
        return ["nsenter", network, "unshare", "--mount", "sh", "-c", on_empty_disk, str(disk), *command]


@dataclass(frozen=True)
class Network:
    """Where machines run, the address at which they find all else, and why they have no namespaces, if so."""

    address: str
    places: tuple[Place, ...]
    why_not: str | None = None


def found() -> Network:
    """Return the network that this command was given."""
    if (text := os.environ.get(VARIABLE)) is None:
        return _without("nobody asked for them")
    given = json.loads(text)
    return Network(**given | {"places": tuple(Place(**place) for place in given["places"])})


@contextmanager
def network() -> Iterator[Network]:
    """Make namespaces and links until the context ends; raises CannotIsolate and Taken."""
    if os.geteuid() != 0:
        raise CannotIsolate("only root may make them")
    if missing := [tool for tool in ("ip", "mount", "nsenter", "unshare") if shutil.which(tool) is None]:
        raise CannotIsolate(f"{' and '.join(missing)} is not installed")
    if by := taken_by(_ip_json("address"), _ip_json("route")):
        raise Taken(f"{by}: another `python -m tests.network` may run, or {SUBNET} is in use here")
    hub, *addresses = (str(address) for address in SUBNET.hosts())
    with ExitStack() as stack:
        places = [
            stack.enter_context(_linked(hub, address, f"assay-machine{number}"))
            for number, address in enumerate(addresses[:MACHINES], 1)
        ]
        for place in places:
            _try(place, hub)
        yield Network(hub, tuple(places))


def _try(place: Place, hub: str) -> None:
    """See that a machine has its disk and reaches the hub; raises CannotIsolate, as where containers may not mount."""
    with tempfile.TemporaryDirectory() as disk:
        command = place.command(Path(disk), [sys.executable, "-c", REACH, hub])
        tried = subprocess.run(command, capture_output=True, text=True)
    if tried.returncode:
        raise CannotIsolate(tried.stderr.strip() or f"a machine does not reach {hub}")


def _without(why: str) -> Network:
    return Network(LOOPBACK, (Place(),) * MACHINES, why)


def taken_by(links: Sequence[Mapping[str, Any]], routes: Sequence[Mapping[str, Any]]) -> str | None:
    """Return which of a machine's links has an address of the subnet, or leads to one, as `ip -json` tells of them."""
    for link in links:
        for each in link["addr_info"]:
            if each["family"] == "inet" and ip_interface(each["local"]).ip in SUBNET:
                return f"{link['ifname']} has {each['local']}"
    for route in routes:
        if route["dst"] != "default" and ip_network(route["dst"]).overlaps(SUBNET):
            return f"{route['dev']} leads to {route['dst']}"
    return None


@contextmanager
def _linked(hub: str, address: str, name: str) -> Iterator[Place]:
    """Hold a namespace, with a link on which this machine is the hub, until the context ends."""
    hold = ["unshare", "--net", "sh", "-c", "ip link set lo up && echo held && exec cat"]
    with subprocess.Popen(
        hold,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is not for it
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stderr is not None
        try:
            if not holder.stdout.readline():
                raise CannotIsolate(holder.stderr.read().decode().strip())
            place = Place(address, holder.pid)
            _ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
            try:
                _ip("address", "add", hub, "peer", address, "dev", name)
                _ip("link", "set", name, "up")
                _ip("address", "add", address, "peer", hub, "dev", "eth0", place=place)
                _ip("link", "set", "eth0", "up", place=place)
                yield place
            finally:
                with suppress(CannotIsolate):  # it went with its namespace
                    _ip("link", "delete", name)
        finally:
            holder.stdin.close()


def _ip(*what: str, place: Place | None = None) -> str:
    """Run `ip`, in a namespace if one is named; raises CannotIsolate with what it says."""
    there = [] if place is None else ["nsenter", f"--net=/proc/{place.holder}/ns/net"]
    ran = subprocess.run([*there, "ip", *what], capture_output=True, text=True)
    if ran.returncode:
        raise CannotIsolate(f"ip {' '.join(what)}: {ran.stderr.strip()}")
    return ran.stdout


def _ip_json(what: str) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = json.loads(_ip("-json", what))
    return links


def main() -> int:
    """Run the command of the arguments, on machines if there can be any."""
    with ExitStack() as stack:
        try:
            given = stack.enter_context(network())
        except CannotIsolate as error:
            given = _without(str(error))
        except Taken as error:
            sys.exit(str(error))
        return around.run(sys.argv[1:], {VARIABLE: json.dumps(asdict(given))})


if __name__ == "__main__":
    sys.exit(main())
