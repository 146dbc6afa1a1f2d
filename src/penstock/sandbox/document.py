"""sandbox.json: what a program needs to use a sandbox. Play money only, so its keys stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from penstock.core.catalogue import Catalogue
from penstock.sandbox.seed import sandbox_secrets, write_private
from penstock.venues.sandbox_account import SandboxAccount


def write_sandbox_json(
    state_dir: Path,
    catalogue: Catalogue,
    senders: Mapping[str, str],
    accounts: Mapping[str, SandboxAccount],
    base_url: str,
) -> None:
    """Write DIR/sandbox.json anew; senders: the hot wallet's address by network; accounts: by venue."""
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
        "venues": {venue: account.section for venue, account in accounts.items()},
    }
    write_private(
        state_dir / "sandbox.json", msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    )
