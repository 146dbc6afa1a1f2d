from __future__ import annotations

import msgspec
import pytest

from penstock.core.amounts import Units
from penstock.core.catalogue import Listing
from penstock.core.limits import check_amount, check_channel
from penstock.core.refusals import RefusalCode, Refused

SCALE = 6
LISTING = Listing(
    asset="USDT",
    network="ethereum",
    decimals=6,
    contract="0x",
    fee=Units(1_000_000),
    minimum=Units(5_000_000),
    precision=3,
    maximum=Units(1_000_000_000),
    multiple=Units(500_000),
)


@pytest.mark.parametrize("units", [5_000_000, 5_500_000, 1_000_000_000])
def test_an_amount_within_all_limits_passes(units: int) -> None:
    check_amount(LISTING, SCALE, units)


@pytest.mark.parametrize(
    "units, code, detail",
    [
        (0, RefusalCode.AMOUNT_NOT_POSITIVE, {}),
        (-1, RefusalCode.AMOUNT_NOT_POSITIVE, {}),
        (1, RefusalCode.AMOUNT_PRECISION, {"precision": 3}),
        (10_000_100, RefusalCode.AMOUNT_PRECISION, {"precision": 3}),
        (5_001_000, RefusalCode.AMOUNT_MULTIPLE, {"multiple": "0.5"}),
        (4_500_000, RefusalCode.AMOUNT_TOO_SMALL, {"minimum": "5"}),
        (1_000_500_000, RefusalCode.AMOUNT_TOO_LARGE, {"maximum": "1000"}),
        (2**256, RefusalCode.AMOUNT_PRECISION, {"precision": 3}),
    ],
)
def test_the_first_limit_broken_is_named_with_its_figure(
    units: int, code: RefusalCode, detail: dict[str, str | int]
) -> None:
    with pytest.raises(Refused) as caught:
        check_amount(LISTING, SCALE, units)
    assert (caught.value.code, caught.value.detail) == (code, detail)


@pytest.mark.parametrize("units, passes", [(1_000_000, False), (1_001_000, True)])
def test_an_amount_that_the_fee_would_eat_is_too_small_whatever_the_minimum(units: int, passes: bool) -> None:
    listing = msgspec.structs.replace(LISTING, minimum=Units(0), multiple=None)
    if passes:
        check_amount(listing, SCALE, units)
        return
    with pytest.raises(Refused) as caught:
        check_amount(listing, SCALE, units)
    assert (caught.value.code, caught.value.detail) == (RefusalCode.AMOUNT_TOO_SMALL, {"minimum": "1.001"})


def test_without_a_maximum_and_a_multiple_any_size_passes() -> None:
    listing = msgspec.structs.replace(LISTING, maximum=None, multiple=None)
    check_amount(listing, SCALE, 10**60)


def test_a_closed_channel_is_refused() -> None:
    check_channel(LISTING)
    with pytest.raises(Refused) as caught:
        check_channel(msgspec.structs.replace(LISTING, withdraw_enabled=False))
    assert caught.value.code is RefusalCode.WITHDRAWALS_CLOSED
