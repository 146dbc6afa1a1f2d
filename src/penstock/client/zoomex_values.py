"""Zoomex's replies as the client's values, its names for coins on chains, and what counts as the same withdrawal.

A coin on a chain goes by "<coin>-<chain>" here, such as USDT-TRX; the venue itself has two fields for it. ValueError
where a reply makes no sense.
"""

from __future__ import annotations

from decimal import Decimal

from penstock.client.amounts import EXACT, read_amount
from penstock.client.values import (
    Balance,
    Currency,
    DepositAddress,
    Fee,
    Payment,
    Status,
    Withdrawal,
)
from penstock.core.commands import RecipientKind
from penstock.venues.zoomex import client_replies as replies
from penstock.venues.zoomex.chains import CHAIN_NAMES

NAME = "zoomex"

_CHAINS = {
    name.upper(): chain
    for network, (chain, chain_name) in CHAIN_NAMES.items()
    for name in (network, chain_name, chain)
}

_STATUS = {
    "Pending Review": Status.ACCEPTED,
    "Pending Transfer": Status.PROCESSING,
    "Transferred successfully": Status.DONE,
    "Rejected": Status.FAILED,
    "Cancelled": Status.CANCELLED,
    "Fail": Status.FAILED,
    # From here on the words of the venue's docs of 2023.
    "ToBeConfirmed": Status.ACCEPTED,
    "UnderReview": Status.ACCEPTED,
    "Pending": Status.PROCESSING,
    "Success": Status.DONE,
    "Reject": Status.FAILED,
    "CancelByUser": Status.CANCELLED,
    "Expire": Status.FAILED,
}


def chain_of(network: str) -> str:
    """The venue's chain for our network code, its own chain or its chain_name; an unknown one as it is."""
    return _CHAINS.get(network.upper(), network)


def name_of(coin: str, chain: str) -> str:
    return f"{coin}-{chain}" if chain else coin


def coin_and_chain(name: str) -> tuple[str, str]:
    """("USDT", "TRX") of "USDT-TRX"; the chain is "" where the name holds none."""
    coin, _, chain = name.partition("-")
    return coin, chain


def matches(record: Withdrawal, payment: Payment) -> bool:
    """Whether the record may be this payment. Rather one candidate too many: a person or an id decides."""
    coin, chain = coin_and_chain(payment.currency)
    listed_coin, listed_chain = coin_and_chain(record.currency)
    # Whether the fee lies on top or inside is assumed: either may be the amount that was asked for.
    if coin != listed_coin or Decimal(payment.amount) not in {record.net, record.amount}:
        return False
    if payment.recipient:
        # A phone perhaps with its country, an e-mail perhaps in another case.
        return record.address.replace(" ", "").lower().endswith(payment.recipient.lower())
    return record.went_to(payment) and chain in {"", listed_chain}


def to_withdrawal(record: replies.Record) -> Withdrawal:
    net, fee = read_amount(record.amount), read_amount(record.withdraw_fee)
    if record.status not in _STATUS:
        raise ValueError(f"not a status: {record.status[:64]!r}")
    return Withdrawal(
        venue=NAME,
        withdrawal_id=record.withdraw_id,
        currency=name_of(record.coin, record.chain),
        amount=EXACT.add(net, fee),
        fee=fee,
        net=net,
        address=record.to_address,
        memo=record.tag,
        tx_id=record.tx_id,
        status=_STATUS[record.status],
        venue_status=record.status,
        requested_at_ms=int(record.create_time) * 1000,
    )


def to_balances(wallet: str, found: replies.Wallet) -> tuple[Balance, ...]:
    return tuple(
        Balance(
            wallet,
            asset.coin,
            read_amount(asset.free),
            EXACT.subtract(read_amount(asset.total_balance), read_amount(asset.free)),
        )
        for asset in found.assets
    )


def to_currencies(coins: tuple[replies.Coin, ...]) -> tuple[Currency, ...]:
    """One for every chain of every coin, whether it only takes deposits, only pays out, or both."""
    found: list[Currency] = []
    for coin in coins:
        deposits = {listed.chain: listed for listed in coin.deposit_chains}
        withdraws = {listed.chain: listed for listed in coin.withdraw_chains}
        for chain in dict.fromkeys((*withdraws, *deposits)):
            pays, takes = withdraws.get(chain), deposits.get(chain)
            found.append(
                Currency(
                    currency=name_of(coin.coin, chain),
                    coin=coin.coin,
                    network=chain,
                    name=coin.coin_name,
                    contract=None,
                    withdraw_enabled=pays is not None and pays.can_withdraw == 1,
                    deposit_enabled=takes is not None and takes.can_deposit == 1,
                    fee=None if pays is None else read_amount(pays.withdraw_fee),
                    minimum=None if pays is None else read_amount(pays.withdraw_min),
                )
            )
    return tuple(found)


def to_fee(name: str, coins: tuple[replies.Coin, ...]) -> Fee:
    """Raises LookupError where the venue lists no such coin, no such chain of it, or several and none was named."""
    coin, chain = coin_and_chain(name)
    for listed in coins:
        if listed.coin != coin:
            continue
        found = [pays for pays in listed.withdraw_chains if chain in {"", pays.chain}]
        if len(found) == 1:
            (pays,) = found
            return Fee(
                currency=name_of(coin, pays.chain),
                fee=read_amount(pays.withdraw_fee),
                minimum=read_amount(pays.withdraw_min),
                decimals=listed.accuracy,
                multiple=None,
                on_top=True,
            )
    has = ", ".join(pays.chain for listed in coins for pays in listed.withdraw_chains) or "none"
    raise LookupError(f"{NAME} lists no single {name[:64]}; chains: {has}")


def to_deposit_address(target: replies.DepositTarget) -> DepositAddress:
    return DepositAddress(name_of(target.coin, target.chain), target.address, target.tag)


def check_payment(payment: Payment) -> None:
    """Raises ValueError for what the venue has no field for: it would be lost without a word."""
    if payment.wallet.lower() not in {"", "fund"}:
        raise ValueError(f"{NAME} pays from its FUND wallet only, not from {payment.wallet[:32]!r}")
    if payment.debit_currency:
        raise ValueError(f"{NAME} pays in the coin that it debits")
    if payment.remark and not payment.recipient:
        raise ValueError(f"{NAME} takes a remark only with a payment to another account")
    if payment.recipient and payment.memo:
        raise ValueError(f"{NAME} takes a tag only with a payment to an address")
    if payment.area_code and payment.recipient_kind is not RecipientKind.PHONE:
        raise ValueError("an area code goes with a phone")
