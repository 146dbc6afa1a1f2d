"""The endpoints that only look: each reads its body or query into a core query and writes the answer.

Source: AlphaPo docs, "Endpoints"; docs/venues/alphapo.md says what is assumed.
"""

from __future__ import annotations

from functools import partial

import msgspec

from penstock.core.queries import Balances, DepositAddress, FindWithdrawals
from penstock.core.rates import Rate, Rates
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.core.views import BalanceView, DepositAddressView, KeyView, WithdrawalView
from penstock.venues.alphapo import errors
from penstock.venues.alphapo.auth import VENUE
from penstock.venues.alphapo.currencies import Currency, CurrencyCodes
from penstock.venues.alphapo.errors import Invalid, Rejected
from penstock.venues.alphapo.exchanges import FIX_PERIOD_MS
from penstock.venues.alphapo.messages import Form, read_body, read_query
from penstock.venues.alphapo.money import ID_MAX, money, price, small_id
from penstock.venues.alphapo.records import transaction
from penstock.venues.alphapo.replies import (
    CREATED,
    Account,
    CurrencyLine,
    Pair,
    PairSource,
    PairTarget,
    TakenAddress,
    bare,
    enveloped,
    invalid,
)
from penstock.venues.alphapo.withdrawals import WALLETS
from penstock.venues.venue import Ask, Reply, Request

NO_FEE = "0.000000"
SELECTORS = ("id", "foreign_id", "txid")
ONE_SELECTOR = "Exactly one of id, foreign id and txid is required."
NO_DEPOSIT_ADDRESS = "There is no deposit address for the {field}."


class LookUps:
    """Endpoints by method; each takes (request, key). Raises errors.Invalid and errors.Rejected."""

    def __init__(self, rates: Rates, codes: CurrencyCodes) -> None:
        self._rates = rates
        self._codes = codes
        self._currencies = [_currency_line(currency) for currency in codes.all]
        assert len({line.id for line in self._currencies}) == len(self._currencies), "two currencies, one id"

    # --- transactions --------------------------------------------------------------------------------------

    def transaction(self, request: Request, key: KeyView) -> Ask:
        """By a body or by the query; a body that names nothing counts as none."""
        form = Form(read_body(request.body))
        if not any(form.has(name) for name in SELECTORS):
            form = Form(read_query(request.query))
        given = [name for name in SELECTORS if form.has(name)]
        if len(given) != 1:
            raise Invalid({"id": ONE_SELECTOR})
        found = FindWithdrawals(key.account_id, 1, venue=VENUE)
        if given == ["id"]:
            number = form.number_id("id")
            form.check()
            if number is None or number > ID_MAX:
                raise Rejected(errors.NOT_FOUND)
            found = msgspec.structs.replace(found, numbers=(number,))
        elif given == ["foreign_id"]:
            foreign_id = form.text_or_integer("foreign_id")
            form.check()
            found = msgspec.structs.replace(found, request_ids=(foreign_id,), on_chain=True)
        else:
            tx_hash = form.text("txid")
            form.check()
            found = msgspec.structs.replace(found, tx_hash=tx_hash, on_chain=True)
        return Ask(found, _write_transaction)

    # --- balances and addresses ----------------------------------------------------------------------------

    def accounts(self, request: Request, key: KeyView) -> Ask:
        read_body(request.body)
        return Ask(Balances(key.account_id), self._write_accounts)

    def _write_accounts(self, rows: list[BalanceView]) -> Reply:
        """Every code of an asset shows the one balance that they share."""
        available = {row.asset: row.available for row in rows if row.wallet in WALLETS}
        accounts = [
            Account(currency.code, currency.type, money(available.get(currency.asset, 0), currency.scale))
            for currency in self._codes.all
        ]
        return enveloped(accounts)

    def take_address(self, request: Request, key: KeyView) -> Ask:
        form = Form(read_body(request.body))
        code = form.text("currency", required=True)
        target = form.text("convert_to")
        foreign_id = form.text_or_integer("foreign_id", required=True)
        reference = form.text("end_user_reference")
        currency = self._codes.find(code) if code else None
        if code and (currency is None or currency.listing is None):
            form.fault("currency", errors.SELECTED_INVALID)
        if target and self._codes.find(target) is None:
            form.fault("convert_to", errors.SELECTED_INVALID)
        form.check()
        assert currency is not None
        assert currency.listing is not None
        if not currency.listing.deposit_enabled:
            raise Refused(RefusalCode.DEPOSITS_CLOSED)
        question = DepositAddress(key.account_id, currency.asset, currency.listing.network)
        taken = TakenAddress(
            id=small_id(currency.listing.network),
            currency=code,
            convert_to=target or msgspec.UNSET,
            address="",
            tag=None,
            foreign_id=foreign_id,
            end_user_reference=reference or None,
        )
        return Ask(question, partial(_write_address, taken))

    # --- what there is -------------------------------------------------------------------------------------

    def currencies(self, request: Request, _key: KeyView) -> Reply:
        """`visible` false asks for currencies that are not offered: there are none to tell of."""
        form = Form(read_body(request.body))
        visible = form.flag("visible")
        form.check()
        return enveloped([] if visible is False else self._currencies)

    def pairs(self, request: Request, _key: KeyView) -> Reply:
        """Every pair that has a rate now, or those with the currencies asked for."""
        form = Form(read_body(request.body))
        wanted = [form.text(name) for name in ("currency_from", "currency_to")]
        for name, code in zip(("currency_from", "currency_to"), wanted, strict=True):
            if code and self._codes.find(code) is None:
                form.fault(name, errors.SELECTED_INVALID)
        form.check()
        return enveloped(self._pairs(wanted[0], wanted[1], request.now_ms))

    def _pairs(self, wanted_from: str, wanted_to: str, now_ms: UnixMs) -> list[Pair]:
        found: list[Pair] = []
        for source, target in self._rates.pairs():
            sources = [one for one in self._codes.of_asset(source) if wanted_from in {"", one.code}]
            targets = [one for one in self._codes.of_asset(target) if wanted_to in {"", one.code}]
            rate = self._rates.rate(source, target, now_ms) if sources and targets else None
            if rate is None or now_ms - rate.at_ms > FIX_PERIOD_MS:
                continue
            shown = price(rate)
            found += [_pair(one, other, rate, shown) for one in sources for other in targets]
        return found


