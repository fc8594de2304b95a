"""`taimat doctor` at the household's broker: asked only where there is one, and beside a link that is at work there."""
from pathlib import Path

from agent.cli.doctor import broker as doctor
from agent.cli.doctor.main import checks
from agent.config.settings import Home, Settings
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.home_sink import HomeRig
from tests.rigs.wait import deaf_port, until


def test_it_is_examined_only_where_the_household_wants_it(tmp_path: Path):
    names = {on: [check.name for check in checks(Settings(home=Home(enabled=on, host="x")), tmp_path / "taimat.toml")]
             for on in (True, False)}
    assert set(names[True]) - set(names[False]) == {"Home Assistant"}


def test_a_right_password_a_wrong_one_and_no_broker_each_have_their_words(tmp_path: Path):
    secret = tmp_path / "password"
    secret.write_text("right-horse\n")
    with Broker(tmp_path / "broker", user=("taimat", "right-horse")) as broker, \
            HomeRig(tmp_path, broker.port, user="taimat", password_file=str(secret)) as rig:
        until(lambda: rig.facts()["home"] == "connected")
        told = doctor.examine_home(rig.settings.home, rig.folders.root)
        assert told.state == "ok" and f"127.0.0.1:{broker.port} accepts this device" in told.text
        assert rig.facts()["home"] == "connected"           # it was not thrown out
        secret.write_text("wrong-horse\n")
        told = doctor.examine_home(rig.settings.home, rig.folders.root)
        assert (told.state, "see [home] user" in told.text, "horse" in told.text) == ("warn", True, False)
    told = doctor.examine_home(Home(enabled=True, host="127.0.0.1", port=deaf_port()), tmp_path)
    assert told.state == "warn" and "nothing listens there" in told.text and "[home]" in told.remedy
