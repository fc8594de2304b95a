"""A household's network around a booted machine: a cable, at whose other end are phones and cameras."""
from collections.abc import Iterator
from contextlib import contextmanager

from tests.rigs.lan import RECORDER, Network
from tests.systemd.machine import Machine, NoMachine


@contextmanager
def house(machine: Machine, *addresses: str) -> Iterator[int]:
    """Lay the cable, RECORDER being the machine's address; the process whose network the house's is. Raises NoMachine.

    Phones and cameras have these addresses there.
    """
    try:
        network = Network()
    except OSError as error:
        raise NoMachine(str(error)) from error
    with network:
        network.do("ip", "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", machine.leader)
        for address in addresses:
            network.do("ip", "address", "add", f"{address}/24", "dev", "lan")
        network.do("ip", "link", "set", "lan", "up")
        machine.run("ip", "address", "add", f"{RECORDER}/24", "dev", "lan")
        machine.run("ip", "link", "set", "lan", "up")
        yield network.pid
