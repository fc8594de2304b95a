"""Whether the ward has signed something for this device: the link brings it, and the keeper believes the signature."""
import logging
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.delivery import certificate
from agent.core.key_slots import KeySlots
from agent.host import command_key
from agent.store import identity, ward_settings
from agent.store.commands import CommandRefused
from agent.store.folders import COMMAND_KEYS, Folders
from agent.store.ward_settings import SignedSettings

_log = logging.getLogger(__name__)


class NotGenuine(CommandRefused):
    """It is not what the ward has signed; the text is the code of the reason."""


@dataclass(slots=True)
class WardSignature:
    """By the keys that the household's settings name, or that have come in their place since."""

    settings: Settings
    folders: Folders
    _judged: tuple[str, int, bool] = field(default=("", 0, False), init=False)  # configuration, keys of when, verdict

    @property
    def kept(self) -> Path:
        """Where the keys in force lie."""
        return self.folders.household / COMMAND_KEYS

    def slots(self) -> KeySlots:
        """The keys in force. Raises NotGenuine where the household has named none, and OSError."""
        if not self.settings.ward.command_key:
            raise NotGenuine("unknown_key")
        try:
            return command_key.in_force(self.settings.ward.command_key, self.kept, reader="the keeper")
        except command_key.PublicKeyProblem as problem:
            raise OSError(str(problem)) from problem

    def demand(self, db: sqlite3.Connection, payload: bytes, dev: str | None) -> None:
        """That the ward has signed these bytes, which name the device `dev`. Raises NotGenuine, OSError, sqlite3.Error.
        """
        if fault := command_key.fault_in(payload, self.slots()):
            raise NotGenuine(fault)
        if dev != self._own_name(db):
            raise NotGenuine("other_order")

    def configuration(self, db: sqlite3.Connection) -> dict[str, Any]:
        """What the ward has set; nothing while what the row says is not what the ward has signed.

        Raises OSError and sqlite3.Error.
        """
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
            self.demand(db, payload.encode(), wire.decode(SignedSettings, payload.encode()).dev)
        except (NotGenuine, wire.BadPayload) as fault:
            _log.error("the ward has not signed the configuration in the database, so it does not count: %s", fault)
            return False
        return True

    def _changed_ns(self) -> int:
        """When the keys changed: what a revoked one has signed does not count any more. Raises OSError."""
        try:
            return self.kept.stat().st_mtime_ns
        except FileNotFoundError:
            return 0

    def _own_name(self, db: sqlite3.Connection) -> str:
        """The device's id, as the ward knows it. Raises OSError."""
        path = self.settings.ward.cert
        if not path:
            return identity.named(db.store) or identity.UNNAMED
        try:
            return certificate.of_pem(Path(path).read_text(encoding="ascii")).common_name
        except (ValueError, certificate.NotACertificate) as error:
            raise OSError(f"[ward] cert: {path}: not a PEM certificate with a common name") from error
