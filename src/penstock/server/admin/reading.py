"""What the operator can look at: accounts, switches, lanes, withdrawals with their whole story, the audit."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.queries import Balances, BookEntries
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import AttemptView, BalanceView, BookEntryView, HistoryView, WithdrawalView
from penstock.engine.lanes import SENDING
from penstock.engine.rows import AccountRow, AuditRow, ControlRow, LaneRow
from penstock.server.admin import schema, shown
from penstock.server.admin.bodies import read_id
from penstock.server.admin.endpoints import Call, Desk, asking
from penstock.server.admin.errors import missing
from penstock.store.reader import Reader


def _account(reader: Reader, account_id: AccountId) -> AccountRow:
    found = reader.row(AccountRow, account_id)
    if found is None:
        raise Refused(RefusalCode.ACCOUNT_UNKNOWN)
    return found


async def show_account(desk: Desk, call: Call, _query: schema.NoQuery) -> replies.Account:
    account_id = call.account_id
    return shown.account(await desk.read(lambda reader: _account(reader, account_id)))


async def list_addresses(desk: Desk, call: Call, _query: schema.NoQuery) -> replies.AddressBook:
    account_id = call.account_id

    def ask(reader: Reader) -> list[BookEntryView]:
        _account(reader, account_id)
        return msgspec.convert(reader.ask(BookEntries(account_id)), list[BookEntryView])

    return replies.AddressBook([shown.book_entry(entry) for entry in await desk.read(ask)])


async def show_balances(desk: Desk, call: Call, _query: schema.NoQuery) -> replies.BalanceSheet:
    account_id = call.account_id

    def ask(reader: Reader) -> list[BalanceView]:
        _account(reader, account_id)
        return msgspec.convert(reader.ask(Balances(account_id)), list[BalanceView])

    return replies.BalanceSheet([shown.balance(desk, balance) for balance in await desk.read(ask)])


async def list_controls(desk: Desk, _call: Call, _query: schema.NoQuery) -> replies.ControlBoard:
    """Every switch there is, also those never touched."""
    names = [SENDING, *(f"network/{code}" for code in desk.catalogue.networks)]

    def ask(reader: Reader) -> list[ControlRow | None]:
        return [reader.row(ControlRow, name) for name in names]

    rows = zip(names, await desk.read(ask), strict=True)
    return replies.ControlBoard(
        [
            shown.control(row) if row else replies.Control(name, stopped=False, reason="", at_ms=0)
            for name, row in rows
        ]
    )


async def list_lanes(desk: Desk, _call: Call, _query: schema.NoQuery) -> replies.LaneBoard:
    rows = await desk.read(lambda reader: list(reader.rows(LaneRow)))
    return replies.LaneBoard([shown.lane(row) for row in rows])


async def list_withdrawals(desk: Desk, _call: Call, query: schema.WithdrawalList) -> replies.Withdrawals:
    account_id = None if query.account_id is UNSET else AccountId(read_id(query.account_id, "account_id"))
    views = await desk.read(lambda reader: reader.withdrawals(account_id, query.limit))
    return replies.Withdrawals([shown.withdrawal(desk, view) for view in views])


async def show_withdrawal(desk: Desk, call: Call, _query: schema.NoQuery) -> replies.WithdrawalStory:
    withdrawal_id = WithdrawalId(call.id("withdrawal_id"))

    def ask(reader: Reader) -> tuple[WithdrawalView | None, list[HistoryView], list[AttemptView]]:
        found = reader.withdrawal(withdrawal_id)
        return found, reader.history(withdrawal_id), reader.attempts(withdrawal_id)

    found, history, attempts = await desk.read(ask)
    if found is None:
        raise missing("withdrawal", RefusalCode.WITHDRAWAL_UNKNOWN.value)
    return replies.WithdrawalStory(
        shown.withdrawal(desk, found),
        [shown.change(view) for view in history],
        [shown.attempt(view) for view in attempts],
    )


async def list_acts(desk: Desk, _call: Call, query: schema.AuditList) -> replies.AuditLog:
    before = None if query.before is UNSET else read_id(query.before, "before")

    def ask(reader: Reader) -> list[AuditRow]:
        return reader.audit(query.limit, before)

    return replies.AuditLog([shown.act(row) for row in await desk.read(ask)])


async def show_document(desk: Desk, _call: Call, _query: schema.NoQuery) -> msgspec.Raw:
    return desk.document


_ACCOUNT = "/accounts/{account_id}"

ENDPOINTS = (
    asking(_ACCOUNT, "Show an account", show_account, schema.NoQuery, replies.Account),
    asking(
        f"{_ACCOUNT}/addresses", "List the address book", list_addresses, schema.NoQuery, replies.AddressBook
    ),
    asking(f"{_ACCOUNT}/balances", "Show the balances", show_balances, schema.NoQuery, replies.BalanceSheet),
    asking("/controls", "List the switches", list_controls, schema.NoQuery, replies.ControlBoard),
    asking("/lanes", "List the senders of every network", list_lanes, schema.NoQuery, replies.LaneBoard),
    asking(
        "/withdrawals",
        "List withdrawals, newest first",
        list_withdrawals,
        schema.WithdrawalList,
        replies.Withdrawals,
    ),
    asking(
        "/withdrawals/{withdrawal_id}",
        "Show a withdrawal with its whole story",
        show_withdrawal,
        schema.NoQuery,
        replies.WithdrawalStory,
    ),
    asking("/audit", "List the operators' acts, newest first", list_acts, schema.AuditList, replies.AuditLog),
    asking("/openapi.json", "This document", show_document, schema.NoQuery, None),
)
