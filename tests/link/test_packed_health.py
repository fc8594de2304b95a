"""Health is packed for a ward that says it takes that; for no other, as `test_session.py` shows."""
import zlib

import msgspec

from agent.config.settings import Settings, Ward
from agent.core import wire
from agent.link.bound import Backlog
from agent.link.reporter import Reporter
from agent.store.folders import Folders
from tests.rigs.broker import Broker
from tests.rigs.ingest import WardIngest
from tests.rigs.links import LinkRig
from tests.rigs.wait import until
from tests.rigs.ward import Ingest


def test_the_real_ingest_gets_it_packed_and_keeps_it_plain(tmp_path):
    with Broker(tmp_path / "broker") as broker, Ingest(broker.port, tmp_path, receipts=False, name="ear") as ear, \
            WardIngest(tmp_path / "ward", broker.port) as ward, LinkRig(tmp_path / "link", broker.port) as rig:
        until(lambda: ear.all("/health") and ear.all("/health")[-1].payload[:1] == b"\x78", 20, "a packed report")
        message = ear.all("/health")[-1]
        report = msgspec.json.decode(zlib.decompress(message.payload), type=wire.Health)
        assert message.properties.ContentType == "application/zlib" and len(message.payload) < 600
        until(lambda: (row := ward.device(rig.dev())) and row.health)
        assert msgspec.json.decode(ward.device(rig.dev()).health, type=wire.Health).boot == report.boot


class Line:
    """A session that is up or not, and keeps what is posted."""

    connects_n = 1

    def __init__(self):
        self.up, self.types = True, []

    def post(self, message):
        self.types.append(message.content_type)


def test_what_one_broker_takes_says_nothing_of_the_next(tmp_path, hand_clock):
    reporter, line = Reporter(Settings(ward=Ward(enabled=True)), Folders(tmp_path), hand_clock, None), Line()
    for up, packs in ((True, None), (True, True), (True, None), (False, None), (True, None)):
        line.up, reporter.packs = up, packs or reporter.packs
        reporter.turn(line, wire.Topics("w07", "c-7f3a9c21b04d"), Backlog())
        hand_clock.advance(30)
    assert line.types == ["application/json", "application/zlib", "application/zlib", "application/json"]
