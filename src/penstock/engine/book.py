"""The address book: which of an account's entries, if any, allows a payment."""

from __future__ import annotations

from collections.abc import Iterable

from penstock.core.acts import AddressKind
from penstock.core.catalogue import Network
from penstock.core.commands import RecipientKind
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.engine.rows import BookRow


def covers(entry: BookRow, asset: str, network: Network) -> bool:
    """Whether the entry's kind reaches this asset on this network, and it was not removed."""
    if entry.removed_ms is not None:
        return False
    match entry.kind:
        case AddressKind.STANDARD:
            return entry.asset == asset and entry.network == network.code
        case AddressKind.UNIVERSAL:
            return entry.network == network.code
        case AddressKind.EVM:
            return network.family == "evm"
        case AddressKind.RECIPIENT:
            return False
        case _:
            raise AssertionError(entry.kind)


def find_entry(
    entries: Iterable[BookRow], asset: str, network: Network, memo: str, now_ms: UnixMs
) -> BookRow:
    """The entry that allows paying to its address with this memo now.

    entries: all of the account's entries for the address. Raises Refused: ADDRESS_NOT_IN_BOOK,
    ADDRESS_NOT_VERIFIED, MEMO_INVALID (the address is there with another memo), ADDRESS_COOLING_DOWN, in this
    order.
    """
    matching = [entry for entry in entries if covers(entry, asset, network)]
    for entry in matching:
        if entry.verified and entry.memo == memo and entry.usable_from_ms <= now_ms:
            return entry
    raise _why_not(matching, memo)


def _why_not(matching: list[BookRow], memo: str) -> Refused:
    """matching: the entries that reach there, none of which can be used now."""
    if not matching:
        return Refused(RefusalCode.ADDRESS_NOT_IN_BOOK)
    verified = [entry for entry in matching if entry.verified]
    if not verified:
        return Refused(RefusalCode.ADDRESS_NOT_VERIFIED)
    if not any(entry.memo == memo for entry in verified):
        return Refused(RefusalCode.MEMO_INVALID)
    return Refused(RefusalCode.ADDRESS_COOLING_DOWN)


def find_recipient(entries: Iterable[BookRow], kind: RecipientKind, now_ms: UnixMs) -> None:
    """Check that another account may be paid. entries: all of the payer's entries with the recipient's text.

    Raises Refused(RECIPIENT_NOT_IN_BOOK), also while the entry is not verified; ADDRESS_COOLING_DOWN.
    """
    matching = [
        entry
        for entry in entries
        if entry.kind == AddressKind.RECIPIENT
        and entry.memo == kind
        and entry.verified
        and entry.removed_ms is None
    ]
    if not matching:
        raise Refused(RefusalCode.RECIPIENT_NOT_IN_BOOK)
    if all(entry.usable_from_ms > now_ms for entry in matching):
        raise Refused(RefusalCode.ADDRESS_COOLING_DOWN)
