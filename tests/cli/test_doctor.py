"""`taimat doctor`: a verdict and a remedy for each part, and nothing that hangs it."""
import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.doctor import Check, CheckVerdict, bad, broker, ok, warn, worst
from agent.cli.doctor.main import ask
from agent.config.load import load
from agent.config.settings import Ward
from agent.mqtt import trial
from agent.store import identity
from agent.store.database import connect
from agent.store.folders import Folders
from tests.cli.cli import environment, taimat_process, write_config
from tests.rigs.cameras import footage, rtsp
from tests.rigs.store.holder import Holder
from tests.rigs.store.joined import join_in
from tests.rigs.store.small_card import fill_bytes, fill_files, small_card
from tests.rigs.wait import HANG_S, Stopwatch, deaf_port


def look(tmp_path: Path, config: Path) -> tuple[int, dict[str, dict[str, str]], str]:
    """The exit code, the verdict of each check, and everything that was printed."""
    said = taimat_process(tmp_path, "doctor", "-c", config, "--json")
    told = {each["check"]: each for each in map(json.loads, said.stdout.splitlines())}
    return said.returncode, told, said.stdout + said.stderr


@pytest.fixture(scope="module")
def film() -> Iterator[Path]:
    with footage.for_everybody(footage.clip(640, 360, fps=10, gop=20, kbps=400)) as film:
        yield film


def test_a_camera_that_plays_is_described_and_all_parts_are_looked_at(tmp_path: Path, film: Path):
    code, told, _ = look(tmp_path, write_config(tmp_path, f"file:{film}", 'title = "Sân"\n'))
    assert code == max({"ok": 0, "skipped": 0, "warn": 1, "bad": 2}[each["state"]] for each in told.values())
    assert (told["camera yard"]["state"], told["camera yard"]["title"]) == ("ok", "Sân")
    assert re.match(r"H\.264 640x360, (9|10)\.\d pictures a second", told["camera yard"]["text"])    # measured
    assert "a keyframe every 2.0 s" in told["camera yard"]["text"]
    assert {"board", "clock", "card", "permissions", "encoder", "watchdog", "memory limits", "broker"} <= set(told)
    assert "MB/s" in told["card"]["text"] and told["broker"]["state"] == "skipped"


def test_a_file_that_is_no_video_is_bad_and_the_exit_code_says_so(tmp_path: Path):
    (tmp_path / "no.mp4").write_bytes(b"no video at all" * 100)
    code, told, _ = look(tmp_path, write_config(tmp_path, f"file:{tmp_path}/no.mp4"))
    assert code == 2 and told["camera yard"]["state"] == "bad" and told["camera yard"]["remedy"]


@pytest.mark.needs.with_args(rtsp.missing)
def test_network_cameras_wrong_password_and_wrong_path_are_told_apart_without_the_password(tmp_path: Path, film: Path):
    with rtsp.RtspCamera(film, film, login="admin:right-s3cret") as camera:
        def cameras(*urls: str) -> Path:
            tables = [f'[[camera]]\nname = "c{number}"\nsource = "{url}"\n' for number, url in enumerate(urls)]
            return write_config(tmp_path, more="".join(tables) + f'sub = "{camera.sub_url}"\n')

        config = cameras(camera.address(login="admin:wrong-s3cret"), camera.address("/none"), camera.url)
        code, told, printed = look(tmp_path, config)
    assert code == 2 and "s3cret" not in printed
    assert "user name or password" in told["camera c0"]["text"] and told["camera c0"]["remedy"]
    assert "no stream under this path" in told["camera c1"]["text"]
    assert told["camera c2"]["state"] == "ok"
    assert re.search(r"sub-stream 640x360, (9|10)\.\d pictures", told["camera c2"]["text"])     # a rate is measured


def test_a_camera_that_refuses_the_connection_is_bad(tmp_path: Path):
    code, told, _ = look(tmp_path, write_config(tmp_path, f"rtsp://127.0.0.1:{deaf_port()}/1"))
    assert code == 2 and "refuses the connection" in told["camera yard"]["text"]


def test_secrets_that_anybody_may_read_are_told(tmp_path: Path):
    config = write_config(tmp_path, f"rtsp://u:pw@127.0.0.1:{deaf_port()}/1")
    config.chmod(0o644)
    _, told, _ = look(tmp_path, config)
    assert told["permissions"]["state"] == "warn" and f"chmod 600 {config}" in told["permissions"]["remedy"]


def test_who_holds_the_database_is_named(tmp_path: Path):
    config = write_config(tmp_path)
    store = Path(load(config).store.folder)
    connect(Folders(store).create().root).close()
    with contextlib.closing(connect(store)), Holder(store, "reader") as holder:
        _, told, _ = look(tmp_path, config)
    assert f"process {holder.pid} (not a part of Taimat) holds the database" in told["card"]["text"]
    assert told["card"]["state"] == "warn" and "restart the device" in told["card"]["remedy"]


