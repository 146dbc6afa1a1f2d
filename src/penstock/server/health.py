"""The health answer: the process is alive, its database can be read. Asked without a token: no secrets."""

from __future__ import annotations

from typing import Literal

import msgspec
import structlog

from penstock.core.catalogue import Catalogue
from penstock.core.time import Clock
from penstock.engine.lanes import SENDING
from penstock.engine.sending_rows import ControlRow, LaneRow
from penstock.store.reader import Reader
from penstock.venues.venue import Reply

_log = structlog.get_logger(__name__)
_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))

NetworkHealth = Literal["sending", "stopped", "quarantined"]


class Health(msgspec.Struct, frozen=True):
    """status "ok": requests are taken and the database answers. up_ms: since the service started.

    sending: "stopped" while the operator stopped all of it. networks: the same for each, or "quarantined"
    while a sender of it waits for the operator. Neither is ill health: withdrawals are still taken in.
    """

    status: Literal["ok", "failing"]
    now_ms: int
    up_ms: int
    database: Literal["ok", "unreadable"]
    sending: Literal["sending", "stopped"] | None = None
    networks: dict[str, NetworkHealth] = {}


def health_reply(reader: Reader, catalogue: Catalogue, clock: Clock, started_monotonic_ms: int) -> Reply:
    """The answer to a health probe: 200 while all is well, else 503. Blocking; call it from a thread.

    started_monotonic_ms: `clock.monotonic_ms()` when the service started.
    """
    now_ms, up_ms = clock.now_ms(), clock.monotonic_ms() - started_monotonic_ms
    try:
        controls = [reader.row(ControlRow, name) for name in _names(catalogue)]
        stopped = {control.name for control in controls if control is not None and control.stopped}
        quarantined = {lane.network for lane in reader.rows(LaneRow) if lane.quarantine}
    except Exception:  # noqa: BLE001 - see below
        # A probe is a boundary: whatever keeps the database from being read is the answer, and is logged.
        _log.exception("health: the database cannot be read")
        return Reply(503, _HEADERS, msgspec.json.encode(Health("failing", now_ms, up_ms, "unreadable")))
    networks: dict[str, NetworkHealth] = {
        code: _network_health(code, stopped, quarantined) for code in catalogue.networks
    }
    sending = "stopped" if SENDING in stopped else "sending"
    health = Health("ok", now_ms, up_ms, "ok", sending, networks)
    return Reply(200, _HEADERS, msgspec.json.encode(health))


def _names(catalogue: Catalogue) -> list[str]:
    return [SENDING, *(f"network/{code}" for code in catalogue.networks)]


def _network_health(code: str, stopped: set[str], quarantined: set[str]) -> NetworkHealth:
    if code in quarantined:
        return "quarantined"
    return "stopped" if stopped & {SENDING, f"network/{code}"} else "sending"
