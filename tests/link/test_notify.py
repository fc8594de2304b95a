"""Notifications by the real Apprise, to a server that speaks ntfy's API and to a mail server."""
import contextlib
import sys

import pytest

from agent.config.load import load
from agent.core.contract.facts import Poke
from agent.core.contract.helper_messages import NotificationSent, SendNotification
from agent.host import runtime
from agent.host.setup_folders import SetupFolders
from agent.keeper.desk import DecisionDesk
from agent.keeper.ward_signature import WardSignature
from agent.link import notify_send as send
from agent.store import events, notify
from agent.store.database import transaction
from agent.store.folders import Folders
from tests.rigs.device.link_role import LinkRig
from tests.rigs.house.notifications import Arrived, MailBox, NotifyHouse, Ntfy
from tests.rigs.wait import deaf_port, free_port, until

pytest.importorskip("apprise")
smtp = pytest.importorskip("aiosmtpd.controller")
HOUR_S = 3600


@pytest.fixture
def ntfy():
    with Ntfy() as ntfy:
        yield ntfy


def test_an_event_arrives_with_its_picture_where_the_household_says_so(tmp_path, ntfy):
    with NotifyHouse(tmp_path, {"Mai": ntfy.url}, pictures=True) as house:
        event = house.happen(picture=True, zones=["lối đi"])
        until(lambda: ntfy.arrived)
        assert ntfy.arrived == [Arrived("secret-topic", "Movement at Cổng", ntfy.arrived[0].message,
                                        (house.folders.thumbs / f"gate-{event}.jpg").read_bytes(), "event.jpg")]
        assert ntfy.arrived[0].message.endswith("in lối đi.")
        assert house.ledger() == [{"to": "Mai", "service": "ntfy", "event": event, "events_n": 1, "picture": True}]


def test_without_that_word_no_picture_leaves_and_none_is_handed_out(tmp_path, ntfy):
    with NotifyHouse(tmp_path, {"Mai": ntfy.url}, language="vi") as house:
        house.happen(picture=True)
        until(lambda: ntfy.arrived)
        assert ntfy.arrived[0].title == "Chuyển động ở Cổng" and not ntfy.arrived[0].file
        assert "picture" not in house.ledger()[0]


def test_a_mail_arrives_with_its_picture(tmp_path):
    box = MailBox()
    server = smtp.Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    url = f"mailto://127.0.0.1:{server.port}?from=may@nha.example&to=mai@nha.example&smtp=127.0.0.1&mode=insecure"
    try:
        with NotifyHouse(tmp_path, {"Mail": url}, pictures=True) as house:
            event = house.happen(picture=True)
            mail = until(lambda: box.mails)[0]
            assert mail["subject"] == "Movement at Cổng" and "mai@nha.example" in mail["to"]
            parts = list(mail.iter_attachments())
            assert [part.get_content() for part in parts] == [
                (house.folders.thumbs / f"gate-{event}.jpg").read_bytes()]
            assert house.ledger()[0]["service"] == "mailto"
    finally:
        server.stop()


def test_what_comes_meanwhile_is_summed_when_the_pause_is_over(tmp_path, ntfy):
    with NotifyHouse(tmp_path, {"Mai": ntfy.url}, at_most_every_min=10) as house:
        house.happen()
        until(house.is_told)
        for camera in ("gate", "yard", "gate", "gate"):
            house.later(60)
            house.happen(camera)
        house.later(5 * 60)
        house.later(60)
        until(lambda: len(ntfy.arrived) == 2)
        assert "3 more since" in ntfy.arrived[1].message and "Cổng 2, yard 1" in ntfy.arrived[1].message
        assert [row["events_n"] for row in house.ledger()] == [1, 4]


def test_a_network_that_was_away_for_hours_brings_one_message_and_not_many_late_ones(tmp_path, ntfy):
    ntfy.close()
    with NotifyHouse(tmp_path, {"Mai": ntfy.url}, at_most_every_min=1) as house:
        house.happen()
        until(lambda: house.fault == "unreachable")
        for _ in range(30):
            house.later(120)
            house.happen()
        house.later(2 * HOUR_S)
        until(lambda: (house.later(1), house.ledger()[-1]["events_n"] == 31)[1], "a try with all of them")
        ntfy.open()
        until(lambda: (house.later(1), ntfy.arrived)[1])
        until(lambda: not house.fault)
        assert [each.title.partition(" from ")[0] for each in ntfy.arrived] == ["31 events"]
        house.later(HOUR_S)
        house.happen()
        until(lambda: len(ntfy.arrived) == 2)
        assert ntfy.arrived[1].title == "Movement at Cổng" and "more" not in ntfy.arrived[1].message


