"""`python -m agent.web` as systemd starts it: its readiness, its end, and what it says when it can't."""
import http.client
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rigs.wait import HANG_S, Stopwatch, free_port, until


@pytest.fixture
def config(tmp_path):
    """A configuration on a free port; returns the file and the port."""
    port = free_port()
    file = tmp_path / "taimat.toml"
    file.write_text(f'[store]\nfolder = "{tmp_path}/store"\nruntime = "{tmp_path}/run"\n[web]\nport = {port}\n'
                    f'[[camera]]\nname = "gate"\nsource = "file:/gate.mp4"\n')
    return file, port


def start(file) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "agent.web", "--config", file], stderr=subprocess.PIPE, text=True)


def answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
        connection.request("GET", "/pair")
        return connection.getresponse().status == 200
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_and_ends_in_order(config, number):
    file, port = config
    process = start(file)
    until(lambda: answers(port))
    with Stopwatch() as watch:
        process.send_signal(number)
        _, said = process.communicate(timeout=HANG_S)
    assert watch.fair_s < 3
    assert process.returncode == 0
    assert f"http://127.0.0.1:{port}" in said and "Traceback" not in said


def test_it_needs_little_memory(config):
    """All roles together have 180 MB; the page's share is 40, beside what it has in common with others."""
    file, port = config
    process = start(file)
    until(lambda: answers(port))
    told = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
    private_kb = sum(int(line.split()[1]) for line in told if line.startswith("Private_"))
    process.terminate()
    process.communicate(timeout=HANG_S)
    assert private_kb < 40_000


def test_a_port_in_use_is_one_clear_line(config):
    file, port = config
    with socket.create_server(("127.0.0.1", port)):
        process = start(file)
        _, said = process.communicate(timeout=HANG_S)
    assert process.returncode == 69
    assert said.strip() == (f"web: can't listen on 127.0.0.1 port {port}: Address already in use; choose another port, "
                            f"or an address of this machine, under [web] in the configuration")


def test_an_address_of_another_machine_is_one_clear_line(config):
    file, _ = config
    file.write_text(file.read_text().replace("[web]", '[web]\nlisten = "192.0.2.1"'))
    process = start(file)
    _, said = process.communicate(timeout=HANG_S)
    assert process.returncode == 69
    assert said.startswith("web: can't listen on 192.0.2.1 port") and len(said.splitlines()) == 1


def test_it_loads_no_picture_libraries(config):
    file, _ = config
    code = "import sys, agent.web.main; sys.exit(any(name in sys.modules for name in ('cv2', 'av', 'numpy')))"
    assert subprocess.run([sys.executable, "-c", code], env=os.environ).returncode == 0
