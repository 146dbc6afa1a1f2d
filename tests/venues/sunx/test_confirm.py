from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge
from penstock.core.ids import AccountId
from penstock.core.queries import FindChallenge
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.states import State
from penstock.core.time import UnixMs
from penstock.core.views import Accepted, AnswerRejected, ChallengeView
from penstock.venues.sunx.replies import STATES
from penstock.venues.venue import Ask, Reply
from tests.venues.sunx.world import (
    ACCOUNT,
    APPLY,
    CLOUD,
    CONFIRM,
    CONTENT,
    JSON,
    KEY,
    NONCE,
    NOW_MS,
    OTHER_WALLET,
    VENUE,
    WALLET,
    a_challenge,
    answered,
    apply_members,
    error,
    make_key,
    outcome,
    post,
    route_of,
    signed,
    told,
    tron_signature,
)

OTHER_KEY = "11" * 32
SIGNATURE = tron_signature(CONTENT)
WRONG = (200, "dw-withdraw-signature-error")


def confirm(**changes: object) -> Ask | Reply:
    members: dict[str, object] = {"nonce": NONCE, "signature": SIGNATURE}
    return outcome(post(CONFIRM, {k: v for k, v in (members | changes).items() if v is not None}))


def command(challenge: ChallengeView, **changes: object) -> AnswerChallenge:
    asked = answered(confirm(**changes), challenge)
    assert isinstance(asked, Ask), asked
    assert isinstance(asked.question, AnswerChallenge)
    return asked.question


def is_valid(challenge: ChallengeView, signature: str) -> bool:
    return command(challenge, signature=signature).valid


def test_a_confirmation_first_asks_for_the_callers_own_quote() -> None:
    asked = confirm()
    assert isinstance(asked, Ask)
    assert asked.question == FindChallenge(ACCOUNT, "sunx", NONCE)
    another = outcome(
        post(CONFIRM, {"nonce": NONCE, "signature": SIGNATURE}), make_key(account_id=AccountId(8))
    )
    assert isinstance(another, Ask)
    assert another.question == FindChallenge(AccountId(8), "sunx", NONCE)


def test_the_wallets_signature_over_the_content_is_a_valid_answer() -> None:
    assert command(a_challenge()) == AnswerChallenge(
        account_id=ACCOUNT,
        key_id=KEY,
        venue="sunx",
        nonce=NONCE,
        answer=SIGNATURE.removeprefix("0x"),
        valid=True,
        wallets=("spot",),
    )


@pytest.mark.parametrize(
    "form",
    [
        SIGNATURE.removeprefix("0x"),
        SIGNATURE.removeprefix("0x").upper(),
        SIGNATURE[:-2] + f"{int(SIGNATURE[-2:], 16) - 27:02x}",
    ],
)
def test_every_form_of_one_signature_is_one_answer(form: str) -> None:
    assert command(a_challenge(), signature=form) == command(a_challenge())


@pytest.mark.parametrize(
    "signature",
    [
        tron_signature(CONTENT, OTHER_KEY),
        tron_signature(CONTENT.replace("8.799999", "8.8")),
        tron_signature(CONTENT.replace("fee:1.2", "fee:0")),
        tron_signature(CONTENT.replace(NONCE, "A" * 32)),
        tron_signature(CONTENT + "\n"),
    ],
)
def test_another_wallets_signature_or_one_over_another_text_is_not_valid(signature: str) -> None:
    answer = command(a_challenge(), signature=signature)
    assert (answer.valid, answer.answer) == (False, signature.removeprefix("0x"))


@pytest.mark.parametrize("signature", ["0x", "zz", "0" * 131, "1" * 5_000, "é"])
def test_what_is_no_signature_is_an_invalid_answer(signature: str) -> None:
    answer = command(a_challenge(), signature=signature)
    assert (answer.valid, answer.answer) == (False, "")