def test_places_hear_of_what_they_want_and_one_that_fails_holds_up_no_other(tmp_path, ntfy):
    urls = {"Deaf": f"ntfy://127.0.0.1:{deaf_port()}/topic", "Odd": "nonsense", "Mai": ntfy.url}
    with NotifyHouse(tmp_path, urls, cameras=["yard"]) as house:
        house.happen("gate")
        house.happen("yard")
        until(lambda: ntfy.arrived)
        until(lambda: {name: state.fault for name, state in notify.states(house.db).items()}
              == {"Deaf": "unreachable", "Odd": "bad_address", "Mai": ""})
        assert [each.title for each in ntfy.arrived] == ["Movement at yard"]
        assert house.fault == "unreachable"


def test_a_link_that_is_killed_in_the_middle_loses_no_event(tmp_path, ntfy):
    (tmp_path / "url").write_text(ntfy.url)
    more = (f'[[camera]]\nname = "gate"\nsource = "file:/a.mp4"\n'
            f'[[notify]]\nname = "Mai"\nurl_file = "{tmp_path}/url"\nat_most_every_min = 1\n')
    with LinkRig(tmp_path / "link", deaf_port(), more=more) as rig:
        folders, settings = Folders(tmp_path / "link/store"), load(rig.config)
        runtime.own(rig.runtime, "keeper")
        desk = DecisionDesk(folders, rig.clock, WardSignature(settings, folders), SetupFolders.beside(rig.runtime))
        with contextlib.closing(desk.open(rig.runtime)):
            until(lambda: "Mai" in notify.states(rig.db))
            ntfy.hold.clear()
            first = _happen(rig)
            until(lambda: len(ntfy.arrived) == 1)
            rig.kill()                  # the phone has it, and the link does not know
            second = _happen(rig)
            ntfy.hold.set()
            rig.start()
            until(lambda: notify.states(rig.db)["Mai"].progress.after_id == second)
            assert [each.message.count("Thêm 1 sự kiện") for each in ntfy.arrived] == [0, 1] and second == first + 1
            rig.kill()
            rig.start()
            third = _happen(rig)        # comes when the minute is over, and nothing comes again
            until(lambda: notify.states(rig.db)["Mai"].progress.after_id == third)
            assert len(ntfy.arrived) == 3 and "Thêm" not in ntfy.arrived[2].message


def _happen(rig: LinkRig) -> int:
    with transaction(rig.db):
        event = events.open_row(rig.db, "gate", "motion", rig.clock.now())
        events.end(rig.db, event, 1000)
    rig.outlet.send(Poke(what="outbox"), "link")
    return event


def test_a_place_that_is_new_hears_of_nothing_that_was(tmp_path, ntfy):
    house = NotifyHouse(tmp_path, {"Mai": ntfy.url})
    with transaction(house.db):
        old = events.open_row(house.db, "gate", "motion", house.clock.now())
    with house:
        assert notify.states(house.db)["Mai"].progress.after_id == old and not ntfy.arrived
        notify.forget_others(house.db, {"Ba"})
        assert not notify.states(house.db)


@pytest.mark.parametrize(("status", "fault"), [(403, "refused"), (429, "failed"), (500, "failed")])
def test_what_a_service_answers_is_told_without_the_address(ntfy, capfd, status, fault):
    ntfy.status = status
    message = SendNotification(url=ntfy.url, title="t", body="b", jpeg=b"\xff\xd8")
    assert send.send(message) == NotificationSent(fault=fault, status=status)
    told = capfd.readouterr()
    assert "right-horse" not in told.out + told.err and "secret-topic" not in told.out + told.err


def test_a_mail_server_that_does_not_let_us_in_refuses():
    said = 'Connection error while submitting email to "h"\nSocket Exception: (535, b"no")'
    assert send.judged(said) == NotificationSent(fault="refused", status=535)
    assert send.judged("Unsupported").fault == "failed"


def test_without_apprise_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "apprise", None)
    message = SendNotification(url="ntfys://ntfy.sh/t", title="t", body="b")
    assert send.deliver(message) == NotificationSent(fault="not_installed")


def test_a_service_that_hangs_is_given_up(ntfy, monkeypatch):
    monkeypatch.setattr(send, "PATIENCE_S", 4.0)
    ntfy.hold.clear()
    assert send.send(SendNotification(url=ntfy.url, title="t", body="b")).fault == "unreachable"
