"""Prometheus at a real link: what it is answered, who is not, and that no client holds the link up."""
import contextlib
import http.client
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.doctor import metrics
from agent.core.contract.facts import Beat, CameraFacts
from agent.store import events
from tests.rigs.device.link_role import LinkRig
from tests.rigs.wait import Stopwatch, deaf_port, free_port, until


def scrape(port: int, host: str = "localhost", path: str = "/metrics") -> tuple[int, str]:
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(asked):
        asked.request("GET", path, headers={"Host": f"{host}:{port}"})
        answer = asked.getresponse()
        return answer.status, answer.read().decode()


def answered(port: int) -> str:
    """The text, once there is a report."""
    with contextlib.suppress(OSError):
        text = scrape(port)[1]
        return text if "taimat_unit_up_seconds" in text else ""
    return ""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def rig(tmp_path: Path, port: int) -> Iterator[LinkRig]:
    """A link in no ward, which runs for Prometheus alone."""
    with LinkRig(tmp_path, deaf_port(), "enabled = false", f"[metrics]\nport = {port}\n") as rig:
        yield rig


def test_prometheus_gets_the_figures_of_status(rig: LinkRig, port: int):
    until(lambda: answered(port))
    events.open_row(rig.db, "gate", "motion", rig.clock.now())
    said = Beat(role="capture", unit="capture@network", pid=1, mono_s=rig.clock.mono_s(), up_s=9.0,
                cameras=[CameraFacts(camera="gate", state="ok", fps=15.0)])
    until(lambda: rig.outlet.send(said, "link") or 'taimat_camera_state{camera="gate",state="ok"} 1' in answered(port))
    text = answered(port)
    assert 'taimat_role_state{role="link",state="ok"} 1' in text and "\ntaimat_host_disk_free_bytes{} " in text
    until(lambda: "\ntaimat_last_event_seconds{} 1" in answered(port))
    assert float(re.search(r"^taimat_report_age_seconds{} (.*)", text, re.M)[1]) < 60


def test_only_loopback_is_bound_and_web_pages_and_other_paths_are_refused(rig: LinkRig, port: int):
    until(lambda: answered(port))
    for host in ("127.0.0.1", "LOCALHOST"):
        assert scrape(port, host)[0] == 200
    assert scrape(port, "evil.example")[0] == 403 and scrape(port, path="/")[0] == 403
    assert scrape(port, path="/metricsx")[0] == 403
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    assert [line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line and " 0A " in line] == [
        f"0100007F:{port:04X}"]


def test_clients_that_are_silent_or_send_rubbish_hold_neither_the_link_nor_the_next_one_up(rig: LinkRig, port: int):
    until(lambda: answered(port))
    with socket.create_connection(("127.0.0.1", port)) as silent, \
            socket.create_connection(("127.0.0.1", port)) as garbage:
        garbage.sendall(b"\0\xff" * 40_000)
        with contextlib.suppress(OSError):
            silent.sendall(b"GET /metrics HTTP/1.1\r\nHost: local")
        with Stopwatch() as watch:
            assert "taimat_unit_up_seconds" in scrape(port)[1]
        assert watch.fair_s < 8.0
    rig.append()
    assert rig.facts() is not None and "taimat_unit_up_seconds" in scrape(port)[1]


def test_a_port_that_is_taken_stops_nothing_and_doctor_names_line_and_remedy(tmp_path: Path, port: int):
    with socket.create_server(("127.0.0.1", port)), \
            LinkRig(tmp_path, deaf_port(), "enabled = false", f"[metrics]\nport = {port}\n") as rig:
        until(lambda: f"[metrics] port {port}: Address already in use" in rig.log.read_text())
        until(rig.facts)
        line = rig.config.read_text().split("\n").index(f"port = {port}") + 1
        said = metrics.examine(port, rig.config)
        assert said.text == f"{rig.config}:{line}: metrics.port: another program has port {port}"
        assert said.state == "bad" and said.remedy.startswith("choose another port there")
