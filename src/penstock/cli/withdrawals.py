"""`penstock withdrawals list` and `penstock withdrawals show ID`."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import msgspec

from penstock.cli.connection import Access, access_of, add_connection_arguments, errors_told
from penstock.cli.inside import Inside, admin_api, from_database
from penstock.cli.terminal import EXIT_CODES, Exit, as_json, facts, table, usage
from penstock.cli.watching import looker, watch
from penstock.client import Client, Withdrawal
from penstock.client.values import iso_time

_SHOW = """Show one withdrawal. The venue tells its status; the whole history, with every transaction
made, is told by a sandbox (--config sandbox.json) or by the operator's database (--state,
--database)."""


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", required=True, metavar="ACT")
    listing = acts.add_parser(
        "list",
        help="the newest withdrawals",
        description="List the newest withdrawals, newest first.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_connection_arguments(listing)
    listing.add_argument("--currency", metavar="NAME", help="only this currency, by the venue's name")
    listing.add_argument("--limit", type=int, default=20, metavar="N", help="how many (default: %(default)s)")
    listing.add_argument("--json", action="store_true", help="write JSON")

    showing = acts.add_parser(
        "show",
        help="one withdrawal, with its whole history",
        description=_SHOW,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    showing.add_argument(
        "id", metavar="ID", help="as the venue gave it; with --state or --database, as the ledger has it"
    )
    add_connection_arguments(showing)
    place = showing.add_mutually_exclusive_group()
    place.add_argument(
        "--state", type=Path, metavar="DIR", help="ask no venue: read the ledger in this directory"
    )
    place.add_argument("--database", metavar="URL", help="ask no venue: read the ledger in this database")
    showing.add_argument("--watch", action="store_true", help="follow it until it is final")
    showing.add_argument("--json", action="store_true", help="write JSON")


def run(_command: str, arguments: argparse.Namespace) -> int:
    if arguments.act == "show" and (target := arguments.state or arguments.database):
        if arguments.watch:
            usage("--watch follows a running service", "leave out --state and --database, give --config")
        print(_story(from_database(target, arguments.id), json=arguments.json))
        return Exit.OK
    access = access_of(arguments)
    with access.open() as client, errors_told():
        if arguments.act == "list":
            print(_list(client, arguments))
            return Exit.OK
        return _show(client, access, arguments)


def _list(client: Client, arguments: argparse.Namespace) -> str:
    found = client.withdrawals(arguments.currency, limit=arguments.limit)
    if arguments.json:
        return as_json([asdict(withdrawal) for withdrawal in found])
    rows = [
        (
            withdrawal.withdrawal_id,
            iso_time(withdrawal.requested_at_ms),
            withdrawal.currency,
            withdrawal.amount,
            withdrawal.fee,
            withdrawal.status,
            withdrawal.address,
            withdrawal.tx_id,
        )
        for withdrawal in found
    ]
    return table(("id", "requested", "currency", "amount", "fee", "status", "address", "transaction"), rows)


def _show(client: Client, access: Access, arguments: argparse.Namespace) -> int:
    withdrawal = client.withdrawal(arguments.id)
    code = Exit.OK
    with admin_api(access.base_url, access.admin_token) as admin:
        if arguments.watch:
            look = looker(client, arguments.id, admin, access.confirmations)
            code = watch(arguments.id, look, venue=client.venue)
            withdrawal = client.withdrawal(arguments.id)
        inside = admin.find(arguments.id) if admin else None
    if arguments.json:
        whole = asdict(withdrawal) | ({"inside": msgspec.to_builtins(inside)} if inside else {})
        print(as_json(whole))
        return code
    print(_status(withdrawal))
    if inside:
        print(_timeline(inside))
    return code


def _status(withdrawal: Withdrawal) -> str:
    return facts(
        {
            "withdrawal": withdrawal.withdrawal_id,
            "status": f"{withdrawal.status} ({withdrawal.venue} {withdrawal.venue_status})",
            "currency": withdrawal.currency,
            "amount": withdrawal.amount,
            "fee": withdrawal.fee,
            "arrives": withdrawal.net,
            "to": withdrawal.address,
            "memo": withdrawal.memo,
            "transaction": withdrawal.tx_id,
            "requested": iso_time(withdrawal.requested_at_ms) if withdrawal.requested_at_ms else "",
        }
    )


def _story(inside: Inside, *, json: bool) -> str:
    if json:
        return as_json(msgspec.to_builtins(inside))
    told = inside.withdrawal
    head = facts(
        {
            "withdrawal": told.withdrawal_id,
            "state": told.state,
            "asset": told.asset,
            "network": told.network,
            "to": told.address or told.recipient,
            "memo": told.memo,
            "transaction": told.tx_hash,
            "confirmations": told.confirmations,
            "reason": told.reason,
        }
    )
    return f"{head}\n{_timeline(inside)}"


def _timeline(inside: Inside) -> str:
    changes = [
        (change.sequence, iso_time(change.at_ms), change.state_before, change.state_after, change.detail)
        for change in inside.history
    ]
    attempts = [
        (attempt.attempt_id, attempt.network, attempt.sender, attempt.nonce, attempt.state, attempt.tx_hash)
        for attempt in inside.attempts
    ]
    text = "\n" + table(("#", "at", "from", "to", "detail"), changes)
    if attempts:
        text += "\n\n" + table(("attempt", "network", "sender", "nonce", "state", "transaction"), attempts)
    return text
