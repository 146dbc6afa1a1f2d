"""ERC-20 tokens: the two calls we make and the one event we believe. Pure; the encoding is eth-abi's."""

from __future__ import annotations

from typing import Annotated

import msgspec
from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from penstock.chains.evm.addresses import checksummed

# Source: EIP-20, "Methods" and "Events".
TRANSFER_SELECTOR = keccak(text="transfer(address,uint256)")[:4]
BALANCE_OF_SELECTOR = keccak(text="balanceOf(address)")[:4]
TRANSFER_TOPIC = "0x" + keccak(text="Transfer(address,address,uint256)").hex()

WORD_BYTES = 32
_TRANSFER_TOPICS = 3


class Log(msgspec.Struct, frozen=True):
    """An event in a receipt, as nodes write it: lower-case 0x-hex."""

    address: str
    topics: list[str]
    data: Annotated[str, msgspec.Meta(pattern=r"\A0x([0-9a-fA-F]{2})*\Z")]
    removed: bool = False


class Transfer(msgspec.Struct, frozen=True):
    """A payment of `units` of the token; the receiver in EIP-55 spelling."""

    to: str
    units: int


def transfer_call(to: str, units: int) -> str:
    """The call `transfer(to, units)` as 0x-hex."""
    return "0x" + (TRANSFER_SELECTOR + encode(["address", "uint256"], [to, units])).hex()


def read_transfer_call(call: str) -> Transfer | None:
    """The payment that a transaction's 0x-hex call asks for; None for any other call or spelling."""
    content = bytes.fromhex(call[2:])
    if content[:4] != TRANSFER_SELECTOR:
        return None
    try:
        to, units = decode(["address", "uint256"], content[4:])
    except DecodingError:
        return None
    found = Transfer(checksummed(str(to)), int(units))
    return found if transfer_call(found.to, found.units) == call else None


def balance_call(holder: str) -> str:
    """The call `balanceOf(holder)` as 0x-hex."""
    return "0x" + (BALANCE_OF_SELECTOR + encode(["address"], [holder])).hex()


def moved(logs: list[Log], contract: str, sender: str, to: str) -> list[int]:
    """The units of every Transfer event from `sender` to `to` that `contract` itself emitted, in order.

    Addresses are EIP-55 text. Events of the same form from other contracts prove nothing and are not counted.
    """
    wanted = [TRANSFER_TOPIC, _topic(sender), _topic(to)]
    return [
        int(log.data, 16)
        for log in logs
        if log.address.lower() == contract.lower()
        and not log.removed
        and len(log.topics) == _TRANSFER_TOPICS
        and [topic.lower() for topic in log.topics] == wanted
        and len(log.data) == 2 + 2 * WORD_BYTES
    ]


def _topic(address: str) -> str:
    return "0x" + encode(["address"], [address]).hex()
