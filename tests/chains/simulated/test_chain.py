"""The simulated chain, seen through `Chain` as the chain worker sees it."""

from __future__ import annotations

import msgspec
import pytest

from penstock.chains.chain import Head, Mined, Missing, NodeLied, Payout, Pending
from penstock.chains.simulated.chain import contracts_of
from penstock.chains.simulated.faults import Faults
from penstock.chains.simulated.transaction import transaction_hash
from penstock.core.amounts import Units
from penstock.core.catalogue import Asset, Catalogue, Listing
from penstock.core.refusals import Unavailable
from tests.chains.simulated.network import CONTRACT, NETWORK, RECEIVER, Net, address, payment, sign


def send(net: Net, nonce: int = 0, units: int = 5, fee: int = 1_000) -> tuple[str, bytes]:
    raw = sign(payment(nonce=nonce, units=units, fee=fee))
    net.chain.send(raw)
    return net.chain.tx_hash(raw), raw


def mined(net: Net, tx_hash: str, nonce: int = 0, units: int = 5) -> Mined:
    found = net.chain.locate(tx_hash, payment(nonce=nonce, units=units))
    assert isinstance(found, Mined), found
    return found


def test_blocks_come_with_time_alone(net: Net) -> None:
    assert net.chain.head() == Head(height=0, final_height=-1)
    net.clock.advance(999)
    assert net.chain.head().height == 0
    net.clock.advance(1)
    assert net.chain.head().height == 1
    net.blocks(30 * 86_400)
    assert net.chain.head() == Head(height=2_592_001, final_height=2_591_999)


def test_a_wall_clock_that_steps_back_takes_no_block_back(net: Net) -> None:
    net.blocks(5)
    assert net.chain.head().height == 5
    net.clock.at_ms -= 86_400_000
    assert net.chain.head().height == 5


def test_a_payment_goes_from_pending_to_mined_to_final(net: Net) -> None:
    intent = net.chain.intent(address(1), 0, net.payout())
    raw = sign(intent)
    tx_hash = net.chain.tx_hash(raw)
    assert net.chain.locate(tx_hash, intent) == Missing()
    net.chain.send(raw)
    assert net.chain.locate(tx_hash, intent) == Pending()
    assert net.chain.next_nonce(address(1)) == 0
    net.blocks(1)
    seen = [net.chain.locate(tx_hash, intent)]
    for _ in range(2):
        net.blocks(1)
        seen.append(net.chain.locate(tx_hash, intent))
    assert [(found.confirmations, found.final, found.paid) for found in seen] == [
        (1, False, True),
        (2, False, True),
        (3, True, True),
    ]
    assert {(found.height, found.block_hash) for found in seen} == {(1, net.node.block_hash(1))}
    assert net.chain.balance(RECEIVER, CONTRACT) == 5
    assert net.chain.balance(address(1), CONTRACT) == 995
    assert net.chain.balance(address(1), None) == 1_000_000 - seen[0].network_fee


def test_nonces_are_final_only_with_their_blocks(net: Net) -> None:
    send(net)
    net.blocks(1)
    assert (net.chain.next_nonce(address(1)), net.chain.final_nonce(address(1))) == (1, 0)
    net.blocks(2)
    assert (net.chain.next_nonce(address(1)), net.chain.final_nonce(address(1))) == (1, 1)


def test_a_gap_below_holds_back_every_higher_nonce(net: Net) -> None:
    later, _ = send(net, nonce=1)
    net.blocks(5)
    assert net.chain.locate(later, payment(nonce=1)) == Pending()
    send(net, nonce=0)
    net.blocks(1)
    assert mined(net, later, nonce=1).height == 6


def test_a_filler_uses_a_nonce_up_and_moves_nothing(net: Net) -> None:
    filler = net.chain.filler(address(1), 0)
    raw = sign(filler)
    net.chain.send(raw)
    net.blocks(1)
    found = net.chain.locate(net.chain.tx_hash(raw), filler)
    assert isinstance(found, Mined)
    assert found.paid
    assert net.chain.next_nonce(address(1)) == 1
    assert net.chain.balance(address(1), None) == 999_000


