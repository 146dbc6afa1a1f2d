"""`penstock bench`: thin; what it does stands in `penstock.bench`."""

from __future__ import annotations

import argparse

from penstock.cli.terminal import usage

# Only what runs is loaded, so that help is quick.
# ruff: noqa: PLC0415

_SHAPES = ("poisson", "even")
_STORED_READS = 20_000


def add_arguments(_command: str, parser: argparse.ArgumentParser) -> None:
    what = parser.add_subparsers(dest="what", required=True, metavar="WHAT")

    def added(
        name: str, text: str, *, seconds: int | None = 10, clients: bool = True
    ) -> argparse.ArgumentParser:
        one = what.add_parser(name, help=text, allow_abbrev=False)
        if seconds is not None:
            one.add_argument(
                "--seconds", type=int, default=seconds, metavar="S", help="how long (default: %(default)s)"
            )
        if clients:
            one.add_argument(
                "--clients", type=int, default=64, metavar="N", help="how many at once (default: %(default)s)"
            )
        return one

    intake = added("intake", "accepted withdrawals a second")
    intake.add_argument(
        "--venue",
        choices=("bitmart", "all"),
        default="bitmart",
        help="one venue beside an empty handler and pgbench, or every venue in turn (default: %(default)s)",
    )
    intake.add_argument(
        "--stored",
        type=int,
        metavar="N",
        help="with N withdrawals stored beforehand, beside an empty service",
    )
    reads = added("reads", "withdrawals looked up a second, beside a service that has hardly any")
    reads.add_argument(
        "--stored",
        type=int,
        default=_STORED_READS,
        metavar="N",
        help="how many there are (default: %(default)s)",
    )
    latency = added("latency", "how long a withdrawal takes at half of the top rate", clients=False)
    latency.add_argument("--rate", type=int, metavar="N", help="a second, instead of half of the top rate")
    latency.add_argument(
        "--arrivals", choices=_SHAPES, default="poisson", help="when requests are due (default: %(default)s)"
    )
    overload = added("overload", "what becomes of several times the top rate", clients=False)
    overload.add_argument(
        "--times", type=int, default=5, metavar="N", help="of the top rate (default: %(default)s)"
    )
    memory = added("memory", "what the processes hold after many withdrawals", seconds=None)
    memory.add_argument(
        "--withdrawals", type=int, default=1_000_000, metavar="N", help="how many (default: %(default)s)"
    )
    added("start", "how long `penstock --help` takes", seconds=None, clients=False)
    for one in (intake, reads, latency, overload, memory):
        one.add_argument(
            "--database",
            metavar="URL",
            help="a PostgreSQL server, where databases are made for the run; "
            '"postgresql:" starts one (default: SQLite)',
        )


def run(_command: str, arguments: argparse.Namespace) -> int:
    for name in ("seconds", "clients", "stored", "rate", "times", "withdrawals"):
        given = getattr(arguments, name, None)
        if given is not None and given < 1:
            usage(f"--{name} must be at least 1")
    match arguments.what:
        case "intake":
            return _intake(arguments)
        case "reads":
            from penstock.bench import reads

            return reads.run(arguments.seconds, arguments.clients, arguments.stored, arguments.database)
        case "latency":
            from penstock.bench import latency

            return latency.run(arguments.seconds, arguments.arrivals, arguments.rate, arguments.database)
        case "overload":
            from penstock.bench import overload

            return overload.run(arguments.seconds, arguments.times, arguments.database)
        case "memory":
            from penstock.bench import memory

            return memory.run(arguments.withdrawals, arguments.clients, arguments.database)
        case _:
            from penstock.bench import start

            return start.run()


def _intake(arguments: argparse.Namespace) -> int:
    if arguments.venue == "all":
        if arguments.stored is not None or arguments.database is not None:
            usage("--venue all goes with neither --stored nor --database")
        from penstock.bench import every_venue

        return every_venue.run(seconds=arguments.seconds, clients=arguments.clients)
    if arguments.stored is not None:
        from penstock.bench import intake_stored

        try:
            wanted = intake_stored.plan(arguments.stored, arguments.seconds, arguments.clients)
        except ValueError as error:
            usage(f"--stored: {error}")
        return intake_stored.run(wanted, arguments.database)
    from penstock.bench import intake

    return intake.run(seconds=arguments.seconds, clients=arguments.clients, database=arguments.database)
