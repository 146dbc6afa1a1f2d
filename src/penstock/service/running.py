"""A running Penstock: store, chains, lanes, workers and the server, joined."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Callable
from pathlib import Path

from penstock.chains.chain import Chain
from penstock.chains.evm.chain import EvmChain, EvmSettings
from penstock.chains.evm.rpc import NodeRpc
from penstock.chains.simulated.chain import SimulatedChain, contracts_of
from penstock.chains.simulated.node import SimulatedNode
from penstock.config import EvmNetwork, NetworkSettings, Settings, SimulatedNetwork
from penstock.core.catalogue import Catalogue
from penstock.core.ids import TimeOrderedIds
from penstock.core.points import point
from penstock.core.time import SystemClock
from penstock.engine.rules import Rules
from penstock.process import SEND_BEFORE_STORE, StopRequest, settle_memory
from penstock.server.front import FrontConfig
from penstock.server.venues import CALLBACKS
from penstock.service.counts import MemoryCounts
from penstock.service.front_keeper import FrontKeeper
from penstock.service.signer_keeper import SignerElsewhere, SignerKeeper
from penstock.store.link.counting import CountKeeper, Counts
from penstock.store.opening import open_store
from penstock.webhooks.delivery import Poster
from penstock.workers.chain_worker import ChainWorker
from penstock.workers.lane import Lane, Pace
from penstock.workers.sweeper import Sweeper
from penstock.workers.webhook_worker import WebhookWorker

STOP_CHECK_S = 60.0


class Service:
    """A running Penstock: make it, `serve`, and `close` it whatever came of that."""

    def __init__(
        self, settings: Settings, catalogue: Catalogue, signer: SignerKeeper | SignerElsewhere
    ) -> None:
        self.settings = settings
        self.catalogue = catalogue
        self.clock = SystemClock()
        self.signer = signer
        self.state = Path(settings.state_dir)
        self.rules = Rules(catalogue, settings.policy.policy())
        self.place = settings.place()
        self.store = open_store(self.place, self.rules, self.clock, TimeOrderedIds())
        point("start.store_opened")
        self.client = signer.client()
        self.senders = {network.code: self.client.address(network.code) for network in settings.networks}
        point("start.signer_started")
        self.nodes: dict[str, SimulatedNode] = {}
        self.chains = {network.code: self._chain(network) for network in settings.networks}

    def _chain(self, network: NetworkSettings) -> Chain:
        known = network.network()
        match network.chain:
            case SimulatedNetwork():
                place = self.state / "chains"
                place.mkdir(exist_ok=True)
                node = SimulatedNode(
                    network.code,
                    network.native,
                    self.clock,
                    seed=network.chain.seed,
                    block_ms=network.chain.block_ms,
                    path=str(place / f"{network.code}.db"),
                )
                self.nodes[network.code] = node
                contracts = contracts_of(self.catalogue, network.code)
                return SimulatedChain(known, node, contracts=contracts)
            case EvmNetwork():
                return _evm_chain(network, network.chain, self.senders[network.code], self.catalogue)

    def lanes(self) -> list[Lane]:
        """One lane per network, owned by this process."""
        workers = self.settings.workers
        pace = Pace(
            lease_ms=workers.lease_ms,
            in_flight_max=workers.in_flight_max,
            bump_after_ms=workers.bump_after_ms,
            fee_ceiling_factor=workers.fee_ceiling_factor,
            resend_after_ms=workers.resend_after_ms,
        )
        owner = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        return [
            Lane(
                network=code,
                sender=self.senders[code],
                owner=owner,
                chain=chain,
                signer=self.client,
                store=self.store,
                clock=self.clock,
                catalogue=self.catalogue,
                pace=pace,
                # The state directory's lock is ours, and a database in it has no other way in.
                alone=not self.place.is_postgresql,
                unsafe_send_before_store=bool(os.environ.get(SEND_BEFORE_STORE)),
            )
            for code, chain in self.chains.items()
        ]

    def workers(self) -> list[ChainWorker]:
        """Simulated networks share a thread; each real node has its own, so that a slow one delays nobody else."""
        interval_s = self.settings.workers.interval_ms / 1_000
        lanes = self.lanes()
        point("start.lanes_checked")
        simulated = [lane for lane in lanes if lane.network in self.nodes]
        real = [lane for lane in lanes if lane.network not in self.nodes]
        groups = [group for group in (simulated, *([lane] for lane in real)) if group]
        return [ChainWorker(group, interval_s) for group in groups]

    def _beside(self) -> list[Sweeper | WebhookWorker]:
        """The workers that no chain waits for."""
        settings = self.settings.webhooks
        interval_s = self.settings.workers.interval_ms / 1_000
        poster = Poster(settings.allowed_blocks(), settings.timeout_s * 1_000)
        return [
            Sweeper(self.store, self.clock, interval_s),
            WebhookWorker(self.store, CALLBACKS, poster.post, self.clock, settings, interval_s),
        ]

    def serve(self, on_ready: Callable[[str], None], *, processes: int = 1, pay: bool = True) -> None:
        """Answer requests until SIGTERM or SIGINT, and pay. on_ready: called with the base URL once it answers.

        processes: how many fronts answer. pay: False leaves planning, signing, sending and telling to other processes.
        Raises Unavailable when the port cannot be had or a front process does not start.
        """
        stopping = _stop_request()
        alone = processes == 1 and not self.place.is_postgresql
        config = FrontConfig(self.settings, self.place, self.senders, -1, -1, -1, alone)
        counts = CountKeeper(self._counts())
        fronts = FrontKeeper(self.store, counts, config, self.settings.host, self.settings.port)
        workers = [*self.workers(), *self._beside()] if pay else []
        try:
            fronts.start(processes)
            for worker in workers:
                worker.start()
            settle_memory()
            on_ready(fronts.base_url)
            fronts.run_until(stopping)
        finally:
            fronts.stop()
            fronts.close()
            counts.close()
            for worker in workers:
                worker.stop()

    def work(self, on_ready: Callable[[], None]) -> None:
        """Pay, tell and sweep until SIGTERM or SIGINT, and answer nobody."""
        stopping = _stop_request()
        workers = [*self.workers(), *self._beside()]
        try:
            for worker in workers:
                worker.start()
            settle_memory()
            on_ready()
            while not stopping.wait(STOP_CHECK_S):
                pass
        finally:
            for worker in workers:
                worker.stop()

    def _counts(self) -> Counts:
        """Where several fronts have their requests counted: in the database where other machines may serve it too."""
        if not self.place.is_postgresql:
            return MemoryCounts(self.clock)
        from penstock.store.postgres.counts import PostgresCounts  # noqa: PLC0415 - psycopg takes a while to import

        return PostgresCounts(self.place.url)

    def close(self) -> None:
        """Finish what is queued; keep everything stored."""
        self.store.close()
        self.client.close()
        for node in self.nodes.values():
            node.close()


def _stop_request() -> StopRequest:
    """Set by SIGTERM or SIGINT from now on."""
    stopping = StopRequest()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    return stopping


def _evm_chain(network: NetworkSettings, chain: EvmNetwork, sender: str, catalogue: Catalogue) -> EvmChain:
    contracts = contracts_of(catalogue, network.code)
    settings = EvmSettings(
        chain_id=chain.chain_id,
        confirmations=network.confirmations,
        finality=chain.finality,
        forbidden=frozenset({sender, *contracts}),
    )
    witness = None if chain.witness_url is None else NodeRpc(chain.witness_url, chain.chain_id)
    return EvmChain(network.code, NodeRpc(chain.rpc_url, chain.chain_id), settings, witness)
