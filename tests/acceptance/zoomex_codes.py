"""The verdicts of Zoomex's API, as (HTTP status, code): what its page says of each stands in docs/venues/zoomex.md."""

from __future__ import annotations

PARAMETER, TIME, KEY, SIGN, DENIED = (200, 10001), (200, 10002), (200, 10003), (200, 10004), (200, 10005)
MALFORMED, FORBIDDEN_BODY, NOT_FOUND = (400, 10001), (403, 10001), (404, 10017)
BUSINESS, ONESELF, NOBODY, TAG_UNWANTED = (200, 131002), (200, 131075), (200, 131077), (200, 131081)
BOOK, SIZE, CLOSED, TOO_NEW = (200, 131093), (200, 131096), (200, 131097), (200, 131098)
PRECISION, BALANCE, AMOUNT = (200, 131210), (200, 131212), (200, 131215)
