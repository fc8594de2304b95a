"""A camera that stays dead, over processes and restarts of the machine; and root, who gives only what it may."""
import errno
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agent.cameras import SourceError, SourceStuck
from agent.capture.main import EXIT_STUCK, serve
from agent.config.settings import Camera, Recovery, Settings
from agent.core.media.model import Packet
from agent.core.recovery import HEALTHY_AFTER_S, PATIENCE_S, REBOOT_AGAIN_MS, REBOOT_UP_MS, Reboots, Step
from agent.host import rescue
from agent.host.files import Lock
from agent.host.stop import Stop
from agent.privileged import rescue as root
from agent.process.heartbeat import Heartbeat
from agent.process.orders import Reload
from agent.process.role import Role
from agent.store import pause, restarts
from agent.store.folders import Folders
from tests.capture.camera_sets import Shift, shift
from tests.conftest import HandClock
from tests.rigs.cameras.h264 import movie
from tests.rigs.wait import HANG_S, until

DAY_S = REBOOT_AGAIN_MS / 1000
STEP_S = 50.0           # of time passing by hand; a pump that begins no attempt within a minute counts as hanging
CAMERA = Camera(name="gate", source="v4l2:/dev/video0")


class Device:
    """What the USB camera does; it plays the part of the kernel's, for there is none."""

    gives = False                   # pictures, when told so
    sticks = False                  # does not come back
    encoder = ""                    # what encodes its pictures

    def __init__(self, *_: object) -> None: ...

    def run(self, sink: object, stop: Stop) -> None:
        info, packets = movie()
        sink.stream(replace(info, encoder=Device.encoder))
        if Device.sticks:
            raise SourceStuck("camera_no_frames", "video0: does not close")
        while Device.gives and not stop.wait(0.01):
            sink.packet(Packet(packets[0].data, 0, 0, True))
        if not stop.is_set():
            raise SourceError("camera_no_frames", "video0: gives nothing")


@pytest.fixture(autouse=True)
def device(monkeypatch: pytest.MonkeyPatch) -> type[Device]:
    """A USB camera that is there and sends nothing."""
    monkeypatch.setattr("agent.cameras.v4l2.V4l2Source", Device)
    monkeypatch.setattr(Device, "gives", False)
    monkeypatch.setattr(Device, "sticks", False)
    monkeypatch.setattr(Device, "encoder", "")
    for wait in ("FIRST_WAIT_S", "LONGEST_WAIT_S"):         # the pump waits in real time
        monkeypatch.setattr(f"agent.capture.pump.{wait}", 0.005)
    return Device


@pytest.fixture
def clock(hand_clock: HandClock) -> HandClock:
    """Of a machine that has been up for a while."""
    hand_clock.mono = REBOOT_UP_MS / 1000 + 1
    return hand_clock


def work(made: Shift) -> Shift:
    """The camera_set with its camera open."""
    made.obey(CAMERA)
    made.until(lambda facts: facts["gate"].reopens_n, "opened")
    return made


def let_pass(made: Shift, clock: HandClock, seconds: float) -> Step | None:
    """Let time pass by hand, with an attempt of the pump now and then; ends with the first step that is taken."""
    until_mono_s = clock.mono + seconds
    while clock.mono < until_mono_s:
        tried_n = made.camera_set.facts()[0].reopens_n
        clock.advance(min(STEP_S, until_mono_s - clock.mono))
        if step := made.camera_set.tick():
            return step
        until(lambda tried_n=tried_n: made.camera_set.facts()[0].reopens_n > tried_n + 1, "another attempt")
    return None


def life(place: Path, clock: HandClock, patience_s: float, **changes: object) -> Step:
    """One process in which the camera stays dead until a step is taken: after `patience_s`, and not before."""
    with shift(place, clock, **changes) as made:
        work(made)
        assert let_pass(made, clock, patience_s - 1) is None
        clock.advance(1.5)
        return made.next_step()


def revive(place: Path, clock: HandClock) -> None:
    """A process in which the camera has a lasting picture."""
    Device.gives, began_mono_s = True, clock.mono
    with shift(place, clock) as made:
        made.obey(CAMERA)
        made.until(lambda facts: facts["gate"].state == "ok", "a picture")
        past = restarts.camera_file(made.folders, "gate")
        made.until(lambda facts: clock.advance(5) or facts["gate"].ladder is None and restarts.load_reboots(past).seen,
                   "well")
        assert clock.mono - began_mono_s >= HEALTHY_AFTER_S
    Device.gives = False


