"""The ward's keys in force, `household/command-keys.json`: changed by the ward's own word, or anew by another file.

The ledger and the ward are told first: a cut in between tells of a change that the ward has to send once more.
"""
import logging
import sqlite3
import threading

import msgspec

from agent.core.contract import wire
from agent.core.contract.decisions import Why
from agent.core.contract.wire.commands import args
from agent.core.evidence.ledger import CommandKeysSet, fingerprint
from agent.core.key_slots import CHANGE, ChangeRefused, KeysChange, KeySlots
from agent.core.key_slots import change as changed
from agent.host import command_key
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.keeper.ward_signature import NotGenuine, WardSignature
from agent.store import ledger, outbox, ward_settings
from agent.store.database import transaction

BY_FILE = "file"
_ALONE = threading.Lock()           # the desk's thread, and the keeper's at its start

_log = logging.getLogger(__name__)


def begin(signature: WardSignature, db: sqlite3.Connection, now: Instant) -> None:
    """Note the keys of the settings' file, if it is another one than before, or the first.

    Raises OSError and sqlite3.Error.
    """
    with _ALONE:
        try:
            slots, known = signature.slots(), command_key.changed_to(signature.kept)
        except (NotGenuine, command_key.PublicKeyProblem, OSError) as problem:
            if signature.settings.ward.command_key:
                _log.error("%s", problem)
            return
        if slots != known:
            _put(signature, db, known, slots, BY_FILE, now)


def change(signature: WardSignature, db: sqlite3.Connection, command: bytes, now: Instant) -> Why:
    """Obey the ward's order, which the link has brought; returns why not. Raises OSError and sqlite3.Error."""
    with _ALONE:
        try:
            return _change(signature, db, command, now)
        except (NotGenuine, ChangeRefused) as refusal:
            _log.error("the ward's keys stay as they are: %s", refusal)
            return msgspec.convert(str(refusal), Why)


def _change(signature: WardSignature, db: sqlite3.Connection, command: bytes, now: Instant) -> Why:
    try:
        order = wire.decode(wire.Command, command)
        wanted = args(order, KeysChange)
    except wire.BadPayload:
        raise NotGenuine("bad_args") from None
    signature.demand(db, command, order.dev)
    if order.name != CHANGE:
        raise NotGenuine("other_order")
    if now.clock == "unset" or now.wall_ms >= order.exp:
        raise NotGenuine("expired")
    known = signature.slots()
    by_current = command_key.fault_of(command, bytes.fromhex(known.current)) is None
    signer = known.current if by_current else known.next or ""
    slots = changed(known, wanted, signer)
    if slots != known:
        _put(signature, db, known, slots, fingerprint(bytes.fromhex(signer)), now)
    return ""


def _put(signature: WardSignature, db: sqlite3.Connection, known: KeySlots | None, slots: KeySlots, by: str,
         now: Instant) -> None:
    with transaction(db):
        ledger.note(db, now, CommandKeysSet(current=slots.current, next=slots.next, by=by))
        if known:
            outbox.append(db, "security", None, now, wire.encode(wire.SecurityData(
                code="command_key", detail=fingerprint(bytes.fromhex(slots.current)))))
        if known and known.current != slots.current:        # a revoked key has signed it
            ward_settings.put(db, ward_settings.NOTHING)
    write_durably(signature.kept, msgspec.json.encode(slots))
    _log.info("the ward's commands are signed by key %s from now on", fingerprint(bytes.fromhex(slots.current)))
