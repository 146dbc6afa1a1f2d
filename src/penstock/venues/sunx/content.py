"""The content of a withdrawal: the one text that says what is paid, and that the customer's wallet signs.

Source: SunX docs, "Create a Withdraw Request" (sample). The text has no quoting, so no field may hold a mark of it.
"""

from __future__ import annotations

import re

import msgspec

_FIELD = re.compile(r"[0-9A-Za-z.]{1,128}", re.ASCII)
_NONCE = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)
_NAMES = ("address", "currency", "chain", "amount", "fee", "nonce")


class Content(msgspec.Struct, frozen=True, gc=False):
    """What a quote says, as texts. amount: what the receiver gets. fee: debited beside it.

    Letters, digits and points only; making one with anything else is a ValueError, so that two contents never have
    one text.
    """

    address: str
    currency: str
    chain: str
    amount: str
    fee: str

    def __post_init__(self) -> None:
        for name in _NAMES[:-1]:
            if _FIELD.fullmatch(getattr(self, name)) is None:
                raise ValueError(f"{name} would not stand alone in the content")

    def text(self, nonce: str) -> str:
        """What the wallet signs: `address:<a>,currency:<c>,chain:<ch>,amount:<n>,fee:<f>,nonce:<nonce>`."""
        assert is_nonce(nonce), nonce
        return (
            f"address:{self.address},currency:{self.currency},chain:{self.chain},"
            f"amount:{self.amount},fee:{self.fee},nonce:{nonce}"
        )

    def stored(self) -> str:
        """As JSON, to be kept with the withdrawal."""
        return msgspec.json.encode(self).decode()


def is_nonce(text: str) -> bool:
    """Whether the text has the form of a nonce (SunX docs: 0-9, a-z, A-Z; the length varies in its samples)."""
    return _NONCE.fullmatch(text) is not None


def restored(stored: str) -> Content:
    """The content that `Content.stored` wrote."""
    return msgspec.json.decode(stored, type=Content)


def read_content(text: str) -> tuple[Content, str]:
    """The content and nonce in a text that a venue sent.

    Raises ValueError unless it is exactly the text that the two would be written as.
    """
    pairs = [part.partition(":") for part in text.split(",")]
    if tuple(name for name, _, _ in pairs) != _NAMES:
        raise ValueError("the content has other fields than the documented ones")
    *fields, nonce = (value for _, _, value in pairs)
    if not is_nonce(nonce):
        raise ValueError("the content's nonce is malformed")
    content = Content(*fields)
    if content.text(nonce) != text:
        raise ValueError("the content is not in the documented form")
    return content, nonce
