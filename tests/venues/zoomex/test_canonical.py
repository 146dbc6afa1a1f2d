"""A set of parameters is never accepted under another set's signature, though style P signs `a=b&c=d` unescaped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.venues.venue import Ask, Request
from tests.venues.zoomex.world import (
    CREATE,
    DEPOSITS,
    INNER,
    KEY,
    NOW_MS,
    RECORDS,
    RIPPLE_ADDRESS,
    TRON_ADDRESS,
    by_old_query,
    by_parameters,
    create_members,
    demo_members,
    demo_sign,
    hmac_of,
    inner_members,
    outcome,
    raw,
    refusal,
)

CREDENTIALS = ("api_key", "timestamp", "recv_window", "sub_user_id")
# From the venue's pages, written out a second time.
NAMES = {
    CREATE: (*CREDENTIALS, "coin", "chain", "address", "tag", "amount", "requestId"),
    INNER: (
        *CREDENTIALS,
        *("requestId", "coin", "addressType", "areaCode", "address", "amount", "remark"),
    ),
    RECORDS: (
        *CREDENTIALS,
        *("withdrawId", "txid", "coin", "withdrawType", "startTime", "endTime", "pageSize", "cursor"),
    ),
    DEPOSITS: (
        *CREDENTIALS,
        *("type", "chain", "coin", "txId", "startTime", "endTime", "pageSize", "cursor"),
    ),
}
NUMBERS = {"addressType", "areaCode", "timestamp", "recv_window"}


def cuttings(text: str, names: tuple[str, ...], after: str = "") -> Iterator[dict[str, str]]:
    """Every set of these names whose signed text is exactly `text`."""
    for name in sorted(names):
        if name <= after or not text.startswith(f"{name}="):
            continue
        rest = text[len(name) + 1 :]
        yield {name: rest}
        for at, mark in enumerate(rest):
            if mark == "&":
                for more in cuttings(rest[at + 1 :], names, name):
                    yield {name: rest[:at]} | more


def signed_text(members: dict[str, str]) -> str:
    return "&".join(f"{name}={members[name]}" for name in sorted(members))


def as_query(path: str, members: dict[str, str], sign: str) -> Request:
    return raw(path, query=urlencode(members | {"sign": sign}).encode())


def as_json(path: str, members: dict[str, str], sign: str) -> Request:
    typed = {
        name: int(value) if name in NUMBERS and value.isdecimal() and value.isascii() else value
        for name, value in members.items()
    }
    return raw(path, body=json.dumps(typed | {"sign": sign}).encode())


def accepted(request: Request) -> bool:
    return isinstance(outcome(request), Ask)


def texts(**members: str) -> dict[str, str]:
    return {"api_key": KEY, "timestamp": str(NOW_MS), **members}


FRAGMENTS = [
    *("x", "&", "=", "&remark=", "&requestId=", "&requestId=a1", "&recv_window=9", "&timestamp=1"),
    *("&sub_user_id=1", "&coin=BTC", "&areaCode=61", "&amount=9", "&address=5", "&tag=7", "&sign=00"),
    *("&remark2=y", "&addressType=1", "&api_key=k", " ", "備"),
]
NASTY = st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join).map(lambda text: text[:50])
OPTIONAL = st.fixed_dictionaries(
    {},
    optional={
        "recv_window": st.sampled_from(["5000", "1000000"]),
        "sub_user_id": st.sampled_from(["1", "162119745"]),
    },
)
INNER_SETS = st.builds(
    lambda more, optional, remark: texts(**more, **optional, **remark),
    st.fixed_dictionaries(
        {
            "requestId": st.text("aB9", min_size=1, max_size=4),
            "coin": st.just("USDT"),
            "amount": st.sampled_from(["1", "25.5"]),
        }
    ).flatmap(
        lambda fixed: st.sampled_from(
            [
                fixed | {"addressType": "3", "address": "162119745"},
                fixed | {"addressType": "1", "address": "a+b@example.com"},
                fixed | {"addressType": "2", "address": "412345678", "areaCode": "61"},
                fixed | {"addressType": "3", "address": "5", "areaCode": "61"},
            ]
        )
    ),
    OPTIONAL,
    st.fixed_dictionaries({}, optional={"remark": NASTY}),
)
CREATE_SETS = st.builds(
    lambda more, optional, tag: texts(**more, **optional, **tag),
    st.sampled_from(
        [
            {"coin": "USDT", "chain": "TRX", "address": TRON_ADDRESS, "amount": "25.5", "requestId": "r1"},
            {"coin": "XRP", "chain": "XRP", "address": RIPPLE_ADDRESS, "amount": "25", "requestId": "R1"},
        ]
    ),
    OPTIONAL,
    st.fixed_dictionaries({}, optional={"tag": st.one_of(st.sampled_from(["", "7", "4294967295"]), NASTY)}),
)


@given(INNER_SETS)
def test_no_other_cutting_of_a_signed_text_is_a_request_to_pay_an_account(members: dict[str, str]) -> None:
    _check_every_cutting(INNER, members)


@given(CREATE_SETS)
def test_no_other_cutting_of_a_signed_text_is_a_request_to_pay_an_address(members: dict[str, str]) -> None:
    _check_every_cutting(CREATE, members)


@given(INNER_SETS | CREATE_SETS)
def test_what_was_signed_for_one_withdraw_call_is_nothing_to_the_other_calls(members: dict[str, str]) -> None:
    """The path is not signed: the names must tell the calls apart."""
    text = signed_text(members)
    home = CREATE if "chain" in members else INNER
    for path in NAMES.keys() - {home}:
        for cut in cuttings(text, NAMES[path]):
            assert not accepted(as_query(path, cut, hmac_of(text))), (path, cut)
        assert not accepted(as_query(path, members, hmac_of(text))), path


def _check_every_cutting(path: str, members: dict[str, str]) -> None:
    text = signed_text(members)
    sign = hmac_of(text)
    found = list(cuttings(text, NAMES[path]))
    assert members in found
    for make in (as_query, as_json):
        for cut in found:
            assert signed_text(cut) == text
            if cut != members:
                assert not accepted(make(path, cut, sign)), cut


def test_the_cuttings_hold_sets_that_an_open_reading_would_take() -> None:
    """So that the properties above are known to look at something."""
    members = texts(
        requestId="r1",
        coin="USDT",
        amount="1",
        addressType="3",
        address="5",
        remark="x&requestId=a&sub_user_id=1",
    )
    found = list(cuttings(signed_text(members), NAMES[INNER]))
    assert len(found) > 1
    assert accepted(as_json(INNER, members, hmac_of(signed_text(members))))


@given(INNER_SETS, INNER_SETS)
def test_one_sets_signature_never_carries_another_set(one: dict[str, str], other: dict[str, str]) -> None:
    sign = hmac_of(signed_text(one))
    for make in (as_query, as_json):
        assert accepted(make(INNER, other, sign)) <= (one == other)


@pytest.mark.parametrize("path, members", [(INNER, inner_members()), (CREATE, create_members())])
def test_a_name_that_the_route_does_not_have_is_refused_under_a_parameter_signature(
    path: str, members: dict[str, object]
) -> None:
    for stray in (
        {"remark2": "y"},
        {"status": "SUCCESS"},
        {"fee": "-5"},
        {"__proto__": "x"},
        {"": "x"},
        {"Coin": "USDT"},
        {"withdrawType": 2},
    ):
        assert refusal(outcome(by_parameters(path, members | stray))) == (200, 10001), stray


def test_the_published_collision_is_refused() -> None:
    """remark="x" with remark2="y" signs as remark="x&remark2=y"."""
    one = demo_members(inner_members(remark="x&remark2=y"))
    two = demo_members(inner_members(remark="x", remark2="y"))
    assert one["sign"] == two["sign"]
    assert accepted(raw(INNER, body=json.dumps(one).encode()))
    assert refusal(outcome(raw(INNER, body=json.dumps(two).encode()))) == (200, 10001)


@pytest.mark.parametrize("stray", ["162119745", 162119745])
def test_the_stray_that_the_venues_own_demo_sends_is_taken(stray: object) -> None:
    assert accepted(by_parameters(CREATE, create_members(sub_user_id=stray)))
    assert accepted(by_old_query(CREATE, create_members(sub_user_id=stray)))


@pytest.mark.parametrize("stray", [True, ["a"], {"a": "b"}, "a&b", "a=b", 1.5])
def test_the_stray_has_a_form_too(stray: object) -> None:
    assert refusal(outcome(by_parameters(CREATE, create_members(sub_user_id=stray)))) == (200, 10001)


def test_a_null_is_left_out_of_what_is_signed() -> None:
    members = demo_members(inner_members())
    assert accepted(raw(INNER, body=json.dumps(members | {"remark": None}).encode()))


@pytest.mark.parametrize("value", [True, False, ["1"], {"a": "1"}, [], {}])
@pytest.mark.parametrize("name", ["requestId", "coin", "addressType", "address", "amount", "remark"])
def test_a_member_that_signs_as_no_text_is_refused(name: str, value: object) -> None:
    """Whatever its sender thought it signs as: "True", "true" or a list's brackets."""
    for word in (str(value), json.dumps(value)):
        members = demo_members(inner_members()) | {name: value}
        del members["sign"]
        sign = demo_sign(members | {name: word})
        assert refusal(outcome(raw(INNER, body=json.dumps(members | {"sign": sign}).encode()))) == (
            200,
            10001,
        )


def test_a_number_and_a_text_of_the_same_digits_are_told_apart_where_the_type_matters() -> None:
    """`addressType` "3" signs like 3. Both are the same request in a query, where nothing has a type."""
    members = inner_members(addressType="3")
    assert refusal(outcome(by_parameters(INNER, members))) == (200, 10001)
    assert accepted(by_old_query(INNER, members))


@given(st.sampled_from(sorted(NAMES)), st.data())
def test_a_changed_value_needs_a_new_signature(path: str, data: st.DataObject) -> None:
    members = {INNER: inner_members(), CREATE: create_members()}.get(path, {"coin": "USDT", "pageSize": "5"})
    full = {name: str(value) for name, value in demo_members(members).items()}
    name = data.draw(st.sampled_from(sorted(full.keys() - {"sign"})))
    value = data.draw(
        st.text(st.characters(codec="utf-8"), max_size=70).filter(lambda text: text != full[name])
    )
    changed = raw(path, query=urlencode(full | {name: value}).encode())
    assert not accepted(changed)
