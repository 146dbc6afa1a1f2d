"""SunX's account in the sandbox: an API key, and the wallet that it logs in with and is paid to."""

from __future__ import annotations

from penstock.core.acts import AddressKind
from penstock.core.catalogue import Catalogue
from penstock.core.secret import Secret
from penstock.venues.sandbox_account import BookSeed, Destination, Draw, Recipient, SandboxAccount
from penstock.venues.sunx.client_wallet import WalletKey
from penstock.venues.sunx.currencies import CHAINS

NUMBER = "620418837"


def sandbox_account(
    draw: Draw, catalogue: Catalogue, _destinations: tuple[Destination, ...], _recipient: Recipient
) -> SandboxAccount:
    """The address book holds one entry, the account's own wallet: SunX pays nowhere else."""
    ((currency, chain), (asset, network)) = next(
        (names, pair) for names, pair in CHAINS.items() if pair in catalogue.listings
    )
    digits = draw("sunx key").hex()
    key_id = "-".join((digits[:8], digits[8:16], digits[16:24], digits[24:29]))
    secret, wallet_key = draw("sunx secret").hex(), draw("sunx wallet").hex()
    address = WalletKey(Secret.of(wallet_key)).address
    section: dict[str, object] = {
        "access_key": key_id,
        "secret_key": secret,
        "account_id": NUMBER,
        "wallet_address": address,
        "wallet_private_key": wallet_key,
        "currency": currency,
        "chain": chain,
    }
    book = (BookSeed(AddressKind.STANDARD, asset, network, address, remark="login wallet"),)
    return SandboxAccount(NUMBER, key_id, secret, section, book=book)
