"""createWithdraw and createNormalWithdraw: from the signed body to a command of the engine."""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from penstock.core.amounts import parse_amount
from penstock.core.catalogue import Catalogue
from penstock.core.commands import FeeRule, Withdraw
from penstock.core.refusals import Refused
from penstock.core.time import DAY_MS
from penstock.core.views import KeyView
from penstock.venues.edgex import errors, l2, stark
from penstock.venues.edgex.auth import VENUE
from penstock.venues.edgex.coins import ServedCoin, ServedCoins
from penstock.venues.edgex.errors import Rejected
from penstock.venues.edgex.messages import Form, is_client_id, read_long
from penstock.venues.venue import CheckAddress

WALLETS = ("spot",)
EXPIRES_AFTER_MS = DAY_MS
"""A layer 2 signature must be good for at least this long."""
EXPIRES_MS_BOUND = (l2.EXPIRATION_HOURS_MAX + 1) * l2.HOUR_MS
ADDRESSES_KEPT = 8_192

_TOKEN = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)


class Echo(msgspec.Struct, frozen=True, array_like=True):
    """What a record shows again just as it was sent, and the engine has no place for.

    risk_signature: 128 hex digits or "". expire_ms: Unix milliseconds. Kept as JSON with the withdrawal; a field may
    only be added at the end, with a default.
    """

    coin_id: str
    eth_address: str
    erc20_address: str
    risk_signature: str
    expire_ms: int
    l2_signature: str
    extra_type: str = ""
    extra_data: str = ""


class Creation(msgspec.Struct, frozen=True):
    """A withdrawal as it is asked for. expired: why a new one is refused, None where nothing is against it.

    A repeat gets its first answer all the same: when a signature ends must not decide about what was accepted before.
    """

    command: Withdraw
    expired: Rejected | None


class CreateReader:
    """Reads both calls. What depends on the state of things is left to the engine."""

    def __init__(self, catalogue: Catalogue, coins: ServedCoins, check_address: CheckAddress) -> None:
        self._coins = coins

        # Only passed addresses are kept: an exception is never cached.
        @lru_cache(maxsize=ADDRESSES_KEPT)
        def canonical(network: str, address: str) -> str:
            return check_address(catalogue.networks[network], address, "")

        self._canonical = canonical

    def read(self, form: Form, key: KeyView, now_ms: int) -> Creation:
        """Raises Rejected or Refused, the first that applies, in the order of `docs/venues/edgex.md`."""
        coin = self._coins.resolve(form.coin_id)
        quanta = _quanta(form, coin)
        # An empty address means the account's own one.
        eth_address = form.eth_address or key.passphrase
        paid = self._paid_address(coin, eth_address)
        erc20_address = _token_address(form, coin)
        nonce = _nonce(form)
        expire_ms = _expire_ms(form)
        expired = None
        if expire_ms < now_ms + EXPIRES_AFTER_MS:
            expired = Rejected(_expiry_error(form), form.expire_time)
        message = l2.WithdrawalMessage(
            asset_id=coin.coin.stark_asset_id,
            eth_address=int(paid, 16),
            position_id=int(key.key_id),
            nonce=nonce,
            amount=quanta,
            expire_ms=expire_ms,
        )
        try:
            risk_signature = _risk_signature(form)
            l2_signature = _l2_signature(form, key, message)
        except Rejected as rejected:
            raise (expired or rejected) from None
        echo = Echo(
            coin_id=form.coin_id,
            eth_address=eth_address,
            erc20_address=erc20_address,
            risk_signature=risk_signature,
            expire_ms=expire_ms,
            l2_signature=l2_signature,
            extra_type=form.extra_type,
            extra_data=form.extra_data,
        )
        return Creation(_command(form, key, coin, message, paid, echo), expired)

    def _paid_address(self, coin: ServedCoin, text: str) -> str:
        try:
            return self._canonical(coin.coin.network, text)
        except Refused:
            raise Rejected(errors.ETH_ADDRESS, text) from None


def _command(
    form: Form, key: KeyView, coin: ServedCoin, message: l2.WithdrawalMessage, paid: str, echo: Echo
) -> Withdraw:
    amount = coin.units(message.amount)
    # Both addresses mean the same in any case of their letters, and so do "10" and "10.000000".
    business = {
        "amount": amount,
        "coinId": form.coin_id,
        "erc20Address": echo.erc20_address.lower(),
        "ethAddress": paid.lower(),
    }
    return Withdraw(
        account_id=key.account_id,
        key_id=key.key_id,
        venue=VENUE,
        request_id=form.client_id,
        business=msgspec.json.encode(business).decode(),
        asset=coin.coin.asset,
        network=coin.coin.network,
        wallets=WALLETS,
        amount=amount,
        address=paid,
        memo="",
        fee_rule=FeeRule.NONE,
        any_address=True,
        exclusive=str(message.nonce),
        extra=msgspec.json.encode(echo).decode(),
    )


def _quanta(form: Form, coin: ServedCoin) -> int:
    try:
        quanta = parse_amount(form.amount, coin.coin.decimals)
    except Refused:
        raise Rejected(errors.AMOUNT, form.amount) from None
    if not 0 < quanta < l2.AMOUNT_BOUND:
        raise Rejected(errors.AMOUNT, form.amount)
    return quanta


def _token_address(form: Form, coin: ServedCoin) -> str:
    """The layer 2 message says nothing about the token, so that it is compared here."""
    text = form.erc20_address
    if text is None:
        return coin.contract
    if _TOKEN.fullmatch(text) is None or text.lower() != coin.contract.lower():
        raise Rejected(errors.ERC20_ADDRESS, text)
    return text


def _nonce(form: Form) -> int:
    if not is_client_id(form.client_id):
        raise Rejected(errors.CLIENT_WITHDRAW_ID, form.client_id)
    nonce = l2.nonce_of(form.client_id)
    if form.l2_nonce is not None and form.l2_nonce != str(nonce):
        raise Rejected(errors.L2_NONCE, form.l2_nonce)
    return nonce


def _expire_ms(form: Form) -> int:
    expire_ms = read_long(form.expire_time)
    if expire_ms is None or expire_ms >= EXPIRES_MS_BOUND:
        raise Rejected(_expiry_error(form), form.expire_time)
    return expire_ms


def _expiry_error(form: Form) -> errors.WireError:
    return errors.EXPIRE_TIME if form.expire_field == "expireTime" else errors.L2_EXPIRE_TIME


def _risk_signature(form: Form) -> str:
    """Its shape is all that is asked for: what it signs is known inside the venue only."""
    if form.risk_signature is None:
        return ""
    signature = stark.read_signature(form.risk_signature)
    if signature is None:
        raise Rejected(errors.RISK_SIGNATURE)
    return signature.text


def _l2_signature(form: Form, key: KeyView, message: l2.WithdrawalMessage) -> str:
    signature = stark.read_signature(form.l2_signature)
    public_key = stark.read_public_key(key.secret)
    if signature is None or public_key is None or not stark.verifies(public_key, message.digest(), signature):
        raise Rejected(errors.L2_SIGNATURE)
    return signature.text
