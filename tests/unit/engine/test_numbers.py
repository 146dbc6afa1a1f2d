"""Small numbers of an account's own: dense, unique, given to what was taken and to nothing else."""

from __future__ import annotations

import random
from collections import defaultdict

import msgspec
import pytest

from penstock.core.acts import Cancel, CreateKey, CreditDeposit
from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge, CustomerCommand
from penstock.core.refusals import Refused
from penstock.core.views import Accepted
from penstock.engine.rows import CounterRow, WithdrawalRow
from tests.unit.engine.desk import ADDRESS, Desk
from tests.unit.engine.exchange_desk import ExchangeDesk

replace = msgspec.structs.replace


def _numbered(desk: Desk, command: CustomerCommand) -> int:
    accepted = desk.run(replace(command, numbered=True))
    assert isinstance(accepted, Accepted)
    assert desk.withdrawal(accepted.withdrawal_id).number == accepted.number
    return accepted.number


def test_withdrawals_transfers_and_exchanges_are_numbered_together_from_one_on() -> None:
    desk = ExchangeDesk()
    commands = [desk.order("a"), desk.transfer("b"), desk.exchange(100, request_id="c"), desk.order("d")]
    assert [_numbered(desk, command) for command in commands] == [1, 2, 3, 4]


def test_what_asks_for_no_number_gets_none_and_uses_none_up(desk: Desk) -> None:
    assert _numbered(desk, desk.order("a")) == 1
    assert desk.withdrawal(desk.withdraw("b")).number == 0
    assert _numbered(desk, desk.order("c")) == 2


def test_a_refusal_and_a_repeat_use_no_number_up(desk: Desk) -> None:
    assert _numbered(desk, desk.order("a")) == 1
    desk.refusal(replace(desk.order("b", 10**15), numbered=True))
    desk.run(replace(desk.order("a"), numbered=True))
    assert _numbered(desk, desk.order("b")) == 2


def test_a_number_is_never_given_twice_though_its_withdrawal_was_taken_back(desk: Desk) -> None:
    accepted = desk.run(replace(desk.order("a"), numbered=True))
    assert isinstance(accepted, Accepted)
    desk.run(Cancel("ops", accepted.withdrawal_id))
    assert _numbered(desk, desk.order("b")) == 2
    assert desk.withdrawal(accepted.withdrawal_id).number == 1


def test_a_quote_gets_its_number_with_the_answer_in_the_order_of_the_answers(desk: Desk) -> None:
    for nonce in ("a", "b", "c"):
        assert _numbered(desk, replace(desk.order(nonce), challenge_ms=1_000)) == 0
    numbers = []
    for nonce in ("b", "a", "b"):
        command = AnswerChallenge(desk.account_id, "key", "bitmart", nonce, "yes", True, ("spot",))
        accepted = desk.run(command)
        assert isinstance(accepted, Accepted)
        numbers.append(accepted.number)
    assert numbers == [1, 2, 1]


@pytest.mark.parametrize("seed", range(5))
def test_whatever_two_accounts_do_each_one_s_numbers_are_dense_and_its_own(seed: int) -> None:
    rng, desk = random.Random(seed), Desk()
    desk.run(CreateKey("t", desk.other_id, "bitmart", "theirs", "s", "", ("withdraw",)))
    desk.run(replace(desk.entry(), account_id=desk.other_id, address=ADDRESS))
    desk.run(CreditDeposit("t", desk.other_id, "spot", "USDT", "tron", Units(10**9), "theirs"))
    accounts = [(desk.account_id, "key", "1002"), (desk.other_id, "theirs", "1001")]
    for _ in range(150):
        account_id, key_id, recipient = rng.choice(accounts)
        request_id, numbered = str(rng.randrange(100)), rng.random() < 0.7
        if rng.random() < 0.5:
            command: CustomerCommand = desk.order(request_id, rng.choice((5_000_000, 5, 400_000_000)))
        else:
            command = replace(desk.transfer(request_id, rng.choice((7, 0))), recipient=recipient)
        try:
            desk.run(replace(command, account_id=account_id, key_id=key_id, numbered=numbered))
        except Refused:
            continue
    given: dict[int, list[int]] = defaultdict(list)
    for row in desk.all(WithdrawalRow):
        if row.number:
            given[row.account_id].append(row.number)
    assert set(given) == {desk.account_id, desk.other_id}
    for account_id, numbers in given.items():
        assert numbers == list(range(1, len(numbers) + 1))
        assert desk.get(CounterRow, account_id).used == len(numbers)
