"""What people and attackers really send for an address, a tag or a memo."""

from __future__ import annotations

import hashlib
import string
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.chains.addresses import ADDRESS_FAMILIES, check_address
from penstock.core.catalogue import Network
from penstock.core.refusals import RefusalCode, Refused
from tests.chains.addresses.test_vectors import BITCOIN, ETHEREUM, RIPPLE, SOLANA, TRON, refusal

GOOD = {
    "ethereum": (ETHEREUM, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
    "tron": (TRON, "TBhCfAytTEh52WFL6HYr64i2nmc3u3TCUp"),
    "bitcoin": (BITCOIN, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    "bitcoin script": (BITCOIN, "3P14159f73E4gFr7JterCCQh9QjiTjiZrG"),
    "segwit": (BITCOIN, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    "taproot": (BITCOIN, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
    "solana": (SOLANA, "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV"),
    "ripple": (RIPPLE, "rf1BiGeXwwQoi8Z2ueFYTEXSwuJYfV2Jpn"),
}
ALL = pytest.mark.parametrize("network, address", GOOD.values(), ids=GOOD)


def test_every_family_is_covered_here() -> None:
    assert {network.family for network, _ in GOOD.values()} == ADDRESS_FAMILIES


@ALL
def test_a_good_address_is_its_own_canonical_text(network: Network, address: str) -> None:
    assert check_address(network, address, "", frozenset()) == address


@ALL
def test_an_address_of_every_other_family_is_invalid(network: Network, address: str) -> None:
    for other, _ in GOOD.values():
        # A TRON address of 34 characters decodes to 25 bytes, so Solana's 32 refuse it too.
        if other.family != network.family:
            assert refusal(other, address).code is RefusalCode.ADDRESS_INVALID, other.family


@ALL
def test_our_own_wallets_and_contracts_are_forbidden(network: Network, address: str) -> None:
    assert refusal(network, address, "", frozenset({address})).code is RefusalCode.ADDRESS_FORBIDDEN


@ALL
@pytest.mark.parametrize(
    "mark",
    [
        "\u200b",
        "\u200f",
        "\u00a0",
        "\ufeff",
        "\u2060",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\0",
        ",",
        ":",
        "\u0301",
        "\ud800",
    ],
)
def test_an_invisible_or_separating_character_anywhere_makes_it_invalid(
    network: Network, address: str, mark: str
) -> None:
    for text in (mark + address, address + mark, address[:9] + mark + address[9:]):
        assert refusal(network, text).code is RefusalCode.ADDRESS_INVALID


# Letters that look like ASCII ones, and those that NFKC or case folding turns into them.
LOOK_ALIKES = {
    "a": "\u0430",
    "e": "\u0435",
    "c": "\u0441",
    "p": "\u0440",
    "x": "\u0445",
    "k": "\u212a",
    "s": "\u017f",
}


@ALL
def test_a_look_alike_letter_makes_it_invalid(network: Network, address: str) -> None:
    for ascii_letter, other in LOOK_ALIKES.items():
        for letter in (ascii_letter, ascii_letter.upper()):
            if letter in address:
                assert refusal(network, address.replace(letter, other, 1)).code is RefusalCode.ADDRESS_INVALID
    full_width = "".join(chr(ord(character) + 0xFEE0) for character in address)
    assert refusal(network, full_width).code is RefusalCode.ADDRESS_INVALID
    assert refusal(network, address[:-1] + full_width[-1]).code is RefusalCode.ADDRESS_INVALID


@ALL
def test_a_cut_a_doubled_and_an_empty_address_are_invalid(network: Network, address: str) -> None:
    one_off = () if network is SOLANA else (address[:-1], address[1:], address + address[-1])
    for text in ("", *one_off, address[:-6], address[6:], address * 2, address[:1]):
        assert refusal(network, text).code is RefusalCode.ADDRESS_INVALID


@ALL
def test_a_very_long_text_is_refused_at_once(network: Network, address: str) -> None:
    started = time.perf_counter()
    assert refusal(network, "1" * 1_000_000).code is RefusalCode.ADDRESS_INVALID
    assert refusal(network, address[:4] + "z" * 100_000).code is RefusalCode.ADDRESS_INVALID
    assert time.perf_counter() - started < 0.05


@pytest.mark.parametrize(
    "address, code",
    [
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", RefusalCode.ADDRESS_INVALID),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae", RefusalCode.ADDRESS_INVALID),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaedd", RefusalCode.ADDRESS_INVALID),
        ("0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", RefusalCode.ADDRESS_INVALID),
        ("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", RefusalCode.ADDRESS_INVALID),
        ("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg", RefusalCode.ADDRESS_INVALID),
        ("0x" + "0" * 40, RefusalCode.ADDRESS_FORBIDDEN),
        ("0x" + "0" * 39 + "9", RefusalCode.ADDRESS_FORBIDDEN),
    ],
)
def test_evm_typing_errors_and_special_addresses(address: str, code: RefusalCode) -> None:
    assert refusal(ETHEREUM, address).code is code


@pytest.mark.parametrize(
    "address",
    ["bc1qW508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "Bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
)
def test_bech32_in_mixed_case_is_invalid(address: str) -> None:
    assert refusal(BITCOIN, address).code is RefusalCode.ADDRESS_INVALID


BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58check(payload: bytes) -> str:
    """Written a second time, so that a fault of the library would show."""
    octets = payload + hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    number, text = int.from_bytes(octets, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(octets) - len(octets.lstrip(b"\0"))) + text


CHECKSUMMED = {name: GOOD[name] for name in GOOD if name not in {"solana", "ethereum"}}


@given(st.sampled_from(sorted(CHECKSUMMED)), st.data())
def test_any_single_changed_character_is_caught_by_the_checksum(name: str, data: st.DataObject) -> None:
    network, address = CHECKSUMMED[name]
    position = data.draw(st.integers(0, len(address) - 1))
    alphabet = string.ascii_letters + string.digits
    other = data.draw(st.sampled_from(alphabet).filter(lambda character: character != address[position]))
    changed = address[:position] + other + address[position + 1 :]
    assert refusal(network, changed).code is RefusalCode.ADDRESS_INVALID


@given(st.sampled_from([TRON, BITCOIN]), st.binary(min_size=20, max_size=20), st.data())
def test_a_changed_character_is_caught_in_any_base58check_address(
    network: Network, account: bytes, data: st.DataObject
) -> None:
    version = b"\x41" if network is TRON else b"\x00"
    address = base58check(version + account[:-1] + b"\x01")
    assert check_address(network, address, "", frozenset()) == address
    position = data.draw(st.integers(0, len(address) - 1))
    other = data.draw(st.sampled_from(BASE58).filter(lambda at: at != address[position]))
    changed = address[:position] + other + address[position + 1 :]
    assert refusal(network, changed).code is RefusalCode.ADDRESS_INVALID


@given(st.data())
def test_eip_55_catches_a_changed_letter_case(data: st.DataObject) -> None:
    _, address = GOOD["ethereum"]
    letters = [position for position in range(2, 42) if address[position].isalpha()]
    position = data.draw(st.sampled_from(letters))
    changed = address[:position] + address[position].swapcase() + address[position + 1 :]
    assert refusal(ETHEREUM, changed).code is RefusalCode.ADDRESS_INVALID


def test_solana_has_no_checksum_so_a_changed_character_is_another_address() -> None:
    _, address = GOOD["solana"]
    for changed in (address[:-1] + "W", address + "V"):
        assert check_address(SOLANA, changed, "", frozenset()) == changed


@ALL
@given(text=st.text(max_size=130))
def test_any_text_at_all_is_taken_or_refused(network: Network, address: str, text: str) -> None:
    refused = {RefusalCode.ADDRESS_INVALID, RefusalCode.ADDRESS_FORBIDDEN}
    assert outcome(network, text) in {text, text.lower(), *refused}


def outcome(network: Network, text: str) -> str | RefusalCode:
    try:
        return check_address(network, text, "", frozenset())
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize("tag", ["", "0", "7", "4294967295"])
def test_destination_tags_are_unsigned_32_bit_numbers_and_optional(tag: str) -> None:
    network, address = GOOD["ripple"]
    assert check_address(network, address, tag, frozenset()) == address


@pytest.mark.parametrize(
    "tag",
    [
        "4294967296",
        "99999999999",
        "007",
        "00",
        "-1",
        "+1",
        "1.0",
        "1e3",
        " 1",
        "1 ",
        "1\n",
        "\n",
        "0x10",
        "1_000",
        "\u0661",
        "\uff11",
        "tag",
        "null",
        "1" * 4_096,
        "1\u200b",
    ],
)
def test_anything_else_is_no_destination_tag(tag: str) -> None:
    network, address = GOOD["ripple"]
    assert refusal(network, address, tag).code is RefusalCode.MEMO_INVALID


@pytest.mark.parametrize("name", [name for name in GOOD if name != "ripple"])
def test_a_memo_on_a_network_without_memos_is_refused(name: str) -> None:
    network, address = GOOD[name]
    for memo in ("1", " ", "\n", "hello", "x" * 4_096):
        assert refusal(network, address, memo).code is RefusalCode.MEMO_INVALID


@pytest.mark.parametrize("memo", ["a\nb", "a\x00b", "\x7f", "\u202eabc", "caf\u00e9", "x" * 121])
def test_a_free_memo_is_short_printable_ascii(memo: str) -> None:
    network = Network(code="solana", family="solana", native="SOL", confirmations=1, uses_memo=True)
    _, address = GOOD["solana"]
    assert check_address(network, address, "invoice 7", frozenset()) == address
    assert refusal(network, address, memo).code is RefusalCode.MEMO_INVALID


def test_the_address_is_judged_before_the_memo() -> None:
    assert refusal(RIPPLE, "nonsense", "007").code is RefusalCode.ADDRESS_INVALID
