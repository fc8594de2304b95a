"""The socket at which other processes ask."""
import socket
import threading
from pathlib import Path

import pytest

from agent.host.sockets import close_listener, listen
from tests.rigs.wait import HANG_S


def test_who_may_comes_in_also_where_a_dead_process_left_its_socket(tmp_path: Path):
    path = tmp_path / "door.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    door = listen(path, 2)
    assert path.stat().st_mode & 0o777 == 0o660
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(path))
        door.accept()[0].close()
        assert visitor.recv(1) == b""
    close_listener(door)


def test_closing_wakes_the_thread_that_waits(tmp_path: Path):
    door, woken = listen(tmp_path / "door.sock", 2), threading.Event()

    def wait() -> None:
        with pytest.raises(OSError):
            door.accept()
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    close_listener(door)
    assert woken.wait(HANG_S)
    close_listener(door)            # once more does no harm


def test_where_nobody_can_listen_the_error_says_so(tmp_path: Path):
    with pytest.raises(OSError):
        listen(tmp_path / "missing" / "missing" / "door.sock", 2)