def test_sending_the_same_bytes_again_is_harmless(net: Net) -> None:
    _, raw = send(net)
    net.chain.send(raw)
    net.blocks(1)
    net.chain.send(raw)
    net.blocks(5)
    assert net.chain.balance(RECEIVER, CONTRACT) == 5


def test_a_replacement_must_pay_a_tenth_more(net: Net) -> None:
    first, _ = send(net, fee=1_000)
    with pytest.raises(Unavailable, match="underpriced"):
        send(net, units=5, fee=1_099)
    second, _ = send(net, fee=1_100)
    assert net.chain.locate(first, payment()) == Missing()
    net.blocks(1)
    assert mined(net, second).network_fee == 1_100


def test_a_bump_keeps_the_payment_and_can_replace_it(net: Net) -> None:
    intent = net.chain.intent(address(1), 0, net.payout())
    net.chain.send(sign(intent))
    bumped = net.chain.bumped(intent)
    assert bumped is not None
    assert bumped.same_payment(intent)
    net.chain.send(sign(bumped))
    assert net.node.mempool() == [transaction_hash(sign(bumped))]


def test_a_bump_stops_at_the_ceiling(net: Net) -> None:
    intent = payment(fee=950_000)
    assert net.chain.bumped(intent) is None
    net.script.set_fee_floor(2_000_000)
    with pytest.raises(Unavailable, match="ceiling"):
        net.chain.intent(address(1), 0, net.payout())


def test_a_low_fee_is_stuck_until_it_is_bumped(net: Net) -> None:
    stuck, _ = send(net)
    net.script.set_fee_floor(4_000)
    net.blocks(10)
    assert net.chain.locate(stuck, payment()) == Pending()
    bumped = net.chain.bumped(payment())
    assert bumped is not None
    raw = sign(bumped)
    net.chain.send(raw)
    net.blocks(1)
    assert mined(net, net.chain.tx_hash(raw)).network_fee == 4_000


@pytest.mark.parametrize(
    "raw, why",
    [
        (sign(payment(), number=2), "another key"),
        (sign(payment(units=1_001)), "insufficient"),
        (sign(payment(asset="TRX", units=999_001)), "insufficient"),
        (sign(payment(number=3), number=3), "insufficient"),
        (sign(payment(network="bitcoin")), "signed for bitcoin"),
        (b"nonsense", "not a transaction"),
    ],
)
def test_the_node_takes_nothing_that_is_not_right(net: Net, raw: bytes, why: str) -> None:
    with pytest.raises(Unavailable, match=why):
        net.chain.send(raw)
    assert net.node.mempool() == []


def test_an_old_nonce_is_refused_unless_the_bytes_are_known(net: Net) -> None:
    _, raw = send(net)
    net.blocks(1)
    with pytest.raises(Unavailable, match="nonce too low"):
        send(net, units=6)
    net.chain.send(raw)


def test_money_spent_meanwhile_makes_a_mined_failure(net: Net) -> None:
    send(net, nonce=0, units=600)
    second, _ = send(net, nonce=1, units=600)
    net.blocks(1)
    found = mined(net, second, nonce=1, units=600)
    assert (found.paid, found.reason, found.network_fee) == (False, "balance too low", 1_000)
    assert net.chain.balance(RECEIVER, CONTRACT) == 600


def test_without_money_for_the_fee_the_node_forgets_the_rest(net: Net) -> None:
    first = sign(payment(nonce=0, asset="TRX", units=998_000))
    second = sign(payment(nonce=1, fee=2_000))
    for raw in (first, second):
        net.chain.send(raw)
    net.blocks(1)
    assert net.chain.locate(net.chain.tx_hash(second), payment(nonce=1, fee=2_000)) == Missing()
    assert net.chain.next_nonce(address(1)) == 1


