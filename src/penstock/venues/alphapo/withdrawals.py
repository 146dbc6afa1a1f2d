"""POST /withdrawal/crypto: from the signed body to a command of the engine.

Source: AlphaPo docs, "Withdraw crypto"; the sister platform's page on user data. What depends on the state of things
(is the foreign_id taken, does the money suffice) is left to the engine; what does not is judged here, all fields at
once.
"""

from __future__ import annotations

from functools import lru_cache, partial
from math import lcm

import msgspec

from penstock.core.amounts import Units, format_units
from penstock.core.catalogue import Listing
from penstock.core.commands import FeeRule, Withdraw
from penstock.core.limits import check_amount, check_channel
from penstock.core.rates import Conversion, Given, Rate
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView
from penstock.venues.alphapo import errors
from penstock.venues.alphapo.auth import VENUE
from penstock.venues.alphapo.currencies import Currency, CurrencyCodes
from penstock.venues.alphapo.echo import TRAVEL_DATA, TRAVEL_NAMES, TRAVEL_TYPES, Echo
from penstock.venues.alphapo.errors import FieldError, said_of
from penstock.venues.alphapo.messages import Amount, Form, read_body
from penstock.venues.alphapo.records import created
from penstock.venues.alphapo.replies import CREATED, enveloped
from penstock.venues.venue import Ask, Reply, Request, World

WALLETS = ("spot",)
"""The venue has one balance for each currency."""
ADDRESSES_KEPT = 8_192

_encode_business = msgspec.json.Encoder(order="sorted").encode


class Parties(msgspec.Struct, frozen=True):
    """What leaves the balance and what is paid out."""

    sender: Currency
    receiver: Currency
    listing: Listing

    @property
    def exchanged(self) -> bool:
        """Whether a rate stands between them. Two codes of one asset share a balance: there is nothing to exchange."""
        return self.sender.asset != self.receiver.asset


class WithdrawalReader:
    """Reads withdrawal/crypto. reference_required: a request without end_user_reference is refused."""

    def __init__(self, world: World, codes: CurrencyCodes, *, reference_required: bool) -> None:
        self._codes = codes
        self._rates = world.rates
        self._reference_required = reference_required
        networks = world.catalogue.networks

        # An EIP-55 check costs more than all the rest here, and most withdrawals go where others went before.
        # Only passed addresses are kept: an exception is never cached.
        @lru_cache(maxsize=ADDRESSES_KEPT)
        def canonical(network: str, address: str, memo: str) -> str:
            return world.check_address(networks[network], address, memo)

        self._canonical = canonical

    def read(self, request: Request, key: KeyView) -> Ask:
        """Raises errors.Invalid with every field that is wrong, or errors.Rejected."""
        form = Form(read_body(request.body))
        parties = self._parties(form)
        foreign_id = form.text_or_integer("foreign_id", required=True)
        reference = form.text("end_user_reference", required=self._reference_required)
        address = form.text("address", required=True)
        tag = form.text_or_integer("tag")
        given, amount = self._amount(form)
        types = {name: form.one_of(name, choices) for name, choices in TRAVEL_TYPES.items()}
        persons = {name: form.texts(name, TRAVEL_NAMES) for name in TRAVEL_DATA}
        rate = None
        if parties is not None:
            address = self._address(form, parties, address, tag)
            rate = self._rate(form, parties, request.now_ms)
            if amount is not None:
                _check_worth(form, parties, given, amount, rate)
        form.check()
        assert parties is not None
        assert amount is not None
        echo = Echo(
            sender=parties.sender.code,
            receiver=parties.receiver.code,
            scales=(parties.sender.scale, parties.receiver.scale),
            converted=parties.sender.code != parties.receiver.code,
            reference=reference,
            types={name: value for name, value in types.items() if value},
            persons={name: value for name, value in persons.items() if value},
        )
        side = parties.sender if given == "amount" else parties.receiver
        units = amount.at(side.scale)
        assert units is not None
        direction = Given.DEBITED if given == "amount" else Given.RECEIVED
        command = Withdraw(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            request_id=foreign_id,
            business=_business(echo, given, units, address, tag),
            asset=parties.receiver.asset,
            network=parties.listing.network,
            wallets=WALLETS,
            amount=units,
            address=address,
            memo=tag,
            fee_rule=FeeRule.ON_TOP,
            any_address=True,
            repeatable=False,
            numbered=True,
            notify=True,
            extra=echo.encoded(),
            conversion=None if rate is None else Conversion(rate, direction),
        )
        return Ask(command, partial(_write_created, foreign_id, echo))

    def _parties(self, form: Form) -> Parties | None:
        """None, with a fault noted, where one of the currencies is not usable here."""
        code = form.text("currency", required=True)
        target_code = form.text("convert_to")
        sender = self._codes.find(code) if code else None
        if code and sender is None:
            form.fault("currency", errors.SELECTED_INVALID)
        receiver = self._codes.find(target_code) if target_code else sender
        if receiver is not None and receiver.listing is not None and sender is not None:
            return Parties(sender, receiver, receiver.listing)
        if target_code and (receiver is None or receiver.listing is None):
            form.fault("convert_to", errors.SELECTED_INVALID)
        elif sender is not None:
            # Money on no chain can be debited, but something else has to be paid out.
            form.fault("currency", errors.SELECTED_INVALID)
        return None

    def _amount(self, form: Form) -> tuple[str, Amount | None]:
        given, amount = form.one_amount("amount", "amount_to")
        if given == "amount_to" and not form.has("convert_to"):
            form.fault("convert_to", errors.REQUIRED_WITH, other="amount_to")
        return given, amount

    def _address(self, form: Form, parties: Parties, address: str, tag: str) -> str:
        """The canonical address; what is wrong with it or the tag is noted."""
        if not address:
            return ""
        try:
            return self._canonical(parties.listing.network, address, tag)
        except Refused as refused:
            _note(form, refused, "tag" if refused.code is RefusalCode.MEMO_INVALID else "address")
            return ""

    def _rate(self, form: Form, parties: Parties, now_ms: UnixMs) -> Rate | None:
        """The rate to exchange at, None where there is nothing to exchange or (noted) no rate."""
        if not parties.exchanged:
            return None
        rate = self._rates.rate(parties.sender.asset, parties.receiver.asset, now_ms)
        if rate is None:
            form.fault("convert_to", errors.NO_EXCHANGE)
        return rate


