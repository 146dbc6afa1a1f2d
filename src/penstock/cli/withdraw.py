"""`penstock withdraw`: show what will be sent, ask, send once, and watch."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from decimal import Decimal, localcontext

from penstock.cli.connection import Access, access_of, add_connection_arguments, errors_told
from penstock.cli.inside import AdminApi
from penstock.cli.terminal import Exit, Failure, as_json, facts, usage
from penstock.cli.watching import looker, watch
from penstock.client import (
    Client,
    OutcomeUnknown,
    Payment,
    PenstockClientError,
    Prepared,
    RecipientKind,
    Submitted,
    VenueRefused,
)
from penstock.client.values import amount_text, iso_time


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    parser.add_argument(
        "--currency",
        "--asset",
        required=True,
        metavar="NAME",
        help="the venue's name (USDT-ERC20), or the coin (USDT) with --network",
    )
    parser.add_argument("--amount", required=True, metavar="N", help="gross: the fee is taken from it")
    parser.add_argument("--network", metavar="NAME", help="such as ethereum, or the venue's word for it")
    to = parser.add_mutually_exclusive_group(required=True)
    to.add_argument("--address", metavar="A", help="where to, on the chain")
    to.add_argument("--to-account", metavar="ID", help="another account of the venue; no chain is involved")
    parser.add_argument("--memo", default="", metavar="TEXT", help="memo or tag, where the network needs one")
    parser.add_argument(
        "--account-kind",
        choices=[kind.value for kind in RecipientKind],
        default=RecipientKind.ACCOUNT_NUMBER.value,
        help="what --to-account is (default: %(default)s)",
    )
    parser.add_argument("--area-code", default="", metavar="DIGITS", help="the country, for a phone")
    parser.add_argument(
        "--wallet", default="", metavar="NAME", help="which own wallet pays (BitMart: SPOT, FUND)"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be sent, secrets masked, and send nothing"
    )
    parser.add_argument("--watch", action="store_true", help="follow it until it is final")
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(_command: str, arguments: argparse.Namespace) -> int:
    try:
        amount_text(arguments.amount)
    except ValueError as error:
        usage(str(error), "write it as 12.5: digits and one point")
    if arguments.to_account and arguments.memo:
        usage("--memo goes with --address only")
    access = access_of(arguments)
    with access.open() as client, errors_told():
        prepared = _prepare(client, arguments)
        if arguments.dry_run:
            print(_shown_request(client, prepared, json=arguments.json))
            return Exit.OK
        # With --json only the result goes to standard output.
        print(_shown_payment(client, access, prepared.payment), file=sys.stderr)
        if not arguments.yes:
            _ask()
        sent = _send(client, prepared.payment)
        print(_shown_result(sent, json=arguments.json), flush=True)
        return _watch(client, access, sent) if arguments.watch else Exit.OK


def _prepare(client: Client, arguments: argparse.Namespace) -> Prepared:
    if arguments.to_account:
        return client.prepare_to_account(
            arguments.currency,
            arguments.amount,
            arguments.to_account,
            kind=RecipientKind(arguments.account_kind),
            area_code=arguments.area_code,
            network=arguments.network,
            wallet=arguments.wallet,
        )
    return client.prepare(
        arguments.currency,
        arguments.amount,
        arguments.address,
        network=arguments.network,
        memo=arguments.memo,
        wallet=arguments.wallet,
    )


def _send(client: Client, payment: Payment) -> Submitted:
    """Signed anew: since it was shown, the person may have taken longer than the venue's window."""
    try:
        if payment.recipient:
            return client.withdraw_to_account(
                payment.currency,
                payment.amount,
                payment.recipient,
                kind=payment.recipient_kind,
                area_code=payment.area_code,
                wallet=payment.wallet,
            )
        return client.withdraw(
            payment.currency, payment.amount, payment.address, memo=payment.memo, wallet=payment.wallet
        )
    except OutcomeUnknown as unknown:
        raise Failure(str(unknown), _look(client, unknown), code=Exit.UNKNOWN) from None