@pytest.mark.parametrize("change", [{"to": "T2"}, {"memo": "8"}, {"asset": "TRX"}, {"units": "6"}])
def test_only_the_exact_payment_counts_as_paid(net: Net, change: dict[str, str]) -> None:
    tx_hash, _ = send(net)
    net.blocks(1)
    found = net.chain.locate(tx_hash, msgspec.structs.replace(payment(), **change))
    assert isinstance(found, Mined)
    assert (found.paid, found.reason) == (False, "another payment")


def test_the_memo_arrives_with_the_payment(net: Net) -> None:
    intent = net.chain.intent(address(1), 0, net.payout(memo="77"))
    net.chain.send(sign(intent))
    net.blocks(1)
    assert [(paid.to, paid.memo, paid.units) for paid in net.node.payments()] == [(RECEIVER, "77", 5)]


class TestScripts:
    """Each scripted outcome, and that it strikes once."""

    def test_a_failed_transaction_costs_its_fee_and_pays_nothing(self, net: Net) -> None:
        net.script.fail_next()
        failed, _ = send(net, nonce=0)
        good, _ = send(net, nonce=1)
        net.blocks(1)
        found = mined(net, failed)
        assert (found.paid, found.reason, found.network_fee) == (False, "reverted", 1_000)
        assert mined(net, good, nonce=1).paid
        assert net.chain.balance(RECEIVER, CONTRACT) == 5

    def test_a_replacement_of_a_failing_transaction_fails_too(self, net: Net) -> None:
        net.script.fail_next()
        send(net)
        bumped, _ = send(net, fee=1_100)
        net.blocks(1)
        assert not mined(net, bumped).paid

    def test_a_stuck_transaction_waits_for_its_replacement(self, net: Net) -> None:
        net.script.stick_next()
        stuck, _ = send(net)
        net.blocks(20)
        assert net.chain.locate(stuck, payment()) == Pending()
        bumped, _ = send(net, fee=1_100)
        net.blocks(1)
        assert mined(net, bumped).paid

    def test_a_dropped_transaction_is_missing_and_can_be_sent_again(self, net: Net) -> None:
        net.script.drop_next()
        tx_hash, raw = send(net)
        assert net.chain.locate(tx_hash, payment()) == Missing()
        net.chain.send(raw)
        assert net.script.drop(tx_hash)
        assert net.chain.locate(tx_hash, payment()) == Missing()
        net.chain.send(raw)
        net.blocks(1)
        assert mined(net, tx_hash).paid
        assert not net.script.drop(tx_hash)

    def test_a_lost_answer_leaves_the_transaction_with_the_node(self, net: Net) -> None:
        net.script.lose_next_answer()
        raw = sign(payment())
        with pytest.raises(Unavailable, match="does not answer"):
            net.chain.send(raw)
        assert net.chain.locate(net.chain.tx_hash(raw), payment()) == Pending()

    def test_a_lying_node_is_found_out(self, net: Net) -> None:
        net.script.lie_next()
        with pytest.raises(NodeLied):
            send(net)

    def test_a_silent_node_answers_nothing_and_goes_on(self, net: Net) -> None:
        send(net)
        net.script.silence(5_000)
        asks = (
            net.chain.head,
            lambda: net.chain.next_nonce(address(1)),
            lambda: net.chain.final_nonce(address(1)),
            lambda: net.chain.balance(RECEIVER, None),
            lambda: net.chain.locate("00", payment()),
            lambda: net.chain.intent(address(1), 1, net.payout()),
            lambda: net.chain.bumped(payment()),
            lambda: send(net, nonce=1),
        )
        for ask in asks:
            with pytest.raises(Unavailable, match="does not answer"):
                ask()
        net.blocks(5)
        assert net.chain.head().height == 5
        assert net.chain.next_nonce(address(1)) == 1

    def test_a_paused_chain_stands_still_and_goes_on_where_it_stood(self, net: Net) -> None:
        net.blocks(2)
        net.script.pause_mining()
        net.script.pause_mining()
        tx_hash, _ = send(net)
        net.blocks(100)
        assert net.chain.head().height == 2
        assert net.chain.locate(tx_hash, payment()) == Pending()
        net.script.resume_mining()
        assert net.chain.head().height == 2
        net.blocks(1)
        assert mined(net, tx_hash).height == 3

    def test_a_reorganisation_puts_transactions_back_and_they_are_mined_again(self, net: Net) -> None:
        tx_hash, _ = send(net)
        net.blocks(1)
        before = mined(net, tx_hash)
        net.script.reorg(1)
        assert net.chain.locate(tx_hash, payment()) == Pending()
        assert (net.chain.balance(RECEIVER, CONTRACT), net.chain.balance(address(1), None)) == (0, 1_000_000)
        assert net.node.block_hash(1) != before.block_hash
        net.blocks(1)
        assert mined(net, tx_hash).height == 2

    def test_a_vanished_transaction_is_missing_and_blocks_what_follows(self, net: Net) -> None:
        tx_hash, raw = send(net)
        net.blocks(2)
        net.script.reorg(2, vanish=True)
        later, _ = send(net, nonce=1)
        net.blocks(2)
        assert net.chain.locate(tx_hash, payment()) == Missing()
        assert net.chain.locate(later, payment(nonce=1)) == Pending()
        net.chain.send(raw)
        net.blocks(1)
        assert mined(net, later, nonce=1).paid

    def test_a_reorganisation_below_its_depth_changes_no_hash(self, net: Net) -> None:
        send(net)
        net.blocks(4)
        before = [net.node.block_hash(height) for height in range(5)]
        net.script.reorg(2)
        after = [net.node.block_hash(height) for height in range(5)]
        assert [old == new for old, new in zip(before, after, strict=True)] == [
            True,
            True,
            True,
            False,
            False,
        ]

    def test_a_reorganisation_of_everything_stops_at_genesis(self, net: Net) -> None:
        net.script.reorg(5)
        net.blocks(2)
        net.script.reorg(50)
        assert net.chain.head().height == 2


