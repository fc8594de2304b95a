"""Where a phone finds this machine: by the name that avahi answers to, and by number."""
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agent.host.address import local_name, phone_addresses
from tests.rigs.wait import HANG_S

Avahi = Callable[[str], Path]


@pytest.fixture
def avahi(tmp_path: Path) -> Iterator[Avahi]:
    """A socket that gives one answer, as avahi's simple protocol has it; its question is checked."""
    listener = socket.socket(socket.AF_UNIX)
    threads: list[threading.Thread] = []

    def answering(said: str) -> Path:
        def serve() -> None:
            line = listener.accept()[0]
            with line:
                asked = line.recv(100)
                line.sendall(said.encode() if asked == b"RESOLVE-ADDRESS 192.168.1.7\n" else b"-1 What?\n")

        listener.bind(str(tmp_path / "socket"))
        listener.listen()
        threads.append(threading.Thread(target=serve, daemon=True))
        threads[0].start()
        return tmp_path / "socket"

    yield answering
    listener.close()
    for thread in threads:
        thread.join(HANG_S)


@pytest.mark.parametrize(("said", "name"), [
    ("+ 3 0 taimat.local\n", "taimat.local"), ("+ 3 0 taimat-2.local 192.168.1.7\n", "taimat-2.local"),
    ("-15 Timeout reached\n", None), ("+ 3 0 router.example\n", None), ("+\n", None), ("", None)])
def test_the_name_is_avahi_s_word(avahi: Avahi, said: str, name: str | None):
    assert local_name("192.168.1.7", avahi(said)) == name


def test_without_avahi_there_is_no_name(tmp_path: Path):
    assert local_name("192.168.1.7", tmp_path / "none") is None


def test_a_phone_is_told_the_name_and_the_number(avahi: Avahi):
    there = avahi("+ 3 0 taimat.local\n")
    assert phone_addresses("192.168.1.7", 443, True, there) == ["https://taimat.local", "https://192.168.1.7"]


@pytest.mark.parametrize(("listen", "port", "encrypted", "told"), [
    ("127.0.0.1", 443, True, []), ("::1", 8088, False, []), ("192.168.1.7", 80, False, ["http://192.168.1.7"]),
    ("192.168.1.7", 80, True, ["https://192.168.1.7:80"]), ("fd00::7", 8088, True, ["https://[fd00::7]:8088"])])
def test_only_an_unusual_port_is_told(tmp_path: Path, listen: str, port: int, encrypted: bool, told: list[str]):
    assert phone_addresses(listen, port, encrypted, tmp_path / "none") == told
