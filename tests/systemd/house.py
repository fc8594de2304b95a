"""A household's network around booted machines: a switch with their cables, and beside it phones and cameras."""
import subprocess

from tests.rigs.network.lan import RECORDER, Network
from tests.systemd.machine import Machine, NoMachine


class House(Network):
    """A context manager; phones and cameras are in the network that the process `pid` sees."""

    def __init__(self, *addresses: str) -> None:
        """These are the addresses of phones and cameras. Raises NoMachine."""
        try:
            super().__init__()
            self.do("ip", "link", "add", "lan", "type", "bridge")
        except (OSError, subprocess.SubprocessError) as error:
            raise NoMachine(f"no network of a house: {error}") from error
        for address in addresses:
            self.do("ip", "address", "add", f"{address}/24", "dev", "lan")
        self.do("ip", "link", "set", "lan", "up")

    def plug_in(self, machine: Machine, address: str = RECORDER) -> None:
        """Lay a machine's cable, after each boot anew; it has that address then."""
        port = f"lan-{machine.leader}"
        self.do("ip", "link", "add", port, "type", "veth", "peer", "name", "lan", "netns", machine.leader)
        self.do("ip", "link", "set", port, "master", "lan", "up")
        machine.run("ip", "address", "add", f"{address}/24", "dev", "lan")
        machine.run("ip", "link", "set", "lan", "up")