def _write_transaction(found: list[WithdrawalView]) -> Reply:
    if not found:
        raise Refused(RefusalCode.WITHDRAWAL_UNKNOWN)
    return bare(transaction(found[0]))


def _write_address(taken: TakenAddress, view: DepositAddressView | None) -> Reply:
    if view is None:
        return invalid({"currency": errors.sentence(NO_DEPOSIT_ADDRESS, "currency")})
    tag: int | str | None = view.memo or None
    if tag is not None and view.memo.isascii() and view.memo.isdecimal() and str(int(view.memo)) == view.memo:
        tag = int(view.memo)
    return enveloped(msgspec.structs.replace(taken, address=view.address, tag=tag), CREATED)


def _currency_line(currency: Currency) -> CurrencyLine:
    listing = currency.listing
    return CurrencyLine(
        id=small_id(currency.code),
        type=currency.type,
        currency=currency.code,
        minimum_amount=money(0 if listing is None else listing.minimum, currency.scale),
        deposit_fee_percent=NO_FEE,
        withdrawal_fee_percent=NO_FEE,
        precision=currency.scale if listing is None else listing.precision,
    )


def _pair(source: Currency, target: Currency, rate: Rate, shown: str) -> Pair:
    """The least that can be exchanged is what buys one unit of the target."""
    least = money(rate.debited(1, source.scale, target.scale), source.scale)
    return Pair(
        currency_from=PairSource(
            currency=source.code,
            type=source.type,
            min_amount=least,
            min_amount_deposit_with_exchange=msgspec.UNSET if source.listing is None else least,
        ),
        currency_to=PairTarget(target.code, target.type),
        rate_from="1",
        rate_to=shown,
    )
