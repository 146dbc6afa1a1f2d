"""Transfers to other accounts: who may be paid, where it arrives, and payments outside the address book."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from penstock.core.acts import AddBookEntry, AddressKind, FreezeAccount, RemoveBookEntry
from penstock.core.commands import RecipientKind, Transfer
from penstock.core.refusals import RefusalCode
from penstock.core.states import State
from penstock.core.views import Accepted
from penstock.engine.rows import BookRow, DepositRow, QuotaRow
from penstock.engine.rules import Policy
from penstock.engine.sending_rows import AttemptRow
from tests.unit.engine.desk import ADDRESS, Desk, rules

replace = msgspec.structs.replace

NAMES = [
    (RecipientKind.ACCOUNT_NUMBER, "1002"),
    (RecipientKind.EMAIL, "b@example.org"),
    (RecipientKind.PHONE, "+44 7"),
]


def _entry(
    desk: Desk, kind: RecipientKind = RecipientKind.ACCOUNT_NUMBER, text: str = "1002"
) -> AddBookEntry:
    return AddBookEntry(
        "t", desk.account_id, AddressKind.RECIPIENT, "", "", text, kind.value, "", verified=True
    )


def _added(desk: Desk, command: AddBookEntry) -> BookRow:
    row = desk.run(command)
    assert isinstance(row, BookRow)
    return row


def _booked(desk: Desk, **changes: object) -> Transfer:
    return replace(desk.transfer(), in_book=True, **changes)


# --- the book of recipients ---


@pytest.mark.parametrize("kind,text", NAMES)
def test_a_recipient_in_the_book_is_paid_by_the_name_that_stands_there(
    desk: Desk, kind: RecipientKind, text: str
) -> None:
    _added(desk, _entry(desk, kind, text))
    for other_kind, other_text in NAMES:
        transfer = _booked(desk, recipient_kind=other_kind, recipient=other_text, request_id=other_text)
        if other_kind is kind:
            assert isinstance(desk.run(transfer), Accepted)
        else:
            assert desk.refusal(transfer) is RefusalCode.RECIPIENT_NOT_IN_BOOK
    assert desk.balance(desk.other_id) == (5, 0)


REASONS: list[tuple[Callable[[AddBookEntry], AddBookEntry | None], RefusalCode]] = [
    (lambda _: None, RefusalCode.RECIPIENT_NOT_IN_BOOK),
    (lambda entry: replace(entry, verified=False), RefusalCode.RECIPIENT_NOT_IN_BOOK),
    (lambda entry: replace(entry, address="1003"), RefusalCode.RECIPIENT_NOT_IN_BOOK),
    (lambda entry: replace(entry, memo="email"), RefusalCode.RECIPIENT_NOT_IN_BOOK),
    (lambda entry: replace(entry, usable_from_ms=2**50), RefusalCode.ADDRESS_COOLING_DOWN),
    (
        lambda entry: replace(entry, kind=AddressKind.UNIVERSAL, network="tron", memo=""),
        RefusalCode.RECIPIENT_NOT_IN_BOOK,
    ),
]


@pytest.mark.parametrize("at", range(len(REASONS)))
def test_a_recipient_that_does_not_stand_in_the_book_as_it_must_is_not_paid(desk: Desk, at: int) -> None:
    change, code = REASONS[at]
    entry = change(_entry(desk))
    if entry is not None:
        _added(desk, entry)
    assert desk.refusal(_booked(desk)) is code


def test_a_removed_recipient_is_paid_no_more_and_one_added_again_is(desk: Desk) -> None:
    entry = _added(desk, _entry(desk))
    desk.run(RemoveBookEntry("t", desk.account_id, entry.entry_id))
    assert desk.refusal(_booked(desk)) is RefusalCode.RECIPIENT_NOT_IN_BOOK
    _added(desk, _entry(desk))
    assert isinstance(desk.run(_booked(desk)), Accepted)


def test_one_usable_entry_is_enough_beside_one_that_cools_down(desk: Desk) -> None:
    _added(desk, replace(_entry(desk), usable_from_ms=2**50))
    assert desk.refusal(_entry(desk)) is RefusalCode.ALREADY_EXISTS
    desk.now_ms = 2**50 - 1
    assert desk.refusal(_booked(desk)) is RefusalCode.ADDRESS_COOLING_DOWN
    desk.now_ms = 2**50
    assert isinstance(desk.run(_booked(desk)), Accepted)


def test_the_book_of_another_account_allows_nothing(desk: Desk) -> None:
    _added(desk, replace(_entry(desk), account_id=desk.other_id))
    assert desk.refusal(_booked(desk)) is RefusalCode.RECIPIENT_NOT_IN_BOOK


def test_the_book_is_asked_before_it_is_told_whether_the_recipient_exists(desk: Desk) -> None:
    assert desk.refusal(_booked(desk, recipient="1003")) is RefusalCode.RECIPIENT_NOT_IN_BOOK
    _added(desk, _entry(desk, text="1003"))
    assert desk.refusal(_booked(desk, recipient="1003")) is RefusalCode.RECIPIENT_UNKNOWN


def test_an_entry_in_the_book_pays_no_frozen_recipient(desk: Desk) -> None:
    _added(desk, _entry(desk))
    desk.run(FreezeAccount("t", desk.other_id, frozen=True))
    assert desk.refusal(_booked(desk)) is RefusalCode.RECIPIENT_BLOCKED


def test_a_recipient_s_entry_allows_no_payment_on_a_chain(desk: Desk) -> None:
    desk.run(RemoveBookEntry("t", desk.account_id, desk.entry_id))
    # Its text is the very address, and its memo the kind that a careless look would take for a tag.
    _added(desk, _entry(desk, text=ADDRESS))
    for memo in ("", "account_number"):
        assert desk.refusal(replace(desk.order(), memo=memo)) is RefusalCode.ADDRESS_NOT_IN_BOOK


@pytest.mark.parametrize(
    "changes", [{"asset": "USDT"}, {"network": "tron"}, {"memo": ""}, {"memo": "recipient"}]
)
def test_a_recipient_s_entry_names_neither_asset_nor_network_but_the_kind_of_name(
    desk: Desk, changes: dict[str, str]
) -> None:
    assert desk.refusal(replace(_entry(desk), **changes)) is RefusalCode.PARAMETER_INVALID


# --- where it arrives ---


@pytest.mark.parametrize("named,arrives", [("", "spot"), ("spot", "spot"), ("fund", "fund")])
def test_a_transfer_arrives_in_the_wallet_it_names_else_where_deposits_do(
    desk: Desk, named: str, arrives: str
) -> None:
    accepted = desk.run(replace(desk.transfer(), recipient_wallet=named))
    assert isinstance(accepted, Accepted)
    assert (accepted.state, accepted.amount, accepted.fee, accepted.net) == (State.CONFIRMED, 5, 0, 5)
    assert desk.balance(desk.other_id, wallet=arrives) == (5, 0)
    (deposit,) = [row for row in desk.all(DepositRow) if row.account_id == desk.other_id]
    assert (deposit.wallet, deposit.amount, deposit.reference) == (
        arrives,
        5,
        f"transfer/{accepted.withdrawal_id}",
    )
    assert not any(desk.sums().values())


def test_two_transfers_to_two_wallets_are_kept_apart(desk: Desk) -> None:
    desk.run(replace(desk.transfer("a", 5), recipient_wallet="fund"))
    desk.run(replace(desk.transfer("b", 7), recipient_wallet="spot"))
    desk.run(replace(desk.transfer("c", 11), recipient_wallet="fund"))
    assert desk.balance(desk.other_id, wallet="fund") == (16, 0)
    assert desk.balance(desk.other_id, wallet="spot") == (7, 0)


def test_a_transfer_uses_the_day_s_quota() -> None:
    desk = Desk(rules(Policy(daily_quota_sat=5_000)))
    desk.run(desk.transfer("a", 3_000_000))
    assert [row.used_sat for row in desk.all(QuotaRow)] == [3_000]
    assert desk.refusal(desk.transfer("b", 3_000_000)) is RefusalCode.QUOTA_EXCEEDED


# --- payments outside the book ---


def test_a_venue_that_pays_to_any_address_asks_no_book_neither_now_nor_when_it_is_planned(desk: Desk) -> None:
    desk.run(RemoveBookEntry("t", desk.account_id, desk.entry_id))
    anywhere = replace(desk.order(), any_address=True, address="T-elsewhere", memo="9")
    accepted = desk.run(anywhere)
    assert isinstance(accepted, Accepted)
    row = desk.withdrawal(accepted.withdrawal_id)
    assert (row.address, row.memo, row.book_entry_id) == ("T-elsewhere", "9", None)
    assert isinstance(desk.run(desk.plan(row.withdrawal_id)), AttemptRow)


def test_paying_to_any_address_is_still_refused_while_the_account_is_frozen(desk: Desk) -> None:
    anywhere = replace(desk.order(), any_address=True, address="T-elsewhere")
    accepted = desk.run(anywhere)
    assert isinstance(accepted, Accepted)
    desk.run(FreezeAccount("t", desk.account_id, frozen=True))
    assert desk.refusal(replace(anywhere, request_id="b")) is RefusalCode.ACCOUNT_FROZEN
    assert desk.refusal(desk.plan(accepted.withdrawal_id)) is RefusalCode.ACCOUNT_FROZEN
