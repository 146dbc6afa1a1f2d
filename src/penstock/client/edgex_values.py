"""edgeX's replies as the client's values, its names for coins, and what its withdrawals have no words for. ValueError
where a reply makes no sense.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from penstock.client.amounts import EXACT, read_amount
from penstock.client.errors import NotOffered
from penstock.client.values import Balance, Currency, Fee, Payment, Status, Withdrawal
from penstock.venues.edgex import client_replies as replies

NAME = "edgex"
WALLET = "collateral"
"""The one wallet that layer 2 keeps for an account."""

_STATUS = {
    replies.Status.PENDING: Status.ACCEPTED,
    replies.Status.CENSORED: Status.PROCESSING,
    replies.Status.APPROVED: Status.DONE,
    replies.Status.CENSOR_FAILED: Status.FAILED,
    replies.Status.REJECTED: Status.FAILED,
    replies.Status.REJECTION_APPROVED: Status.FAILED,
    # Of the schema only; whoever meets them has to go on waiting.
    replies.Status.UNKNOWN: Status.PROCESSING,
    replies.Status.UNRECOGNIZED: Status.PROCESSING,
}
assert _STATUS.keys() == set(replies.Status)


def check_payment(payment: Payment) -> None:
    """Raises NotOffered or ValueError for what the venue has no field for: it would be lost without a word."""
    if payment.recipient:
        raise NotOffered(NAME, "payment to another account by this client")
    if payment.memo:
        raise ValueError(f"{NAME} pays on an Ethereum chain, where there is no memo")
    if payment.wallet.lower() not in {"", WALLET}:
        raise ValueError(f"{NAME} pays from its {WALLET} wallet only, not from {payment.wallet[:32]!r}")
    if payment.debit_currency:
        raise ValueError(f"{NAME} pays in the coin that it debits")
    if payment.remark:
        raise ValueError(f"{NAME} takes no remark")


def coin_named(name: str, coins: Sequence[replies.CoinFacts]) -> replies.CoinFacts:
    """The coin with this name ("USDT") or id ("1000"). Raises ValueError for any other."""
    for coin in coins:
        if name in {coin.name, coin.coin_id}:
            return coin
    has = ", ".join(f"{coin.name} ({coin.coin_id})" for coin in coins) or "none"
    raise ValueError(f"{NAME} pays out no {name[:64]!r}; it has: {has}")


def check_network(network: str, coin: replies.CoinFacts) -> None:
    """Raises ValueError unless the coin is paid out there. Withdrawals leave layer 2 on its own chain only."""
    if network.lower() not in {"ethereum", "eth", "erc20", coin.chain.lower(), coin.chain_id}:
        raise ValueError(f"{NAME} pays {coin.name} on {coin.chain} only, not on {network[:64]!r}")


def to_withdrawal(record: replies.Record, coins: Sequence[replies.CoinFacts]) -> Withdrawal:
    """A coin that is no longer listed goes by its id. The record tells of no fee and of no transaction."""
    amount = read_amount(record.amount)
    return Withdrawal(
        venue=NAME,
        withdrawal_id=record.id,
        currency=next((coin.name for coin in coins if coin.coin_id == record.coin_id), record.coin_id),
        amount=amount,
        fee=Decimal(0),
        net=amount,
        address=record.eth_address,
        memo="",
        tx_id="",
        status=_STATUS[record.status],
        venue_status=record.status.value,
        requested_at_ms=int(record.created_time),
    )


def to_balances(
    rows: Sequence[replies.Collateral], coins: Sequence[replies.CoinFacts]
) -> tuple[Balance, ...]:
    """Whatever of a coin cannot be withdrawn now is held: pending withdrawals, margin, orders."""
    names = {coin.coin_id: coin.name for coin in coins}
    found: list[Balance] = []
    for row in rows:
        available = read_amount(row.available_amount)
        held = max(EXACT.subtract(read_amount(row.total_equity), available), Decimal(0))
        found.append(Balance(WALLET, names.get(row.coin_id, row.coin_id), available, held))
    return tuple(found)


def to_fee(coin: replies.CoinFacts) -> Fee:
    """The amount asked for arrives whole (edgeX docs, "Withdrawals": on Ethereum only gas is charged)."""
    return Fee(coin.name, Decimal(0), read_amount(coin.minimum or "0"), coin.decimals, None)


def to_currency(coin: replies.CoinFacts) -> Currency:
    return Currency(
        currency=coin.name,
        coin=coin.name,
        network=coin.chain,
        name=coin.name,
        contract=coin.contract,
        withdraw_enabled=coin.withdraw_enabled,
        # Deposits are transactions to the venue's contract, of which the client knows nothing.
        deposit_enabled=False,
        fee=Decimal(0),
        minimum=None if coin.minimum is None else read_amount(coin.minimum),
    )
