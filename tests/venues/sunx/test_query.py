"""A query of the usual layout is read by a short way, and to the same end."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from penstock.venues.sunx.query import SignedQuery, UnreadableQuery, read_query, taken_apart

USUAL = (
    b"AccessKeyId=e2xxxxxx-99xxxxxx-84xxxxxx-7xxxx&SignatureMethod=HmacSHA256&SignatureVersion=2"
    b"&Timestamp=2026-11-21T18%3A58%3A00&Signature=4F65x5A2bLyMWVQj3Aqp%2BB4w%2FivaA7n5Oi2SuYtCJ9o%3D"
)
PIECES = (
    b"",
    b"&",
    b"=",
    b"%",
    b"+",
    b"%2B",
    b"%3a",
    b"%00",
    b"&Signature=x",
    b"&AccessKeyId=a",
    b"\xc3\xa9",
    b"a",
    b"Z",
    b"7",
)


def _read(read: object, query: bytes) -> SignedQuery | None:
    try:
        return read(query)  # type: ignore[operator]
    except UnreadableQuery:
        return None


def test_the_usual_layout_is_read_as_it_was_meant() -> None:
    read = read_query(USUAL)
    assert read.values == {
        "AccessKeyId": "e2xxxxxx-99xxxxxx-84xxxxxx-7xxxx",
        "SignatureMethod": "HmacSHA256",
        "SignatureVersion": "2",
        "Timestamp": "2026-11-21T18:58:00",
        "Signature": "4F65x5A2bLyMWVQj3Aqp+B4w/ivaA7n5Oi2SuYtCJ9o=",
    }
    assert read.as_sent == USUAL.partition(b"&Signature=")[0]


@given(st.integers(0, len(USUAL)), st.integers(0, 4), st.sampled_from(PIECES))
@example(0, 0, b"")
def test_whatever_is_changed_in_it_both_ways_read_the_same(at: int, cut: int, put: bytes) -> None:
    query = USUAL[:at] + put + USUAL[at + cut :]
    assert _read(read_query, query) == _read(taken_apart, query)
