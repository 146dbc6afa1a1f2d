"""POST /account/v1/withdraw/apply: from the signed body to a command of the engine."""

from __future__ import annotations

from functools import lru_cache

from penstock.core.amounts import SCALE_MAX, Units, rescale
from penstock.core.catalogue import Catalogue, Listing
from penstock.core.commands import Transfer, Withdraw
from penstock.core.limits import check_amount, check_channel
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import KeyView
from penstock.venues.bitmart.auth import VENUE
from penstock.venues.bitmart.currencies import CurrencyNames
from penstock.venues.bitmart.messages import ToAccount, ToAddress, read_apply
from penstock.venues.venue import CheckAddress

ADDRESSES_KEPT = 8_192


class ApplyReader:
    """Reads withdraw/apply.

    What depends on the state of things is left to the engine, which first asks whether it has accepted this
    very request before: a repeat must get its first answer even if the rules have changed since.
    """

    def __init__(self, catalogue: Catalogue, names: CurrencyNames, check_address: CheckAddress) -> None:
        self._catalogue = catalogue
        self._names = names

        # An EIP-55 check costs more than all the rest here, and most withdrawals go where others went before.
        # Only passed addresses are kept: an exception is never cached.
        @lru_cache(maxsize=ADDRESSES_KEPT)
        def canonical(network: str, address: str, memo: str) -> str:
            return check_address(catalogue.networks[network], address, memo)

        self._canonical = canonical

    def read(self, body: bytes, key: KeyView, request_id: str) -> Withdraw | Transfer:
        """Raises errors.Rejected or Refused; then the request can not have been accepted before either."""
        form = read_apply(body)
        if isinstance(form, ToAddress):
            return self._withdraw(form, key, request_id)
        return self._transfer(form, key, request_id)

    def _withdraw(self, form: ToAddress, key: KeyView, request_id: str) -> Withdraw:
        asset, network = self._names.resolve(form.currency)
        listing = self._catalogue.listing(asset, network)
        amount = self._amount(form, listing)
        try:
            address = self._canonical(network, form.address, form.memo)
        except Refused:
            # The documented order names what is wrong with the amount before the address.
            check_channel(listing)
            check_amount(listing, self._catalogue.scale(asset), amount)
            raise
        return Withdraw(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            request_id=request_id,
            business="",
            asset=asset,
            network=network,
            wallets=form.wallets,
            amount=amount,
            address=address,
            memo=form.memo,
            remark=form.remark,
        )

    def _amount(self, form: ToAddress, listing: Listing) -> Units:
        scale = self._catalogue.scale(listing.asset)
        amount = _at_scale(form.amount, scale)
        if amount is None:
            check_channel(listing)
            raise Refused(RefusalCode.AMOUNT_PRECISION, precision=listing.precision)
        return amount

    def _transfer(self, form: ToAccount, key: KeyView, request_id: str) -> Transfer:
        asset, network = self._names.resolve_asset(form.currency)
        scale = self._catalogue.scale(asset)
        amount = _at_scale(form.amount, scale)
        if amount is None:
            raise Refused(RefusalCode.AMOUNT_PRECISION, precision=scale)
        return Transfer(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            request_id=request_id,
            business="",
            asset=asset,
            network=network,
            wallets=form.wallets,
            amount=amount,
            recipient_kind=form.kind,
            recipient=form.recipient,
            remark=form.remark,
        )


def _at_scale(amount: Units | None, scale: int) -> Units | None:
    """An amount at SCALE_MAX decimals in the asset's own units; None where the asset cannot express it."""
    if amount is None or amount % 10 ** (SCALE_MAX - scale):
        return None
    return rescale(amount, SCALE_MAX, scale)
