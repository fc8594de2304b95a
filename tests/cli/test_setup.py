"""A run of root's helper on real files, with a real desk: changes, the code on the screen, the code from the card.

Here no systemd answers it, which it says and goes on. With one: tests/systemd/test_setup_boot.py.
"""
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config.load import load
from agent.config.settings import Settings
from agent.core.contract.setup import (
    AddCamera,
    ChangeCamera,
    Changes,
    LocalCamera,
    PairingState,
    RemoveCamera,
    RemoveNotify,
    SetDevice,
    SetHome,
    SetNotify,
    SetupResult,
    UndoChange,
)
from agent.core.household import access
from agent.host.clock import SystemClock
from agent.host.setup_folders import SetupFolders
from agent.keeper.desk import DecisionDesk
from agent.keeper.ward_signature import WardSignature
from agent.privileged.setup.main import Setup
from agent.privileged.setup.notice import CODE_FILE, NOTE_FILE, NoticePlaces, read_code
from agent.store.database import connect
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders

CARD = "36 25 179:1 / {} rw - vfat /dev/mmcblk0p1 rw\n"
CODE = "7K2MQ9XD"


class Place:
    """A device's folders, made up."""

    def __init__(self, root: Path) -> None:
        self.root, self.config, self.runtime = root, root / "etc/taimat.toml", root / "run"
        self.notice = NoticePlaces(root / "issue.d/taimat.issue", root / "bell", root / "boot", root / "mounts")
        for folder in ("etc", "run/setup", "run-setup", "issue.d", "boot", "sys/class/video4linux", "dev"):
            (root / folder).mkdir(parents=True)
        self.notice.mounts.write_text(CARD.format(self.notice.boot))
        self.notice.bell.touch()
        self.doors = SetupFolders.beside(self.runtime)
        self.clock = SystemClock()

    def run(self) -> int:
        return Setup(self.config, self.runtime, self.root / "sys", self.root / "dev", self.notice, self.clock).run()

    def ask(self, change: Changes) -> str:
        now = self.clock.now()
        change_id = self.doors.new_id(now)
        self.doors.ask(change_id, change, now)
        return change_id


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_first_run_makes_a_configuration_and_a_second_one_leaves_it(place: Place):
    sensor = place.root / "sys/class/video4linux/v4l-subdev0"
    sensor.mkdir()
    (sensor / "name").write_text("imx219 10-0010\n")
    assert place.run() == 0
    assert [camera.source for camera in load(place.config).camera] == ["picamera:0"]
    (seen,) = place.doors.found().cameras
    assert seen == LocalCamera(kind="picamera", source="picamera:0", title="Raspberry Pi Camera Module 2",
                               detail="imx219 10-0010", camera="raspberry-pi-camera-modu")
    place.config.write_text("# mine\n")
    assert place.run() == 0 and place.config.read_text() == "# mine\n"
    place.config.unlink()
    place.run()
    assert not place.config.exists()        # it was there once: whoever removed it is not given another one


def test_several_changes_at_once_are_all_made_and_one_that_can_not_be_is_told(place: Place):
    place.run()
    asked = [place.ask(change) for change in (
        AddCamera(name="cong", title="Cổng trước", source="rtsp://me:geheim@192.168.1.20/1"), SetDevice(title="Nhà"),
        ChangeCamera(name="bep", enabled=False), ChangeCamera(name="cong", enabled=False))]
    assert place.run() == 0
    results = [place.doors.result(each) for each in asked]
    assert [each.done for each in results] == [True, True, False, True]
    assert results[2] == SetupResult(id=asked[2], done=False, problem="unknown_camera",
                                     detail="no camera of the configuration is called bep")
    settings = load(place.config)
    assert settings.device.title == "Nhà" and [(each.label, each.enabled) for each in settings.camera] == [
        ("Cổng trước", False)]
    assert oct(place.config.stat().st_mode)[-3:] == "640"


def test_with_a_broken_file_the_last_good_one_counts_and_nothing_is_written(place: Place):
    place.run()
    broken = place.config.read_text().replace('"vi"', '"vi')
    place.config.write_text(broken)
    asked = place.ask(SetDevice(title="Nhà"))
    assert place.run() == 78
    told = place.doors.result(asked)
    assert (told.problem, place.config.read_text()) == ("broken_file", broken) and "taimat.toml:7:" in told.detail
    assert not json.loads((place.runtime / "setup/found.json").read_text())["cameras"]


