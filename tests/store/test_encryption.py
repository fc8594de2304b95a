"""Encrypted files: what was written is read by who has the key, and never anything else, whatever was done to them."""
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.capture.clip_rows import ClipRules
from agent.capture.clipfile import EncryptionPolicy, choose_policy
from agent.capture.recorder import Recorder
from agent.core.evidence.encrypted import AES_GCM, CHACHA, HEAD_B, MAGIC, DamagedError, FileHead, LockedError, records
from agent.host.datagram import Outlet
from agent.keeper.sweeper import DayKeys
from agent.store import clips
from agent.store.clip_recovery import recover_camera
from agent.store.database import FILE, connect
from agent.store.decisions import database as decisions
from agent.store.encryption import file_keys
from agent.store.encryption.ciphers import Encrypter, file_key, new_private, public_of
from agent.store.encryption.clear_file import ClearFile, PlainFile, open_clear, open_clip
from agent.store.encryption.file_keys import Keyring
from agent.store.export import prepare, write
from tests.core.cut_material import packets_of
from tests.core.mp4_material import ffprobe
from tests.rigs.cameras.h264 import movie
from tests.rigs.device.recorder import clip
from tests.rigs.store.cards import swept
from tests.rigs.store.vault import Vault
from tests.rigs.wait import HANG_S

PRIVATE = new_private()
PUBLIC = public_of(PRIVATE)
CIPHERS = pytest.mark.parametrize("kind", [AES_GCM, CHACHA])


def own_key(head: FileHead, name: str) -> bytes:
    return file_key(head, PRIVATE, name)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[ClearFile]:
    with contextlib.closing(open_clear(path, own_key)) as file:
        yield file


def whole(path: Path) -> bytes:
    with opened(path) as file:
        return file.read_at(0, file.size_b + 100)


def written(path: Path, pieces: list[bytes], kind: int = AES_GCM, head: bytes = b"") -> bytes:
    """The pieces as an encrypted file; returns what it is in the clear."""
    encrypter = Encrypter(kind, 7, PUBLIC, path.name.partition(".")[0])
    data = encrypter.head + b"".join(part for piece in pieces for part in encrypter.body(piece))
    path.write_bytes(data + (b"".join(encrypter.final_head(head, 0, 0)) if head else b""))
    clear = b"".join(pieces)
    return head + clear[len(head):]


@CIPHERS
@given(pieces=st.lists(st.binary(max_size=200), min_size=1, max_size=8), spans=st.lists(st.tuples(
    st.integers(0, 1700), st.integers(0, 700)), max_size=5), head_b=st.integers(0, 50))
def test_any_part_of_what_was_written_is_read(tmp_path_factory, kind, pieces, spans, head_b):
    path = tmp_path_factory.mktemp("any") / "gate-1.mp4"
    head = b"H" * min(head_b, sum(map(len, pieces)))
    clear = written(path, pieces, kind, head)
    with opened(path) as file:
        assert file.size_b == len(clear)
        for offset, size_b in [(0, len(clear)), *spans]:
            assert file.read_at(offset, size_b) == clear[offset:offset + size_b]
    assert clear[:40] not in path.read_bytes() or len(set(clear[:40])) < 8


def test_every_changed_byte_is_found_or_ends_the_file(tmp_path):
    path = tmp_path / "gate-1.mp4"
    clear = written(path, [os.urandom(30), os.urandom(50), os.urandom(20)], head=b"head")
    data = path.read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
        if at < len(MAGIC):     # now it looks like a file that is not encrypted, and no video at all
            continue
        with contextlib.suppress(DamagedError):
            read = whole(path)
            assert clear[4:].startswith(read[4:]), f"byte {at} gave something else"


def test_records_of_another_file_or_in_another_order_are_no_records_of_this_one(tmp_path):
    first, second = tmp_path / "gate-1.mp4", tmp_path / "gate-2.mp4"
    for path in (first, second):
        written(path, [b"a" * 50, b"b" * 50, b"c" * 50])
    data, other = first.read_bytes(), second.read_bytes()
    record_b = (len(data) - HEAD_B) // 3
    mixed = data[:HEAD_B + record_b] + other[HEAD_B + record_b:]
    first.write_bytes(mixed)
    with pytest.raises(DamagedError, match="gate-1: record 1"):
        whole(first)
    swapped = data[:HEAD_B] + data[HEAD_B + record_b:HEAD_B + 2 * record_b] + data[HEAD_B:HEAD_B + record_b]
    first.write_bytes(swapped)
    assert whole(first) == b""
    first.write_bytes(other)        # all of another clip under this one's name
    with pytest.raises(DamagedError, match="another file"):
        whole(first)


@CIPHERS
def test_no_file_is_like_another_with_the_same_content(tmp_path, kind):
    seen = set()
    for _ in range(2):
        written(tmp_path / "gate-1.mp4", [b"same" * 20], kind)
        seen.add((tmp_path / "gate-1.mp4").read_bytes()[40:])
    assert len(seen) == 2


@pytest.fixture
def vault(db, folders, hand_clock) -> Vault:
    return Vault(db, folders, hand_clock)


