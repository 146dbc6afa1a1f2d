"""The operator's acts on one account: its keys, its address book, its money, where its callbacks go."""

from __future__ import annotations

import ipaddress
import re
import secrets

from msgspec import UNSET

from penstock.core.acts import (
    AddBookEntry,
    AddressKind,
    CreateAccount,
    CreateKey,
    CreditDeposit,
    FreezeAccount,
    FreezeKey,
    RemoveBookEntry,
    SetCallback,
    SetDepositAddress,
)
from penstock.core.commands import RecipientKind
from penstock.core.ids import AccountId
from penstock.core.refusals import RefusalCode, Refused
from penstock.core.time import UnixMs
from penstock.engine.rows import AccountRow, ApiKeyRow, BookRow, CallbackRow, DepositAddressRow, DepositRow
from penstock.server.admin import replies, schema, shown
from penstock.server.admin.bodies import read_id
from penstock.server.admin.endpoints import Call, Desk, acting
from penstock.server.admin.errors import missing, unacceptable
from penstock.server.admin.reading import found_callback
from penstock.server.venues import KEY_CHECKS
from penstock.webhooks.addresses import TargetRefused, is_allowed, judge
from penstock.webhooks.target import read_target

KEY_ID_BYTES = 16
SECRET_BYTES = 32
PASSPHRASE_BYTES = 8

_RECIPIENTS = {
    RecipientKind.ACCOUNT_NUMBER: re.compile(schema.ACCOUNT_NUMBER),
    RecipientKind.EMAIL: re.compile(schema.EMAIL),
    RecipientKind.PHONE: re.compile(schema.PHONE),
}
assert _RECIPIENTS.keys() == set(RecipientKind)
_INNER = tuple(
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128")
)
"""Private and loopback addresses: callbacks may go there without encryption, if the operator's settings allow it."""


async def create_account(desk: Desk, call: Call, body: schema.NewAccount) -> replies.Account:
    master = None if body.master_account_id is None else read_id(body.master_account_id, "master_account_id")
    command = CreateAccount(
        actor=call.actor,
        account_number=body.account_number,
        email=body.email,
        phone=body.phone,
        master_account_id=None if master is None else AccountId(master),
        may_withdraw=body.may_withdraw,
    )
    try:
        return shown.account(await desk.act(command, AccountRow))
    except Refused as refused:
        if refused.code is RefusalCode.ACCOUNT_UNKNOWN:
            raise unacceptable("master_account_id", "There is no such account; check the id.") from None
        raise


async def create_key(desk: Desk, call: Call, body: schema.NewKey) -> replies.KeyWithSecret:
    """Give a key. What is not given is drawn from the system's randomness, and shown in this answer only.

    Raises NotDone where no such venue is served, and where the venue says that no signature could ever fit it.
    """
    if body.venue not in KEY_CHECKS:
        raise unacceptable("venue", f"No such venue is served; use one of: {', '.join(KEY_CHECKS)}.")
    command = CreateKey(
        actor=call.actor,
        account_id=call.account_id,
        venue=body.venue,
        key_id=secrets.token_hex(KEY_ID_BYTES) if body.key_id is UNSET else body.key_id,
        secret=secrets.token_hex(SECRET_BYTES) if body.secret is UNSET else body.secret,
        passphrase=secrets.token_hex(PASSPHRASE_BYTES) if body.passphrase is UNSET else body.passphrase,
        permissions=tuple(dict.fromkeys(body.permissions)),
        allowed_ips=tuple(_ip(text) for text in body.allowed_ips),
        expires_ms=None if body.expires_ms is None else UnixMs(body.expires_ms),
    )
    check = KEY_CHECKS[command.venue]
    fault = check(command.key_id, command.secret, command.passphrase) if check else None
    if fault is not None:
        raise unacceptable(fault.field, fault.needed)
    row = await desk.act(command, ApiKeyRow)
    return replies.KeyWithSecret(shown.key(row), command.secret, command.passphrase)


def _ip(text: str) -> str:
    """An address or a network as the venues compare it; any other text would lock the key out for ever."""
    message = "Write an IP address without a zone, or a network without host bits such as 10.0.0.0/8."
    if "%" in text:
        raise unacceptable("allowed_ips", message)
    try:
        return str(ipaddress.ip_network(text) if "/" in text else ipaddress.ip_address(text))
    except ValueError:
        raise unacceptable("allowed_ips", message) from None


async def freeze_key(desk: Desk, call: Call, _body: schema.NoFields) -> replies.Key:
    return await _set_key_frozen(desk, call, frozen=True)


