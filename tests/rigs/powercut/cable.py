"""A cable between this computer and a recorder's machine, and at its other end all that a ward has."""
import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.rigs.mqtt.broker import Broker
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, free_port
from tests.rigs.ward.orders import Orders
from tests.rigs.ward.receiver import Ingest
from tests.rigs.ward.tus import Tus
from tests.systemd.machine import Machine

PAPERS = "etc/taimat"


class Cable:
    """A context manager; `address` is this computer's on it. Its port for a broker stays the same."""

    def __init__(self) -> None:
        number = os.getpid() % 250
        self.name, self.address, self._theirs = f"cut{number}", f"198.18.{number}.1", f"198.18.{number}.2/30"
        self.port = free_port()

    def __enter__(self) -> "Cable":
        self._ip("link", "add", self.name, "type", "bridge")
        self._ip("address", "add", f"{self.address}/30", "dev", self.name)
        self._ip("link", "set", self.name, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._ip("link", "delete", self.name)

    def plug_in(self, machine: Machine) -> None:
        """To be done after each boot anew."""
        port = f"{self.name}-{machine.leader}"[-15:]
        self._ip("link", "add", port, "type", "veth", "peer", "name", "lan", "netns", machine.leader)
        self._ip("link", "set", port, "master", self.name, "up")
        machine.run("ip", "address", "add", self._theirs, "dev", "lan")
        machine.run("ip", "link", "set", "lan", "up")

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, timeout=HANG_S)


class WardEnd(contextlib.ExitStack):
    """A context manager: the ward's keys, its papers for a device, and the intake, where footage goes to."""

    def __init__(self, folder: Path, cable: Cable) -> None:
        super().__init__()
        self._cable = cable
        self._authority = Authority(folder / "pki", "ward-ca")
        self.tus = Tus(self._authority, cable.address)
        self.key, self.next_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()

    def __enter__(self) -> "WardEnd":
        self.enter_context(self.tus)
        return self

    def furnish(self, root: Path, dev: str) -> str:
        """Lay the papers into the machine's `root`; returns the lines of its [ward] table."""
        certificate, key = self._authority.issue(dev)
        both = b"".join(each.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
                        for each in (self.key, self.next_key))
        for name, data in (("ca.pem", self._authority.ca.read_bytes()), ("device.pem", certificate.read_bytes()),
                           ("device.key", key.read_bytes()), ("command.pem", both)):
            (root / PAPERS / f"w07-{name}").write_bytes(data)
        return (f'host = "{self._cable.address}"\nport = {self._cable.port}\ntls = false\n'
                f'ca = "/{PAPERS}/w07-ca.pem"\ncert = "/{PAPERS}/w07-device.pem"\nkey = "/{PAPERS}/w07-device.key"\n'
                f'command_key = "/{PAPERS}/w07-command.pem"\n')

    @contextlib.contextmanager
    def listening(self, folder: Path, dev: str) -> Iterator[Orders]:
        """A broker and an ingest that know nothing yet, with receipts, until the end of this."""
        folder.mkdir(parents=True)
        with (Broker(folder / "broker", host=self._cable.address, port=self._cable.port) as broker,
              Ingest(broker.port, folder, host=broker.host) as ingest):
            yield Orders(ingest, self.tus, dev, lambda: time.time_ns() // 1_000_000, self.key)

    def change_of_keys(self) -> dict[str, Any]:
        """Args of the order, signed by the next key, that makes this one the current one."""
        spare = Ed25519PrivateKey.generate()
        return {"ver": time.time_ns() // 1_000_000, "current": _hex(self.next_key), "next": _hex(spare)}


def _hex(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()
