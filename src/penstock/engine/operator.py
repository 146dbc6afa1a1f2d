"""The operator's acts: accounts, keys, book entries, deposits, switches. Each leaves an audit row."""

from __future__ import annotations

import re

import msgspec

from penstock.core.acts import (
    AddBookEntry,
    AddressKind,
    CreateAccount,
    CreateKey,
    CreditDeposit,
    FreezeAccount,
    FreezeKey,
    Operation,
    RecordOpening,
    ReleaseQuarantine,
    RemoveBookEntry,
    SetCallback,
    SetControl,
    SetDepositAddress,
)
from penstock.core.commands import RecipientKind
from penstock.core.ids import AccountId
from penstock.core.refusals import RefusalCode, Refused
from penstock.engine.lanes import SENDING
from penstock.engine.ledger import (
    BANK,
    available_of,
    changed,
    custody,
    empty_balance,
    gas_budget,
    gas_wallet,
    opening,
    post,
)
from penstock.engine.row import Row
from penstock.engine.rows import (
    AccountRow,
    ApiKeyRow,
    BalanceRow,
    BookRow,
    CallbackRow,
    DepositAddressRow,
    DepositRow,
)
from penstock.engine.rules import HOUSE_ACCOUNT, TRANSFER_REFERENCE, Decision, Moment, Rules
from penstock.engine.sending_rows import AuditRow, ControlRow, LaneRow
from penstock.engine.snapshot import Needs, Snapshot


def need_operation(command: Operation, needs: Needs) -> None:  # noqa: C901, PLR0912 - a table
    """One round is enough for every act."""
    match command:
        case CreateAccount():
            for kind, value in _names(command):
                needs.recipients.add((kind, value))
            if command.master_account_id is not None:
                needs.row(AccountRow, command.master_account_id)
        case CreateKey():
            needs.row(ApiKeyRow, command.key_id)
            needs.row(AccountRow, command.account_id)
        case AddBookEntry():
            needs.row(AccountRow, command.account_id)
            needs.book.add((command.account_id, command.address))
        case RemoveBookEntry():
            needs.row(BookRow, command.entry_id)
        case CreditDeposit():
            needs.row(AccountRow, command.account_id)
            needs.row(DepositRow, command.reference)
            needs.row(BalanceRow, command.account_id, command.asset, command.wallet)
        case RecordOpening():
            needs.row(DepositRow, command.reference)
            needs.row(BalanceRow, HOUSE_ACCOUNT, command.asset, gas_wallet(command.network))
        case FreezeAccount() | SetDepositAddress():
            needs.row(AccountRow, command.account_id)
        case FreezeKey():
            needs.row(ApiKeyRow, command.key_id)
        case ReleaseQuarantine():
            needs.row(LaneRow, command.network, command.sender)
        case SetCallback():
            needs.row(AccountRow, command.account_id)
            needs.row(ApiKeyRow, command.key_id)
        case SetControl():
            pass


def decide_operation(snapshot: Snapshot, command: Operation, moment: Moment, rules: Rules) -> Decision:  # noqa: C901, PLR0911, PLR0912 - a table
    """Carry out one act. Answers the row made or changed. Raises Refused; nothing is then written."""
    match command:
        case CreateAccount():
            return _create_account(snapshot, command, moment)
        case CreateKey():
            return _create_key(snapshot, command, moment)
        case AddBookEntry():
            return _add_book_entry(snapshot, command, moment, rules)
        case RemoveBookEntry():
            return _remove_book_entry(snapshot, command, moment)
        case CreditDeposit():
            return _credit_deposit(snapshot, command, moment, rules)
        case RecordOpening():
            return _record_opening(snapshot, command, moment, rules)
        case FreezeAccount():
            account = _account(snapshot, command.account_id)
            row = msgspec.structs.replace(account, frozen=command.frozen)
            return _audited(moment, command, f"account/{row.account_id}", row)
        case SetDepositAddress():
            _account(snapshot, command.account_id)
            if command.network not in rules.catalogue.networks:
                raise Refused(RefusalCode.PARAMETER_INVALID, field="network")
            where = DepositAddressRow(command.account_id, command.network, command.address, command.memo)
            return _audited(moment, command, f"account/{command.account_id}", where)
        case FreezeKey():
            key = snapshot.get(ApiKeyRow, command.key_id)
            if key is None:
                raise Refused(RefusalCode.PARAMETER_INVALID, field="key_id")
            return _audited(
                moment, command, f"key/{key.key_id}", msgspec.structs.replace(key, frozen=command.frozen)
            )
        case SetCallback():
            return _set_callback(snapshot, command, moment)
        case SetControl():
            return _set_control(command, moment, rules)
        case ReleaseQuarantine():
            return _release_quarantine(snapshot, command, moment)


