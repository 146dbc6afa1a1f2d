"""`penstock call`: the calls that one venue alone offers, under its own names."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from penstock.cli.connection import access_of, add_connection_arguments, errors_told
from penstock.cli.terminal import Exit, Failure, as_json, usage
from penstock.client import Client, OutcomeUnknown


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="the call; without one, the list of them")
    parser.add_argument(
        "fields", nargs="*", metavar="FIELD=TEXT", help="what the call takes; FIELD:=JSON for other than text"
    )
    add_connection_arguments(parser)


def run(_command: str, arguments: argparse.Namespace) -> int:
    fields = _read(arguments.fields)
    with access_of(arguments).open() as client, errors_told():
        if arguments.name is None:
            print(_listed(client.venue, client.extra_calls))
        else:
            answer = _call(client, arguments.name, fields)
            print(as_json(msgspec.to_builtins(answer, builtin_types=(Decimal,))))
    return Exit.OK


def _call(client: Client, name: str, fields: Mapping[str, object]) -> object:
    try:
        return client.call(name, **fields)
    except OutcomeUnknown as unknown:
        then = f"asking again is safe only with the same id, {unknown.payment.request_id}, and nothing else changed"
        raise Failure(str(unknown), then, code=Exit.UNKNOWN) from None
    except TypeError as error:
        usage(str(error), f"`penstock call --venue {client.venue}` shows what each call takes")


def _read(words: Sequence[str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for word in words:
        name, equals, text = word.partition("=")
        field = name.removesuffix(":")
        if not equals or not field.isidentifier() or field in fields:
            usage(f"not FIELD=TEXT, or given twice: {word[:64]!r}")
        fields[field] = text if field == name else _value(field, text)
    return fields


def _value(field: str, text: str) -> object:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        usage(f"{field} is not JSON: {text[:64]!r}", f"write {field}=TEXT for text")


def _listed(venue: str, calls: Mapping[str, str]) -> str:
    if not calls:
        return f"{venue} has no calls of its own"
    return "\n\n".join(f"{name}\n    " + told.replace("\n", "\n    ") for name, told in calls.items())
