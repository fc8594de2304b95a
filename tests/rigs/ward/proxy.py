"""The proxy before the ward's programs: a real nginx with the very configuration that firmware_cfg/ward gives it."""
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.rigs.mqtt.certified import swapped
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, accepts, free_port, until

MISSING = "" if shutil.which("nginx", path="/usr/sbin:/usr/bin") else "no nginx: apt install nginx-light"


class Proxy:
    """Use as a context manager."""

    def __init__(self, folder: Path, port: int, intake: Path, authority: Authority, certificate: tuple[Path, Path],
                 patience_s: int = 20) -> None:
        """It listens on `port` and hands on to the socket `intake`; `certificate` and its key are its own.

        What is at its other doors, `enrol_port` and `desk_port`, listens at the sockets `serve` and `desk`.
        `patience_s`: until a handshake and a head are there; with less than its own, a busy machine is sent away, too.
        """
        folder.mkdir()
        cert, key = certificate
        self.metrics_port, self.enrol_port, self.desk_port = free_port(), free_port(), free_port()
        self.serve, self.desk = folder / "serve.sock", folder / "desk.sock"
        text = swapped("nginx.conf", {
            "/run/ward-taimat-proxy": folder, "listen 8443": f"listen 127.0.0.1:{port}",
            "listen 8444": f"listen 127.0.0.1:{self.enrol_port}", "listen 8445": f"listen 127.0.0.1:{self.desk_port}",
            "/etc/taimat-ward/keys/door.pem": cert, "/etc/taimat-ward/keys/door.key": key,
            "/etc/taimat-ward/public/ca.pem": authority.ca, "/etc/taimat-ward/public/crl.pem": authority.crl,
            "/run/ward-taimat-intake.sock": intake, "/run/ward-taimat-serve.sock": self.serve,
            "/run/ward-taimat-desk.sock": self.desk, "127.0.0.1:9467": f"127.0.0.1:{self.metrics_port}",
            "client_header_timeout 20s": f"client_header_timeout {patience_s}s",
            "keepalive_timeout 20s": f"keepalive_timeout {patience_s}s",
            "client_body_timeout 40s": "client_body_timeout 5s"})
        user = "user root;\n" if os.geteuid() == 0 else ""
        self.config, self.log, self._port = folder / "nginx.conf", folder / "nginx.log", port
        self.config.write_text(user + text)

    def reload(self) -> None:
        """What the path unit has done when a file has changed; returns when it has been heeded or refused."""
        told_n = self._reloads_n()
        self.process.send_signal(signal.SIGHUP)
        until(lambda: self._reloads_n() > told_n, "nginx has read its files anew")

    def _reloads_n(self) -> int:
        text = self.log.read_text()
        return text.count("gracefully shutting down") + text.count("[emerg]")

    def __enter__(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(["nginx", "-c", self.config, "-g", "daemon off;"],
                                            env={"PATH": "/usr/sbin:/usr/bin"}, stderr=log)
        until(lambda: accepts(self._port) or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(HANG_S)
