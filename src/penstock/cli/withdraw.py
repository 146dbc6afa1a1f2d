"""`penstock withdraw`: show what will be sent, ask, send once, and watch."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from decimal import Decimal, localcontext

from penstock.cli.connection import Access, access_of, add_connection_arguments, errors_told
from penstock.cli.dry_run import shown_request
from penstock.cli.inside import admin_api
from penstock.cli.terminal import Cell, Exit, Failure, as_json, facts, usage
from penstock.cli.watching import looker, watch
from penstock.client import (
    Client,
    NotOffered,
    OutcomeUnknown,
    Payment,
    PenstockClientError,
    RecipientKind,
    Submitted,
    VenueRefused,
    entry_of,
    to_account,
    to_address,
)
from penstock.client.amounts import amount_text
from penstock.client.values import iso_time

_ACCOUNT_NUMBER = RecipientKind.ACCOUNT_NUMBER.value


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    _payment_arguments(parser)
    parser.add_argument("--yes", action="store_true", help="send without asking")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be sent, secrets masked, and send nothing"
    )
    parser.add_argument("--watch", action="store_true", help="follow it until it is final")
    parser.add_argument("--json", action="store_true", help="write the result as JSON")


def _payment_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--currency",
        "--asset",
        required=True,
        metavar="NAME",
        help="the venue's name (USDT-ERC20), or the coin (USDT) with --network",
    )
    parser.add_argument("--amount", required=True, metavar="N", help="how much, written as 12.5")
    parser.add_argument("--network", metavar="NAME", help="such as ethereum, or the venue's word for it")
    to = parser.add_mutually_exclusive_group()
    to.add_argument(
        "--address",
        metavar="A",
        help="where to, on the chain; only edgeX may do without, and then pays to the setting eth_address",
    )
    to.add_argument("--to-account", metavar="ID", help="another account of the venue; no chain is involved")
    parser.add_argument("--memo", default="", metavar="TEXT", help="memo or tag, where the network needs one")
    parser.add_argument(
        "--account-kind",
        choices=[kind.value for kind in RecipientKind],
        default=_ACCOUNT_NUMBER,
        help="what --to-account is (default: %(default)s)",
    )
    parser.add_argument(
        "--area-code", default="", metavar="DIGITS", help="the country's digits, such as 61, for a phone"
    )
    parser.add_argument(
        "--wallet",
        default="",
        metavar="NAME",
        help="which of the account's wallets pays (BitMart: SPOT, FUND)",
    )
    parser.add_argument(
        "--remark", default="", metavar="TEXT", help="a note kept with it, where the venue takes one"
    )
    parser.add_argument(
        "--request-id",
        default="",
        metavar="ID",
        help="your own id for it, where the venue takes one (default: a new one)",
    )
    parser.add_argument(
        "--debit-currency", default="", metavar="NAME", help="pay from this currency, at the venue's rate"
    )
    parser.add_argument(
        "--debited",
        action="store_true",
        help="with --debit-currency: --amount is what leaves the balance, not what is paid out",
    )


def run(_command: str, arguments: argparse.Namespace) -> int:
    try:
        amount_text(arguments.amount)
    except ValueError as error:
        usage(str(error), "write it as 12.5: digits and one point")
    _refuse_contradictions(arguments)
    access = access_of(arguments)
    with access.open() as client, errors_told():
        payment = _payment(arguments, client.default_address)
        if arguments.dry_run:
            first = client.first_request(payment)
            print(shown_request(access, client.base_url, first, json=arguments.json))
            return Exit.OK
        shown = client.prepare_payment(payment).payment
        # With --json only the result goes to standard output.
        print(_shown_payment(client, access, arguments, shown), file=sys.stderr)
        if not arguments.yes:
            _ask()
        sent = _send(client, replace(payment, request_id=shown.request_id))
        print(_shown_result(sent, json=arguments.json), flush=True)
        return _watch(client, access, sent) if arguments.watch else Exit.OK


def _refuse_contradictions(arguments: argparse.Namespace) -> None:
    if arguments.to_account and (arguments.memo or arguments.debit_currency):
        usage("--memo and --debit-currency go with --address only")
    if arguments.to_account is None and (arguments.area_code or arguments.account_kind != _ACCOUNT_NUMBER):
        usage("--area-code and --account-kind go with --to-account only")
    if arguments.debited and not arguments.debit_currency:
        usage("--debited goes with --debit-currency only")


def _payment(arguments: argparse.Namespace, default_address: str) -> Payment:
    if arguments.to_account is not None:
        return to_account(
            arguments.currency,
            arguments.amount,
            arguments.to_account,
            kind=RecipientKind(arguments.account_kind),
            area_code=arguments.area_code,
            network=arguments.network,
            wallet=arguments.wallet,
            remark=arguments.remark,
            request_id=arguments.request_id,
        )
    if arguments.address is None and not default_address:
        usage("it is not said where to", "add --address, or --to-account for another account of the venue")
    return to_address(
        arguments.currency,
        arguments.amount,
        default_address if arguments.address is None else arguments.address,
        network=arguments.network,
        memo=arguments.memo,
        wallet=arguments.wallet,
        remark=arguments.remark,
        request_id=arguments.request_id,
        debit_currency=arguments.debit_currency,
        debited=arguments.debited,
    )


def _send(client: Client, payment: Payment) -> Submitted:
    """Signed anew: since it was shown, the person may have taken longer than the venue's window."""
    try:
        return client.withdraw_payment(payment)
    except OutcomeUnknown as unknown:
        raise Failure(str(unknown), _look(client, unknown), code=Exit.UNKNOWN) from None


