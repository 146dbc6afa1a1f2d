"""A quote that was made a moment ago is confirmed without a look-up, and in no other way than with one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from penstock.core.amounts import Units
from penstock.core.commands import AnswerChallenge
from penstock.core.ids import AccountId, WithdrawalId
from penstock.core.queries import FindChallenge
from penstock.core.time import UnixMs
from penstock.core.views import Accepted
from penstock.venues.sunx import Sunx
from penstock.venues.sunx.quotes import CHALLENGE_MS, Quoted, Quotes
from penstock.venues.sunx.wallet import digest
from penstock.venues.venue import Ask, Reply
from tests.venues.sunx.world import (
    ACCOUNT,
    APPLY,
    CONFIRM,
    CONTENT,
    NONCE,
    NOW_MS,
    OTHER_WALLET,
    WALLET,
    a_challenge,
    answered,
    apply_members,
    make_key,
    make_world,
    outcome,
    post,
    tron_signature,
)

OTHER_KEY = "11" * 32
ACCEPTED = Accepted(
    WithdrawalId(380_000_000_000_000_001),
    NOW_MS,
    repeated=False,
    amount=Units(9_999_999),
    fee=Units(1_200_000),
    net=Units(8_799_999),
)


def quoting(accepted: Accepted = ACCEPTED) -> Sunx:
    """A venue that has just quoted CONTENT to ACCOUNT."""
    venue = Sunx(make_world())
    reply = answered(outcome(post(APPLY, apply_members()), venue=venue), accepted)
    assert isinstance(reply, Reply)
    assert json.loads(reply.body)["data"]["content"] == CONTENT
    return venue


def confirm(venue: Sunx, account: AccountId = ACCOUNT, **changes: str) -> Ask:
    members = {"nonce": NONCE, "signature": tron_signature(CONTENT)} | changes
    asked = outcome(post(CONFIRM, members), make_key(account_id=account), venue)
    assert isinstance(asked, Ask)
    return asked


def command(asked: Ask, answer: object) -> AnswerChallenge:
    followed = asked.write(answer)
    assert isinstance(followed, Ask)
    assert isinstance(followed.question, AnswerChallenge)
    return followed.question


@pytest.mark.parametrize(
    "signature, valid",
    [
        (tron_signature(CONTENT), True),
        (tron_signature(CONTENT).upper().replace("X", "x"), True),
        (tron_signature(CONTENT, OTHER_KEY), False),
        (tron_signature(CONTENT.replace("8.799999", "8.799998")), False),
        ("no signature", False),
        ("0x" + "00" * 65, False),
    ],
)
def test_what_was_quoted_here_is_not_asked_for_and_judged_alike(signature: str, valid: bool) -> None:
    short = confirm(quoting(), signature=signature)
    assert short.question is None
    long = confirm(Sunx(make_world()), signature=signature)
    assert isinstance(long.question, FindChallenge)
    made = command(short, None)
    assert made == command(long, a_challenge())
    assert made.valid is valid


def test_nothing_is_verified_before_the_request_was_counted() -> None:
    asked = confirm(quoting())
    assert asked.question is None, "the gate counts between reading and writing"


def test_every_other_quote_is_looked_up() -> None:
    venue = quoting()
    other = confirm(venue, AccountId(8))
    assert other.question == FindChallenge(AccountId(8), "sunx", NONCE)
    unknown = confirm(venue, nonce=NONCE.lower())
    assert unknown.question == FindChallenge(ACCOUNT, "sunx", NONCE.lower())
    assert confirm(quoting()).question is None


@pytest.mark.parametrize(
    "changes", [{"fee": Units(1_200_001)}, {"net": Units(8_799_998)}, {"fee": Units(0), "net": Units(0)}]
)
def test_a_quote_is_kept_only_if_it_says_what_was_stored(changes: dict[str, Any]) -> None:
    venue = quoting(msgspec.structs.replace(ACCEPTED, **changes))
    assert isinstance(confirm(venue).question, FindChallenge)


def test_quotes_are_forgotten_by_age_and_by_number() -> None:
    quotes, quoted = Quotes(quotes_max=4), Quoted(ACCOUNT, digest(CONTENT), WALLET)
    quotes.keep("a", quoted, NOW_MS)
    quotes.keep("b", Quoted(ACCOUNT, digest(CONTENT), OTHER_WALLET), UnixMs(NOW_MS + CHALLENGE_MS))
    assert quotes.find(ACCOUNT, "a") == quoted
    assert quotes.find(AccountId(8), "a") is None
    quotes.keep("c", quoted, UnixMs(NOW_MS + 2 * CHALLENGE_MS))
    assert quotes.find(ACCOUNT, "a") is None
    assert quotes.find(ACCOUNT, "b") is not None
    for number in range(20):
        quotes.keep(f"d{number}", quoted, UnixMs(NOW_MS + 2 * CHALLENGE_MS))
        assert quotes.find(ACCOUNT, f"d{number}") is not None
        assert len(quotes) <= 4
