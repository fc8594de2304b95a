"""The configuration: every mistake gets its line, its key and the remedy; every key is documented."""
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.check import ConfigProblem, check_table
from agent.config.load import TEMPLATE, ConfigError, keep_as_good, load, load_or_last_good, parse
from agent.config.positions import positions
from agent.config.settings import Notify, Settings, Zone
from agent.core.passwords import redact

CAMERA = '[[camera]]\nname = "gate"\nsource = "rtsp://u:secret@host/1"\n'


def problems(text: str) -> str:
    with pytest.raises(ConfigError) as error:
        parse(text, "t.toml")
    return str(error.value)


@pytest.mark.parametrize(("text", "told"), [
    ('[store]\nfodler = "/x"\n', "t.toml:2: store.fodler: unknown key; did you mean folder"),
    ("[wad]\nport = 1\n", "t.toml:1: wad: unknown key; did you mean ward?"),
    (CAMERA + "pre_roll_ms = 5000\n",
     "t.toml:4: camera[1].pre_roll_ms: unknown key; did you mean pre_roll_s, a number of seconds from 0 to 30"),
    (CAMERA + 'pre_roll_s = "5s"\n',
     "t.toml:4: camera[1].pre_roll_s: takes a number of seconds from 0 to 30; it is '5s'"),
    (CAMERA + "[camera.motion]\nfps = 99\n",
     "t.toml:5: camera[1].motion.fps: takes a number of pictures a second from 1 to 15; it is 99"),
    (CAMERA + 'record = "allways"\n',
     't.toml:4: camera[1].record: takes "motion" or "continuous" or "both"; it is \'allways\''),
    (CAMERA + 'title = "Cổng\\u202e"\n',
     "t.toml:4: camera[1].title: takes text in quotes of at most 40 characters: any letters, no space at its ends"),
    (CAMERA + 'title = " Cổng"\n', "t.toml:4: camera[1].title: takes text"),
    (CAMERA + f'title = "{"ổ" * 41}"\n', "t.toml:4: camera[1].title: takes text"),
    (CAMERA + CAMERA.replace("gate", "yard") + 'title = "Gate"\n',
     't.toml:7: camera[2].title: "Gate" is the title of another camera'),
    (CAMERA + CAMERA, 't.toml:5: camera[2].name: "gate" is taken by another camera'),
    ('[[camera]]\nsource = "picamera:0"\n', "t.toml:1: camera[1].name: is missing"),
    ('[[camera]]\nname = "a"\nsource = "rstp://h/1"\n', "t.toml:3: camera[1].source: takes rtsp://user:password@address"),
    *((f'[[camera]]\nname = "a"\nsource = "{source}"\n', f"t.toml:3: camera[1].source: {told}") for source, told in (
        ("RTSP://h.local/1", "begins with RTSP: in small letters, write rtsp:"),
        ("rtsp://h.local/1 ", "has a space before or after it"),
        ("http://h.local/video", "can't be an http:// address: video comes by rtsp://; taimat discover shows"),
        ("onvif://h.local", "can't be an onvif:// address"),
        ("/dev/video0", "takes v4l2: before a device: v4l2:/dev/v4l/by-id/NAME"),
        ("/srv/film.mp4", "takes file: before the path of a video"),
        ("192.168.1.20:554/live", "takes rtsp:// before an address"))),
    ("[store]\nkeep_days = 0\n", "t.toml:2: store.keep_days: takes a number of days above 0, at most 365; it is 0"),
    (CAMERA + "masks = [[[0, 0], [1, 0], [1, 1]]]\n",
     "t.toml:4: camera[1].masks: can't be painted into video that arrives encoded"),
    (CAMERA + "motion.ignore = [[[0, 0], [2, 0], [1, 1]]]\n",
     "t.toml:4: camera[1].motion.ignore[1]: takes areas of at least 3 corners"),
    (CAMERA + 'privacy_mask = "transcode"\nmasks = [[[0, 0], [0, 1], [1, 1]], [[0, 0], [0.5, 0.5], [1, 1]]]\n',
     "t.toml:5: camera[1].masks[2]: encloses next to nothing"),
    (CAMERA + '[camera.sensor]\nflip = "both"\n',
     "t.toml:4: camera[1].sensor: is for Raspberry Pi cameras: a rtsp camera"),
    ('[[camera]]\nname = "a"\nsource = "picamera:0"\nsensor.night_fps = 20\n',
     "t.toml:4: camera[1].sensor.night_fps: is for the dark: at most fps, which is 15"),
    ('[[camera]]\nname = "a"\nsource = "picamera:0"\nsensor.focus_m = 3\n',
     't.toml:4: camera[1].sensor.focus_m: needs focus = "fixed"'),
    ("camera = 3\n", "t.toml:1: camera: is one of several: write [[camera]]"),
    ('[ward]\nuser = "x"\n', "t.toml:2: ward.user: needs password_file"),
])
def test_a_mistake_is_named_with_its_place_and_remedy(text: str, told: str):
    assert told in problems(text)


