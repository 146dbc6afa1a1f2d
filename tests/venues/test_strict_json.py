from __future__ import annotations

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.venues.strict_json import (
    DEPTH_MAX,
    EXPONENT_DIGITS_MAX,
    NUMBER_CHARACTERS_MAX,
    Json,
    JsonFault,
    JsonFaultError,
    Number,
    read_object,
)


def is_small(number: float) -> bool:
    """Within the limits on a literal's length and exponent."""
    text = json.dumps(number)
    return (
        len(text) <= NUMBER_CHARACTERS_MAX and len(text.partition("e")[2].lstrip("+-")) <= EXPONENT_DIGITS_MAX
    )


# Unicode text without surrogates and without NUL: what may stand in a string.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
NUMBERS = (st.integers() | st.floats(allow_nan=False, allow_infinity=False)).filter(is_small)
PLAIN = TEXT | NUMBERS | st.booleans() | st.none()
FLAT = st.dictionaries(TEXT, PLAIN)
NESTED = st.dictionaries(
    TEXT,
    st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=10),
)


def fault_of(body: bytes) -> JsonFault | None:
    try:
        read_object(body)
    except JsonFaultError as error:
        return error.fault
    return None


def numbers_as_python_reads_them(value: Json) -> object:
    if isinstance(value, Number):
        return json.loads(value.literal)
    if isinstance(value, dict):
        return {name: numbers_as_python_reads_them(member) for name, member in value.items()}
    if isinstance(value, list):
        return [numbers_as_python_reads_them(member) for member in value]
    return value


def deepest(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(deepest, inner), default=0)


