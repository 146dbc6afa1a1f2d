"""Which IP addresses a callback may be sent to: by default only those of the public Internet.

A name says nothing: what it resolves to is judged as a number, and an IPv6 address that stands for an IPv4 one is
judged by that one too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network


class TargetRefused(Exception):
    """Nothing is sent to this place; the message says why, without the URL's path."""


# IANA IPv4 Special-Purpose Address Registry, without the blocks that it calls globally reachable; multicast is from the
# registry of its own. 192.88.99.0/24 stood for the nearest 6to4 relay (RFC 7526 ended it).
_SPECIAL_V4 = (
    (IPv4Network("0.0.0.0/8"), "unspecified"),
    (IPv4Network("10.0.0.0/8"), "private"),
    (IPv4Network("100.64.0.0/10"), "shared by a carrier's NAT"),
    (IPv4Network("127.0.0.0/8"), "loopback"),
    (IPv4Network("169.254.0.0/16"), "link-local"),
    (IPv4Network("172.16.0.0/12"), "private"),
    (IPv4Network("192.0.0.0/24"), "reserved for protocols"),
    (IPv4Network("192.0.2.0/24"), "for documentation"),
    (IPv4Network("192.88.99.0/24"), "a 6to4 relay"),
    (IPv4Network("192.168.0.0/16"), "private"),
    (IPv4Network("198.18.0.0/15"), "for benchmarks"),
    (IPv4Network("198.51.100.0/24"), "for documentation"),
    (IPv4Network("203.0.113.0/24"), "for documentation"),
    (IPv4Network("224.0.0.0/4"), "multicast"),
    (IPv4Network("240.0.0.0/4"), "reserved"),
)
# IANA IPv6 Global Unicast Address Assignments: everything handed out so far lies in 2000::/3. So loopback, unspecified,
# unique local, link-local, site-local, multicast and IPv4-compatible addresses are refused by lying outside.
_UNICAST_V6 = IPv6Network("2000::/3")
# The blocks within it that are not for hosts (IANA IPv6 Special-Purpose Address Registry). Teredo is 2001::/32.
_SPECIAL_V6 = (
    (IPv6Network("2001::/23"), "reserved for protocols and tunnels"),
    (IPv6Network("2001:db8::/32"), "for documentation"),
    (IPv6Network("3fff::/20"), "for documentation"),
)
_NAMED_V6 = (
    (IPv6Network("::/128"), "unspecified"),
    (IPv6Network("::1/128"), "loopback"),
    (IPv6Network("fc00::/7"), "private"),
    (IPv6Network("fe80::/10"), "link-local"),
    (IPv6Network("ff00::/8"), "multicast"),
)
_SIX_TO_FOUR = IPv6Network("2002::/16")  # RFC 3056: the IPv4 address is in bits 16 to 47
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the IPv4 address is in the last 32 bits

# Services that hand a machine its cloud credentials or its orders, refused even inside an allowed network.
# 168.63.129.16 looks public (Azure docs, "What is IP address 168.63.129.16").
_METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google Cloud, OpenStack, DigitalOcean, Oracle
        "169.254.170.2",  # AWS ECS
        "169.254.170.23",  # AWS EKS
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS EKS
        "fd20:ce::254",  # Google Cloud
        "168.63.129.16",  # Azure
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
    )
)


def judge(text: str, allowed: Sequence[Block]) -> Address:
    """The address to connect to, if a callback may go there.

    text: an IP address as a resolver gives it. allowed: networks that the operator opened. Returns it in its plainest
    form: IPv4-mapped IPv6 becomes IPv4. Raises TargetRefused.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise TargetRefused(f"{text[:64]!r} is no IP address") from None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            raise TargetRefused(f"{address} is link-local")
        address = address.ipv4_mapped or address
    reached = (address, *_carried(address))
    if not _METADATA.isdisjoint(reached):
        raise TargetRefused(f"{address} is a machine's metadata service")
    if is_allowed(address, allowed):
        return address
    for one in reached:
        if why := _why_not_public(one):
            raise TargetRefused(
                f"{address} is {why}" if one == address else f"{address} leads to {one}: {why}"
            )
    return address


def is_allowed(address: Address, allowed: Sequence[Block]) -> bool:
    """Whether the address lies in a network that the operator opened."""
    return any(address in block for block in allowed)


def _carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 address that packets to this one come out at, if it stands for one."""
    if isinstance(address, IPv6Address):
        number = int(address)
        if address in _SIX_TO_FOUR:
            return (IPv4Address(number >> 80 & 0xFFFFFFFF),)
        if address in _NAT64:
            return (IPv4Address(number & 0xFFFFFFFF),)
    return ()


def _why_not_public(address: Address) -> str | None:
    if isinstance(address, IPv4Address):
        return next((name for block, name in _SPECIAL_V4 if address in block), None)
    if address in _NAT64:
        return None
    if address not in _UNICAST_V6:
        return next((name for block, name in _NAMED_V6 if address in block), "not public")
    return next((name for block, name in _SPECIAL_V6 if address in block), None)
