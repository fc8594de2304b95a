"""A backup is written and put back: on an empty machine, over a newer one, and when it is not one."""
import shutil
import sqlite3
import tarfile
from datetime import timedelta
from pathlib import Path

import pytest

from agent.ward.authority import certificates, doctor
from agent.ward.authority.backup import backup_to, last
from agent.ward.authority.doctor import Examined
from agent.ward.authority.probe import BrokerDoor, Pass
from agent.ward.enrolment.book import EnrolmentBook, IssuedCertificate
from tests.rigs.ward.authority import now
from tests.rigs.ward.machine import WardMachine, serial

DEV, OTHER = "c-7f3a9c21b04d", "c-0123456789ab"


@pytest.fixture
def ward(tmp_path):
    return WardMachine(tmp_path / "ward")


def wipe(ward) -> None:
    """The disk is gone."""
    for folder in (ward.places.authority, ward.places.etc, ward.places.state):
        shutil.rmtree(folder)


def numbers(ward) -> dict[str, int]:
    return {name: certificates.number_of(each) for name, each in ward.cas.lists().items()}


def shown_by(chain: Path, key: Path) -> Pass:
    """What a device shows at a door."""
    both = chain.with_suffix(".both")
    both.write_bytes(chain.read_bytes() + key.read_bytes())
    return Pass(chain.stem, both, serial(chain))


def certified(ward, dev: str) -> int:
    """A device is enrolled, and in the book."""
    number = serial(ward.device(dev)[0])
    with EnrolmentBook(ward.places.authority).change() as entries:
        entries.add(IssuedCertificate(number=number, dev=dev, serial=f"HH-{dev[-4:]}", made_ms=0, until_ms=1 << 50))
    return number


def test_an_empty_machine_has_everything_back(ward):
    with sqlite3.connect(ward.places.state / "ward.db") as db:
        db.execute("CREATE TABLE event (seq INTEGER)")
        db.execute("INSERT INTO event VALUES (7)")
    tar = ward.folder / "one.tar"
    done = ward.run("backup", tar)
    assert done.returncode == 0 and tar.stat().st_mode & 0o777 == 0o600, done.stderr
    before = {path: (path.read_bytes(), path.stat().st_mode) for path in ward.places.etc.rglob("*.*") if path.is_file()
              and path.parent != ward.places.public}
    authority = {path.name: path.read_bytes() for path in ward.places.authority.glob("*.key")}
    wipe(ward)
    done = ward.run("restore", "--reload=true", tar)
    assert done.returncode == 0, done.stderr
    assert {path: (path.read_bytes(), path.stat().st_mode) for path in before} == before
    assert {path.name: path.read_bytes() for path in ward.places.authority.glob("*.key")} == authority
    with sqlite3.connect(ward.places.state / "ward.db") as db:
        assert db.execute("SELECT seq FROM event").fetchall() == [(7,)]
    with ward:
        found = ward.run("revoke", ward.reload, ward.device(DEV)[0])
        assert found.returncode == 0, found.stderr
    with tarfile.open(tar) as opened:
        keys = [opened.extractfile(name).read() for name in opened.getnames() if name.startswith("authority/root-")
                and name.endswith(".key")]
    assert b"ENCRYPTED" in keys[0]


def test_an_older_backup_lets_nobody_in_who_was_revoked_since(ward):
    early, late = certified(ward, DEV), serial(ward.device("c-00000000000f")[0])
    ward.cas.revoke({late}, now())
    tar = ward.folder / "old.tar"
    assert ward.run("backup", tar).returncode == 0
    new = certified(ward, OTHER)
    ward.cas.revoke({early}, now())
    for _ in range(3):
        ward.cas.revoke((), now())
    before, numbered = ward.listed(), numbers(ward)
    done = ward.run("restore", "--reload=true", tar)
    assert done.returncode == 0, done.stderr
    assert {early, late} <= before <= ward.listed()
    assert all(numbers(ward)[name] > number for name, number in numbered.items() if name.startswith("issuing"))
    assert f"{OTHER}: was enrolled after this backup" in done.stdout and f"taimat ward revoke {new:x}" in done.stdout
    assert DEV not in done.stdout


