"""From a bundle on the boot partition to a certificate in force: root's two helpers on real files, and a ward's doors.

With a systemd: tests/systemd/test_two_machines.py.
"""
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from agent.cli.doctor import broker as doctor
from agent.config.load import load
from agent.core.contract.enrolment import BUNDLE_FILE, RefusalCode, RenewAsk
from agent.host.ward_folder import KEY, WardFolder, shown
from agent.mqtt import credentials
from agent.privileged.enrol.door import TEXTS
from agent.privileged.setup.enrolment import NOTE_FILE
from tests.rigs.device.enrolling import Recorder, Talking
from tests.rigs.mqtt.broker import Broker, Tls
from tests.rigs.pki import Authority
from tests.rigs.wait import HANG_S, deaf_port
from tests.rigs.ward.door import CLAIM, WardDoor

OTHER_CLAIM = "Z" * 26


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path / "recorder")


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[WardDoor]:
    with WardDoor(tmp_path / "ward", broker_port=deaf_port()) as ward:
        yield ward


def test_each_refusal_has_its_remedy():
    assert TEXTS["refused"].keys() == set(get_args(RefusalCode))


def test_a_bundle_becomes_a_certificate_and_a_ward_in_the_configuration(recorder: Recorder, ward: WardDoor):
    recorder.config.write_text('# ông Tư gắn\n[device]\ntitle = "Nhà"   # của tôi\n')
    recorder.boot_with(ward.bundle(site="HH-07-0412", title="Máy 12"))
    assert not recorder.bundle.exists() and recorder.ward.claim.stat().st_mode & 0o777 == 0o600
    recorder.enrol()
    record = recorder.ward.record()
    assert (record.ward, record.called, record.join) == ("w07", "Phường Bến Nghé", False)
    assert CLAIM not in (recorder.ward.current / "enrolment.json").read_text()
    recorder.set_up()
    assert not recorder.ward.claim.exists() and "# ông Tư gắn" in recorder.config.read_text()
    settings = load(recorder.config)
    assert (settings.device.title, settings.device.site) == ("Nhà", "HH-07-0412")
    assert not settings.ward.enabled                # nothing is told to anybody: the household has not joined
    assert (settings.ward.ward, settings.ward.host, settings.ward.port) == ("w07", "127.0.0.1", deaf_port())
    known = credentials.load(settings.ward, "none")
    assert known.dev == record.dev and known.tls
    key = recorder.ward.current / KEY
    assert key.stat().st_mode & 0o777 == 0o640 and "PRIVATE" not in repr(ward.asks) + repr(ward.ready)
    assert not recorder.notice.screen.parent.joinpath("enrol").exists() and len(ward.asks) == 1
    recorder.enrol()
    assert len(ward.asks) == 1                      # what is there is not asked for again


def test_a_ward_s_own_camera_is_joined_by_its_bundle(recorder: Recorder, ward: WardDoor):
    recorder.boot_with(ward.bundle(join=True, title="Ngã tư"))
    recorder.enrol()
    recorder.set_up()
    settings = load(recorder.config)
    assert settings.ward.enabled and settings.device.title == "Ngã tư"


@pytest.mark.parametrize(("text", "why"), [
    ('v = 1\nward = w07\n', "at line 2"), ("v = 2", "$.v"),
    ('v = 1\nunknown = 1', "unknown"), ("x" * 40_000, "larger")])
def test_a_broken_bundle_is_left_and_told(recorder: Recorder, text: str, why: str):
    recorder.boot_with(text)
    assert recorder.bundle.read_text() == text and not recorder.ward.claim.exists()
    note = (recorder.boot / NOTE_FILE).read_bytes().decode()
    assert why in note and "taimat/enrol.toml" in note and "\r\n" in note


def test_a_bundle_of_another_ward_is_refused_and_one_of_the_same_is_taken(recorder: Recorder, ward: WardDoor):
    recorder.boot_with(ward.bundle())
    recorder.enrol()
    recorder.set_up()
    before = recorder.ward.record()
    recorder.boot_with(ward.bundle(ward="w08", claim=OTHER_CLAIM))
    assert "belongs to w07" in (recorder.boot / NOTE_FILE).read_text() and not recorder.ward.claim.exists()
    recorder.boot_with(ward.bundle())               # the same once more, as from a copied card: it is destroyed
    assert not recorder.bundle.exists() and not recorder.ward.claim.exists()
    assert not (recorder.boot / NOTE_FILE).exists()
    ward.used.clear()
    recorder.boot_with(ward.bundle(claim=OTHER_CLAIM))
    recorder.enrol()
    assert recorder.ward.record() == before         # its broker does not take the new one, so the old one stays


