"""The ward hears how long footage stays, what is written to the card in a day, and how long a card takes that."""
from contextlib import closing
from pathlib import Path

import msgspec

from agent.config.settings import Camera, Settings, Store, Ward
from agent.core.contract import wire
from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts, LinkFacts, ReachFacts
from agent.core.health.facts import HostFacts, UnitFacts
from agent.core.health.report import TELL_EVERY_S, Report
from agent.host.datagram import Inbox
from agent.host.runtime import own
from agent.link.outbox_upkeep import OutboxBacklog
from agent.link.report import Reporter, health
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.link.online import TOPICS, Online, beat


def test_what_the_keeper_tells_of_a_camera_goes_out_with_that_camera(folders: Folders, hand_clock: HandClock):
    online = Online()
    cameras = [Camera(name="gate", source="rtsp://x/y"), Camera(name="yard", source="rtsp://x/z")]
    reporter = Reporter(Settings(ward=Ward(enabled=True), camera=cameras), folders, hand_clock, online)
    reporter.receive(beat(hand_clock, "capture@network", cameras=[CameraFacts(camera="gate", state="ok"),
                                                               CameraFacts(camera="yard", state="ok")]))
    reporter.receive(beat(hand_clock, "keeper", facts=KeeperFacts(kept_days={"gate": 5.2}, clips_n=7)))
    reporter.turn(online, TOPICS, OutboxBacklog())
    told = msgspec.json.decode(online.posted[-1], type=wire.Health)
    assert ([(each.c, each.kept_d) for each in told.cams], told.clips_n) == ([("gate", 5.2), ("yard", None)], 7)


def test_the_card_s_wear_is_told_in_whole_days_and_bytes(hand_clock: HandClock):
    seen = Report(1000.0, HostFacts(), (), {}, (), None, (), 21_600_000_000.4, (296.3, 740.8))
    told = health(seen, hand_clock.now(), seq=1, every_s=30, backlog=OutboxBacklog(), reconnects_n=0)
    assert (told.disk_wr_day_b, told.card_life_d) == (21_600_000_000, (296, 740))


def test_of_a_keeper_that_is_silent_nothing_is_told(hand_clock: HandClock):
    silent = UnitFacts("keeper", "keeper", 60.0, 0, Beat(role="keeper", unit="keeper", pid=1, mono_s=1, up_s=1,
                                                         facts=KeeperFacts(kept_days={"gate": 5.2})))
    seen = Report(1000.0, HostFacts(), (silent,), {}, (CameraFacts(camera="gate", state="ok"),), None, ())
    told = health(seen, hand_clock.now(), seq=1, every_s=30, backlog=OutboxBacklog(), reconnects_n=0)
    assert told.cams[0].kept_d is None and told.card_life_d is None and told.disk_wr_day_b is None


def test_the_keeper_is_told_who_can_be_reached_also_while_the_ward_is_told_less(
        folders: Folders, hand_clock: HandClock, tmp_path: Path):
    own(tmp_path, "keeper")
    settings = Settings(ward=Ward(enabled=True, health_every_s=600), store=Store(runtime=str(tmp_path)))
    reporter, online = Reporter(settings, folders, hand_clock, Online()), Online()
    with closing(Inbox(tmp_path, "keeper")) as keeper:
        for _ in range(2):
            reporter.receive(beat(hand_clock, "link", facts=LinkFacts(broker="connected")))
            reporter.turn(online, TOPICS, OutboxBacklog())
            told = keeper.receive(0)
            assert isinstance(told, ReachFacts) and told.ward_up
            assert reporter.wait_s() == TELL_EVERY_S
            hand_clock.advance(TELL_EVERY_S)
    assert len(online.posted) == 1
