"""An export out of a real store: what is in it, what is said to be missing, and that nothing half done stays."""
import fcntl
import hashlib
import os
import re
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from agent.core.evidence.ledger.claim import STILL_RECORDED, Claim, ExportWish, GapTold
from agent.core.media.model import Packet
from agent.core.media.mp4.boxes import SYNC, TRACK, SampleRun, moof
from agent.core.media.mp4.head import HeadPlan, head
from agent.store import boots, clips
from agent.store.database import transaction
from agent.store.export import Export, ExportError, prepare, prepare_clip, write
from agent.store.export.package import About, summary
from agent.store.folders import Folders
from tests.core.cut_material import packets_of, record, record_all
from tests.core.mp4_material import encode, ffprobe
from tests.core.sound_material import hear
from tests.rigs.store.shelf import BOOT, OFFSET_MS, put, put_all
from tests.rigs.wait import HANG_S

LAST_US = 66_667
ROOT = Path(__file__).parents[2]
HUGE_B = 4_000_000_000


def wall(packet) -> int:
    """The packet's wall time, ms."""
    return packet.pts_us // 1000 + OFFSET_MS


def payloads(path: Path) -> list[bytes]:
    return [packet.data for packet in packets_of(path.read_bytes())]


@pytest.fixture
def run(db: sqlite3.Connection, folders: Folders):
    """Five seconds in four clips, and the packets in them."""
    stream, packets = encode("h264")
    audio, sounds = hear("aac")
    clips_of_it = record_all(stream, packets, [0, 15, 30, 60], packets[-1].dts_us + LAST_US, audio, sounds)
    return put_all(db, folders, clips_of_it), packets


def test_a_range_over_three_borders_is_one_file_of_exactly_its_frames(db, folders, run, tmp_path):
    _, packets = run
    found = prepare(db, folders, "gate", wall(packets[10]), wall(packets[65]) + 5)
    (written,) = write(found, tmp_path / "film.mp4")
    assert payloads(written.path) == [packet.data for packet in packets[:66]]
    assert written.sha256 == hashlib.sha256(written.path.read_bytes()).hexdigest()
    assert written.size_b == written.path.stat().st_size
    assert (written.film.begin_ms, found.gaps, found.sure) == (wall(packets[0]), [], True)
    assert written.film.sounds_n > 50 and len(written.film.strips) == 4
    quiet = subprocess.run(["ffmpeg", "-v", "warning", "-xerror", "-i", written.path, "-f", "null", "-"],
                           capture_output=True, text=True, timeout=HANG_S)
    assert (quiet.returncode, quiet.stderr) == (0, "")
    assert [each.name for each in tmp_path.glob("film*")] == ["film.mp4"]


def test_the_time_it_was_made_is_told_only_if_the_clock_was_known(db, folders, tmp_path):
    stream, packets = encode("h264")
    put(db, folders, record(stream, packets, packets[-1].dts_us + LAST_US), clock="saved")

    def made() -> str:
        found = prepare(db, folders, "gate", wall(packets[0]), wall(packets[-1]))
        (written,) = write(found, tmp_path / "film.mp4", replace=True)
        return ffprobe(written.path, "-show_entries", "format_tags=creation_time")

    assert made() == ""
    with transaction(db):
        boots.date(db, BOOT, OFFSET_MS)
    assert made().startswith("2026-11-18T")


