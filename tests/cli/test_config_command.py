"""`taimat config`: a technician's first file, every mistake with its line and remedy, and never a password."""
import grp
import os
import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.cli.config import document
from agent.cli.place import user_places
from agent.config.load import load, parse
from agent.config.settings import Settings
from agent.config.zones import SMALLEST, points
from agent.core.vision.zones.geometry import size_of
from agent.look.device_words import consent_text
from agent.store import ward_settings
from agent.store.database import FILE, connect
from agent.store.ward_settings import Given
from tests.cli.cli import taimat, taimat_process, write_config

JOINED = "[ward]\nenabled = true\ntls = false\n"
CAMERA = '[[camera]]\nname = "gate"\nsource = "rtsp://u:s3cret@host/1"\n'


def test_init_writes_a_valid_file_for_this_user_and_never_over_another(tmp_path: Path):
    path = tmp_path / "new" / "taimat.toml"
    made = taimat(tmp_path, "config", "init", path)
    assert made.returncode == 0 and str(path) in made.stdout and "config check" in made.stdout
    assert path.stat().st_mode & 0o007 == 0
    settings = load(path)
    assert settings.store.folder == ("/var/lib/taimat" if os.getuid() == 0 else f"{tmp_path}/.local/share/taimat")
    path.write_text("# mine\n")
    again = taimat(tmp_path, "config", "init", path)
    assert again.returncode == 73 and "--force" in again.stderr and path.read_text() == "# mine\n"
    assert taimat(tmp_path, "config", "init", path, "--force").returncode == 0 and load(path) == settings


def test_home_is_the_machines_for_root_and_the_users_own_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    root, user = user_places(0), user_places(1000)
    assert [str(each) for each in (root.config, root.store, root.runtime)] == [
        "/etc/taimat/taimat.toml", "/var/lib/taimat", "/run/taimat"]
    assert user.store == tmp_path / ".local/share/taimat" and user.runtime == Path("/tmp/taimat-1000")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert user_places(1000).runtime == Path("/run/user/1000/taimat")


@pytest.mark.parametrize(("text", "told"), [
    ('[store]\nfodler = "/x"\n', "taimat.toml:2: store.fodler: unknown key; did you mean folder"),
    (CAMERA + "pre_roll_ms = 5000\n", "taimat.toml:4: camera[1].pre_roll_ms: unknown key; did you mean pre_roll_s"),
    (CAMERA + 'fps = "15"\n', "taimat.toml:4: camera[1].fps: takes a whole number of pictures a second"),
    (CAMERA + "motion.ignore = [[[0, 0], [2, 0]]]\n", "taimat.toml:4: camera[1].motion.ignore[1]: takes areas"),
    ('[[camera]]\nsource = "picamera:0"\n', "taimat.toml:1: camera[1].name: is missing"),
    ("[store\n", "taimat.toml:1:1: "),
], ids=["unknown key", "wrong unit", "wrong type", "bad polygon", "no name", "no TOML"])
def test_check_run_and_each_role_name_the_mistake_and_exit_78(tmp_path: Path, text: str, told: str):
    path = tmp_path / "taimat.toml"
    path.write_text(text)
    for run, command in ((taimat, ("config", "check")), (taimat_process, ("run",))):
        said = run(tmp_path, *command, "--config", path)
        assert said.returncode == 78 and told in said.stderr and "Traceback" not in said.stderr
        assert "s3cret" not in said.stdout + said.stderr


def test_check_tells_all_mistakes_at_once(tmp_path: Path):
    path = tmp_path / "taimat.toml"
    path.write_text("[store]\nkeep_day = 1\nquota_gb = -1\n[web]\nport = 0\n")
    assert len(taimat(tmp_path, "config", "check", "-c", path).stderr.splitlines()) == 3


def test_check_names_files_that_are_not_there_and_warns(tmp_path: Path):
    path = write_config(tmp_path, f"file:{tmp_path}/none.mp4", f'{JOINED}ca = "{tmp_path}/no-ca.pem"\n'
                        f'[[notify]]\nname = "Mai"\nurl_file = "{tmp_path}/no-url"\n')
    said = taimat(tmp_path, "config", "check", "-c", path)
    assert said.returncode == 1
    assert f"{path}:9: camera[1].source: {tmp_path}/none.mp4: there is no such file" in said.stderr
    assert f"{path}:13: ward.ca: {tmp_path}/no-ca.pem: there is no such file" in said.stderr
    assert f"{path}:16: notify[1].url_file: {tmp_path}/no-url: there is no such file" in said.stderr


def test_check_warns_when_nothing_would_be_recorded(tmp_path: Path):
    said = taimat(tmp_path, "config", "check", "-c", write_config(tmp_path))
    assert said.returncode == 1 and "nothing is recorded" in said.stderr