def asked(place: Path) -> list[str]:
    """What root is asked for; it is gone after this."""
    found = sorted((place / "ask").iterdir())
    for path in found:
        path.unlink()
    return [path.name for path in found]


def test_step_by_step_to_a_restart_of_the_machine_and_on_after_it(tmp_path: Path, clock: HandClock):
    revive(tmp_path, clock)
    taken = [life(tmp_path, clock, PATIENCE_S[0]), life(tmp_path, clock, PATIENCE_S[1])]
    assert taken == [Step.PROCESS, Step.PROCESS] and asked(tmp_path) == []
    assert life(tmp_path, clock, PATIENCE_S[2]) is Step.DRIVER and asked(tmp_path) == ["driver.gate"]
    assert life(tmp_path, clock, PATIENCE_S[3]) is Step.REBOOT and asked(tmp_path) == ["reboot.gate"]
    clock.boot, clock.mono = "0b007002", REBOOT_UP_MS / 1000 + 1
    with shift(tmp_path, clock) as made:
        facts = work(made).facts()["gate"]
        assert (facts.ladder, facts.ladder_n) == ("reboot", 1)
    life(tmp_path, clock, PATIENCE_S[0])
    life(tmp_path, clock, PATIENCE_S[1])
    assert life(tmp_path, clock, PATIENCE_S[2]) is Step.DRIVER
    asked(tmp_path)
    with shift(tmp_path, clock) as made:
        facts = work(made).facts()["gate"]              # a day has not passed: there is no further step
        assert (facts.ladder, facts.ladder_n) == ("spent", 3)
        assert let_pass(made, clock, 3500) is None      # nor is there a loop
        clock.advance(DAY_S)
        assert made.next_step() is Step.REBOOT and asked(tmp_path) == ["reboot.gate"]


def test_a_lasting_picture_takes_it_back_to_the_ground(tmp_path: Path, clock: HandClock):
    revive(tmp_path, clock)
    for patience_s in PATIENCE_S[:3]:
        life(tmp_path, clock, patience_s)
    revive(tmp_path, clock)
    assert life(tmp_path, clock, PATIENCE_S[0]) is Step.PROCESS


def test_a_camera_that_never_worked_here_restarts_no_machine(tmp_path: Path, clock: HandClock):
    taken = [life(tmp_path, clock, patience_s) for patience_s in PATIENCE_S[:3]]
    assert taken == [Step.PROCESS, Step.PROCESS, Step.DRIVER]
    assert life(tmp_path, clock, 3600) is Step.PROCESS


def test_what_the_settings_forbid_is_not_asked_for(tmp_path: Path, clock: HandClock):
    revive(tmp_path, clock)
    no = Recovery(driver_reload=False, reboot=False)
    for patience_s in (*PATIENCE_S[:2], 3600):
        assert life(tmp_path, clock, patience_s, recovery=no) is Step.PROCESS
    assert asked(tmp_path) == []


def test_a_camera_that_holds_its_process_is_a_step_at_once(tmp_path: Path, clock: HandClock):
    Device.sticks = True
    with shift(tmp_path, clock) as made:
        made.obey(CAMERA)
        assert made.next_step() is Step.PROCESS and made.stuck_n == 0


def test_a_process_that_was_killed_while_it_hung_has_its_step_taken_by_the_next(tmp_path: Path, clock: HandClock):
    revive(tmp_path, clock)
    for patience_s in PATIENCE_S[:2]:
        life(tmp_path, clock, patience_s)
    with shift(tmp_path, clock) as made:
        work(made)
        left = (tmp_path / "capture/gate.ladder").read_bytes()
    (tmp_path / "capture/gate.ladder").write_bytes(left)        # as if it had not come to its end
    clock.advance(30)
    Device.sticks = True                                # nobody opens it before
    with shift(tmp_path, clock) as made:
        made.obey(CAMERA)
        assert made.camera_set.tick() is Step.DRIVER
    assert asked(tmp_path) == ["driver.gate"]