def _check_worth(form: Form, parties: Parties, given: str, amount: Amount, rate: Rate | None) -> None:
    """Hold the amount against what the listing allows, as the engine will, but in the words of the field given."""
    listing, sender, receiver = parties.listing, parties.sender, parties.receiver
    try:
        check_channel(listing)
    except Refused as refused:
        _note(form, refused, "currency" if sender.code == receiver.code else "convert_to")
        return
    side = sender if given == "amount" else receiver
    units = amount.at(side.scale)
    if units is None:
        precision = listing.precision if not parties.exchanged or side is receiver else side.scale
        form.fault(given, errors.TOO_PRECISE, precision=precision)
        return
    if parties.exchanged and side is sender:
        if rate is not None:
            _check_debit(form, parties, units, rate)
        return
    try:
        check_amount(listing, side.scale, units, fee_inside=False)
    except Refused as refused:
        if refused.code is RefusalCode.AMOUNT_NOT_POSITIVE:
            _too_small(form, given, _least(listing, side.scale), side.scale)
        else:
            _note(form, refused, given)


def _check_debit(form: Form, parties: Parties, units: Units, rate: Rate) -> None:
    """What is debited must buy at least the minimum, and no more than the maximum, of what is paid out."""
    listing, sender, receiver = parties.listing, parties.sender, parties.receiver
    least = rate.debited(_least(listing, receiver.scale), sender.scale, receiver.scale)
    if units < least:
        _too_small(form, "amount", least, sender.scale)
    elif listing.maximum is not None:
        net = rate.received(units, sender.scale, receiver.scale)
        if net - net % _step(listing, receiver.scale) > listing.maximum:
            most = rate.debited(listing.maximum, sender.scale, receiver.scale)
            form.fault("amount", errors.TOO_LARGE_AMOUNT, maximum=format_units(most, sender.scale))


def _step(listing: Listing, scale: int) -> int:
    """What is paid out is a multiple of this, in the asset's ledger units."""
    return lcm(10 ** (scale - listing.precision), listing.multiple or 1)


def _least(listing: Listing, scale: int) -> Units:
    """The smallest amount that may be paid out: the minimum in whole steps, and something in any case."""
    step = _step(listing, scale)
    return Units(max(-(-listing.minimum // step), 1) * step)


def _too_small(form: Form, field: str, least: int, scale: int) -> None:
    form.fault(field, errors.TOO_SMALL, minimum=format_units(least, scale))


def _note(form: Form, refused: Refused, field: str) -> None:
    told = errors.REFUSALS[refused.code]
    assert isinstance(told, FieldError), refused.code
    form.faults.setdefault(field, said_of(told, refused, field))


def _business(echo: Echo, given: str, units: Units, address: str, tag: str) -> str:
    """The fields that make the request what it is, canonically."""
    return _encode_business(
        {
            "address": address,
            "convert_to": echo.receiver,
            "currency": echo.sender,
            "end_user_reference": echo.reference,
            given: str(units),
            "tag": tag,
        }
    ).decode()


def _write_created(foreign_id: str, echo: Echo, accepted: Accepted) -> Reply:
    return enveloped(created(accepted, foreign_id, echo), CREATED)
