"""Zoomex's withdrawal calls as steps. The wire itself is
`penstock.venues.zoomex.client_requests` and `client_replies`.

Every withdrawal carries a requestId, the caller's or one made here. The venue cannot be asked by it: after a lost
answer only its records can tell. A Penstock answers the same requestId with the same content with the first
withdrawal, for ever; the venue says that it checks it and not how.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace

from penstock.client.asking import ARRIVAL_MARGIN_MS, repeat_once, submit_once
from penstock.client.errors import OutcomeUnknown
from penstock.client.options import Credential, Option, VenueEntry, secret_of, text_of
from penstock.client.steps import SignedRequest, Steps
from penstock.client.values import Payment, Prepared, Resolution, Submitted
from penstock.client.zoomex_reading import ZoomexReader
from penstock.client.zoomex_values import (
    NAME,
    chain_of,
    check_payment,
    coin_and_chain,
    matches,
    name_of,
)
from penstock.core.time import Clock
from penstock.venues.client_reply import VenueError
from penstock.venues.zoomex import client_replies as replies
from penstock.venues.zoomex import client_requests as requests

BASE_URL = "https://openapi.zoomex.com"

AHEAD_MS = 1_000
"""How far ahead of the venue's clock a request's time may be (Zoomex docs, "Authentication")."""
RECORDS_MAX = 1_000

# Server timeout, server error, service error and internal error do not say how far the request got.
_CODES_IN_DOUBT = frozenset({10000, 10016, 131001, 131003})
# "Duplicate request": at the venue it may be this very withdrawal, of which a proxy on the way sent a second copy.
_CODES_IN_DOUBT_AT_THE_VENUE = frozenset({10014, 131082})


class ZoomexVenue(ZoomexReader):
    """One master account's API key at Zoomex, or at a Penstock that answers as Zoomex.

    at_the_venue: whether the base URL is Zoomex's own. new_request_id: a fresh id of letters and digits for each
    withdrawal whose caller gave none.
    """

    name = NAME
    default_address = ""

    def __init__(
        self,
        credentials: requests.Credentials,
        clock: Clock,
        *,
        at_the_venue: bool,
        new_request_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        super().__init__(credentials, clock)
        self._at_the_venue = at_the_venue
        self._new_request_id = new_request_id

    def currency_name(self, currency: str, network: str | None) -> Steps[str]:
        yield from ()
        return currency if network is None else name_of(coin_and_chain(currency)[0], chain_of(network))

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        """Raises ValueError for a payment that the venue has no words for; nothing but reads was sent then."""
        check_payment(payment)
        coin, chain = coin_and_chain(payment.currency)
        if not (payment.recipient or chain):
            chain = yield from self._only_chain(coin)
        payment = replace(
            payment,
            currency=coin if payment.recipient else name_of(coin, chain),
            request_id=payment.request_id or self._new_request_id(),
        )
        now_ms = self._clock.now_ms()
        if payment.recipient:
            request = requests.inner_create(
                self._credentials,
                now_ms,
                request_id=payment.request_id,
                coin=coin,
                kind=payment.recipient_kind,
                address=payment.recipient,
                amount=payment.amount,
                area_code=payment.area_code,
                remark=payment.remark,
            )
        else:
            request = requests.create(
                self._credentials,
                now_ms,
                request_id=payment.request_id,
                coin=coin,
                chain=chain,
                address=payment.address,
                amount=payment.amount,
                tag=payment.memo,
            )
        return Prepared(payment, SignedRequest.of(request), now_ms, now_ms + requests.WITHDRAW_WINDOW_MS + 1)

    def _only_chain(self, coin: str) -> Steps[str]:
        listed = yield from self.query_info(coin=coin)
        chains = [pays.chain for found in listed if found.coin == coin for pays in found.withdraw_chains]
        if len(chains) != 1:
            raise ValueError(f"name a network for {coin[:64]}; {NAME} has: {', '.join(chains) or 'none'}")
        return chains[0]

    def submit(self, prepared: Prepared) -> Steps[Submitted]:
        return submit_once(NAME, prepared, replies.read_withdraw_id, self._is_in_doubt)

    def _is_in_doubt(self, error: VenueError) -> bool:
        return error.code in _CODES_IN_DOUBT or (
            self._at_the_venue and error.code in _CODES_IN_DOUBT_AT_THE_VENUE
        )

    def repeat_identical(self, unknown: OutcomeUnknown) -> Steps[Submitted]:
        prepared = unknown.prepared
        if self._at_the_venue:
            raise ValueError(
                "Zoomex itself does not say what it does with a repeated requestId: use resolve(...)"
            )
        return repeat_once(
            NAME, prepared, self.submit, now_ms=self._clock.now_ms(), ends_ms=prepared.window_ends_ms
        )

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        """The records do not show the requestId: what is found is merely alike."""
        # The venue's clock is read before its records, so that nothing can arrive between "too late" and
        # the look.
        venue_now_ms = yield from self.market_time()
        payment = unknown.payment
        latest_ms = unknown.window_ends_ms + ARRIVAL_MARGIN_MS
        records, whole = yield from self.records(
            coin_and_chain(payment.currency)[0],
            "",
            requests.BETWEEN_ACCOUNTS if payment.recipient else requests.ON_CHAIN,
            RECORDS_MAX,
            unknown.sent_at_ms - AHEAD_MS,
            latest_ms,
        )
        candidates = tuple(record for record in records if matches(record, payment))
        return Resolution(candidates, venue_now_ms > latest_ms and whole)


def _make(credentials: Mapping[str, Credential], base_url: str, clock: Clock) -> ZoomexVenue:
    key = requests.Credentials(text_of(credentials, "api_key"), secret_of(credentials, "api_secret"))
    return ZoomexVenue(key, clock, at_the_venue=ENTRY.answers_at(base_url))


ENTRY = VenueEntry(
    name=NAME,
    base_url=BASE_URL,
    hosts=(".zoomex.com",),
    options=(
        Option("api_key", "an API key of the master account: no other may withdraw"),
        Option("api_secret", "its secret", secret=True),
    ),
    make=_make,
    advice={
        "10002": "set this machine's clock: a request's time must be the venue's, within seconds",
        "10005": "use a key of the master account that may withdraw",
        "10006": "wait a second",
        "10010": "add this machine's address to the key, or use a key that is bound to none",
        "131093": "add the address or the recipient to the address book first",
        "131096": "ask for an amount within the limits; `fee` shows the minimum",
        "131210": "ask for an amount with fewer decimals",
        "131212": "the fee is debited beside the amount: ask for less",
    },
    when_lost=(
        "look at the records; against a Penstock, asking again with --request-id {request_id} and nothing changed "
        "gets the first withdrawal and makes no second one"
    ),
)