def test_check_is_content_with_a_good_file(tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    said = taimat(tmp_path, "config", "check", "-c", write_config(tmp_path, f"file:{tmp_path}/a.mp4"))
    assert (said.returncode, said.stderr) == (0, "") and "1 camera" in said.stdout


def test_check_shows_what_joining_a_ward_means_in_the_households_language(tmp_path: Path):
    for more, language in (("", "vi"), ('[device]\nlanguage = "en"\n', "en")):
        said = taimat(tmp_path, "config", "check", "-c", write_config(tmp_path, more=f"{JOINED}{more}"))
        assert consent_text(language) in said.stdout
    assert consent_text("vi") not in taimat(tmp_path, "config", "check", "-c", write_config(tmp_path)).stdout


def test_show_prints_what_is_in_effect_with_notes_and_without_passwords(tmp_path: Path):
    path = write_config(tmp_path, "rtsp://u:s3cret@host/1", "fps = 5\n")
    said = taimat(tmp_path, "config", "show", "-c", path)
    shown = tomllib.loads(said.stdout)
    assert said.returncode == 0 and "s3cret" not in said.stdout
    assert shown["camera"][0]["source"] == "rtsp://u:***@host/1" and shown["store"]["keep_days"] == 10
    assert "# pictures a second, only for these cameras (default: 15)" in said.stdout


@pytest.mark.parametrize("url", ["rtsp://u:p@ss#s3cret@host/1", "rtsp://u:p@ss s3cret@host/1"])
def test_no_command_prints_a_password_that_breaks_its_address(tmp_path: Path, url: str):
    path = write_config(tmp_path, url)
    for run, command in ((taimat, ("config", "check")), (taimat, ("config", "show")), (taimat_process, ("doctor",)),
                         (taimat_process, ("run",))):
        said = run(tmp_path, *command, "--config", path)
        assert said.returncode == 78 and "write @ as %40" in said.stderr and "s3cret" not in said.stdout + said.stderr


def test_show_prints_no_password_with_spaces_or_in_a_query(tmp_path: Path):
    path = write_config(tmp_path, "rtsp://u:my s3cret@host/1",
                        'sub = "rtsp://host/1?loginuse=a&loginpas=my s3cret&x=1"\n')
    said = taimat(tmp_path, "config", "show", "-c", path)
    assert tomllib.loads(said.stdout)["camera"][0]["source"] == "rtsp://u:***@host/1" and "s3cret" not in said.stdout
    assert tomllib.loads(said.stdout)["camera"][0]["sub"] == "rtsp://host/1?loginuse=a&loginpas=***&x=1"


def test_check_tells_who_else_may_read_the_passwords_and_what_to_type(tmp_path: Path):
    path = write_config(tmp_path, "rtsp://u:s3cret@host/1")
    assert taimat(tmp_path, "config", "check", "-c", path).returncode == 0
    for mode, readers in ((0o604, "anybody"), (0o640, f"group {grp.getgrgid(path.stat().st_gid).gr_name}")):
        path.chmod(mode)
        said = taimat(tmp_path, "config", "check", "-c", path)
        assert said.returncode == 1 and f"{readers} may read it: chmod 600 {path}\n" in said.stderr
    path = write_config(tmp_path, "rtsp://host/1")
    path.chmod(0o644)
    assert taimat(tmp_path, "config", "check", "-c", path).returncode == 0


def test_show_marks_what_the_ward_has_set_and_what_was_yours(tmp_path: Path):
    path = write_config(tmp_path, more=JOINED)
    (tmp_path / "store").mkdir()
    db = connect(tmp_path / "store")
    ward_settings.put(db, Given(ver=18, cfg={"retention_d": 2, "health_int_s": 120, "log_level": "error"}))
    db.close()
    said = taimat(tmp_path, "config", "show", "-c", path).stdout
    assert re.search(r"keep_days = 3 +# set by the ward; yours: 10\n", said)
    assert re.search(r"health_every_s = 120 +# set by the ward; yours: 30\n", said)
    assert tomllib.loads(said)["log"] == {"level": "info"} and said.count("set by the ward") == 2
    path.write_text(path.read_text() + "may_configure = false\n")
    assert "set by the ward" not in taimat(tmp_path, "config", "show", "-c", path).stdout


def test_show_says_when_the_wards_part_is_not_known(tmp_path: Path):
    path = write_config(tmp_path, more=JOINED)
    (tmp_path / "store" / FILE).parent.mkdir(parents=True)
    (tmp_path / "store" / FILE).write_bytes(b"no database" * 1000)
    said = taimat(tmp_path, "config", "show", "-c", path)
    assert said.returncode == 0 and "what the ward has set can't be read: " in said.stderr
    assert tomllib.loads(said.stdout)["store"]["keep_days"] == 10


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
corners = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=4).filter(
    lambda area: size_of(points(area)) >= SMALLEST)


@given(site=words, days=st.floats(0.01, 365), areas=st.lists(corners, max_size=2))
def test_the_document_of_any_settings_reads_back_as_the_same_settings(site: str, days: float, areas: list):
    settings = msgspec.convert({"device": {"site": site}, "store": {"keep_days": days}, "camera": [
        {"name": "a", "source": "picamera:0", "masks": areas}]}, Settings)
    assert parse("\n".join(document(settings)), "t.toml") == settings


def test_a_small_stream_that_is_the_large_one_is_a_warning_and_a_folder_is_no_file(tmp_path: Path):
    config = write_config(tmp_path, "rtsp://127.0.0.1/1", 'sub = "rtsp://127.0.0.1/1"\n')
    said = taimat(tmp_path, "config", "check", "-c", config)
    assert said.returncode == 1 and "camera[1].sub: is the same stream as source" in said.stdout + said.stderr
    said = taimat(tmp_path, "config", "check", "-c", tmp_path)
    assert said.returncode == 78 and f"{tmp_path} is a folder: name the file in it" in said.stderr


def test_a_missing_file_says_how_to_make_one(tmp_path: Path):
    said = taimat(tmp_path, "config", "show", "-c", tmp_path / "none.toml")
    assert said.returncode == 78 and "taimat config init" in said.stderr
