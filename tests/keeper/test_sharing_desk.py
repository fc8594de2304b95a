"""What the household says to its ward on the page: taken back at the desk at once, for good, and told in the ledger."""
import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import msgspec
import pytest

from agent.config.settings import Settings, Sharing, Store, Ward
from agent.core.contract.decisions import AskSharing, ChangeSettings, DecisionAnswer, JoinWard, Question
from agent.core.contract.setup import SetSharing, SetWard, UndoChange
from agent.core.household import consent
from agent.core.household.consent import KINDS_OF, TOLD, VERSION
from agent.host.datagram import Outlet
from agent.host.setup_folders import SetupFolders
from agent.host.stop import Stop
from agent.host.ward_folder import RECORD, WardRecord
from agent.keeper.desk import DecisionDesk
from agent.keeper.main import Keeper
from agent.keeper.ward_signature import WardSignature
from agent.process.heartbeat import Heartbeat
from agent.process.role import Role
from agent.store import membership, outbox, requests
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.decisions.consent import read_word
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store.cards import all_acts
from tests.rigs.ward.requests import ask

JOINED = Ward(enabled=True, ward="w07")
SHUT = SetSharing(default="never", never=[], ask=[], allow=[], snapshots="never")


class Place:
    """A household whose ward, page and root are at work by turns."""

    def __init__(self, folders: Folders, clock: HandClock) -> None:
        self.folders, self.clock, self.settings = folders, clock, Settings()
        self.setup = SetupFolders.beside(folders.root / "run")
        self.setup.asked.mkdir(mode=0o700, parents=True)
        self.setup.told.mkdir(parents=True)
        self.db = connect(folders.root)
        with closing(decisions.connect(folders)) as own:
            self.token = browsers.pair(own, self.db, "phone", clock.now())

    def live(self, ward: Ward, sharing: Sharing | None = None) -> None:
        """A start of the keeper, by a configuration that says this; what was asked of root is over."""
        self.setup.collect(self.clock.now())
        store = Store(folder=str(self.folders.root), free_floor_pct=1)
        self.settings = Settings(store=store, ward=ward, sharing=sharing or Sharing())
        heart = Heartbeat("keeper", "keeper", self.folders.root, self.clock)
        role = Role(self.settings, None, self.folders, self.folders.root, self.clock, heart, Stop())
        keeper = Keeper(role, connect(self.folders.root), decisions.connect(self.folders), Outlet(self.folders.root))
        keeper.round(asked_for_space=False)
        assert keeper.fault is None
        keeper.close()
        self.clock.advance(1)

    def say(self, question: Question) -> DecisionAnswer:
        """The desk's answer to the paired browser."""
        desk = DecisionDesk(self.folders, self.clock, WardSignature(self.settings, self.folders), self.setup)
        answer = msgspec.json.decode(desk.answer(msgspec.json.encode(question), os.geteuid()), type=DecisionAnswer)
        self.clock.advance(1)
        return answer

    def change(self, change: Any) -> DecisionAnswer:
        """A change of settings, asked for on the page."""
        return self.say(ChangeSettings(token=self.token, change=change))

    def join(self, ward: str = "w07", text: int = VERSION) -> DecisionAnswer:
        """The household agrees to the text that it was shown."""
        return self.say(JoinWard(token=self.token, ward=ward, text=text))

    def consents(self) -> list[dict[str, Any]]:
        """All in the ledger."""
        return [row.body for row in all_acts(self.db) if row.kind == "consent"]

    def keeps(self, kind: str) -> bool:
        """Whether a message that some role writes now is kept for the ward."""
        return outbox.append(self.db, kind, None, self.clock.now(), "{}") is not None

    def waiting(self) -> list[str]:
        """Kinds of what waits for the ward."""
        return [row["kind"] for row in outbox.after(self.db, 0, 100)]


@pytest.fixture
def place(folders: Folders, hand_clock: HandClock) -> Iterator[Place]:
    place = Place(folders, hand_clock)
    yield place
    place.db.close()


