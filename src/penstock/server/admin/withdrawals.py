"""Withdrawals: their whole story, people's decisions about those that wait, and what was told of them."""

from __future__ import annotations

from msgspec import UNSET

from penstock.core.acts import Approve, Cancel, Decline, ResendCallback
from penstock.core.commands import Command
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import WithdrawalView
from penstock.engine.rows import OutboxRow
from penstock.server.admin import replies, schema, shown
from penstock.server.admin.bodies import read_id
from penstock.server.admin.endpoints import Call, Desk, acting, asking
from penstock.server.admin.errors import missing, unacceptable
from penstock.store.reader import Reader


async def list_withdrawals(desk: Desk, _call: Call, query: schema.WithdrawalList) -> replies.Withdrawals:
    state, limit = query.state, query.limit
    account_id = None if query.account_id is UNSET else AccountId(read_id(query.account_id, "account_id"))
    before = None if query.before is UNSET else read_id(query.before, "before")
    if state is not UNSET and account_id is not None:
        raise unacceptable("state", "Give account_id or state, not both.")

    def ask(reader: Reader) -> list[WithdrawalView]:
        if state is not UNSET:
            return reader.withdrawals_in(state, limit, before)
        return reader.withdrawals(account_id, limit, before)

    return replies.Withdrawals([shown.withdrawal(desk, view) for view in await desk.read(ask)])


async def show_withdrawal(desk: Desk, call: Call, _query: schema.NoQuery) -> replies.WithdrawalStory:
    return await _story(desk, _id(call))


async def approve_withdrawal(desk: Desk, call: Call, _body: schema.NoFields) -> replies.WithdrawalStory:
    return await _decided(desk, call, Approve(call.actor, _id(call)))


async def decline_withdrawal(desk: Desk, call: Call, body: schema.Decline) -> replies.WithdrawalStory:
    return await _decided(desk, call, Decline(call.actor, _id(call), body.reason))


async def cancel_withdrawal(desk: Desk, call: Call, _body: schema.NoFields) -> replies.WithdrawalStory:
    return await _decided(desk, call, Cancel(call.actor, _id(call)))


async def _decided(desk: Desk, call: Call, command: Command) -> replies.WithdrawalStory:
    """Carry the decision out, then show the withdrawal as it stands by then: a worker may have gone on with it."""
    await desk.act_only(command)
    return await _story(desk, _id(call))


def _id(call: Call) -> WithdrawalId:
    return WithdrawalId(call.id("withdrawal_id"))


async def _story(desk: Desk, withdrawal_id: WithdrawalId) -> replies.WithdrawalStory:
    def ask(reader: Reader) -> replies.WithdrawalStory:
        with reader.snapshot():
            return replies.WithdrawalStory(
                shown.withdrawal(desk, _found(reader, withdrawal_id)),
                [shown.change(view) for view in reader.history(withdrawal_id)],
                [shown.attempt(view) for view in reader.attempts(withdrawal_id)],
            )

    return await desk.read(ask)


def _found(reader: Reader, withdrawal_id: WithdrawalId) -> WithdrawalView:
    found = reader.withdrawal(withdrawal_id)
    if found is None:
        raise missing("withdrawal", RefusalCode.WITHDRAWAL_UNKNOWN.value)
    return found


async def list_events(desk: Desk, call: Call, _query: schema.NoQuery) -> replies.Events:
    withdrawal_id = _id(call)

    def ask(reader: Reader) -> list[OutboxRow]:
        _found(reader, withdrawal_id)
        return reader.events(withdrawal_id)

    return replies.Events([shown.event(row) for row in await desk.read(ask)])


async def resend_event(desk: Desk, call: Call, _body: schema.NoFields) -> replies.Event:
    """Make an event due again, as if it were new. Shown as it stands by then: it may have been told already."""
    withdrawal_id, sequence = _id(call), call.id("sequence")
    try:
        await desk.act_only(ResendCallback(call.actor, withdrawal_id, sequence))
    except Refused as refused:
        if refused.code is RefusalCode.WITHDRAWAL_UNKNOWN:
            raise missing("event") from None
        raise
    row = await desk.read(lambda reader: reader.row(OutboxRow, withdrawal_id, sequence))
    assert row is not None
    return shown.event(row)


_ONE = "/withdrawals/{withdrawal_id}"

ENDPOINTS = (
    asking(
        "/withdrawals",
        "List withdrawals, newest first",
        list_withdrawals,
        schema.WithdrawalList,
        replies.Withdrawals,
    ),
    asking(
        _ONE,
        "Show a withdrawal with its whole story",
        show_withdrawal,
        schema.NoQuery,
        replies.WithdrawalStory,
    ),
    acting(
        "POST",
        f"{_ONE}/approve",
        "Let a withdrawal that waits for approval be paid",
        approve_withdrawal,
        schema.NoFields,
        replies.WithdrawalStory,
    ),
    acting(
        "POST",
        f"{_ONE}/decline",
        "Refuse a withdrawal that nothing was planned for yet; its money is given back",
        decline_withdrawal,
        schema.Decline,
        replies.WithdrawalStory,
    ),
    acting(
        "POST",
        f"{_ONE}/cancel",
        "Take a withdrawal back at the customer's wish, before anything was planned for it",
        cancel_withdrawal,
        schema.NoFields,
        replies.WithdrawalStory,
    ),
    asking(
        f"{_ONE}/events",
        "List what was told, or is to be told, to the account's callback",
        list_events,
        schema.NoQuery,
        replies.Events,
    ),
    acting(
        "POST",
        f"{_ONE}/events/{{sequence}}/resend",
        "Tell the account's callback once more",
        resend_event,
        schema.NoFields,
        replies.Event,
    ),
)