async def unfreeze_key(desk: Desk, call: Call, _body: schema.NoFields) -> replies.Key:
    return await _set_key_frozen(desk, call, frozen=False)


async def _set_key_frozen(desk: Desk, call: Call, *, frozen: bool) -> replies.Key:
    try:
        return shown.key(await desk.act(FreezeKey(call.actor, call.path["key_id"], frozen), ApiKeyRow))
    except Refused as refused:
        if refused.code is RefusalCode.PARAMETER_INVALID:
            raise missing("key") from None
        raise


async def freeze_account(desk: Desk, call: Call, _body: schema.NoFields) -> replies.Account:
    command = FreezeAccount(call.actor, call.account_id, frozen=True)
    return shown.account(await desk.act(command, AccountRow))


async def unfreeze_account(desk: Desk, call: Call, _body: schema.NoFields) -> replies.Account:
    command = FreezeAccount(call.actor, call.account_id, frozen=False)
    return shown.account(await desk.act(command, AccountRow))


async def add_address(desk: Desk, call: Call, body: schema.NewAddress) -> replies.BookEntry:
    asset, network, address = _destination(desk, body)
    command = AddBookEntry(
        actor=call.actor,
        account_id=call.account_id,
        kind=body.kind,
        asset=asset,
        network=network,
        address=address,
        memo=body.memo,
        remark=body.remark,
        verified=body.verified,
        usable_from_ms=UnixMs(body.usable_from_ms),
    )
    return shown.book_entry(await desk.act(command, BookRow))


def _destination(desk: Desk, body: schema.NewAddress) -> tuple[str, str, str]:
    """(asset, network, canonical address) as the book keeps them: "" where the kind spans several."""
    wants = {
        AddressKind.STANDARD: (True, True),
        AddressKind.UNIVERSAL: (False, True),
        AddressKind.EVM: (False, False),
        AddressKind.RECIPIENT: (False, False),
    }[body.kind]
    for name, value, wanted in zip(("asset", "network"), (body.asset, body.network), wants, strict=True):
        if (value is not UNSET) is not wanted:
            word = "needs" if wanted else "takes no"
            raise unacceptable(name, f'An entry of kind "{body.kind}" {word} {name}.')
    if body.kind is AddressKind.RECIPIENT:
        return "", "", _recipient(body)
    if body.network is UNSET:
        network = next((one for one in desk.catalogue.networks.values() if one.family == "evm"), None)
    else:
        network = desk.catalogue.networks.get(body.network)
    if network is None:
        field = "kind" if body.network is UNSET else "network"
        raise unacceptable(field, "The catalogue has no such network.")
    address = desk.check_address(network, body.address, body.memo)
    return (
        "" if body.asset is UNSET else body.asset,
        "" if body.network is UNSET else body.network,
        address,
    )


def _recipient(body: schema.NewAddress) -> str:
    """The text by which a transfer names another account. Whether there is one is found out at each transfer."""
    kinds = ", ".join(RecipientKind)
    if body.memo not in set(RecipientKind):
        raise unacceptable("memo", f"Say what the address is, one of: {kinds}.")
    if _RECIPIENTS[RecipientKind(body.memo)].fullmatch(body.address) is None:
        raise unacceptable("address", f"This is not written like the {body.memo} of an account.")
    return body.address


async def remove_address(desk: Desk, call: Call, _body: schema.NoFields) -> replies.BookEntry:
    """Take an entry out of the book. Repeating it changes nothing more."""
    command = RemoveBookEntry(call.actor, call.account_id, call.id("entry_id"))
    return shown.book_entry(await desk.act(command, BookRow))


async def credit_deposit(desk: Desk, call: Call, body: schema.NewDeposit) -> replies.Deposit:
    """Credit what arrived. The same reference is credited once, however often it is sent."""
    network = _arrival(desk, body)
    wallet = desk.policy.deposit_wallet if body.wallet is UNSET else body.wallet
    command = CreditDeposit(
        actor=call.actor,
        account_id=call.account_id,
        wallet=wallet,
        asset=body.asset,
        network=network,
        amount=desk.units(body.amount, body.asset),
        reference=body.reference,
        address=body.address,
        tx_id=body.tx_id,
    )
    row = await desk.act(command, DepositRow)
    if (row.wallet, row.address, row.tx_id) != (wallet, body.address, body.tx_id):
        # An earlier credit came back, and it is not this one: nothing was written now.
        raise Refused(RefusalCode.REQUEST_ID_CONFLICT, field="reference")
    return shown.deposit(desk, row)


