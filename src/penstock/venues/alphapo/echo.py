"""What AlphaPo repeats of a request in every later answer, kept with the withdrawal as the venue's own text.

The codes and their decimals stay as they were said, so that a record reads the same whatever is listed later, and a
callback can be written from the withdrawal alone.
"""

from __future__ import annotations

import msgspec

TRAVEL_TYPES: dict[str, tuple[str, ...]] = {
    "sender_type": ("legal", "natural"),
    "receiver_type": ("legal", "natural", "self"),
}
TRAVEL_DATA = ("sender_data", "receiver_data")
TRAVEL_NAMES = (
    "legal_name",
    "country_of_registration",
    "first_name",
    "last_name",
    "date_of_birth",
    "email",
)
"""The documented members of `sender_data` and `receiver_data`, of legal and natural persons together."""


class Echo(msgspec.Struct, frozen=True, omit_defaults=True):
    """sender, receiver: currency codes. scales: the decimals of their ledger units. reference: end_user_reference.

    converted: the receiver's currency was asked for and is another. types, persons: travel-rule data, stored as sent.
    """

    sender: str
    receiver: str
    scales: tuple[int, int]
    converted: bool = False
    reference: str = ""
    types: dict[str, str] = {}
    persons: dict[str, dict[str, str]] = {}

    def encoded(self) -> str:
        return _encode(self).decode()


def read_echo(extra: str) -> Echo:
    """What `Echo.encoded` wrote."""
    return _decode(extra)


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Echo).decode