def test_gaps_and_damage_are_told_apart(db, folders, tmp_path):
    stream, packets = encode("h264")
    put(db, folders, record(stream, packets[:15], packets[15].dts_us))
    torn_name, torn = put(db, folders, record(stream, packets[30:60], packets[60].dts_us))
    put(db, folders, record(stream, packets[60:], packets[-1].dts_us + LAST_US))
    torn.write_bytes(torn.read_bytes()[:torn.stat().st_size * 2 // 3])
    found = prepare(db, folders, "gate", wall(packets[0]), wall(packets[-1]) + 5000)
    told = [(gap.begin_ms, gap.end_ms, torn_name in gap.why) for gap in found.gaps]
    assert told[0] == (pytest.approx(wall(packets[15]), abs=2), pytest.approx(wall(packets[30]), abs=2), False)
    assert wall(packets[30]) < told[1][0] < wall(packets[60]) and told[1][2]
    assert told[-1] == (pytest.approx(wall(packets[-1]) + 67, abs=3), wall(packets[-1]) + 5000, False)
    (written,) = write(found, tmp_path / "film.mp4")
    assert len(payloads(written.path)) == written.film.frames_n > 30


def test_a_missing_file_is_a_gap_with_a_name(db, folders, run):
    ((name, path), *_), packets = run
    path.unlink()
    found = prepare(db, folders, "gate", wall(packets[0]), wall(packets[70]))
    assert [name in gap.why for gap in found.gaps] == [True]


def test_the_clip_that_is_being_written_gives_what_is_flushed(db, folders, tmp_path):
    stream, packets = encode("h264")
    put(db, folders, record(stream, packets[:30], packets[30].dts_us))
    put(db, folders, record(stream, packets[30:], 0, finished=False), finished=False)
    found = prepare(db, folders, "gate", wall(packets[20]), wall(packets[-1]) + 60_000)
    (written,) = write(found, tmp_path / "film.mp4")
    assert payloads(written.path) == [packet.data for packet in packets[15:15 + written.film.frames_n]]
    assert written.film.frames_n > 50
    assert [(gap.why, gap.is_damage) for gap in found.gaps] == [(STILL_RECORDED, False)]


def test_a_clip_that_is_finished_between_cut_and_copy_does_no_harm(db, folders, tmp_path):
    stream, packets = encode("h264")
    _, part = put(db, folders, record(stream, packets, 0, finished=False), finished=False)
    found = prepare(db, folders, "gate", wall(packets[0]), wall(packets[-1]))
    part.rename(part.with_suffix(""))
    (written,) = write(found, tmp_path / "film.mp4")
    assert payloads(written.path) == [packet.data for packet in packets[:written.film.frames_n]]


def test_another_picture_size_goes_into_a_second_file(db, folders, tmp_path):
    stream, packets = encode("h264")
    other, others = encode("h265")
    put(db, folders, record(stream, packets[:30], packets[30].dts_us))
    put(db, folders, record(other, others[30:], others[-1].dts_us + LAST_US))
    written = write(prepare(db, folders, "gate", wall(packets[0]), wall(packets[-1]) + 5), tmp_path / "film.mp4")
    assert [each.path.name for each in written] == ["film.mp4", "film-2.mp4"]
    assert [payloads(each.path) for each in written] == [
        [packet.data for packet in packets[:30]], [packet.data for packet in others[30:]]]


def test_across_a_restart_the_wall_clock_tells_the_gap(db, folders):
    stream, packets = encode("h264")
    put(db, folders, record(stream, packets, packets[-1].dts_us + LAST_US))
    again = record(stream, packets, packets[-1].dts_us + LAST_US)._replace(begin_us=30_000_000)
    put(db, folders, again, boot="0b007002", offset_ms=wall(packets[0]) + 65_000 - 30_000)
    found = prepare(db, folders, "gate", wall(packets[0]), wall(packets[0]) + 70_000)
    assert [(gap.begin_ms - wall(packets[0]), gap.end_ms - wall(packets[0])) for gap in found.gaps] == [
        (pytest.approx(5000, abs=2), pytest.approx(65_000, abs=2))]
    assert found.films[0].frames_n == 2 * len(packets)


def test_a_wall_clock_that_was_set_back_puts_nothing_on_top_of_older_footage(db, folders):
    stream, packets = encode("h264")
    for number in range(2):
        put(db, folders, record(stream, packets, packets[-1].dts_us + LAST_US), boot=f"0b00700{number}",
            offset_ms=OFFSET_MS - 1000 * number)
    found = prepare(db, folders, "gate", wall(packets[0]), wall(packets[-1]) + 6000)
    assert found.films[0].frames_n == 2 * len(packets) and len(found.films[0].stretches) == 1


@pytest.mark.parametrize("name", ["h264", "h264-b-frames", "h265-b-frames-uneven"])
def test_a_whole_clip_by_its_name(db, folders, tmp_path, name):
    stream, packets = encode(name)
    stored, _ = put(db, folders, record(stream, packets, packets[-1].dts_us + LAST_US))
    found = prepare_clip(db, folders, clips.get(db, stored))
    (written,) = write(found, tmp_path / "film.mp4")
    assert payloads(written.path) == [packet.data for packet in packets] and found.gaps == []


def test_what_is_not_there_is_said_with_what_is(db, folders, run):
    _, packets = run
    with pytest.raises(ExportError, match="no recording of a camera called yard; recorded here: gate"):
        prepare(db, folders, "yard", 0, 1 << 50)
    with pytest.raises(ExportError, match="nothing was recorded between .* taimat clips list"):
        prepare(db, folders, "gate", 1_000_000, 2_000_000)


@pytest.fixture
def found(db, folders, run) -> Export:
    """Something to write."""
    return prepare(db, folders, "gate", wall(run[1][0]), wall(run[1][-1]))


def test_places_that_will_not_do_are_named_with_the_remedy(found, tmp_path):
    there = tmp_path / "there.mp4"
    there.write_bytes(b"precious")
    with pytest.raises(ExportError, match=r"there.mp4 is already there.*--force"):
        write(found, there)
    with pytest.raises(ExportError, match="no such folder"):
        write(found, tmp_path / "no" / "film.mp4")
    with pytest.raises(ExportError, match=r"is a folder; say the file's name"):
        write(found, tmp_path)
    assert there.read_bytes() == b"precious"
    write(found, there, replace=True)
    assert len(payloads(there)) == found.films[0].frames_n


def test_a_clip_that_goes_while_it_is_copied_leaves_nothing_behind(found, run, tmp_path):
    run[0][2][1].unlink()
    with pytest.raises(ExportError, match=r"No such file.*nothing was written"):
        write(found, tmp_path / "film.mp4")
    run[0][0][1].write_bytes(b"short")
    with pytest.raises(ExportError, match="has become shorter"):
        write(found, tmp_path / "film.mp4")
    assert list(tmp_path.glob("film*")) == []


def test_two_exports_to_one_name_do_not_mix(found, tmp_path):
    part = tmp_path / "film.mp4.part"
    with part.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ExportError, match="another export right now"):
            write(found, tmp_path / "film.mp4")
    assert part.exists()


DIES = """
import os, resource, signal, sys
from pathlib import Path
from agent.store.database import connect
from agent.store.export import ExportError, prepare, write
from agent.store.folders import Folders

folder, target, way = sys.argv[1:]
found = prepare(connect(Path(folder)), Folders(Path(folder)), "gate", 0, 1 << 50)
if way == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
    tell = print
elif way == "kill":
    tell = lambda done_b: os.kill(os.getpid(), signal.SIGKILL)
else:
    tell = lambda done_b: os.kill(os.getpid(), signal.SIGINT)
try:
    write(found, Path(target), tell=tell)
except ExportError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize(("way", "code", "left"), [
    ("kill", -9, ["film.mp4.part"]), ("interrupt", -2, []), ("full", 1, [])])
def test_an_export_that_dies_in_the_middle_leaves_no_film(db, folders, tmp_path, way, code, left):
    stream, packets = encode("h264")
    large = [Packet(bytes(1_000_000), packet.pts_us, packet.dts_us, packet.key) for packet in packets[:45]]
    put(db, folders, record(stream, large, packets[45].dts_us))
    target = tmp_path / "film.mp4"
    died = subprocess.run([sys.executable, "-c", DIES, folders.root, target, way], cwd=ROOT, capture_output=True,
                          text=True, timeout=HANG_S)
    assert died.returncode == code, died.stderr
    assert [path.name for path in tmp_path.glob("film*")] == left
    assert way != "full" or "File too large; nothing was written" in died.stderr
    (written,) = write(prepare(db, folders, "gate", 0, 1 << 50), target)
    assert written.film.frames_n == 45 and [path.name for path in tmp_path.glob("film*")] == ["film.mp4"]


def test_a_disk_without_room_is_told_before_anything_is_written(db, folders, tmp_path):
    disk = os.statvfs(tmp_path)
    parts_n = disk.f_bavail * disk.f_frsize // HUGE_B + 1
    if parts_n > 3000:
        pytest.skip("more room here than a file of the store can be long")
    stream, _ = encode("h264")
    _, path = put(db, folders, record(stream, encode("h264")[1], 0))
    with path.open("r+b") as file:              # sparse: it takes no room itself
        file.truncate(0)
        at = file.write(head(HeadPlan(stream, 90_000, 0, 0, 0)))
        for number in range(parts_n):
            file.seek(at)
            at += file.write(moof(number + 1, [SampleRun(TRACK, number * 100, (100, HUGE_B, SYNC, 0))])) + HUGE_B
        file.truncate(at)
    found = prepare(db, folders, "gate", 0, 1 << 50)
    with pytest.raises(ExportError, match="MB are needed; choose another disk or a shorter time"):
        write(found, tmp_path / "film.mp4")
    (film,) = found.films
    assert b"co64" in film.head() and film.head().endswith(struct.pack(">4sQ", b"mdat", parts_n * HUGE_B + 16))
    assert list(tmp_path.glob("film*")) == []


def test_the_printed_page_tells_a_gap_of_less_than_a_second_by_its_length():
    wish = ExportWish(camera="gate", begin_ms=0, end_ms=9_000, by="command")
    gaps = [GapTold(begin_ms=1_000, end_ms=1_250), GapTold(begin_ms=3_000, end_ms=5_000)]
    claim = Claim(wish=wish, films=[], clips=[], gaps=gaps, sure=True, software="1")
    about = About("dev", None, None, is_signed=False)
    page, vietnamese = (summary(claim, about, each).decode() for each in ("en", "vi"))
    assert re.search(r"<li>0\.2 s at \S+ \S+ \S+: nothing", page) and "0,2 giây, lúc " in vietnamese
    assert re.search(r"<li>\S+ \S+:\d\d \S+ – \S+ \S+:\d\d \S+: nothing", page)
