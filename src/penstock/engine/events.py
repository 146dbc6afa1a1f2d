"""What became of telling the outside: each event is told, tried again, or given up."""

from __future__ import annotations

import msgspec

from penstock.core.acts import ResendCallback
from penstock.core.commands import RecordDelivery
from penstock.core.refusals import RefusalCode, Refused
from penstock.engine.rows import OutboxRow
from penstock.engine.rules import Decision, Moment
from penstock.engine.sending_rows import AuditRow
from penstock.engine.snapshot import Needs, Snapshot


def need_event(command: RecordDelivery | ResendCallback, needs: Needs) -> None:
    needs.row(OutboxRow, command.withdrawal_id, command.sequence)


def decide_delivery(snapshot: Snapshot, command: RecordDelivery, moment: Moment) -> Decision:
    """Record one attempt. Raises Refused(NOT_NOW) when another worker has recorded it already."""
    event = snapshot.get(OutboxRow, command.withdrawal_id, command.sequence)
    if event is None or event.due_ms is None or event.tries != command.tries:
        raise Refused(RefusalCode.NOT_NOW, sequence=command.sequence)
    if command.delivered:
        told = msgspec.structs.replace(event, due_ms=None, delivered_ms=moment.now_ms)
    else:
        told = msgspec.structs.replace(event, due_ms=command.next_ms, tries=event.tries + 1)
    return Decision([told], None)


def decide_resend(snapshot: Snapshot, command: ResendCallback, moment: Moment) -> Decision:
    """Make an event due now, with all its tries before it. Raises Refused(WITHDRAWAL_UNKNOWN)."""
    event = snapshot.get(OutboxRow, command.withdrawal_id, command.sequence)
    if event is None:
        raise Refused(RefusalCode.WITHDRAWAL_UNKNOWN)
    again = msgspec.structs.replace(event, due_ms=moment.now_ms, tries=0)
    subject = f"withdrawal/{command.withdrawal_id}"
    detail = msgspec.json.encode({"sequence": command.sequence}).decode()
    audit = AuditRow(moment.new_id(), command.actor, "ResendCallback", subject, detail, moment.now_ms)
    return Decision([again, audit], None)
