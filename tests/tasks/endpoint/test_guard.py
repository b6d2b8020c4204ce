from ipaddress import IPv4Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Misconfigured
from tasks.endpoint.guard import AddressRefused, Policy, embedded, kind_of


def permits(policy: Policy, address: str, host: str = "model.example", port: int = 443) -> bool:
    try:
        policy.check(host, port, address)
    except AddressRefused:
        return False
    return True


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("8.8.8.8", "public"),
        ("2606:4700::1111", "public"),
        ("127.0.0.1", "private"),
        ("127.9.9.9", "private"),
        ("::1", "private"),
        ("10.0.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("fd00:ec2::254", "private"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("fec0::1", "private"),
        ("feff::1", "private"),
        ("64:ff9b:1::a00:1", "unroutable"),
        ("0.0.0.0", "unroutable"),
        ("::", "unroutable"),
        ("224.0.0.1", "unroutable"),
        ("ff02::1", "unroutable"),
        ("255.255.255.255", "unroutable"),
        ("::127.0.0.1", "unroutable"),
    ],
)
def test_an_address_is_of_one_kind(address: str, kind: str) -> None:
    assert kind_of(ip_address(address)) == kind
    assert permits(Policy(), address) == (kind == "public")
    assert permits(Policy(private=True), address) == (kind in ("public", "private"))
    assert permits(Policy(allow=("model.example",)), address) == (kind != "unroutable")


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_in_ipv6_clothes_is_judged_as_itself(address: IPv4Address) -> None:
    mapped, nat64 = ip_address(f"::ffff:{address}"), ip_address(f"64:ff9b::{address}")
    assert embedded(mapped) == embedded(nat64) == address
    assert permits(Policy(), str(mapped)) == permits(Policy(), str(nat64)) == permits(Policy(), str(address))
    assert permits(Policy(allow=(f"{address}/32",)), str(mapped)) == (kind_of(address) != "unroutable")


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "allowed"),
    [
        ("gpu-1", "gpu-1", 8000, "10.0.0.1", True),
        ("GPU-1.", "gpu-1", 8000, "10.0.0.1", True),
        ("gpu-1", "gpu-1.", 8000, "10.0.0.1", True),
        ("gpu-1", "gpu-2", 8000, "10.0.0.1", False),
        ("gpu-1:8000", "gpu-1", 8000, "10.0.0.1", True),
        ("gpu-1:8000", "gpu-1", 8001, "10.0.0.1", False),
        ("10.0.0.1", "gpu-1", 8000, "10.0.0.1", True),
        ("10.0.0.1:8000", "gpu-1", 8000, "10.0.0.1", True),
        ("10.0.0.1:8000", "gpu-1", 80, "10.0.0.1", False),
        ("10.0.0.0/8", "gpu-1", 8000, "10.9.9.9", True),
        ("10.0.0.0/8", "gpu-1", 8000, "192.168.0.1", False),
        ("::1", "ip6-localhost", 80, "::1", True),
        ("[::1]:80", "ip6-localhost", 80, "::1", True),
        ("[::1]:80", "ip6-localhost", 81, "::1", False),
        ("169.254.0.0/16", "metadata", 80, "169.254.169.254", True),
    ],
)
def test_an_entry_allows_what_it_names(entry: str, host: str, port: int, address: str, allowed: bool) -> None:
    assert permits(Policy(allow=(entry,)), address, host, port) == allowed
    assert permits(Policy(allow=("other.example", entry)), address, host, port) == allowed


def test_a_list_of_hosts_leaves_out_all_others() -> None:
    policy = Policy(allow=("model.example",), private=True)
    assert permits(policy, "8.8.8.8")
    assert permits(policy, "127.0.0.1")
    assert not permits(policy, "8.8.8.8", "other.example")
    assert not permits(policy, "127.0.0.1", "localhost")


@pytest.mark.parametrize("entry", ["http://gpu-1", "gpu-1/v1", "", "a b", "gpu-1:eight", "[::1"])
def test_an_entry_that_is_no_host_is_refused_by_name(entry: str) -> None:
    with pytest.raises(Misconfigured, match="ASSAY_ALLOW_ENDPOINTS") as refused:
        Policy(allow=("gpu-1", entry))
    assert repr(entry) in str(refused.value)


def test_a_refusal_names_the_host_its_address_and_the_setting() -> None:
    with pytest.raises(AddressRefused) as refused:
        Policy().check("gpu-1", 8000, "10.0.0.1")
    message = str(refused.value)
    assert "gpu-1 is at 10.0.0.1" in message
    assert "ASSAY_ALLOW_ENDPOINTS" in message
