"""Tests from outside whether broker and proxy obey, because a configuration proves nothing.

The tests use certificates that live five minutes, and the canary: a certificate that was revoked when it was made, kept
with its key. A server that accepts it does not read the list. For other revoked certificates the ward has no keys.
"""
import contextlib
import http.client
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from agent.mqtt.connection import BROKEN, Client
from agent.ward.authority import certificates
from agent.ward.authority.cas import Cas
from agent.ward.authority.issuer import DEVICE, Issuer
from agent.ward.authority.places import OWN_ONLY, Places, put

LIVES = timedelta(minutes=5)
ANSWER_S = 3                    # also the keepalive, as long as which the handshake may take
NAME = "probe+"                 # no topic has a "+": so it is no device at the broker
REFUSED = 0x80                  # MQTT 5 reason codes from here on are refusals
OUT_STATUS = 400                # nginx, for a certificate that does not count

Verdict = Literal["in", "out"]


class NoAnswer(Exception):
    """The server does not answer, or not as expected; the text is one line."""


class Pass(NamedTuple):
    name: str
    file: Path
    serial: int

    @classmethod
    def issue(cls, issuer: Issuer, name: str, file: Path, now: datetime, life: timedelta = LIVES) -> "Pass":
        """Issues one for `name`, an account or a device. Raises OSError."""
        key = ec.generate_private_key(ec.SECP256R1())
        if DEVICE.fullmatch(name):
            csr = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(key, hashes.SHA256())
            chain = issuer.device(csr.public_bytes(certificates.PEM).decode(), name, now, life)
        else:
            chain = issuer.account(name, key.public_key(), now, life)
        put(file, chain.encode() + certificates.private_pem(key), OWN_ONLY)
        return cls(name, file, x509.load_pem_x509_certificate(chain.encode()).serial_number)


@contextlib.contextmanager
def passes(issuer: Issuer, now: datetime) -> Iterator[Callable[[str], Pass]]:
    """Yields a function that issues passes by name; deletes their files at the end."""
    with tempfile.TemporaryDirectory(prefix="taimat-ward-") as folder:
        yield lambda name: Pass.issue(issuer, name, Path(folder, f"{name}.pem"), now)


class BrokerDoor:
    """The way to the ward's broker. Its methods raise NoAnswer."""

    def __init__(self, host: str, port: int, ca: Path, answer_s: int = ANSWER_S) -> None:
        self._host, self._port, self._ca, self._answer_s = host, port, ca, answer_s

    def verdict(self, shown: Pass) -> Verdict:
        try:
            with self.entered(shown, clean=True):
                return "in"
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            return "out"

    @contextlib.contextmanager
    def entered(self, shown: Pass, *, clean: bool = False) -> Iterator[paho.Client]:
        """Connects; `drive` serves the connection. A refusal raises ssl.SSLError or ConnectionError."""
        client = Client(paho.CallbackAPIVersion.VERSION2, shown.name, protocol=paho.MQTTv5, reconnect_on_failure=False)
        client.tls_set_context(_context(self._ca, shown))
        client.connect_timeout = self._answer_s
        try:
            client.connect(self._host, self._port, keepalive=self._answer_s, clean_start=clean)
        except ssl.SSLCertVerificationError as error:
            raise NoAnswer(f"{self._host}:{self._port}: wrong certificate: {error.verify_message}") from error
        except (ssl.SSLError, ConnectionResetError, BrokenPipeError):
            raise
        except OSError as error:
            raise NoAnswer(f"{self._host}:{self._port}: {error.strerror or error}") from error
        drive(client, client.is_connected, self._answer_s)
        try:
            yield client
        finally:
            client.disconnect()

    def publishes(self, shown: Pass, topic: str) -> bool:
        codes = list[int]()
        with self.entered(shown, clean=True) as client:
            client.on_publish = lambda _c, _d, _m, reason, _p: codes.append(reason.value)
            client.publish(topic, b"", qos=1)
            drive(client, lambda: codes, self._answer_s)
        return codes[0] < REFUSED

    def hears(self, shown: Pass, topic: str, said_by: Pass | None = None) -> list[bytes]:
        """Returns what arrives; mosquitto grants any subscription, so only a message of `said_by` proves a right."""
        answered, heard = list[int](), list[bytes]()
        with self.entered(shown, clean=True) as client:
            client.on_subscribe = lambda *_: answered.append(1)
            client.on_message = lambda _c, _d, message: heard.append(message.payload)
            client.subscribe(topic, 1)
            drive(client, lambda: answered, self._answer_s)
            if said_by:
                self.publishes(said_by, topic)
            client.subscribe(topic, 1)              # answered after whatever came before it
            drive(client, lambda: len(answered) == 2, self._answer_s)
        return heard


def status_at_door(host: str, port: int, ca: Path, shown: Pass | None, path: str = "/", answer_s: float = ANSWER_S
                   ) -> int:
    """Returns the proxy's HTTP status; 400 if it does not accept the certificate. Raises NoAnswer."""
    connection = http.client.HTTPSConnection(host, port, timeout=answer_s, context=_context(ca, shown))
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        raise NoAnswer(f"{host}:{port}: wrong certificate: {error.verify_message}") from error
    except (ssl.SSLError, ConnectionResetError):
        return OUT_STATUS
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{host}:{port}: {getattr(error, 'strerror', None) or error}") from error
    finally:
        connection.close()


def drive(client: paho.Client, is_done: Callable[[], object], answer_s: int = ANSWER_S) -> None:
    """Serves the connection until `is_done`. Raises NoAnswer, and ConnectionResetError if the broker ends it."""
    ends_s = time.monotonic() + answer_s
    while not is_done():
        try:
            code = client.loop(0.05)
        except BROKEN as error:
            raise NoAnswer("the broker speaks no MQTT") from error
        if code != paho.MQTT_ERR_SUCCESS:
            raise ConnectionResetError(paho.error_string(code))
        if time.monotonic() > ends_s:
            raise NoAnswer(f"the broker did not answer within {answer_s} s")


def _context(ca: Path, shown: Pass | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    if shown:
        context.load_cert_chain(shown.file)
    return context


CANARY = "revoked.canary"


def find_canary(places: Places) -> Pass | None:
    path = places.authority / CANARY
    try:
        return Pass(NAME, path, x509.load_pem_x509_certificate(path.read_bytes()).serial_number)
    except (FileNotFoundError, ValueError):
        return None


def ensure_canary(places: Places, cas: Cas, now: datetime) -> None:
    """Makes a canary unless the current CA has signed one that is not due. Raises AuthorityFault and OSError."""
    current = cas.current(now)
    if there := find_canary(places):
        certificate = x509.load_pem_x509_certificate(there.file.read_bytes())
        if certificate.issuer == current.certificate.subject and now < certificates.renewal_due(certificate):
            return
    made = Pass.issue(current, NAME, places.authority / CANARY, now, certificates.DEVICE_LIFE)
    cas.revoke({made.serial}, now)