@pytest.mark.parametrize("code", ["claim_unknown", "claim_used", "claim_expired", "claim_revoked", "bad_csr"])
def test_a_refusal_is_told_and_not_asked_about_again(recorder: Recorder, ward: WardDoor, code: str):
    ward.refuses = code
    recorder.tries = 5
    recorder.boot_with(ward.bundle())
    recorder.enrol()
    told = shown(recorder.runtime)
    assert (told.step, told.code) == ("refused", code) and "Phường Bến Nghé" in told.detail
    assert len(recorder.waits) == 1 and recorder.ward.claim.exists() and recorder.ward.record() is None


def test_a_busy_ward_is_asked_again_ever_more_slowly_and_by_the_same_key(recorder: Recorder, ward: WardDoor):
    ward.refuses, recorder.tries = "busy", 4
    recorder.boot_with(ward.bundle())
    recorder.enrol()
    assert shown(recorder.runtime).step == "waiting" and recorder.waits == sorted(recorder.waits)
    key = (recorder.ward.path / "next" / KEY).read_bytes()
    ward.refuses, recorder.waits = "", []
    recorder.enrol()
    assert (recorder.ward.current / KEY).read_bytes() == key


def test_the_doctor_tells_how_far_it_is(recorder: Recorder, ward: WardDoor):
    def said() -> tuple[str, str]:
        verdict = doctor.examine_enrolment(recorder.config, recorder.runtime)
        return verdict.state, verdict.text

    recorder.set_up()
    assert not doctor.is_enrolling(recorder.config, recorder.runtime)
    ward.refuses = "claim_expired"
    recorder.boot_with(ward.bundle())
    assert doctor.is_enrolling(recorder.config, recorder.runtime) and said() == (
        "warn", "not enrolled yet: not tried since this boot")
    recorder.enrol()
    assert said()[0] == "bad" and "claim_expired: this claim is too old" in said()[1]
    ward.refuses, recorder.waits = "", []
    recorder.enrol()
    assert said()[0] == "warn" and "its claim still exists" in said()[1]
    recorder.set_up()
    state, text = said()
    assert state == "ok" and "Phường Bến Nghé (w07), certificate until 20" in text


@pytest.mark.parametrize(("name", "code"), [("another", "tls_unknown_ca"), ("ward-root", "tls_untrusted")])
def test_another_authority_than_the_card_s_is_not_believed(recorder: Recorder, ward: WardDoor, tmp_path: Path,
                                                           name: str, code: str):
    rogue = Authority(tmp_path / "rogue", name).ca.read_text()
    recorder.boot_with(ward.bundle(roots=rogue))
    recorder.enrol()
    assert not ward.asks and shown(recorder.runtime).code == code
    assert "made by this ward" in shown(recorder.runtime).detail


def test_a_clock_that_is_not_right_yet_is_told(recorder: Recorder, tmp_path: Path):
    with WardDoor(tmp_path / "ward", begins_days=1) as ward:
        recorder.boot_with(ward.bundle())
        recorder.enrol()
        assert (shown(recorder.runtime).code, "clock" in shown(recorder.runtime).detail) == ("tls_not_yet_valid", True)


def test_an_answer_that_is_none_of_this_recorder_s_is_not_taken(recorder: Recorder, ward: WardDoor):
    ward.calls = "c-000000000000"
    recorder.boot_with(ward.bundle())
    recorder.enrol()
    assert shown(recorder.runtime).code == "bad_grant" and recorder.ward.record() is None


def broker_of(ward: WardDoor, folder: Path) -> Broker:
    cert, key = ward.authority.issue("broker")
    return Broker(folder, tls=Tls(ward.authority.ca, cert, key, clients_ca=ward.authority.ca))


def test_a_certificate_is_renewed_at_two_thirds_and_the_old_one_stays_until_the_broker_takes_it(
        recorder: Recorder, ward: WardDoor, tmp_path: Path):
    with broker_of(ward, tmp_path / "broker") as broker:
        recorder.boot_with(ward.bundle(broker_port=broker.port))
        recorder.enrol()
        recorder.set_up()
        before = (recorder.ward.current / KEY).read_bytes()
        recorder.enrol(days=400)
        assert len(ward.asks) == 1                  # it is not time
        broker.stop()
        recorder.enrol(days=500)
        assert isinstance(ward.asks[-1], RenewAsk) and (recorder.ward.current / KEY).read_bytes() == before
        assert shown(recorder.runtime).step == "renewing"
        broker.start()
        recorder.enrol(days=500)
        assert (recorder.ward.current / KEY).read_bytes() != before
        assert credentials.load(load(recorder.config).ward, "none").dev == recorder.ward.record().dev
        assert len(list(recorder.ward.path.glob("2*"))) == 1        # of the old key nothing is left


