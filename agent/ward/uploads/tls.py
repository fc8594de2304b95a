"""Who is let in: a TLS context that demands a certificate of the ward's CA, not revoked; made anew when its files are.

A list of the revoked that has run out lets nobody in: better to be asked for a new one than to believe an old one.
"""
import os
import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from agent.ward.settings import Intake

FILES = ("cert", "key", "ca", "crl")
NAME = re.compile(r"[a-z0-9-]{1,64}")
Identity = tuple[int, int, int]     # when a file was changed, which one it is, and its size


class CannotServe(Exception):
    """It can't be listened or judged who comes; the text names the place and the remedy."""


class Door:
    """The context, and the files that it was made of."""

    def __init__(self, own: Intake) -> None:
        """Read the files. Raises CannotServe."""
        self._own = own
        self._seen: list[Identity | None] = []
        self.reload()

    def changed(self) -> bool:
        """Whether one of the files is another than the one that was read."""
        return self._seen != self._look()

    def forget(self) -> None:
        """Count the files as changed."""
        self._seen = []

    def reload(self) -> None:
        """Read the files anew. Raises CannotServe; then what was read before still counts."""
        self._seen = self._look()       # first: what is wrong is told once, not until it is mended
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
        context.options |= ssl.OP_NO_RENEGOTIATION
        self._fill(context)
        self.context = context
        self.crl_until_s = _ends(Path(self._own.crl))

    def _fill(self, context: ssl.SSLContext) -> None:
        own = self._own
        for name in FILES:
            if not getattr(own, name):
                raise CannotServe(f"[intake] {name}: is not set; the intake needs {', '.join(FILES)}")
        name = "cert"
        try:
            context.load_cert_chain(own.cert, own.key)
            name = "ca"
            context.load_verify_locations(own.ca)
            name = "crl"
            context.load_verify_locations(own.crl)
        except ssl.SSLError as error:
            raise CannotServe(f"[intake] {name}: {getattr(own, name)}: not what it should be in PEM, or the key is "
                              f"another's ({error.reason or error})") from error
        except OSError as error:
            raise CannotServe(f"[intake] {name}: {getattr(own, name)}: {error.strerror}; correct the path, or its "
                              "rights") from error

    def _look(self) -> list[Identity | None]:
        return [_identity(getattr(self._own, name)) for name in FILES]


def name_of(peer: dict[str, object] | None) -> str:
    """The common name in a certificate as the ssl module tells it; "" for one that is no device's."""
    parts: object = (peer or {}).get("subject", ())
    names = [value for part in parts for key, value in part if key == "commonName"]     # type: ignore[attr-defined]
    return names[0] if len(names) == 1 and NAME.fullmatch(names[0]) else ""


def _identity(path: str) -> Identity | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _ends(path: Path) -> float:
    """When the list of the revoked runs out, Unix time; 0 where that is not said. Raises CannotServe."""
    try:
        ends = x509.load_pem_x509_crl(path.read_bytes()).next_update_utc
    except (OSError, ValueError) as error:
        raise CannotServe(f"[intake] crl: {path}: not a list of the revoked in PEM ({error})") from error
    if ends and ends < datetime.now(UTC):
        raise CannotServe(f"[intake] crl: {path}: ran out on {ends:%Y-%m-%d}, so nobody would be let in: have the CA "
                          "write a new one")
    return ends.timestamp() if ends else 0.0
