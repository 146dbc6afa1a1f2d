"""A signed request as it may be shown: every byte of it but those with which it could be sent.

Masked are the credentials, and the values of headers, query parameters and body fields whose names say that
they authenticate. Amounts, addresses and times stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

from penstock.cli.connection import Access
from penstock.cli.terminal import MASKED_CHARACTERS_MIN, as_json, masked
from penstock.client import FirstRequest, SignedRequest, entry_of
from penstock.core.secret import Secret

# X-BM-SIGN, X-BAPI-API-KEY, X-Processing-Signature, AccessKeyId, l2Signature; not X-BAPI-SIGN-TYPE.
_AUTHENTICATES = re.compile(r"(sign|signature|key|key[-_]?id|token|passphrase|secret)$", re.IGNORECASE)

_AFTERWARDS = "what the venue answers to this is checked, signed, and sent back to it; only that moves money"


def shown_request(access: Access, base_url: str, first: FirstRequest, *, json: bool) -> str:
    """The request as it would stand on the wire, and what its signature covers, with secrets masked."""
    request = first.request
    hidden = _hidden(access, request)
    target = _without(request.target, hidden)
    headers = {
        name: masked(value) if _AUTHENTICATES.search(name) else _without(value, hidden)
        for name, value in request.headers
    }
    signed_text = _without(request.signed_text, hidden)
    body = _without(request.body.decode(errors="replace"), hidden)
    afterwards = "" if first.is_whole else entry_of(access.venue).afterwards or _AFTERWARDS
    if json:
        return as_json(
            {
                "method": request.method,
                "url": base_url + target,
                "headers": headers,
                "signed_text": signed_text,
                "body": body,
                "body_hex": body.encode().hex(),
                "afterwards": afterwards,
            }
        )
    shown_headers = "\n".join(f"{name}: {value}" for name, value in headers.items())
    return (
        f"{request.method} {base_url}{target}\n{shown_headers}\n\n{body}\n\n"
        f"signed text:\n{signed_text}\n\n"
        f"body: {len(request.body)} bytes, {body.encode().hex()}\n"
        + (f"afterwards: {afterwards}\n" if afterwards else "")
        + "dry run: nothing was sent; secrets are masked (***)"
    )


def _hidden(access: Access, request: SignedRequest) -> tuple[str, ...]:
    """What is masked wherever it stands, longest first, so that nothing is left of a longer one.

    Shorter ones are not looked for: they would be found inside amounts, and are masked as whole headers only.
    """
    found = {
        form
        for value in (*_credentials(access), *_signatures(request))
        for form in (value, quote(value, safe=""))
        if len(value) >= MASKED_CHARACTERS_MIN
    }
    return tuple(sorted(found, key=len, reverse=True))


def _credentials(access: Access) -> Iterator[str]:
    for option in entry_of(access.venue).options:
        match access.credentials.get(option.name):
            case Secret() as secret:
                yield secret.reveal().decode(errors="replace")
            case str(text) if _AUTHENTICATES.search(option.name):
                yield text
            case _:
                continue


def _signatures(request: SignedRequest) -> Iterator[str]:
    fields: list[tuple[str, object]] = list(request.headers)
    fields += parse_qsl(urlsplit(request.target).query)
    try:
        fields += msgspec.json.decode(request.body, type=dict[str, object]).items()
    except msgspec.MsgspecError:
        fields += parse_qsl(request.body.decode(errors="replace"))
    for name, value in fields:
        if isinstance(value, str) and _AUTHENTICATES.search(name):
            yield value


def _without(text: str, hidden: tuple[str, ...]) -> str:
    for value in hidden:
        text = text.replace(value, masked(value))
    return text