def _audited(moment: Moment, command: Operation, subject: str, row: Row, *more: Row) -> Decision:
    facts = {
        name: value for name, value in msgspec.structs.asdict(command).items() if name not in _SECRET_FIELDS
    }
    if isinstance(command, SetCallback):
        facts["url"] = _origin(command.url)
    detail = msgspec.json.encode(facts).decode()
    audit = AuditRow(moment.new_id(), command.actor, type(command).__name__, subject, detail, moment.now_ms)
    return Decision([row, *more, audit], row)


_SECRET_FIELDS = frozenset({"actor", "secret", "passphrase"})
_HOST_END = re.compile("[/?#]")


def _origin(url: str) -> str:
    """Scheme, host and port: what may be kept for ever and read by everybody. In all the rest there may be a token of
    the customer's server. "" for "".
    """
    scheme, mark, rest = url.partition("://")
    return scheme + mark + _HOST_END.split(rest, maxsplit=1)[0].rpartition("@")[2] if mark else ""


def _names(command: CreateAccount) -> list[tuple[RecipientKind, str]]:
    named = [
        (RecipientKind.ACCOUNT_NUMBER, command.account_number),
        (RecipientKind.EMAIL, command.email),
        (RecipientKind.PHONE, command.phone),
    ]
    return [(kind, value) for kind, value in named if value is not None]


def _account(snapshot: Snapshot, account_id: AccountId) -> AccountRow:
    account = snapshot.get(AccountRow, account_id)
    if account is None:
        raise Refused(RefusalCode.ACCOUNT_UNKNOWN)
    return account


def _create_account(snapshot: Snapshot, command: CreateAccount, moment: Moment) -> Decision:
    if not (command.account_number.isascii() and command.account_number.isdigit()):
        raise Refused(RefusalCode.PARAMETER_INVALID, field="account_number")
    for kind, value in _names(command):
        if snapshot.recipient(kind, value) is not None:
            raise Refused(RefusalCode.ALREADY_EXISTS, field=kind.value)
    if command.master_account_id is not None:
        _account(snapshot, command.master_account_id)
    row = AccountRow(
        account_id=AccountId(moment.new_id()),
        account_number=command.account_number,
        email=command.email,
        phone=command.phone,
        master_account_id=command.master_account_id,
        may_withdraw=command.may_withdraw,
        frozen=False,
        created_ms=moment.now_ms,
    )
    return _audited(moment, command, f"account/{row.account_id}", row)


def _create_key(snapshot: Snapshot, command: CreateKey, moment: Moment) -> Decision:
    _account(snapshot, command.account_id)
    if snapshot.get(ApiKeyRow, command.key_id) is not None:
        raise Refused(RefusalCode.ALREADY_EXISTS, field="key_id")
    if not command.key_id or not command.secret:
        raise Refused(RefusalCode.PARAMETER_INVALID, field="key_id")
    row = ApiKeyRow(
        key_id=command.key_id,
        account_id=command.account_id,
        venue=command.venue,
        secret=command.secret,
        passphrase=command.passphrase,
        permissions=",".join(command.permissions),
        allowed_ips=",".join(command.allowed_ips),
        expires_ms=command.expires_ms,
        frozen=False,
        created_ms=moment.now_ms,
    )
    return _audited(moment, command, f"key/{row.key_id}", row)


