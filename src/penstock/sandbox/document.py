"""sandbox.json: what a program needs to use a sandbox. Play money only, so its keys stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.core.catalogue import Catalogue
from penstock.sandbox.destinations import DESTINATIONS
from penstock.sandbox.seed import (
    CUSTOMER_NUMBER,
    RECIPIENT_EMAIL,
    RECIPIENT_NUMBER,
    RECIPIENT_PHONE,
    sandbox_secrets,
    write_private,
)
from penstock.venues.bitmart.currencies import CurrencyNames, write_network


def write_sandbox_json(
    state_dir: Path, catalogue: Catalogue, senders: Mapping[str, str], base_url: str
) -> None:
    """Write DIR/sandbox.json anew; senders: the hot wallet's address by network."""
    drawn = sandbox_secrets(state_dir)
    document = {
        "base_url": base_url,
        "admin": {"token": drawn.admin_token, "url": f"{base_url}/admin/v1"},
        "assets": [
            {
                "asset": listing.asset,
                "network": listing.network,
                "decimals": listing.decimals,
                "contract": listing.contract,
                "confirmations": catalogue.networks[listing.network].confirmations,
                "hot_wallet": senders[listing.network],
            }
            for listing in catalogue.listings.values()
        ],
        "venues": {"bitmart": _bitmart(state_dir, CurrencyNames(catalogue))},
    }
    write_private(
        state_dir / "sandbox.json", msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    )


def _bitmart(state_dir: Path, names: CurrencyNames) -> dict[str, object]:
    drawn = sandbox_secrets(state_dir)
    return {
        "api_key": drawn.api_key,
        "api_secret": drawn.api_secret,
        "memo": drawn.memo,
        "account_id": CUSTOMER_NUMBER,
        "recipient_cid": RECIPIENT_NUMBER,
        "recipient_email": RECIPIENT_EMAIL,
        "recipient_phone": RECIPIENT_PHONE,
        "addresses": [
            {
                "currency": names.write(entry.asset, entry.network),
                "network": write_network(entry.network),
                "address": entry.address,
                "memo": entry.memo,
                "verified": entry.verified,
            }
            for entry in DESTINATIONS
        ],
    }
