"""The cursor of a list: where the next page begins, in a text that only its own reader can have been given.

The venue's cursors elsewhere are base64 of `{"minID":..,"maxID":..}` (Zoomex docs, "Query Transfer List"). Ours hold
the same and a mark over account and filters, keyed with the caller's secret: a forged one, another account's, or one
of another list or with other filters is refused.
"""

from __future__ import annotations

import base64
import hmac
from typing import Annotated

import msgspec

from penstock.core.views import KeyView
from penstock.venues.zoomex.errors import Rejected, bad_parameter

_MARK_BYTES = 16
_Id = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
_encode = msgspec.json.Encoder().encode


class _Cursor(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"least": "minID", "most": "maxID"}
):
    least: _Id
    most: _Id
    mark: str


def write_cursor(key: KeyView, scope: tuple[str | int | None, ...], ids: list[int]) -> str:
    """For the page after one that showed `ids`. scope: which list it is, and every filter. Base64url, no padding."""
    least, most = min(ids), max(ids)
    cursor = _encode(_Cursor(least, most, _mark(key, scope, least, most)))
    return base64.urlsafe_b64encode(cursor).rstrip(b"=").decode()


def read_cursor(key: KeyView, scope: tuple[str | int | None, ...], text: str) -> int:
    """The id below which the page begins. Raises Rejected (10001)."""
    try:
        cursor = msgspec.json.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=_Cursor)
    except (ValueError, msgspec.DecodeError):
        raise _refused() from None
    expected = _mark(key, scope, cursor.least, cursor.most)
    if not hmac.compare_digest(expected.encode(), cursor.mark.encode()):
        raise _refused()
    return cursor.least


def _refused() -> Rejected:
    return bad_parameter("cursor")


def _mark(key: KeyView, scope: tuple[str | int | None, ...], least: int, most: int) -> str:
    # It begins with a byte that no signed request can begin with, so a mark is never a request's signature.
    message = b"\0cursor" + _encode((key.account_id, scope, least, most))
    return hmac.digest(key.secret, message, "sha256")[:_MARK_BYTES].hex()
