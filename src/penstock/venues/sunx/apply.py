"""POST withdraw/apply: from the request to a quote that holds nothing and waits for the wallet's signature."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

from penstock.core.amounts import Units, format_units, parse_amount
from penstock.core.catalogue import Catalogue, Listing
from penstock.core.commands import FeeRule, Withdraw
from penstock.core.limits import check_amount
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView
from penstock.venues.sunx.auth import VENUE
from penstock.venues.sunx.content import Content
from penstock.venues.sunx.currencies import CurrencyNames
from penstock.venues.sunx.errors import FEE_WRONG, Rejected
from penstock.venues.sunx.messages import Apply, read_apply
from penstock.venues.sunx.quotes import CHALLENGE_MS, Quoted, Quotes
from penstock.venues.sunx.replies import WALLET, Envelopes, Quote
from penstock.venues.sunx.wallet import digest
from penstock.venues.venue import Ask, CheckAddress, Reply

ADDRESSES_KEPT = 8_192


class ApplyReader:
    """Reads withdraw/apply and writes its answer.

    What depends on the state of things (whose address it is, the limits, the balance) is left to the engine, which
    looks at all of it once more when the quote is confirmed.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        names: CurrencyNames,
        check_address: CheckAddress,
        new_trace: Callable[[], str],
        now_ms: Callable[[], UnixMs],
        envelopes: Envelopes,
        quotes: Quotes,
    ) -> None:
        """quotes: gets to know what is quoted here."""
        self._catalogue = catalogue
        self._quotes = quotes
        self._names = names
        self._new_trace = new_trace
        self._now_ms = now_ms
        self._envelopes = envelopes

        # An account pays its own wallet again and again. Only passed addresses are kept: an exception is never cached.
        @lru_cache(maxsize=ADDRESSES_KEPT)
        def canonical(network: str, address: str) -> str:
            return check_address(catalogue.networks[network], address, "")

        self._canonical = canonical

    def read(self, body: bytes, key: KeyView) -> Ask:
        """Raises errors.Rejected or Refused."""
        form = read_apply(body)
        asset, network = self._names.resolve(form.currency, form.chain)
        listing = self._catalogue.listing(asset, network)
        address = self._canonical(network, form.address)
        amount = self._amount(form.amount, listing)
        self._check_fee(form.fee, amount, listing)
        content = self._content(form, listing)
        nonce = self._new_nonce()
        command = Withdraw(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            request_id=nonce,
            business="",
            asset=asset,
            network=network,
            wallets=(WALLET,),
            amount=amount,
            address=address,
            memo="",
            fee_rule=FeeRule.ON_TOP,
            numbered=True,
            extra=content.stored(),
            challenge_ms=CHALLENGE_MS,
        )
        return Ask(command, partial(self._write, content, command))

    def _new_nonce(self) -> str:
        """32 digits that nobody can guess. The time leads: quotes of one moment are then stored side by side, and the
        confirmations that follow find them on few pages.
        """
        digits = self._new_trace().replace("-", "").upper()
        return f"{self._now_ms():012X}{digits[12:]}"

    def _amount(self, text: str, listing: Listing) -> Units:
        if text.startswith("-"):
            raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
        amount = parse_amount(text, self._catalogue.scale(listing.asset))
        if amount == 0:
            raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
        return amount

    def _check_fee(self, text: str, amount: Units, listing: Listing) -> None:
        """Zero leaves the fee to us; anything else must be the one we charge."""
        scale = self._catalogue.scale(listing.asset)
        try:
            fee = None if text.startswith("-") else parse_amount(text, scale)
        except Refused:
            fee = None
        if fee not in (0, listing.fee):
            # The limits of the amount come before the fee in the order of the checks.
            check_amount(listing, scale, amount, fee_inside=False)
            raise Rejected(FEE_WRONG)

    def _content(self, form: Apply, listing: Listing) -> Content:
        """Everything as it was sent, but the fee, which is ours whatever was sent."""
        fee = format_units(listing.fee, self._catalogue.scale(listing.asset))
        return Content(form.address, form.currency, form.chain, form.amount, fee)

    def _write(self, content: Content, command: Withdraw, accepted: Accepted) -> Reply:
        nonce, text = command.request_id, content.text(command.request_id)
        scale = self._catalogue.scale(command.asset)
        said = (content.address, parse_amount(content.amount, scale), parse_amount(content.fee, scale))
        if said == (command.address, accepted.net, accepted.fee):
            quoted = Quoted(command.account_id, digest(text), command.address)
            self._quotes.keep(nonce, quoted, accepted.accepted_ms)
        return self._envelopes.ok(Quote(nonce, text, UnixMs(accepted.accepted_ms + CHALLENGE_MS)))