def test_only_the_wallet_that_is_paid_may_sign() -> None:
    """Even where the content names somebody else's address, and its signer is the caller."""
    extra = json.dumps(apply_members(fee="1.2", address=OTHER_WALLET))
    challenge = a_challenge(address=OTHER_WALLET, extra=extra)
    text = CONTENT.replace(WALLET, OTHER_WALLET)
    assert not is_valid(challenge, tron_signature(text))


def test_the_content_is_rebuilt_as_it_was_quoted() -> None:
    """Text for text: other zeros and capitals in the amount and currency are part of what was signed."""
    extra = json.dumps(apply_members(fee="1.2", amount="8.7999990", currency="USDT"))
    challenge = a_challenge(extra=extra)
    quoted = CONTENT.replace("8.799999", "8.7999990").replace("currency:usdt", "currency:USDT")
    assert is_valid(challenge, tron_signature(quoted))
    assert not is_valid(challenge, SIGNATURE)


@pytest.mark.parametrize("changes", [{"net": Units(8_799_998)}, {"fee": Units(0)}, {"address": OTHER_WALLET}])
def test_a_quote_that_says_something_else_than_would_be_paid_is_a_fault_and_not_an_answer(
    changes: dict[str, object],
) -> None:
    with pytest.raises(AssertionError):
        answered(confirm(), a_challenge(**changes))


@given(
    st.sampled_from(["address", "currency", "chain", "amount", "fee"]), st.integers(0, 40), st.integers(0, 6)
)
def test_no_changed_content_keeps_a_signature_valid(name: str, place: int, bit: int) -> None:
    fields = {"address": WALLET, "currency": "usdt", "chain": "trc20usdt", "amount": "8.799999", "fee": "1.2"}
    text = fields[name]
    place %= len(text)
    fields[name] = text[:place] + chr(ord(text[place]) ^ 1 << bit) + text[place + 1 :]
    signed_text = ",".join(f"{key}:{value}" for key, value in [*fields.items(), ("nonce", NONCE)])
    assert not is_valid(a_challenge(), tron_signature(signed_text))


def test_no_changed_nonce_keeps_a_signature_valid() -> None:
    for place in range(len(NONCE)):
        other = NONCE[:place] + ("0" if NONCE[place] != "0" else "1") + NONCE[place + 1 :]
        challenge = msgspec.structs.replace(a_challenge(), nonce=other)
        assert not is_valid(challenge, SIGNATURE)


def test_no_changed_bit_of_a_signature_is_valid() -> None:
    octets = bytes.fromhex(SIGNATURE[2:])
    for place in range(len(octets)):
        for bit in range(8):
            changed = bytearray(octets)
            changed[place] ^= 1 << bit
            assert not is_valid(a_challenge(), changed.hex())


# --- answers ---------------------------------------------------------------------------------------------------------


def replied(answer: object) -> Reply:
    reply = answered(confirm(), a_challenge(), answer)
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize("state", State)
def test_acceptance_is_answered_with_the_number_and_a_word_of_the_venue(state: State) -> None:
    reply = replied(Accepted(380_000_000_000_000_001, UnixMs(NOW_MS), repeated=False, number=41, state=state))
    assert reply.status == 200
    word = STATES[state][1]
    assert word in {"Verifying", "Processing", "Failed"}
    assert json.loads(reply.body) == {"status": "ok", "data": {"order-id": 41, "status": word}}


@pytest.mark.parametrize(
    "state, word",
    [
        (State.HELD, "Processing"),
        (State.AWAITING_APPROVAL, "Verifying"),
        (State.REJECTED, "Failed"),
    ],
)
def test_an_order_waits_for_people_or_is_under_way_or_has_failed(state: State, word: str) -> None:
    reply = replied(Accepted(1, UnixMs(NOW_MS), repeated=False, number=1, state=state))
    assert json.loads(reply.body)["data"]["status"] == word