def test_the_newest_change_is_undone_and_the_undoing_too(place: Place):
    place.config.write_text('# ông Tư gắn\n[[camera]]\nname = "gate"   # cổng\nsource = "rtsp://me:geheim@192.168.1.2/1"\n')
    place.run()
    assert place.doors.last() is None
    before = place.config.read_text()
    place.ask(SetDevice(title="Nhà"))
    place.run()
    titled = place.config.read_text()
    removed = place.ask(RemoveCamera(name="gate"))
    place.run()
    last = place.doors.last()
    assert (last.id, last.what, last.camera) == (removed, "remove_camera", "gate")
    (kept,) = place.config.parent.glob("*.before")
    assert oct(kept.stat().st_mode)[-3:] == "600" and "geheim" not in (place.runtime / "setup/last.json").read_text()
    undone = place.ask(UndoChange(of=removed))
    place.run()
    assert place.doors.result(undone).done and place.config.read_text() == titled != before
    assert place.doors.last().undoes == removed
    place.ask(UndoChange(of=undone))
    place.run()
    assert load(place.config).camera == []


def test_a_broker_s_password_is_in_a_file_of_root_s_and_nowhere_else(place: Place):
    place.run()
    first = place.ask(SetHome(enabled=True, host="192.168.1.5", user="taimat", password="geheim-1"))
    place.run()
    assert place.doors.result(first).done
    (secret,) = place.config.parent.glob("home.password.*")
    home = load(place.config).home
    assert (home.password_file, secret.read_text()) == (str(secret), "geheim-1")
    assert oct(secret.stat().st_mode)[-3:] == "640" and "geheim" not in place.config.read_text()
    assert place.doors.last().keys == ["enabled", "host", "password", "user"]
    second = place.ask(SetHome(password="geheim-2"))
    place.run()
    refused = place.ask(SetHome(host="not a host", password="geheim-3"))
    place.run()
    assert place.doors.result(refused).problem == "not_valid"
    other = Path(load(place.config).home.password_file)
    assert {path.read_text() for path in place.config.parent.glob("home.password.*")} == {"geheim-1", "geheim-2"}
    place.ask(UndoChange(of=second))
    place.run()
    assert Path(load(place.config).home.password_file).read_text() == "geheim-1"
    gone = place.ask(SetHome(enabled=False, user="", password=""))
    place.run()
    assert place.doors.result(gone).done and load(place.config).home.password_file == ""
    place.ask(SetDevice(title="Nhà"))
    place.run()
    assert not other.exists() and not list(place.config.parent.glob("home.password.*"))
    told = "".join(path.read_text() for path in (place.runtime / "setup").iterdir())
    assert "geheim" not in told


def test_a_phone_s_address_is_in_a_file_of_root_s_as_long_as_the_phone_is_there(place: Place):
    place.run()
    added = place.ask(SetNotify(name="Mai", url="ntfys://h/secret-1", pictures=True))
    place.run()
    assert place.doors.result(added).done
    mai = load(place.config).notify[0]
    assert mai.pictures and Path(mai.url_file).read_text() == "ntfys://h/secret-1"
    assert oct(Path(mai.url_file).stat().st_mode)[-3:] == "640" and "secret" not in place.config.read_text()
    assert place.doors.last().what == "notify" and place.doors.last().keys == ["pictures", "url"]
    place.ask(SetNotify(name="Mai", url="ntfys://h/secret-2", at_most_every_min=15))
    place.run()
    mai = load(place.config).notify[0]
    assert (mai.pictures, mai.at_most_every_min, Path(mai.url_file).read_text()) == (True, 15, "ntfys://h/secret-2")
    removed = place.ask(RemoveNotify(name="Mai"))
    place.run()
    assert load(place.config).notify == [] and Path(mai.url_file).exists(), "for it can be put back"
    place.ask(UndoChange(of=removed))
    place.run()
    assert load(place.config).notify == [mai]
    place.ask(RemoveNotify(name="Mai"))
    place.run()
    unknown = place.ask(RemoveNotify(name="Mai"))
    place.ask(SetDevice(title="Nhà"))
    place.run()
    assert place.doors.result(unknown).problem == "unknown_notify"
    assert not list(place.config.parent.glob("notify.url.*"))
    assert "secret" not in "".join(path.read_text() for path in (place.runtime / "setup").iterdir())