def test_a_backup_of_before_a_rotation_keeps_the_new_ca(ward):
    tar = ward.folder / "old.tar"
    assert ward.run("backup", tar).returncode == 0
    assert ward.run("rotate ca", f"--passphrase-file={ward.passphrase}", "--reload=true").returncode == 0
    current = ward.cas.current(now()).certificate
    assert ward.run("restore", "--reload=true", tar).returncode == 0
    assert ward.cas.current(now()).certificate == current
    assert (ward.places.authority / "issuing.pem").read_text() == certificates.pem(current)


def test_a_database_that_is_there_stays(ward):
    path = ward.places.state / "ward.db"
    sqlite3.connect(path).close()
    path.write_bytes(b"")
    tar = ward.folder / "one.tar"
    assert ward.run("backup", tar).returncode == 0
    path.write_bytes(b"newer")
    done = ward.run("restore", "--reload=true", tar)
    assert f"{path}: exists and stays" in done.stdout and path.read_bytes() == b"newer"


def test_what_is_no_backup_changes_nothing(ward, tmp_path):
    tar = ward.folder / "one.tar"
    assert ward.run("backup", tar).returncode == 0
    torn, strange, empty = tmp_path / "torn.tar", tmp_path / "strange.tar", tmp_path / "empty.tar"
    torn.write_bytes(tar.read_bytes()[:5000])
    with tarfile.open(strange, "w") as opened:
        opened.add(ward.config, "etc/../../../etc/passwd")
        opened.add(ward.config, "etc/ward.toml")
    with tarfile.open(empty, "w") as opened:
        opened.add(ward.config, "etc/ward.toml")
    before = {path: path.read_bytes() for path in ward.folder.rglob("*") if path.is_file()}
    for wrong, said in ((torn, "not a whole tar"), (strange, "which no backup has"), (empty, "is no backup of a ward"),
                        (tmp_path / "none.tar", "No such file")):
        done = ward.run("restore", "--reload=true", wrong)
        assert done.returncode == 1 and said in done.stderr, done.stderr
    assert {path: path.read_bytes() for path in ward.folder.rglob("*") if path.is_file()} == before


def test_a_folder_keeps_the_newest(ward, tmp_path):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    begin = now()
    ward.edit("kept_n = 14", "kept_n = 3")
    for day in range(5):
        backup_to(ward.own, ward.places, shelf, begin + timedelta(days=day))
    made = sorted(path.name for path in shelf.iterdir())
    assert len(made) == 3 and f"{begin + timedelta(days=2):%Y%m%d}" in made[0]
    assert now() - last(ward.places) < timedelta(minutes=5)
    done = ward.run("backup", f"--to={tmp_path}/nowhere")
    assert done.returncode == 1 and f"{tmp_path}/nowhere: there is no such folder; is its disk mounted?" in done.stderr


@pytest.mark.parametrize("fetched", [True, False], ids=["with the lists beside it", "alone"])
def test_a_second_machine_goes_on_from_the_daily_backup_and_says_what_it_can_not_know(ward, fetched):
    """The first one is gone for good. After its backup it has thrown a device out and enrolled another one."""
    shelf = ward.places.backups
    thief, gone, late = (ward.device(dev) for dev in ("c-00000000000f", DEV, OTHER))
    ward.cas.revoke({serial(thief[0])}, now())
    certified(ward, "c-0000000000ee")
    done = ward.run("backup")
    assert done.returncode == 0, done.stderr
    (tar,) = shelf.iterdir()
    assert done.stdout == f"{tar}: written\n" and tar.stat().st_mode & 0o777 == 0o600
    certified(ward, "c-0000000000aa")
    with ward:
        assert ward.run("revoke", ward.reload, gone[0]).returncode == 0
    if not fetched:
        (shelf / "revoked.pem").unlink()
    wipe(ward)
    done = ward.run("restore", "--reload=true", tar)
    assert done.returncode == 0, done.stderr
    assert f"revoked since {now():%Y-%m-%d}" in done.stdout and "are valid again" in done.stdout
    assert "enrolled since" in done.stdout and "are not in the book" in done.stdout
    with EnrolmentBook(ward.places.authority).look() as entries:
        assert [each.dev for each in entries.certificates()] == ["c-0000000000ee"]
    with ward:
        door = BrokerDoor("localhost", ward.broker.port, ward.places.ca)
        verdicts = [door.verdict(shown_by(*device)) for device in (thief, gone, late)]
    assert verdicts == ["out", "out" if fetched else "in", "in"]