def test_leaving_counts_at_the_desk_and_stays_though_root_never_hears_of_it(place):
    place.live(JOINED)
    asked = ask(place.db, now=place.clock.now())
    assert place.keeps("motion") and place.change(SetWard(enabled=False)).change
    assert not place.keeps("motion") and place.waiting() == [] and membership.has_left(place.db)
    assert place.consents()[-1] == {**place.consents()[-1], "by": "page"} and "ward" not in place.consents()[-1]
    found = requests.find(place.db, asked.id)
    assert (found.state, found.decided_by) == ("refused", "leaving")
    told_n = len(place.consents())
    place.live(JOINED)                  # the file was broken, and says what it said
    assert not place.keeps("motion") and len(place.consents()) == told_n
    place.live(Ward(ward="w07"))        # and now it says the same
    assert len(place.consents()) == told_n and place.say(AskSharing(token=place.token)).sharing.ward == ""
    place.live(JOINED)                  # somebody with an editor
    assert place.keeps("motion") and place.consents()[-1]["by"] == "settings"


def test_joining_needs_the_very_text_and_is_the_pages_word_in_the_ledger(place):
    place.live(Ward(ward="w07"))
    assert place.change(SetWard(enabled=True)).why == "not_shown"
    assert place.join(text=VERSION - 1).why == "not_shown" and place.join(ward="w08").why == "not_shown"
    assert place.setup.collect(place.clock.now()) == []
    assert place.join().change and not place.keeps("motion"), "not before root has set it"
    place.live(JOINED)
    joined = place.consents()[-1]
    assert (joined["ward"], joined["text"], joined["by"], joined["told"]) == ("w07", VERSION, "page", list(TOLD))
    assert joined["pictures"] == {"*": "ask"} and joined["snapshots"] == "ask" and place.keeps("motion")
    place.live(Ward(ward="w07"))
    assert place.consents()[-1]["by"] == "page"
    place.clock.advance(200)
    place.live(JOINED)
    assert place.consents()[-1]["by"] == "settings", "a word is heard within minutes or not at all"


def test_a_camera_of_the_ward_s_own_is_joined_by_its_card_once(place, tmp_path):
    record = WardRecord(dev="c-0123456789ab", ward="w07", ward_name="Phường 7", host="ward.example", broker_port=8883,
                        door_port=8443, serial="S-1", join=True, claim_sha256="0" * 64, granted_ms=0)
    (tmp_path / RECORD).write_bytes(msgspec.json.encode(record))
    joined = Ward(enabled=True, ward="w07", cert=str(tmp_path / "device.pem"), key=str(tmp_path / "device.key"))
    place.live(joined)
    place.live(joined)
    assert [(row["ward"], row["by"]) for row in place.consents()] == [("w07", "provisioning")]
    place.change(SetWard(enabled=False))
    place.live(msgspec.structs.replace(joined, enabled=False))
    place.live(joined)                              # whoever joins it once more is somebody else
    assert [row["by"] for row in place.consents()] == ["provisioning", "page", "settings"]


@pytest.mark.parametrize("part", KINDS_OF)
def test_a_part_that_is_taken_back_is_told_no_more_and_what_waits_of_it_goes(place, part):
    other = next(each for each in KINDS_OF if each != part)
    place.live(JOINED)
    assert all(place.keeps(kind) for kind in ("motion", "tamper", "clip", "camera", "storage", "health_hist", "clock"))
    with transaction(place.db):
        outbox.settle(place.db, [1])            # of the keeper's own clock
        outbox.append(place.db, "gap", None, place.clock.now(), '{"n":3,"hours":[{"motion_n":3}]}')
        motion, = (row["seq"] for row in outbox.after(place.db, 0, 100) if row["kind"] == "motion")
        outbox.quarantine(place.db, motion, "oversize")
    assert place.change(SetSharing(**{part: "never"})).change
    kinds = {"health": ["tamper", "clip", "clock", "gap"],
             "events": ["camera", "storage", "health_hist", "clock", "gap"]}
    assert place.waiting() == kinds[part]
    assert outbox.quarantined_n(place.db) == (part == "health")
    gap = place.db.execute("SELECT data FROM outbox WHERE kind = 'gap'").fetchone()[0]
    assert ("motion_n" in gap) == (part == "health")
    assert not any(map(place.keeps, KINDS_OF[part])) and place.keeps(KINDS_OF[other][1]) and place.keeps("consent")
    row = place.consents()[-1]
    assert row["by"] == "page" and set(TOLD) - set(row["told"]) == set(KINDS_OF[part])
    assert place.say(AskSharing(token=place.token)).sharing.withheld == [part]
    told_n = len(place.consents())
    place.live(JOINED, Sharing(**{part: "never"}))
    assert len(place.consents()) == told_n and not place.keeps(KINDS_OF[part][1])


