"""What the link is handed for a notification: in the ledger first, and no picture but those that a rule lets out."""
import contextlib
import os

import msgspec
import pytest

from agent.config.settings import Notify, Settings
from agent.core.contract.decisions import DecisionAnswer, HandOutEvent, Question, TryNotify
from agent.host.setup_folders import SetupFolders
from agent.keeper.desk import DecisionDesk
from agent.keeper.ward_signature import WardSignature
from agent.store import events, notify
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders
from tests.conftest import HandClock
from tests.rigs.store.cards import all_acts
from tests.rigs.store.vault import Vault

JPEG = b"\xff\xd8 a picture \xff\xd9"


@pytest.fixture
def desk(folders: Folders, db, hand_clock: HandClock, tmp_path):
    """Two phones: one gets pictures of the gate, the other none. Events 1 at the gate and 2 in the yard."""
    vault = Vault(db, folders, hand_clock)
    (tmp_path / "url").write_text("ntfys://ntfy.sh/secret-topic")
    for camera in ("gate", "yard"):
        image = vault.policy.picture(vault.policy.day(folders), JPEG, f"{camera}-1")
        (folders.thumbs / f"{camera}-1.jpg").write_bytes(image)
        with transaction(db):
            event = events.open_row(db, camera, "motion", hand_clock.now())
            events.finish(db, event, 1000, 0.2, 1, [], "test/1", f"{camera}-1.jpg")
    settings = Settings(notify=[
        Notify(name="Mai", url_file=str(tmp_path / "url"), cameras=["gate"], pictures=True),
        Notify(name="Ba", url_file=str(tmp_path / "none"))])
    return DecisionDesk(folders, hand_clock, WardSignature(settings, folders), SetupFolders.beside(tmp_path / "run"))


def ask(desk: DecisionDesk, question: Question, user: int | None = None) -> DecisionAnswer:
    line = msgspec.json.encode(question)
    return msgspec.json.decode(desk.answer(line, os.geteuid() if user is None else user), type=DecisionAnswer)


def told(desk: DecisionDesk) -> list[dict[str, object]]:
    """The rows that the keeper has signed."""
    with contextlib.closing(connect(desk.folders.root)) as db:
        return [row.body for row in all_acts(db) if row.kind == "notification"]


def test_a_picture_is_opened_for_whom_the_household_lets_have_it(desk: DecisionDesk):
    assert JPEG not in (desk.folders.thumbs / "gate-1.jpg").read_bytes(), "it is encrypted"
    assert ask(desk, HandOutEvent(to="Mai", event=1, events_n=3)) == DecisionAnswer(picture=JPEG)
    assert ask(desk, HandOutEvent(to="Ba", event=2, events_n=1)) == DecisionAnswer()
    assert told(desk) == [{"to": "Mai", "service": "ntfys", "event": 1, "events_n": 3, "picture": True},
                          {"to": "Ba", "service": "?", "event": 2, "events_n": 1}]


def test_what_no_rule_lets_out_is_handed_to_nobody(desk: DecisionDesk):
    for to, event in (("Mai", 2), ("Mai", 99), ("Tư", 1)):
        assert ask(desk, HandOutEvent(to=to, event=event, events_n=1)) == DecisionAnswer(why="unknown")
    assert ask(desk, HandOutEvent(to="Mai", event=1, events_n=1), user=54321).why == "not_yours"
    assert told(desk) == []


def test_hours_are_judged_as_the_link_does(desk: DecisionDesk):
    desk.notify.settings.notify[1].hours = ["00:00-00:01"]
    assert ask(desk, HandOutEvent(to="Ba", event=1, events_n=1)).why == "unknown"
    desk.clock.state = "unset"
    assert ask(desk, HandOutEvent(to="Ba", event=1, events_n=1)).why == ""


def test_a_further_try_of_the_same_message_is_no_further_row(desk: DecisionDesk):
    for events_n in (1, 1, 2):
        assert ask(desk, HandOutEvent(to="Mai", event=1, events_n=events_n)).picture == JPEG
    assert [row["events_n"] for row in told(desk)] == [1, 2]


def test_a_picture_that_is_gone_keeps_no_words_back(desk: DecisionDesk):
    (desk.folders.thumbs / "gate-1.jpg").unlink()
    assert ask(desk, HandOutEvent(to="Mai", event=1, events_n=1)) == DecisionAnswer()
    assert "picture" not in told(desk)[0]


def test_a_trial_is_an_owners_word(desk: DecisionDesk):
    with contextlib.closing(decisions.connect(desk.folders)) as own, \
            contextlib.closing(connect(desk.folders.root)) as db:
        owner, viewer = (browsers.pair(own, db, name, desk.clock.now()) for name in ("one", "other"))
        assert ask(desk, TryNotify(token=viewer, to="Mai")).why == "viewer"
        assert ask(desk, TryNotify(token=owner, to="Tư")).why == "unknown" and notify.ordered(db) is None
        trial = ask(desk, TryNotify(token=owner, to="Mai")).change
        assert notify.ordered(db) == notify.NotifyTrial(id=trial, to="Mai", boot=desk.clock.now().boot,
                                                  mono_ms=desk.clock.now().mono_ms)
    assert told(desk) == [{"to": "Mai", "service": "ntfys"}]
