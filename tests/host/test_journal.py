"""What a record tells the journal beside its text; elsewhere it is a line on standard error, as it was."""
import ast
import logging
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.contract.journal import MESSAGE_IDS
from agent.host import log

AGENT = Path(log.__file__).parents[1]
_log = logging.getLogger("tests.journal")


class Journal:
    """The journal's socket, and what came, by the native protocol."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def came(self) -> dict[str, str] | None:
        try:
            data = self._socket.recv(1 << 20)
        except BlockingIOError:
            return None
        found = {}
        while data:
            name, _, data = data.partition(b"\n")
            length = int.from_bytes(data[:8], "little")
            found[name.decode()] = data[8:8 + length].decode()
            assert data[8 + length:9 + length] == b"\n"
            data = data[9 + length:]
        return found


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    (cgroup := tmp_path / "cgroup").write_text("0::/taimat.slice/taimat-capture-network.service\n")
    monkeypatch.setattr(log, "CGROUP", cgroup)
    monkeypatch.setattr(log, "JOURNAL", str(tmp_path / "socket"))
    monkeypatch.setenv("JOURNAL_STREAM", "1:2")
    yield Journal(tmp_path / "socket")
    root.handlers, root.level = before, level


def set_up(unit: str) -> None:
    log.set_up(unit, "info")
    log.know(["gate", "yard"])


def test_a_record_of_a_camera_and_an_event_carries_both(journal: Journal, capsys):
    set_up("capture@network")
    _log.warning("%s: no picture: %s", "gate", "it is gone", extra={"EVENT": 412})
    assert journal.came() == {"CAMERA": "gate", "EVENT": "412", "MESSAGE_ID": MESSAGE_IDS["%s: no picture: %s"],
                              "MESSAGE": "capture@network: gate: no picture: it is gone", "PRIORITY": "4",
                              "SYSLOG_IDENTIFIER": "taimat-capture-network"}
    assert not capsys.readouterr().err


def test_what_is_about_nothing_stays_a_line_with_its_priority(journal: Journal, capsys):
    set_up("keeper")
    _log.error("no camera called %s", "porch")
    _log.error("%(what)s", {"what": "gate"})
    assert journal.came() is None
    assert capsys.readouterr().err == "<3>keeper: no camera called porch\n<3>keeper: gate\n"


def test_a_thread_of_one_camera_and_the_process_of_one_need_not_name_it(journal: Journal):
    set_up("capture@network")
    (thread := threading.Thread(target=lambda: _log.info("in its thread"), name="recorder-yard")).start()
    thread.join()
    assert journal.came()["CAMERA"] == "yard"
    _log.info("of nobody")
    assert journal.came() is None
    set_up("capture@door")
    _log.info("anywhere in its process")
    assert journal.came()["CAMERA"] == "door"


def test_an_error_with_its_stack_is_one_entry_and_no_text_makes_a_field_or_shows_a_password(journal: Journal):
    set_up("capture@network")
    try:
        raise ValueError("rtsp://me:s3cret@10.0.0.1/\nPRIORITY=0")
    except ValueError:
        _log.exception("%s: broke off", "gate")
    came = journal.came()
    assert came["PRIORITY"] == "3" and "s3cret" not in came["MESSAGE"] and journal.came() is None
    assert came["MESSAGE"].startswith("capture@network: gate: broke off\ncapture@network: Traceback")
    assert "<3>" not in came["MESSAGE"]


def test_without_a_journal_and_with_one_that_is_gone_nothing_is_lost(journal: Journal, tmp_path, monkeypatch, capsys):
    set_up("capture@network")
    os.unlink(tmp_path / "socket")
    _log.warning("%s: is back", "gate")
    assert capsys.readouterr().err == "<4>capture@network: gate: is back\n"
    monkeypatch.delenv("JOURNAL_STREAM")
    set_up("capture@network")
    _log.warning("%s: is back again", "gate")
    assert capsys.readouterr().err == "capture@network: gate: is back again\n"


def test_every_text_with_an_id_is_logged_somewhere_and_no_id_is_there_twice():
    said = {node.args[0].value for path in AGENT.rglob("*.py") for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
            and getattr(node.func.value, "id", "") == "_log" and isinstance(node.args[0], ast.Constant)}
    assert set(MESSAGE_IDS) <= said and len({*MESSAGE_IDS.values()}) == len(MESSAGE_IDS)
