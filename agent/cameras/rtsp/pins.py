"""Pins the certificates of network cameras: the first one of each camera is stored, and no other is trusted later.

Cameras sign their own, so nothing proves the first one. Each address has a file in the store's folder `cameras`. Only
capture writes there, because it connects, and each of its processes needs the pins even if nothing else runs.
"""
import hashlib
import logging
import re
from pathlib import Path

from agent.core.protocols.rtsp.address import Address
from agent.host.files import is_own, read_plain, sync_folder, write_durably

PIN_MAX_B = 256

_log = logging.getLogger(__name__)


class CertificateChanged(Exception):
    """The camera shows another certificate than the one stored in `path`."""

    def __init__(self, path: Path) -> None:
        super().__init__("shows another certificate than before")
        self.path = path


class CertificatePins:
    """The first certificate of each camera."""

    def __init__(self, folder: Path, learns: bool = True) -> None:
        """With `learns` False it only compares."""
        self._folder, self._learns = folder, learns

    def check(self, address: Address, certificate: bytes) -> None:
        """Raises CertificateChanged if the certificate (DER) differs from the stored one."""
        path = self._path(address)
        try:
            if not is_own(path):                # missing, or another role's
                return
            kept = read_plain(path, PIN_MAX_B)
        except OSError as error:        # a failing card must not stop the video
            _log.warning("%s can't be read, so the camera's certificate is believed: %s", path, error)
            return
        if kept.strip() != _fingerprint(certificate):
            raise CertificateChanged(path)

    def learn(self, address: Address, certificate: bytes) -> None:
        """Stores the certificate of a camera that plays, if it is the first one."""
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
