"""scripts/on_device, run on the virtual camera: it checks, prints its table, and says when something is bad."""
import subprocess
from pathlib import Path

import pytest

from scripts.onboard import machine
from tests.host import trees
from tests.rigs.picamera import environment

ROOT = Path(__file__).parents[2]
UNKNOWN_HERE = {"hardware encoder", "camera memory (CMA) lost", "power and heat"}


def on_device(*words: str) -> subprocess.CompletedProcess[str]:
    try:
        interpreter = environment.python()
    except environment.NoPicamera as missing:
        pytest.skip(f"picamera2 can't run here: {missing}")
    return subprocess.run([interpreter, ROOT / "scripts" / "on_device", "--virtual", *words], capture_output=True,
                          text=True, timeout=400)


def rows(printed: str) -> dict[str, tuple[str, str]]:
    """What the first table says: check -> verdict, seen."""
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if line.startswith("│")]
    return {row[0]: (row[1], row[2]) for row in cells if len(row) == 4}


def test_it_checks_the_camera_and_leaves_the_rest_to_a_person():
    answer = on_device("--size", "640x360", "--fps", "5", "--seconds", "5", "--reopens", "2")
    seen = rows(answer.stdout)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert len(seen) >= 19 and {verdict for verdict, _ in seen.values()} == {"good", "-"}
    assert {what for what, (verdict, _) in seen.items() if verdict == "-"} >= UNKNOWN_HERE - {"hardware encoder"}
    assert seen["picture"] == ("good", "640x360 by x264 superfast")
    assert seen["masks for motion"] == ("good", "0")
    assert "ribbon cable pulled" in answer.stdout


def test_a_camera_that_is_not_there_is_bad_and_nothing_else_is_tried():
    answer = on_device("--camera", "3")
    seen = rows(answer.stdout)
    assert answer.returncode == 1 and "2 bad" in answer.stdout
    assert seen["camera"] == ("BAD", "0: Virtual Video Device")
    assert seen["recording"][0] == "BAD" and "masks for motion" not in seen


@pytest.mark.parametrize(("build", "good"), [(trees.zero2w, True), (trees.pi4, True), (trees.pi5, True),
                                             (trees.pc, None)])
def test_each_board_should_have_the_encoder_of_its_model(tmp_path, build, good):
    assert machine.encoder(build(tmp_path).root).good is good


def test_a_pi_4_without_its_codec_module_is_bad(tmp_path):
    tree = trees.raspberry(tmp_path, "Raspberry Pi 4 Model B Rev 1.5").video("unicam-image")
    assert machine.encoder(tree.root).good is False


@pytest.mark.parametrize(("bits", "good"), [(0x0, True), (0x50000, False), (0x5, False), (0x20000, True)])
def test_a_weak_supply_is_bad(tmp_path, bits, good):
    file = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    file.parent.mkdir(parents=True)
    file.write_text(f"{bits:x}\n")
    assert machine.power(tmp_path).good is good
