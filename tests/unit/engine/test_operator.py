"""The operator's acts: what each writes, refuses, and leaves in the audit log."""

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
    RecordOpening,
    ReleaseQuarantine,
    RemoveBookEntry,
    SetControl,
    SetDepositAddress,
)
from penstock.core.amounts import Units
from penstock.core.commands import Command, Quarantine
from penstock.core.ids import AccountId
from penstock.core.refusals import RefusalCode
from penstock.engine.ledger import gas_wallet
from penstock.engine.rows import BalanceRow, DepositRow, EntryRow
from penstock.engine.sending_rows import AuditRow, LaneRow
from tests.unit.engine.desk import ADDRESS, SENDER, Desk

NOBODY = AccountId(9_999)


def _credit(desk: Desk, **changes: object) -> CreditDeposit:
    command = CreditDeposit("ops", desk.account_id, "spot", "USDT", "tron", Units(7), "d1")
    return msgspec.structs.replace(command, **changes)


def _acts(desk: Desk) -> list[Command]:
    standard = AddressKind.STANDARD
    return [
        CreateAccount("ops", "77"),
        CreateKey("ops", desk.account_id, "bitmart", "k2", "hush", "quiet", ("read",)),
        AddBookEntry("ops", desk.account_id, standard, "USDT", "tron", "T2", "", "", verified=False),
        RemoveBookEntry("ops", desk.account_id, desk.entry_id),
        _credit(desk),
        RecordOpening("ops", "TRX", "tron", Units(5), "o2"),
        SetDepositAddress("ops", desk.account_id, "tron", ADDRESS),
        FreezeAccount("ops", desk.account_id, frozen=True),
        FreezeKey("ops", "key", frozen=True),
        SetControl("ops", "sending", stopped=True, reason="drill"),
    ]


@pytest.mark.parametrize("at", range(10))
def test_every_act_leaves_exactly_one_audit_row_without_secrets(desk: Desk, at: int) -> None:
    command = _acts(desk)[at]
    before = len(desk.all(AuditRow))
    desk.run(command)
    written = desk.all(AuditRow)[before:]
    assert [(row.actor, row.act) for row in written] == [("ops", type(command).__name__)]
    assert "hush" not in written[0].detail
    assert "quiet" not in written[0].detail
    assert not any(desk.sums().values())


