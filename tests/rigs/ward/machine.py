"""A ward's machine in a folder: what `taimat ward init` makes, and a real mosquitto and a real nginx on its files."""
import os
import signal
import subprocess
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from agent.ward import settings
from agent.ward.authority.cas import Cas
from agent.ward.authority.places import Places
from tests.rigs.forked import TAIMAT, forked
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import HANG_S, accepts, free_port, until
from tests.rigs.ward.authority import WARD_NAME, csr_of, now, private_pem

ROOT = Path(__file__).resolve().parents[3]
PASSPHRASE = "năm chữ không liên quan"


class WardMachine:
    """Use as a context manager for broker and proxy; the authority alone is there at once."""

    def __init__(self, folder: Path, *words: str, pin: str = PASSPHRASE, backup: Path | None = None) -> None:
        """Have it made, on a restored `backup` if given; `words` are more options of `init`, `pin` is a token's."""
        self.folder, self.places = folder, Places.below(folder)
        (folder / "etc/mosquitto/conf.d").mkdir(parents=True)
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(f"{pin}\n")
        self.config = self.places.etc / "ward.toml"
        if backup:
            put_back = self.run("restore", "--reload=true", backup)
            assert put_back.returncode == 0, put_back.stderr
        made = self.init("--name", WARD_NAME, "--ward", "w07", "--host", "localhost", *words)
        assert made.returncode == 0, made.stderr
        self.broker = Broker(folder / "broker")
        self.door_port, self.enrol_port, self.desk_port = free_port(), free_port(), free_port()
        self.edit("port = 8883\ntls", f"port = {self.broker.port}\ntls")
        self.edit("door_port = 8443", f"door_port = {self.door_port}")
        self.edit("enrol_port = 8444", f"enrol_port = {self.enrol_port}")
        self.cas = Cas(self.places)

    @property
    def own(self) -> settings.Settings:
        """Its settings."""
        return settings.load(self.config)

    def edit(self, theirs: str, ours: str) -> None:
        """Edit its settings."""
        text = self.config.read_text()
        assert theirs in text
        self.config.write_text(text.replace(theirs, ours))

    def init(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`taimat ward init` below its folder."""
        return _command("init", f"--prefix={self.folder}", f"--passphrase-file={self.passphrase}", *words)

    def run(self, part: str, *words: object) -> subprocess.CompletedProcess[str]:
        """`taimat ward PART`."""
        return _command(part, f"--config={self.config}", *words)

    @property
    def reload(self) -> str:
        """The option that has broker and proxy read their files anew."""
        return f"--reload=kill -HUP {self.broker.pid} {self.proxy.pid}"

    def device(self, dev: str, when=None) -> tuple[Path, Path]:
        """A device's chain and key, as the issuing CA signs them now."""
        key = ec.generate_private_key(ec.SECP256R1())
        chain = self.cas.current(now()).device(csr_of(key), dev, when or now())
        paths = self.folder / f"{dev}.pem", self.folder / f"{dev}.key"
        paths[0].write_text(chain)
        paths[1].write_bytes(private_pem(key))
        return paths

    def account(self, cert: Path, key: Path) -> str:
        """The lines of a table of settings with this certificate."""
        return f'tls = true\nhost = "localhost"\nca = "{self.places.ca}"\ncert = "{cert}"\nkey = "{key}"'

    def own_account(self, name: str) -> str:
        """Likewise with one of its own."""
        return self.account(self.places.keys / f"{name}.pem", self.places.keys / f"{name}.key")

    def listed(self) -> set[int]:
        """All serial numbers that are revoked."""
        return {each.serial_number for found in self.cas.lists().values() for each in found}

    def __enter__(self) -> Self:
        text = (self.places.broker / "taimat-ward.conf").read_text()
        assert "listener 8883" in text
        text = text.replace("listener 8883", f"listener {self.broker.port} 127.0.0.1")
        user = "user root\n" if os.geteuid() == 0 else ""
        debians = f"persistence true\npersistence_location {self.broker.folder}/\nlog_dest file {self.broker.log}\n"
        (self.broker.folder / "mosquitto.conf").write_text(text + debians + user)
        (self.places.etc / "mosquitto.acl").chmod(0o600)
        self.broker.start()
        text = (self.places.etc / "nginx.conf").read_text()
        run = self.folder / "proxy"
        run.mkdir(exist_ok=True)
        ports = {"listen 8443": self.door_port, "listen 8444": self.enrol_port, "listen 8445": self.desk_port,
                 "listen 127.0.0.1:9467": free_port()}
        swaps = {"/run/ward-taimat-proxy": run, "/run/ward-taimat-": f"{run}/"} | {
            theirs: f"listen 127.0.0.1:{port}" for theirs, port in ports.items()}
        for theirs, ours in swaps.items():
            assert theirs in text, theirs
            text = text.replace(theirs, str(ours))
        (run / "nginx.conf").write_text(("user root;\n" if os.geteuid() == 0 else "") + text)
        with (run / "log").open("ab") as log:
            self.proxy = subprocess.Popen(["nginx", "-c", run / "nginx.conf", "-g", "daemon off;"],
                                          env={"PATH": "/usr/sbin:/usr/bin"}, stderr=log)
        until(lambda: accepts(self.door_port) or self.proxy.poll() is not None)
        assert self.proxy.poll() is None, (run / "log").read_text()
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.stop()
        self.proxy.send_signal(signal.SIGTERM)
        self.proxy.wait(HANG_S)


def serial(path: Path) -> int:
    """Of the certificate in a file."""
    return x509.load_pem_x509_certificate(path.read_bytes()).serial_number


def _command(part: str, *words: object) -> subprocess.CompletedProcess[str]:
    return forked(TAIMAT, ["ward", *part.split(), *words], ROOT, os.environ)
