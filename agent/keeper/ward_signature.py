"""Checks that the ward has signed something for this device, and changes the ward's keys in force.

The link brings what is signed, and the keeper trusts only the signature. The keys in force are in
`household/command-keys.json`. They change by the ward's own order, or if the settings name another file. A change is
reported to the ledger and the ward first: after a cut in between, the ward must send it again.
"""
import logging
import sqlite3
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.decisions import Why
from agent.core.contract.wire.commands import args
from agent.core.delivery import certificate
from agent.core.evidence.ledger.acts import CommandKeysSet
from agent.core.evidence.ledger.row import fingerprint
from agent.core.key_slots import CHANGE, ChangeRefused, KeysChange, KeySlots
from agent.core.key_slots import change as changed
from agent.host import command_key
from agent.host.clock import Instant
from agent.host.files import write_durably
from agent.store import identity, ledger, outbox, ward_settings
from agent.store.commands import CommandRefused
from agent.store.database import transaction
from agent.store.folders import COMMAND_KEYS, Folders
from agent.store.ward_settings import SignedSettings

BY_FILE = "file"
_changing = threading.Lock()         # between the desk's thread, and the keeper's at its start

_log = logging.getLogger(__name__)


class NotGenuine(CommandRefused):
    """The ward has not signed it like this; the text is the code of the reason."""


@dataclass(slots=True)
class WardSignature:
    """Checks with the keys that the household's settings name, or with those that replaced them."""

    settings: Settings
    folders: Folders
    _judged: tuple[str, int, bool] = field(default=("", 0, False), init=False)  # configuration, keys' time, result

    @property
    def kept(self) -> Path:
        return self.folders.household / COMMAND_KEYS

    def slots(self) -> KeySlots:
        """Returns the keys in force. Raises OSError, and NotGenuine if the household has named none."""
        if not self.settings.ward.command_key:
            raise NotGenuine("unknown_key")
        try:
            return command_key.in_force(self.settings.ward.command_key, self.kept, reader="the keeper")
        except command_key.PublicKeyProblem as problem:
            raise OSError(str(problem)) from problem

    def check(self, db: sqlite3.Connection, payload: bytes, dev: str | None) -> None:
        """Checks that the ward has signed this for the device `dev`. Raises NotGenuine, OSError and sqlite3.Error."""
        if fault := command_key.fault_in(payload, self.slots()):
            raise NotGenuine(fault)
        if dev != self._own_name(db):
            raise NotGenuine("other_order")

    def configuration(self, db: sqlite3.Connection) -> dict[str, Any]:
        """Returns what the ward has signed, or nothing. Raises OSError and sqlite3.Error."""
        given = ward_settings.read(db)
        changed_ns = self._changed_ns()
        if (given.payload, changed_ns) != self._judged[:2]:
            self._judged = given.payload, changed_ns, self._is_genuine(db, given.payload)
        if not self._judged[2]:
            return {}
        return wire.decode(SignedSettings, given.payload.encode()).values

    def _is_genuine(self, db: sqlite3.Connection, payload: str) -> bool:
        if not payload:
            return False
        try:
            self.check(db, payload.encode(), wire.decode(SignedSettings, payload.encode()).dev)
        except (NotGenuine, wire.BadPayload) as fault:
            _log.error("the ward has not signed the configuration in the database, so it is ignored: %s", fault)
            return False
        return True

    def _changed_ns(self) -> int:
        """Returns when the keys changed, because what a revoked key has signed no longer counts. Raises OSError."""
        try:
            return self.kept.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _own_name(self, db: sqlite3.Connection) -> str:
        """Returns the device's id, as the ward knows it. Raises OSError."""
        path = self.settings.ward.cert
        if not path:
            return identity.named(db.store) or identity.UNNAMED
        try:
            return certificate.of_pem(Path(path).read_text(encoding="ascii")).common_name
        except (ValueError, certificate.NotACertificate) as error:
            raise OSError(f"[ward] cert: {path}: not a PEM certificate with a common name") from error


def note_command_keys(signature: WardSignature, db: sqlite3.Connection, now: Instant) -> None:
    """Notes the keys of the settings' file if they are new or have changed. Raises OSError and sqlite3.Error."""
    with _changing:
        try:
            slots, known = signature.slots(), command_key.changed_to(signature.kept)
        except (NotGenuine, command_key.PublicKeyProblem, OSError) as problem:
            if signature.settings.ward.command_key:
                _log.error("%s", problem)
            return
        if slots != known:
            _put(signature, db, known, slots, BY_FILE, now=now)


def change_command_keys(signature: WardSignature, db: sqlite3.Connection, command: bytes, now: Instant) -> Why:
    """Carries out the ward's order to change keys; returns why not, or "". Raises OSError and sqlite3.Error."""
    with _changing:
        try:
            return _changed_keys(signature, db, command, now)
        except (NotGenuine, ChangeRefused) as refusal:
            _log.error("the ward's keys stay as they are: %s", refusal)
            return msgspec.convert(str(refusal), Why)


def _changed_keys(signature: WardSignature, db: sqlite3.Connection, command: bytes, now: Instant) -> Why:
    try:
        order = wire.decode(wire.Command, command)
        wanted = args(order, KeysChange)
    except wire.BadPayload:
        raise NotGenuine("bad_args") from None
    signature.check(db, command, order.dev)
    if order.name != CHANGE:
        raise NotGenuine("other_order")
    if now.clock == "unset" or now.wall_ms >= order.exp:
        raise NotGenuine("expired")
    known = signature.slots()
    by_current = command_key.fault_of(command, bytes.fromhex(known.current)) is None
    signer = known.current if by_current else known.next or ""
    slots = changed(known, wanted, signer)
    if slots != known:
        _put(signature, db, known, slots, fingerprint(bytes.fromhex(signer)), now=now)
    return ""


def _put(signature: WardSignature, db: sqlite3.Connection, known: KeySlots | None, slots: KeySlots, by: str,
         now: Instant) -> None:
    with transaction(db):
        ledger.note(db, now, CommandKeysSet(current=slots.current, next=slots.next, by=by))
        if known:
            outbox.append(db, "security", None, now, wire.encode(wire.SecurityData(
                code="command_key", detail=fingerprint(bytes.fromhex(slots.current)))))
        if known and known.current != slots.current:        # it was signed by a revoked key
            ward_settings.put(db, ward_settings.NOTHING)
    write_durably(signature.kept, msgspec.json.encode(slots))
    _log.info("the ward's commands must be signed by key %s from now on", fingerprint(bytes.fromhex(slots.current)))
