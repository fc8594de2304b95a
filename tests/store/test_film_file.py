"""A film that is read where its clips lie is, byte for byte, the one that an export writes."""
import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.core.evidence.encrypted import AES_GCM, CHACHA, LockedError
from agent.store import clips
from agent.store.export import Export, prepare, write
from agent.store.export.write import FilmFile, FilmLayout
from tests.core.cut_material import record_all
from tests.core.mp4_material import encode
from tests.core.sound_material import hear
from tests.rigs.examples import examples
from tests.rigs.store.shelf import OFFSET_MS, put_all
from tests.rigs.store.vault import Vault

LAST_US = 66_667


@contextlib.contextmanager
def opened(found: Export):
    """The only film of an export, as a file."""
    (film,) = found.films
    file = FilmFile(FilmLayout(found, film), found.folders, found.file_key)
    try:
        yield file
    finally:
        file.close()


def written(found: Export, place: Path) -> bytes:
    (film,) = write(found, place, replace=True)
    return film.path.read_bytes()


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40_000)), min_size=1, max_size=6))
def test_any_part_is_the_part_of_the_whole(film_of_five_clips, spans):
    found, whole = film_of_five_clips
    with opened(found) as file:
        assert file.size_b == len(whole)
        for share, size_b in [(0.0, len(whole)), *spans]:
            at = round(share * len(whole))
            assert file.read_at(at, size_b) == whole[at:at + size_b]


@pytest.fixture
def film_of_five_clips(db, folders, tmp_path) -> tuple[Export, bytes]:
    stream, packets = encode("h264")
    put_all(db, folders, record_all(stream, packets, [0, 15, 30, 45, 60], packets[-1].dts_us + LAST_US, *hear("aac")))
    found = prepare(db, folders, "gate", packets[0].pts_us // 1000 + OFFSET_MS, packets[70].pts_us // 1000 + OFFSET_MS)
    return found, written(found, tmp_path / "film.mp4")


@pytest.mark.parametrize("kind", [AES_GCM, CHACHA])
def test_encrypted_clips_are_a_film_in_the_clear_until_their_key_is_destroyed(db, folders, hand_clock, tmp_path, kind):
    vault = Vault(db, folders, hand_clock, kind)
    begin_ms = hand_clock.now().wall_ms
    for _ in range(2):
        _, name, _ = vault.record()
        hand_clock.advance(clips.get(db, name).dur_ms / 1000)
    vault.record(finished=False)
    end_ms = hand_clock.now().wall_ms + 2000
    found = prepare(db, folders, "gate", begin_ms, end_ms, vault.keys.file_key)
    whole = written(found, tmp_path / "film.mp4")
    with opened(found) as file:
        assert file.read_at(0, file.size_b) == whole and whole[4:8] == b"ftyp"
        assert file.read_at(len(whole) // 2, 5000) == whole[len(whole) // 2:][:5000]
    folders.keys.rename(folders.root / "destroyed")
    with opened(found) as file, pytest.raises(LockedError):
        file.read_at(len(whole) // 2, 10)


def test_the_tag_tells_other_bytes(db, folders, film_of_five_clips):
    found, _ = film_of_five_clips
    (film,) = found.films
    shorter = prepare(db, folders, "gate", film.begin_ms, film.end_ms - 1500)
    same = prepare(db, folders, "gate", found.films[0].begin_ms, film.end_ms)
    assert FilmLayout(found, film).tag == FilmLayout(same, same.films[0]).tag
    assert FilmLayout(found, film).tag != FilmLayout(shorter, shorter.films[0]).tag


def test_a_clip_that_has_gone_or_shrunk_is_an_error_and_no_wrong_byte(db, folders, film_of_five_clips):
    found, whole = film_of_five_clips
    second = folders.clip(found.clips[1].seq, found.clips[1].name)
    data = second.read_bytes()
    second.write_bytes(data[:-1])
    with opened(found) as file, pytest.raises(OSError, match="shorter"):
        file.read_at(0, len(whole))
    second.unlink()
    with opened(found) as file:
        with pytest.raises(FileNotFoundError):
            file.read_at(0, len(whole))
        assert file.read_at(len(whole) - 10, 10) == whole[-10:]
