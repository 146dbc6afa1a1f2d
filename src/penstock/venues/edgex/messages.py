"""What edgeX's clients send: queries and bodies, read into values.

Every scalar is a JSON string at this venue, numbers included; a JSON number, boolean, list or object in its place is
refused. Text is compared as it came. Unknown members and parameters are ignored, but are part of what is signed.
"""

from __future__ import annotations

import re

import msgspec

from penstock.venues.edgex import errors
from penstock.venues.edgex.errors import Rejected
from penstock.venues.edgex.signed_text import Pairs, decoded, split_query
from penstock.venues.strict_json import Json, JsonFaultError, read_object

LONG_MAX = 2**63 - 1
LIST_MAX = 100
"""Ids in one list, repeats counted; the venue states no limit."""
CLIENT_ID_CHARACTERS_MAX = 128
FIELD_CHARACTERS_MAX = 256
EXTRA_TYPE_CHARACTERS_MAX = 128
EXTRA_DATA_CHARACTERS_MAX = 4_096
PAGE_SIZE_MAX = 100

_LONG = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)
# The venue says only "client-defined". A comma would make it unaskable, since ids are asked for in lists with commas;
# "&" and "=" would give two bodies one signed text.
_CLIENT_ID = re.compile(rf"[^\x00-\x1f\x7f-\x9f,&=]{{1,{CLIENT_ID_CHARACTERS_MAX}}}")


def read_long(text: str) -> int | None:
    """A non-negative int64 in plain decimal digits, None for any other text."""
    if _LONG.fullmatch(text) is None:
        return None
    number = int(text)
    return number if number <= LONG_MAX else None


def is_client_id(text: str) -> bool:
    return _CLIENT_ID.fullmatch(text) is not None


# --- queries -----------------------------------------------------------------------------------------------


def read_pairs(query: bytes) -> Pairs:
    """The query's parameters in their order, form encoding undone. Raises Rejected."""
    pairs = split_query(query)
    plain = None if pairs is None else decoded(pairs)
    if plain is None:
        raise Rejected(errors.QUERY_NOT_READABLE)
    return plain


class Parameters:
    """The query's parameters by name. Asking for what is missing or not as asked raises Rejected."""

    def __init__(self, pairs: Pairs) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def optional(self, name: str) -> str:
        """Its text, "" when absent. A parameter that is no list must not come twice."""
        values = self._values.get(name, [""])
        if len(values) > 1:
            raise Rejected(errors.param_invalid(name))
        return values[0]

    def required(self, name: str) -> str:
        value = self.optional(name)
        if not value:
            raise Rejected(errors.param_required(name))
        return value

    def listed(self, name: str) -> tuple[str, ...]:
        """The items of a list, separated by commas or sent as repeats, each once, in order; () when absent."""
        values = [value for value in self._values.get(name, []) if value]
        items = ",".join(values).split(",", LIST_MAX) if values else []
        if len(items) > LIST_MAX or any(len(item) > FIELD_CHARACTERS_MAX or not item for item in items):
            raise Rejected(errors.param_invalid(name), ",".join(values))
        return tuple(dict.fromkeys(items))

    def required_list(self, name: str) -> tuple[str, ...]:
        items = self.listed(name)
        if not items:
            raise Rejected(errors.param_required(name))
        return items

    def longs(self, name: str) -> tuple[int, ...]:
        """As `listed`, of int64 texts."""
        numbers: list[int] = []
        for item in self.listed(name):
            number = read_long(item)
            if number is None:
                raise Rejected(errors.param_invalid(name), item)
            numbers.append(number)
        return tuple(numbers)

    def time(self, name: str) -> int | None:
        """Unix milliseconds; None when absent, empty or 0, which all mean: no bound."""
        text = self.optional(name)
        number = read_long(text or "0")
        if number is None:
            raise Rejected(errors.param_invalid(name), text)
        return number or None

    def page_size(self) -> int:
        """`size`, 1 to PAGE_SIZE_MAX, which it is when absent."""
        text = self.optional("size")
        number = read_long(text) if text else PAGE_SIZE_MAX
        if number is None or not 1 <= number <= PAGE_SIZE_MAX:
            raise Rejected(errors.PAGE_SIZE, text)
        return number


# --- bodies ------------------------------------------------------------------------------------------------


class Form(msgspec.Struct, frozen=True):
    """What asks for a withdrawal, as it came. None: the call has no such field.

    eth_address: "" where the account's own is meant. expire_field: what this call calls its expiry.
    """

    coin_id: str
    amount: str
    eth_address: str
    client_id: str
    expire_time: str
    expire_field: str
    l2_signature: str
    erc20_address: str | None = None
    risk_signature: str | None = None
    l2_nonce: str | None = None
    extra_type: str = ""
    extra_data: str = ""


def read_members(body: bytes) -> dict[str, Json]:
    """Raises Rejected for anything but one clean JSON object."""
    try:
        return read_object(body)
    except JsonFaultError:
        raise Rejected(errors.BODY_NOT_READABLE) from None


def read_create_withdraw(members: dict[str, Json]) -> Form:
    """The body of createWithdraw (edgeX docs, "Create Withdraw"). Raises Rejected."""
    return Form(
        coin_id=_text(members, "coinId"),
        amount=_text(members, "amount"),
        eth_address=_text(members, "ethAddress"),
        erc20_address=_text(members, "erc20Address"),
        client_id=_text(members, "clientWithdrawId"),
        risk_signature=_text(members, "riskSignature"),
        l2_nonce=_text(members, "l2Nonce"),
        expire_time=_text(members, "l2ExpireTime"),
        expire_field="l2ExpireTime",
        l2_signature=_text(members, "l2Signature"),
        extra_type=_text(members, "extraType", EXTRA_TYPE_CHARACTERS_MAX, may_be_empty=True),
        extra_data=_text(members, "extraDataJson", EXTRA_DATA_CHARACTERS_MAX, default=""),
    )


def read_create_normal_withdraw(members: dict[str, Json]) -> Form:
    """The body of createNormalWithdraw (edgeX docs, "Asset API"). Raises Rejected."""
    return Form(
        coin_id=_text(members, "coinId"),
        amount=_text(members, "amount"),
        eth_address=_text(members, "ethAddress", may_be_empty=True),
        client_id=_text(members, "clientWithdrawId"),
        expire_time=_text(members, "expireTime"),
        expire_field="expireTime",
        l2_signature=_text(members, "l2Signature"),
    )


def account_id_of(members: dict[str, Json]) -> str:
    """The account that a body names. Raises Rejected."""
    return _text(members, "accountId")


def _text(
    members: dict[str, Json],
    name: str,
    characters_max: int = FIELD_CHARACTERS_MAX,
    *,
    may_be_empty: bool = False,
    default: str | None = None,
) -> str:
    """A member's text. default: what an absent or null one means; without it, the member must be there."""
    value = members.get(name)
    if value is None:
        if default is None:
            raise Rejected(errors.param_required(name))
        return default
    if not isinstance(value, str) or len(value) > characters_max:
        raise Rejected(errors.param_invalid(name))
    if not value and not may_be_empty and default is None:
        raise Rejected(errors.param_required(name))
    return value
