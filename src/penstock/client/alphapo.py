"""AlphaPo's calls as steps. The wire itself is `penstock.venues.alphapo.client_requests` and `client_replies`.

Every withdrawal carries a foreign_id, the caller's or one made here, that the venue takes once and never again, even
where the first attempt came to nothing. So a repeat is an error there and no answer: after a lost one the venue is
asked by that id.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlsplit

from penstock.client.alphapo_reading import AlphapoReader
from penstock.client.alphapo_values import NAME, check_payment, code_of, exchange_sides
from penstock.client.amounts import Amount, amount_text
from penstock.client.asking import send_once, submit_once
from penstock.client.errors import NotOffered, NotSent, OutcomeUnknown, VenueRefused
from penstock.client.options import Credential, Option, VenueEntry, secret_of, text_of
from penstock.client.steps import SignedRequest, Steps
from penstock.client.values import Payment, Prepared, Resolution, Submitted
from penstock.core.secret import Secret
from penstock.core.time import Clock
from penstock.venues.alphapo import client_replies as replies
from penstock.venues.alphapo import client_requests as requests
from penstock.venues.alphapo.client_replies import CallbackRefused
from penstock.venues.client_reply import VenueError
from penstock.venues.client_request import OutgoingRequest

__all__ = ["ENTRY", "AlphapoVenue", "CallbackRefused", "verify_callback"]

BASE_URL = "https://app.alphapo.net"
BASE_PATH = "/api/v2"

MADE_ID = "penstock-"
"""What a foreign_id begins with that was made here: nobody else can have used it before."""
ARRIVAL_MS = 600_000
"""No signature of AlphaPo grows old. Longer than this no server or proxy on the way keeps a request."""
OWN_BALANCE = "the own balance"


class AlphapoVenue(AlphapoReader):
    """One merchant's key at AlphaPo, or at a Penstock that answers as AlphaPo.

    new_id: random text of letters and digits, fresh each time, for a withdrawal whose caller gave no id.
    """

    name = NAME
    default_address = ""

    def __init__(
        self,
        credentials: requests.Credentials,
        clock: Clock,
        *,
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        super().__init__(credentials)
        self._clock = clock
        self._new_id = new_id

    @property
    def extra_calls(self) -> Mapping[str, Callable[..., Steps[object]]]:
        return {
            "transactions_info": self.transactions_info,
            "pairs": self.pairs,
            "rates": self.rates,
            "exchange_calculate": self.exchange_calculate,
            "exchange_fixed": self.exchange_fixed,
            "exchange_now": self.exchange_now,
            "addresses_take": self.addresses_take,
            "ping": self.ping,
        }

    # ---- withdrawing -------------------------------------------------------------------------------------------------

    def currency_name(self, currency: str, network: str | None) -> Steps[str]:
        yield from ()
        return currency if network is None else code_of(currency, network)

    def prepare(self, payment: Payment) -> Steps[Prepared]:
        """The remark goes out as end_user_reference: for which of the merchant's customers it is."""
        yield from ()
        check_payment(payment)
        payment = replace(payment, request_id=payment.request_id or MADE_ID + self._new_id())
        by_debit = payment.debited or not payment.debit_currency
        request = requests.withdraw(
            self._credentials,
            currency=payment.debit_currency or payment.currency,
            convert_to=payment.currency if payment.debit_currency else "",
            amount=payment.amount if by_debit else "",
            amount_to="" if by_debit else payment.amount,
            address=payment.address,
            tag=payment.memo,
            foreign_id=payment.request_id,
            end_user_reference=payment.remark,
        )
        return replace(self._prepared(payment, request), asked_by_id=True)

    def _prepared(self, payment: Payment, request: OutgoingRequest) -> Prepared:
        now_ms = self._clock.now_ms()
        return Prepared(payment, SignedRequest.of(request), now_ms, now_ms + ARRIVAL_MS)

    def submit(self, prepared: Prepared) -> Steps[Submitted]:
        foreign_id = prepared.payment.request_id

        def read_id(http_status: int, body: bytes) -> str:
            created = replies.read_created(http_status, body)
            if created.foreign_id != foreign_id:
                raise ValueError(f"it speaks of another foreign_id, {created.foreign_id[:64]!r}")
            return str(created.id)

        return submit_once(NAME, prepared, read_id, _is_in_doubt(foreign_id))

    def repeat_identical(self, unknown: OutcomeUnknown) -> Steps[Submitted]:
        """Ask first. Only what is not there is sent again, under the same id, of which the venue takes one."""
        prepared = unknown.prepared
        if prepared.taken_once:
            raise NotOffered(NAME, "repeat of an exchange: ask for it again with the same foreign_id")
        found = yield from self.find(prepared.payment.request_id)
        if found is None:
            try:
                return (yield from self.submit(prepared))
            except (NotSent, VenueRefused, OutcomeUnknown) as error:
                reason = f"a repeat of the same bytes did not settle it ({error})"
            found = yield from self.find(prepared.payment.request_id)
            if found is None:
                raise OutcomeUnknown(NAME, prepared, reason=reason)
        return Submitted(NAME, found.withdrawal_id, prepared.payment, prepared.signed_at_ms)

    def resolve(self, unknown: OutcomeUnknown) -> Steps[Resolution]:
        """Conclusive when it is found. While it is not, nothing is certain: a captured request stays good for ever."""
        if unknown.prepared.taken_once:
            raise NotOffered(NAME, "way to ask for an exchange: ask for it again with the same foreign_id")
        found = yield from self.find(unknown.payment.request_id)
        return Resolution((), conclusive=False) if found is None else Resolution((found,), conclusive=True)

    # ---- exchanging --------------------------------------------------------------------------------------------------

    def exchange_fixed(
        self,
        *,
        price: Amount,
        sender_currency: str,
        receiver_currency: str,
        sender_amount: Amount | None = None,
        receiver_amount: Amount | None = None,
        foreign_id: str = "",
    ) -> Steps[replies.Exchanged]:
        """Exchange at a price that exchange_calculate has shown. Sent once; OutcomeUnknown when the answer is lost: the
        same call with the same foreign_id settles it.
        """
        sides = exchange_sides(sender_currency, receiver_currency, sender_amount, receiver_amount)
        payment = self._exchange(sides, foreign_id)
        request = requests.exchange_fixed(
            self._credentials, foreign_id=payment.request_id, price=amount_text(price), **sides
        )
        return self._exchange_once(payment, request)

    def exchange_now(
        self,
        *,
        sender_currency: str,
        receiver_currency: str,
        sender_amount: Amount | None = None,
        receiver_amount: Amount | None = None,
        foreign_id: str = "",
    ) -> Steps[replies.Exchanged]:
        """Exchange at the price of the moment. Sent once; a lost answer is settled as that of exchange_fixed."""
        sides = exchange_sides(sender_currency, receiver_currency, sender_amount, receiver_amount)
        payment = self._exchange(sides, foreign_id)
        request = requests.exchange_now(self._credentials, foreign_id=payment.request_id, **sides)
        return self._exchange_once(payment, request)

    def _exchange(self, sides: dict[str, str], foreign_id: str) -> Payment:
        """An exchange in the words in which it is told when its answer is lost."""
        return Payment(
            sides["receiver_currency"],
            sides["sender_amount"] or sides["receiver_amount"],
            address=OWN_BALANCE,
            request_id=foreign_id or MADE_ID + self._new_id(),
            debit_currency=sides["sender_currency"],
            debited=bool(sides["sender_amount"]),
        )

    def _exchange_once(self, payment: Payment, request: OutgoingRequest) -> Steps[replies.Exchanged]:
        prepared = replace(self._prepared(payment, request), taken_once=True)
        return send_once(NAME, prepared, replies.read_exchanged, _is_in_doubt(payment.request_id))


