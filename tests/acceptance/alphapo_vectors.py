"""The signatures that the venue's pages publish, and further ones made with them: keys, bodies to the byte, signatures.

Source: AlphaPo docs, "Authentication", for the first; the others were made by a second implementation of that page.
"""

from __future__ import annotations

from tests.acceptance.alphapo_requests import KeyPair

OFFICIAL = KeyPair("alphapo-official-key", "AbCdEfG123456")
OURS = KeyPair("alphapo-test-key-01", "alphapo-test-secret-01")
PLAIN = (
    b'{"currency":"BTC","amount":"0.00020000","address":"tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc",'
    b'"foreign_id":"wd-0001","end_user_reference":"user-42"}'
)
EXCHANGED = (
    b'{"currency":"EUR","convert_to":"BTC","amount":25,"address":"tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc",'
    b'"foreign_id":"wd-0002","end_user_reference":"user-42","tag":null}'
)
CALLBACK = (
    b'{"id":2686572,"foreign_id":"wd-0001","end_user_reference":"user-42","type":"withdrawal","crypto_address":'
    b'{"id":381734,"currency":"BTC","address":"tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc","tag":null},'
    b'"currency_sent":{"currency":"BTC","amount":"0.00020000"},"currency_received":{"currency":"BTC","amount":'
    b'"0.00020000"},"transactions":[{"id":714670,"currency":"BTC","transaction_type":"blockchain","type":"withdrawal",'
    b'"address":"tb1qfdxh6gkfr0qgyatnlkd8khcnxph9tw06n6qwjc","tag":null,"amount":"0.00020000","txid":'
    b'"bb040d895ef7141ea0b06b04227d8f5dd4ee12d5b890e6e5633f6439393a666b","confirmations":"0"}],"fees":[{"type":'
    b'"mining","currency":"BTC","amount":"0.00001000"}],"error":"","status":"confirmed"}'
)
SIGNED = [
    (
        OFFICIAL,
        b'{"currency":"BTC","foreign_id":"123456"}',
        (
            "03c25fcf7cd35e7d995e402cd5d51edd72d48e1471e865907967809a0c189ba5"
            "5b90815f20e2bb10f82c7a9e9d865546fda58989c2ae9e8e2ff7bc29195fa1ec"
        ),
    ),
    (
        OURS,
        b"",
        (
            "3749149ce577d1aeda91020992b85e61753af40a9b836d301a351a0ea8a4ada5"
            "3826d778277baaf4317337224439e0d32acea25119d9949f9ad3c9e743116489"
        ),
    ),
    (
        OURS,
        b"{}",
        (
            "b8f4d37978f4e5ba76f7ead66847b44163c31acabc4ec4838bfdad08ae910cea"
            "3f40ae3ccdad3bbb67998cd29b5b5c75db63b41924393b0f0165d452666a900a"
        ),
    ),
    (
        OURS,
        b"[]",
        (
            "8e3062f27d08361a957e37569e5fc520d530b952ebd75eb25ba054fd2ed5f176"
            "3cf3c0f6d9cbcd186f81d2d8011823a75007a2794dd8be2578bfdc773aba61d6"
        ),
    ),
    (
        OURS,
        b"null",
        (
            "7769cfdd6a27522cc01fcc6b584fc17ad5cb3efd8f23fe2e8ac787f8c5ba89d9"
            "d41eda7b4eab1806d0bcd3dc165823995ae722641257d2587b4038a977ac437e"
        ),
    ),
    (
        OURS,
        PLAIN,
        (
            "d957796b6fb518ec3f4b264893f00e293e1181636c360b3f796314ab9502bbbc"
            "ddbd1ed962c57de1bf4f16dc8a7afebb1754d0572f4605cbbe5cc8649f103c99"
        ),
    ),
    (
        OURS,
        PLAIN.replace(b",", b", ").replace(b":", b": "),
        (
            "915569ccdb89cb7000e4a53b09fb3153aac3c850acd3ee7099775171f710812a"
            "572fc869a44915322e015dda4b17eca49b6ec1cf59a952ba4b49177a606b8645"
        ),
    ),
    (
        OURS,
        EXCHANGED,
        (
            "7a8279c290531a7e3542f48cb61914f92877ea88312360d1a0c61c447e7192e7"
            "e2956ebf12ba27fe36b62c11c4fdd0ddace840127d08b12134882aa2e6a7e812"
        ),
    ),
    (
        OURS,
        b'{"foreign_id":"wd-0001"}',
        (
            "2eb74e74f2448c6f6885be0cebc07a2311ea893a09db20f4818151ae0915d086"
            "b1f36744a14663f3e70f4094bff85d7ad5f3290823ecfdccda00e31984f24162"
        ),
    ),
    (
        OURS,
        rb'{"currency":"BTC","foreign_id":"a\/b","note":"\u00e9"}',
        (
            "8202f7da51f45e27285a1368fe8c8281ba72e6ffe26862c13789b86821de9ebc"
            "821344085efa66183e72402bfdce88ad4c359f70c03e16458a872bdc6f13a709"
        ),
    ),
    (
        OURS,
        '{"currency":"BTC","foreign_id":"café"}'.encode(),
        (
            "d613123864dbaeaeb1a51d0561a1190382e530ab6c486dfaa5496204ecd3f754"
            "392d308324680d6ca717c28ab98cf7d91cdeb210dafdb1ef4253fc597f7faa4f"
        ),
    ),
]
"""(key, body, signature)."""

CALLBACK_SIGNATURE = (
    "ad744376f632b0f245212e425581dc89df136c8e83242bff79eb12c6c960656e"
    "95241c5734ab2039eb2bcec2970881865a73e848da80d340c490120c0227fe94"
)
