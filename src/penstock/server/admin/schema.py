"""What the admin API takes, as structs; the OpenAPI document is generated from these and from `replies`.

Ids are text, because they pass 2**53 and many JSON readers would round them. Amounts are plain decimal text
in the asset's own unit, never a JSON number. Times are Unix milliseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from penstock.core.acts import AddressKind
from penstock.core.states import State
from penstock.server.venues import KEY_CHECKS
from penstock.webhooks.target import URL_LENGTH_MAX

LIST_LIMIT_MAX = 1_000
TIME_MS_MAX = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z."""
INTEGER_MAX = 2**63 - 1
ACCOUNT_NUMBER = "^[0-9]{1,19}$"
EMAIL = "^[^@ ]{1,64}@[^@ ]{1,189}$"
EMAIL_LENGTH_MAX = 254
PHONE = r"^\+[0-9]{1,4} [0-9]{3,15}$"

Id = Annotated[str, Meta(pattern="^(0|[1-9][0-9]{0,18})$", description="An id, as text: it passes 2**53.")]
Amount = Annotated[
    str, Meta(max_length=101, description="Plain decimal text in the asset's own unit.", examples=["12.5"])
]
AssetCode = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{1,32}$", examples=["USDT"])]
NetworkCode = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,32}$", examples=["ethereum"])]
VenueName = Annotated[str, Meta(examples=["bitmart"], extra_json_schema={"enum": list(KEY_CHECKS)})]
Wallet = Annotated[str, Meta(pattern="^[a-z0-9_-]{1,32}$", examples=["spot"])]
Address = Annotated[str, Meta(min_length=1, max_length=112)]
Memo = Annotated[str, Meta(max_length=120)]
Note = Annotated[str, Meta(max_length=200)]
TimeMs = Annotated[int, Meta(ge=0, le=TIME_MS_MAX, description="Unix milliseconds.")]
Credential = Annotated[str, Meta(pattern="^[!-~]{8,256}$")]
KeyId = Annotated[str, Meta(pattern="^[A-Za-z0-9._-]{4,64}$")]
# No slash: references of transfers between accounts have one, so that the two never meet.
Reference = Annotated[
    str, Meta(pattern="^[A-Za-z0-9._:-]{1,128}$", description="The credit's own id; credited once for ever.")
]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what is sent: a field we do not know is refused, not dropped."""


class NoFields(Body, frozen=True):
    """Nothing is asked: an empty body or {}."""


class Why(Body, frozen=True):
    """reason: for the audit, and shown to the other operators."""

    reason: Note = ""


class NewAccount(Body, frozen=True):
    """An account to open. account_number: what others address it by. phone: "+<area code> <digits>"."""

    account_number: Annotated[str, Meta(pattern=ACCOUNT_NUMBER)]
    email: Annotated[str, Meta(pattern=EMAIL)] | None = None
    phone: Annotated[str, Meta(pattern=PHONE)] | None = None
    master_account_id: Id | None = None
    may_withdraw: bool = True


class NewKey(Body, frozen=True):
    """A key to give. key_id, secret and passphrase are made at random where they are left out;
    permissions are ["read"] then.

    What each of the three is differs from venue to venue, see docs/operate/admin-api.md; where it is a public key or an
    address it must be given. allowed_ips: addresses or networks; none means from anywhere.
    """

    venue: VenueName
    key_id: KeyId | UnsetType = UNSET
    secret: Credential | UnsetType = UNSET
    passphrase: Annotated[str, Meta(pattern="^[!-~]{0,256}$")] | UnsetType = UNSET
    permissions: Annotated[list[Literal["read", "withdraw"]], Meta(min_length=1, max_length=2)] = (
        msgspec.field(default_factory=lambda: ["read"])
    )
    allowed_ips: Annotated[list[Annotated[str, Meta(max_length=49)]], Meta(max_length=64)] = []
    expires_ms: TimeMs | None = None


class NewAddress(Body, frozen=True):
    """A destination for the book. standard: asset and network; universal: network only; evm: neither.

    recipient: neither; another account by what stands in `address`, and `memo` says what that is: "account_number",
    "email" or "phone".
    """

    kind: AddressKind
    address: Annotated[str, Meta(min_length=1, max_length=EMAIL_LENGTH_MAX)]
    asset: AssetCode | UnsetType = UNSET
    network: NetworkCode | UnsetType = UNSET
    memo: Memo = ""
    remark: Note = ""
    verified: bool = False
    usable_from_ms: TimeMs = 0


class NewDeposit(Body, frozen=True):
    """Money that arrived. wallet: the policy's deposit wallet where it is left out.

    network: left out for what no network lists, such as euros in a bank.
    """

    asset: AssetCode
    amount: Amount
    reference: Reference
    network: NetworkCode | UnsetType = UNSET
    wallet: Wallet | UnsetType = UNSET
    address: Annotated[str, Meta(max_length=112)] = ""
    tx_id: Annotated[str, Meta(max_length=128)] = ""


class NewDepositAddress(Body, frozen=True):
    """Where the account's deposits on the network arrive."""

    address: Address
    memo: Memo = ""


class NewOpening(Body, frozen=True):
    """How much more of its native coin the network's hot wallet holds, for network fees."""

    amount: Amount
    reference: Reference


class QuarantineEnd(Body, frozen=True):
    """next_nonce: what the chain and the signer's log agree on; never below ours."""

    sender: Address
    next_nonce: Annotated[int, Meta(ge=0, le=INTEGER_MAX)]


class NewCallback(Body, frozen=True):
    """Where to tell of withdrawals. https, or http to a private or loopback address given as a number.

    key_id: one of the account's keys for this venue; it signs what is sent.
    """

    url: Annotated[str, Meta(min_length=1, max_length=URL_LENGTH_MAX)]
    key_id: KeyId


class Decline(Body, frozen=True):
    """reason: for the audit, and part of the withdrawal's reason, which the customer may be shown."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


# --- query strings ---------------------------------------------------------------------------------------


class NoQuery(Body, frozen=True):
    """No parameters."""


Before = Annotated[Id, Meta(description="To read on: the last id of the list before; only older ones.")]


class WithdrawalList(Body, frozen=True):
    """Of one account, or in one state, or all; not both. before: a withdrawal_id."""

    account_id: Id | UnsetType = UNSET
    state: State | UnsetType = UNSET
    limit: Annotated[int, Meta(ge=1, le=LIST_LIMIT_MAX)] = 100
    before: Before | UnsetType = UNSET


class AuditList(Body, frozen=True):
    """before: an audit_id."""

    limit: Annotated[int, Meta(ge=1, le=LIST_LIMIT_MAX)] = 100
    before: Before | UnsetType = UNSET
