from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.intents import EvmIntent, Intent, SimulatedIntent, decode_intent
from penstock.core.time import DAY_MS, ManualClock
from penstock.signer.config import KeyConfig, SecretPlace, SignerConfig
from penstock.signer.guard import Guard, Payer, Sign
from penstock.signer.launch import KEY
from penstock.signer.limits import resource_of
from penstock.signer.log import Entry, create_log, open_log
from penstock.signer.messages import Reason, SignedAnswer, SignerRefused, SignRequest
from penstock.signer.process import Signer
from tests.signer.samples import (
    BASE,
    ETHER,
    EVM_REFUSALS,
    GWEI,
    NETWORKS,
    OTHER_PAYEE,
    PAYEE,
    SENDER,
    SIGNING_KEY,
    SIM_BASE,
    SIM_REFUSALS,
    SIM_SENDER,
    START_MS,
    TOKEN,
    Case,
    transfer,
)

replace = msgspec.structs.replace


def take(guard: Guard, intent: Intent, now_ms: int = START_MS) -> Sign | Entry:
    """Decide and, where that means to sign, record as the process would."""
    decided = guard.decide(intent, now_ms)
    if isinstance(decided, Sign):
        guard.record(Entry(1, "", decided.at_ms, decided.resource, intent, "hash", "00"))
    return decided


def reason_for(guard: Guard, intent: Intent, now_ms: int = START_MS) -> str:
    with pytest.raises(SignerRefused) as refused:
        guard.decide(intent, now_ms)
    return refused.value.reason.value


@pytest.mark.parametrize("case", EVM_REFUSALS.values(), ids=EVM_REFUSALS)
def test_an_evm_intent_outside_the_limits_is_refused(guard: Guard, case: Case) -> None:
    assert reason_for(guard, replace(BASE, **case.changed)) == case.reason


@pytest.mark.parametrize("case", SIM_REFUSALS.values(), ids=SIM_REFUSALS)
def test_a_simulated_intent_outside_the_limits_is_refused(guard: Guard, case: Case) -> None:
    assert reason_for(guard, replace(SIM_BASE, **case.changed)) == case.reason


ALLOWED: dict[str, Intent] = {
    "token": BASE,
    "as much of the token as allowed": replace(BASE, data=transfer(PAYEE, 1_000_000_000)),
    "coin": replace(BASE, to=PAYEE, data="0x", value=str(ETHER)),
    "an empty payment to oneself": replace(BASE, to=SENDER, data="0x"),
    "the highest fees": replace(BASE, max_fee_per_gas=100 * GWEI, gas=100_000),
    "simulated": SIM_BASE,
    "simulated, with a memo": replace(SIM_BASE, memo="12345"),
    "simulated, empty, to oneself": replace(SIM_BASE, to=SIM_SENDER, units="0", asset="TRX"),
}


@pytest.mark.parametrize("intent", ALLOWED.values(), ids=ALLOWED)
def test_an_intent_within_the_limits_is_signed_once_and_answered_ever_after(
    guard: Guard, intent: Intent
) -> None:
    assert isinstance(take(guard, intent), Sign)
    again = take(guard, intent)
    assert isinstance(again, Entry)
    assert again.intent == intent


class Replacement(NamedTuple):
    changed: dict[str, object]
    refused: str | None