def test_a_repeated_confirmation_gets_the_same_answer() -> None:
    first, again = (
        replied(Accepted(1, UnixMs(NOW_MS), repeated=repeated, number=41, state=State.HELD))
        for repeated in (False, True)
    )
    assert first == again


def test_an_invalid_answer_is_told_as_such() -> None:
    assert error(replied(AnswerRejected(4))) == WRONG


@pytest.mark.parametrize(
    "code, expected",
    [
        (RefusalCode.CHALLENGE_UNKNOWN, "dw-withdraw-nonce-invalid"),
        (RefusalCode.CHALLENGE_EXPIRED, "dw-withdraw-nonce-expired"),
        (RefusalCode.CHALLENGE_USED, "dw-withdraw-nonce-used"),
        (RefusalCode.CHALLENGE_EXHAUSTED, "dw-withdraw-nonce-invalid"),
        (RefusalCode.BALANCE_TOO_LOW, "dw-insufficient-balance"),
    ],
)
def test_what_the_engine_says_of_a_nonce_has_its_code(code: RefusalCode, expected: str) -> None:
    assert error(VENUE.refuse(Refused(code), route_of("POST", CONFIRM))) == (200, expected)


def test_a_nonce_that_is_nobodys_or_somebody_elses_is_invalid() -> None:
    assert error(answered(confirm(), None)) == (200, "dw-withdraw-nonce-invalid")


# --- the body --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["nonce", "signature"])
@pytest.mark.parametrize("value", ["", None])
def test_both_fields_are_needed(name: str, value: str | None) -> None:
    reply = confirm(**{name: value})
    assert error(reply) == (200, "validation-constraints-required")
    assert told(reply) == f"Field is missing: {name}."


@pytest.mark.parametrize("name", ["nonce", "signature"])
@pytest.mark.parametrize("value", [1, True, [], {}, ["a"]])
def test_both_fields_are_texts(name: str, value: object) -> None:
    reply = confirm(**{name: value})
    assert error(reply) == (200, "validation-format-error")
    assert told(reply) == f"Format Error: {name}."


@pytest.mark.parametrize("nonce", ["A" * 65, "A-B", "A,B", "A:B", "A\n", " A", "Ａ", "é", "'; DROP"])  # noqa: RUF001
def test_a_nonce_of_another_form_is_refused(nonce: str) -> None:
    assert error(confirm(nonce=nonce)) == (200, "validation-format-error")


def test_a_nonces_case_matters() -> None:
    asked = confirm(nonce=NONCE.lower())
    assert isinstance(asked, Ask)
    assert asked.question == FindChallenge(ACCOUNT, "sunx", NONCE.lower())


def test_the_tenants_header_a_json_body_and_the_master_account_are_needed() -> None:
    body = json.dumps({"nonce": NONCE, "signature": SIGNATURE}).encode()
    assert error(outcome(signed("POST", CONFIRM, body, headers=(JSON,)))) == (200, "login-required")
    assert error(outcome(signed("POST", CONFIRM, b"nonce=1"))) == (200, "gateway-internal-error")
    xml = (CLOUD, (b"content-type", b"text/xml"))
    assert error(outcome(signed("POST", CONFIRM, body, headers=xml))) == (200, "gateway-internal-error")
    sub = outcome(signed("POST", CONFIRM, body), make_key(is_sub_account=True))
    assert error(sub) == (200, "api-signature-not-valid")


def test_what_is_answered_to_apply_is_what_confirm_takes() -> None:
    applied = outcome(post(APPLY, apply_members()))
    assert isinstance(applied, Ask)
    quote = answered(applied, Accepted(1, UnixMs(NOW_MS), repeated=False))
    assert isinstance(quote, Reply)
    data = json.loads(quote.body)["data"]
    challenge = a_challenge(extra=applied.question.extra)  # type: ignore[union-attr]
    answer = command(challenge, nonce=data["nonce"], signature=tron_signature(data["content"]))
    assert answer.valid
