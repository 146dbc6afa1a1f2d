"""What the operator can look at beside withdrawals: accounts and what is theirs, switches, lanes, the audit."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from penstock.core.ids import AccountId
from penstock.core.queries import Balances, BookEntries
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import BalanceView, BookEntryView
from penstock.engine.lanes import SENDING
from penstock.engine.rows import AccountRow, CallbackRow
from penstock.engine.sending_rows import AuditRow, ControlRow, LaneRow
from penstock.server.admin import replies, schema, shown
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


def found_callback(reader: Reader, account_id: AccountId, venue: str) -> CallbackRow:
    """Raises Refused for an unknown account, NotDone(404) where no callback was ever set."""
    _account(reader, account_id)
    found = reader.callback(account_id, venue)
    if found is None:
        raise missing("callback")
    return found


async def show_callback(desk: Desk, call: Call, _query: schema.NoQuery) -> replies.Callback:
    account_id, venue = call.account_id, call.path["venue"]
    return shown.callback(await desk.read(lambda reader: found_callback(reader, account_id, venue)))


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
        f"{_ACCOUNT}/callbacks/{{venue}}",
        "Show where a venue's callbacks go",
        show_callback,
        schema.NoQuery,
        replies.Callback,
    ),
    asking("/audit", "List the operators' acts, newest first", list_acts, schema.AuditList, replies.AuditLog),
    asking("/openapi.json", "This document", show_document, schema.NoQuery, None),
)
