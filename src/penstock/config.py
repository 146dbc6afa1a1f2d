"""The operator's settings: one TOML file into frozen structs. Unknown names are errors; amounts are decimal text.

Secrets never stand here: the signer has its own configuration and key file, and the admin token is read from the
environment or a file that this one names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from penstock.core.amounts import Units, parse_amount
from penstock.core.catalogue import PRICE_SCALE, Asset, Catalogue, Listing, Network
from penstock.core.queries import QUOTA_SCALE
from penstock.core.refusals import Refused
from penstock.core.secret import Secret
from penstock.engine.rules import Policy
from penstock.store.opening import Place
from penstock.webhooks.settings import WebhookSettings

WRITERS_MAX = 32


class SettingsInvalid(Exception):
    """The settings cannot be used; the message names the place and what is wrong."""


class SecretPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is: exactly one of an environment variable's name and a file's path."""

    env: str | None = None
    file: str | None = None

    def read(self) -> Secret:
        """Raises SettingsInvalid when it is not there or empty."""
        if (self.env is None) == (self.file is None):
            raise SettingsInvalid("a secret needs exactly one of env and file")
        if self.env is not None:
            value = os.environ.get(self.env, "")
        else:
            assert self.file is not None
            try:
                value = Path(self.file).read_text().strip()
            except OSError as error:
                raise SettingsInvalid(f"the secret in {self.file}: {error.strerror}") from error
        if not value:
            raise SettingsInvalid(f"the secret in {self.env or self.file} is missing or empty")
        return Secret.of(value)


class SimulatedNetwork(msgspec.Struct, frozen=True, tag="simulated", forbid_unknown_fields=True):
    """A chain that exists in this process only. block_ms: time between blocks. seed: of everything that is random."""

    block_ms: int = 1_000
    seed: int = 0


class EvmNetwork(msgspec.Struct, frozen=True, tag="evm", forbid_unknown_fields=True):
    """A node over JSON-RPC. finality "tag": what the node calls finalized; "depth": the network's confirmations.

    witness_url: a second node, run by somebody else; nothing is final unless it says the same.
    """

    rpc_url: str
    chain_id: int
    finality: Literal["tag", "depth"] = "tag"
    witness_url: str | None = None


class NetworkSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A network and where it is reached. The other fields as in core/catalogue.py Network."""

    code: str
    family: str
    native: str
    confirmations: int
    chain: SimulatedNetwork | EvmNetwork
    uses_memo: bool = False

    def network(self) -> Network:
        return Network(self.code, self.family, self.native, self.confirmations, self.uses_memo)


class ListingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An asset on a network, amounts as decimal text of the asset ("1.5"). The rest as in core/catalogue.py Listing."""

    asset: str
    network: str
    decimals: int
    fee: str
    minimum: str
    precision: int
    contract: str | None = None
    maximum: str | None = None
    multiple: str | None = None
    withdraw_enabled: bool = True
    deposit_enabled: bool = True

    def listing(self, scale: int) -> Listing:
        def units(text: str | None) -> Units | None:
            return None if text is None else parse_amount(text, scale)

        return Listing(
            asset=self.asset,
            network=self.network,
            decimals=self.decimals,
            contract=self.contract,
            fee=parse_amount(self.fee, scale),
            minimum=parse_amount(self.minimum, scale),
            precision=self.precision,
            maximum=units(self.maximum),
            multiple=units(self.multiple),
            withdraw_enabled=self.withdraw_enabled,
            deposit_enabled=self.deposit_enabled,
        )


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """daily_quota_btc: per account and UTC day, valued by the assets' usd_price; None for no quota.

    approval_from_usd: withdrawals worth this much or more, and those of assets without a price, wait until an operator
    approves them; None: none does. rate_age_max_s: an older exchange rate converts nothing.
    """

    daily_quota_btc: str | None = None
    approval_from_usd: str | None = None
    rate_age_max_s: int = 60

    def policy(self) -> Policy:
        """Raises SettingsInvalid."""

        def units(name: str, text: str | None, scale: int) -> int | None:
            try:
                return None if text is None else parse_amount(text, scale)
            except Refused as refused:
                raise SettingsInvalid(f"policy.{name}: {refused}") from refused

        return Policy(
            daily_quota_sat=units("daily_quota_btc", self.daily_quota_btc, QUOTA_SCALE),
            approval_from_usd=units("approval_from_usd", self.approval_from_usd, PRICE_SCALE),
            rate_age_max_ms=self.rate_age_max_s * 1_000,
        )


class WorkerSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """interval_ms: rest between looks at the chains. The rest as in workers/lane.py Pace."""

    interval_ms: int = 1_000
    lease_ms: int = 15_000
    in_flight_max: int = 64
    bump_after_ms: int = 60_000
    fee_ceiling_factor: int = 4
    resend_after_ms: int = 5_000


class RatesSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where exchange rates come from.

    table: what one whole coin of an asset is worth in US dollars, as decimal text; assets left out have their
    usd_price. exchange: a name that ccxt knows ("kraken"): its live prices are used instead, which needs the optional
    extra "rates". refresh_s: how often they are asked for.
    """

    table: dict[str, str] = {}
    exchange: str | None = None
    refresh_s: int = 10


class DatabaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where everything is kept. Without a URL: in SQLite, in the state directory.

    url: "postgresql://...", as libpq takes it; without a password, or read from a secret place. isolation: both are
    safe. writers: writing connections of one process.
    """

    url: str | SecretPlace = ""
    isolation: Literal["read committed", "serializable"] = "read committed"
    writers: int = 1

    def place(self, state_dir: str) -> Place:
        """Raises SettingsInvalid."""
        url = self.url if isinstance(self.url, str) else self.url.read().reveal().decode()
        place = Place(state_dir, url, self.isolation.upper(), self.writers)
        if url and not place.is_postgresql:
            raise SettingsInvalid("database.url: it must begin with postgresql://")
        if not 1 <= self.writers <= WRITERS_MAX:
            raise SettingsInvalid(f"database.writers: from 1 to {WRITERS_MAX}")
        return place


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Everything `penstock serve` is told.

    state_dir: where database, simulated chains and the signer's folder live. signer_config: the signer's own file;
    relative to state_dir. signer_socket: of a signer that runs as a service of its own, shared by several processes;
    then signer_config is not looked at. host: loopback unless the operator says otherwise; TLS belongs in front.
    failed_auth_per_minute: failed authentications from one source, or under one key id, before further failures are
    answered in the venue's words for abuse; a valid signature is never turned away. None: never.
    limit_by_ip: count a venue's limits for each source address (Zoomex: 600 requests in 5 s). Behind a proxy all
    customers come from its address; count there instead, and switch it off here.
    in_flight_max: with so many authenticated requests unanswered in one front, a further one is told at once to come
    again later, in its venue's words; for a second after that half of it is the limit.
    """

    state_dir: str
    assets: list[Asset]
    networks: list[NetworkSettings]
    listings: list[ListingSettings]
    host: str = "127.0.0.1"
    port: int = 8080
    admin_token: SecretPlace = SecretPlace(env="PENSTOCK_ADMIN_TOKEN")
    signer_config: str = "signer/signer.json"
    signer_socket: str | None = None
    policy: PolicySettings = PolicySettings()
    workers: WorkerSettings = WorkerSettings()
    webhooks: WebhookSettings = WebhookSettings()
    database: DatabaseSettings = DatabaseSettings()
    rates: RatesSettings = RatesSettings()
    failed_auth_per_minute: int | None = 600
    limit_by_ip: bool = True
    in_flight_max: int = 256

    def place(self) -> Place:
        """Where the database is. Raises SettingsInvalid."""
        return self.database.place(self.state_dir)

    def catalogue(self) -> Catalogue:
        """Raises SettingsInvalid when assets, networks and listings do not fit together."""
        scales = {asset.code: asset.scale for asset in self.assets}
        try:
            listings = [listing.listing(scales[listing.asset]) for listing in self.listings]
            return Catalogue(self.assets, [network.network() for network in self.networks], listings)
        except (AssertionError, KeyError, Refused) as error:
            raise SettingsInvalid(f"assets, networks and listings do not fit together: {error!r}") from error


def read_settings(path: Path) -> Settings:
    """Raises SettingsInvalid with the place of the first thing wrong."""
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Settings)
    except OSError as error:
        raise SettingsInvalid(f"{path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise SettingsInvalid(f"{path}: {error}") from error
