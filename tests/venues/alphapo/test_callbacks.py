from __future__ import annotations

import hashlib
import hmac
import json
from itertools import pairwise

import pytest

from penstock.core.states import State
from penstock.venues.alphapo.auth import signature
from penstock.venues.alphapo.callbacks import write_callback
from penstock.venues.alphapo.replies import ChainRow, CryptoAddress, Fee, Money, Transaction, encode
from penstock.venues.venue import Callback
from tests.venues.alphapo.test_lookups import EXCHANGE, golden
from tests.venues.alphapo.world import KEY, SECRET, TX_HASH, a_withdrawal, converted, make_key

VECTOR_ADDRESS = "tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc"
VECTOR = (
    '{"id":2686572,"foreign_id":"wd-0001","end_user_reference":"user-42","type":"withdrawal","crypto_address":'
    f'{{"id":381734,"currency":"BTC","address":"{VECTOR_ADDRESS}","tag":null}},"currency_sent":{{"currency":"BTC",'
    '"amount":"0.00020000"},"currency_received":{"currency":"BTC","amount":"0.00020000"},"transactions":[{"id":714670,'
    f'"currency":"BTC","transaction_type":"blockchain","type":"withdrawal","address":"{VECTOR_ADDRESS}","tag":null,'
    f'"amount":"0.00020000","txid":"{TX_HASH}","confirmations":"0"}}],"fees":[{{"type":"mining","currency":"BTC",'
    '"amount":"0.00001000"}],"error":"","status":"confirmed"}'
).encode()
VECTOR_SIGNATURE = (
    b"ad744376f632b0f245212e425581dc89df136c8e83242bff79eb12c6c960656e95241c5734ab2039eb2bcec2970881865a73e848da80d340"
    b"c490120c0227fe94"
)


def test_the_callback_vector_gives_its_signature() -> None:
    assert len(VECTOR) == 700
    assert signature(SECRET.encode(), VECTOR) == VECTOR_SIGNATURE


def test_the_callback_vector_is_what_its_values_are_written_as() -> None:
    money = Money("BTC", "0.00020000")
    row = ChainRow(
        714670, "BTC", "blockchain", "withdrawal", VECTOR_ADDRESS, None, "0.00020000", TX_HASH, "0"
    )
    written = Transaction(
        id=2686572,
        foreign_id="wd-0001",
        end_user_reference="user-42",
        type="withdrawal",
        crypto_address=CryptoAddress(381734, "BTC", VECTOR_ADDRESS, None),
        currency_sent=money,
        currency_received=money,
        transactions=(row,),
        fees=(Fee("mining", "BTC", "0.00001000"),),
        error="",
        status="confirmed",
    )
    assert encode(written) == VECTOR


def test_a_callback_is_the_answer_of_the_look_up_signed_with_the_merchants_secret() -> None:
    told = write_callback(a_withdrawal(), State.CONFIRMED, State.MINED, make_key())
    assert told is not None
    assert told.body == golden("info_confirmed")
    headers = {name.decode(): value.decode() for name, value in told.headers}
    assert headers == {
        "Content-Type": "application/json",
        "X-Processing-Key": KEY,
        "X-Processing-Signature": hmac.new(SECRET.encode(), told.body, hashlib.sha512).hexdigest(),
    }


def statuses(*states: State, reason: str = "") -> list[str]:
    """What a merchant is told of a withdrawal that went through these states, each told as it happened."""
    told: list[str] = []
    for before, state in pairwise([None, *states]):
        assert state is not None
        callback = write_callback(converted(state=state, reason=reason), state, before, make_key())
        if callback is not None:
            told.append(json.loads(callback.body)["status"])
    return told


SENT = (State.PLANNED, State.SIGNED, State.SENT, State.MINED, State.SENT, State.MINED)


@pytest.mark.parametrize(
    "states, reason, expected",
    [
        ((State.HELD, *SENT, State.CONFIRMED), "", ["confirmed"]),
        ((State.HELD, State.AWAITING_APPROVAL, State.REJECTED), "declined: no", ["pending", "declined"]),
        (
            (State.HELD, State.AWAITING_APPROVAL, State.APPROVED, *SENT, State.CONFIRMED),
            "",
            ["pending", "not_confirmed", "confirmed"],
        ),
        ((State.HELD, State.AWAITING_APPROVAL, State.CANCELLED), "", ["pending", "declined"]),
        ((State.HELD, State.AWAITING_APPROVAL, State.EXPIRED), "", ["pending", "cancelled"]),
        ((State.HELD, State.REJECTED), "the limit", ["cancelled"]),
        ((State.HELD, *SENT, State.FAILED), "reverted", ["cancelled"]),
        ((State.HELD, *SENT, State.IN_DOUBT, State.QUARANTINED, State.CONFIRMED), "", ["confirmed"]),
    ],
)
def test_a_merchant_is_told_of_each_change_in_the_venues_words_once(
    states: tuple[State, ...], reason: str, expected: list[str]
) -> None:
    assert statuses(*states, reason=reason) == expected


def test_nobody_is_told_of_an_exchange() -> None:
    assert write_callback(EXCHANGE, State.CONFIRMED, State.HELD, make_key()) is None


def test_a_late_callback_says_what_was_true_when_its_state_was_entered() -> None:
    """However often it is tried, and whatever has come of the withdrawal since, its bytes are the same."""

    def told(state: State, confirmations: int, reason: str) -> Callback | None:
        view = a_withdrawal(state=state, confirmations=confirmations, reason=reason)
        return write_callback(view, State.APPROVED, State.AWAITING_APPROVAL, make_key())

    early = told(State.APPROVED, 0, "")
    assert early is not None
    row = json.loads(early.body)["transactions"][0]
    assert (row["txid"], row["confirmations"]) == (None, "0")
    for state, confirmations, reason in [(State.MINED, 3, ""), (State.FAILED, 9, "reverted")]:
        assert told(state, confirmations, reason) == early


def test_every_single_bit_of_a_callback_is_covered_by_its_signature() -> None:
    told = write_callback(a_withdrawal(), State.CONFIRMED, State.MINED, make_key())
    assert told is not None
    expected = dict(told.headers)[b"X-Processing-Signature"]
    for at in range(len(told.body)):
        changed = told.body[:at] + bytes([told.body[at] ^ (1 << at % 8)]) + told.body[at + 1 :]
        assert hmac.new(SECRET.encode(), changed, hashlib.sha512).hexdigest().encode() != expected
