"""The exchange endpoints: a price that holds for a minute; one currency turned into another at it, or at the newest.

Source: AlphaPo docs, "Exchange". Exchanging is free of charge here.
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial

import msgspec

from penstock.core.amounts import SCALE_MAX, Units, format_units, parse_amount
from penstock.core.commands import Exchange
from penstock.core.ids import AccountId
from penstock.core.rates import Conversion, Given, Rate, Rates
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, KeyView
from penstock.venues.alphapo import errors
from penstock.venues.alphapo.auth import VENUE
from penstock.venues.alphapo.currencies import Currency, CurrencyCodes
from penstock.venues.alphapo.echo import Echo
from penstock.venues.alphapo.messages import Amount, Form, read_body
from penstock.venues.alphapo.money import money, price
from penstock.venues.alphapo.records import CREATED_PROCESSING, EXCHANGE
from penstock.venues.alphapo.replies import CREATED, Calculation, Exchanged, enveloped
from penstock.venues.alphapo.withdrawals import WALLETS
from penstock.venues.venue import Ask, Reply, Request

FIX_PERIOD_S = 60
"""How long a calculated price holds."""
FIX_PERIOD_MS = FIX_PERIOD_S * 1_000
PRICES_KEPT = 20_000


class Deal(msgspec.Struct, frozen=True):
    """What is to be exchanged. amount: in the units of the side that `given` names."""

    sender: Currency
    receiver: Currency
    rate: Rate
    given: Given
    amount: Units

    @property
    def sent(self) -> Units:
        if self.given is Given.DEBITED:
            return self.amount
        return self.rate.debited(self.amount, self.sender.scale, self.receiver.scale)

    @property
    def received(self) -> Units:
        if self.given is Given.RECEIVED:
            return self.amount
        return self.rate.received(self.amount, self.sender.scale, self.receiver.scale)


class ShownPrices:
    """The rates behind the prices that accounts were shown in the last minute: PRICES_KEPT at most, the newest.

    Safe from several threads without a lock: every call is one step on the mapping, or harmless when interleaved.
    """

    def __init__(self) -> None:
        self._shown: OrderedDict[tuple[int, str, str, Units], tuple[UnixMs, Rate]] = OrderedDict()

    def keep(self, account_id: AccountId, rate: Rate, now_ms: UnixMs) -> None:
        key = (account_id, rate.source, rate.target, _price_units(price(rate)))
        self._shown.pop(key, None)
        self._shown[key] = (now_ms, rate)
        while len(self._shown) > PRICES_KEPT:
            self._shown.popitem(last=False)

    def find(self, account_id: AccountId, source: str, target: str, at: Units, now_ms: UnixMs) -> Rate | None:
        """The rate that was shown as the price `at`, while it holds."""
        shown_ms, rate = self._shown.get((account_id, source, target, at), (None, None))
        held = shown_ms is not None and abs(now_ms - shown_ms) <= FIX_PERIOD_MS
        return rate if held else None


class Exchanges:
    """Endpoints by method; each takes (request, key). Raises errors.Invalid and errors.Rejected."""

    def __init__(self, rates: Rates, codes: CurrencyCodes) -> None:
        self._rates = rates
        self._codes = codes
        self._prices = ShownPrices()

    def calculate(self, request: Request, key: KeyView) -> Reply:
        """Answered from memory, nothing is asked of anybody."""
        form = Form(read_body(request.body))
        deal = self._deal(form, request.now_ms)
        form.check()
        assert deal is not None
        self._prices.keep(key.account_id, deal.rate, request.now_ms)
        fixed_s = request.now_ms // 1_000
        return enveloped(
            Calculation(
                sender_currency=deal.sender.code,
                sender_amount=money(deal.sent, deal.sender.scale),
                receiver_currency=deal.receiver.code,
                receiver_amount=money(deal.received, deal.receiver.scale),
                fee_currency=deal.sender.code,
                fee_amount=money(0, deal.sender.scale),
                price=price(deal.rate),
                ts_fixed=fixed_s,
                ts_release=fixed_s + FIX_PERIOD_S,
                fix_period=FIX_PERIOD_S,
            )
        )

    def now(self, request: Request, key: KeyView) -> Ask:
        """At the rate of the moment."""
        form = Form(read_body(request.body))
        foreign_id = form.text_or_integer("foreign_id", required=True)
        deal = self._deal(form, request.now_ms)
        form.check()
        assert deal is not None
        return self._ask(key, foreign_id, deal)

    def fixed(self, request: Request, key: KeyView) -> Ask:
        """At a price that exchange/calculate has shown this account in the last minute, or shows now."""
        form = Form(read_body(request.body))
        foreign_id = form.text_or_integer("foreign_id", required=True)
        asked = form.amount("price")
        if not form.has("price"):
            form.fault("price", errors.REQUIRED)
        deal = self._deal(form, request.now_ms, key.account_id, asked)
        form.check()
        assert deal is not None
        return self._ask(key, foreign_id, deal)

    def _ask(self, key: KeyView, foreign_id: str, deal: Deal) -> Ask:
        echo = Echo(deal.sender.code, deal.receiver.code, (deal.sender.scale, deal.receiver.scale))
        command = Exchange(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            request_id=foreign_id,
            business=_business(deal),
            wallets=WALLETS,
            amount=deal.amount,
            conversion=Conversion(deal.rate, deal.given),
            repeatable=False,
            numbered=True,
            notify=False,
            extra=echo.encoded(),
        )
        return Ask(command, partial(_write_exchanged, foreign_id, deal))

    def _deal(
        self,
        form: Form,
        now_ms: UnixMs,
        account_id: AccountId | None = None,
        asked: Amount | None = None,
    ) -> Deal | None:
        """None, with a fault noted, where there is no deal. asked: the price it must be at, None for the newest."""
        sender = self._currency(form, "sender_currency")
        receiver = self._currency(form, "receiver_currency")
        field, amount = form.one_amount("sender_amount", "receiver_amount")
        if sender is None or receiver is None or amount is None:
            return None
        rate = self._newest(sender, receiver, now_ms)
        if asked is not None:
            assert account_id is not None
            shown = None
            if asked.units is not None:
                shown = self._prices.find(account_id, sender.asset, receiver.asset, asked.units, now_ms)
            if shown is None and rate is not None and asked.units != _price_units(price(rate)):
                form.fault("price", errors.SELECTED_INVALID)
                return None
            rate = shown or rate
        if rate is None:
            form.fault("receiver_currency", errors.NO_EXCHANGE)
            return None
        return _deal(form, field, amount, sender, receiver, rate)

    def _currency(self, form: Form, field: str) -> Currency | None:
        code = form.text(field, required=True)
        found = self._codes.find(code) if code else None
        if code and found is None:
            form.fault(field, errors.SELECTED_INVALID)
        return found

    def _newest(self, sender: Currency, receiver: Currency, now_ms: UnixMs) -> Rate | None:
        """None for a pair that is not exchanged, and for a rate older than a price may become."""
        if sender.asset == receiver.asset:
            return None
        rate = self._rates.rate(sender.asset, receiver.asset, now_ms)
        return rate if rate is not None and now_ms - rate.at_ms <= FIX_PERIOD_MS else None


def _deal(
    form: Form, field: str, amount: Amount, sender: Currency, receiver: Currency, rate: Rate
) -> Deal | None:
    given = Given.DEBITED if field == "sender_amount" else Given.RECEIVED
    side = sender if given is Given.DEBITED else receiver
    units = amount.at(side.scale)
    if units is None:
        form.fault(field, errors.TOO_PRECISE, precision=side.scale)
        return None
    least = rate.debited(1, sender.scale, receiver.scale) if given is Given.DEBITED else 1
    if units < least:
        form.fault(field, errors.TOO_SMALL, minimum=format_units(least, side.scale))
        return None
    return Deal(sender, receiver, rate, given, units)


def _business(deal: Deal) -> str:
    return msgspec.json.encode(
        {
            deal.given.value: str(deal.amount),
            "receiver_currency": deal.receiver.code,
            "sender_currency": deal.sender.code,
        },
        order="sorted",
    ).decode()


def _price_units(text: str) -> Units:
    return parse_amount(text, SCALE_MAX)


def _write_exchanged(foreign_id: str, deal: Deal, accepted: Accepted) -> Reply:
    return enveloped(
        Exchanged(
            id=accepted.number,
            foreign_id=foreign_id,
            type=EXCHANGE,
            sender_amount=money(accepted.amount - accepted.fee, deal.sender.scale),
            sender_currency=deal.sender.code,
            receiver_amount=money(accepted.net, deal.receiver.scale),
            receiver_currency=deal.receiver.code,
            fee_amount=money(0, deal.sender.scale),
            fee_currency=deal.sender.code,
            price=price(deal.rate),
            status=CREATED_PROCESSING,
        ),
        CREATED,
    )
