"""Who has what, said a second time: plain dictionaries and exact fractions, nothing of the engine's.

Each method is told a command and when it was decided; it returns what the outcome must be (a refusal's code, or
"taken", "repeated", "rejected", "done"), having changed its own books accordingly. `any` stands for a refusal
whose reason is somebody else's to test.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

from penstock.core.commands import AnswerChallenge, Exchange, FeeRule, Transfer, Withdraw
from penstock.core.rates import Conversion, Given

SCALES = {"USDT": 6, "TRX": 6, "EUR": 2}
USD = {"USDT": Fraction(1), "EUR": Fraction(5, 4)}
"""TRX has no price."""
FEE, MINIMUM = 1_000_000, 2_000_000
APPROVAL_FROM_USD = 100
RATE_AGE_MAX_MS = 60_000
FAILURES_MAX = 5
OPEN = {"held", "awaiting_approval", "approved"}


@dataclass
class Taken:
    """One withdrawal. wid: as the store called it."""

    wid: int
    account: int
    wallet: str
    debit_asset: str
    amount: int
    fee: int
    asset: str
    net: int
    state: str
    on_chain: bool = True
    number: int = 0


@dataclass
class Quote:
    taken: Taken
    until_ms: int
    failures: int = 0
    answer: str = ""


@dataclass
class PlainModel:
    balances: dict[tuple[int, str, str], list[int]] = field(
        default_factory=lambda: defaultdict(lambda: [0, 0])
    )
    """(account, wallet, asset) to [available, held]"""
    system: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    """("paid" | "fees" | "exchanged" | "credited", asset) to units"""
    requests: dict[tuple[int, str], tuple[str, Taken]] = field(default_factory=dict)
    marks: set[tuple[int, str]] = field(default_factory=set)
    quotes: dict[tuple[int, str], Quote] = field(default_factory=dict)
    taken: dict[int, Taken] = field(default_factory=dict)
    numbers: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    credits: set[str] = field(default_factory=set)
    frozen: set[int] = field(default_factory=set)
    keeps_book: set[int] = field(default_factory=set)
    """Accounts that have the recipient in their book."""

    # --- what customers ask ---

    def withdraw(self, order: Withdraw, now_ms: int) -> tuple[str, Taken | None]:  # noqa: PLR0911 - one for each reason
        known = self._known(order)
        if known is not None:
            return known
        account = int(order.account_id)
        if account in self.frozen:
            return "account_frozen", None
        if order.exclusive and (account, order.exclusive) in self.marks:
            return "exclusive_taken", None
        worth = self._worth(order, now_ms)
        if worth is None:
            return "any", None
        debit_asset, amount, fee, net = worth
        if not order.any_address and order.address != "T-book":
            return "address_not_in_book", None
        wallet = self._paying(account, order.wallets, debit_asset, amount)
        if wallet is None:
            return "balance_too_low", None
        state = "challenged" if order.challenge_ms else "held"
        taken = Taken(0, account, wallet, debit_asset, amount, fee, order.asset, net, state)
        self._remember(order, taken)
        if order.exclusive:
            self.marks.add((account, order.exclusive))
        if order.challenge_ms:
            self.quotes[(account, order.request_id)] = Quote(taken, now_ms + order.challenge_ms)
        else:
            self._hold(taken, numbered=order.numbered)
        return "taken", taken

    def answer(self, command: AnswerChallenge, now_ms: int) -> tuple[str, Taken | None]:  # noqa: PLR0911 - one for each reason
        account = int(command.account_id)
        quote = self.quotes.get((account, command.nonce))
        if quote is None:
            return "challenge_unknown", None
        if quote.answer:
            same = command.valid and command.answer == quote.answer
            return ("repeated", quote.taken) if same else ("challenge_used", None)
        if now_ms > quote.until_ms:
            return "challenge_expired", None
        if quote.failures == FAILURES_MAX:
            return "challenge_exhausted", None
        if not command.valid:
            quote.failures += 1
            return "rejected", quote.taken
        if account in self.frozen:
            return "account_frozen", None
        taken = quote.taken
        wallet = self._paying(account, command.wallets, taken.debit_asset, taken.amount)
        if wallet is None:
            return "balance_too_low", None
        taken.wallet, quote.answer = wallet, command.answer
        self._hold(taken, numbered=True)
        return "taken", taken

    def transfer(self, command: Transfer, recipient: int) -> tuple[str, Taken | None]:  # noqa: PLR0911 - one for each reason
        known = self._known(command)
        if known is not None:
            return known
        account, amount = int(command.account_id), int(command.amount)
        if account in self.frozen:
            return "account_frozen", None
        if amount <= 0:
            return "amount_not_positive", None
        if command.in_book and account not in self.keeps_book:
            return "recipient_not_in_book", None
        if recipient in self.frozen:
            return "recipient_blocked", None
        wallet = self._paying(account, command.wallets, command.asset, amount)
        if wallet is None:
            return "balance_too_low", None
        taken = Taken(
            0, account, wallet, command.asset, amount, 0, command.asset, amount, "confirmed", on_chain=False
        )
        self.balances[(account, wallet, command.asset)][0] -= amount
        self.balances[(recipient, command.recipient_wallet or "spot", command.asset)][0] += amount
        self._number(taken, numbered=command.numbered)
        self._remember(command, taken)
        return "taken", taken

    def exchange(self, command: Exchange, now_ms: int) -> tuple[str, Taken | None]:
        known = self._known(command)
        if known is not None:
            return known
        account = int(command.account_id)
        if account in self.frozen:
            return "account_frozen", None
        sides = self._sides(command.conversion, int(command.amount), now_ms)
        if sides is None or sides[1] <= 0:
            return "any", None
        rate, (debit, received) = command.conversion.rate, sides
        wallet = self._paying(account, command.wallets, rate.source, debit)
        if wallet is None:
            return "balance_too_low", None
        taken = Taken(
            0, account, wallet, rate.source, debit, 0, rate.target, received, "confirmed", on_chain=False
        )
        self.balances[(account, wallet, rate.source)][0] -= debit
        self.balances[(account, wallet, rate.target)][0] += received
        self.system[("exchanged", rate.source)] += debit
        self.system[("exchanged", rate.target)] -= received
        self._number(taken, numbered=command.numbered)
        self._remember(command, taken)
        return "taken", taken

    # --- what time, people and chains do ---

    def expire(self, account: int, nonce: str, now_ms: int) -> None:
        quote = self.quotes.get((account, nonce))
        if quote is not None and not quote.answer and now_ms > quote.until_ms:
            quote.taken.state = "expired"

    def approve(self, wid: int) -> str:
        taken = self.taken.get(wid)
        if taken is None:
            return "withdrawal_unknown"
        if taken.state != "awaiting_approval":
            return "not_now"
        taken.state = "approved"
        return "done"

    def give_back(self, wid: int, state: str, *, by_worker: bool) -> str:
        """Decline and cancel; or a worker's rejection, which leaves what waits for people to them."""
        taken = self.taken.get(wid)
        if taken is None:
            return "not_now" if by_worker else "withdrawal_unknown"
        allowed = OPEN - {"awaiting_approval"} if by_worker else OPEN
        if taken.state not in allowed:
            return "not_now"
        self._release(taken, state)
        return "done"

    def pay(self, wid: int, *, paid: bool) -> None:
        taken = self.taken[wid]
        if not paid:
            self._release(taken, "failed")
            return
        self.balances[(taken.account, taken.wallet, taken.debit_asset)][1] -= taken.amount
        self.system[("paid", taken.asset)] += taken.net
        self.system[("fees", taken.debit_asset)] += taken.fee
        if taken.debit_asset != taken.asset:
            self.system[("exchanged", taken.debit_asset)] += taken.amount - taken.fee
            self.system[("exchanged", taken.asset)] -= taken.net
        taken.state = "confirmed"

    def credit(self, account: int, wallet: str, asset: str, amount: int, reference: str) -> None:
        if reference not in self.credits:
            self.credits.add(reference)
            self.balances[(account, wallet, asset)][0] += amount
            self.system[("credited", asset)] += amount

    def name(self, taken: Taken, wid: int) -> None:
        """The store has said how it calls this one."""
        taken.wid = wid
        assert wid not in self.taken
        self.taken[wid] = taken

    def conserved(self) -> None:
        """Per asset: what customers were credited is what they have, what was paid, and what we took or exchanged."""
        for asset in SCALES:
            customers = sum(sum(parts) for (_, _, of), parts in self.balances.items() if of == asset)
            ours = sum(self.system[(kind, asset)] for kind in ("paid", "fees", "exchanged"))
            assert self.system[("credited", asset)] == customers + ours, asset

    # --- sums ---

    def _known(self, command: Withdraw | Transfer | Exchange) -> tuple[str, Taken | None] | None:
        known = self.requests.get((int(command.account_id), command.request_id))
        if known is None:
            return None
        if not command.repeatable:
            return "request_id_taken", None
        return ("repeated", known[1]) if known[0] == command.business else ("request_id_conflict", None)

    def _remember(self, command: Withdraw | Transfer | Exchange, taken: Taken) -> None:
        self.requests[(int(command.account_id), command.request_id)] = (command.business, taken)

    def _worth(self, order: Withdraw, now_ms: int) -> tuple[str, int, int, int] | None:
        amount = int(order.amount)
        if order.conversion is None:
            if amount < MINIMUM or (order.fee_rule is FeeRule.INSIDE and amount <= FEE):
                return None
            fee = 0 if order.fee_rule is FeeRule.NONE else FEE
            inside = order.fee_rule is FeeRule.INSIDE
            return order.asset, amount if inside else amount + fee, fee, amount - fee if inside else amount
        sides = self._sides(order.conversion, amount, now_ms)
        rate = order.conversion.rate
        if sides is None or rate.target != order.asset or sides[1] < MINIMUM:
            return None
        fee = 0 if order.fee_rule is FeeRule.NONE else ceil(FEE / self._buys(order.conversion))
        return rate.source, sides[0] + fee, fee, sides[1]

    def _sides(self, conversion: Conversion, amount: int, now_ms: int) -> tuple[int, int] | None:
        if amount <= 0 or abs(now_ms - conversion.rate.at_ms) > RATE_AGE_MAX_MS:
            return None
        buys = self._buys(conversion)
        return (
            (amount, floor(amount * buys))
            if conversion.given is Given.DEBITED
            else (ceil(amount / buys), amount)
        )

    def _buys(self, conversion: Conversion) -> Fraction:
        rate = conversion.rate
        coins = Fraction(rate.numerator, rate.denominator)
        return coins * 10 ** SCALES[rate.target] / 10 ** SCALES[rate.source]

    def _paying(self, account: int, wallets: tuple[str, ...], asset: str, amount: int) -> str | None:
        return next((each for each in wallets if self.balances[(account, each, asset)][0] >= amount), None)

    def _hold(self, taken: Taken, *, numbered: bool) -> None:
        parts = self.balances[(taken.account, taken.wallet, taken.debit_asset)]
        parts[0] -= taken.amount
        parts[1] += taken.amount
        price = USD.get(taken.debit_asset)
        worth = None if price is None else price * taken.amount / 10 ** SCALES[taken.debit_asset]
        waits = worth is None or worth >= APPROVAL_FROM_USD
        taken.state = "awaiting_approval" if waits else "held"
        self._number(taken, numbered=numbered)

    def _release(self, taken: Taken, state: str) -> None:
        parts = self.balances[(taken.account, taken.wallet, taken.debit_asset)]
        parts[0] += taken.amount
        parts[1] -= taken.amount
        taken.state = state

    def _number(self, taken: Taken, *, numbered: bool) -> None:
        if numbered:
            self.numbers[taken.account] += 1
            taken.number = self.numbers[taken.account]
