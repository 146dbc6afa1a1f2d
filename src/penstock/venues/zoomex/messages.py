"""What Zoomex's clients send: the parameters of a query or of a JSON body, and the form that each must have.

The venue's older signature covers `name=value` joined with "&", nothing escaped and no types. Two different sets of
parameters must never share that text, or a signature for one would carry the other. So a route takes a closed set of
names under it, each value has a form, and only `remark`, whose neighbours are required, may hold "&" or "=": then the
text can be cut apart in one way only. Text is compared as it came: nothing is trimmed, folded or normalised.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qsl

from penstock.core.amounts import Units, parse_amount, parse_json_number
from penstock.venues.strict_json import Json, JsonFaultError, Number, read_object
from penstock.venues.venue import Request, Route
from penstock.venues.zoomex import routes
from penstock.venues.zoomex.errors import BAD_PARAMETER, Rejected, bad_parameter

PARAMETERS_MAX = 64
SIGNED_BY_PARAMETERS = "sign"
"""The parameter that makes a request one of the older style."""

CREDENTIALS = ("api_key", "timestamp", "recv_window", SIGNED_BY_PARAMETERS)
# The official withdraw demo sends it; it is signed, and means nothing.
_STRAYS = ("sub_user_id",)
_PAGED = ("coin", "startTime", "endTime", "pageSize", "cursor")

_WORD = re.compile(r"[^&=\x00-\x20\x7f]{1,64}")
_ADDRESS = re.compile(r"[^&=\x00-\x20\x7f]{1,256}")
_FORMS: dict[str, re.Pattern[str]] = {
    "accountType": re.compile(r"[A-Z]{1,32}"),
    "address": _ADDRESS,
    "addressType": re.compile(r"[123]"),
    "amount": re.compile(r"[^&=\x00-\x20\x7f]{1,128}"),
    "areaCode": re.compile(r"[1-9][0-9]{0,3}"),
    "chain": _WORD,
    "coin": _ADDRESS,
    "cursor": re.compile(r"[0-9A-Za-z_-]{1,256}"),
    "endTime": re.compile(r"[0-9]{1,10}"),
    "pageSize": re.compile(r"[1-9][0-9]?"),
    "remark": re.compile(r"[^\x00-\x1f\x7f]{1,50}"),
    "requestId": re.compile(r"[0-9A-Za-z]{1,64}"),
    "startTime": re.compile(r"[0-9]{1,10}"),
    "sub_user_id": re.compile(r"[0-9A-Za-z_-]{1,64}"),
    "tag": re.compile(r"[^&=\x00-\x1f\x7f]{1,256}"),
    "txId": re.compile(r"[0-9A-Za-z]{1,128}"),
    "txid": re.compile(r"[0-9A-Za-z]{1,128}"),
    "type": re.compile(r"[012]"),
    "withdrawId": re.compile(r"[1-9][0-9]{0,18}"),
    "withdrawType": re.compile(r"[012]"),
}

_NAMES: dict[str, tuple[str, ...]] = {
    routes.CREATE.path: ("coin", "chain", "address", "tag", "amount", "requestId"),
    routes.INNER_CREATE.path: (
        "requestId",
        "coin",
        "addressType",
        "areaCode",
        "address",
        "amount",
        "remark",
    ),
    routes.WITHDRAW_RECORDS.path: ("withdrawId", "txid", "withdrawType", *_PAGED),
    routes.DEPOSIT_RECORDS.path: ("type", "chain", "txId", *_PAGED),
    routes.COINS.path: ("coin",),
    routes.DEPOSIT_ADDRESSES.path: ("coin", "chain"),
    routes.ASSETS.path: ("accountType", "coin"),
    routes.WALLET_BALANCE.path: ("accountType", "coin"),
}
_CLOSED = {path: frozenset((*names, *CREDENTIALS, *_STRAYS)) for path, names in _NAMES.items()}
assert set().union(*_CLOSED.values()) == {*_FORMS, *CREDENTIALS}


def signed_text(values: Mapping[str, str]) -> bytes:
    """What the older style signs of these parameters, `sign` not among them: sorted by name, nothing escaped."""
    return "&".join([f"{name}={values[name]}" for name in sorted(values)]).encode()


class Parameters:
    """What a request says, each name once; nulls are as absent.

    typed: it came as JSON, so numbers and texts can be told apart. Asking for what is missing, not of the documented
    type or not of its form raises Rejected (10001).
    """

    __slots__ = ("_values", "typed")

    def __init__(self, values: dict[str, Json], *, typed: bool) -> None:
        self._values = values
        self.typed = typed

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def names_none_of(self, names: Iterable[str]) -> bool:
        return self._values.keys().isdisjoint(names)

    def canonical(self) -> bytes:
        """The text that the older style signs: everything but `sign`, values as they were sent."""
        return signed_text(
            {
                name: value if isinstance(value, str) else self.literal(name) or ""
                for name, value in self._values.items()
                if name != SIGNED_BY_PARAMETERS
            }
        )

    def literal(self, name: str) -> str | None:
        """A text, or a number as it was written; None when absent."""
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, Number):
            return value.literal
        raise bad_parameter(name)

    def text(self, name: str) -> str:
        """What it says; "" when absent or empty."""
        value = self._values.get(name, "")
        if not isinstance(value, str) or (value and _FORMS[name].fullmatch(value) is None):
            raise bad_parameter(name)
        return value

    def required(self, name: str) -> str:
        text = self.text(name)
        if not text:
            raise bad_parameter(name)
        return text

    def integer(self, name: str) -> int | None:
        """None when absent, or empty in a query. In JSON the text "3" is no 3, though both sign alike."""
        value = self._values.get(name)
        if value is None or (value == "" and not self.typed):
            return None
        if isinstance(value, Number) is not self.typed:
            raise bad_parameter(name)
        literal = self.literal(name) or ""
        if _FORMS[name].fullmatch(literal) is None:
            raise bad_parameter(name)
        return int(literal)

    def amount(self, scale: int) -> Units:
        """`amount` in units of `scale` decimals, from its text or its literal. Raises Refused as core/amounts.py."""
        value = self._values.get("amount")
        if isinstance(value, Number):
            return parse_json_number(value.literal, scale)
        return parse_amount(self.required("amount"), scale)

    def check_names(self, route: Route) -> None:
        """Raises Rejected for a name that the route does not have, or a stray that is not of its form."""
        for name in self._values:
            if name not in _CLOSED[route.path]:
                raise bad_parameter(name)
        for name in _STRAYS:
            literal = self.literal(name)
            if literal and _FORMS[name].fullmatch(literal) is None:
                raise bad_parameter(name)


def read_parameters(request: Request) -> Parameters:
    """The parameters of a JSON body or of the query, where a POST may carry them too; never of both.

    Raises Rejected for anything but one clean JSON object, or one clean query.
    """
    if not request.body:
        return Parameters(_read_query(request.query), typed=False)
    if request.query:
        raise Rejected(BAD_PARAMETER)
    try:
        members = read_object(request.body)
    except JsonFaultError:
        raise Rejected(BAD_PARAMETER) from None
    if None in members.values():
        members = {name: value for name, value in members.items() if value is not None}
    return Parameters(members, typed=True)


def _read_query(query: bytes) -> dict[str, Json]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX
        )
    except ValueError:
        raise Rejected(BAD_PARAMETER) from None
    found: dict[str, Json] = dict(pairs)
    if len(found) != len(pairs):
        raise Rejected(BAD_PARAMETER)
    return found
