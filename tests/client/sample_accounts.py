"""Throw-away credentials of every venue, the secret ones being canaries that must show up nowhere; and a
withdrawal that each would take.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock.client import VENUES

HEX_CANARY = "5ca1ab1e"

CREDENTIALS: dict[str, dict[str, str]] = {
    "bitmart": {"api_key": "demo-key-0001", "api_secret": "canary-secret-58b1", "memo": "canary-memo-77c3"},
    "sunx": {
        "access_key": "sunx-test-access-key-01",
        "secret_key": "canary-sunx-secret-key-01",
        "wallet_private_key": HEX_CANARY * 8,
    },
    "zoomex": {"api_key": "zx-demo-key-0001", "api_secret": "canary-zx-secret-0001"},
    "alphapo": {"processing_key": "alphapo-test-key-01", "secret_key": "canary-alphapo-secret-01"},
    "edgex": {
        "account_id": "543429922991899150",
        "stark_private_key": "0x0" + (HEX_CANARY * 8)[1:],
        "eth_address": "0x1fb51aa234287c3ca1f957ea9ad0e148bb814b7a",
        "risk_signature": HEX_CANARY * 16,
    },
}
assert CREDENTIALS.keys() == set(VENUES)

CANARIES = ("canary", HEX_CANARY)


@dataclass(frozen=True)
class Sample:
    """A withdrawal to an address, in the venue's own names."""

    currency: str
    amount: str
    address: str
    network: str | None = None


WITHDRAWALS = {
    "bitmart": Sample("USDT-ERC20", "100", "0x52908400098527886E0F7030069857D2E4169EE7"),
    "sunx": Sample("usdt", "8.799999", "TW7BPrZAYzvNbdFrGzn8XUCzFa3MzRJVoc", "trc20usdt"),
    "zoomex": Sample("USDT", "25.5", "TJkMU8oTHPTxQnM3Vd5UFP4FnLnRvruZjf", "TRX"),
    "alphapo": Sample("BTC", "0.0002", "tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc"),
    "edgex": Sample("1000", "10.000000", "0x1fb51aa234287c3ca1f957ea9ad0e148bb814b7a"),
}
assert WITHDRAWALS.keys() == set(VENUES)
