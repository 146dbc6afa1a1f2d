"""Whether a caller's address is among those that a key is bound to."""

from __future__ import annotations

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def may_come_from(allowed: tuple[str, ...], client: str) -> bool:
    """Whether `client` is one of the addresses or inside one of the networks ("10.0.0.0/8") allowed."""
    if client in allowed:
        return True
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in ipaddress.ip_network(text, strict=False) for text in allowed)