def test_an_encoder_that_is_gone_has_the_machine_restarted_in_the_night_and_the_camera_goes_on(
        tmp_path: Path, clock: HandClock, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Asia/Ho_Chi_Minh")
    time.tzset()
    clock.wall_ms = 1_795_000_000_000 // 86_400_000 * 86_400_000 - 4 * 3_600_000       # 3:00 there
    Device.encoder = "v4l2"
    revive(tmp_path, clock)
    Device.encoder, Device.gives = "x264 superfast", True
    with shift(tmp_path, clock) as made:
        made.obey(CAMERA)
        made.until(lambda facts: facts["gate"].encoder == "x264 superfast", "a picture")
        assert asked(tmp_path) == []
        clock.wall_ms += 600_000
        assert made.next_step() is Step.REBOOT and asked(tmp_path) == ["reboot.gate"]
    with shift(tmp_path, clock) as made:                # root has refused: nothing loops
        made.obey(CAMERA)
        made.until(lambda facts: facts["gate"].encoder == "x264 superfast", "a picture")
        assert made.camera_set.tick() is None


def full_card(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_restart_that_can_not_be_remembered_is_not_asked_for(tmp_path: Path, clock: HandClock, monkeypatch):
    revive(tmp_path, clock)
    for patience_s in PATIENCE_S[:3]:
        life(tmp_path, clock, patience_s)
    asked(tmp_path)
    monkeypatch.setattr(restarts, "write_durably", full_card)
    assert life(tmp_path, clock, PATIENCE_S[3]) is Step.REBOOT and asked(tmp_path) == []


def test_a_pause_is_no_silence(tmp_path: Path, clock: HandClock):
    with shift(tmp_path, clock) as made:
        work(made)
        pause.put(made.folders, None, None, "page", clock.now())
        made.until(lambda facts: facts["gate"].state == "paused", "paused")
        clock.advance(7200)
        assert made.camera_set.tick() is None
        pause.lift(made.folders, None, clock.now())
        made.until(lambda facts: facts["gate"].state == "retrying", "resumed, and no step taken")


def test_the_process_ends_with_70_after_a_step(tmp_path: Path, clock: HandClock):
    folders, runtime = Folders(tmp_path / "store").create(), tmp_path / "run"
    runtime.mkdir()
    config = tmp_path / "taimat.toml"
    heart = Heartbeat("capture", "capture@gate", runtime, clock)
    role = Role(Settings(camera=[CAMERA]), None, folders, runtime, clock, heart, Stop())
    role.lock = Lock(folders.lock("capture@gate"))
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(serve(role, config, "gate", Reload())))
    thread.start()
    until((runtime / "capture/gate.ladder").exists, "the camera is opened")
    until(lambda: clock.advance(1) or codes, "the end")
    thread.join(HANG_S)
    assert codes == [EXIT_STUCK]


# Root's side.

@pytest.fixture
def usb(tmp_path: Path) -> Path:
    """A kernel's /sys with a webcam on USB; its driver hears what is written to it."""
    device, driver = tmp_path / "sys/devices/usb1/1-1/1-1:1.0", tmp_path / "sys/bus/usb/drivers/uvcvideo"
    for folder in (device, driver, tmp_path / "sys/class/video4linux"):
        folder.mkdir(parents=True)
    (device.parent / "authorized").write_text("1")
    (device / "driver").symlink_to(driver)
    for name in ("video0", "video1"):           # one camera has several nodes
        (device / "video4linux" / name).mkdir(parents=True)
        (device / "video4linux" / name / "device").symlink_to(device)
        (tmp_path / "sys/class/video4linux" / name).symlink_to(device / "video4linux" / name)
    return tmp_path / "sys"


def add_csi(kernel: Path, name: str) -> Path:
    """A camera port of a Pi."""
    device, driver = kernel / "devices/platform" / name, kernel / "bus/platform/drivers/unicam"
    device.mkdir(parents=True)
    driver.mkdir(parents=True, exist_ok=True)
    (device / "driver").symlink_to(driver)
    node = kernel / "class/video4linux" / f"video-{name}"
    node.mkdir()
    (node / "device").symlink_to(device)
    return driver


def test_the_driver_is_taken_from_the_one_camera_and_given_back_once_a_boot(
        usb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ran: list[str] = []
    plug = next(usb.glob("devices/usb1/1-1/authorized"))
    words = watch_writes(monkeypatch)
    root.reload_driver(CAMERA, usb, tmp_path, lambda command: ran.append(" ".join(command)))
    unit = "taimat-capture@gate.service"
    assert ran == [f"systemctl stop {unit}", f"systemctl start --no-block {unit}"]
    assert words == [(plug, "0"), (plug, "1")]
    with pytest.raises(root.RescueRefused, match="already"):
        root.reload_driver(CAMERA, usb, tmp_path, lambda command: ran.append(" ".join(command)))
    assert len(ran) == 2


def watch_writes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, str]]:
    """The writes to /sys, in their order; a real one is gone once it is done."""
    seen: list[tuple[Path, str]] = []
    monkeypatch.setattr(root, "APART_S", 0.0)
    monkeypatch.setattr(Path, "write_text", lambda self, text: seen.append((self, text)))
    return seen