REFUSED: list[tuple[RefusalCode, Callable[[Desk], Command]]] = [
    (RefusalCode.ALREADY_EXISTS, lambda _: CreateAccount("ops", "1001")),
    (RefusalCode.ALREADY_EXISTS, lambda _: CreateAccount("ops", "5", email="b@example.org")),
    (RefusalCode.ALREADY_EXISTS, lambda _: CreateAccount("ops", "5", phone="+44 7")),
    (RefusalCode.PARAMETER_INVALID, lambda _: CreateAccount("ops", "12a")),
    (RefusalCode.PARAMETER_INVALID, lambda _: CreateAccount("ops", "\u0661\u0662")),
    (RefusalCode.PARAMETER_INVALID, lambda _: CreateAccount("ops", "")),
    (RefusalCode.ACCOUNT_UNKNOWN, lambda _: CreateAccount("ops", "5", master_account_id=NOBODY)),
    (RefusalCode.ACCOUNT_UNKNOWN, lambda _: CreateKey("ops", NOBODY, "bitmart", "k", "s", "", ())),
    (RefusalCode.ALREADY_EXISTS, lambda desk: CreateKey("ops", desk.other_id, "sunx", "key", "s", "", ())),
    (RefusalCode.PARAMETER_INVALID, lambda desk: CreateKey("ops", desk.other_id, "sunx", "k", "", "", ())),
    (RefusalCode.ALREADY_EXISTS, lambda desk: desk.entry()),
    (RefusalCode.ADDRESS_NOT_IN_BOOK, lambda desk: RemoveBookEntry("ops", desk.account_id, 5)),
    (RefusalCode.ADDRESS_NOT_IN_BOOK, lambda desk: RemoveBookEntry("ops", desk.other_id, desk.entry_id)),
    (RefusalCode.ACCOUNT_UNKNOWN, lambda desk: _credit(desk, account_id=NOBODY)),
    (RefusalCode.CURRENCY_UNKNOWN, lambda desk: _credit(desk, network="bsc")),
    (RefusalCode.WALLET_UNKNOWN, lambda desk: _credit(desk, wallet="attic")),
    (RefusalCode.AMOUNT_NOT_POSITIVE, lambda desk: _credit(desk, amount=Units(0))),
    (RefusalCode.AMOUNT_NOT_POSITIVE, lambda desk: _credit(desk, amount=Units(-1))),
    (RefusalCode.PARAMETER_INVALID, lambda desk: _credit(desk, reference="")),
    (RefusalCode.PARAMETER_INVALID, lambda desk: _credit(desk, reference="transfer/1")),
    (RefusalCode.REQUEST_ID_CONFLICT, lambda desk: _credit(desk, reference="first")),
    (RefusalCode.REQUEST_ID_CONFLICT, lambda desk: _credit(desk, reference="gas", amount=Units(1_000))),
    (RefusalCode.PARAMETER_INVALID, lambda _: RecordOpening("ops", "USDT", "tron", Units(1), "o")),
    (RefusalCode.PARAMETER_INVALID, lambda _: RecordOpening("ops", "TRX", "moon", Units(1), "o")),
    (RefusalCode.ACCOUNT_UNKNOWN, lambda _: FreezeAccount("ops", NOBODY, frozen=True)),
    (RefusalCode.PARAMETER_INVALID, lambda _: FreezeKey("ops", "none", frozen=True)),
    (RefusalCode.PARAMETER_INVALID, lambda _: SetControl("ops", "network/moon", stopped=True)),
    (RefusalCode.PARAMETER_INVALID, lambda desk: SetDepositAddress("ops", desk.account_id, "moon", "a")),
    (RefusalCode.NOT_NOW, lambda _: ReleaseQuarantine("ops", "tron", SENDER, 5)),
]


@pytest.mark.parametrize("at", range(len(REFUSED)))
def test_an_act_that_cannot_be_writes_nothing_no_audit_row_either(desk: Desk, at: int) -> None:
    code, make = REFUSED[at]
    assert desk.refusal(make(desk)) is code


def test_a_deposit_is_credited_once_for_ever(desk: Desk) -> None:
    first = desk.run(_credit(desk))
    entries = len(desk.all(EntryRow))
    assert desk.run(_credit(desk)) == first
    assert len(desk.all(EntryRow)) == entries
    assert desk.refusal(_credit(desk, amount=Units(8))) is RefusalCode.REQUEST_ID_CONFLICT
    assert desk.refusal(_credit(desk, wallet="fund")) is RefusalCode.REQUEST_ID_CONFLICT
    assert desk.balance() == (1_000_000_007, 0)


def test_an_opening_is_our_own_money_and_no_customers(desk: Desk) -> None:
    desk.run(RecordOpening("ops", "TRX", "tron", Units(5), "o2"))
    desk.run(RecordOpening("ops", "TRX", "tron", Units(5), "o2"))
    assert desk.balance(0, "TRX", gas_wallet("tron")) == (1_005, 0)
    assert [row.account_id for row in desk.all(DepositRow) if row.reference == "o2"] == [0]
    assert {row.account_id for row in desk.all(BalanceRow)} == {0, desk.account_id}


def test_removing_an_entry_twice_is_one_act(desk: Desk) -> None:
    desk.run(RemoveBookEntry("ops", desk.account_id, desk.entry_id))
    audited = len(desk.all(AuditRow))
    desk.run(RemoveBookEntry("ops", desk.account_id, desk.entry_id))
    assert len(desk.all(AuditRow)) == audited


def test_a_quarantined_lane_is_released_forwards_only(desk: Desk) -> None:
    desk.planned()
    desk.run(Quarantine("tron", SENDER, "strange"))
    assert desk.refusal(ReleaseQuarantine("ops", "tron", SENDER, 0)) is RefusalCode.PARAMETER_INVALID
    desk.run(ReleaseQuarantine("ops", "tron", SENDER, 4))
    lane = desk.get(LaneRow, "tron", SENDER)
    assert (lane.quarantine, lane.next_nonce) == ("", 4)
