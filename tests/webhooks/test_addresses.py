"""A callback goes to public addresses only, however the address is written or wrapped."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from penstock.webhooks.addresses import TargetRefused, judge

# RFC 6890 and its successors, typed from the RFCs. A neighbour on each side is public unless another block holds it.
SPECIAL_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
)
NOT_PUBLIC_V6 = (
    "::",
    "::1",
    "::8.8.8.8",
    "64:ff9b:1::808:808",
    "100::1",
    "1fff:ffff::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    "2001:db8::1",
    "3fff:fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
)
METADATA = (
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
)
EVERYTHING = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def is_refused(text: str) -> bool:
    try:
        judge(text, ())
    except TargetRefused:
        return True
    return False


def six_to_four(address: IPv4Address) -> str:
    return str(IPv6Address(0x2002 << 112 | int(address) << 80 | 1))


def nat64(address: IPv4Address) -> str:
    return f"64:ff9b::{address}"


def teredo(server: IPv4Address, client: IPv4Address) -> str:
    # RFC 4380, 4: prefix, server, flags, port and client, the last two with their bits turned.
    return str(IPv6Address(0x20010000 << 96 | int(server) << 64 | 0xFFFF << 32 | int(client) ^ 0xFFFFFFFF))


@pytest.mark.parametrize("block", SPECIAL_V4)
def test_both_ends_of_a_special_block_are_refused(block: str) -> None:
    network = IPv4Network(block)
    assert is_refused(str(network[0]))
    assert is_refused(str(network[-1]))


@pytest.mark.parametrize("block", SPECIAL_V4)
def test_the_neighbours_of_a_special_block_are_public(block: str) -> None:
    network = IPv4Network(block)
    around = (int(network[0]) - 1, int(network[-1]) + 1)
    for number in around:
        if 0 <= number < 2**32:
            assert str(judge(str(IPv4Address(number)), ())) == str(IPv4Address(number))


@pytest.mark.parametrize("text", NOT_PUBLIC_V6)
def test_ipv6_outside_the_public_space_is_refused(text: str) -> None:
    assert is_refused(text)


@pytest.mark.parametrize(
    "text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::200e", "2001:200::1"]
)
def test_a_public_address_is_the_one_to_connect_to(text: str) -> None:
    assert judge(text, ()) == ip_address(text)


@pytest.mark.parametrize(
    "text", ["", "localhost", "2130706433", "0x7f.1", "127.1", "010.0.0.1", "8.8.8.8 ", "[::1]"]
)
def test_what_is_no_plain_address_is_refused(text: str) -> None:
    assert is_refused(text)


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
@example(IPv4Address("127.0.0.1"))
@example(IPv4Address("169.254.169.254"))
@example(IPv4Address("8.8.8.8"))
def test_an_ipv4_address_is_judged_the_same_however_ipv6_wraps_it(address: IPv4Address) -> None:
    refused = is_refused(str(address))
    assert is_refused(f"::ffff:{address}") == refused
    assert is_refused(six_to_four(address)) == refused
    assert is_refused(nat64(address)) == refused


@given(*(st.integers(0, 2**32 - 1).map(IPv4Address) for _ in range(2)))
def test_teredo_is_always_refused(server: IPv4Address, client: IPv4Address) -> None:
    assert is_refused(teredo(server, client))


def test_a_mapped_address_is_connected_to_as_ipv4() -> None:
    assert judge("::ffff:8.8.8.8", ()) == IPv4Address("8.8.8.8")


@given(st.one_of(st.integers(0, 2**32 - 1).map(IPv4Address), st.integers(0, 2**128 - 1).map(IPv6Address)))
def test_whatever_the_standard_library_calls_not_global_is_refused(
    address: IPv4Address | IPv6Address,
) -> None:
    if address in ip_network("::ffff:0:0/96"):
        return  # judged as the IPv4 address that it is
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert is_refused(str(address))


@given(st.sampled_from(SPECIAL_V4), st.data())
def test_nothing_inside_a_special_block_passes(block: str, data: st.DataObject) -> None:
    network = IPv4Network(block)
    number = data.draw(st.integers(int(network[0]), int(network[-1])))
    assert is_refused(str(IPv4Address(number)))


@pytest.mark.parametrize("text", METADATA)
def test_a_metadata_service_is_refused_whatever_the_operator_allows(text: str) -> None:
    wrapped = [text]
    if "." in text:
        address = IPv4Address(text)
        wrapped += [f"::ffff:{text}", six_to_four(address), nat64(address)]
    for one in wrapped:
        with pytest.raises(TargetRefused, match="metadata"):
            judge(one, EVERYTHING)


@pytest.mark.parametrize("text", ["fe80::1%eth0", "fd00:ec2::254%1"])
def test_an_address_of_one_link_is_refused_whatever_the_operator_allows(text: str) -> None:
    with pytest.raises(TargetRefused, match="link-local"):
        judge(text, EVERYTHING)


def test_an_allowed_network_opens_itself_and_nothing_else() -> None:
    allowed = (ip_network("127.0.0.0/8"), ip_network("fd12:3456::/32"))
    for text in ("127.0.0.1", "127.255.255.255", "::ffff:127.0.0.1", "fd12:3456::1"):
        judge(text, allowed)
    for text in ("::1", "10.0.0.1", "0.0.0.0", "fd12:3457::1", six_to_four(IPv4Address("127.0.0.1"))):
        with pytest.raises(TargetRefused):
            judge(text, allowed)


def test_the_reason_names_the_address_and_what_it_is() -> None:
    for text, reason in (
        ("10.1.2.3", "10.1.2.3 is private"),
        ("::1", "::1 is loopback"),
        ("ff02::1", "ff02::1 is multicast"),
        ("64:ff9b::a01:203", "64:ff9b::a01:203 leads to 10.1.2.3: private"),
    ):
        with pytest.raises(TargetRefused) as caught:
            judge(text, ())
        assert str(caught.value) == reason
