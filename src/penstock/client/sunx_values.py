"""SunX's replies as the client's values, what counts as the same withdrawal, and what a wallet may be asked to sign.

ValueError where a reply makes no sense, or where the caller asks for what SunX does not have.
"""

from __future__ import annotations

from decimal import Decimal

from penstock.client.amounts import EXACT
from penstock.client.errors import NotOffered
from penstock.client.options import SignContent
from penstock.client.values import Balance, Payment, Status, Withdrawal
from penstock.venues.sunx import client_replies as replies
from penstock.venues.sunx.client_wallet import WalletKey
from penstock.venues.sunx.content import read_content
from penstock.venues.sunx.currencies import CHAINS
from penstock.venues.sunx.wallet import read_signature, signer

Wallet = WalletKey | SignContent
"""What signs contents: a key in our hands, or the caller's function that asks a wallet."""

NAME = "sunx"
WALLET = "account"
"""The venue has one wallet and no word for it."""

_CURRENCIES = {chain: currency for currency, chain in CHAINS}
_NETWORKS = {
    name: chain
    for (_, chain), (asset, network) in CHAINS.items()
    for name in (chain, network, chain.removesuffix(asset.lower()))
}
"""A network as people, Penstock and SunX call it ("tron", "trc20", "trc20usdt") to the venue's chain."""

_STATUS = {
    replies.State.VERIFYING: Status.ACCEPTED,
    replies.State.SUBMITTED: Status.ACCEPTED,
    replies.State.REEXAMINE: Status.ACCEPTED,
    replies.State.PASS: Status.ACCEPTED,
    replies.State.PRE_TRANSFER: Status.PROCESSING,
    replies.State.WALLET_TRANSFER: Status.PROCESSING,
    replies.State.CONFIRMED: Status.DONE,
    replies.State.CANCELED: Status.CANCELLED,
    replies.State.REPEALED: Status.CANCELLED,
    replies.State.FAILED: Status.FAILED,
    replies.State.REJECT: Status.FAILED,
    replies.State.WALLET_REJECT: Status.FAILED,
    replies.State.CONFIRM_ERROR: Status.FAILED,
}
assert _STATUS.keys() == set(replies.State)


def chain_of(currency: str, network: str | None) -> str:
    """The venue's name for a coin on a network, such as "trc20usdt". network None: `currency` is that name, or a
    coin with a single network. Raises ValueError for what cannot be withdrawn.
    """
    name = currency.lower()
    if network is None and name in _CURRENCIES:
        return name
    chains = [
        chain
        for chain, coin in _CURRENCIES.items()
        if name in {coin, chain} and (network is None or _NETWORKS.get(network.lower()) == chain)
    ]
    if len(chains) != 1:
        has = ", ".join(f"{coin} on {chain}" for chain, coin in _CURRENCIES.items())
        raise ValueError(
            f"{NAME} pays no single {currency[:64]} on {(network or 'any network')[:64]}; it pays {has}"
        )
    return chains[0]


def currency_of(chain: str) -> str:
    """The coin that moves on a chain: "trc20usdt" moves "usdt"; a coin's own name stays, in lower case."""
    return _CURRENCIES.get(chain.lower(), chain.lower())


def check_payment(payment: Payment, wallet: Wallet | None) -> None:
    """Whether SunX can be asked for this. Raises NotOffered or ValueError; nothing was sent then."""
    if payment.recipient:
        raise NotOffered(NAME, "transfer to another account")
    if payment.debit_currency:
        raise NotOffered(NAME, "conversion")
    for what in ("memo", "wallet", "remark", "request_id"):
        if getattr(payment, what):
            raise ValueError(f"{NAME} takes no {what} with a withdrawal")
    chain_of(payment.currency, None)
    if wallet is None:
        raise ValueError(
            f"{NAME} pays only what the wallet has signed: give wallet_private_key or sign_content"
        )
    if isinstance(wallet, WalletKey):
        _check_signer(wallet.address, payment.address)


def wallet_signature(wallet: Wallet, content: str, address: str) -> str:
    """The wallet's signature over the content as it gave it, after a look whether it is the receiver's. Raises
    ValueError where it is not, and what the caller's function raises.
    """
    text = wallet.sign(content) if isinstance(wallet, WalletKey) else wallet(content)
    signature = read_signature(text)
    if signature is None:
        raise ValueError("the wallet's answer is no signature as TronWeb's signMessageV2 makes it")
    _check_signer(signer(content, signature) or "nobody", address)
    return text


def _check_signer(signed_by: str, address: str) -> None:
    if signed_by != address:
        raise ValueError(
            f"{NAME} pays only to the account's own wallet, which has to sign: the wallet given is {signed_by}, "
            f"the address to be paid {address[:64]}"
        )


def check_content(content: str, nonce: str, payment: Payment) -> None:
    """Whether the text to be signed says what was asked for, and nothing else.

    Raises ValueError naming the first field that differs. The fee is the venue's to say.
    """
    said, said_nonce = read_content(content)
    if said_nonce != nonce:
        raise ValueError("the content names another nonce than its quote")
    wanted = {
        "address": payment.address,
        "currency": currency_of(payment.currency),
        "chain": payment.currency,
    }
    for name, text in wanted.items():
        if getattr(said, name) != text:
            raise ValueError(f"the content names another {name} than was asked for")
    # 8.7 and 8.70 are one amount; both texts hold digits and points only.
    if _decimal(said.amount) != _decimal(payment.amount):
        raise ValueError("the content names another amount than was asked for")
    _decimal(said.fee)


def _decimal(text: str) -> Decimal:
    whole, point, fraction = text.partition(".")
    if not (whole + fraction).isdecimal() or not whole or (point and not fraction):
        raise ValueError(f"not an amount: {text[:64]!r}")
    return Decimal(text)


def matches(record: Withdrawal, payment: Payment) -> bool:
    """Whether the record may be this payment. Rather one candidate too many: a person or an id decides."""
    return (
        record.net == Decimal(payment.amount)
        and record.address == payment.address
        and record.currency == payment.currency
    )


def to_withdrawal(record: replies.Record) -> Withdrawal:
    return Withdrawal(
        venue=NAME,
        withdrawal_id=str(record.id),
        currency=record.chain or record.currency,
        amount=EXACT.add(record.amount, record.fee),
        fee=record.fee,
        net=record.amount,
        address=record.address,
        memo=record.address_tag,
        tx_id=record.tx_hash,
        status=_STATUS[replies.State(record.state)],
        venue_status=record.state,
        requested_at_ms=record.created_at,
    )


def to_withdrawals(records: tuple[replies.Record, ...]) -> tuple[Withdrawal, ...]:
    return tuple(to_withdrawal(record) for record in records)


def to_balances(balance: replies.Balance) -> tuple[Balance, ...]:
    return tuple(
        Balance(WALLET, line.currency, line.available, EXACT.subtract(line.equity, line.available))
        for line in balance.details
    )
