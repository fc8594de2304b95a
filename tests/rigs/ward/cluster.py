"""A city's broker for tests: RabbitMQ nodes in network namespaces of their own, set up as firmware_cfg/ward has it.

    with Cluster(folder, authority, rights) as cluster, cluster.network():      # this thread stands beside the nodes
        cluster.nodes[0].kill()
"""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.host.prctl import die_with_parent
from tests.rigs.mqtt.certified import swapped
from tests.rigs.network.lan import Network
from tests.rigs.network.wan import standing_in
from tests.rigs.wait import HANG_S, accepts, until
from tests.rigs.ward.authority import Hierarchy

PORT = 8883
HERE = "10.214.0.254"                           # where the clients are
ADDRESSES = ("10.214.0.1", "10.214.0.2", "10.214.0.3")
HOMES = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
START_S = 300.0                                 # three virtual machines on two busy cores
LIST = re.compile(r"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----\n", re.DOTALL)


def missing() -> str:
    """What this machine lacks for it, or ""."""
    if not HOMES or not shutil.which("epmd"):
        return "no RabbitMQ: apt install rabbitmq-server"
    if os.geteuid():
        return "network namespaces are root's"
    return ""


class Node:
    """One node, in a namespace of its own; it keeps its folder over kills."""

    def __init__(self, folder: Path, address: str, network: Network) -> None:
        self.host, self.folder, self._network = address, folder, network
        self.name = f"rabbit@{address}"
        self._epmd: subprocess.Popen[str] | None = None
        self._process: subprocess.Popen[str] | None = None

    @property
    def log(self) -> Path:
        """What it wrote."""
        return self.folder / f"{self.name}.log"

    def begin(self) -> None:
        """Start it; `wait` returns when it serves."""
        self._epmd = self._epmd or self._start("epmd")
        self._process = self._start(HOMES[-1] / "rabbitmq-server")

    def wait(self) -> None:
        """Wait until it listens."""
        until(self._listens, f"RabbitMQ listens: see {self.log}", START_S)

    def _listens(self) -> bool:
        assert self._process and self._process.poll() is None, f"RabbitMQ ended at once: see {self.log}"
        return accepts(PORT, self.host)

    def ctl(self, *words: str) -> str:
        """What `rabbitmqctl` says. Raises CalledProcessError."""
        process = self._start(HOMES[-1] / "rabbitmqctl", "--quiet", *words, stdout=subprocess.PIPE)
        said = process.communicate(timeout=START_S)[0]
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, words, said)
        return said

    @property
    def is_alive(self) -> bool:
        """Whether it has not been killed."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Freeze it, or let it go on."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Pull its plug."""
        if self._process:
            self._process.kill()
            self._process.wait(HANG_S)
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.kill()
        if self._epmd:
            self._epmd.kill()
            self._epmd.wait(HANG_S)

    def _start(self, *command: str | Path, stdout: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        """Start something of RabbitMQ's beside the node; it is one process, without a shell before it."""
        own = {"HOME": self.folder, "RABBITMQ_USE_LONGNAME": "true", "RABBITMQ_NODENAME": self.name,
               "RABBITMQ_MNESIA_BASE": self.folder / "data", "RABBITMQ_LOG_BASE": self.folder,
               "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf", "RABBITMQ_CONF_ENV_FILE": "/dev/null",
               "RABBITMQ_ADVANCED_CONFIG_FILE": self.folder / "advanced.config", "LC_ALL": "C.UTF-8",
               "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "enabled_plugins", "RUNNING_UNDER_SYSTEMD": "true"}
        return self._network.start(
            *map(str, command), stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent, env=os.environ | {name: str(value) for name, value in own.items()})


class Cluster:
    """A context manager: the nodes are one cluster, and know the rights."""

    def __init__(self, folder: Path, authority: Hierarchy, rights: dict[str, Any], nodes_n: int = 3,
                 session_s: int = 604_800) -> None:
        """`rights` are definitions, of `agent.ward.rights`; so long the broker keeps something for who is away."""
        self._folder, self._authority, self._rights, self._nodes_n = folder, authority, rights, nodes_n
        self._session_s = session_s
        self._ends, self.nodes = contextlib.ExitStack(), list[Node]()

    def __enter__(self) -> "Cluster":
        """Raises OSError, and CalledProcessError."""
        self.crl = self._folder / "crl"
        self.crl.mkdir(parents=True)
        self.heed()
        with contextlib.ExitStack() as stack:
            self._hub = stack.enter_context(Network())
            for words in ("link add city type bridge", f"address add {HERE}/24 dev city", "link set city up",
                          "link set lo up"):
                self._hub.do("ip", *words.split())
            for address in ADDRESSES[:self._nodes_n]:
                node = Node(self._prepared(address), address, self._wired(stack.enter_context(Network()), address))
                self.nodes.append(node)
                stack.callback(node.close)
                node.begin()
            with self.network():
                for node in self.nodes:
                    node.wait()
            self._found()
            self._ends = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """This thread stands in the network of the nodes meanwhile."""
        with standing_in(f"/proc/{self._hub.pid}/ns/net"):
            yield

    def heed(self) -> None:
        """Lay out the authority's lists of the revoked, as the guide says it."""
        for text in LIST.findall(self._authority.crl.read_text()):
            named = subprocess.run(["openssl", "crl", "-noout", "-hash"], input=text, text=True, check=True,
                                   capture_output=True, timeout=HANG_S).stdout.strip()
            (self.crl / "new").write_text(text)
            (self.crl / "new").rename(self.crl / f"{named}.r0")

    def _found(self) -> None:
        """What the guide types at one node, once."""
        first = self.nodes[0]
        first.ctl("await_online_nodes", str(self._nodes_n))
        first.ctl("enable_feature_flag", "--opt-in", "khepri_db")
        rights = self._folder / "rights.json"
        rights.write_text(json.dumps(self._rights))
        first.ctl("import_definitions", str(rights))
        names = {user["name"] for user in self._rights["users"]}
        until(lambda: names <= set(first.ctl("list_users").split()), "RabbitMQ knows its users")

    def _wired(self, network: Network, address: str) -> Network:
        """Give a namespace its cable to the others."""
        cable = f"node{address.rpartition('.')[2]}"
        self._hub.do("ip", *f"link add {cable} type veth peer name eth0 netns {network.pid}".split())
        self._hub.do("ip", *f"link set {cable} master city up".split())
        for words in (f"address add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            network.do("ip", *words.split())
        return network

    def _prepared(self, address: str) -> Path:
        folder = self._folder / address
        folder.mkdir()
        cert, key = self._authority.server(*ADDRESSES)
        places = {"ca.pem": self._authority.ca, "broker.pem": cert, "broker.key": key, "crl": self.crl}
        (folder / "advanced.config").write_text(swapped(
            "rabbitmq.config", {f'"/etc/rabbitmq/taimat/{name}"': f'"{path}"' for name, path in places.items()}))
        text = swapped("rabbitmq.conf", {
            "interval_seconds = 604800": f"interval_seconds = {self._session_s}",
            **{f"rabbit@node{number}": f"rabbit@{each}" for number, each in enumerate(ADDRESSES, 1)}})
        (folder / "rabbitmq.conf").write_text("\n".join(
            line for line in text.splitlines() if "nodes." not in line or line.endswith(ADDRESSES[:self._nodes_n])))
        (folder / "enabled_plugins").write_text("[rabbitmq_mqtt].\n")
        (folder / ".erlang.cookie").write_text("city")
        (folder / ".erlang.cookie").chmod(0o400)
        return folder