def test_the_ward_hears_four_words_until_all_is_good_and_then_none(recorder: Recorder, ward: WardDoor, tmp_path: Path):
    recorder.config.write_text('[[camera]]\nname = "gate"\nsource = "file:/srv/gate.mp4"\n')
    with broker_of(ward, tmp_path / "broker") as broker:
        recorder.boot_with(ward.bundle(broker_port=broker.port))
        recorder.enrol(longest_s=1800)
        first = ward.ready[0]
        assert (first.camera, first.card, first.clock, first.broker) == (False, False, True, True)
        assert first.why == {"camera": "gate: its process is not heard", "card": "the keeper is not heard"}
        told_n = len(ward.ready)
        assert 25 <= told_n <= 31                   # half an hour, once a minute
        recorder.enrol()
        assert len(ward.ready) == told_n            # of one boot
        (recorder.runtime / "enrol/told").unlink()
        with Talking(recorder.runtime):
            recorder.enrol(longest_s=1800)
        assert ward.ready[-1].is_green and ward.ready[-1].why == {}
        (recorder.runtime / "enrol/told").unlink(missing_ok=True)
        told_n = len(ward.ready)
        recorder.enrol()
        assert len(ward.ready) == told_n


def test_what_begins_to_work_is_told_before_the_minute_is_over(recorder: Recorder, ward: WardDoor, tmp_path: Path):
    recorder.config.write_text('[[camera]]\nname = "gate"\nsource = "file:/srv/gate.mp4"\n')
    with broker_of(ward, tmp_path / "broker") as broker:
        recorder.boot_with(ward.bundle(broker_port=broker.port))
        with Talking(recorder.runtime, lambda: ward.ready):
            recorder.enrol(longest_s=1e6, every_s=1e6)
    assert not ward.ready[0].is_green and ward.ready[-1].is_green
    assert len(ward.ready) <= 3                     # the camera may be heard before the card


# Kills a recorder before its n-th change to its files, for n = 0, STEP, ..., lets it start again, until it lives on.
KILLER = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from tests.rigs.device.enrolling import Recorder
    base, template, step = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    import agent.privileged.enrol.main, agent.privileged.setup.enrolment, cryptography.x509, http.client

    os.fsync = lambda handle: None          # a kill needs none, and a slow disk has this test wait for hundreds

    def arm(left):
        def counted(call):
            def killed(*args, **kwargs):
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return call(*args, **kwargs)
            return killed
        for name in ("rename", "unlink", "mkdir", "symlink", "fsync", "write"):
            setattr(os, name, counted(getattr(os, name)))

    def life(recorder):
        recorder.set_up()
        recorder.enrol(longest_s=0)
        recorder.set_up()

    def child(job):
        pid = os.fork()
        if pid == 0:
            job()
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    for n in range(0, 500, step):
        recorder = Recorder(base / str(n))
        recorder.bundle.write_text(template.replace("0" * 26, f"{n:026d}"))

        def first():
            arm(n)
            life(recorder)

        died = child(first)
        assert died in (0, 9), died
        assert child(lambda: life(recorder)) == 0
        if died == 0:
            print(n)
            break
""")


def test_a_power_cut_before_any_change_of_a_file_costs_nothing(ward: WardDoor, tmp_path: Path, thorough: bool):
    """Usually before every third."""
    step = 1 if thorough else 3
    done = subprocess.run([sys.executable, "-c", KILLER, tmp_path / "many", ward.bundle(claim="0" * 26), str(step)],
                          capture_output=True, text=True, timeout=4 * HANG_S, cwd=Path(__file__).parents[2],
                          env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])})
    assert done.returncode == 0, done.stderr[-2000:]
    kills_n = int(done.stdout)
    assert kills_n > 40
    cuts = range(0, kills_n + 1, step)
    for n in cuts:
        root = tmp_path / "many" / str(n)
        folder = WardFolder(root / "etc/ward")
        assert folder.record() and not any((root / "boot/taimat").iterdir())
        assert not [path for path in folder.path.iterdir() if BUNDLE_FILE in path.name], n
        assert load(root / "etc/taimat.toml").ward.ward == "w07", n
        assert len(list(folder.path.glob("2*"))) == 1
    assert len(ward.used) == len(cuts)            # each claim by one key, or the ward had refused