def test_a_pi_camera_is_bound_anew_but_only_where_it_is_the_only_one(
        usb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pi = Camera(name="door", source="picamera:0")
    with pytest.raises(root.RescueRefused, match="0 devices"):
        root.find_device(pi, usb)
    driver = add_csi(usb, "fe801000.csi")
    device = root.find_device(pi, usb)
    words = watch_writes(monkeypatch)
    root.rebind(device)
    assert [(path.resolve().parent, path.name, text) for path, text in words] == [
        (driver, "unbind", "fe801000.csi"), (driver, "bind", "fe801000.csi")]
    monkeypatch.undo()
    add_csi(usb, "fe800000.csi")
    with pytest.raises(root.RescueRefused, match="2 devices"):
        root.find_device(pi, usb)


def test_a_device_of_another_driver_is_not_touched(usb: Path):
    link = next(usb.glob("devices/usb1/1-1/1-1:1.0/driver"))
    link.unlink()
    link.symlink_to(usb / "bus/usb/drivers/usb-storage")
    with pytest.raises(root.RescueRefused, match="0 devices with the driver uvcvideo"):
        root.find_device(CAMERA, usb)


def test_root_counts_for_itself_when_the_machine_may_restart(tmp_path: Path, clock: HandClock):
    record, ran = tmp_path / "reboots.json", []
    clock.mono = REBOOT_UP_MS / 1000 - 1
    with pytest.raises(root.RescueRefused, match="only just started"):
        root.reboot(record, clock, ran.append)
    clock.advance(2)
    root.reboot(record, clock, ran.append)
    clock.boot = "0b007002"
    with pytest.raises(root.RescueRefused, match="within 24 hours"):
        root.reboot(record, clock, ran.append)
    assert ran == [["systemctl", "reboot"]]
    record.write_text("{")
    with pytest.raises(root.RescueRefused, match="can't be read"):
        root.reboot(record, clock, ran.append)


@pytest.mark.parametrize(("what", "name", "settings"), [
    ("reboot", "gate", Settings(camera=[CAMERA], recovery=Recovery(reboot=False))),
    ("driver", "gate", Settings(camera=[CAMERA], recovery=Recovery(driver_reload=False))),
    ("driver", "gate", Settings(camera=[Camera(name="gate", source="rtsp://h/1")])),
    ("driver", "gate", Settings(camera=[Camera(name="gate", source="picamera:0", enabled=False)])),
    ("driver", "../../etc", Settings(camera=[CAMERA])),
])
def test_only_cameras_on_this_machine_that_the_settings_name(what: str, name: str, settings: Settings):
    with pytest.raises(root.RescueRefused):
        root.permitted(settings, what, name)
    assert root.permitted(Settings(camera=[CAMERA]), what, "gate") is CAMERA


def test_a_request_counts_if_it_is_a_fresh_plain_file_of_the_folder_s_owner(tmp_path: Path, clock: HandClock):
    now = clock.now()
    rescue.ask(tmp_path, "driver", "gate", now)
    rescue.ask(tmp_path, "reboot", "gate", now)
    (tmp_path / "secret").write_text(f"{now.boot} {now.mono_ms}")
    (tmp_path / "driver.link").symlink_to(tmp_path / "secret")
    (tmp_path / "driver.folder").mkdir()
    os.mkfifo(tmp_path / "driver.pipe")
    for name, text in (("other-boot", f"0b00ffff {now.mono_ms}"), ("old", f"{now.boot} {now.mono_ms - 60_001}"),
                       ("future", f"{now.boot} {now.mono_ms + 1}"), ("junk", "\xff"), ("empty", ""),
                       ("long", f"{now.boot} " + "9" * 5000)):
        (tmp_path / f"driver.{name}").write_text(text, encoding="latin-1")
    if os.geteuid() == 0:
        (tmp_path / "driver.stranger").write_text(f"{now.boot} {now.mono_ms}")
        os.chown(tmp_path / "driver.stranger", 1234, -1)
    assert rescue.collect(tmp_path, "driver", now) == ["gate"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["reboot.gate", "secret"]


def test_a_file_that_can_not_be_read_allows_no_restart_until_the_camera_is_well(folders: Folders, clock: HandClock):
    restarts.camera_file(folders, "gate").write_text("{")
    past = restarts.load_reboots(restarts.camera_file(folders, "gate"))
    clock.advance(10 * DAY_S)
    assert not past.may_again(clock.now()) and past.picture().may_again(clock.now())
    assert restarts.load_reboots(folders.root / "none") == Reboots()
