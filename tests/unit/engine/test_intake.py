"""Taking withdrawals and transfers in: every refusal in its order, repeats, amounts, quota."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from penstock.core.acts import (
    AddBookEntry,
    AddressKind,
    CreateAccount,
    CreateKey,
    CreditDeposit,
    FreezeAccount,
    FreezeKey,
    RemoveBookEntry,
    SetControl,
)
from penstock.core.amounts import Units
from penstock.core.commands import RecipientKind
from penstock.core.ids import AccountId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import DAY_MS
from penstock.core.views import Accepted
from penstock.engine.requests import differing_field
from penstock.engine.row import Row
from penstock.engine.rows import DepositRow, EntryRow, HistoryRow, OutboxRow, QuotaRow, RequestRow
from penstock.engine.rules import Policy
from tests.unit.engine.desk import ADDRESS, Desk, rules

replace = msgspec.structs.replace


def _empty_listing(desk: Desk) -> None:
    desk.rules = rules(withdraw_enabled=False)


def _small_quota(desk: Desk) -> None:
    desk.rules = rules(Policy(daily_quota_sat=4_999))


def _sub_account(desk: Desk) -> None:
    row = desk.rows[_row("accounts")][(desk.account_id,)]
    desk.rows[_row("accounts")][(desk.account_id,)] = replace(row, master_account_id=desk.other_id)


def _no_withdrawals(desk: Desk) -> None:
    row = desk.rows[_row("accounts")][(desk.account_id,)]
    desk.rows[_row("accounts")][(desk.account_id,)] = replace(row, may_withdraw=False)


def _book(**changes: object) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        row = desk.rows[_row("book")][(desk.entry_id,)]
        desk.rows[_row("book")][(desk.entry_id,)] = replace(row, **changes)

    return change


def _row(table: str) -> type[Row]:
    return next(each for each in Row.__subclasses__() if table == each.TABLE)


# Each of these alone is a reason to refuse; with several of them the first one in this list is the answer.
REASONS: list[tuple[RefusalCode, Callable[[Desk], object]]] = [
    (RefusalCode.KEY_FROZEN, lambda desk: desk.run(FreezeKey("t", "key", frozen=True))),
    (RefusalCode.ACCOUNT_FROZEN, lambda desk: desk.run(FreezeAccount("t", desk.account_id, frozen=True))),
    (RefusalCode.ACCOUNT_IS_SUB_ACCOUNT, _sub_account),
    (RefusalCode.ACCOUNT_MAY_NOT_WITHDRAW, _no_withdrawals),
    (RefusalCode.WITHDRAWALS_CLOSED, lambda desk: desk.run(SetControl("t", "network/tron", stopped=True))),
    (
        RefusalCode.ADDRESS_NOT_IN_BOOK,
        lambda desk: desk.run(RemoveBookEntry("t", desk.account_id, desk.entry_id)),
    ),
    (RefusalCode.ADDRESS_NOT_VERIFIED, _book(verified=False)),
    (RefusalCode.MEMO_INVALID, _book(memo="7")),
    (RefusalCode.ADDRESS_COOLING_DOWN, _book(usable_from_ms=2**50)),
    (RefusalCode.QUOTA_EXCEEDED, _small_quota),
]


@pytest.mark.parametrize("at", range(len(REASONS)))
def test_refusals_come_in_their_order(at: int) -> None:
    desk = Desk(deposit=1)
    for _, make in reversed(REASONS[at:]):
        make(desk)
    assert desk.refusal(desk.order()) is REASONS[at][0]


def test_the_balance_is_asked_last(desk: Desk) -> None:
    assert desk.refusal(desk.order(amount=2_000_000_000)) is RefusalCode.BALANCE_TOO_LOW


def test_a_listing_that_pays_nothing_out_refuses(desk: Desk) -> None:
    _empty_listing(desk)
    assert desk.refusal(desk.order()) is RefusalCode.WITHDRAWALS_CLOSED


@pytest.mark.parametrize(
    "amount,code",
    [
        (0, RefusalCode.AMOUNT_NOT_POSITIVE),
        (-5, RefusalCode.AMOUNT_NOT_POSITIVE),
        (5_000_001, RefusalCode.AMOUNT_PRECISION),
        (1_999_990, RefusalCode.AMOUNT_TOO_SMALL),
        (10**61 + 10, RefusalCode.AMOUNT_TOO_LARGE),
    ],
)
def test_amounts_outside_the_listing_are_refused(desk: Desk, amount: int, code: RefusalCode) -> None:
    assert desk.refusal(desk.order(amount=amount)) is code


@pytest.mark.parametrize(
    "changes,code",
    [
        ({"account_id": AccountId(9_999)}, RefusalCode.ACCOUNT_UNKNOWN),
        ({"key_id": "none"}, RefusalCode.KEY_FROZEN),
        ({"asset": "XYZ"}, RefusalCode.CURRENCY_UNKNOWN),
        ({"network": "bsc"}, RefusalCode.CURRENCY_UNKNOWN),
        ({"network": "nowhere"}, RefusalCode.CURRENCY_UNKNOWN),
        ({"address": ADDRESS + "x"}, RefusalCode.ADDRESS_NOT_IN_BOOK),
        ({"address": ADDRESS.lower()}, RefusalCode.ADDRESS_NOT_IN_BOOK),
        ({"memo": "7"}, RefusalCode.MEMO_INVALID),
        ({"wallets": ()}, RefusalCode.BALANCE_TOO_LOW),
        ({"wallets": ("fund",)}, RefusalCode.BALANCE_TOO_LOW),
    ],
)
def test_what_the_account_does_not_have_is_refused(
    desk: Desk, changes: dict[str, object], code: RefusalCode
) -> None:
    assert desk.refusal(replace(desk.order(), **changes)) is code


def test_a_key_of_another_account_signs_for_nobody_else(desk: Desk) -> None:
    desk.run(CreateKey("t", desk.other_id, "bitmart", "other", "s", "m", ("withdraw",)))
    assert desk.refusal(replace(desk.order(), key_id="other")) is RefusalCode.KEY_FROZEN


def test_a_withdrawal_holds_its_gross_amount_with_one_history_row_and_one_event(desk: Desk) -> None:
    withdrawal_id = desk.withdraw()
    row = desk.withdrawal(withdrawal_id)
    assert (row.state, row.amount, row.fee, row.net) == (State.HELD, 5_000_000, 1_000_000, 4_000_000)
    assert (row.book_entry_id, row.wallet) == (desk.entry_id, "spot")
    assert desk.balance() == (995_000_000, 5_000_000)
    assert [(step.state_before, step.state_after) for step in desk.all(HistoryRow)] == [("", "held")]
    assert [event.state for event in desk.all(OutboxRow)] == [State.HELD]
    assert not any(desk.sums().values())


@pytest.mark.parametrize("amount", [2**63 - 8, 2**63, 2**64, 10**40, 10**60])
def test_amounts_of_any_size_are_held_exactly(desk: Desk, amount: int) -> None:
    amount -= amount % 10
    desk.run(CreditDeposit("t", desk.account_id, "fund", "USDT", "tron", Units(amount), "huge"))
    order = replace(desk.order(amount=amount), wallets=("fund",))
    assert isinstance(desk.run(order), Accepted)
    assert desk.balance(wallet="fund") == (0, amount)
    assert not any(desk.sums().values())


def test_one_wallet_pays_the_whole_and_the_first_that_can(desk: Desk) -> None:
    desk.run(CreditDeposit("t", desk.account_id, "fund", "USDT", "tron", Units(10_000_000_000), "fund"))
    assert desk.withdrawal(desk.withdraw("a", 5_000_000)).wallet == "spot"
    assert desk.withdrawal(desk.withdraw("b", 5_000_000_000)).wallet == "fund"
    assert desk.refusal(desk.order("c", 5_500_000_000)) is RefusalCode.BALANCE_TOO_LOW


def test_a_repeat_answers_the_first_answer_and_writes_nothing_even_when_all_has_changed(desk: Desk) -> None:
    first = desk.run(desk.order())
    assert isinstance(first, Accepted)
    for _, make in REASONS:
        make(desk)
    desk.now_ms += 30 * 365 * DAY_MS
    before = {row_type: dict(table) for row_type, table in desk.rows.items()}
    assert desk.run(desk.order()) == Accepted(first.withdrawal_id, first.accepted_ms, repeated=True)
    assert desk.rows == before


def test_request_ids_of_other_accounts_and_venues_are_other_requests(desk: Desk) -> None:
    first = desk.run(desk.order())
    second = desk.run(replace(desk.order(), venue="sunx"))
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.withdrawal_id != second.withdrawal_id
    assert len(desk.all(RequestRow)) == 2


def test_other_fields_under_one_id_are_refused_and_the_field_is_named(desk: Desk) -> None:
    desk.run(desk.order(business='{"amount":"5","memo":null}'))
    with pytest.raises(Refused) as refused:
        desk.run(desk.order(business='{"amount":"6","memo":null}'))
    assert refused.value.code is RefusalCode.REQUEST_ID_CONFLICT
    assert refused.value.detail["field"] == "amount"


@pytest.mark.parametrize(
    "before,after,field",
    [
        ('{"a":"1","b":"2"}', '{"a":"1","b":"3"}', "b"),
        ('{"a":"1","b":"2"}', '{"a":"2","b":"3"}', "a"),
        ('{"a":"1"}', '{"a":"1","z":""}', "z"),
        ('{"a":"1"}', "", "a"),
        ("", '{"m":4}', "m"),
        ('{"a":null}', '{"a":""}', "a"),
    ],
)
def test_the_first_field_that_differs_is_named(before: str, after: str, field: str) -> None:
    assert differing_field(before, after) == field


def test_the_quota_counts_by_account_and_utc_day(desk: Desk) -> None:
    # 5 USDT are 5,000 satoshi at 100,000 dollars a bitcoin.
    desk.rules = rules(Policy(daily_quota_sat=10_000))
    desk.withdraw("a")
    desk.withdraw("b")
    assert desk.refusal(desk.order("c")) is RefusalCode.QUOTA_EXCEEDED
    assert [row.used_sat for row in desk.all(QuotaRow)] == [10_000]
    desk.now_ms += DAY_MS
    desk.withdraw("c")
    assert [row.used_sat for row in desk.all(QuotaRow)] == [10_000, 5_000]


# --- transfers ---


def test_a_transfer_is_held_and_settled_at_once_for_free(desk: Desk) -> None:
    accepted = desk.run(desk.transfer())
    assert isinstance(accepted, Accepted)
    row = desk.withdrawal(accepted.withdrawal_id)
    assert (row.state, row.fee, row.net, row.recipient_id) == (State.CONFIRMED, 0, 5, desk.other_id)
    assert desk.balance() == (999_999_995, 0)
    assert desk.balance(desk.other_id) == (5, 0)
    assert [(step.state_before, step.state_after) for step in desk.all(HistoryRow)] == [
        ("", "held"),
        ("held", "confirmed"),
    ]
    assert desk.all(DepositRow)[-1].reference == f"transfer/{row.withdrawal_id}"
    assert not any(desk.sums().values())


def test_a_repeated_transfer_moves_nothing(desk: Desk) -> None:
    first = desk.run(desk.transfer())
    entries = len(desk.all(EntryRow))
    assert isinstance(first, Accepted)
    assert desk.run(desk.transfer()) == Accepted(first.withdrawal_id, first.accepted_ms, repeated=True)
    assert len(desk.all(EntryRow)) == entries


@pytest.mark.parametrize(
    "kind,recipient",
    [
        (RecipientKind.ACCOUNT_NUMBER, "1002"),
        (RecipientKind.EMAIL, "b@example.org"),
        (RecipientKind.PHONE, "+44 7"),
    ],
)
def test_a_recipient_is_found_by_each_of_its_names(desk: Desk, kind: RecipientKind, recipient: str) -> None:
    desk.run(replace(desk.transfer(), recipient_kind=kind, recipient=recipient))
    assert desk.balance(desk.other_id) == (5, 0)


@pytest.mark.parametrize(
    "changes,code",
    [
        ({"recipient": "1003"}, RefusalCode.RECIPIENT_UNKNOWN),
        ({"recipient_kind": RecipientKind.EMAIL}, RefusalCode.RECIPIENT_UNKNOWN),
        ({"recipient": "1001"}, RefusalCode.RECIPIENT_IS_SENDER),
        ({"amount": Units(0)}, RefusalCode.AMOUNT_NOT_POSITIVE),
        ({"amount": Units(-1)}, RefusalCode.AMOUNT_NOT_POSITIVE),
        ({"amount": Units(10**12)}, RefusalCode.BALANCE_TOO_LOW),
        ({"asset": "XYZ"}, RefusalCode.CURRENCY_UNKNOWN),
        ({"key_id": "none"}, RefusalCode.KEY_FROZEN),
    ],
)
def test_transfers_that_cannot_be_are_refused(
    desk: Desk, changes: dict[str, object], code: RefusalCode
) -> None:
    assert desk.refusal(replace(desk.transfer(), **changes)) is code


def test_a_frozen_recipient_receives_nothing(desk: Desk) -> None:
    desk.run(FreezeAccount("t", desk.other_id, frozen=True))
    assert desk.refusal(desk.transfer()) is RefusalCode.RECIPIENT_BLOCKED


def test_universal_and_evm_entries_may_not_name_what_they_do_not_limit(desk: Desk) -> None:
    wrong = [
        (AddressKind.STANDARD, "", "tron", "asset"),
        (AddressKind.STANDARD, "USDT", "", "network"),
        (AddressKind.UNIVERSAL, "USDT", "tron", "asset"),
        (AddressKind.UNIVERSAL, "", "", "network"),
        (AddressKind.EVM, "", "ethereum", "network"),
        (AddressKind.EVM, "USDT", "", "asset"),
    ]
    for kind, asset, network, field in wrong:
        with pytest.raises(Refused) as refused:
            desk.run(AddBookEntry("t", desk.account_id, kind, asset, network, "other", "", "", verified=True))
        assert (refused.value.code, refused.value.detail["field"]) == (RefusalCode.PARAMETER_INVALID, field)


def test_an_account_opened_later_is_paid_by_its_number(desk: Desk) -> None:
    desk.run(CreateAccount("t", "1003"))
    assert isinstance(desk.run(replace(desk.transfer(), recipient="1003")), Accepted)
