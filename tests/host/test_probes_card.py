"""The card's probes on a real ext4 file system in a loop device: read-only, full, out of files, taken away."""
import os
import subprocess
from pathlib import Path

import pytest

from agent.core.health.facts import Facts
from agent.core.health.machine import HealthMachine
from agent.host.probes.machine import Probes
from agent.host.probes.volume import Abort, refuses
from tests.rigs.wait import HANG_S, until

MB = 1_000_000
INODES_N = 64


def run(*command: str) -> None:
    """Run a system command; its complaint goes into the test's report."""
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=HANG_S)


@pytest.fixture
def card(tmp_path):
    """A mounted card of 16 MB with a sample to read; needs root and loop devices."""
    image, point = tmp_path / "card.img", tmp_path / "card"
    image.write_bytes(b"")
    os.truncate(image, 16 * MB)
    point.mkdir()
    try:
        run("mkfs.ext4", "-q", "-N", str(INODES_N), str(image))
        run("mount", "-o", "loop", str(image), str(point))
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no loop mount here: {getattr(error, 'stderr', error)}")
    (point / "ballast").write_bytes(bytes(8192))
    run("sync", "-f", str(point))
    yield point
    subprocess.run(["umount", "--lazy", str(point)], check=False, capture_output=True, timeout=HANG_S)


def shown(probes: Probes) -> list[str]:
    """The codes of the card's conditions once they have had time to show."""
    machine = HealthMachine()
    for now_mono_s in range(0, 60, 10):
        machine, conditions = machine.step(Facts(host=probes.read(float(now_mono_s))), float(now_mono_s))
    return [each.code for each in conditions if each.code.startswith(("card", "inodes"))]


def test_a_card_that_is_well(card):
    probes = Probes(card)
    facts = probes.read(0.0)
    assert (facts.card_missing, facts.card_hung, facts.card_error, facts.read_only) == (False, False, False, False)
    assert (facts.card_errors_n, facts.card_errors_new_n) == (0, 0)
    assert 8 * MB < facts.disk_free_b < facts.disk_tot_b < 16 * MB
    assert shown(probes) == []


def test_bytes_written_are_those_that_reached_the_device(card):
    probes = Probes(card)
    before_b = probes.read(0.0).disk_wr_b
    with (card / "clip").open("wb") as clip:
        clip.write(os.urandom(2 * MB))
        os.fsync(clip.fileno())
    assert 2 * MB <= probes.read(1.0).disk_wr_b - before_b < 4 * MB


def test_a_card_mounted_read_only(card):
    probes = Probes(card)
    run("mount", "-o", "remount,ro", str(card))
    assert shown(probes) == ["card_read_only"]


def test_an_error_that_the_file_system_noted_while_we_look(card):
    """ext4 counts it and, by its mount option, refuses every write from then on: one condition, the cause."""
    device = os.stat(card).st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    run("mount", "-o", "remount,errors=remount-ro", str(card))
    probes = Probes(card)
    until(lambda: probes.read(0.0).card_errors_new_n == 0, "the card has answered")
    Path(f"/sys/fs/ext4/{name}/trigger_fs_error").write_text("a test")
    facts = probes.read(1.0)
    assert (facts.card_errors_n, facts.card_errors_new_n) == (1, 1)
    with pytest.raises(OSError):
        (card / "clip").touch()
    # An error of an earlier life is still told; older kernels do not say that nothing can be written any more.
    assert {*shown(probes), *shown(Probes(card))} in ({"card_read_only"}, {"card_io"})
    assert Abort(card).seen() and refuses(card)


def test_a_card_that_can_not_be_read_any_more(card):
    """Cutting the image short makes the loop device answer EIO; only a read past the cache finds that out."""
    probes = Probes(card)
    assert probes.read(0.0).card_error is False
    os.truncate(card.with_suffix(".img"), 64 * 1024)
    assert (card / "ballast").read_bytes() == bytes(8192)       # still in the cache
    assert probes.read(1.0).card_error is True
    assert shown(probes)[0] == "card_io"


def test_a_card_on_which_a_write_hangs(card):
    """The card's image lies on a second one that is frozen, so the kernel can't complete what is asked of the card."""
    outer, point = card, card / "inner"
    image = outer / "inner.img"
    point.mkdir()
    with image.open("wb") as file:
        file.truncate(6 * MB)
    run("mkfs.ext4", "-q", str(image))
    run("mount", "-o", "loop", str(image), str(point))
    try:
        probes = Probes(point)
        assert shown(probes) == []
        (point / "clip").write_bytes(os.urandom(MB))
        run("fsfreeze", "-f", str(outer))
        with subprocess.Popen(["sync", str(point / "clip")]) as writer:
            until(lambda: waiting(point), "the kernel waits for the card")
            seen = [probes.read(100.0 + now_s).card_hung for now_s in (0, 5, 15)]
            run("fsfreeze", "-u", str(outer))
            assert writer.wait(HANG_S) == 0
        assert seen == [False, False, True]
        assert probes.read(130.0).card_hung is False
    finally:
        subprocess.run(["fsfreeze", "-u", str(outer)], check=False, capture_output=True, timeout=HANG_S)
        subprocess.run(["umount", "--lazy", str(point)], check=False, capture_output=True, timeout=HANG_S)


def waiting(folder: Path) -> int:
    """Requests that the folder's device has not completed yet."""
    device = os.stat(folder).st_dev
    return int(Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat").read_text().split()[8])


def test_a_full_card(card):
    probes = Probes(card)
    with pytest.raises(OSError, match="No space left"), (card / "stranger").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(MB))
    assert shown(probes) == ["card_full"]


def test_a_card_out_of_files(card):
    probes = Probes(card)
    with pytest.raises(OSError, match="No space left"):
        for number in range(INODES_N + 1):
            (card / f"{number}").touch()
    assert shown(probes) == ["inodes_low"]


def test_a_card_that_is_taken_away_is_missing_though_its_folder_is_there(card):
    probes = Probes(card)
    assert probes.read(0.0).card_missing is False
    run("umount", str(card))
    assert card.is_dir()
    assert shown(probes) == ["card_missing"]