EVM_REPLACEMENTS = {
    "both fees higher": Replacement(
        {"max_fee_per_gas": 22 * GWEI, "max_priority_fee_per_gas": 2 * GWEI}, None
    ),
    "beyond the ceiling of a first transaction": Replacement(
        {"max_fee_per_gas": 250 * GWEI, "max_priority_fee_per_gas": 2 * GWEI}, None
    ),
    "beyond the ceiling of a replacement": Replacement(
        {"max_fee_per_gas": 301 * GWEI, "max_priority_fee_per_gas": 2 * GWEI}, "fee_too_high"
    ),
    "beyond the total of a replacement": Replacement(
        {"max_fee_per_gas": 290 * GWEI, "max_priority_fee_per_gas": 2 * GWEI, "gas": 150_000}, "fee_too_high"
    ),
    "only the fee higher": Replacement({"max_fee_per_gas": 22 * GWEI}, "fee_not_higher"),
    "only the tip higher": Replacement({"max_priority_fee_per_gas": 2 * GWEI}, "fee_not_higher"),
    "lower fees": Replacement(
        {"max_fee_per_gas": 19 * GWEI, "max_priority_fee_per_gas": GWEI - 1}, "fee_not_higher"
    ),
    "less gas": Replacement(
        {"max_fee_per_gas": 22 * GWEI, "max_priority_fee_per_gas": 2 * GWEI, "gas": 64_999}, "fee_not_higher"
    ),
    "another receiver": Replacement(
        {
            "max_fee_per_gas": 22 * GWEI,
            "max_priority_fee_per_gas": 2 * GWEI,
            "data": transfer(OTHER_PAYEE, 5_000_000),
        },
        "nonce_taken",
    ),
    "another amount": Replacement(
        {"max_fee_per_gas": 22 * GWEI, "max_priority_fee_per_gas": 2 * GWEI, "data": transfer(PAYEE, 1)},
        "nonce_taken",
    ),
    "an empty payment to oneself": Replacement(
        {"max_fee_per_gas": 22 * GWEI, "max_priority_fee_per_gas": 2 * GWEI, "to": SENDER, "data": "0x"},
        "nonce_taken",
    ),
}


@pytest.mark.parametrize("replacement", EVM_REPLACEMENTS.values(), ids=EVM_REPLACEMENTS)
def test_a_replacement_is_the_same_payment_with_every_fee_higher(
    guard: Guard, replacement: Replacement
) -> None:
    take(guard, BASE)
    second = replace(BASE, **replacement.changed)
    if replacement.refused is None:
        assert isinstance(take(guard, second), Sign)
        assert isinstance(take(guard, BASE), Entry)
    else:
        assert reason_for(guard, second) == replacement.refused


def test_a_refusal_says_whether_something_is_signed_for_the_nonce(guard: Guard) -> None:
    def signed_before(intent: Intent) -> bool:
        with pytest.raises(SignerRefused) as refused:
            guard.decide(intent, START_MS)
        return refused.value.signed_before

    assert not signed_before(replace(BASE, gas=1))
    take(guard, BASE)
    assert signed_before(replace(BASE, gas=1))
    assert signed_before(replace(BASE, max_fee_per_gas=19 * GWEI))
    assert signed_before(replace(BASE, data=transfer(OTHER_PAYEE, 10**30)))
    assert not signed_before(replace(BASE, nonce=1, gas=1))


def test_a_taken_nonce_is_named_before_any_limit(guard: Guard) -> None:
    take(guard, BASE)
    for changed in ({"data": transfer(PAYEE, 10**30)}, {"to": OTHER_PAYEE}, {"value": "x"}, {"data": "0x00"}):
        assert reason_for(guard, replace(BASE, **changed)) == "nonce_taken"


def test_it_knows_for_which_nonces_it_has_signed(guard: Guard) -> None:
    take(guard, replace(BASE, nonce=3))
    take(guard, replace(SIM_BASE, nonce=5))
    assert [guard.has_signed("ethereum", nonce) for nonce in (2, 3, 5)] == [False, True, False]
    assert [guard.has_signed("tron", nonce) for nonce in (3, 5)] == [False, True]
    with pytest.raises(SignerRefused):
        guard.has_signed("bsc", 0)


def test_a_replacement_must_beat_the_dearest_so_far(guard: Guard) -> None:
    def with_fees(fee: int, tip: int) -> EvmIntent:
        return replace(BASE, max_fee_per_gas=fee * GWEI, max_priority_fee_per_gas=tip * GWEI)

    take(guard, with_fees(20, 1))
    take(guard, with_fees(40, 4))
    assert reason_for(guard, with_fees(30, 3)) == "fee_not_higher"
    assert isinstance(take(guard, with_fees(41, 5)), Sign)