@pytest.mark.parametrize("fault", ["silent", "lose_answer", "drop", "lie", "stick", "fail", "reorg"])
def test_every_fault_strikes_by_chance_too(fault: str) -> None:
    net = Net(options={"faults": Faults(**{fault: 1_000}), "seed": 3})
    raw = sign(payment())
    try:
        net.chain.send(raw)
        answer = "taken"
    except Unavailable:
        answer = "silent"
    except NodeLied:
        answer = "lied"
    waits = bool(net.node.mempool())
    net.blocks(1)
    state = net.chain.locate(net.chain.tx_hash(raw), payment())
    net.blocks(1)
    later = net.chain.locate(net.chain.tx_hash(raw), payment())
    paid = isinstance(state, Mined) and state.paid
    assert (answer, waits, paid, later != state) == {
        "silent": ("silent", False, False, False),
        "lose_answer": ("silent", True, True, True),
        "drop": ("taken", False, False, False),
        "lie": ("lied", True, True, True),
        "stick": ("taken", True, False, False),
        "fail": ("taken", True, False, True),
        "reorg": ("taken", True, True, True),
    }[fault]


def test_contracts_are_read_from_the_catalogue() -> None:
    free = Units(0)
    catalogue = Catalogue(
        [Asset("TRX", "TRON", 6), Asset("USDT", "Tether", 6)],
        [NETWORK],
        [
            Listing("USDT", "tron", 6, CONTRACT, free, free, 6),
            Listing("TRX", "tron", 6, None, free, free, 6),
        ],
    )
    assert contracts_of(catalogue, "tron") == {CONTRACT: "USDT"}
    assert contracts_of(catalogue, "bitcoin") == {}


def test_a_payout_in_another_asset_than_its_contract_is_a_bug(net: Net) -> None:
    with pytest.raises(AssertionError):
        net.chain.intent(address(1), 0, Payout(asset="TRX", contract=CONTRACT, to="T2", memo="", units=1))
