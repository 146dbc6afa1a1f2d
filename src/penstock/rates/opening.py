"""Which rates a service uses: the market's where an exchange is named, else the table's."""

from __future__ import annotations

from collections.abc import Mapping

from penstock.core.catalogue import Catalogue
from penstock.core.time import Clock
from penstock.rates.live import LiveRates, open_exchange
from penstock.rates.table import TableRates


def open_rates(
    table: Mapping[str, str], exchange: str | None, refresh_s: int, catalogue: Catalogue, clock: Clock
) -> TableRates | LiveRates:
    """Rates, live ones already being asked for.

    Raises ValueError for a table or an exchange that cannot be used, live.RatesNotInstalledError without the extra.
    """
    if exchange is None:
        return TableRates(catalogue, table)
    live = LiveRates(catalogue, open_exchange(exchange), clock, refresh_s)
    live.start()
    return live
