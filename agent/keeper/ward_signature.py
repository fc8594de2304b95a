"""Whether the ward has signed something for this device: the link brings it, and the keeper believes the signature."""
import logging
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.delivery import certificate
from agent.host import command_key
from agent.store import identity, ward_settings

_log = logging.getLogger(__name__)


class NotGenuine(Exception):
    """It is not what the ward has signed; the text is the code of the reason."""


@dataclass(slots=True)
class WardSignature:
    """By the key that the household's settings name."""

    settings: Settings
    _judged: tuple[str, bool] = field(default=("", False), init=False)      # a configuration, and whether it is genuine

    def demand(self, db: sqlite3.Connection, payload: bytes, dev: str | None) -> None:
        """That the ward has signed these bytes, which name the device `dev`. Raises NotGenuine, OSError, sqlite3.Error.
        """
        ward = self.settings.ward
        if not ward.command_key:
            raise NotGenuine("unknown_key")
        try:
            key = command_key.load(ward.command_key, reader="the keeper")
        except command_key.PublicKeyProblem as problem:
            raise OSError(str(problem)) from problem
        if fault := command_key.fault_of(payload, key):
            raise NotGenuine(fault)
        if dev != self._own_name(db):
            raise NotGenuine("other_order")

    def configuration(self, db: sqlite3.Connection) -> dict[str, Any]:
        """What the ward has set; nothing while what the row says is not what the ward has signed.

        Raises OSError and sqlite3.Error.
        """
        given = ward_settings.read(db)
        if given.payload != self._judged[0]:
            self._judged = given.payload, self._is_genuine(db, given.payload)
        if not self._judged[1]:
            return {}
        return wire.decode(wire.Desired, given.payload.encode()).cfg

    def _is_genuine(self, db: sqlite3.Connection, payload: str) -> bool:
        if not payload:
            return False
        try:
            self.demand(db, payload.encode(), wire.decode(wire.Desired, payload.encode()).dev)
        except (NotGenuine, wire.BadPayload) as fault:
            _log.error("the ward has not signed the configuration in the database, so it does not count: %s", fault)
            return False
        return True

    def _own_name(self, db: sqlite3.Connection) -> str:
        """The device's id, as the ward knows it. Raises OSError."""
        path = self.settings.ward.cert
        if not path:
            return identity.named(db.store) or identity.UNNAMED
        try:
            return certificate.of_pem(Path(path).read_text(encoding="ascii")).common_name
        except (ValueError, certificate.NotACertificate) as error:
            raise OSError(f"[ward] cert: {path}: not a PEM certificate with a common name") from error
