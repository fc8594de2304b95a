"""Which computer this is, told from what the kernel shows, never from a guess."""
from pathlib import Path

import pytest

from agent.host import board
from tests.host import trees


@pytest.mark.parametrize(("build", "model", "encoder"), [
    (trees.zero2w, "Raspberry Pi Zero 2 W Rev 1.0", Path("/dev/video11")),
    (trees.pi4, "Raspberry Pi 4 Model B Rev 1.5", Path("/dev/video11")),
    (trees.pi5, "Raspberry Pi 5 Model B Rev 1.0", None),
    (trees.pc, "20L5CTO1WW", None),
])
def test_each_board_says_its_model_and_its_encoder(tmp_path, build, model, encoder):
    seen = board.read(build(tmp_path).root)
    assert (seen.model, seen.encoder) == (model, encoder)


def test_memory_and_serial_number(tmp_path):
    seen = board.read(trees.zero2w(tmp_path).root)
    assert (seen.ram_b, seen.serial) == (436_892 * 1024, "100000000fe69593")


def test_a_board_without_the_codec_module_has_no_encoder_whatever_its_model(tmp_path):
    tree = trees.pi4(tmp_path)
    tree.video("unicam-image", "rpivid", "bcm2835-codec-encode_image")       # the last one makes JPEG
    assert board.read(tree.root).encoder is None


def test_what_a_machine_does_not_tell_is_none(tmp_path):
    assert board.read(tmp_path) == board.Board(None, None, None, None)


def test_this_machine_can_be_asked():
    assert board.read().ram_b > 0