def _look(client: Client, unknown: OutcomeUnknown) -> str:
    """Ask the history once, and say what to do."""
    coin = unknown.payment.currency.partition("-")[0]
    again = f"penstock withdrawals list --currency {coin}"
    try:
        resolution = client.resolve(unknown)
    except PenstockClientError as error:
        return f"{again}   (the history could not be asked now: {error})"
    if resolution.candidates:
        ids = ", ".join(withdrawal.withdrawal_id for withdrawal in resolution.candidates)
        return (
            f"the history shows what may be this withdrawal: {ids}. `penstock withdrawals show ID` tells more"
        )
    if resolution.conclusive:
        return "the history does not show it and the venue can no longer take it: it was not made"
    return f"the history does not show it yet; after {iso_time(unknown.window_ends_ms)}: {again}"


def _ask() -> None:
    if not sys.stdin.isatty():
        usage("nobody is there to ask", "add --yes to send without asking")
    print("Send it? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise Failure("not sent: you did not say yes")


def _watch(client: Client, access: Access, sent: Submitted) -> int:
    admin = AdminApi.at(access.base_url, access.admin_token) if access.admin_token else None
    try:
        return watch(sent.withdrawal_id, looker(client, sent.withdrawal_id, admin, access.confirmations))
    finally:
        if admin:
            admin.close()


def _shown_payment(client: Client, access: Access, payment: Payment) -> str:
    try:
        fee = client.fee(payment.currency).fee if payment.address else Decimal(0)
        told_fee, arrives = f"{fee:f}", f"{_less(payment.amount, fee):f}"
    except VenueRefused as error:
        told_fee, arrives = f"not told: {error.message}", ""
    return "will be sent, once:\n" + facts(
        {
            "venue": f"{client.venue} at {client.base_url}",
            "key": masked(access.api_key),
            "currency": payment.currency,
            "amount": payment.amount,
            "fee": told_fee,
            "arrives": arrives,
            "to address": payment.address,
            "memo": payment.memo,
            f"to {payment.recipient_kind.replace('_', ' ')}": payment.recipient,
            "from wallet": payment.wallet,
        }
    )


def _less(amount: str, fee: Decimal) -> Decimal:
    with localcontext(prec=120):
        return Decimal(amount) - fee


def _shown_result(sent: Submitted, *, json: bool) -> str:
    if json:
        return as_json(
            {"withdrawal_id": sent.withdrawal_id, "venue": sent.venue, "payment": asdict(sent.payment)}
        )
    return f"withdrawal {sent.withdrawal_id} accepted by {sent.venue}"


def masked(secret: str) -> str:
    """Enough to recognise it by, nothing to use it with."""
    return secret[:4] + "***" if len(secret) >= 8 else "***"  # noqa: PLR2004  a short one would be shown whole


def _shown_request(client: Client, prepared: Prepared, *, json: bool) -> str:
    """The request as it would stand on the wire. Key and signature are masked: with them it could be sent."""
    request = prepared.request
    headers = {
        name: masked(value) if name.lower() in {"x-bm-key", "x-bm-sign"} else value
        for name, value in request.headers
    }
    if json:
        return as_json(
            {
                "method": request.method,
                "url": client.base_url + request.target,
                "headers": headers,
                "signed_text": request.signed_text,
                "body": request.body.decode(),
                "body_hex": request.body.hex(),
            }
        )
    shown_headers = "\n".join(f"{name}: {value}" for name, value in headers.items())
    return (
        f"{request.method} {client.base_url}{request.target}\n{shown_headers}\n\n{request.body.decode()}\n\n"
        f"signed text (the memo is masked):\n{request.signed_text}\n\n"
        f"body: {len(request.body)} bytes, {request.body.hex()}\n"
        "dry run: nothing was sent"
    )
