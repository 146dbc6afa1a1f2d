"""`python -m penstock.signer --config FILE`: the signing process.

Ends with 0 when told to stop, 1 when it could not start or go on; standard error says why.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from penstock.core.points import arm_from_environment
from penstock.core.time import SystemClock
from penstock.signer.config import ConfigRefused, read_config
from penstock.signer.keystore import SCRYPT_N, KeystoreRefused
from penstock.signer.log import LogBroken, LogRefused
from penstock.signer.process import create_keys, forbid_core_dumps, initialise, open_signer, serve

LOCK_WAIT_MS = 5_000

_report = logging.getLogger("penstock.signer")


def main(arguments: Sequence[str]) -> int:
    """Run the signer, or with --init begin the log of a new key; returns the exit code."""
    parser = argparse.ArgumentParser(prog="penstock.signer", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="TOML or JSON file")
    parser.add_argument(
        "--init", action="store_true", help="begin the log of keys that have never signed, and end"
    )
    parser.add_argument(
        "--create-keys", action="store_true", help="with --init: make missing keystores and passwords"
    )
    parser.add_argument(
        "--key-from-stdin", action="store_true", help="with --create-keys: 64 hex digits, not drawn"
    )
    parser.add_argument("--scrypt-n", type=int, default=SCRYPT_N, help="with --create-keys: the work factor")
    parser.add_argument("--ready-fd", type=int, default=-1, help="write a line here once clients can connect")
    parser.add_argument(
        "--until-stdin-closes", action="store_true", help="end when whoever started this has ended"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    if not __debug__:
        _report.critical("python -O switches the checks off: not started")
        return 1
    forbid_core_dumps()
    arm_from_environment()
    try:
        return _run(options.config, options)
    except (ConfigRefused, KeystoreRefused, LogRefused) as refused:
        _report.critical("not started: %s", refused)
    except LogBroken as broken:
        _report.critical("ended: log broken: %s", broken)
    return 1


def _run(path: Path, options: argparse.Namespace) -> int:
    clock = SystemClock()
    config = read_config(path)
    if options.init:
        if options.create_keys:
            create_keys(
                config, secret=_known_key() if options.key_from_stdin else None, scrypt_n=options.scrypt_n
            )
        _report.info("log %s begun", initialise(config, clock.now_ms()))
        return 0
    signer = open_signer(config, os.environ, clock, LOCK_WAIT_MS)

    def ready() -> None:
        _report.info("ready on %s", config.socket)
        if options.ready_fd >= 0:
            os.write(options.ready_fd, b"ready\n")
            os.close(options.ready_fd)

    asyncio.run(serve(signer, config, ready, until_stdin_closes=options.until_stdin_closes))
    _report.info("stopped")
    return 0


def _known_key() -> bytes:
    text = sys.stdin.read(65).strip()
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise KeystoreRefused("standard input holds no key of 64 hex digits") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
