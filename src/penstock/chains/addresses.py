"""Whether an address can be paid on a network: one entry for every family, its rules in `address_rules/`.

Bytes are compared as they came. No trimming, case folding or Unicode normalisation happens anywhere: a
look-alike letter, a zero-width space or a trailing NBSP makes a text that is no address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from penstock.chains.address_rules.bitcoin import check_bitcoin_address
from penstock.chains.address_rules.refusing import forbidden as forbidden_address
from penstock.chains.address_rules.refusing import invalid, memo_invalid
from penstock.chains.address_rules.ripple import check_destination_tag, check_ripple_address
from penstock.chains.address_rules.solana import check_solana_address
from penstock.chains.address_rules.tron import check_tron_address
from penstock.chains.evm.addresses import check_evm_address
from penstock.core.catalogue import Catalogue, Network

ADDRESS_CHARACTERS_MAX = 112
MEMO_CHARACTERS_MAX = 120

_RULES: dict[str, Callable[[str], str]] = {
    "tron": check_tron_address,
    "bitcoin": check_bitcoin_address,
    "solana": check_solana_address,
    "ripple": check_ripple_address,
}
ADDRESS_FAMILIES = frozenset(_RULES) | {"evm"}
"""Every value `Network.family` may have."""


def never_paid(catalogue: Catalogue, network: str, senders: Mapping[str, str]) -> frozenset[str]:
    """Addresses of a network that no withdrawal may go to: its token contracts and our own hot wallets.

    senders: our wallet by network; all of them, because one key may serve several networks.
    """
    listings = (listing for (_, code), listing in catalogue.listings.items() if code == network)
    return frozenset(
        {*senders.values(), *(listing.contract for listing in listings if listing.contract is not None)}
    )


def check_address(network: Network, address: str, memo: str, forbidden: frozenset[str]) -> str:
    """The canonical text of `address` on `network`, to store, compare and pay.

    memo: a tag or memo beside it; "" when there is none (a missing one and a JSON null are "" too). Where the
    network uses memos it stays optional; whether the address book asks for one is for the engine to say.
    forbidden: canonical texts that must never be paid there: our own wallets, token contracts.
    Raises Refused(ADDRESS_INVALID), Refused(ADDRESS_FORBIDDEN) or Refused(MEMO_INVALID). The address is
    judged first.
    """
    assert network.family in ADDRESS_FAMILIES, network.family
    # A shared first gate, so that no later reading ever meets a long or a non-ASCII text.
    if len(address) > ADDRESS_CHARACTERS_MAX or not (address.isascii() and address.isalnum()):
        raise invalid("ASCII letters and digits only, and not so many")
    if network.family == "evm":
        canonical = check_evm_address(address, forbidden)
    else:
        canonical = _RULES[network.family](address)
        if canonical in forbidden:
            raise forbidden_address("an address of this service, or a contract")
    _check_memo(network, memo)
    return canonical


def _check_memo(network: Network, memo: str) -> None:
    if not memo:
        return
    if not network.uses_memo:
        raise memo_invalid("this network carries no memo")
    if len(memo) > MEMO_CHARACTERS_MAX or not (memo.isascii() and memo.isprintable()):
        raise memo_invalid(f"at most {MEMO_CHARACTERS_MAX} printable ASCII characters")
    if network.family == "ripple":
        check_destination_tag(memo)