def test_people_alone_is_told_at_the_desk_and_all_again_once_root_has_said_so(place):
    place.live(JOINED)
    assert place.change(SetSharing(events="people")).change
    assert membership.only(place.db) == ["person", "vehicle"] and place.keeps("tamper")
    assert (place.consents()[-1]["only"], place.consents()[-1]["by"]) == (["person", "vehicle"], "page")
    told = place.say(AskSharing(token=place.token)).sharing
    assert told.only == ["person", "vehicle"] and told.withheld == [] and told.held
    told_n = len(place.consents())
    place.live(JOINED)                  # the file says what it said
    assert membership.only(place.db) and len(place.consents()) == told_n
    place.live(JOINED, Sharing(events="people"))
    assert len(place.consents()) == told_n and not place.say(AskSharing(token=place.token)).sharing.held
    assert place.change(SetSharing(events="allow")).change and membership.only(place.db), "looser only by root"
    place.live(JOINED)
    assert not membership.only(place.db) and "only" not in place.consents()[-1]


def test_what_is_allowed_again_is_told_from_then_on_alone(place):
    place.live(JOINED, Sharing(events="never"))
    before = place.clock.now()
    place.clock.advance(1)
    assert place.change(SetSharing(events="allow")).change and not place.keeps("motion")
    place.live(JOINED)
    assert place.keeps("motion") and place.consents()[-1]["by"] == "page"
    assert outbox.append(place.db, "motion", None, before, "{}") is None
    assert outbox.append(place.db, "clock", None, before, "{}") is not None


def test_no_more_pictures_refuses_what_is_open_whatever_the_file_says(place):
    place.live(JOINED, Sharing(allow=["theft"]))
    waiting, approved = ask(place.db, now=place.clock.now()), ask(place.db, now=place.clock.now(), approved=True)
    assert place.change(SHUT).change
    assert [requests.find(place.db, each.id).state for each in (waiting, approved)] == ["refused", "refused"]
    assert place.say(AskSharing(token=place.token)).sharing.no_pictures
    place.live(JOINED, Sharing(allow=["theft"]))
    with closing(decisions.connect(place.folders)) as own:
        assert read_word(own).no_pictures
    assert place.consents()[-1]["pictures"] == {"*": "never"}
    place.live(JOINED, Sharing(default="never", snapshots="never"))
    assert place.change(SetSharing(default="ask", never=[], ask=[], allow=[], snapshots="ask")).change
    place.live(JOINED)
    assert place.consents()[-1]["pictures"] == {"*": "ask"}
    assert not place.say(AskSharing(token=place.token)).sharing.no_pictures


def test_an_undoing_is_no_consent(place):
    place.live(JOINED)
    left = place.change(SetWard(enabled=False)).change
    place.live(Ward(ward="w07"))
    assert place.change(UndoChange(of=left)).why == "not_undone"
    assert place.change(UndoChange(of=20 * "0")).change


def test_where_root_changes_nothing_what_is_taken_back_is_taken_back_all_the_same(place):
    place.live(JOINED)
    for folder in (place.setup.asked, place.setup.told):
        for each in folder.iterdir():
            each.unlink()
        folder.rmdir()
    assert place.change(SetSharing(events="never")).why == "no_setup" and not place.keeps("motion")
    assert place.change(SetWard(enabled=False)).why == "no_setup" and not place.keeps("clock")


def test_a_viewer_is_told_and_not_obeyed(place):
    place.live(JOINED)
    with closing(decisions.connect(place.folders)) as own:
        guest = browsers.pair(own, place.db, "guest", place.clock.now())
    assert place.say(AskSharing(token=guest)).sharing.ward == "w07"
    assert place.say(JoinWard(token=guest, ward="w07", text=VERSION)).why == "viewer"
    for change in (SetWard(enabled=False), SHUT):
        assert place.say(ChangeSettings(token=guest, change=change)).why == "viewer"
    assert place.keeps("motion")


def test_strangers_are_told_nothing(place):
    place.live(JOINED)
    for question in (AskSharing(token="guess"), JoinWard(token="guess", ward="w07", text=VERSION),
                     ChangeSettings(token="guess", change=SetWard(enabled=False))):
        assert place.say(question) == DecisionAnswer(why="not_paired")
    assert place.keeps("motion") and consent.VERSION == VERSION
