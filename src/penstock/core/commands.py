"""Commands: what customers and workers ask of the engine; the operator's are in acts.py.

Values only; authenticated and read before they get here.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from penstock.core.acts import Act
from penstock.core.amounts import Units
from penstock.core.ids import AccountId, AttemptId, WithdrawalId
from penstock.core.rates import Conversion
from penstock.core.time import UnixMs


class FeeRule(StrEnum):
    """How a withdrawal's amount and our fee stand to each other. Each venue has its own."""

    INSIDE = "inside"
    """The amount is debited; the receiver gets it less the fee."""
    ON_TOP = "on_top"
    """The receiver gets the amount; the fee is debited beside it."""
    NONE = "none"
    """The amount is debited and the receiver gets all of it; the house pays the chain."""


class Withdraw(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Pay to an address on a chain.

    key_id: the API key that signed; read again with the account by the deciding transaction, so a freeze holds at once.
    request_id: what makes this request the same request for ever: the venue's own id, or for a venue without one the
    signature of the byte-identical request. business: canonical JSON object of the fields that must not differ under
    one request_id ("" where the request_id is not the caller's own choice and covers every byte).
    wallets: which of the account's wallets may pay, tried in this order; the first that can pay the whole amount does.
    asset, network: what is paid where. amount: in the asset's smallest units, read by fee_rule; with a conversion, on
    the side that it names. address: canonical text; memo "" when there is none.
    any_address: pay to addresses outside the account's book as well.
    repeatable: whether a repeat gets the first answer; else it is refused as REQUEST_ID_TAKEN.
    exclusive: a further mark ("" for none) that no two withdrawals of the account through this venue may share; refused
    as EXCLUSIVE_TAKEN. numbered: give it a small number of its own within the account (views, `number`).
    notify: tell the account's callback of every state change.
    extra: opaque text that the venue wants back with the view, such as fields it only echoes.
    challenge_ms: 0, or for how long the customer may answer; until then nothing is held (core/states.py CHALLENGED),
    and request_id is the nonce by which AnswerChallenge finds it.
    """

    account_id: AccountId
    key_id: str
    venue: str
    request_id: str
    business: str
    asset: str
    network: str
    wallets: tuple[str, ...]
    amount: Units
    address: str
    memo: str
    remark: str = ""
    fee_rule: FeeRule = FeeRule.INSIDE
    any_address: bool = False
    repeatable: bool = True
    exclusive: str = ""
    numbered: bool = False
    notify: bool = False
    extra: str = ""
    challenge_ms: int = 0
    conversion: Conversion | None = None


class RecipientKind(StrEnum):
    ACCOUNT_NUMBER = "account_number"
    EMAIL = "email"
    PHONE = "phone"


class Transfer(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Move `amount` to another account of this Penstock, at once and without a chain. Fields as in `Withdraw`.

    recipient: account number, e-mail address, or phone as "+<area code> <digits>", as written in the accounts' table.
    network: recorded for the reply only ("" where the venue names none).
    in_book: the recipient must stand in the account's address book (AddressKind.RECIPIENT).
    recipient_wallet: where it arrives; "" for the policy's deposit wallet.
    """

    account_id: AccountId
    key_id: str
    venue: str
    request_id: str
    business: str
    asset: str
    network: str
    wallets: tuple[str, ...]
    amount: Units
    recipient_kind: RecipientKind
    recipient: str
    remark: str = ""
    in_book: bool = False
    recipient_wallet: str = ""
    repeatable: bool = True
    numbered: bool = False
    notify: bool = False
    extra: str = ""


class Exchange(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """Turn one asset of the account into another, at once, free of charge. Fields as in `Withdraw`.

    What is bought arrives in the wallet that paid. amount: on the side that the conversion names.
    """

    account_id: AccountId
    key_id: str
    venue: str
    request_id: str
    business: str
    wallets: tuple[str, ...]
    amount: Units
    conversion: Conversion
    repeatable: bool = True
    numbered: bool = False
    notify: bool = False
    extra: str = ""


class AnswerChallenge(msgspec.Struct, frozen=True, gc=False, tag=True, array_like=True):
    """The customer's answer to a challenged withdrawal: hold the money if it is valid, else count the failure.

    nonce: the challenge's. answer: canonical text of what was sent; the same valid answer again gets the first answer,
    another one is refused as CHALLENGE_USED. valid: the venue has verified the answer over the stored content.
    Answers views.Accepted, or views.AnswerRejected where it is not valid. Refused: CHALLENGE_UNKNOWN, _EXPIRED, _USED,
    _EXHAUSTED (too many invalid answers), or what a withdrawal may be refused for; the nonce then stays usable.
    """

    account_id: AccountId
    key_id: str
    venue: str
    nonce: str
    answer: str
    valid: bool
    wallets: tuple[str, ...]


class Expire(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Close a challenge that nobody answered in time."""

    account_id: AccountId
    venue: str
    nonce: str


CustomerCommand = Withdraw | Transfer | Exchange | AnswerChallenge
"""What a venue may ask the engine to do."""


class RecordDelivery(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What came of telling the outside of one state change.

    tries: how many attempts had been recorded before this one; another worker may have been faster.
    delivered: taken note of, or nobody to tell. next_ms: when to try again, None to give up. Ignored when delivered.
    """

    withdrawal_id: WithdrawalId
    sequence: int
    tries: int
    delivered: bool
    next_ms: UnixMs | None = None


# --- the workers' steps ---------------------------------------------------------------------------------------------


class ClaimLane(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take or renew the lease on a sender of a network: one worker at a time plans, signs and sends there.

    alone: the claimer has proof that no other worker lives (it holds the lock on the only place where one could run),
    so a lease that a dead one left behind need not be waited for.
    """

    network: str
    sender: str
    owner: str
    lease_ms: int
    first_nonce: int
    """The chain's next nonce, used only when the lane is new."""
    alone: bool = False


class LaneStep(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """What every step of a worker names: the lane and the epoch of the lease under which it acts."""

    network: str
    sender: str
    owner: str
    epoch: int


class Plan(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take a nonce for a withdrawal and store the intent, in one commit. The nonce given must be the one decided on.

    intent: encoded (`core/intents.py`). nonce: the lane's next one, or a freed one. replaces: the attempt whose fees
    this one bumps, if it is a replacement (then nonce is the same and the payment must be the same).
    fee_ceiling: the most the network fee may ever become for this nonce, bumps included, in the native coin's smallest
    unit; it is held from the network's gas float with the plan. Ignored for a replacement, which must stay below it.
    """

    lane: LaneStep
    withdrawal_id: WithdrawalId
    nonce: int
    intent: str
    fee_ceiling: int
    replaces: AttemptId | None = None


class PlanFiller(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Fill a freed nonce with an empty payment to ourselves, so that the ones above it can be mined."""

    lane: LaneStep
    nonce: int
    intent: str
    fee_ceiling: int
    replaces: AttemptId | None = None


class Unplan(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Take an attempt back that the signer never signed; its nonce becomes free and its withdrawal is rejected.

    The caller has asked the signer: an attempt that it may have signed must go forward instead.
    """

    lane: LaneStep
    attempt_id: AttemptId
    reason: str


class RecordSigned(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Store the signed bytes and the hash we computed ourselves. Comes before any byte is sent."""

    lane: LaneStep
    attempt_id: AttemptId
    raw: bytes
    tx_hash: str


class RecordSent(msgspec.Struct, frozen=True, tag=True, array_like=True):
    lane: LaneStep
    attempt_id: AttemptId


class RecordMined(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The transaction stands in a block, not final yet."""

    lane: LaneStep
    attempt_id: AttemptId
    block_height: int
    block_hash: str
    confirmations: int


class RecordReorged(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The block that held the transaction is gone: mined goes back to sent, nothing else changes."""

    lane: LaneStep
    attempt_id: AttemptId


class Settle(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """The transaction is final. paid: the chain shows the exact payment. unmoved: if not, whether it is
    proven that nothing moved; only then is the hold given back, else the withdrawal is set aside for the operator.

    network_fee: spent by the sender, in the native coin's smallest unit on the chain.
    """

    lane: LaneStep
    attempt_id: AttemptId
    block_height: int
    block_hash: str
    confirmations: int
    paid: bool
    network_fee: int
    reason: str = ""
    unmoved: bool = False


class Quarantine(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Stop a lane: the chain shows something we cannot explain (a nonce used by an unknown transaction).

    withdrawal_id: the withdrawal whose nonce it is, if any; it becomes quarantined.
    """

    network: str
    sender: str
    reason: str
    withdrawal_id: WithdrawalId | None = None


class Reject(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Policy or a late check says no before anything was planned: release the hold."""

    withdrawal_id: WithdrawalId
    reason: str


Command = (
    CustomerCommand
    | Act
    | Expire
    | RecordDelivery
    | ClaimLane
    | Plan
    | PlanFiller
    | Unplan
    | RecordSigned
    | RecordSent
    | RecordMined
    | RecordReorged
    | Settle
    | Quarantine
    | Reject
)
