"""/preview: a light H.264 copy of H.265 footage, one at a time, only while somebody waits, and never on the card."""
import contextlib
import io
import json
from pathlib import Path

import av
import psutil
import pytest

from agent.store import clips
from agent.store.database import connect, transaction
from agent.store.decisions import browsers
from agent.web.recordings import preview
from agent.web.server.access import COOKIE
from tests.core.mp4_material import encode
from tests.rigs.house.household import Household, house_of
from tests.rigs.house.run_of_clips import Kept
from tests.rigs.wait import until

house = house_of()


@pytest.fixture
def kept(house) -> Kept:
    """Five seconds of H.265 in two clips."""
    kept = Kept(house, *encode("h265"))
    kept.store([0, 45])
    return kept


def address(kept: Kept, kind: str = "json", more: str = "") -> str:
    return f"/preview/{kept.camera}.{kind}?from={kept.wall_ms(0)}&to={kept.end_ms}{more}"


def ask(house: Household, where: str) -> dict:
    answer = house.post(where, "")
    assert answer.status == 200, answer.text
    return json.loads(answer.body)


def copiers() -> list[psutil.Process]:
    """The processes at work that make copies."""
    return [each for each in psutil.Process().children(recursive=True) if preview.PROGRAM in _words(each)]


def _words(process: psutil.Process) -> str:
    with contextlib.suppress(psutil.NoSuchProcess):         # ZombieProcess among it
        return " ".join(process.cmdline())
    return ""


def test_a_viewer_may_have_one_made(house, kept):
    with house.decisions() as own, connect(house.folders.root) as db:
        token = browsers.pair(own, db, "a guest's phone", house.clock.now())
    assert house.post(address(kept), "", cookie=f"{COOKIE}={token}").status == 200


def test_a_copy_is_made_over_clip_borders_and_plays_everywhere(house, kept):
    assert ask(house, address(kept))["state"] == "working"
    told = until(lambda: (found := ask(house, address(kept)))["state"] == "done" and found)
    whole = house.get(told["address"])
    assert (whole.status, whole.headers["content-type"], whole.headers["cache-control"]) == (200, "video/mp4",
                                                                                              "no-store")
    with av.open(io.BytesIO(whole.body)) as copy:
        (stream,) = copy.streams
        assert (stream.codec_context.name, stream.width, stream.height) == (
            "h264", kept.stream.width & ~1, kept.stream.height & ~1)
        assert len(list(copy.decode(stream))) == len(kept.packets)
        assert float(stream.duration * stream.time_base) == pytest.approx(5, abs=0.1)
    assert house.get(told["address"], range="bytes=9-99").body == whole.body[9:100]
    assert copiers() == []


def test_nothing_of_it_is_written_to_any_folder(house, kept):
    before = {path: path.stat().st_size for path in house.root.rglob("*.*") if path.is_file()}
    until(lambda: ask(house, address(kept))["state"] == "done")
    after = {path for path in house.root.rglob("*.*") if path.is_file()}
    assert {path.suffix for path in after - before.keys()} <= {".db-wal", ".db-shm"}


def test_it_ends_when_nobody_waits(house, kept, monkeypatch):
    monkeypatch.setattr(preview, "LEFT_S", 0.0)
    ask(house, address(kept))
    until(lambda: copiers() == [])
    assert house.get(address(kept, "mp4")).status == 404


def test_one_at_a_time(house, kept):
    other = Kept(house, *encode("h265"), camera="yard")
    other.store([0])
    assert ask(house, address(kept))["state"] == "working"
    assert ask(house, address(other))["state"] == "busy" and len(copiers()) <= 1
    until(lambda: ask(house, address(kept))["state"] == "done")
    until(lambda: ask(house, address(other))["state"] == "done")
    assert house.get(address(kept, "mp4")).status == 404, "the one before has made room"


def test_what_needs_none_or_is_too_long_gets_none(house, monkeypatch):
    plain = Kept(house, *encode("h264"))
    plain.store([0])
    assert house.post(address(plain), "").status == house.get(address(plain, "mp4")).status == 404
    assert house.post("/preview/gate.json?from=5&to=4", "").status == 404
    long = Kept(house, *encode("h265"), camera="yard")
    long.store([0])
    monkeypatch.setattr(preview, "LONGEST_MS", 1000)
    assert ask(house, address(long))["state"] == "too_long"
    assert house.post(address(long), "", origin="http://elsewhere.example").status == 403


def test_a_copy_goes_with_its_footage(house, kept):
    until(lambda: ask(house, address(kept))["state"] == "done")
    with contextlib.closing(connect(house.folders.root)) as db, transaction(db):
        clips.condemn(db, [name for name, _ in kept.files], "erased")
    assert house.get(address(kept, "mp4")).status == 404


def test_footage_that_can_not_be_decoded_is_said(house, kept):
    for _, file in kept.files:
        data = bytearray(Path(file).read_bytes())
        at = data.index(b"mdat") + 4
        data[at:] = bytes(len(data) - at)
        Path(file).write_bytes(data)
    assert until(lambda: (told := ask(house, address(kept)))["state"] != "working" and told)["state"] == "failed"