def _add_book_entry(snapshot: Snapshot, command: AddBookEntry, moment: Moment, rules: Rules) -> Decision:
    _account(snapshot, command.account_id)
    if command.network and command.network not in rules.catalogue.networks:
        raise Refused(RefusalCode.PARAMETER_INVALID, field="network")
    # An entry that names more than its kind reaches would allow more than its reader thinks.
    if bool(command.asset) != (command.kind is AddressKind.STANDARD):
        raise Refused(RefusalCode.PARAMETER_INVALID, field="asset")
    everywhere = command.kind in (AddressKind.EVM, AddressKind.RECIPIENT)
    if bool(command.network) == everywhere:
        raise Refused(RefusalCode.PARAMETER_INVALID, field="network")
    if command.kind is AddressKind.RECIPIENT and command.memo not in set(RecipientKind):
        raise Refused(RefusalCode.PARAMETER_INVALID, field="memo")
    if command.asset:
        rules.catalogue.listing(command.asset, command.network)
    fields = (command.kind, command.asset, command.network, command.memo)
    for entry in snapshot.book(command.account_id, command.address):
        if entry.removed_ms is None and (entry.kind, entry.asset, entry.network, entry.memo) == fields:
            raise Refused(RefusalCode.ALREADY_EXISTS, field="address", entry_id=entry.entry_id)
    row = BookRow(
        entry_id=moment.new_id(),
        account_id=command.account_id,
        kind=command.kind,
        asset=command.asset,
        network=command.network,
        address=command.address,
        memo=command.memo,
        remark=command.remark,
        verified=command.verified,
        usable_from_ms=command.usable_from_ms,
        removed_ms=None,
        created_ms=moment.now_ms,
    )
    return _audited(moment, command, f"book/{row.entry_id}", row)


def _remove_book_entry(snapshot: Snapshot, command: RemoveBookEntry, moment: Moment) -> Decision:
    entry = snapshot.get(BookRow, command.entry_id)
    if entry is None or entry.account_id != command.account_id:
        raise Refused(RefusalCode.ADDRESS_NOT_IN_BOOK)
    if entry.removed_ms is not None:
        return Decision([], entry)
    row = msgspec.structs.replace(entry, removed_ms=moment.now_ms)
    return _audited(moment, command, f"book/{row.entry_id}", row)


def _credit_deposit(snapshot: Snapshot, command: CreditDeposit, moment: Moment, rules: Rules) -> Decision:
    _account(snapshot, command.account_id)
    _check_arrival(command, rules)
    if command.wallet not in rules.policy.wallets:
        raise Refused(RefusalCode.WALLET_UNKNOWN)
    seen = _credited_before(snapshot, command)
    if seen is not None:
        return Decision([], seen)
    balance = snapshot.get(BalanceRow, command.account_id, command.asset, command.wallet) or empty_balance(
        command.account_id, command.asset, command.wallet
    )
    deposit = DepositRow(
        reference=command.reference,
        deposit_id=moment.new_id(),
        account_id=command.account_id,
        asset=command.asset,
        network=command.network,
        wallet=command.wallet,
        amount=command.amount,
        address=command.address,
        tx_id=command.tx_id,
        created_ms=moment.now_ms,
    )
    legs = [
        (custody(command.network or BANK), command.asset, -command.amount),
        (available_of(balance), command.asset, command.amount),
    ]
    rows = [
        changed(balance, available=command.amount),
        *post(moment, "deposit", legs, None, command.reference),
    ]
    return _audited(moment, command, f"account/{command.account_id}", deposit, *rows)


def _check_arrival(command: CreditDeposit, rules: Rules) -> None:
    """A coin comes over a network that lists it; what no network lists (fiat money) comes over none."""
    listed = {asset for asset, _ in rules.catalogue.listings}
    if command.network or command.asset in listed or command.asset not in rules.catalogue.assets:
        rules.catalogue.listing(command.asset, command.network)


