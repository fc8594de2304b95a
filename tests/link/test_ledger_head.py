"""The ledger's head goes out with every health report, so that whoever keeps reports is a witness."""
import msgspec

from agent.config.settings import Camera, Settings, Ward
from agent.core.contract import wire
from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts
from agent.keeper.ledger_writer import LedgerWriter
from agent.link.outbox_upkeep import OutboxBacklog
from agent.link.report import Reporter
from agent.store.database import connect
from agent.store.decisions import database as decisions
from tests.link.online import TOPICS, Online, beat


def reports(folders, hand_clock, *beats: Beat) -> bytes:
    """What goes out after these heartbeats."""
    online = Online()
    cameras = [Camera(name="gate", source="rtsp://x/y")]
    reporter = Reporter(Settings(ward=Ward(enabled=True), camera=cameras), folders, hand_clock, online)
    for each in beats:
        reporter.receive(each)
    reporter.turn(online, TOPICS, OutboxBacklog())
    return online.posted[-1]


def test_a_report_names_the_newest_signed_row_and_stays_small(folders, hand_clock):
    db, sealer = connect(folders.root), LedgerWriter(folders, hand_clock, decisions.connect(folders))
    sealer.seal_some(db)
    facts = CameraFacts(camera="gate", source="rtsp", state="ok", fps=14.97, fps_set=15, dropped_n=12, kbps=2048,
                        events_n=123, luma_mean=99, last_frame_age_s=0.1, gaps_n=2, gap_s=12.3, recording=True)
    payload = reports(folders, hand_clock, beat(hand_clock, "keeper", facts=KeeperFacts(
        clips_n=12_345, clips_b=10 ** 10, clock_err_ms=123, clock_step_ms=-10_800_000, ledger=sealer.facts())),
                      beat(hand_clock, "capture-network", cameras=[facts]), beat(hand_clock, "link"),
                      beat(hand_clock, "web"))
    report = msgspec.json.decode(payload, type=wire.Health)
    assert (report.clock, report.clk_err_ms, report.clk_step_ms) == ("ntp", 123, -10_800_000)
    told = report.ledger
    row = db.execute("SELECT n, lower(hex(hash)) AS hash FROM ledger").fetchone()
    assert (told.n, told.head, told.key) == (1, row["hash"][:32], sealer.key) and len(told.key) == 16
    assert len(payload) <= 800, len(payload)
    db.close()


def test_without_a_keeper_nothing_is_claimed(folders, hand_clock):
    assert b"ledger" not in reports(folders, hand_clock, beat(hand_clock, "keeper"))