@given(FLAT, st.booleans(), st.sampled_from([None, 2]))
def test_every_valid_flat_object_is_read_as_the_standard_library_reads_it(
    members: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(members, ensure_ascii=ascii_only, indent=indent)
    assert numbers_as_python_reads_them(read_object(text.encode())) == json.loads(text)


@given(NESTED)
def test_nesting_is_read_up_to_the_limit_and_refused_beyond_it(members: dict[str, object]) -> None:
    text = json.dumps(members)
    if deepest(members) <= DEPTH_MAX:
        assert numbers_as_python_reads_them(read_object(text.encode())) == json.loads(text)
    else:
        assert fault_of(text.encode()) is JsonFault.TOO_DEEP


@given(TEXT, PLAIN, PLAIN, FLAT, st.booleans())
def test_a_doubled_key_is_always_refused(
    name: str, first: object, second: object, others: dict[str, object], nested: bool
) -> None:
    between = "".join(
        f"{json.dumps(key)}:{json.dumps(value)}," for key, value in others.items() if key != name
    )
    escaped = "".join(f"\\u{unit:04x}" for unit in _utf16(name))
    text = f'{{{json.dumps(name)}:{json.dumps(first)},{between}"{escaped}":{json.dumps(second)}}}'
    body = f'{{"inner":{text}}}' if nested else text
    assert fault_of(body.encode()) is JsonFault.DUPLICATE_KEY


def _utf16(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [raw[at] << 8 | raw[at + 1] for at in range(0, len(raw), 2)]


@given(st.binary(max_size=200))
def test_whatever_comes_ends_in_an_object_or_a_fault(body: bytes) -> None:
    with contextlib.suppress(JsonFaultError):
        assert isinstance(read_object(body), dict)


@given(st.text(alphabet='{}[]",:\\u0eE1.-+ntf \n', max_size=60))
def test_nothing_is_read_that_the_standard_library_refuses(text: str) -> None:
    if fault_of(text.encode()) is None:
        assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize(
    "body, fault",
    [
        (b"", JsonFault.SYNTAX),
        (b"null", JsonFault.NOT_AN_OBJECT),
        (b"[]", JsonFault.NOT_AN_OBJECT),
        (b'"x"', JsonFault.NOT_AN_OBJECT),
        (b"1", JsonFault.NOT_AN_OBJECT),
        (b"NaN", JsonFault.NUMBER),
        (b"{} {}", JsonFault.SYNTAX),
        (b'{"a":1,}', JsonFault.SYNTAX),
        (b"{'a':1}", JsonFault.SYNTAX),
        (b'{"a":01}', JsonFault.SYNTAX),
        (b'{"a":.5}', JsonFault.SYNTAX),
        (b'{"a":5.}', JsonFault.SYNTAX),
        (b'{"a":+1}', JsonFault.SYNTAX),
        (b'{"a":0x10}', JsonFault.SYNTAX),
        (b'{"a":"\n"}', JsonFault.SYNTAX),
        (b'{"a":"\x00"}', JsonFault.SYNTAX),
        (b'{"a":"\\x"}', JsonFault.SYNTAX),
        (b"{}\x00", JsonFault.SYNTAX),
        (b"\x0c{}", JsonFault.SYNTAX),
        ("{}\u00a0".encode(), JsonFault.SYNTAX),
        (b"\xef\xbb\xbf{}", JsonFault.SYNTAX),
        ("{}".encode("utf-16"), JsonFault.NOT_UTF8),
        (b'{"a":"\xff"}', JsonFault.NOT_UTF8),
        (b'{"a":"\xed\xa0\x80"}', JsonFault.NOT_UTF8),
        (b'{"a":"\xc0\x80"}', JsonFault.NOT_UTF8),
        (b'{"a":NaN}', JsonFault.NUMBER),
        (b'{"a":Infinity}', JsonFault.NUMBER),
        (b'{"a":-Infinity}', JsonFault.NUMBER),
        (b'{"a":1e400}', JsonFault.NUMBER),
        (b'{"a":1E-100}', JsonFault.NUMBER),
        (b'{"a":' + b"1" * 129 + b"}", JsonFault.NUMBER),
        (b'{"a":[0.' + b"1" * 128 + b"]}", JsonFault.NUMBER),
        (b'{"a":"\\u0000"}', JsonFault.TEXT),
        (b'{"a":["\\ud800"]}', JsonFault.TEXT),
        (b'{"a":{"b":"\\udc00\\ud800"}}', JsonFault.TEXT),
        (b'{"\\ud800":1}', JsonFault.TEXT),
        (b'{"a":1,"a":1}', JsonFault.DUPLICATE_KEY),
        (b'{"a":1,"\\u0061":2}', JsonFault.DUPLICATE_KEY),
        (b'{"a":[{"b":1,"b":2}]}', JsonFault.DUPLICATE_KEY),
        (b'{"a":' + b"[" * 8 + b"]" * 8 + b"}", JsonFault.TOO_DEEP),
    ],
)
def test_a_fault_is_named(body: bytes, fault: JsonFault) -> None:
    assert fault_of(body) is fault


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":"[[[[[[[[[[[[{{{{{{{{{\\"[[["}',
        b'{"a":"\\\\u0000"}',
        b'{"a":' + b"[" * 7 + b"]" * 7 + b"}",
        b'{"a":[' + b"[]," * 1_000 + b"{}]}",
        b' \t\r\n{"a":1e99}\n',
        b'{"a":1,"A":1,"\xd0\xb0":1}',
    ],
)
def test_what_only_looks_dangerous_is_read(body: bytes) -> None:
    assert numbers_as_python_reads_them(read_object(body)) == json.loads(body)


def test_a_number_stays_the_literal_that_was_sent() -> None:
    found = read_object(b'{"a":1e-05,"b":100.000,"c":-0,"d":12345678901234567890123}')
    literals = [number.literal for number in found.values() if isinstance(number, Number)]
    assert literals == ["1e-05", "100.000", "-0", "12345678901234567890123"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 65_536,
        b'{"a":' * 10_000,
        b'{"x":1}' * 9_362,
        b'{"a":"' + b'[\\"' * 21_000,
        b'{"a":"' + b"\\" * 65_000,
        b'{"a":[' + b'"",' * 21_000 + b"[[[[[[[[",
        b'{"a":' + b"1" * 65_000 + b"}",
        b'{"a":1e' + b"9" * 65_000 + b"}",
        b'{"a":"' + b"\\u0061" * 10_000 + b'"}',
    ],
    ids=lambda body: body[:12].decode(),
)
def test_the_worst_body_of_64_kib_costs_little(body: bytes) -> None:
    began = time.process_time_ns()
    fault_of(body)
    assert (time.process_time_ns() - began) / 1e6 < 50
