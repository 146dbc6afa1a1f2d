from __future__ import annotations

import pytest
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from penstock.chains.evm.addresses import check_evm_address, is_checksummed
from penstock.core.refusals import RefusalCode, Refused

# The examples of EIP-55.
GOOD = (
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
)
ADDRESS = GOOD[3]


def refusal(text: str, *forbidden: str) -> RefusalCode:
    with pytest.raises(Refused) as caught:
        check_evm_address(text, frozenset(forbidden))
    return caught.value.code


def checksum_by_hand(digits: str) -> str:
    """EIP-55 as its text says it, apart from the library."""
    marks = keccak(text=digits).hex()
    return "0x" + "".join(
        digit.upper() if mark in "89abcdef" else digit for digit, mark in zip(digits, marks, strict=False)
    )


@pytest.mark.parametrize("address", GOOD)
def test_the_examples_of_eip_55_are_taken_and_also_in_lower_case(address: str) -> None:
    assert check_evm_address(address) == check_evm_address(address.lower()) == address
    assert is_checksummed(address)


@given(st.binary(min_size=20, max_size=20).filter(lambda raw: int.from_bytes(raw) > 0xFFFF))
def test_any_lower_case_address_comes_back_with_its_checksum(raw: bytes) -> None:
    assert check_evm_address("0x" + raw.hex()) == checksum_by_hand(raw.hex())


@given(st.sampled_from(GOOD), st.integers(2, 41))
def test_one_letter_in_the_wrong_case_is_refused(address: str, place: int) -> None:
    changed = address[:place] + address[place].swapcase() + address[place + 1 :]
    if changed not in (address, address.lower()):
        assert refusal(changed) is RefusalCode.ADDRESS_INVALID
        assert not is_checksummed(changed)


@pytest.mark.parametrize(
    "text",
    [
        ADDRESS[:-1],
        ADDRESS + "0",
        "0X" + ADDRESS[2:],
        ADDRESS[2:],
        "0x" + ADDRESS[2:].upper(),
        "0x" + ADDRESS[2:].lower().replace("a", "\u0430"),
        ADDRESS + "\u00a0",
        ADDRESS + "\n",
        "\u200f" + ADDRESS,
        ADDRESS[:20] + "\u200b" + ADDRESS[20:],
        "0x" + "\uff11" * 40,
        "0x" + "g" * 40,
        "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
        "0x" + "a" * 1_000_000,
        "",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert refusal(text) is RefusalCode.ADDRESS_INVALID


@pytest.mark.parametrize("low", [0, 1, 9, 0x11, 0xFF, 0x100, 0xDEAD])
def test_zero_precompiles_and_the_burn_address_are_forbidden(low: int) -> None:
    assert refusal(f"0x{low:040x}") is RefusalCode.ADDRESS_FORBIDDEN


@pytest.mark.parametrize("spelling", [ADDRESS, ADDRESS.lower()])
def test_a_token_contract_and_our_own_wallet_are_forbidden_in_either_spelling(spelling: str) -> None:
    assert refusal(spelling, ADDRESS) is RefusalCode.ADDRESS_FORBIDDEN
