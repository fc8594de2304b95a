"""`taimat update show|approve|refuse` for the household, and what a technician is told who is not root."""
import json
from pathlib import Path

from agent import __version__
from agent.store import updates
from agent.store.database import connect, transaction
from agent.store.updates import UpdateOrder
from tests.cli.cli import taimat, write_config

ORDER = UpdateOrder(id="01KAV0Z6V6M3W2Q8T1B7N5D4XE", version="9.0.0", url="https://ward.invalid/9.deb", sha256="0" * 64,
                    bytes=2_000_000)


def test_an_order_is_shown_and_decided_once(tmp_path: Path):
    config = write_config(tmp_path)
    (tmp_path / "store").mkdir()
    db = connect(tmp_path / "store")
    assert "nothing" in taimat(tmp_path, "update", "show", "-c", config).stdout
    with transaction(db):
        updates.put(db, ORDER)
    assert "9.0.0 (2.0 MB): waits for you" in taimat(tmp_path, "update", "show", "-c", config).stdout
    assert "approved  9.0.0" in taimat(tmp_path, "update", "approve", "-c", config).stdout
    again = taimat(tmp_path, "update", "refuse", "-c", config)
    assert again.returncode == 73 and "no version waits for you" in again.stderr
    told = json.loads(taimat(tmp_path, "update", "show", "--json", "-c", config).stdout)
    assert (told["version"], told["rule"], told["order"]["state"]) == (__version__, "ask", "approved")
    db.close()


def test_a_version_says_whether_it_can_work_here(tmp_path: Path):
    config = write_config(tmp_path)
    assert taimat(tmp_path, "update", "ready", __version__, "-c", config).returncode == 0
    other = taimat(tmp_path, "update", "ready", "0.0.9", "-c", config)
    assert other.returncode == 1 and f"this is {__version__}" in other.stderr
    config.write_text("[store]\nfoldr = 1\n")
    assert taimat(tmp_path, "update", "ready", __version__, "-c", config).returncode == 78
