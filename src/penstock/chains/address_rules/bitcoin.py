"""Bitcoin mainnet addresses: P2PKH and P2SH in Base58Check, segregated witness in bech32 and bech32m.

Sources: BIP-13 (versions 0 and 5), BIP-173, BIP-350, BIP-141 (program lengths), BIP-341 (version 1 is 32
bytes).
"""

from __future__ import annotations

from base58_bech32.bech32 import BECH32_1_CONST, BECH32_M_CONST, bech32_decode, convertbits
from base58_bech32.exceptions import Base58Bech32ValueError

from penstock.chains.address_rules.base58check import ACCOUNT_BYTES, decode_checked
from penstock.chains.address_rules.refusing import forbidden, invalid

_HRP_MAINNET = "bc"
_HRPS_OF_TEST_NETWORKS = ("tb1", "bcrt1")
_VERSIONS_MAINNET = (0x00, 0x05)
_VERSIONS_OF_TEST_NETWORKS = (b"\x6f", b"\xc4")
_SEGWIT_CHARACTERS_MAX = 90
_WITNESS_VERSION_MAX = 16
_PROGRAM_BYTES = range(2, 41)
_PROGRAM_BYTES_V0 = (20, 32)
_PROGRAM_BYTES_V1 = 32


def check_bitcoin_address(text: str) -> str:
    """Returns the canonical text: bech32 in lower case, Base58Check as it is.

    Raises Refused(ADDRESS_INVALID), or Refused(ADDRESS_FORBIDDEN) for well-formed outputs that nobody owns: a
    hash of zeros, and witness versions or lengths that no consensus rule guards yet, which anyone may spend.
    """
    lowered = text.lower()
    if lowered.startswith(_HRPS_OF_TEST_NETWORKS):
        raise invalid("an address of a test network")
    if lowered.startswith(f"{_HRP_MAINNET}1"):
        return _check_segwit(text)
    payload = decode_checked(text)
    if len(payload) != ACCOUNT_BYTES or payload[0] not in _VERSIONS_MAINNET:
        of_test = payload[:1] in _VERSIONS_OF_TEST_NETWORKS
        raise invalid("an address of a test network" if of_test else "no Bitcoin address: version or length")
    if not any(payload[1:]):
        raise forbidden("a hash of zeros, which nobody owns")
    return text


def _check_segwit(text: str) -> str:
    version, program = witness_program(text, _HRP_MAINNET)
    if version > 1 or (version == 1 and len(program) != _PROGRAM_BYTES_V1):
        raise forbidden("a witness version without rules: anyone could spend it")
    if not any(program):
        raise forbidden("a hash of zeros, which nobody owns")
    return text.lower()


def witness_program(text: str, hrp: str) -> tuple[int, bytes]:
    """Version (0..16) and program (2..40 bytes) of a segregated witness address, by BIP-173 and BIP-350.

    hrp: "bc" or "tb", lower case. Raises Refused(ADDRESS_INVALID).
    """
    try:
        found_hrp, values, constant = bech32_decode(text, limit=_SEGWIT_CHARACTERS_MAX)
        program = bytes(convertbits(values[1:], 5, 8, pad=False))
    except Base58Bech32ValueError as error:
        raise invalid(f"not bech32: {error}") from None
    if found_hrp != hrp or len(program) not in _PROGRAM_BYTES or values[0] > _WITNESS_VERSION_MAX:
        raise invalid("not a segregated witness address: prefix, version or length")
    version = values[0]
    if constant != (BECH32_M_CONST if version else BECH32_1_CONST):
        raise invalid("version 0 is written in bech32, later versions in bech32m")
    if version == 0 and len(program) not in _PROGRAM_BYTES_V0:
        raise invalid("a version 0 program has 20 or 32 bytes")
    return version, program