def test_a_simulated_replacement_raises_its_fee_and_changes_nothing_else(guard: Guard) -> None:
    take(guard, SIM_BASE)
    assert reason_for(guard, replace(SIM_BASE, fee=99)) == "fee_not_higher"
    assert reason_for(guard, replace(SIM_BASE, fee=101, memo="1")) == "nonce_taken"
    assert reason_for(guard, replace(SIM_BASE, fee=5_001)) == "fee_too_high"
    assert isinstance(take(guard, replace(SIM_BASE, fee=5_000)), Sign)


@pytest.mark.parametrize("base", [BASE, SIM_BASE], ids=["evm", "simulated"])
def test_what_goes_out_in_a_day_is_bounded_and_the_day_rolls(guard: Guard, base: Intent) -> None:
    def large(nonce: int) -> Intent:
        if isinstance(base, EvmIntent):
            return replace(base, nonce=nonce, data=transfer(PAYEE, 1_000_000_000))
        return replace(base, nonce=nonce, units="1000000000")

    take(guard, large(0), START_MS)
    take(guard, large(1), START_MS + 1_000)
    assert reason_for(guard, large(2), START_MS + DAY_MS - 1) == "day_limit"
    assert isinstance(take(guard, large(0), START_MS + 2_000), Entry)
    assert isinstance(take(guard, large(2), START_MS + DAY_MS), Sign)
    assert reason_for(guard, large(3), START_MS + DAY_MS) == "day_limit"


def test_a_replacement_does_not_count_against_the_day_again(guard: Guard) -> None:
    for nonce in range(2):
        take(guard, replace(SIM_BASE, nonce=nonce, units="1000000000"))
    assert isinstance(take(guard, replace(SIM_BASE, units="1000000000", fee=101)), Sign)
    assert isinstance(take(guard, replace(SIM_BASE, nonce=2, units="500000000")), Sign)
    assert reason_for(guard, replace(SIM_BASE, nonce=3, units="1")) == "day_limit"


def test_a_clock_that_steps_back_frees_nothing(guard: Guard) -> None:
    for nonce in range(2):
        take(guard, replace(SIM_BASE, nonce=nonce, units="1000000000"), START_MS)
    decided = take(guard, replace(SIM_BASE, nonce=2, units="500000000"), START_MS - 2 * DAY_MS)
    assert isinstance(decided, Sign)
    assert decided.at_ms == START_MS
    assert reason_for(guard, replace(SIM_BASE, nonce=3, units="1"), START_MS - 2 * DAY_MS) == "day_limit"


def test_fees_of_a_day_are_bounded_too() -> None:
    limits = replace(NETWORKS["tron"], fee_day_max="1000")
    guard = Guard({"tron": Payer(limits, SIM_SENDER)})
    filler = replace(SIM_BASE, to=SIM_SENDER, units="0", fee=600)
    take(guard, filler)
    assert reason_for(guard, replace(filler, nonce=1)) == "day_limit"
    assert reason_for(guard, replace(filler, fee=1_001)) == "day_limit"
    assert isinstance(take(guard, replace(filler, fee=1_000)), Sign)
    assert isinstance(take(guard, replace(filler, nonce=1), START_MS + DAY_MS), Sign)


def test_coin_payments_are_forbidden_where_no_limit_allows_them() -> None:
    guard = Guard({"ethereum": Payer(replace(NETWORKS["ethereum"], native=None), SENDER)})
    assert reason_for(guard, replace(BASE, to=PAYEE, data="0x", value="1")) == "asset_not_allowed"
    assert isinstance(take(guard, replace(BASE, to=SENDER, data="0x")), Sign)


def test_bytes_in_the_log_are_given_again_when_the_limits_have_become_narrower(guard: Guard) -> None:
    take(guard, BASE)
    narrow = Guard({"ethereum": Payer(replace(NETWORKS["ethereum"], contracts={}), SENDER)})
    narrow.record(Entry(1, "", START_MS, resource_of(BASE), BASE, "hash", "00"))
    assert isinstance(narrow.decide(BASE, START_MS), Entry)
    assert reason_for(narrow, replace(BASE, nonce=1)) == "asset_not_allowed"


