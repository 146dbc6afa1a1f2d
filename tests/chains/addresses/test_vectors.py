"""Addresses that the standards publish, good and bad, and what we make of each."""

from __future__ import annotations

import pytest

from penstock.chains.address_rules.bitcoin import witness_program
from penstock.chains.addresses import check_address
from penstock.core.catalogue import Network
from penstock.core.refusals import RefusalCode, Refused

ETHEREUM = Network(code="ethereum", family="evm", native="ETH", confirmations=12)
TRON = Network(code="tron", family="tron", native="TRX", confirmations=19)
BITCOIN = Network(code="bitcoin", family="bitcoin", native="BTC", confirmations=6)
SOLANA = Network(code="solana", family="solana", native="SOL", confirmations=32)
RIPPLE = Network(code="ripple", family="ripple", native="XRP", confirmations=1, uses_memo=True)


def check(network: Network, address: str) -> str:
    return check_address(network, address, "", frozenset())


def refusal(
    network: Network, address: str, memo: str = "", forbidden: frozenset[str] = frozenset()
) -> Refused:
    with pytest.raises(Refused) as caught:
        check_address(network, address, memo, forbidden)
    return caught.value


# BIP-350, "Test vectors for v0-v16 native segregated witness addresses": valid, with the output script.
BIP_350_VALID = {
    "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4": "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sl5k7": (
        "00201863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262"
    ),
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y": (
        "5128751e76e8199196d454941c45d1b3a323f1433bd6751e76e8199196d454941c45d1b3a323f1433bd6"
    ),
    "BC1SW50QGDZ25J": "6002751e",
    "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs": "5210751e76e8199196d454941c45d1b3a323",
    "tb1qqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesrxh6hy": (
        "0020000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"
    ),
    "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c": (
        "5120000000c4a5cad46221b2a187905e5266362b99d5e91c6ce24d165dab93e86433"
    ),
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": (
        "512079be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
    ),
}

# The same section, invalid; and the invalid segregated witness addresses of BIP-173, "Test vectors".
SEGWIT_INVALID = [
    "tc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq5zuyut",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
    "tb1z0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqglt7rf",
    "BC1S0XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ54WELL",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
    "tb1q0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq24jc47",
    "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
    "BC130XLXVLHEMJA6C4DQV22UAPCTQUPFHLXM9H8Z3K2E72Q4K9HCZ7VQ7ZWS8R",
    "bc1pw5dgrnzv",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v8n0nx0muaewav253zgeav",
    "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vq47Zagq",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7v07qwwzcrf",
    "tb1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vpggkg4j",
    "bc1gmk9yu",
    "tc1qw508d6qejxtdg4y5r3zarvary0c5xw7kg3g4ty",
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
    "BC13W508D6QEJXTDG4Y5R3ZARVARY0C5XW7KN40WF2",
    "bc1rw5uspcuh",
    "bc10w508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kw5rljs90",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3q0sL5k7",
    "bc1zw508d6qejxtdg4y5r3zarvaryvqyzf3du",
    "tb1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3pjxtptv",
    # Valid in BIP-173, before BIP-350 moved versions above 0 to bech32m.
    "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7k7grplx",
    "BC1SW50QA3JX3S",
    "bc1zw508d6qejxtdg4y5r3zarvaryvg6kdaj",
]

# BIP-173 and BIP-350: strings that are valid or invalid as codes, and in neither case a Bitcoin address.
NOT_SEGWIT = [
    "A12UEL5L",
    "a12uel5l",
    "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
    "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
    "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
    "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w",
    "?1ezyfcl",
    "A1LQFN3A",
    "an83characterlonghumanreadablepartthatcontainsthetheexcludedcharactersbioandnumber11sg7hg6",
    "?1v759aa",
    " 1nwldj5",
    "\x7f1axkwrx",
    "\x801eym55h",
    "pzry9x0s0muk",
    "1pzry9x0s0muk",
    "x1b4n0q5v",
    "li1dgmt3",
    "de1lg7wt\xff",
    "A1G7SGD8",
    "10a06t8",
    "1qzzfhee",
    "M1VUXWEZ",
    "16plkw9",
    "in1muywd",
]


@pytest.mark.parametrize("address, script", BIP_350_VALID.items())
def test_bip_350_addresses_read_as_their_published_program(address: str, script: str) -> None:
    version, program = witness_program(address, address[:2].lower())
    opcode = version + 0x50 if version else 0
    assert bytes([opcode, len(program)]) + program == bytes.fromhex(script)


@pytest.mark.parametrize("address", SEGWIT_INVALID)
def test_bip_173_and_bip_350_invalid_addresses_are_invalid(address: str) -> None:
    assert refusal(BITCOIN, address).code is RefusalCode.ADDRESS_INVALID
    with pytest.raises(Refused):
        witness_program(address, address[:2].lower() if address[:2].lower() in {"bc", "tb"} else "bc")


@pytest.mark.parametrize("text", NOT_SEGWIT)
def test_bech32_texts_that_are_no_address_are_invalid(text: str) -> None:
    assert refusal(BITCOIN, text).code is RefusalCode.ADDRESS_INVALID


