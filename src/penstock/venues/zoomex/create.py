"""POST withdraw/create and withdraw/inner-create: from the parameters to a command of the engine.

One requestId stands for one withdrawal of the account for ever, whichever of the two calls used it.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from penstock.core.amounts import Units, format_units
from penstock.core.catalogue import Catalogue, Listing
from penstock.core.commands import FeeRule, RecipientKind, Transfer, Withdraw
from penstock.core.limits import check_amount, check_channel
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import KeyView
from penstock.venues.venue import CheckAddress
from penstock.venues.zoomex.auth import VENUE
from penstock.venues.zoomex.chains import Chains
from penstock.venues.zoomex.errors import TAG_UNWANTED, Rejected, bad_parameter
from penstock.venues.zoomex.messages import Parameters

ADDRESSES_KEPT = 8_192
WALLET = "fund"
"""What a withdrawal debits and where one from another account arrives (assumed)."""

KINDS: dict[int, RecipientKind] = {
    1: RecipientKind.EMAIL,
    2: RecipientKind.PHONE,
    3: RecipientKind.ACCOUNT_NUMBER,
}
"""`addressType`."""

_RECIPIENTS: dict[RecipientKind, re.Pattern[str]] = {
    RecipientKind.ACCOUNT_NUMBER: re.compile(r"[1-9][0-9]{0,18}"),
    # Printable ASCII around one "@"; "&" and "=" are kept out of what style P signs.
    RecipientKind.EMAIL: re.compile(r"[!-%'-<>?A-~]{1,64}@[!-%'-<>?A-~]{1,190}"),
    RecipientKind.PHONE: re.compile(r"[0-9]{4,15}"),
}

# What it is given has its names in order already.
_encode = msgspec.json.Encoder().encode


class CreateReader:
    """Reads the two calls.

    What depends on the state of things is left to the engine, which first asks whether it has accepted this requestId
    before: a repeat must get its first answer even if the rules have changed since.
    """

    def __init__(self, catalogue: Catalogue, chains: Chains, check_address: CheckAddress) -> None:
        self._catalogue = catalogue
        self._chains = chains

        # An EIP-55 check costs more than all the rest here, and most withdrawals go where others went before.
        # Only passed addresses are kept: an exception is never cached.
        @lru_cache(maxsize=ADDRESSES_KEPT)
        def canonical(network: str, address: str, tag: str) -> str:
            return check_address(catalogue.networks[network], address, tag)

        self._canonical = canonical

    def to_address(self, parameters: Parameters, key: KeyView) -> Withdraw:
        """Raises errors.Rejected or Refused; then the request can not have been accepted before either."""
        request_id = parameters.required("requestId")
        coin, chain = parameters.required("coin"), parameters.required("chain")
        address, tag = parameters.required("address"), parameters.text("tag")
        listing = self._chains.listing(coin, chain)
        scale = self._catalogue.scale(listing.asset)
        amount = _amount_on(listing, parameters, scale)
        canonical = self._address(listing, address, tag, amount)
        business = {
            "address": canonical,
            "amount": format_units(amount, scale),
            "call": "withdraw/create",
            "chain": chain,
            "coin": coin,
            "tag": tag,
        }
        return Withdraw(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            request_id=request_id,
            business=_encode(business).decode(),
            asset=listing.asset,
            network=listing.network,
            wallets=(WALLET,),
            amount=amount,
            address=canonical,
            memo=tag,
            fee_rule=FeeRule.ON_TOP,
        )

    def _address(self, listing: Listing, address: str, tag: str, amount: Units) -> str:
        try:
            return self._canonical(listing.network, address, tag)
        except Refused as refused:
            # The order of the checks names what is wrong with the amount before the address and its tag.
            check_channel(listing)
            check_amount(listing, self._catalogue.scale(listing.asset), amount, fee_inside=False)
            takes_tags = self._catalogue.networks[listing.network].uses_memo
            if refused.code is RefusalCode.MEMO_INVALID and not takes_tags:
                raise Rejected(TAG_UNWANTED) from None
            raise

    def to_account(self, parameters: Parameters, key: KeyView) -> Transfer:
        """As `to_address`."""
        request_id = parameters.required("requestId")
        coin = parameters.required("coin")
        kind = KINDS.get(parameters.integer("addressType") or 0)
        if kind is None:
            raise bad_parameter("addressType")
        # Its form holds even where it is not used, so that what is signed can be read in one way.
        area_code = parameters.integer("areaCode")
        address, remark = parameters.required("address"), parameters.text("remark")
        if _RECIPIENTS[kind].fullmatch(address) is None:
            raise bad_parameter("address")
        if kind is not RecipientKind.PHONE:
            area_code = None
        elif area_code is None:
            raise bad_parameter("areaCode")
        if coin not in self._catalogue.assets:
            raise Refused(RefusalCode.CURRENCY_UNKNOWN, currency=coin)
        scale = self._catalogue.scale(coin)
        amount = parameters.amount(scale)
        business = {
            "address": address,
            "addressType": kind.value,
            "amount": format_units(amount, scale),
            "areaCode": area_code,
            "call": "withdraw/inner-create",
            "coin": coin,
            "remark": remark,
        }
        return Transfer(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            request_id=request_id,
            business=_encode(business).decode(),
            asset=coin,
            network="",
            wallets=(WALLET,),
            amount=amount,
            recipient_kind=kind,
            recipient=address if area_code is None else f"+{area_code} {address}",
            remark=remark,
            in_book=True,
            recipient_wallet=WALLET,
        )


def _amount_on(listing: Listing, parameters: Parameters, scale: int) -> Units:
    try:
        return parameters.amount(scale)
    except Refused as refused:
        if refused.code is not RefusalCode.AMOUNT_PRECISION:
            raise
        check_channel(listing)
        raise Refused(RefusalCode.AMOUNT_PRECISION, precision=listing.precision) from None