def test_lists_of_another_authority_beside_a_backup_revoke_nobody(ward, tmp_path):
    other, tar = WardMachine(tmp_path / "other"), tmp_path / "one.tar"
    assert ward.run("backup", tar).returncode == 0
    number = serial(ward.device(DEV)[0])
    other.cas.revoke({number}, now())
    shutil.copy(other.places.crl, tmp_path / "revoked.pem")
    wipe(ward)
    assert ward.run("restore", "--reload=true", tar).returncode == 0
    assert number not in ward.listed()


def kept_upload(ward, place: str, text: str) -> Path:
    """What the intake leaves of an upload."""
    folder = Path(ward.own.intake.folder, place, "export")
    folder.mkdir(parents=True)
    for name in ("manifest.json", "clip.mp4"):
        (folder / name).write_text(f"{text} {name}")
        (folder / name).chmod(0o440)
    folder.chmod(0o550)
    return folder.parent


def footage_of(ward) -> list[tuple[str, dict]]:
    """What the doctor finds of it."""
    looked = Examined(ward.own, ward.places, now(), None, {}, None)
    return [(each.code, each.told) for each in doctor.uploads(looked)]


def test_footage_is_backed_up_once_and_comes_back_with_the_ward(ward):
    shelf = Path(ward.own.backup.folder)
    first = kept_upload(ward, "2026/W07-93/01A", "one")
    Path(ward.own.intake.folder, "checking", "01X").mkdir(parents=True)         # one that is not whole yet
    assert ward.run("backup").returncode == 0
    copy = shelf / "exports/2026/W07-93/01A/export/clip.mp4"
    assert copy.read_text() == "one clip.mp4" and copy.stat().st_mode & 0o777 == 0o440
    assert [path.name for path in (shelf / "exports").iterdir()] == ["2026"]
    once = copy.stat().st_ino
    kept_upload(ward, "2026/W07-94/01B", "two")
    assert footage_of(ward) == [("footage_kept", {"n": "2"})], "the newest one may wait for the next backup"
    assert ward.run("backup").returncode == 0
    assert copy.stat().st_ino == once and (shelf / "exports/2026/W07-94/01B").is_dir()
    shutil.rmtree(first.parent)
    assert [(code, told["n"], told["first"]) for code, told in footage_of(ward)] == [
        ("footage_lost", "1", "2026/W07-93/01A")]
    wipe(ward)
    done = ward.run("restore", "--reload=true", sorted(shelf.glob("*.tar"))[-1])
    assert done.returncode == 0 and "with 2 uploads from exports beside it" in done.stdout, done.stderr
    assert (first / "export/clip.mp4").read_text() == "one clip.mp4"
    assert footage_of(ward) == [("footage_kept", {"n": "2"})]


def test_a_copy_that_fails_is_named_and_made_good_by_the_next_backup(ward):
    shelf = Path(ward.own.backup.folder)
    for n in range(3):
        kept_upload(ward, f"2026/W07-93/01{n}", f"{n}")
    (shelf / "exports/2026/W07-93").mkdir(parents=True)
    (shelf / "exports/2026/W07-93/011").write_text("in the way")
    done = ward.run("backup")
    assert done.returncode == 1 and "2 uploads are not copied yet; make room there and repeat it" in done.stderr
    assert len(list(shelf.glob("*.tar"))) == 1, "the keys are there all the same"
    assert [(code, told["n"], told["first"]) for code, told in footage_of(ward)] == [
        ("footage_single", "2", "2026/W07-93/011")]
    (shelf / "exports/2026/W07-93/011").unlink()
    assert ward.run("backup").returncode == 0 and footage_of(ward) == [("footage_kept", {"n": "3"})]
    assert not list(shelf.rglob("*.part")), "no half copy is left"


def test_a_backup_without_a_folder_names_the_setting(ward):
    ward.edit(f'folder = "{ward.places.backups}"', 'folder = ""')
    done = ward.run("backup")
    assert done.returncode == 1 and "[backup] folder names none" in done.stderr
