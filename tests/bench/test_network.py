"""The machines that the benches run on, where this one lets them be made."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import network
from tests.network import SUBNET, CannotIsolate, Network, Place, Taken, taken_by

LOOK = """
import socket, sys
for address in sys.argv[1:]:
    try:
        socket.create_connection((address, 9), 5)
    except OSError as error:
        print(address, error.strerror)
"""


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with ExitStack() as stack:
        try:
            made = stack.enter_context(network.network())
        except (CannotIsolate, Taken) as error:
            pytest.skip(str(error))
        yield made


def printed(place: Place, disk: Path, command: Sequence[str]) -> list[str]:
    return subprocess.run(place.command(disk, command), capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_machine_reaches_the_address_that_all_have_in_common_and_no_other(net: Network, tmp_path: Path) -> None:
    first, second = net.places
    assert printed(first, tmp_path, [sys.executable, "-c", LOOK, net.address, second.address, "192.0.2.1"]) == [
        f"{net.address} Connection refused",
        f"{second.address} Network is unreachable",
        "192.0.2.1 Network is unreachable",
    ]


def test_the_disk_of_a_machine_is_empty_at_each_start_and_nobody_elses(net: Network, tmp_path: Path) -> None:
    (tmp_path / "of-another").touch()
    write_and_list = ["sh", "-c", 'ls "$0"; touch "$0/own"; ls "$0"', str(tmp_path)]
    for _ in range(2):
        assert printed(net.places[0], tmp_path, write_and_list) == ["own"]
    assert [file.name for file in tmp_path.iterdir()] == ["of-another"]


def test_without_a_namespace_a_command_is_run_as_it_is() -> None:
    assert Place().command(Path("/disk"), ["python", "-m", "flows"]) == ["python", "-m", "flows"]


@pytest.mark.parametrize(
    ("addresses", "destinations", "by"),
    [
        (["192.0.2.2"], ["default", "192.0.2.0/24"], None),
        (["198.18.77.1"], [], "eth7 has 198.18.77.1"),
        (["192.0.2.2"], ["default", "198.18.0.0/15"], "eth7 leads to 198.18.0.0/15"),
        ([], ["198.18.77.2"], "eth7 leads to 198.18.77.2"),
    ],
)
def test_addresses_that_somebody_has_are_refused_by_his_name(
    addresses: list[str], destinations: list[str], by: str | None
) -> None:
    assert str(SUBNET) == "198.18.77.0/29"
    links = [{"ifname": "eth7", "addr_info": [{"family": "inet", "local": address} for address in addresses]}]
    assert taken_by(links, [{"dst": destination, "dev": "eth7"} for destination in destinations]) == by
