"""`penstock sandbox`, `serve`, `worker` and `verify`: thin; what they do stands in `penstock.service`."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from penstock.cli.terminal import Exit, database_told, usage

PROCESSES_MAX = 64
PORT_MAX = 65_535
_ENDINGS = (signal.SIGTERM, signal.SIGINT)


def add_arguments(command: str, parser: argparse.ArgumentParser) -> None:
    match command:
        case "sandbox":
            _sandbox_arguments(parser)
        case "serve":
            _settings_argument(parser)
            parser.add_argument(
                "--processes",
                type=int,
                default=1,
                metavar="N",
                help="how many processes answer requests (default: %(default)s)",
            )
            parser.add_argument(
                "--no-workers",
                action="store_true",
                help="answer requests only; signing and sending is left to `penstock worker` processes",
            )
        case "worker":
            _settings_argument(parser)
        case _:
            place = parser.add_mutually_exclusive_group(required=True)
            place.add_argument(
                "--state", type=Path, metavar="DIR", help="the directory of a sandbox or service on SQLite"
            )
            place.add_argument("--database", metavar="URL", help="postgresql://..., or sqlite:PATH")


def _sandbox_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--port",
        type=int,
        required=True,
        metavar="P",
        help="where it answers, on this machine only; 0 takes a free one",
    )
    parser.add_argument(
        "--state",
        type=Path,
        required=True,
        metavar="DIR",
        help="where it keeps everything, sandbox.json with its keys too; started there again it goes on where it was",
    )
    parser.add_argument(
        "--evm-rpc",
        metavar="URL",
        help="pay on a real node of your own, such as anvil, for the network ethereum",
    )
    parser.add_argument(
        "--evm-confirmations",
        type=int,
        default=1,
        metavar="N",
        help="with --evm-rpc: blocks after which a payment is final (default: %(default)s)",
    )
    parser.add_argument(
        "--chain-pace",
        type=int,
        metavar="MS",
        help="a block of the simulated chains every MS milliseconds (default: 1000)",
    )
    parser.add_argument(
        "--database", metavar="URL", default="", help="a PostgreSQL database (default: SQLite in DIR)"
    )
    parser.add_argument(
        "--no-ip-limits", action="store_true", help="leave out the venues' limits for each source address"
    )


def run(command: str, arguments: argparse.Namespace) -> int:
    match command:
        case "sandbox":
            return _sandbox(arguments)
        case "serve":
            return _serve(arguments)
        case "worker":
            return _worker(arguments.config)
        case _:
            return _verify(arguments.state or arguments.database)


def _settings_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        required=True,
        metavar="FILE",
        help="the settings, a TOML file such as docs/operate/penstock.toml",
    )


def _sandbox(arguments: argparse.Namespace) -> int:
    if not 0 <= arguments.port <= PORT_MAX:
        usage(f"--port must be 0 to {PORT_MAX}")
    if arguments.chain_pace is not None and arguments.chain_pace < 1:
        usage("--chain-pace must be at least 1 millisecond")
    if arguments.evm_confirmations < 1:
        usage("--evm-confirmations must be at least 1")
    from penstock import service  # noqa: PLC0415  only what runs is loaded, so that help is quick

    _end_in_order()
    return service.run_sandbox(
        port=arguments.port,
        state_dir=arguments.state,
        evm_rpc=arguments.evm_rpc,
        chain_pace_ms=arguments.chain_pace,
        limit_by_ip=not arguments.no_ip_limits,
        database=arguments.database,
        evm_confirmations=arguments.evm_confirmations,
    )


def _serve(arguments: argparse.Namespace) -> int:
    if not 1 <= arguments.processes <= PROCESSES_MAX:
        usage(f"--processes must be 1 to {PROCESSES_MAX}")
    _check_file(arguments.config)
    from penstock import service  # noqa: PLC0415

    _end_in_order()
    return service.run_serve(arguments.config, processes=arguments.processes, pay=not arguments.no_workers)


def _worker(config: Path) -> int:
    _check_file(config)
    from penstock import service  # noqa: PLC0415

    _end_in_order()
    return service.run_worker(config)


def _check_file(config: Path) -> None:
    if not config.is_file():
        usage(f"{config} is not a file", "give the path of the settings")


def _end_in_order() -> None:
    """Let SIGTERM and SIGINT end the process with 0, after every `finally` on the way has run.

    uvicorn shuts down on them and then raises the signal once more for whoever handled it before; the
    default handling would end the process on the spot, store and signer still open. A second signal is not
    waited for.
    """

    def end(*_: object) -> None:
        for ending in _ENDINGS:
            signal.signal(ending, signal.SIG_DFL)
        raise SystemExit(Exit.OK)

    for ending in _ENDINGS:
        signal.signal(ending, end)


def _verify(target: Path | str) -> int:
    if isinstance(target, Path) and not target.is_dir():
        usage(f"{target} is not a directory", "give the directory that `penstock sandbox --state` was given")
    from penstock import service  # noqa: PLC0415

    with database_told():
        report = service.verify(target)
    for line in report.lines:
        print(line)
    return Exit.OK if report.ok else Exit.FAILED
