"""Loads the credentials for each connection, so that a renewed certificate needs no restart; tests them by TLS."""
import contextlib
import re
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agent.core.delivery import certificate
from agent.mqtt.fault import LinkFault, of_error

NAME = re.compile(r"[a-z0-9-]{1,64}")
CONNECT_S = 8.0
ALERT_WAIT_S = 0.5          # TLS 1.3 refuses a client's certificate only after the handshake


class BrokerAccount(Protocol):
    """An account at a broker, from the settings of the device or the ward."""

    tls: bool               # whether the connection uses TLS
    ca: str                 # file of the authority that signs the broker's certificate; "": those of the system
    cert: str               # file of our certificate, or ""
    key: str                # file of its key, or ""
    user: str               # or ""
    password_file: str      # file with that user's password, or ""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one connection."""

    dev: str                            # the device's id: client id, and part of every topic
    tls: ssl.SSLContext | None
    user: str | None
    password: str | None
    cert_not_after: datetime | None


def load(ward: BrokerAccount, own_id: str) -> Credentials:
    """Returns the credentials that the settings name; `own_id` is used without certificate. Raises LinkFault."""
    leaf = _leaf(ward.cert) if ward.cert else None
    return Credentials(
        dev=leaf.common_name if leaf else own_id,
        tls=context(ward) if ward.tls else None,
        user=ward.user or None,
        password=_password(ward.password_file) if ward.password_file else None,
        cert_not_after=leaf.not_after if leaf else None)


def _leaf(path: str) -> certificate.Leaf:
    try:
        leaf = certificate.of_pem(Path(path).read_text(encoding="ascii"))
    except OSError as error:
        raise _unusable("cert_file", f"{{cert}}: {path}: {error.strerror}; {{enrol_or}}correct the path") from error
    except (ValueError, certificate.NotACertificate) as error:
        raise _unusable("cert_file",
                        f"{{cert}}: {path}: not a PEM certificate with a common name; {{renew}}") from error
    if not NAME.fullmatch(leaf.common_name):
        raise _unusable("cert_name", f"{{cert}}: {path}: its common name is no device id: is it {{ours}}?")
    return leaf


def _unusable(code: str, text: str) -> LinkFault:
    return LinkFault(code, text, "refused")


def context(ward: BrokerAccount) -> ssl.SSLContext:
    """Returns the TLS context: the trusted authority, and the own certificate. Raises LinkFault."""
    key = "{broker} ca"
    try:
        tls = ssl.create_default_context(cafile=ward.ca or None)
        tls.minimum_version = ssl.TLSVersion.TLSv1_2
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT     # Python 3.13 demands forms that a ward's CA may lack
        if ward.cert:
            key = "{cert_and_key}"
            tls.load_cert_chain(ward.cert, ward.key or None)
    except ssl.SSLError as error:
        raise _unusable("tls_files", f"{key}: not a PEM file, or key and certificate don't belong together") from error
    except OSError as error:
        raise _unusable("tls_files", f"{key}: {error.strerror}; the file must be there, and readable for us") from error
    return tls


def _password(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise _unusable("password_file", f"{{account}} password_file: {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unusable("password_file", f"{{account}} password_file: {path}: not a UTF-8 text") from error


def shake_hands(host: str, port: int, tls: ssl.SSLContext | None) -> str:
    """Connects, and waits for the broker to refuse our certificate. Returns the TLS version, "" without TLS.

    TLS only, because a second MQTT session would end the first one. Raises LinkFault.
    """
    try:
        with socket.create_connection((host, port), CONNECT_S) as plain:
            if tls is None:
                return ""
            with tls.wrap_socket(plain, server_hostname=host) as secure:
                secure.settimeout(ALERT_WAIT_S)
                with contextlib.suppress(TimeoutError):
                    secure.recv(1)
                return secure.version() or ""
    except OSError as error:
        raise of_error(error, f"{host}:{port}", tls is not None) from error