def verify_callback(headers: Mapping[str, str], body: bytes, secret: str | Secret) -> replies.Transaction:
    """What a callback says, for the merchant's own server.

    headers: of the request, names in any case. body: its bytes as they came, never encoded anew. secret: the key's.
    The same callback may come more than once: `id` with `status` tells. Raises CallbackRefused for a body that the
    venue did not sign, or that is no transaction; nothing in it may be believed then.
    """
    held = Secret.of(secret) if isinstance(secret, str) else secret
    del secret  # a traceback that shows local variables must not show this one
    return replies.read_callback(headers, body, held)


def _is_in_doubt(foreign_id: str) -> Callable[[VenueError], bool]:
    """Nobody else knows an id that was made here: one that is taken came in on another way, sent by a proxy."""
    made_here = foreign_id.startswith(MADE_ID)
    return lambda error: made_here and isinstance(error, replies.VenueError) and error.is_taken


def _make(credentials: Mapping[str, Credential], base_url: str, clock: Clock) -> AlphapoVenue:
    if urlsplit(base_url).path.rstrip("/").endswith(BASE_PATH):
        raise ValueError(f"base_url goes without {BASE_PATH}, which every call brings along")
    key = requests.Credentials(text_of(credentials, "processing_key"), secret_of(credentials, "secret_key"))
    return AlphapoVenue(key, clock)


_CHECK_KEY = "check the processing key and its secret"

ENTRY = VenueEntry(
    name=NAME,
    base_url=BASE_URL,
    hosts=(".alphapo.net", ".cryptoprocessing.com"),
    options=(
        Option("processing_key", "the merchant's public key"),
        Option("secret_key", "the secret that goes with it", secret=True),
    ),
    make=_make,
    advice={
        "bad_header_key": _CHECK_KEY,
        "bad_header_signature": _CHECK_KEY,
        "ip_not_allowed": "add this machine's address to the key's allow-list",
        "not_permitted": "use a key that may withdraw",
        "not_found": "only this merchant's own withdrawals are found, by the number that the venue gave them",
        "foreign_id": "a request id is taken once for ever: look that withdrawal up, or use another id for a new one",
        "currency": "the venue's codes name coin and network: USDTT, USDTE, BTC; or give --network",
        "amount": "the fee is debited beside the amount; `penstock balance` shows what there is",
        "too_many_requests": "wait some seconds, then try again",
    },
    when_lost=(
        "asking again with --request-id {request_id} and nothing changed is safe: the venue takes an id once, and "
        "refuses it if the first request arrived after all"
    ),
)
