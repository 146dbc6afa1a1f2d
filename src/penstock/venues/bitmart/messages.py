"""What BitMart's clients send: the body of withdraw/apply and the queries, read into values.

Text is compared as it came: nothing is trimmed, folded or normalised. Unknown members are ignored, as at the
venue; members that are known have their documented type or the request is refused.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

import msgspec

from penstock.core.amounts import SCALE_MAX, Units, parse_amount, parse_json_number
from penstock.core.commands import RecipientKind
from penstock.core.refusals import RefusalCode, Refused
from penstock.venues.bitmart.errors import INVALID_REQUEST, NOT_JSON, Rejected
from penstock.venues.strict_json import Json, JsonFault, JsonFaultError, Number, read_object

CURRENCY_CHARACTERS_MAX = 64
ADDRESS_CHARACTERS_MAX = 256
MEMO_CHARACTERS_MAX = 256
REMARK_CHARACTERS_MAX = 256
QUERY_PARAMETERS_MAX = 64

KINDS: dict[str, RecipientKind] = {
    "1": RecipientKind.ACCOUNT_NUMBER,
    "2": RecipientKind.EMAIL,
    "3": RecipientKind.PHONE,
}
"""`type` of the account form, as the integer's literal."""

SOURCES: dict[str, tuple[str, ...]] = {"": ("spot", "fund"), "SPOT": ("spot",), "FUND": ("fund",)}
"""`sourceAccount` to the wallets that may pay, in order; without one, spot first."""

