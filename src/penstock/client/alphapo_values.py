"""AlphaPo's replies as the client's values, its codes for coins, and what its withdrawals have no words for. ValueError
where a reply makes no sense.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from penstock.client.amounts import EXACT, Amount, amount_text, read_amount
from penstock.client.errors import NotOffered
from penstock.client.values import Balance, Currency, DepositAddress, Payment, Status, Withdrawal
from penstock.venues.alphapo import client_replies as replies
from penstock.venues.alphapo import records
from penstock.venues.alphapo.currencies import OWN_CODES

NAME = "alphapo"
WALLET = "account"
"""The one balance that a merchant has in each currency."""

_PLAIN_CODES = {
    "BTC": "bitcoin",
    "ETH": "ethereum",
    "USDC": "ethereum",
    "DAI": "ethereum",
    "XRP": "ripple",
    "TRX": "tron",
    "SOL": "solana",
    "LTC": "litecoin",
    "BCH": "bitcoin-cash",
    "DOGE": "dogecoin",
    "ADA": "cardano",
}
_PLACES = {code: (code, network) for code, network in _PLAIN_CODES.items()} | {
    code: place for place, code in OWN_CODES.items()
}
_NETWORKS = {"erc20": "ethereum", "eth": "ethereum", "trc20": "tron", "trx": "tron", "bep20": "bsc"} | {
    "btc": "bitcoin",
    "xrp": "ripple",
    "sol": "solana",
}

_CHAIN_ROWS = frozenset({"blockchain", "internal"})

_STATUS = {
    records.Status.PENDING: Status.ACCEPTED,
    records.Status.NOT_CONFIRMED: Status.PROCESSING,
    records.Status.CONFIRMED: Status.DONE,
    records.Status.DECLINED: Status.CANCELLED,
    records.Status.CANCELLED: Status.FAILED,
}
assert _STATUS.keys() == set(records.Status)


def check_payment(payment: Payment) -> None:
    """Raises NotOffered for what the venue has no field for: left out, the payment would be another one."""
    if payment.recipient:
        raise NotOffered(NAME, "payment to another account")
    if payment.wallet not in {"", WALLET}:
        raise NotOffered(NAME, "choice of the wallet that pays")


def code_of(coin: str, network: str) -> str:
    """The venue's code for a coin on a network; a code with its own network is one already. Raises ValueError."""
    wanted = _NETWORKS.get(network.lower(), network.lower())
    found = [code for code, place in _PLACES.items() if coin in {code, place[0]} and place[1] == wanted]
    if len(found) != 1:
        has = ", ".join(f"{code} ({place[1]})" for code, place in _PLACES.items() if place[0] == coin)
        raise ValueError(f"{NAME} has no code for {coin[:64]!r} on {network[:64]!r}; it has: {has or 'none'}")
    return found[0]


def exchange_sides(
    sender_currency: str,
    receiver_currency: str,
    sender_amount: Amount | None,
    receiver_amount: Amount | None,
) -> dict[str, str]:
    """Both sides of an exchange in the wire's keywords; an amount that is not given is "". Raises as `amount_text`."""
    return {
        "sender_currency": sender_currency,
        "receiver_currency": receiver_currency,
        "sender_amount": "" if sender_amount is None else amount_text(sender_amount),
        "receiver_amount": "" if receiver_amount is None else amount_text(receiver_amount),
    }


def to_withdrawal(told: replies.Transaction) -> Withdrawal:
    """amount: debited with the fees that are known, in the sender's currency; net and currency: the receiver's."""
    row = next((row for row in told.transactions if row.transaction_type in _CHAIN_ROWS), None)
    change = next((row for row in told.transactions if row.transaction_type == "exchange"), None)
    received = told.currency_received
    if received is not None:
        currency, net = received.currency, read_amount(received.amount)
    elif row is not None:
        currency, net = row.currency, read_amount(row.amount)
    else:
        raise ValueError("a withdrawal that says neither what is paid nor where")
    sender, sent = currency, net
    if told.currency_sent is not None:
        sender, sent = told.currency_sent.currency, read_amount(told.currency_sent.amount)
    elif change is not None:
        sender, sent = change.currency, read_amount(change.amount)
    # Fees in a third currency (the chain's own coin) cannot be added up with these.
    fee = Decimal(0)
    for one in told.fees:
        if one.currency == sender:
            fee = EXACT.add(fee, read_amount(one.amount))
    place = told.crypto_address
    return Withdrawal(
        venue=NAME,
        withdrawal_id=str(told.id),
        currency=currency,
        amount=EXACT.add(sent, fee),
        fee=fee,
        net=net,
        address=place.address if place is not None else "",
        memo=_text(place.tag) if place is not None else "",
        tx_id=(row.txid or "") if row is not None else "",
        status=_STATUS[told.status],
        venue_status=told.status.value,
        # The venue tells no time of a transaction.
        requested_at_ms=0,
    )


def to_balances(lines: Iterable[replies.Account]) -> tuple[Balance, ...]:
    """What is held for withdrawals on their way is not shown by the venue."""
    return tuple(Balance(WALLET, line.currency, read_amount(line.balance), Decimal(0)) for line in lines)


def to_currencies(lines: Iterable[replies.CurrencyLine]) -> tuple[Currency, ...]:
    return tuple(_currency(line) for line in lines)


def _currency(line: replies.CurrencyLine) -> Currency:
    is_crypto = line.type == "crypto"
    coin, network = _PLACES.get(line.currency, (line.currency, ""))
    return Currency(
        currency=line.currency,
        coin=coin,
        network=network if is_crypto else "",
        name=coin,
        contract=None,
        withdraw_enabled=is_crypto,
        deposit_enabled=is_crypto,
        fee=None,
        minimum=read_amount(line.minimum_amount) if is_crypto else None,
    )


def to_deposit_address(taken: replies.TakenAddress) -> DepositAddress:
    return DepositAddress(taken.currency, taken.address, _text(taken.tag))


def _text(tag: str | int | None) -> str:
    return "" if tag is None else str(tag)