def test_a_clip_torn_anywhere_is_recovered_without_any_key_and_plays(vault, db, folders, hand_clock, tmp_path):
    seq, name, ends = vault.record(finished=False)
    part = folders.part(seq, name)
    data = part.read_bytes()
    keys = folders.keys.rename(folders.root / "elsewhere")
    for cut_b in [*(end + extra for end in ends[::5] for extra in (-1, 0, 1, 60)), len(data)]:
        torn = data[:cut_b] + bytes(37)                 # what the card never got reads as zeros
        part.write_bytes(torn)
        db.execute("UPDATE clip SET state = 'open' WHERE seq = ?", (seq,))
        recover_camera(db, folders, "gate", hand_clock)
        row = clips.get(db, name)
        whole_n = sum(torn[:end] == data[:end] for end in ends)      # a record may itself end with a zero
        assert row.state == ("recovered" if whole_n else "lost")
        if whole_n:
            assert row.bytes == folders.clip(seq, name).stat().st_size == ends[whole_n - 1]
            keys.rename(folders.keys)
            assert vault.frames(name, tmp_path / "film.mp4") == row.frames
            with contextlib.closing(open_clip(folders.clip(seq, name), vault.keys.file_key)) as file:
                (tmp_path / "clear.mp4").write_bytes(file.read_at(0, file.size_b))
            assert float(ffprobe(tmp_path / "clear.mp4", "-show_entries", "format=duration")) == row.dur_ms / 1000
            folders.keys.rename(keys)
            folders.clip(seq, name).unlink()


def test_what_plays_is_what_would_have_been_written_in_the_clear(vault, db, folders, hand_clock, tmp_path):
    seq, name, _ = vault.record()
    info, packets = movie()
    with contextlib.closing(open_clip(folders.clip(seq, name), vault.keys.file_key)) as file:
        clear = file.read_at(0, file.size_b)
    assert [packet.data for packet in packets_of(clear)] == [packet.data for packet in packets]
    (tmp_path / "plain.mp4").write_bytes(clear)
    assert not isinstance(open_clear(folders.clip(seq, name), vault.keys.file_key), PlainFile)
    assert packets[3].data not in folders.clip(seq, name).read_bytes()


def test_a_recorder_encrypts_clip_and_picture_and_the_export_opens_them(own, db, folders, hand_clock, tmp_path):
    DayKeys(folders).renew(own, db, hand_clock.now())
    recorder = Recorder("gate", folders, hand_clock, Outlet(tmp_path), ClipRules(1, pre_roll_s=5),
                        encryption=choose_policy("on"))
    recorder.start()
    for jobs in clip():
        assert recorder.offer(jobs)
    recorder.finish(HANG_S)
    (made,) = clips.finished(db)
    assert db.execute("SELECT day_key FROM clip").fetchone()[0] == 1
    assert made.bytes == folders.clip(made.seq, made.name).stat().st_size
    found = prepare(db, folders, "gate", made.wall_ms, made.wall_ms + 10_000)
    (film,) = write(found, tmp_path / "film.mp4")
    assert film.film.frames_n == made.frames == 40


def test_without_a_key_the_first_clips_are_recorded_as_they_are(db, folders, hand_clock, tmp_path):
    policy = EncryptionPolicy(AES_GCM)
    assert policy.day(folders) is None and policy.encrypter(None, "gate-1") is None
    assert choose_policy("off").day(folders) is None


def test_lost_databases_find_their_keys_and_adopt_their_encrypted_clips(vault, db, folders, hand_clock):
    seq, name, _ = vault.record()
    db.close()
    for path in [*folders.root.glob(f"{FILE}*"), *folders.keys.glob(f"{decisions.FILE}*")]:
        path.unlink()
    fresh, own = connect(folders.root), decisions.connect(folders)
    DayKeys(folders).renew(own, fresh, hand_clock.now())
    assert swept(fresh, folders, hand_clock.now(), Keyring(folders).file_key) == (1, 0)
    row = clips.get(fresh, name)
    assert (row.state, row.frames, row.bytes) == ("recovered", 40, folders.clip(seq, name).stat().st_size)
    assert DayKeys(folders).destroy_unused(own, fresh, hand_clock.now()) == 0
    assert [day.id for day in file_keys.living(folders)] == [1]
    fresh.close()
    own.close()


def test_who_may_not_read_the_keys_is_told_whom_to_ask(vault, folders, tmp_path):
    seq, name, _ = vault.record()
    folders.keys.rename(tmp_path / "elsewhere")
    with pytest.raises(LockedError, match="try it as root, or with the household's key"):
        open_clip(folders.clip(seq, name), Keyring(folders).file_key)
    with pytest.raises(LockedError, match="does not answer.*systemctl status taimat-keeper"):
        open_clip(folders.clip(seq, name), Keyring(folders, tmp_path).file_key)


def test_the_walk_over_records_ends_where_they_do(tmp_path):
    path = tmp_path / "gate-1.mp4"
    written(path, [b"abc", b"defg"], head=b"xy")
    data = path.read_bytes()
    found = list(records(lambda offset, size_b: data[offset:offset + size_b]))
    assert [(record.head.kind, record.head.offset, record.head.size_b) for record in found] == [
        (1, 0, 3), (1, 3, 4), (2, 0, 2)]
    assert found[-1].end == len(data)