def _arrival(desk: Desk, body: schema.NewDeposit) -> str:
    """The network it came over, "" for an asset that none lists."""
    if body.network is not UNSET:
        return desk.catalogue.listing(body.asset, body.network).network
    if any(asset == body.asset for asset, _ in desk.catalogue.listings):
        raise unacceptable("network", "This asset arrives on a network; name it.")
    return ""


async def set_deposit_address(
    desk: Desk, call: Call, body: schema.NewDepositAddress
) -> replies.DepositAddress:
    network = desk.network(call.path["network"])
    address = desk.check_address(network, body.address, body.memo)
    command = SetDepositAddress(call.actor, call.account_id, network.code, address, body.memo)
    row = await desk.act(command, DepositAddressRow)
    return replies.DepositAddress(str(row.account_id), row.network, row.address, row.memo)


async def set_callback(desk: Desk, call: Call, body: schema.NewCallback) -> replies.Callback:
    _check_callback_url(body.url)
    command = SetCallback(call.actor, call.account_id, call.path["venue"], body.url, body.key_id)
    return shown.callback(await desk.act(command, CallbackRow))


def _check_callback_url(text: str) -> None:
    """Raises NotDone. Which addresses are called in the end is checked at each call, by the operator's settings."""
    try:
        target = read_target(text)
    except TargetRefused as refused:
        raise unacceptable("url", f"This cannot be called: {refused}.") from None
    if not target.encrypted and not _is_inner(target.host):
        message = "Use https; http only with a private or loopback address in place of a name."
        raise unacceptable("url", message)


def _is_inner(host: str) -> bool:
    try:
        return is_allowed(judge(host, _INNER), _INNER)
    except TargetRefused:
        return False


async def stop_callback(desk: Desk, call: Call, _body: schema.NoFields) -> replies.Callback:
    """Let callbacks go nowhere. Repeating it changes nothing more."""
    account_id, venue = call.account_id, call.path["venue"]
    row = await desk.read(lambda reader: found_callback(reader, account_id, venue))
    if row.url:
        row = await desk.act(SetCallback(call.actor, account_id, venue, "", row.key_id), CallbackRow)
    return shown.callback(row)


_ONE = "/accounts/{account_id}"

ENDPOINTS = (
    acting("POST", "/accounts", "Open an account", create_account, schema.NewAccount, replies.Account, 201),
    acting(
        "POST",
        f"{_ONE}/keys",
        "Give an account an API key; its secret is in this answer only",
        create_key,
        schema.NewKey,
        replies.KeyWithSecret,
        201,
    ),
    acting("POST", "/keys/{key_id}/freeze", "Freeze a key", freeze_key, schema.NoFields, replies.Key),
    acting("POST", "/keys/{key_id}/unfreeze", "Unfreeze a key", unfreeze_key, schema.NoFields, replies.Key),
    acting("POST", f"{_ONE}/freeze", "Freeze an account", freeze_account, schema.NoFields, replies.Account),
    acting(
        "POST", f"{_ONE}/unfreeze", "Unfreeze an account", unfreeze_account, schema.NoFields, replies.Account
    ),
    acting(
        "POST",
        f"{_ONE}/addresses",
        "Add a destination to the address book",
        add_address,
        schema.NewAddress,
        replies.BookEntry,
        201,
    ),
    acting(
        "DELETE",
        f"{_ONE}/addresses/{{entry_id}}",
        "Take a destination out of the address book",
        remove_address,
        schema.NoFields,
        replies.BookEntry,
    ),
    acting(
        "POST",
        f"{_ONE}/deposits",
        "Credit a deposit, once per reference",
        credit_deposit,
        schema.NewDeposit,
        replies.Deposit,
    ),
    acting(
        "PUT",
        f"{_ONE}/deposit-addresses/{{network}}",
        "Say where the account's deposits on a network arrive",
        set_deposit_address,
        schema.NewDepositAddress,
        replies.DepositAddress,
    ),
    acting(
        "PUT",
        f"{_ONE}/callbacks/{{venue}}",
        "Say where a venue's callbacks about the account's withdrawals go",
        set_callback,
        schema.NewCallback,
        replies.Callback,
    ),
    acting(
        "DELETE",
        f"{_ONE}/callbacks/{{venue}}",
        "Send a venue's callbacks nowhere any more",
        stop_callback,
        schema.NoFields,
        replies.Callback,
    ),
)
