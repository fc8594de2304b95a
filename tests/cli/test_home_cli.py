"""`taimat home remove`, as the household types it."""
from pathlib import Path

from agent.store import home
from agent.store.database import connect
from agent.store.folders import Folders
from tests.cli.cli import taimat, write_config
from tests.rigs.mqtt.broker import Broker
from tests.rigs.mqtt.home_assistant import Assistant, retained


def at_home(port: int, enabled: str) -> str:
    return f'[home]\nenabled = {enabled}\nhost = "127.0.0.1"\nport = {port}\n'


def test_what_was_left_is_removed_and_only_once_it_is_switched_off(tmp_path: Path, folders: Folders):
    with Broker(tmp_path / "broker") as broker:
        with Assistant(broker.port) as other:
            for topic in ("homeassistant/device/c-1/config", "cam/v1/w00/c-1/home/status", "somebody/else"):
                other.say(topic, "x", retain=True)
        left = home.RetainedTopics(host="127.0.0.1", port=broker.port, components={},
                                   topics=["homeassistant/device/c-1/config", "cam/v1/w00/c-1/home/status"])
        db = connect(folders.root)
        home.remember(db, left)
        on = taimat(tmp_path, "home", "remove", "-c", write_config(tmp_path, "", at_home(broker.port, "true")))
        assert on.returncode == 1 and "set enabled = false" in on.stdout and len(retained(broker.port)) == 3
        config = write_config(tmp_path, "", at_home(broker.port, "false"))
        off = taimat(tmp_path, "home", "remove", "-c", config)
        assert off.returncode == 0 and f"removed  from Home Assistant at 127.0.0.1:{broker.port}" in off.stdout
        assert set(retained(broker.port)) == {"somebody/else"} and home.shown(db) is None
        assert "nothing to remove" in taimat(tmp_path, "home", "remove", "-c", config).stdout
        db.close()
