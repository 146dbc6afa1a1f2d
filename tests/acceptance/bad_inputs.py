"""What the bad inputs of all venues have in common."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

ENCODINGS: dict[str, Callable[[bytes, bytes], bytes]] = {
    "UTF-16": lambda body, _word: body.decode().encode("utf-16"),
    "UTF-16BE": lambda body, _word: body.decode().encode("utf-16-be"),
    "UTF-32": lambda body, _word: body.decode().encode("utf-32"),
    "BOM": lambda body, _word: b"\xef\xbb\xbf" + body,
    "NUL": lambda body, word: body.replace(word, word + b"\x00"),
    "invalid UTF-8": lambda body, word: body.replace(word, word + b"\xff"),
    "CESU surrogate": lambda body, word: body.replace(word, word + b"\xed\xa0\x80"),
    "overlong": lambda body, word: body.replace(word, word + b"\xc0\xaf"),
}
"""(a sound body, a word within one of its texts) to the body in another encoding, or with bytes that are no text."""


def assert_alike_in_time(kinds: Iterable[Sequence[float]]) -> None:
    """kinds: the seconds that each of several kinds of request took. Loose: the machine is shared. A look-up in the
    database or a signature that is not verified, for one kind alone, would show.
    """
    medians = [statistics.median(taken) for taken in kinds]
    assert max(medians) < 3 * min(medians) + 0.002
