"""`taimat ward watch` over a book: who is there, who is not and why, for people and for programs."""
import contextlib
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.ward import database, register, ward_side
from agent.ward.device_cache import Came, DeviceCache
from agent.ward.register import Arrival
from tests.rigs.wait import HANG_S, until

ROOT = Path(__file__).resolve().parents[2]
HERE, SICK, SILENT, GONE, NEVER = (f"c-00000000000{n}" for n in range(1, 6))
COUNT = b"5 devices, 1 offline, 1 stale, 1 never-seen, 0 maintenance, 2 online"
BIRTH = '{"boot":"b","conn":1,"mono_ms":1,"clock":"ntp","agent":"1.2.3","site":"%s"}'
HEALTH = '{"seq":1,"boot":"b","clock":"ntp","mono_ms":1,"int_s":30,"outbox_n":4,"cond":[%s]}'


def keep(book, dev, site, *, online=True, why=None, health_ago_s=0, cond=""):
    now_ms = time.time_ns() // 1_000_000
    status = ward_side.Status(online=online, boot="b", conn=1, why=why)
    birth = ward_side.Birth(boot="b", conn=1, mono_ms=1, clock="ntp", agent="1")
    health = ward_side.Health(seq=1, boot="b", clock="ntp", mono_ms=1, int_s=30)
    told_at = Arrival(now_ms - health_ago_s * 1000)
    for change in (lambda known: register.with_status(known, status, Arrival(now_ms)),
                   lambda known: register.with_birth(known, birth, BIRTH % site),
                   lambda known: register.with_health(known, health, HEALTH % cond, told_at)):
        book.remember(dev, change, now_ms)


@pytest.fixture
def ward(tmp_path):
    """A configuration whose database knows four devices, and whose list expects a fifth."""
    config, url = tmp_path / "ward.toml", f"sqlite:///{tmp_path}/ward.db"
    (tmp_path / "devices").write_text(f"{HERE}\n{NEVER}\n")
    config.write_text(f'[ward]\ndevices_file = "{tmp_path}/devices"\n[database]\nurl = "{url}"\n')
    book = DeviceCache(database.open_engine(url))
    keep(book, HERE, "HH-1")
    keep(book, SICK, "HH-2", cond='{"code":"hot","sev":"warn"},{"code":"camera_dark","sev":"warn","c":"gate"}')
    keep(book, SILENT, "HH-3", health_ago_s=120)
    keep(book, GONE, "HH-4", online=False, why="lost")
    event = ward_side.Event(specversion="1.0", id=f"{HERE}/7", type="cam.motion.v1", source="/cam", seq=7, boot="b",
                       clock="ntp", data=ward_side.EventData(mono_ms=5, kind="motion"))
    book.remember_event(Came(HERE, event, "{}", Arrival(time.time_ns() // 1_000_000 - 200_000)))
    book.commit()
    return config, book


def watch(config, *words, **more):
    command = [sys.executable, "-m", "agent", "ward", "watch", "--config", str(config), *words]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, **{"stdout": subprocess.PIPE, **more})


def test_for_programs_one_object_a_device_the_worst_first(ward):
    out, _ = watch(ward[0], "--once", "--json").communicate(timeout=HANG_S)
    found = [json.loads(line) for line in out.splitlines()]
    assert [(each["dev"], each["state"], each.get("why")) for each in found] == [
        (GONE, "offline", "lost"), (SILENT, "stale", "no health"), (NEVER, "never-seen", None), (HERE, "online", None),
        (SICK, "online", None)]
    assert found[3]["event_kind"] == "motion" and found[3]["outbox_n"] == 4 and found[3]["site"] == "HH-1"
    assert found[4]["cond"] == ["hot", "camera_dark (gate)"]


def test_in_a_pipe_what_changes_is_told_until_the_reader_goes(ward):
    config, book = ward
    process = watch(config)
    first = [process.stdout.readline().decode().split("\t") for _ in range(5)]
    assert [cells[0] for cells in first] == [GONE, SILENT, NEVER, HERE, SICK]
    assert first[3][6] == "motion 3 min ago" and first[4][5] == "hot, camera_dark (gate)"
    keep(book, SICK, "HH-2", online=False, why="shutdown")
    book.commit()
    assert process.stdout.readline().decode().split("\t")[:4] == [SICK, "HH-2", "offline", "shutdown"]
    process.send_signal(signal.SIGINT)
    assert process.wait(HANG_S) == 0 and not process.stderr.read()
    process.stdout.close()


def test_on_a_terminal_it_is_a_table_with_a_count(ward):
    ours, theirs = pty.openpty()
    process = watch(ward[0], stdout=theirs, env={**os.environ, "COLUMNS": "150", "TERM": "xterm"})
    os.close(theirs)
    shown = b""

    def complete():
        nonlocal shown
        with contextlib.suppress(OSError):      # EIO: the process has let go of its terminal, and is about to be gone
            if select.select([ours], [], [], 0)[0]:
                shown += os.read(ours, 65536)
        return COUNT in shown and b"HH-3" in shown and b"hot" in shown

    until(complete)
    process.send_signal(signal.SIGINT)
    until(lambda: process.poll() is not None or complete() and None)
    os.close(ours)
    assert process.returncode == 0


def test_before_there_is_a_database_the_remedy_is_told(tmp_path):
    config = tmp_path / "ward.toml"
    config.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/ward.db"\n')
    process = watch(config, "--once")
    _, told_ = process.communicate(timeout=HANG_S)
    assert process.returncode == 73 and b"unable to open database file; see [database] url" in told_
