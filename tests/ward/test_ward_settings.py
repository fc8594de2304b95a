"""The ward's configuration: what is written for a start is valid and whole, each mistake has its line and remedy."""
import tomllib

import msgspec
import pytest

from agent.config.load import ConfigError
from agent.ward.settings import TEMPLATE, Settings, load, parse, read_roster
from agent.ward.watch import lines


@pytest.mark.parametrize(("text", "told"), [
    ("[ward]\nprot = 1\n", "w.toml:2: ward.prot: unknown key; did you mean port"),
    ("[ward]\nport = 0\n", "w.toml:2: ward.port: takes a whole number from 1 to 65535; it is 0"),
    ('[ward]\nward = "W07"\n', "w.toml:2: ward.ward: takes text in quotes"),
    ('[ward]\nzone = "Saigon"\n', 'w.toml:2: ward.zone: takes a name as in "Asia/Ho_Chi_Minh"'),
    ('[ward]\ncert = "a.pem"\n', "w.toml:2: ward.cert: cert and key go together"),
    ('[ward]\nuser = "x"\n', "w.toml:2: ward.user: needs password_file"),
    ('[intake]\nkey = "a.key"\n', "w.toml:2: intake.key: unknown key"),
    ('[intake]\nurl = "http://h/exports"\n', 'w.toml:2: intake.url: takes "https://ward.example:8443/exports"; it is'),
    ('[intake]\nurl = "https://h:8443"\n', "w.toml:2: intake.url: takes"),
    ('[database]\nurl = "mysql://h/n"\n', 'w.toml:2: database.url: takes "sqlite:////path/to/ward.db" or "postgresql'),
    ('[database]\nurl = "sqlite:///ward.db"\n', "w.toml:2: database.url: takes the whole path, so four slashes"),
    ('[ward]\nwards = ["w01", "W07"]\n', 'w.toml:2: ward.wards: takes the names of wards, as in ["w01", "w02"]'),
    ('[ward]\nwards = ["all", "w01"]\n', 'w.toml:2: ward.wards: takes the names of wards'),
    ('[ward]\nwards = ["all"]\nshared = true\n', "w.toml:3: ward.shared: is for a city: it needs wards"),
    ('[ward]\nwards = ["all"]\n[city]\nhost = "h"\n', "w.toml:4: city.host: is for a ward's forwarder"),
    ('[city]\nkey = "a.pem"\n', "w.toml:1: city.cert: cert and key go together"),
    ('[metrics]\nlisten = 3\n', "w.toml:2: metrics.listen: takes text in quotes"),
    ("[ward\n", "w.toml:1:1: a table's name stands between as many [ as ]. Write: [ward]"),
])
def test_a_mistake_is_named_with_its_place_and_remedy(text, told):
    with pytest.raises(ConfigError) as caught:
        parse(text, "w.toml")
    assert told in str(caught.value)


def test_the_written_file_has_every_key_with_its_default():
    written = tomllib.loads(TEMPLATE.read_text())
    assert written == msgspec.to_builtins(Settings())
    assert parse(TEMPLATE.read_text(), "w.toml") == Settings()


def test_a_file_that_is_not_there_is_named_with_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="make one with: taimat ward init"):
        load(tmp_path / "ward.toml")


def test_devices_that_somebody_works_on_are_marked_in_the_list(tmp_path):
    file = tmp_path / "devices.csv"
    file.write_text("c-000000000001 maintenance since Monday\nc-000000000002 the maintenance shed\n")
    assert read_roster(str(file)).maintained == {"c-000000000001"}
    found = {each.dev: (each.state, each.why) for each in lines([], read_roster(str(file)), 0, {})}
    assert found == {"c-000000000001": ("maintenance", "never-seen"), "c-000000000002": ("never-seen", None)}


def test_expected_devices_are_one_a_line_and_a_wrong_one_has_its_line(tmp_path):
    file = tmp_path / "devices.csv"
    file.write_text("# id, place\nc-000000000001, HH-07-0412\n\n  c-000000000002\n")
    assert read_roster(str(file)).devices == ("c-000000000001", "c-000000000002") and not read_roster("").devices
    file.write_text("c-000000000001\nC_2\n")
    with pytest.raises(ConfigError, match=r"devices.csv:2: a device's id is made of"):
        read_roster(str(file))
    with pytest.raises(ConfigError, match="devices_file: .*No such file"):
        read_roster(str(tmp_path / "none"))


def test_a_key_that_systemd_has_handed_on_is_read_where_it_lies_then(tmp_path, monkeypatch):
    """systemd names the folder; what it did not hand on, and what is no secret, stays where the file says."""
    file, handed = tmp_path / "ward.toml", tmp_path / "credentials"
    handed.mkdir()
    for name in ("ops.key", "ops.pem"):
        (handed / name).write_text("x")
    file.write_text('[ops]\ncert = "/e/ops.pem"\nkey = "/e/ops.key"\ncommand_key = "/e/command.pem"\n')
    assert load(file).ops.key == "/e/ops.key"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    ops = load(file).ops
    assert (ops.cert, ops.key, ops.command_key) == ("/e/ops.pem", str(handed / "ops.key"), "/e/command.pem")