few = st.integers(0, 2)
evm_intents = st.builds(
    lambda nonce, to, units, fee, tip, gas: replace(
        BASE,
        nonce=nonce,
        to=(TOKEN, PAYEE, SENDER)[to],
        data=transfer((PAYEE, OTHER_PAYEE)[units % 2], units) if to == 0 else "0x",
        value="1" if to == 1 else "0",
        max_fee_per_gas=(10 + fee) * GWEI,
        max_priority_fee_per_gas=(1 + tip) * GWEI,
        gas=65_000 + gas,
    ),
    few, few, st.integers(1, 3), st.integers(0, 5), st.integers(0, 5), st.integers(0, 1),
)  # fmt: skip
simulated_intents = st.builds(
    lambda nonce, units, memo, fee: replace(
        SIM_BASE, nonce=nonce, units=str(units), memo=memo, fee=100 + fee
    ),
    few, st.integers(1, 3), st.sampled_from(["", "7"]), st.integers(0, 5),
)  # fmt: skip


@given(st.lists(evm_intents | simulated_intents, max_size=40))
def test_whatever_is_asked_at_most_one_payment_is_ever_signed_for_a_nonce(asked: list[Intent]) -> None:
    guard = Guard(
        {"ethereum": Payer(NETWORKS["ethereum"], SENDER), "tron": Payer(NETWORKS["tron"], SIM_SENDER)}
    )
    signed: dict[tuple[str, int], list[Intent]] = {}
    for intent in asked:
        try:
            decided = take(guard, intent)
        except SignerRefused as refused:
            assert refused.reason in {Reason.NONCE_TAKEN, Reason.FEE_NOT_HIGHER}  # noqa: PT017 - not the point
            continue
        at_nonce = signed.setdefault((intent.network, intent.nonce), [])
        if isinstance(decided, Entry):
            assert intent in at_nonce
        else:
            at_nonce.append(intent)
    for at_nonce in signed.values():
        assert len({without_fees(intent) for intent in at_nonce}) == 1
        assert len({intent.fee_ceiling() for intent in at_nonce}) == len(at_nonce)


@settings(max_examples=30)
@given(st.lists(evm_intents | simulated_intents | st.just("restart"), max_size=25))
def test_the_log_itself_shows_one_payment_for_a_nonce_whatever_was_asked_and_restarted(
    tmp_path_factory: pytest.TempPathFactory, asked: list[Intent | str]
) -> None:
    folder = tmp_path_factory.mktemp("g")
    (folder / "key").touch()
    create_log(folder / "log", START_MS)
    config = SignerConfig(
        "", str(folder / "log"), {KEY: KeyConfig(str(folder / "key"), SecretPlace())}, NETWORKS
    )
    answers: dict[Intent, str] = {}
    log = open_log(folder / "log")
    signer = Signer(config, {KEY: SIGNING_KEY}, log, ManualClock(START_MS))
    for intent in asked:
        if isinstance(intent, str):
            log.close()
            log = open_log(folder / "log")
            signer = Signer(config, {KEY: SIGNING_KEY}, log, ManualClock(START_MS))
            continue
        answer = signer.answer(SignRequest(intent))
        if isinstance(answer, SignedAnswer):
            assert answers.setdefault(intent, answer.raw) == answer.raw
    log.close()
    payments: dict[tuple[str, int], set[tuple[object, ...]]] = {}
    for line in (folder / "log").read_bytes().splitlines()[1:]:
        entry = msgspec.json.decode(line)
        intent = decode_intent(msgspec.json.encode(entry["intent"]))
        assert answers.pop(intent) == entry["raw"]
        payments.setdefault((intent.network, intent.nonce), set()).add(without_fees(intent))
    assert not answers
    assert all(len(at_nonce) == 1 for at_nonce in payments.values())


def without_fees(intent: Intent) -> tuple[object, ...]:
    """Everything that decides who gets what, written out here rather than taken from the code under test."""
    if isinstance(intent, SimulatedIntent):
        return (
            intent.network,
            intent.sender,
            intent.nonce,
            intent.to,
            intent.memo,
            intent.asset,
            intent.units,
        )
    return (intent.chain_id, intent.sender, intent.nonce, intent.to, intent.value, intent.data)
