"""A real mosquitto for tests: on a free loopback port, persistent, to be killed, frozen and started again at will."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.wait import HANG_S, free_port, until

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


@dataclass(frozen=True)
class Tls:
    """The files of a broker with TLS; with `clients_ca` it demands certificates, and names its clients by them."""

    ca: Path
    cert: Path
    key: Path
    clients_ca: Path | None = None


class Broker:
    """One mosquitto. Use as a context manager, or call `start` and `stop`."""

    def __init__(self, folder: Path, *, lines: str = "", user: tuple[str, str] | None = None, acl: str | None = None,
                 tls: Tls | None = None, host: str = "127.0.0.1", port: int = 0) -> None:
        """`lines` go into its configuration; `user` is the one (name, password) that it accepts."""
        assert MOSQUITTO, "mosquitto is not installed: apt install mosquitto"
        self.folder, self.host, self.port = folder, host, port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._write_configuration(lines, user, acl, tls)

    def _write_configuration(self, lines: str, user: tuple[str, str] | None, acl: str | None, tls: Tls | None) -> None:
        text = [f"listener {self.port} {self.host}", f"allow_anonymous {'false' if user else 'true'}",
                "persistence true", f"persistence_location {self.folder}/", "max_inflight_messages 5",
                f"log_dest file {self.log}", "log_type all"]
        if os.geteuid() == 0:
            text.append("user root")
        if user:
            make = ["mosquitto_passwd", "-b", "-c", self.folder / "passwords", *user]
            subprocess.run(make, check=True, capture_output=True)
            text.append(f"password_file {self.folder}/passwords")
        if acl is not None:
            (self.folder / "acl").write_text(acl)
            (self.folder / "acl").chmod(0o600)
            text.append(f"acl_file {self.folder}/acl")
        if tls:
            text += [f"certfile {tls.cert}", f"keyfile {tls.key}"]
            if tls.clients_ca:
                text += [f"cafile {tls.clients_ca}", "require_certificate true", "use_identity_as_username true",
                         "use_username_as_clientid true"]
        (self.folder / "mosquitto.conf").write_text("\n".join([*text, lines, ""]))

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self.folder / "mosquitto.log"

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process
        return self._process.pid

    def start(self) -> "Broker":
        """Start it, on the same port and persistence as before; returns when it accepts connections."""
        assert MOSQUITTO and self._process is None
        self._process = subprocess.Popen([MOSQUITTO, "-c", self.folder / "mosquitto.conf"], stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        until(self._listens, f"mosquitto listens: see {self.log}")
        return self

    def _listens(self) -> bool:
        assert self._process and self._process.poll() is None, f"mosquitto ended at once: see {self.log}"
        with contextlib.suppress(OSError), socket.create_connection((self.host, self.port), HANG_S):
            return True
        return False

    def kill(self) -> None:
        """Pull its plug: what it had in memory is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order."""
        if self._process:
            self.thaw()
            self._end(signal.SIGTERM)

    def freeze(self) -> None:
        """Make it a black hole: its connections stay, and say nothing."""
        assert self._process
        self._process.send_signal(signal.SIGSTOP)

    def reload(self) -> None:
        """Have it read its lists again: of rights, of the revoked."""
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process
        self._process.send_signal(signal.SIGCONT)

    def _end(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)
        self._process.wait(HANG_S)
        self._process = None

    def __enter__(self) -> "Broker":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
