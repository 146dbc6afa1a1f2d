from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.chains.evm.addresses import checksummed
from penstock.chains.evm.erc20 import (
    TRANSFER_TOPIC,
    Log,
    Transfer,
    balance_call,
    moved,
    read_transfer_call,
    transfer_call,
)

TOKEN, FROM, TO, OTHER = (checksummed(bytes([number]) * 20) for number in (0xAA, 0xBB, 0xCC, 0xDD))


def word(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")


def event(
    units: int, address: str = TOKEN, sender: str = FROM, to: str = TO, topic: str = TRANSFER_TOPIC
) -> Log:
    return Log(address.lower(), [topic, word(sender), word(to)], f"0x{units:064x}")


def test_selectors_and_topic_are_those_of_the_standard() -> None:
    # As 4byte directories and every explorer list them.
    assert transfer_call(TO, 1)[:10] == "0xa9059cbb"
    assert balance_call(TO)[:10] == "0x70a08231"
    assert TRANSFER_TOPIC == "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


@given(st.binary(min_size=20, max_size=20).map(checksummed), st.integers(0, 2**256 - 1))
def test_a_transfer_call_reads_back_and_is_two_words(to: str, units: int) -> None:
    call = transfer_call(to, units)
    assert call == "0xa9059cbb" + word(to)[2:] + f"{units:064x}"
    assert read_transfer_call(call) == Transfer(to, units)


@pytest.mark.parametrize(
    "call",
    [
        "0x",
        "0xa9059cbb",
        transfer_call(TO, 1)[:-2],
        transfer_call(TO, 1) + "00",
        balance_call(TO),
        transfer_call(TO, 1).replace("a9059cbb", "095ea7b3"),
        "0xa9059cbb" + "01" + word(TO)[4:] + f"{1:064x}",
    ],
)
def test_any_other_call_is_no_transfer(call: str) -> None:
    assert read_transfer_call(call) is None


def test_every_transfer_between_the_two_counts_in_order() -> None:
    logs = [event(5), event(7, sender=OTHER), event(6)]
    assert moved(logs, TOKEN, FROM, TO) == [5, 6]


@pytest.mark.parametrize(
    "log",
    [
        event(5, address=OTHER),
        event(5, sender=OTHER),
        event(5, to=OTHER),
        event(5, sender=TO, to=FROM),
        event(5, topic=TRANSFER_TOPIC[:-1] + "0"),
        Log(TOKEN, [TRANSFER_TOPIC, word(FROM)], f"0x{5:064x}"),
        Log(TOKEN, [TRANSFER_TOPIC, word(FROM), word(TO), word(OTHER)], "0x"),
        Log(TOKEN, [TRANSFER_TOPIC, word(FROM), word(TO)], "0x05"),
        Log(TOKEN, [TRANSFER_TOPIC, word(FROM), word(TO)], f"0x{5:0128x}"),
        Log(TOKEN, [], "0x"),
        Log(TOKEN.lower(), event(5).topics, event(5).data, removed=True),
    ],
)
def test_what_is_not_exactly_this_tokens_transfer_does_not_count(log: Log) -> None:
    assert moved([log], TOKEN, FROM, TO) == []
