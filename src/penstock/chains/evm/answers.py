"""The parts of a node's answers that we read, and their decoders. Everything else in them is passed over.

Source: Ethereum execution-apis, "eth" namespace. Numbers come as 0x-hex text and are read with `number`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from penstock.chains.evm.erc20 import Log

Quantity = Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-fA-F]{1,64}\Z")]
Hash = Annotated[str, msgspec.Meta(pattern=r"\A0x[0-9a-fA-F]{64}\Z")]
Bytes = Annotated[str, msgspec.Meta(pattern=r"\A0x([0-9a-fA-F]{2})*\Z")]


class Block(msgspec.Struct, frozen=True, rename="camel"):
    """A block's head. base_fee_per_gas: None on chains without EIP-1559."""

    number: Quantity
    hash: Hash
    base_fee_per_gas: Quantity | None = None


class NodeTransaction(msgspec.Struct, frozen=True, rename="camel"):
    """A transaction as the node holds it. block_hash: None while it stands in no block."""

    hash: Hash
    r: Quantity
    s: Quantity
    y_parity: Quantity | None = None
    v: Quantity | None = None
    block_hash: Hash | None = None


class Receipt(msgspec.Struct, frozen=True, rename="camel"):
    """What a mined transaction did. status: 0x1 done, 0x0 reverted."""

    transaction_hash: Hash
    status: Quantity
    gas_used: Quantity
    effective_gas_price: Quantity
    logs: list[Log]
    block_hash: Hash | None = None
    block_number: Quantity | None = None


QUANTITY: msgspec.json.Decoder[str] = msgspec.json.Decoder(Quantity)
BYTES: msgspec.json.Decoder[str] = msgspec.json.Decoder(Bytes)
HASH: msgspec.json.Decoder[str] = msgspec.json.Decoder(Hash)
BLOCK: msgspec.json.Decoder[Block | None] = msgspec.json.Decoder(Block | None)
TRANSACTION: msgspec.json.Decoder[NodeTransaction | None] = msgspec.json.Decoder(NodeTransaction | None)
RECEIPT: msgspec.json.Decoder[Receipt | None] = msgspec.json.Decoder(Receipt | None)


def number(quantity: str) -> int:
    """0x-hex as an integer."""
    return int(quantity, 16)
