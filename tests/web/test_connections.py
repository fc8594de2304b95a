"""Visitors that connect and say nothing, or half of what they came for: they keep nobody else out."""
import contextlib
import socket
from collections.abc import Iterator

import pytest

from agent.host.runtime import camera_socket, made
from agent.web.server import page_server
from agent.web.server.page_server import CONNECTIONS_N_MAX, SILENT_OF_ONE_PEER_N_MAX
from tests.rigs.house.household import Household
from tests.rigs.wait import HANG_S, Stopwatch, until

HEAD = b"GET /static/mark.svg HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def visits(house: Household) -> Iterator:
    """Connects from an address of loopback's, as a phone of that address would."""
    with contextlib.ExitStack() as stack:
        def visit(peer: str, said: bytes = b"") -> socket.socket:
            line = stack.enter_context(socket.create_connection(("127.0.0.1", house.port), HANG_S, (peer, 0)))
            line.sendall(said)
            return line

        yield visit


def is_open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return line.recv(1) != b""
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def answers(house: Household) -> bool:
    return house.get("/").status == 200


def test_one_phones_idle_connections_keep_nobody_out(house: Household, visits):
    lines = [visits("127.0.0.9") for _ in range(CONNECTIONS_N_MAX)]
    until(lambda: sum(map(is_open, lines)) <= SILENT_OF_ONE_PEER_N_MAX, "its oldest connections are closed")
    assert answers(house)
    line = visits("127.0.0.9", HEAD + b"Connection: close\r\n\r\n")
    line.settimeout(HANG_S)
    assert line.recv(100).startswith(b"HTTP/1.1 200 ")      # it, too, is answered


def test_idle_connections_of_many_addresses_keep_nobody_out(house: Household, visits):
    for number in range(2 * CONNECTIONS_N_MAX):
        visits(f"127.0.1.{number % 20 + 1}", HEAD if number % 2 else b"")
    assert answers(house)


def test_a_connection_that_is_being_answered_does_not_give_way(house: Household, visits):
    asked_at = camera_socket(house.runtime, "busy", "gate")
    made(asked_at.parent)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as capture:
        capture.settimeout(HANG_S)
        capture.bind(str(asked_at))
        capture.listen()
        asking = visits("127.0.0.8", b"GET /cameras/gate/picture HTTP/1.1\r\nHost: localhost\r\n"
                                     b"Connection: close\r\nCookie: " + house.cookie.encode() + b"\r\n\r\n")
        asked, _ = capture.accept()
        for _ in range(SILENT_OF_ONE_PEER_N_MAX + 4):
            visits("127.0.0.8")
        assert answers(house)
        asked.close()
        asking.settimeout(HANG_S)
        assert asking.recv(100).startswith(b"HTTP/1.1 200 ")
    asked_at.unlink()


@pytest.mark.parametrize("said", [
    b"", b"G", HEAD, b"POST /pause HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\ncam",
    HEAD + b"\r\n" + HEAD,
], ids=["nothing", "a letter", "half a head", "half a form", "a request and a half"])
def test_a_request_that_does_not_come_whole_is_waited_for_no_longer_than_ten_seconds(
        house: Household, visits, said: bytes, monkeypatch: pytest.MonkeyPatch):
    assert page_server.REQUEST_S == 10
    monkeypatch.setattr(page_server, "REQUEST_S", 0.3)
    line = visits("127.0.0.7", said)
    with Stopwatch() as watch, contextlib.suppress(ConnectionResetError):
        while line.recv(4096):
            pass
    assert watch.fair_s < 3


def test_bytes_that_come_one_by_one_do_not_put_the_deadline_off(
        house: Household, visits, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(page_server, "REQUEST_S", 0.5)
    line = visits("127.0.0.7", HEAD)

    def still_takes() -> bool:
        with contextlib.suppress(OSError):
            line.sendall(b"X")
            return is_open(line)
        return False

    with Stopwatch() as watch:
        until(lambda: not still_takes(), "it is closed")
    assert watch.fair_s < 3