def _look(client: Client, unknown: OutcomeUnknown) -> str:
    """Ask the venue once, and say what to do."""
    venue = client.venue
    lost = entry_of(venue).when_lost.replace("{request_id}", unknown.payment.request_id)
    coin = unknown.payment.currency.partition("-")[0]
    again = f"penstock withdrawals list --venue {venue} --currency {coin}"
    if unknown.prepared.asked_by_id:
        again = f"`penstock call --venue {venue}` shows what asks by id"
    again = "; ".join(filter(None, (again, lost)))
    try:
        resolution = client.resolve(unknown)
    except PenstockClientError as error:
        return f"{again}   ({venue} could not be asked now: {error})"
    if resolution.candidates:
        ids = ", ".join(withdrawal.withdrawal_id for withdrawal in resolution.candidates)
        show = f"`penstock withdrawals show ID --venue {venue}` tells more"
        if unknown.prepared.asked_by_id and resolution.conclusive:
            return f"{venue} knows the request id: the withdrawal was made, it is {ids}. {show}"
        return f"the history shows what may be this withdrawal: {ids}. {show}"
    if resolution.conclusive:
        return f"{venue} does not show it and can no longer take it: it was not made"
    return f"{venue} does not show it yet; after {iso_time(unknown.window_ends_ms)}: {again}"


def _ask() -> None:
    if not sys.stdin.isatty():
        usage("nobody is there to ask", "add --yes to send without asking")
    print("Send it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Failure("not sent: you did not say yes")


def _watch(client: Client, access: Access, sent: Submitted) -> int:
    with admin_api(access.base_url, access.admin_token) as admin:
        look = looker(client, sent.withdrawal_id, admin, access.confirmations)
        return watch(sent.withdrawal_id, look, venue=sent.venue)


def _shown_payment(client: Client, access: Access, arguments: argparse.Namespace, payment: Payment) -> str:
    identity, value = access.identity
    amount = f"{payment.amount} {payment.debit_currency}, debited" if payment.debited else payment.amount
    return "will be sent, once:\n" + facts(
        {
            "venue": f"{client.venue} at {client.base_url}",
            identity.replace("_", " "): value,
            "currency": payment.currency,
            "network": payment.network,
            "amount": amount,
            **_cost(client, arguments, payment),
            "to address": payment.address,
            "memo": payment.memo,
            f"to {payment.recipient_kind.replace('_', ' ')}": payment.recipient,
            "from wallet": payment.wallet,
            "remark": payment.remark,
            "request id": payment.request_id,
        }
    )


def _cost(client: Client, arguments: argparse.Namespace, payment: Payment) -> dict[str, Cell]:
    """What the venue says before it is asked for the money; it may charge otherwise until then."""
    if payment.debit_currency:
        return {"paid from": f"{payment.debit_currency}, at the rate when the venue takes it"}
    if payment.recipient:
        return {}
    try:
        fee = client.fee(arguments.currency, network=arguments.network)
    except VenueRefused as error:
        return {"fee": f"not told: {error.message}"}
    except NotOffered:
        return {"fee": "not told by the venue before it is asked"}
    with localcontext(prec=120):
        amount = Decimal(payment.amount)
        if fee.on_top:
            return {"fee": fee.fee, "arrives": amount, "leaves the balance": amount + fee.fee}
        return {"fee": fee.fee, "arrives": amount - fee.fee}


def _shown_result(sent: Submitted, *, json: bool) -> str:
    if json:
        return as_json(
            {
                "withdrawal_id": sent.withdrawal_id,
                "venue": sent.venue,
                "request_id": sent.request_id,
                "payment": asdict(sent.payment),
            }
        )
    return f"withdrawal {sent.withdrawal_id} accepted by {sent.venue}"
