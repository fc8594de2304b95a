"""The link at the end of a bad line: a real kernel's TCP and TLS over loss, delay, a narrow place and cuts."""
import contextlib
import json
import statistics
import time

import pytest

from tests.rigs.device.link_role import LinkRig
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.network import wan
from tests.rigs.network.bad_line import Line
from tests.rigs.network.wan import WARD, Wan
from tests.rigs.pki import Authority
from tests.rigs.wait import accepts, until
from tests.rigs.ward.receiver import Ingest

BAD = Line(delay_s=0.15, loss=0.03, rate_bps=4e6)
DEV, INSIDE = "c-7f3a9c21b04d", 1883

pytestmark = pytest.mark.needs.with_args(wan.missing)


@pytest.fixture
def ends(tmp_path):
    """The line, the ward's ingest at its one end, the link at its other; the line is bad already."""
    authority = Authority(tmp_path / "pki", "ward-ca")
    cert, key = authority.issue(DEV)
    lines = f'tls = true\nhost = "{WARD}"\nca = "{authority.ca}"\ncert = "{cert}"\nkey = "{key}"'
    tls = Tls(authority.ca, *authority.issue("broker", address=WARD), clients_ca=authority.ca)
    with contextlib.ExitStack() as stack:
        line = stack.enter_context(Wan(seed=7))
        line.become(BAD)
        with line.ward():
            inside = f"listener {INSIDE} 127.0.0.1\nmax_inflight_messages 20"     # the ingest is not behind the line
            broker = stack.enter_context(Broker(tmp_path / "broker", tls=tls, host=WARD, lines=inside))
            until(lambda: accepts(INSIDE))
            ward = stack.enter_context(Ingest(INSIDE, tmp_path))
        with line.device():
            rig = stack.enter_context(LinkRig(tmp_path / "link", broker.port, lines))
        until(lambda: rig.facts().get("broker") == "connected")
        yield line, ward, rig


def delays_s(ward, tail):
    """From the device's word to the ward's ear, of each message on topics that end so; both read the same clock."""
    return [message.timestamp - json.loads(message.payload)["mono_ms"] / 1000 for message in ward.all(tail)]


def test_over_loss_and_delay_events_and_health_are_late_and_whole(ends):
    _, ward, rig = ends
    seqs = []
    for _ in range(60):
        seqs.append(rig.append())
        time.sleep(0.1)
    until(lambda: rig.waiting_n() == 0, "the outbox is empty")
    assert [event["seq"] for event in ward.events()] == seqs
    assert rig.facts()["mqtt_connects_n"] == 1, "a bad line is no reason to connect anew"
    late_s = delays_s(ward, "/health")
    assert len(late_s) >= 2 and max(late_s) < 5.0 and statistics.median(late_s) < 1.0


def test_a_short_cut_is_waited_out_and_a_long_one_costs_one_connection(ends):
    line, ward, rig = ends
    seqs = []

    def cut(seconds):
        line.become(Line(up=False))
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            seqs.append(rig.append())
            time.sleep(0.1)
        line.become(BAD)
        until(lambda: rig.facts() and rig.waiting_n() == 0, "what happened meanwhile has come")

    cut(2)
    assert rig.facts()["mqtt_connects_n"] == 1
    cut(9)
    until(lambda: rig.facts()["mqtt_connects_n"] >= 2)
    assert rig.facts()["mqtt_connects_n"] == 2
    assert [event["seq"] for event in ward.events()] == seqs
    assert ward.last("/status")["online"]