def test_all_mistakes_are_told_at_once():
    assert len(problems('[store]\nkeep_day = 1\nquota_gb = "x"\n[web]\nport = 0\n').splitlines()) == 3


def test_no_error_shows_a_password():
    assert "secret" not in problems(CAMERA + CAMERA + "x = 1\n")
    assert "secret" not in problems(CAMERA + 'sub = ["rtsp://u:my secret@host/1"]\n')


@pytest.mark.parametrize(("url", "signs", "begin"), [
    ("rtsp://admin:s3@cr#t@192.168.1.20/1", "@ as %40 and # as %23", "admin:***%40***%23***@192.168.1.20"),
    ("rtsp://admin:s3cr?t@cam/1", "? as %3F", "admin:***%3F***@cam"),
    ("rtsp://admin:s3@cr@cam:554/1", "@ as %40", "admin:***%40***@cam:554"),
    ("rtsps://admin:12/s3@cam/1", "/ as %2F", "admin:***%2F***@cam"),
    ("rtsp://admin:s3@cr/t@10.0.0.9/x@1", "@ as %40 and / as %2F", "admin:***%40***%2F***@10.0.0.9"),
    ("rtsp://ad@min:[s3]@[fe80::1]/1", "@ as %40 and [ as %5B and ] as %5D", "ad%40min:%5B***%5D@[fe80::1]"),
    ("rtsp://u#s:s3cr@cam/1", "# as %23", "u%23s:***@cam"),
])
@pytest.mark.parametrize("key", ["source", "sub"])
def test_a_password_that_an_address_cannot_hold_is_refused_and_its_spelling_told(
        key: str, url: str, signs: str, begin: str):
    told = problems(CAMERA + f'sub = "{url}"\n' if key == "sub" else CAMERA.replace("rtsp://u:secret@host/1", url))
    assert (f"camera[1].{key}: has a sign in its user name or password that ends it too early: write {signs}, so that "
            f"it begins with {begin}") in told
    assert "s3" not in told and redact(told) == told


@pytest.mark.parametrize("url", [
    "rtsp://admin:p%40ss%231%2F%3F@192.168.1.20/1", "rtsp://u:my pa:ss@h/1", "rtsp://10.0.0.9/1?to=a@b", "rtsp://h/x@1",
    "rtsp://u:pw@10.0.0.9:554/x@1", "rtsp://u:pw@[fe80::1]/x@1", "rtsp://h/1#part", "rtsp://h?x=1", "rtsp://localhost?a@b",
])
def test_an_address_that_says_clearly_which_part_is_which_is_taken(url: str):
    assert parse(CAMERA.replace("rtsp://u:secret@host/1", url), "t.toml").camera[0].source == url