@pytest.mark.parametrize(
    "address",
    [
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",  # the first block's output
        "3P14159f73E4gFr7JterCCQh9QjiTjiZrG",  # BIP-13's P2SH form
    ],
)
def test_bitcoin_mainnet_addresses_are_taken(address: str) -> None:
    assert check(BITCOIN, address) == address


def test_an_upper_case_bech32_address_is_stored_in_lower_case() -> None:
    upper = "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4"
    assert check(BITCOIN, upper) == upper.lower()
    assert refusal(BITCOIN, upper, "", frozenset({upper.lower()})).code is RefusalCode.ADDRESS_FORBIDDEN


@pytest.mark.parametrize(
    "address",
    [
        "bc1pw508d6qejxtdg4y5r3zarvary0c5xw7kw508d6qejxtdg4y5r3zarvary0c5xw7kt5nd6y",
        "BC1SW50QGDZ25J",
        "bc1zw508d6qejxtdg4y5r3zarvaryvaxxpcs",
        "1111111111111111111114oLvT2",
    ],
)
def test_outputs_that_nobody_owns_are_forbidden_though_well_formed(address: str) -> None:
    assert refusal(BITCOIN, address).code is RefusalCode.ADDRESS_FORBIDDEN


@pytest.mark.parametrize(
    "address",
    [
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",  # BIP-173's example for the test network
        "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
        "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn",
        "2MzQwSSnBHWHqSAqtTVQ6v47XtaisrJa1Vc",
    ],
)
def test_addresses_of_test_networks_are_named_as_such(address: str) -> None:
    found = refusal(BITCOIN, address)
    assert found.code is RefusalCode.ADDRESS_INVALID
    assert found.detail["reason"] == "an address of a test network"


# EIP-55, "Test Cases".
EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", EIP_55)
def test_eip_55_addresses_are_taken_in_their_case_and_in_lower_case(address: str) -> None:
    assert check(ETHEREUM, address) == address
    assert check(ETHEREUM, address.lower()) == address


# TRON's documentation: the `encoding convert` command of wallet-cli; TronWeb's `toHex`; the `hex` forms
# beside.
TRON_PUBLISHED = {
    "TBhCfAytTEh52WFL6HYr64i2nmc3u3TCUp": "4112e94f5a3c88b17d2f6e0b9a45cd310f8e7a6d29",
    "TNPeeaaFB7K9cmo4uQpcU32zGK8G1NYqeL": "418840e6c55b9ada326d211d818c34a994aeced808",
}


@pytest.mark.parametrize("address, hex_form", TRON_PUBLISHED.items())
def test_tron_addresses_are_taken_in_base58check_only(address: str, hex_form: str) -> None:
    assert check(TRON, address) == address
    for form in (hex_form, hex_form.upper(), f"0x{hex_form}", f"0x{hex_form[2:]}", hex_form[2:]):
        found = refusal(TRON, form)
        assert found.code is RefusalCode.ADDRESS_INVALID
        assert "hexadecimal" in str(found.detail["reason"])


def test_trons_zero_address_is_forbidden() -> None:
    assert refusal(TRON, "T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb").code is RefusalCode.ADDRESS_FORBIDDEN


# XRP Ledger documentation: "Accounts" and "base58 Encodings"; X-addresses from its address codec's page.
@pytest.mark.parametrize(
    "address", ["rf1BiGeXwwQoi8Z2ueFYTEXSwuJYfV2Jpn", "rGWrZyQqhTp9Xu7G5Pkayo7bXjH4k4QYpf"]
)
def test_classic_addresses_of_the_xrp_ledger_are_taken(address: str) -> None:
    assert check(RIPPLE, address) == address


@pytest.mark.parametrize(
    "address",
    ["XVLhHMPHU98es4dbozjVtdWzVrDjtV18pX8yuPT7y4xaEHi", "T7oKJ3q7s94kDH6tpkBowhetT1JKfcfdSCmAXbS75iATyLD"],
)
def test_x_addresses_are_refused_with_what_to_give_instead(address: str) -> None:
    found = refusal(RIPPLE, address)
    assert found.code is RefusalCode.ADDRESS_INVALID
    assert "give the classic address" in str(found.detail["reason"])


@pytest.mark.parametrize(
    "address",
    [
        "rrrrrrrrrrrrrrrrrrrrrhoLvTp",
        "rrrrrrrrrrrrrrrrrrrrBZbvji",
        "rrrrrrrrrrrrrrrrrNAMEtxvNvQ",
        "rrrrrrrrrrrrrrrrrrrn5RM1rHd",
        "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
    ],
)
def test_the_black_holes_of_the_xrp_ledger_are_forbidden(address: str) -> None:
    assert refusal(RIPPLE, address).code is RefusalCode.ADDRESS_FORBIDDEN


def test_solana_addresses_are_32_bytes_and_not_programs() -> None:
    account = "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV"
    assert check(SOLANA, account) == account
    for program in ("1" * 32, "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"):
        assert refusal(SOLANA, program).code is RefusalCode.ADDRESS_FORBIDDEN
    for text in ("1" * 31, "1" * 33, account[:-2], account + "12", "z" * 44, "0" * 43):
        assert refusal(SOLANA, text).code is RefusalCode.ADDRESS_INVALID
