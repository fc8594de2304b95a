"""What a camera sends is read by no process of root's, whichever command root types."""
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.cli import environment, taimat_process, write_config
from tests.rigs.cameras import footage
from tests.rigs.wait import HANG_S, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="it is about root")
NOBODY = 65_534


class Door:
    """A camera that looks who has come, and hangs up."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self.users: set[int] = set()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            try:
                guest, (_, port) = self._server.accept()
            except OSError:
                return
            with guest:
                for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
                    _, own, other, _, _, _, _, user, *_ = line.split()
                    if (int(own.partition(":")[2], 16), int(other.partition(":")[2], 16)) == (port, self.port):
                        self.users.add(int(user))

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


@pytest.mark.parametrize("reader", ["own", "libav"])
def test_doctor_s_camera_is_read_by_nobody_where_no_package_is(tmp_path: Path, door: Door, reader: str):
    config = write_config(tmp_path, f"rtsp://127.0.0.1:{door.port}/live", f'reader = "{reader}"\n')
    # libav says something else if the camera hangs up before it has asked anything.
    told = ("127.0.0.1 closed the connection", "127.0.0.1 gives no answer that makes sense")
    said = taimat_process(tmp_path, "doctor", "-c", config).stdout
    assert any(each in said for each in told), said
    assert door.users == {NOBODY}


def test_discover_s_answers_are_too(tmp_path: Path, door: Door):
    assert taimat_process(tmp_path, "discover", "--at", f"127.0.0.1:{door.port}").returncode == 1
    assert door.users == {NOBODY}


def test_tune_s_films_are_too_and_may_be_root_s_own(tmp_path: Path):
    film = tmp_path / "film.mp4"
    film.write_bytes(footage.clip(320, 180, 10, 10, 300).read_bytes())
    film.chmod(0o600)
    with subprocess.Popen([sys.executable, "-m", "agent", "tune", film, "--json"], cwd=tmp_path, text=True,
                          env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as command:
        def reader() -> str:
            children = Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()
            return Path(f"/proc/{children[0]}/status").read_text() if children else ""
        # Until it has stepped down it has read nothing.
        status = until(lambda: (found := reader()) and f"\nUid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n" in found
                       and found, "the reader is nobody's")
        out, err = command.communicate(timeout=HANG_S)
    assert "\nCapPrm:\t0000000000000000\n" in status and command.returncode == 0 and out.count('"variant"') == 5, err


@pytest.mark.parametrize("text", [
    "ffconcat version 1.0\nfile /etc/shadow\n", "#EXTM3U\n#EXTINF:1,\nfile:///etc/shadow\n",
    "v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"])
def test_a_film_that_leads_elsewhere_is_no_film(tmp_path: Path, text: str):
    film = tmp_path / "film.mp4"
    film.write_text(text)
    said = taimat_process(tmp_path, "tune", film)
    assert said.returncode == 1 and "is no video that can be looked at" in said.stderr and said.stdout == ""


def test_a_film_of_an_unknown_kind_stops_no_others(tmp_path: Path):
    film, unknown = footage.clip(320, 180, 10, 10, 300, seconds=4), tmp_path / "unknown.mp4"
    unknown.write_bytes(film.read_bytes().replace(b"avc1", b"zzz1"))
    said = taimat_process(tmp_path, "tune", unknown, film, "--json")
    assert said.returncode == 1 and "has no video in it" in said.stderr and said.stdout.count('"variant"') == 5