_VALUES: dict[RecipientKind, re.Pattern[str]] = {
    RecipientKind.ACCOUNT_NUMBER: re.compile(r"[1-9][0-9]{0,18}"),
    RecipientKind.EMAIL: re.compile(r"[!-?A-~]{1,64}@[!-?A-~]{1,190}"),
    RecipientKind.PHONE: re.compile(r"[0-9]{4,15}"),
}
# Begins with a printable character, and not as any JSON text does.
_PROSE = re.compile(rb"[ \t\r\n]*(?!null|true|false)[!#-,./:-Z\\^-z|~]")
_AREA_CODE = re.compile(r"[1-9][0-9]{0,3}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


class Apply(msgspec.Struct, frozen=True, gc=False):
    """What both forms of withdraw/apply share.

    amount: gross, at SCALE_MAX decimals because the asset is not known yet; None: it uses more than those.
    """

    currency: str
    amount: Units | None
    wallets: tuple[str, ...]
    remark: str


class ToAddress(Apply, frozen=True, gc=False):
    """The blockchain form. memo "" when absent, null or empty."""

    address: str
    memo: str


class ToAccount(Apply, frozen=True, gc=False):
    """The account form. recipient: as core.commands.Transfer wants it."""

    kind: RecipientKind
    recipient: str


def read_body(body: bytes) -> dict[str, Json]:
    """Raises Rejected: 60000 for anything but one clean JSON object, 30018 for no JSON at all."""
    try:
        return read_object(body)
    except JsonFaultError as fault:
        prose = fault.fault is JsonFault.SYNTAX and _PROSE.match(body)
        raise Rejected(NOT_JSON if prose else INVALID_REQUEST) from None


def read_apply(body: bytes) -> ToAddress | ToAccount:
    """Read a withdraw/apply body. A non-empty address makes it the blockchain form, whatever else is sent.

    Raises Rejected(60000) for missing or ill-typed members, Refused(AMOUNT_MALFORMED, AMOUNT_NOT_POSITIVE or
    WALLET_UNKNOWN).
    """
    members = read_body(body)
    currency = _text(members, "currency", CURRENCY_CHARACTERS_MAX)
    address = _text(members, "address", ADDRESS_CHARACTERS_MAX)
    memo = _text(members, "address_memo", MEMO_CHARACTERS_MAX)
    remark = _text(members, "destination", REMARK_CHARACTERS_MAX)
    value = _text(members, "value", ADDRESS_CHARACTERS_MAX)
    area_code = _text(members, "areaCode", ADDRESS_CHARACTERS_MAX)
    kind = _kind(members)
    if not currency or _CONTROLS.search(memo):
        raise Rejected(INVALID_REQUEST)
    wallets = SOURCES.get(_text(members, "sourceAccount", ADDRESS_CHARACTERS_MAX))
    amount = _amount(members.get("amount"))
    if wallets is None:
        raise Refused(RefusalCode.WALLET_UNKNOWN)
    if address:
        return ToAddress(currency, amount, wallets, remark, address, memo)
    if kind is None:
        raise Rejected(INVALID_REQUEST)
    return ToAccount(currency, amount, wallets, remark, kind, _recipient(kind, value, area_code))


def _text(members: dict[str, Json], name: str, characters_max: int) -> str:
    value = members.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > characters_max:
        raise Rejected(INVALID_REQUEST)
    return value


def _kind(members: dict[str, Json]) -> RecipientKind | None:
    value = members.get("type")
    if value is None:
        return None
    kind = KINDS.get(value.literal) if isinstance(value, Number) else None
    if kind is None:
        raise Rejected(INVALID_REQUEST)
    return kind


def _recipient(kind: RecipientKind, value: str, area_code: str) -> str:
    if _VALUES[kind].fullmatch(value) is None:
        raise Rejected(INVALID_REQUEST)
    if kind is not RecipientKind.PHONE:
        return value
    if _AREA_CODE.fullmatch(area_code) is None:
        raise Rejected(INVALID_REQUEST)
    return f"+{area_code} {value}"


def _amount(value: Json) -> Units | None:
    """A decimal text, or a number as ccxt sends it; "-1" and 0 are amounts too, only not positive ones."""
    if isinstance(value, str):
        parse, text = parse_amount, value
    elif isinstance(value, Number):
        parse, text = parse_json_number, value.literal
    else:
        raise Rejected(INVALID_REQUEST)
    try:
        units = parse(text.removeprefix("-"), SCALE_MAX)
    except Refused as refused:
        if refused.code is not RefusalCode.AMOUNT_PRECISION:
            raise
        units = None
    if units == 0 or text.startswith("-"):
        raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
    return units


# --- queries -----------------------------------------------------------------------------------------------

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class Parameters(dict[str, str]):
    """The query's parameters, each once. Asking for what is missing or not as asked raises Rejected."""

    def required(self, name: str) -> str:
        value = self.get(name, "")
        if not value:
            raise Rejected(INVALID_REQUEST)
        return value

    def optional(self, name: str) -> str | None:
        """None when absent or empty."""
        return self.get(name) or None

    def integer(self, name: str, least: int, most: int) -> int | None:
        """None when absent or empty; plain ASCII digits otherwise, within both bounds."""
        text = self.optional(name)
        if text is None:
            return None
        if _DIGITS.fullmatch(text) is None or not least <= int(text) <= most:
            raise Rejected(INVALID_REQUEST)
        return int(text)


_DIGITS = re.compile(r"[0-9]{1,19}")


def read_query(query: bytes) -> Parameters:
    """Read `a=1&b=2` (form encoding, UTF-8). Raises Rejected(60000) for a doubled or broken parameter."""
    found = Parameters()
    if not query:
        return found
    pieces = query.split(b"&", QUERY_PARAMETERS_MAX)
    if len(pieces) > QUERY_PARAMETERS_MAX or _BROKEN_ESCAPE.search(query):
        raise Rejected(INVALID_REQUEST)
    for piece in pieces:
        if not piece:
            continue
        name, _, value = piece.partition(b"=")
        try:
            decoded_name, decoded_value = _form_text(name), _form_text(value)
        except UnicodeDecodeError:
            raise Rejected(INVALID_REQUEST) from None
        if decoded_name in found:
            raise Rejected(INVALID_REQUEST)
        found[decoded_name] = decoded_value
    return found


def _form_text(piece: bytes) -> str:
    return unquote_to_bytes(piece.replace(b"+", b" ")).decode()
