"""edgeX's withdrawal as steps. The wire itself is `penstock.venues.edgex.client_requests` and `client_replies`.

Every withdrawal carries a clientWithdrawId, the caller's or one made here, by which the venue can be asked after a lost
answer. Layer 2 knows a withdrawal by a nonce of 32 bits that follows from that id, so that two ids may collide: an id
whose nonce another withdrawal of the account has is not used.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from penstock.client.asking import ARRIVAL_MARGIN_MS, repeat_once, submit_once
from penstock.client.edgex_reading import EdgexReader
from penstock.client.edgex_values import NAME, check_payment, coin_named
from penstock.client.errors import OutcomeUnknown
from penstock.client.options import Credential, Option, VenueEntry, secret_of, text_of
from penstock.client.steps import SignedRequest, Steps
from penstock.client.values import Payment, Prepared, Resolution, Submitted
from penstock.core.secret import Secret
from penstock.core.time import Clock
from penstock.venues.client_reply import VenueError
from penstock.venues.edgex import client_replies as replies
from penstock.venues.edgex import client_requests as requests
from penstock.venues.edgex.auth import WINDOW_MS
from penstock.venues.edgex.l2 import nonce_of
from penstock.venues.edgex.messages import read_long
from penstock.venues.edgex.stark import read_private_key, read_signature

BASE_URL = "https://pro.edgex.exchange"

NONCE_PAGES_MAX = 50
"""Of the account's withdrawals, so many pages are looked through for their nonces; the venue refuses a collision
with an older one."""
NEW_IDS_MAX = 16
"""Ids in a row that collide: then it is not chance."""

NO_RISK_SIGNATURE = Secret(hashlib.sha512(b"penstock: no risk signer").hexdigest().encode())
"""The venue makes this signature inside and does not say over what; a client without one sends any 128 digits."""


class EdgexVenue(EdgexReader):
    """One account at edgeX, or at a Penstock that answers as edgeX.

    at_the_venue: whether the base URL is edgeX's own. eth_address: where a payment goes that names no address.
    new_client_id: a fresh id for each withdrawal whose caller gave none.
    """

    name = NAME

    def __init__(
        self,
        credentials: requests.Credentials,
        clock: Clock,
        *,
        at_the_venue: bool,
        eth_address: str = "",
        risk_signature: Secret = NO_RISK_SIGNATURE,
        new_client_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        super().__init__(credentials, clock, at_the_venue=at_the_venue)
        self.default_address = eth_address
        self._risk_signature = risk_signature
        self._new_client_id = new_client_id
        self._nonces: dict[int, str] | None = None

    # ---- withdrawing ---------------------------------------------------------------------------------------

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        """Raises ValueError or NotOffered for a payment that the venue has no words for, and ValueError for a request
        id whose nonce is another withdrawal's; nothing but reads was sent then.
        """
        check_payment(payment)
        address = requests.checked_address(payment.address)
        if payment.request_id:
            requests.checked_client_id(payment.request_id)
        coin = coin_named(payment.currency, (yield from self.coins()))
        client_id = self._claimed_id(payment.request_id, (yield from self._known_nonces()))
        payment = replace(payment, currency=coin.name, address=address, request_id=client_id)
        now_ms = self._clock.now_ms()
        request = requests.create_withdraw(
            self._credentials,
            now_ms,
            coin=coin,
            amount=payment.amount,
            eth_address=address,
            client_id=client_id,
            risk_signature=self._risk_signature.reveal().decode(),
        )
        window_ends_ms = now_ms + WINDOW_MS + 1
        return Prepared(payment, SignedRequest.of(request), now_ms, window_ends_ms, asked_by_id=True)

    def _known_nonces(self) -> Steps[dict[int, str]]:
        """The nonces in use, each with its client id: those listed when first asked, and all claimed here since."""
        if self._nonces is None:
            found: dict[int, str] = {}
            offset = ""
            for _ in range(NONCE_PAGES_MAX):
                page = yield from self.page(offset)
                for row in page.data_list:
                    found[nonce_of(row.client_withdraw_id)] = row.client_withdraw_id
                offset = page.next_page_offset_data
                if not offset:
                    break
            self._nonces = found
        return self._nonces

    def _claimed_id(self, given: str, nonces: dict[int, str]) -> str:
        """The id to use, its nonce noted. An id given by the caller is theirs to change, so that it is only refused."""
        if given:
            holder = nonces.setdefault(nonce_of(given), given)
            if holder != given:
                raise ValueError(
                    f"the request id {given!r} has the layer 2 nonce of another withdrawal, {holder[:64]!r}: "
                    "choose another id"
                )
            return given
        for _ in range(NEW_IDS_MAX):
            client_id = self._new_client_id()
            if nonces.setdefault(nonce_of(client_id), client_id) is client_id:
                return client_id
        raise ValueError(f"{NEW_IDS_MAX} new ids in a row have a nonce in use: the source of ids is broken")

    def submit(self, prepared: Prepared) -> Steps[Submitted]:
        return submit_once(NAME, prepared, replies.read_withdraw_id, self._is_in_doubt)

    def _is_in_doubt(self, error: VenueError) -> bool:
        # At the venue it may be this very withdrawal, of which a proxy on the way sent a second copy.
        return self._at_the_venue and "DUPLICATE" in str(error.code)

    def repeat_identical(self, unknown: OutcomeUnknown) -> Steps[Submitted]:
        prepared = unknown.prepared
        if self._at_the_venue:
            raise ValueError("edgeX itself does not say what it does with a repeated id: use resolve(...)")
        return repeat_once(
            NAME, prepared, self.submit, now_ms=self._clock.now_ms(), ends_ms=prepared.window_ends_ms
        )

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        """Asks by the client id: what is found is the withdrawal itself."""
        # The venue's clock is read before its records, so that nothing can arrive between "too late" and
        # the look.
        venue_now_ms = yield from self.venue_time()
        found = yield from self.by_client_id(unknown.payment.request_id)
        if found is not None:
            return Resolution((found,), conclusive=True)
        return Resolution((), conclusive=venue_now_ms > unknown.window_ends_ms + ARRIVAL_MARGIN_MS)


def _make(credentials: Mapping[str, Credential], base_url: str, clock: Clock) -> EdgexVenue:
    account_id = text_of(credentials, "account_id")
    private_key = secret_of(credentials, "stark_private_key")
    risk_signature = secret_of(credentials, "risk_signature")
    eth_address = text_of(credentials, "eth_address")
    if not read_long(account_id):
        raise ValueError("account_id must be the account's number at edgeX")
    if read_private_key(private_key) is None:
        raise ValueError("stark_private_key must be at most 64 hexadecimal digits, and not zero")
    if risk_signature.matches(b""):
        risk_signature = NO_RISK_SIGNATURE
    if read_signature(risk_signature.reveal().decode("latin-1")) is None:
        raise ValueError("risk_signature must be 128 hexadecimal digits")
    return EdgexVenue(
        requests.Credentials(account_id, private_key),
        clock,
        at_the_venue=ENTRY.answers_at(base_url),
        eth_address=requests.checked_address(eth_address) if eth_address else "",
        risk_signature=risk_signature,
    )


ENTRY = VenueEntry(
    name=NAME,
    base_url=BASE_URL,
    hosts=(".edgex.exchange",),
    options=(
        Option("account_id", "the account's number at edgeX"),
        Option("stark_private_key", "its key on layer 2, hexadecimal", secret=True),
        Option("eth_address", "where a withdrawal goes that names no address", required=False),
        Option(
            "risk_signature",
            "128 hexadecimal digits, where the venue gave you one; without it, any are sent",
            secret=True,
            required=False,
        ),
    ),
    make=_make,
    advice={
        "ACCOUNT_ID_WHITELIST_ERROR": "have the account enabled for this interface, from this machine's address",
        "INSUFFICIENT_BALANCE": "ask for less; `balance` shows what can be withdrawn",
        "INVALID_ACCOUNT_ID": "check account_id",
        "INVALID_TIMESTAMP": "set this machine's clock: a request's time must be the venue's, within a minute",
        "L2_NONCE_COLLISION": "choose another request id",
        "RATE_LIMIT_EXCEEDED": "wait a second",
        "SIGNATURE_ERROR": "check that stark_private_key belongs to account_id",
    },
    when_lost="ask for the request id {request_id}: once the withdrawal is found, there is no doubt left",
)
