"""The certificates of network cameras: each camera's first one is kept, and no other is believed from then on.

Cameras sign their own, so nobody vouches for the first. A file for each address lies in the store's folder `cameras`,
which capture alone may write: it is what connects, and each of its processes needs the pins when nothing else runs.
"""
import hashlib
import logging
import os
import re
from pathlib import Path

from agent.core.protocols.rtsp.address import Address
from agent.host.files import is_own, open_plain, sync_folder, write_durably

PIN_MAX_B = 256

_log = logging.getLogger(__name__)


class CertificateChanged(Exception):
    """The camera shows another certificate than the one that is kept in `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__("shows another certificate than before")
        self.path = path


class CertificatePins:
    """The certificates that were seen first."""

    def __init__(self, folder: Path, learns: bool = True) -> None:
        """One that does not learn only compares."""
        self._folder, self._learns = folder, learns

    def demand(self, address: Address, certificate: bytes) -> None:
        """Raises CertificateChanged for another certificate (DER) than the one that is kept."""
        path = self._path(address)
        try:
            if not is_own(path):                # not there, or another role's
                return
            with os.fdopen(open_plain(path), "rb") as file:
                kept = file.read(PIN_MAX_B)
        except OSError as error:        # a card that fails must not end what can still be seen
            _log.warning("%s can't be read, so the camera's certificate is believed: %s", path, error)
            return
        if kept.strip() != _fingerprint(certificate):
            raise CertificateChanged(path)

    def learn(self, address: Address, certificate: bytes) -> None:
        """Keep the certificate of a camera that plays, if it is the first one."""
        path = self._path(address)
        if not self._learns or is_own(path):
            return
        try:
            if not self._folder.exists():
                self._folder.mkdir(mode=0o750)
                sync_folder(self._folder.parent)
            write_durably(path, _fingerprint(certificate) + b"\n")
            _log.info("%s: its certificate is kept, and no other will be believed", path.name)
        except OSError as error:
            _log.warning("%s can't be written, so the camera's certificate is not kept: %s", path, error)

    def _path(self, address: Address) -> Path:
        return self._folder / f"{re.sub(r'[^a-z0-9.-]', '_', address.host.lower())}_{address.port}.sha256"


def _fingerprint(certificate: bytes) -> bytes:
    return hashlib.sha256(certificate).hexdigest().encode()
