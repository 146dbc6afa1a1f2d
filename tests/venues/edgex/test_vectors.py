"""Messages and signatures published by the venue, by other projects, and computed with other libraries."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from edgex_sdk.internal.async_client import AsyncClient
from edgex_sdk.internal.starkex_signing_adapter import StarkExSigningAdapter
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from penstock.core.secret import Secret
from penstock.venues.edgex import l2, signed_text, stark
from penstock.venues.edgex.stark import PublicKey, Signature, read_signature
from penstock.venues.strict_json import read_object
from tests.venues.edgex.world import (
    ACCOUNT_ID,
    CLIENT_ID,
    ETH_ADDRESS,
    EXPIRES,
    PRIVATE,
    PUBLIC_X,
    PUBLIC_Y,
    TESTNET_ASSET,
    TIMESTAMP,
    create_members,
    flat,
    nonce_of,
)

KEY = PublicKey(PUBLIC_X, PUBLIC_Y)
SECRET = Secret.of(f"{PRIVATE:064x}")
MAINNET_ASSET = 0x2CE625E94458D39DD0BF3B45A843544DD4A14B8169045A3A3D15AA564B936C5

A = (
    (
        "1735542383256GET/api/v1/private/withdraw/getActiveWithdraw"
        "accountId=543429922991899150&filterCoinIdList=1000&size=10"
    ),
    0x043CAEC06B85B0E1447A89FD5B189AFBA130E6D65A98ED473A5EF69BC8ECF602,
    (
        "00cac7834f0097fe4ade0963d8060964b529e659e56eb665960915d0ce1e2b3e"
        "01680b8af9e8b8d2f084f2531a97c44cb650494224a4479900f3b89f27085d1a"
    ),
)
B = (
    (
        "1735542383256GET/api/v1/private/withdraw/getWithdrawByClientWithdrawId"
        "accountId=543429922991899150&clientWithdrawIdList=client_withdraw_123,client_withdraw_124"
    ),
    0x047E4FE54ABDB6B2DF69CE23D976C357872F99FC95275C6139A63801CE5D25FB,
    (
        "013bbe0b635860c648b9d9c440f8a94344140998dbfb5fe2d9dbbc7037f70378"
        "035c37e26d64f25c1a2d2a72dbc3e51479563108809d79e1dbbb474e6f37ad81"
    ),
)
C_TESTNET = (
    "048f6ca70ba1b48d1329ff9615894f729ae61b319c068d448bc120ce486a4ae7"
    "04a8d4f71a47fdf96f7c4ab46a88852eeff4f0ba89a9a6a5d85d7f876faea242"
)
C_MAINNET = (
    "040f7e39ed4bb0d33e7f59444119de20b81ac63e2a91faff06a47e226872d428"
    "047c42d41a57ad762c96976039fadf5e1be009f481bd5269225ff3b9e5ba5541"
)
D = (
    (
        "1735542383256POST/api/v1/private/withdraw/createWithdraw"
        "accountId=543429922991899150&amount=10.000000&clientWithdrawId=client_withdraw_123&coinId=1000"
        "&erc20Address=0xd98B590ebE0a3eD8C144170bA4122D402182976f"
        "&ethAddress=0x1fB51aa234287C3CA1F957eA9AD0E148Bb814b7A&extraDataJson=&extraType="
        f"&l2ExpireTime=1736562381355&l2Nonce=1858471522&l2Signature={C_TESTNET}&riskSignature={'1' * 128}"
    ),
    0x02831A554757BE5119AE8F4104EC2B1F4BBABE291ADE53B92580BD1F415C833D,
    (
        "04ce6da70fe5a7785b15d3ecbe2fcf67d7108cfda32a7822319614d68bd2992f"
        "06f61b403ac79356869654158fb806e0a917058c2449c1032780588fbb16ed88"
    ),
)


def message(**changes: int) -> l2.WithdrawalMessage:
    fields: dict[str, Any] = {
        "asset_id": TESTNET_ASSET,
        "eth_address": int(ETH_ADDRESS, 16),
        "position_id": int(ACCOUNT_ID),
        "nonce": 1_858_471_522,
        "amount": 10_000_000,
        "expire_ms": int(EXPIRES),
    }
    return l2.WithdrawalMessage(**(fields | changes))


@pytest.mark.parametrize("text, number, signature", [A, B, D], ids=["get", "get-list", "post"])
def test_a_request_gives_the_number_and_the_signature(text: str, number: int, signature: str) -> None:
    assert signed_text.digest(text) == number
    assert stark.sign(SECRET, number).text == signature
    found = read_signature(signature)
    assert found is not None
    assert stark.verifies(KEY, number, found)


def test_the_hash_is_keccak_and_not_sha3() -> None:
    text = A[0].encode()
    assert keccak(text).hex() == "e43caec06b85b2bd447a89fd5b189af3b34eead88bf06ac28d98b5caca9d6726"
    assert hashlib.sha3_256(text).digest() != keccak(text)


def test_the_texts_of_the_vectors_are_made_from_requests() -> None:
    path = "/api/v1/private/withdraw"
    listed = b"size=10&filterCoinIdList=1000&accountId=543429922991899150"
    (text,) = signed_text.query_texts(signed_text.split_query(listed) or [])
    assert signed_text.content(TIMESTAMP, "GET", f"{path}/getActiveWithdraw", text) == A[0]
    asked = b"accountId=543429922991899150&clientWithdrawIdList=client_withdraw_123%2Cclient_withdraw_124"
    decoded, raw = signed_text.query_texts(signed_text.split_query(asked) or [])
    assert signed_text.content(TIMESTAMP, "GET", f"{path}/getWithdrawByClientWithdrawId", decoded) == B[0]
    assert raw == decoded.replace(",", "%2C")
    body = signed_text.body_text(create_members())
    assert signed_text.content(TIMESTAMP, "POST", f"{path}/createWithdraw", body) == D[0]


def test_the_canonical_text_of_the_documented_kinds_of_value() -> None:
    body = b'{"b":[1,"x",{"z":true,"a":null}],"a":"","c":[],"d":{"k2":"2","k1":"1"}}'
    assert signed_text.body_text(read_object(body)) == "a=&b=1&x&a=&z=true&c=&d=k1=1&k2=2"


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_the_text_of_any_body_is_what_the_official_sdk_signs(body: dict[str, Any]) -> None:
    sdk = AsyncClient("", 1, "", StarkExSigningAdapter())

    def literals(value: Any) -> Any:
        """Numbers as strict_json gives them."""
        if isinstance(value, dict):
            return {name: literals(member) for name, member in value.items()}
        if isinstance(value, list):
            return [literals(item) for item in value]
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        return value

    assert signed_text.body_text(literals(body)) == sdk.get_value(body) == flat(body)


@pytest.mark.parametrize(
    "client_id, nonce",
    [
        ("21163368294502694", 808_219),
        ("9311381563209122", 3_353_661_024),
        (CLIENT_ID, 1_858_471_522),
        ("745410645654877", 2_958_869_932),
        ("client_cross_123", 493_483_283),
    ],
)
def test_a_nonce_is_the_first_32_bits_of_the_ids_hash(client_id: str, nonce: int) -> None:
    assert l2.nonce_of(client_id) == nonce == nonce_of(client_id)


def test_the_official_sdk_has_the_same_nonces() -> None:
    sdk = AsyncClient("", 1, "", StarkExSigningAdapter())
    for client_id in (CLIENT_ID, "", "ж", "w29009"):
        assert l2.nonce_of(client_id) == sdk.calc_nonce(client_id)


@pytest.mark.parametrize(
    "asset, expected, signature",
    [
        (TESTNET_ASSET, 0x01D21FA4F9D5802EEBD948A961F75DCFC37D5879FF1A91CC336B13C707B4DF01, C_TESTNET),
        (MAINNET_ASSET, 0x020D49FDE3D2E8152181A7C4E12F0CF4E8EF843182B712163B06555E3C78C9FD, C_MAINNET),
    ],
    ids=["testnet", "mainnet"],
)
def test_a_withdrawal_message_gives_the_hash_and_the_signature(
    asset: int, expected: int, signature: str
) -> None:
    assert message(asset_id=asset).digest() == expected
    assert stark.sign(SECRET, expected).text == signature


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 10_000_001},
        {"expire_ms": 482_379 * 3_600_000},
        {"nonce": 1_858_471_523},
        {"position_id": int(ACCOUNT_ID) + 1},
        {"eth_address": int(ETH_ADDRESS, 16) + 1},
        {"asset_id": MAINNET_ASSET},
    ],
)
def test_a_signature_is_good_for_no_other_message(changes: dict[str, int]) -> None:
    found = read_signature(C_TESTNET)
    assert found is not None
    assert stark.verifies(KEY, message().digest(), found)
    assert not stark.verifies(KEY, message(**changes).digest(), found)


def test_a_signature_is_good_for_no_other_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(l2, "WITHDRAWAL_TO_ADDRESS", 6)
    found = read_signature(C_TESTNET)
    assert found is not None
    assert not stark.verifies(KEY, message().digest(), found)


def test_only_full_hours_are_signed() -> None:
    hour = 482_378 * 3_600_000
    assert message(expire_ms=hour).digest() == message(expire_ms=hour + 3_599_999).digest()


def test_the_withdrawal_that_the_venue_published_verifies() -> None:
    published = l2.WithdrawalMessage(
        asset_id=TESTNET_ASSET,
        eth_address=int("0x1fB51aa234287C3CA1F957eA9AD0E148Bb814b7A", 16),
        position_id=551_109_015_904_453_258,
        nonce=l2.nonce_of("745410645654877"),
        amount=1_000_000,
        expire_ms=1_735_887_600_000,
    ).digest()
    assert published == 0x030B76FA59A12C02A13828B3668E425188A8C822FB34FC6B0880251E66A5F02E
    key = stark.read_public_key(b"03eec711e360695bb44b1170057a25340303c1f16893a8def7450e44294405a8:")
    found = read_signature(
        "007bf80407c6a7bb14f5ca3b848a5d908627993f23b073c902e359a6fa4a6a92"
        "040cea4c98e25e35ad1d8cc4e18758c463c45bf451299ce55aa49abbdb916d03"
    )
    assert key is not None
    assert found is not None
    assert stark.verifies(key, published, found)


def test_another_projects_withdrawal_verifies() -> None:
    theirs = l2.WithdrawalMessage(
        asset_id=0x31857064564ED0FF978E687456963CBA09C2C6985D8F9300A1DE4962FAFA054,
        eth_address=0x6C5A62E584D0289DEF8FE3C9C8194A07246A2C52,
        position_id=10_002,
        nonce=1_473_459_052,
        amount=1_100_000,
        expire_ms=474_146 * 3_600_000,
    ).digest()
    assert theirs == 0x02BD598E9516E70F5A0F1FF01F7D1E9EF94909CA30D6500EE8C0316131A224B5
    signature = Signature(
        0x3F3AA8B0C2F2A8953AEF42DD79D7C1003A98DF241B7A989BB0ED122AE9E99DD,
        0x789B22F03B13DF2E95D5BFFD472F1C8ABB325291A142E55B7BD61A6CC998B46,
    )
    key = PublicKey(0x61C5E7E8339B7D56F197F54EA91B776776690E3232313DE0F2ECBD0EF76F466, None)
    assert stark.verifies(key, theirs, signature)


def test_the_transfer_of_a_cross_chain_withdrawal_hashes_and_verifies() -> None:
    # Type 4, of a call that is not served: it shows that hash and curve are StarkEx's for the whole family.
    sender, receiver = int(ACCOUNT_ID), 542_076_087_396_467_085
    receiver_key = 0x03BF794B4433E0A8B353DA361BB7284C670914D27ED04698E6ABED0BF1198028
    first = ((sender * 2**64 + receiver) * 2**64 + sender) * 2**32 + l2.nonce_of("client_cross_123")
    second = (((4 * 2**64 + 10_000_000) * 2**64) * 2**32 + 482_378) * 2**81
    hashed = stark.pedersen_hash(TESTNET_ASSET, 0)
    for element in (receiver_key, first, second):
        hashed = stark.pedersen_hash(hashed, element)
    assert hashed == 0x052C98D59A5D0E58300794386BAE18B2F1B9E2931AD0AA8404AE54ED27312541
    found = read_signature(
        "03a7f76cd006b99189f8bc9344ed5bac46bb70518d540440ad77a6785b005de0"
        "071d81791ce1fc9e02725e28dc35dc34792f41c189811175374e71bad998ae63"
    )
    assert found is not None
    assert stark.verifies(KEY, hashed, found)


def test_the_web_front_ends_scheme_signs_the_same_text() -> None:
    # That scheme is not served; its vector shows that the text is the same.
    expected = "cd8c39a383e00adaac6d4628a79efe5318afd895c668df75ba47ccced900035a"
    assert hmac.digest(b"c2VjcmV0LTE=", A[0].encode(), "sha256").hex() == expected
