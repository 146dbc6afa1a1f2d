"""POST withdraw/confirm: from the wallet's signature over a quote to the withdrawal that holds the money.

The API signature does not cover the body, so nothing of the body decides what is paid: the content is written anew
from what apply stored, and only the signature of the very wallet that is paid counts over it.
"""

from __future__ import annotations

from functools import partial

from penstock.core.amounts import parse_amount
from penstock.core.catalogue import Catalogue
from penstock.core.commands import AnswerChallenge
from penstock.core.queries import FindChallenge
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.views import Accepted, AnswerRejected, ChallengeView, KeyView
from penstock.venues.sunx import wallet
from penstock.venues.sunx.auth import VENUE
from penstock.venues.sunx.content import restored
from penstock.venues.sunx.errors import WALLET_SIGNATURE_WRONG
from penstock.venues.sunx.messages import Confirm, read_confirm
from penstock.venues.sunx.quotes import Quoted, Quotes
from penstock.venues.sunx.replies import STATES, WALLET, Envelopes, Order
from penstock.venues.venue import Ask, Reply


class ConfirmReader:
    """Reads withdraw/confirm and writes its answer."""

    def __init__(self, catalogue: Catalogue, envelopes: Envelopes, quotes: Quotes) -> None:
        self._catalogue = catalogue
        self._envelopes = envelopes
        self._quotes = quotes

    def read(self, body: bytes, key: KeyView) -> Ask:
        """Raises errors.Rejected."""
        form = read_confirm(body)
        quoted = self._quotes.find(key.account_id, form.nonce)
        if quoted is None:
            return Ask(FindChallenge(key.account_id, VENUE, form.nonce), partial(self._found, form, key))
        return Ask(None, partial(self._answer, form, key, quoted))

    def _found(self, form: Confirm, key: KeyView, challenge: ChallengeView | None) -> Ask:
        if challenge is None:
            raise Refused(RefusalCode.CHALLENGE_UNKNOWN)
        withdrawal = challenge.withdrawal
        content = restored(withdrawal.extra)
        scale = self._catalogue.scale(withdrawal.asset)
        # What the customer signs and what would be paid are stored apart; they must never have come apart.
        said = (content.address, parse_amount(content.amount, scale), parse_amount(content.fee, scale))
        assert said == (withdrawal.address, withdrawal.net, withdrawal.fee), withdrawal.withdrawal_id
        digest = wallet.digest(content.text(challenge.nonce))
        return self._answer(form, key, Quoted(key.account_id, digest, withdrawal.address))

    def _answer(self, form: Confirm, key: KeyView, quoted: Quoted, _nothing: None = None) -> Ask:
        signature = wallet.read_signature(form.signature)
        # What is no signature is counted as a wrong one: the engine says first what is wrong with the nonce.
        valid = signature is not None and wallet.is_signed_by(quoted.address, quoted.digest, signature)
        command = AnswerChallenge(
            account_id=key.account_id,
            key_id=key.key_id,
            venue=VENUE,
            nonce=form.nonce,
            answer="" if signature is None else signature.canonical,
            valid=valid,
            wallets=(WALLET,),
        )
        return Ask(command, self._write)

    def _write(self, answer: Accepted | AnswerRejected) -> Reply:
        if isinstance(answer, AnswerRejected):
            return self._envelopes.error(WALLET_SIGNATURE_WRONG)
        _, word = STATES[answer.state]
        return self._envelopes.ok(Order(answer.number, word))