@pytest.fixture
def card() -> Iterator[Path]:
    """A small card with a store, below a folder that every user may pass through; its configuration is beside it."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o711)
        with small_card(place, "-N", "512") as card:
            connect(Folders(card / "store").create().root).close()
            (place / "store").symlink_to(card / "store")
            write_config(place)
            yield card


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_full_card_says_how_much_is_not_the_recorder_s_and_where_that_lies(card: Path):
    (card / "store/clips/000000").mkdir()
    (card / "store/clips/000000/gate-0b007001-000001.mp4").write_bytes(bytes(3_000_000))
    for name, size_b in (("anna/films/long", 20_000_000), ("ben/films/short", 9_000_000), ("root/s", 1_000_000)):
        (card / "home" / name).parent.mkdir(parents=True)
        (card / "home" / name).write_bytes(bytes(size_b))
    os.link(card / "home/anna/films/long", card / "home/anna/the-same")
    (card / "home/ben/elsewhere").symlink_to("/usr")
    (card / "home/root").chmod(0o700)
    fill_bytes(card)
    _, told, _ = look(card.parent, card.parent / "taimat.toml")
    said = told["card"]
    assert said["state"] == "bad" and "by itself" in said["remedy"] and "permissions" not in said["remedy"]
    assert re.search(r"the card is full \(0 B free of 4\d\.\d MB\): 4\d\.\d MB are not the recorder's: "
                     rf"{card}/home/anna 20\.0 MB, {card} 1\d\.\d MB, {card}/home/ben 9\.0 MB;", said["text"])
    assert "may not look into" not in said["text"] and "taimat doctor" not in said["text"] + said["remedy"]
    subprocess.run(["chown", "-R", "nobody", card / "store"], check=True)
    _, told, _ = look(card.parent, card.parent / "taimat.toml")     # with the rights of the store's owner
    as_owner = told["card"]["text"]
    assert f"{card}/home/root" in as_owner.partition("may not look into ")[2]
    assert as_owner.partition("are not")[0] == said["text"].partition("are not")[0]     # it knows how much all the same


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root")
def test_a_card_without_room_for_files_says_who_has_most_of_them(card: Path):
    fill_files(card)
    _, told, _ = look(card.parent, card.parent / "taimat.toml")
    assert told["card"]["state"] == "bad"
    assert re.search(rf"room for only 0 files: \d+ files are not the recorder's: {card}/stranger-files \d+ files",
                     told["card"]["text"])


def test_a_check_that_hangs_is_ended_in_time():
    with Stopwatch() as watch:
        verdict = ask(Check("x", lambda: time.sleep(60) or ok("late"), 0.5), lambda: None)
    assert verdict.state == "bad" and "0.5 s" in verdict.text and watch.fair_s < 5


def test_a_check_that_dies_or_fails_is_bad_and_says_why():
    assert "it said nothing" in ask(Check("x", lambda: os._exit(3)), lambda: None).text

    def fails() -> CheckVerdict:
        raise RuntimeError("wires crossed")
    assert "wires crossed" in ask(Check("x", fails), lambda: None).text


def test_several_findings_are_as_bad_as_the_worst_and_keep_its_remedy():
    assert worst([ok("fine", "hint"), bad("broken", "mend it"), warn("worn", "watch it")]) == CheckVerdict(
        "bad", "broken; worn; fine", "mend it")


def ward(port: int, **more: object) -> Ward:
    return Ward(enabled=True, host="127.0.0.1", port=port, tls=False, **more)


@pytest.fixture
def mosquitto(tmp_path: Path):
    """A broker that asks for a password."""
    from agent.cli.demo.debian import Broker, NotToBeHad, find
    (tmp_path / "users").write_text("")
    try:
        program = find(tmp_path)
        subprocess.run(["mosquitto_passwd", "-b", tmp_path / "users", "c1", "right"], check=True, capture_output=True)
        rights = f"password_file {tmp_path}/users\nallow_anonymous false\n"
        with contextlib.closing(Broker(program, tmp_path, rights)) as running:
            yield running
    except (NotToBeHad, OSError) as error:
        pytest.skip(f"no mosquitto: {error}")


def test_the_broker_is_asked_like_the_link_asks(tmp_path: Path, mosquitto):
    (tmp_path / "pw").write_text("right\n")
    told = broker.examine(ward(mosquitto.port, user="c1", password_file=str(tmp_path / "pw")), tmp_path / "store")
    assert told.state == "ok" and "accepts this device" in told.text
    (tmp_path / "pw").write_text("wrong-s3cret\n")
    told = broker.examine(ward(mosquitto.port, user="c1", password_file=str(tmp_path / "pw")), tmp_path / "store")
    assert told.state == "bad" and told.remedy and "s3cret" not in told.text


def test_a_running_link_is_not_thrown_out(tmp_path: Path, mosquitto):
    (tmp_path / "pw").write_text("right\n")
    config = write_config(tmp_path, more=f'''[ward]
enabled = true
host = "127.0.0.1"
port = {mosquitto.port}
tls = false
user = "c1"
password_file = "{tmp_path}/pw"
''')
    (tmp_path / "store").mkdir()
    join_in(tmp_path / "store", load(config).ward.ward)
    with contextlib.closing(connect(tmp_path / "store")) as db:
        identity.name(Folders(tmp_path / "store"), db)          # no keeper gives it one here
    link = subprocess.Popen([sys.executable, "-m", "agent.link", "--config", config], cwd=tmp_path,
                            env=environment(tmp_path), stderr=subprocess.PIPE, text=True)
    killer = threading.Timer(HANG_S, link.kill)
    killer.start()
    try:
        assert any("connected" in line for line in link.stderr)
        told = broker.examine(load(config).ward, tmp_path / "store")
    finally:
        link.terminate()
        rest = link.communicate()[1]
        killer.cancel()
    assert told.state == "ok" and f"the running link (process {link.pid})" in told.text
    assert "another client" not in rest


def test_a_broker_that_is_not_there_or_mute_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trial, "CONNECT_S", 1.0)
    told = broker.examine(ward(deaf_port()), tmp_path)
    assert told.state == "bad" and "nothing listens there" in told.text
    with socket.create_server(("127.0.0.1", 0)) as mute:
        told = broker.examine(ward(mute.getsockname()[1]), tmp_path)
    assert told.state == "bad" and "no MQTT answer" in told.text
