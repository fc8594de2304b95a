"""`taimat ward configure` as it is typed, a real broker and a real link between: signed, applied, shown; or why not."""
import json
import re

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.config.load import ConfigError
from agent.store import ward_settings
from agent.store.database import transaction
from agent.ward.configure import asked_for
from tests.cli.cli import environment, taimat_process
from tests.rigs.device.link_role import ROOT, LinkRig
from tests.rigs.forked import TAIMAT, forked
from tests.rigs.mqtt.broker import Broker
from tests.rigs.wait import deaf_port, until
from tests.rigs.ward.receiver import Ingest

KEY = Ed25519PrivateKey.generate()
AWAY = "c-000000000000"


def pems(folder):
    """The ward's key, and the half that devices get."""
    private, public = folder / "command.key", folder / "command.pem"
    private.write_bytes(KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
    public.write_bytes(KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                     serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


class Ward:
    """A configuration of the ward's, a device, and somebody who listens."""

    def __init__(self, folder, broker, rig, heard):
        self.folder, self.rig, self.heard, self.config = folder, rig, heard, folder / "ward.toml"
        self.config.write_text(f'[ward]\nward = "w07"\nhost = "127.0.0.1"\nport = {broker.port}\ntls = false\n'
                               f'[ops]\ncommand_key = "{folder}/command.key"\n')
        until(lambda: heard.last("/birth"))
        self.dev = rig.dev()

    def configure(self, *words):
        """Run it to its end: exit code, what it printed, what it complained of."""
        done = forked(TAIMAT, ["ward", "configure", "--config", self.config, *words], ROOT, environment(self.folder))
        lines = [json.loads(line) for line in done.stdout.splitlines()] if "--json" in words else done.stdout
        return done.returncode, lines, done.stderr


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ward")
    _, public = pems(folder)
    with Broker(folder / "broker") as broker, Ingest(broker.port, folder) as heard, \
            LinkRig(folder / "link", broker.port, f'command_key = "{public}"\nhealth_every_s = 60') as rig:
        yield Ward(folder, broker, rig, heard)


def test_what_is_set_is_applied_and_what_the_household_made_of_it_is_shown(ward):
    code, out, err = ward.configure(ward.dev, "--set", "health_int_s=90", "--set", "retention_d=99", "--json")
    assert (code, err) == (0, "")
    [told] = out
    assert (told["dev"], told["st"], told["clamped"]) == (ward.dev, "applied", {"retention_d": "household"})
    assert told["cfg"] == {"health_int_s": 90, "retention_d": 10, "log_level": "info"}
    until(lambda: ward.heard.last("/cfg/reported"))
    code, out, _ = ward.configure(ward.dev)
    assert code == 0 and re.fullmatch(
        f'{ward.dev}\tapplied\t\thealth_int_s=90, retention_d=10, log_level="info"\tretention_d="household"\n', out)


def test_a_file_says_the_same_and_clear_takes_all_of_it_back(ward):
    wish = ward.folder / "wish.toml"
    wish.write_text('health_int_s = 120\nlog_level = "debug"\n')
    assert ward.configure(ward.dev, "--file", wish, "--set", "log_level=info", "--json")[1][0]["cfg"] == {
        "health_int_s": 120, "retention_d": 10, "log_level": "info"}
    assert ward.configure(ward.dev, "--clear", "--json")[1][0]["cfg"] == {
        "health_int_s": 60, "retention_d": 10, "log_level": "info"}


def test_who_is_away_gets_it_later_and_is_named(ward):
    code, out, _ = ward.configure(AWAY, ward.dev, "--set", "retention_d=5", "--wait", "8")
    lines = sorted(line.split("\t")[:3] for line in out.splitlines())
    assert code == 1 and lines == sorted([[ward.dev, "applied", ""], [AWAY, "silent", "no answer"]])
    [order] = [json.loads(each.payload) for each in ward.heard.all(f"{AWAY}/cmd/set")]
    assert (order["dev"], order["name"], order["args"]) == (AWAY, "set", {"retention_d": 5})


def test_a_device_that_refuses_is_named_with_the_reason(ward):
    with transaction(ward.rig.db):
        known = ward_settings.read(ward.rig.db)
        ward_settings.put(ward.rig.db, msgspec.structs.replace(known, ver=9_000_000_000_000))
    code, out, _ = ward.configure(ward.dev, "--set", "retention_d=6")
    assert code == 1 and out == f"{ward.dev}\trefused\told_version\t\t\n"
    with transaction(ward.rig.db):
        ward_settings.put(ward.rig.db, known)


def test_what_is_wrong_at_our_end_is_said_before_anything_is_sent(ward, tmp_path):
    sent_n = len(ward.heard.all("/cmd/set"))
    for words, told in ((["--set", "healt=60"], "healt: a ward can't set that; it can set health_int_s, retention_d"),
                        (["--set", "retention_d=soon"], "retention_d: takes a whole number from 3 to 365"),
                        (["--set", "log_level=loud"], "log_level: takes debug, info, warning, error"),
                        (["--set", "retention_d"], "--set retention_d: takes KEY=VALUE, as in health_int_s=60"),
                        (["--file", str(tmp_path / "none")], "No such file or directory; it has a line for each key")):
        code, _, err = ward.configure(ward.dev, *words)
        assert code == 78 and told in err and "Traceback" not in err
    code, _, err = ward.configure("C_1", "--set", "retention_d=5")
    assert code == 78 and "'C_1': a device's id is made of" in err
    assert len(ward.heard.all("/cmd/set")) == sent_n


def test_without_a_broker_or_a_key_it_ends_with_the_remedy(tmp_path):
    config = tmp_path / "ward.toml"
    config.write_text(f'[ward]\nhost = "127.0.0.1"\nport = {deaf_port()}\ntls = false\n')
    said = taimat_process(tmp_path, "ward", "configure", AWAY, "--set", "retention_d=5", "--config", config)
    assert said.returncode == 78 and "[ops] command_key: is not set" in said.stderr
    said = taimat_process(tmp_path, "ward", "configure", AWAY, "--config", config)
    assert said.returncode == 69 and said.stderr.count("nothing listens there") == 1


@pytest.mark.parametrize(("text", "document"), [
    ("health_int_s = 60\n", {"health_int_s": 60}), ("", {}), ('log_level = "info"\n', {"log_level": "info"})])
def test_a_file_is_toml(tmp_path, text, document):
    (tmp_path / "wish.toml").write_text(text)
    assert asked_for([], tmp_path / "wish.toml") == document
    (tmp_path / "wish.toml").write_text(text + "x = \n")
    with pytest.raises(ConfigError, match="wish.toml: Invalid value"):
        asked_for([], tmp_path / "wish.toml")