def test_a_missing_file_says_how_to_make_one(tmp_path: Path):
    with pytest.raises(ConfigError, match="taimat config init"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("title", ["Cổng trước", "Nhà bà Sáu (số 12/3)", "🐓", "x", "ổ" * 40, ""])
def test_a_title_is_what_people_say(title: str):
    camera = parse(f'device.title = "{title}"\n{CAMERA}title = "{title}"\n', "t.toml").camera[0]
    assert camera.label == title or camera.label == camera.name and not title


def test_the_template_has_every_key_with_its_default():
    text = TEMPLATE.read_text()
    assert load(TEMPLATE) == Settings()
    full = "\n".join(line.removeprefix("#") if not line.startswith("# ") else line for line in text.splitlines())
    table = tomllib.loads("\n".join(line for line in full.splitlines() if not line.startswith("   ")))
    camera = table["camera"][0]
    assert list(check_table(table, Settings)) == []

    def compare(given: dict, defaults: msgspec.Struct) -> None:
        for name in defaults.__struct_fields__:
            value = getattr(defaults, name)
            assert name in given, f"{name} is not in default.toml"
            if isinstance(value, msgspec.Struct):
                compare(given[name], value)
            elif name not in ("name", "source", "camera", "zone", "notify"):
                assert given[name] == value, name

    compare({k: v for k, v in table.items() if k != "camera"} | {"camera": []}, Settings())
    place = table["notify"][0]
    compare(place, Notify(name=place["name"], url_file=place["url_file"]))
    kind = Settings.__annotations__["camera"].__args__[0]
    compare(camera, msgspec.convert({"name": camera["name"], "source": camera["source"]}, kind))
    compare(camera["zone"][0], Zone(name=camera["zone"][0]["name"]))


def test_a_typo_does_not_darken_a_camera_that_ran_before(tmp_path: Path):
    path = tmp_path / "taimat.toml"
    path.write_text(CAMERA)
    keep_as_good(path)
    path.write_text(CAMERA + "recrod = 1\n")
    settings, problem = load_or_last_good(path)
    assert settings.camera[0].name == "gate" and problem is not None and "recrod" in problem


TWO = ('''[[camera]]
name = "gate"
#source = "rtsp://u:f0rmer@host/1"
source = "rtsp://u:s3cret@host/1"
sub = 'rtsp://host/1?user=u&psw=s3cret"2'
[[camera]]
name = "yard"
source = "rtsp://h/user=u_password=s3cret_stream=0"
sub = "rtsp://h/user=u_password=s3cret_stream=1"
''')


@pytest.mark.parametrize("broken", [
    TWO + "recrod = 1\n", "[[[\n" + TWO, TWO.replace('host/1"\nsub', "host/1\nsub"),
    TWO.replace('\nsource = "r', "\nsource = r", 1), TWO.replace("u:f0rmer@", "").replace("\nsource", "\n# source", 1),
    TWO.replace("#source", "source"),
], ids=["unknown key", "no TOML", "no last quote", "no first quote", "commented out", "twice"])
def test_the_last_good_one_is_kept_without_passwords_and_gets_them_from_the_present_file(tmp_path: Path, broken: str):
    path = tmp_path / "taimat.toml"
    path.write_text(TWO)
    good = load(path)
    keep_as_good(path)
    (copy,) = (each for each in tmp_path.iterdir() if each != path)
    assert "s3cret" not in copy.read_text() and "f0rmer" not in copy.read_text() and copy.stat().st_mode & 0o077 == 0
    path.write_text(broken)
    settings, problem = load_or_last_good(path)
    expected = TWO.replace("s3cret@", "f0rmer@") if broken.count("\nsource") == 3 else TWO
    assert problem and settings == (good if expected == TWO else parse(expected, "t.toml"))


def test_without_any_password_left_the_cameras_are_asked_without_a_login(tmp_path: Path):
    path = tmp_path / "taimat.toml"
    path.write_text(TWO)
    keep_as_good(path)
    path.unlink()
    settings, problem = load_or_last_good(path)
    assert problem and [(each.source, each.sub) for each in settings.camera] == [
        ("rtsp://host/1", "rtsp://host/1?user=u&"), ("rtsp://h/user=", "rtsp://h/user=")]


def test_a_last_good_one_of_another_users_is_not_believed(tmp_path: Path):
    path = tmp_path / "taimat.toml"
    path.write_text(CAMERA)
    keep_as_good(path)
    (copy,) = (each for each in tmp_path.iterdir() if each != path)
    path.write_text("x = 1\n")
    copy.rename(tmp_path / "theirs")
    copy.symlink_to(tmp_path / "theirs")
    with pytest.raises(ConfigError):
        load_or_last_good(path)


def test_without_a_last_good_one_a_typo_is_an_error(tmp_path: Path):
    path = tmp_path / "taimat.toml"
    path.write_text("x = 1\n")
    with pytest.raises(ConfigError):
        load_or_last_good(path)


keys = st.sampled_from(["a", "b", "store", "camera", "motion"])
values = st.sampled_from(["1", '"x"', "[1, 2]", '"""\nkey = 1\n[no]\n"""', "{ fps = 3 }"])
lines = st.one_of(st.builds("{} = {}".format, keys, values), st.builds("[{}]".format, keys),
                  st.builds("[[{}]]".format, keys), st.just("# c = 1"))


@given(st.lists(lines, max_size=12))
def test_each_key_of_a_valid_text_is_found_where_it_stands(text_lines: list[str]):
    text = "\n".join(text_lines)
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    numbered = text.splitlines()
    for path, line in positions(text).items():
        here = table
        for part in path:
            here = here[part]
        assert str(next(part for part in reversed(path) if isinstance(part, str))) in numbered[line - 1]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                        st.sampled_from(["camera", "name", "store", "fps", "x"]), inner, max_size=3),
                    max_leaves=12))
def test_any_value_is_judged_and_nothing_is_raised(value: object):
    for problem in check_table(value, Settings):
        assert isinstance(problem, ConfigProblem) and problem.text
