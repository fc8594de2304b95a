"""What a broker that is not the ward's could do to the probe of `taimat ward doctor`."""
import resource
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from agent.ward.authority.probe import BrokerDoor, NoAnswer, Pass
from tests.rigs.mqtt.scripted_broker import connack
from tests.rigs.pki import Authority

ANSWERS = {"a giant": b"\x30\xff\xff\xff\x7f" + bytes(40_000_000), "no properties": b"\x20\x03\x00\x00\x7f"}


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "pki", "ca")


def door(authority: Authority, answer: bytes) -> Iterator[tuple[BrokerDoor, Pass]]:
    """The way to a broker that answers each CONNECT with these bytes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("broker"))
    certificate, key = authority.issue("probe+")
    shown = certificate.with_name("shown.pem")
    shown.write_bytes(certificate.read_bytes() + key.read_bytes())
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                with listener.accept()[0] as plain, suppress(OSError), \
                        context.wrap_socket(plain, server_side=True) as line:
                    line.recv(1000)
                    line.sendall(answer)
                    line.recv(1000)
    threading.Thread(target=serve, daemon=True).start()
    with closing(listener):
        yield BrokerDoor("127.0.0.1", listener.getsockname()[1], authority.ca), Pass("probe+", shown, 1)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_broker_that_speaks_nonsense_is_told_in_a_line(authority: Authority, answer: bytes) -> None:
    for way, shown in door(authority, answer):
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            assert way.verdict(shown) == "out"
        except NoAnswer as told:
            assert "no MQTT" in str(told)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 10_000


def test_a_broker_that_welcomes_is_in(authority: Authority) -> None:
    for way, shown in door(authority, connack()):
        assert way.verdict(shown) == "in"
