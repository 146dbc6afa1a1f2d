"""The operator's acts on the chains: stop and start, the gas float, the end of a quarantine."""

from __future__ import annotations

from penstock.core.acts import RecordOpening, ReleaseQuarantine, SetControl
from penstock.engine.lanes import SENDING
from penstock.engine.rows import DepositRow
from penstock.engine.sending_rows import ControlRow, LaneRow
from penstock.server.admin import replies, schema, shown
from penstock.server.admin.endpoints import Call, Desk, acting


async def pause_network(desk: Desk, call: Call, body: schema.Why) -> replies.Control:
    name = f"network/{desk.network(call.path['network']).code}"
    return await _set(desk, SetControl(call.actor, name, stopped=True, reason=body.reason))


async def resume_network(desk: Desk, call: Call, body: schema.Why) -> replies.Control:
    name = f"network/{desk.network(call.path['network']).code}"
    return await _set(desk, SetControl(call.actor, name, stopped=False, reason=body.reason))


async def stop_sending(desk: Desk, call: Call, body: schema.Why) -> replies.Control:
    return await _set(desk, SetControl(call.actor, SENDING, stopped=True, reason=body.reason))


async def start_sending(desk: Desk, call: Call, body: schema.Why) -> replies.Control:
    return await _set(desk, SetControl(call.actor, SENDING, stopped=False, reason=body.reason))


async def _set(desk: Desk, command: SetControl) -> replies.Control:
    return shown.control(await desk.act(command, ControlRow))


async def record_opening(desk: Desk, call: Call, body: schema.NewOpening) -> replies.Deposit:
    """State gas money, in the network's native coin. The same reference counts once."""
    network = desk.network(call.path["network"])
    amount = desk.units(body.amount, network.native)
    command = RecordOpening(call.actor, network.native, network.code, amount, body.reference)
    return shown.deposit(desk, await desk.act(command, DepositRow))


async def release_quarantine(desk: Desk, call: Call, body: schema.QuarantineEnd) -> replies.Lane:
    network = desk.network(call.path["network"])
    command = ReleaseQuarantine(call.actor, network.code, body.sender, body.next_nonce)
    return shown.lane(await desk.act(command, LaneRow))


_ONE = "/networks/{network}"

ENDPOINTS = (
    acting("POST", f"{_ONE}/pause", "Stop sending on a network", pause_network, schema.Why, replies.Control),
    acting("POST", f"{_ONE}/resume", "Send on a network again", resume_network, schema.Why, replies.Control),
    acting(
        "POST", "/sending/stop", "Stop sending on every network", stop_sending, schema.Why, replies.Control
    ),
    acting("POST", "/sending/start", "Send again", start_sending, schema.Why, replies.Control),
    acting(
        "POST",
        f"{_ONE}/opening",
        "State what the hot wallet holds for network fees, once per reference",
        record_opening,
        schema.NewOpening,
        replies.Deposit,
    ),
    acting(
        "POST",
        f"{_ONE}/release-quarantine",
        "Let a sender go on after reconciling it",
        release_quarantine,
        schema.QuarantineEnd,
        replies.Lane,
    ),
)
