"""Which book entry allows a payment."""

from __future__ import annotations

import msgspec
import pytest

from penstock.core.acts import AddressKind
from penstock.core.catalogue import Network
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.engine.book import covers, find_entry
from penstock.engine.rows import BookRow
from tests.unit.engine.desk import ADDRESS, BSC, ETHEREUM, TRON

NOW = UnixMs(1_000)


def _entry(kind: AddressKind = AddressKind.STANDARD, **changes: object) -> BookRow:
    row = BookRow(1, 5, kind, "USDT", "tron", ADDRESS, "", "", True, UnixMs(0), None, UnixMs(0))  # type: ignore[arg-type]
    return msgspec.structs.replace(row, **changes)


@pytest.mark.parametrize(
    "entry,asset,network,reached",
    [
        (_entry(), "USDT", TRON, True),
        (_entry(), "TRX", TRON, False),
        (_entry(), "USDT", ETHEREUM, False),
        (_entry(AddressKind.UNIVERSAL, asset=""), "USDT", TRON, True),
        (_entry(AddressKind.UNIVERSAL, asset=""), "TRX", TRON, True),
        (_entry(AddressKind.UNIVERSAL, asset=""), "TRX", BSC, False),
        (_entry(AddressKind.EVM, asset="", network=""), "ETH", ETHEREUM, True),
        (_entry(AddressKind.EVM, asset="", network=""), "BNB", BSC, True),
        (_entry(AddressKind.EVM, asset="", network=""), "USDT", TRON, False),
        (_entry(removed_ms=UnixMs(1)), "USDT", TRON, False),
    ],
)
def test_an_entry_reaches_what_its_kind_says(
    entry: BookRow, asset: str, network: Network, reached: bool
) -> None:
    assert covers(entry, asset, network) is reached


def test_an_unknown_kind_allows_nothing() -> None:
    with pytest.raises(AssertionError):
        covers(_entry(kind="any"), "USDT", TRON)


@pytest.mark.parametrize(
    "entries,code",
    [
        ([], RefusalCode.ADDRESS_NOT_IN_BOOK),
        ([_entry(removed_ms=UnixMs(1))], RefusalCode.ADDRESS_NOT_IN_BOOK),
        ([_entry(asset="TRX")], RefusalCode.ADDRESS_NOT_IN_BOOK),
        ([_entry(verified=False)], RefusalCode.ADDRESS_NOT_VERIFIED),
        ([_entry(verified=False, memo="7", usable_from_ms=NOW + 1)], RefusalCode.ADDRESS_NOT_VERIFIED),
        ([_entry(memo="7")], RefusalCode.MEMO_INVALID),
        ([_entry(memo="7", usable_from_ms=NOW + 1)], RefusalCode.MEMO_INVALID),
        ([_entry(usable_from_ms=NOW + 1)], RefusalCode.ADDRESS_COOLING_DOWN),
        ([_entry(verified=False), _entry(memo="7")], RefusalCode.MEMO_INVALID),
    ],
)
def test_refusals_come_in_their_order(entries: list[BookRow], code: RefusalCode) -> None:
    with pytest.raises(Refused) as refused:
        find_entry(entries, "USDT", TRON, "", NOW)
    assert refused.value.code is code


def test_the_entry_that_allows_it_is_found_among_those_that_do_not() -> None:
    good = _entry(entry_id=9, memo="7", usable_from_ms=NOW)
    others = [_entry(removed_ms=UnixMs(1)), _entry(verified=False), _entry(usable_from_ms=NOW + 1), _entry()]
    assert find_entry([*others, good], "USDT", TRON, "7", NOW) is good