def test_what_an_editor_has_changed_since_is_not_undone(place: Place):
    place.run()
    asked = place.ask(SetDevice(title="Nhà"))
    place.run()
    edited = place.config.read_text() + "# mine\n"
    place.config.write_text(edited)
    undone = place.ask(UndoChange(of=asked))
    place.run()
    assert place.doors.result(undone).problem == "not_last" and place.config.read_text() == edited
    assert place.doors.last() is None
    other = place.ask(UndoChange(of="0" * 20))
    place.run()
    assert place.doors.result(other).problem == "not_last"


@pytest.fixture
def own(place: Place, tmp_path: Path) -> Iterator[object]:
    """The keeper's own database, with its desk open."""
    folders = Folders(tmp_path / "store").create()
    connect(folders.root).close()
    server = DecisionDesk(folders, place.clock, WardSignature(Settings(), folders), place.doors).open(place.runtime)
    db = decisions.connect(folders)
    yield db
    db.close()
    server.close()


def test_the_code_is_shown_until_a_browser_is_paired(place: Place):
    place.run()
    place.doors.show_pairing(PairingState(code=CODE))
    place.run()
    screen, note = place.notice.screen, place.notice.boot / NOTE_FILE
    assert "7K2M-Q9XD" in screen.read_text() and ".local" in screen.read_text() and screen.read_text().isascii()
    assert "mã ghép / enter the pairing code:  7K2M-Q9XD\r\n" in note.read_bytes().decode()
    assert oct(screen.stat().st_mode)[-3:] == "600"
    before = screen.stat().st_mtime_ns, note.stat().st_mtime_ns
    place.run()
    assert before == (screen.stat().st_mtime_ns, note.stat().st_mtime_ns)       # the card is written once
    place.doors.show_pairing(PairingState(code=""))
    place.run()
    assert not screen.exists() and not note.exists()


def test_no_file_is_laid_where_no_card_is(place: Place):
    place.run()
    place.notice.mounts.write_text(CARD.format("/elsewhere"))
    place.doors.show_pairing(PairingState(code=CODE))
    place.run()
    assert place.notice.screen.exists() and not list(place.notice.boot.iterdir())


def test_a_code_from_the_card_is_the_first_code_and_is_removed(place: Place, own):
    place.run()
    place.doors.show_pairing(PairingState(code=browsers.code_to_show(own)))
    (place.notice.boot / CODE_FILE).write_text(" 7k2m-q9xd\r\n")
    place.run()
    assert browsers.pairing_code(own) == CODE and not (place.notice.boot / CODE_FILE).exists()


def test_a_code_from_the_card_comes_too_late_after_any_pairing(place: Place, own, tmp_path: Path):
    place.run()
    db = connect(tmp_path / "store")
    browsers.pair(own, db, "phone", place.clock.now())
    browsers.unpair(own, db, "", place.clock.now())
    db.close()
    code = browsers.code_to_show(own)
    place.doors.show_pairing(PairingState(code=code))
    (place.notice.boot / CODE_FILE).write_text(CODE)
    place.run()
    assert browsers.pairing_code(own) == code != CODE and not (place.notice.boot / CODE_FILE).exists()


@pytest.mark.parametrize("text", ["", "7K2M", "7K2M-Q9XU", "00000000", "ABABABAB", "x" * 5000, "7K2MQ9XD7K2MQ9XD"])
def test_what_is_no_code_is_not_taken_for_one(tmp_path: Path, text: str):
    (tmp_path / CODE_FILE).write_text(text)
    with pytest.raises(ValueError, match="takes 8 characters"):
        read_code(tmp_path / CODE_FILE)


def test_a_code_may_be_written_as_people_read_it(tmp_path: Path):
    (tmp_path / CODE_FILE).write_text("ok2m q9xl\n")
    assert read_code(tmp_path / CODE_FILE) == access.tidy("0K2M-Q9X1")