def _credited_before(snapshot: Snapshot, command: CreditDeposit | RecordOpening) -> DepositRow | None:
    """The row of an earlier credit with this reference. Raises Refused where the two differ."""
    if command.amount <= 0:
        raise Refused(RefusalCode.AMOUNT_NOT_POSITIVE)
    if not command.reference or command.reference.startswith(TRANSFER_REFERENCE):
        raise Refused(RefusalCode.PARAMETER_INVALID, field="reference")
    seen = snapshot.get(DepositRow, command.reference)
    if seen is None:
        return None
    if isinstance(command, CreditDeposit):
        where = (command.account_id, command.wallet)
    else:
        where = (HOUSE_ACCOUNT, gas_wallet(command.network))
    same = (*where, command.asset, command.network, command.amount)
    if (seen.account_id, seen.wallet, seen.asset, seen.network, seen.amount) != same:
        raise Refused(RefusalCode.REQUEST_ID_CONFLICT, request_id=command.reference, field="deposit")
    return seen


def _record_opening(snapshot: Snapshot, command: RecordOpening, moment: Moment, rules: Rules) -> Decision:
    network = rules.catalogue.networks.get(command.network)
    if network is None:
        raise Refused(RefusalCode.PARAMETER_INVALID, field="network")
    if network.native != command.asset:
        raise Refused(RefusalCode.PARAMETER_INVALID, field="asset")
    seen = _credited_before(snapshot, command)
    if seen is not None:
        return Decision([], seen)
    wallet = gas_wallet(command.network)
    gas = snapshot.get(BalanceRow, HOUSE_ACCOUNT, command.asset, wallet)
    gas = gas or empty_balance(HOUSE_ACCOUNT, command.asset, wallet)
    units = command.amount
    legs = [
        (custody(command.network), command.asset, -units),
        (opening(command.network), command.asset, units),
        (gas_budget(command.network), command.asset, -units),
        (available_of(gas), command.asset, units),
    ]
    record = DepositRow(
        reference=command.reference,
        deposit_id=moment.new_id(),
        account_id=AccountId(HOUSE_ACCOUNT),
        asset=command.asset,
        network=command.network,
        wallet=wallet,
        amount=units,
        address="",
        tx_id="",
        created_ms=moment.now_ms,
    )
    rows = [changed(gas, available=units), *post(moment, "opening", legs, None, command.reference)]
    return _audited(moment, command, f"network/{command.network}", record, *rows)


def _set_callback(snapshot: Snapshot, command: SetCallback, moment: Moment) -> Decision:
    _account(snapshot, command.account_id)
    key = snapshot.get(ApiKeyRow, command.key_id)
    if key is None or key.account_id != command.account_id or key.venue != command.venue:
        raise Refused(RefusalCode.PARAMETER_INVALID, field="key_id")
    row = CallbackRow(command.account_id, command.venue, command.url, command.key_id)
    return _audited(moment, command, f"account/{command.account_id}", row)


def _set_control(command: SetControl, moment: Moment, rules: Rules) -> Decision:
    networks = {f"network/{code}" for code in rules.catalogue.networks}
    if command.name != SENDING and command.name not in networks:
        raise Refused(RefusalCode.PARAMETER_INVALID, field="name")
    row = ControlRow(command.name, command.stopped, command.reason, moment.now_ms)
    return _audited(moment, command, f"control/{command.name}", row)


def _release_quarantine(snapshot: Snapshot, command: ReleaseQuarantine, moment: Moment) -> Decision:
    lane = snapshot.get(LaneRow, command.network, command.sender)
    if lane is None or not lane.quarantine:
        raise Refused(RefusalCode.NOT_NOW, quarantine="none")
    if command.next_nonce < lane.next_nonce:
        # Going back would hand a nonce out a second time.
        raise Refused(RefusalCode.PARAMETER_INVALID, field="next_nonce")
    row = msgspec.structs.replace(lane, quarantine="", next_nonce=command.next_nonce)
    return _audited(moment, command, f"lane/{lane.network}/{lane.sender}", row)
