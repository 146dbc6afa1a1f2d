"""`penstock balance` and `penstock addresses`: what the account has, and where it may send to."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from penstock.cli.connection import access_of, add_connection_arguments, errors_told
from penstock.cli.terminal import Exit, as_json, table
from penstock.client import Client


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    add_connection_arguments(parser)
    parser.add_argument("--json", action="store_true", help="write JSON")


def run(command: str, arguments: argparse.Namespace) -> int:
    with access_of(arguments).open() as client, errors_told():
        print(
            _balance(client, json=arguments.json)
            if command == "balance"
            else _addresses(client, json=arguments.json)
        )
    return Exit.OK


def _balance(client: Client, *, json: bool) -> str:
    lines = client.balances()
    if json:
        return as_json([asdict(line) for line in lines])
    rows = [(line.wallet, line.currency, line.available, line.held) for line in lines]
    return table(("wallet", "currency", "available", "held"), rows)


def _addresses(client: Client, *, json: bool) -> str:
    entries = client.addresses()
    if json:
        return as_json([asdict(entry) for entry in entries])
    rows = [
        (entry.currency, entry.network, entry.address, entry.memo, entry.verified, entry.remark)
        for entry in entries
    ]
    return table(("currency", "network", "address", "memo", "verified", "remark"), rows)
