"""What a stranger's archive and headers can do to the intake: nothing. One word of refusal, and no file elsewhere."""
import base64
import contextlib
import io
import shutil
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.contract.wire import requests
from agent.host.tar import BLOCK_B, members
from agent.store.export.archive import Item, tar
from agent.ward.uploads import headers
from agent.ward.uploads.check import NotAnExport, unpack
from agent.ward.uploads.headers import UploadRefusal
from tests.rigs.examples import examples
from tests.rigs.wait import Stopwatch
from tests.rigs.ward.intake import metadata


def member(name="export/a.txt", data=b"abc", **changes):
    head = tarfile.TarInfo(name)
    head.size = len(data)
    for key, value in changes.items():
        setattr(head, key, value)
    return head, data


def archive(*members, form=tarfile.PAX_FORMAT):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=form) as tar:
        for head, data in members:
            tar.addfile(head, io.BytesIO(data) if data else None)
    return file.getvalue()


GOOD = archive(member("export/manifest.json", b"{}"), member("export/gate-1.mp4", bytes(70_000)))


@pytest.fixture
def place():
    folder = Path(tempfile.mkdtemp(prefix="unpack-"))
    yield folder
    shutil.rmtree(folder)


def unpacked(folder, data):
    """What lies in the target afterwards; and that nothing lies beside it."""
    (folder / "archive").write_bytes(data)
    try:
        unpack(folder / "archive", folder / "out")
    finally:
        assert {path.name for path in folder.iterdir()} == {"archive", "out"}
        assert all(path.is_file() and not path.is_symlink() for path in (folder / "out").iterdir())
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def test_a_folder_of_plain_files_is_taken_out(place):
    assert unpacked(place, GOOD) == {"manifest.json": b"{}", "gate-1.mp4": bytes(70_000)}


@pytest.mark.parametrize("data", [
    archive(member("../escaped")), archive(member("/etc/escaped")), archive(member("export/../../escaped")),
    archive(member("export/deep/er")), archive(member("alone")), archive(member("export/.hidden")),
    archive(member("export/a\nb")), archive(member("export/" + "x" * 300)), archive(member("export/-rf")),
    archive(member("export/link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd")),
    archive(member("export/link", b"", type=tarfile.LNKTYPE, linkname="../archive")),
    archive(member("export/fifo", b"", type=tarfile.FIFOTYPE)),
    archive(member("export/device", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
    archive(member("export", b"", type=tarfile.DIRTYPE)), archive(member("export/x"), member("other/y")),
    archive(member("export/x"), member("export/x")), archive(*(member(f"export/{n}") for n in range(201))),
    archive(), b"", bytes(10_240), GOOD[:600], GOOD[:20_000], b"PK\x03\x04" + GOOD, GOOD[1:],
    archive(member("export/old", type=tarfile.AREGTYPE)),
    archive(member("export/big.json")).replace(b"00000000003\0", b"77777777777\0", 1),
    archive(member("export/pax", pax_headers={"size": "9" * 30})), archive(member("export/pax", pax_headers={
        "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "export/../../escaped"})),
    archive(member("export/" + "g" * 200), form=tarfile.GNU_FORMAT),
])
def test_anything_else_is_none(place, data):
    with pytest.raises(NotAnExport):
        unpacked(place, data)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_extension_of_the_format_is_not_even_read(place, kind):
    """Python's own reader searches a header of 60,000 digits for 20 s, one of a megabyte for an hour."""
    with Stopwatch() as watch, pytest.raises(NotAnExport, match="not a plain file"):
        unpacked(place, archive(member("export/x", b"1" * 60_000, type=kind), form=tarfile.USTAR_FORMAT) + GOOD)
    assert watch.fair_s < 1


def test_a_film_beyond_eight_gigabytes_is_one_block_and_its_content(place):
    head = next(iter(tar("export", [Item("a.mp4", 9 << 30, [])], 0)))
    assert len(head) == BLOCK_B and next(members(io.BytesIO(head), 10 << 30)) == ("export/a.mp4", 9 << 30)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=6), st.integers(0, len(GOOD)))
@settings(max_examples=examples(60))
def test_a_damaged_archive_gives_what_it_held_or_is_none(changes, end):
    data = bytearray(GOOD)
    for at, value in changes:
        data[at] = value
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(NotAnExport):
        unpacked(Path(folder), bytes(data[:end]))


TEXT = st.text(st.characters(max_codepoint=255), max_size=40)
NAMES = st.sampled_from(["upload-length", "upload-metadata", "upload-offset", "upload-checksum", "tus-resumable",
                         "content-type", "content-length"])


@given(st.dictionaries(NAMES, TEXT | st.integers(-1, 10**20).map(str)))
def test_headers_of_any_content_are_understood_or_refused(given_headers):
    for read in (headers.require_version, headers.offset, headers.length, headers.checksum,
                 lambda told: headers.announced(told, 10**9)):
        try:
            read(given_headers)
        except UploadRefusal as refusal:
            assert 400 <= refusal.status < 500 and refusal.code and refusal.why


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20))))
def test_a_header_that_counts_is_given_once(pairs):
    with pytest.raises(UploadRefusal):
        headers.single([(b"Upload-Offset", b"1"), *pairs, (b"upload-offset", b"2")])


ULID = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26)
DIGEST = st.binary(min_size=32, max_size=32).map(bytes.hex)


@given(ULID, st.sampled_from(["clip", "snapshot"]), DIGEST, st.none() | DIGEST, st.integers(1, 30_000_000))
def test_what_a_device_announces_is_what_is_understood(request_id, kind, sha256, manifest, size_b):
    told = {"request": request_id, "kind": kind, "sha256": sha256, "more": "kept for later"} | (
        {"manifest": manifest} if manifest else {})
    found = headers.announced({"upload-length": str(size_b), "upload-metadata": metadata(told)}, 10**9)
    assert found == headers.Announced(request_id, kind, size_b, sha256, manifest)


@given(st.binary(min_size=32, max_size=32), st.integers(0, requests.PIECE_B))
def test_a_piece_s_headers(digest, number):
    told = {"content-type": headers.PIECE_TYPE, "upload-offset": str(number), "content-length": str(number),
            "upload-checksum": f"sha256 {base64.b64encode(digest).decode()}"}
    assert (headers.offset(told), headers.length(told), headers.checksum(told)) == (number, number, digest)
    assert headers.checksum({}) is None
