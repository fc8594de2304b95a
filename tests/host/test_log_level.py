"""How much a process logs follows a word in the link's folder; what is none, or strange, changes nothing."""
import logging
import os

import pytest

from agent.host.runtime import own
from agent.process import orders
from agent.process.heartbeat import EVERY_S, Heartbeat
from tests.rigs.device.command_desk import HandClock


@pytest.fixture
def level():
    """The root logger's level, put back afterwards."""
    root = logging.getLogger()
    before = root.level
    root.setLevel("WARNING")
    yield lambda: logging.getLevelName(root.level)
    root.setLevel(before)


@pytest.fixture
def beat(tmp_path, level):
    """A beat of a heart whose process logs warnings."""
    clock = HandClock()
    heart = Heartbeat("keeper", "keeper", tmp_path, clock)

    def beat():
        clock.step(EVERY_S)
        heart.beat()
    return beat


def test_a_heart_follows_the_word_and_goes_back_to_what_the_settings_say(tmp_path, level, beat):
    beat()
    assert level() == "WARNING"
    for word, is_now in (("debug", "DEBUG"), ("info", "INFO"), (None, "WARNING"), (None, "WARNING")):
        orders.set_log_level(tmp_path, word)
        beat()
        assert level() == is_now
    assert not list(tmp_path.rglob("*log.level*"))


@pytest.mark.parametrize("make", [
    os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path), lambda path: path.write_text("loud"),
    lambda path: path.write_bytes(b"\xff"), lambda path: path.write_text("debug" + 100 * " "),
    lambda path: path.touch()], ids=["fifo", "folder", "link", "word", "bytes", "long", "empty"])
def test_nothing_strange_in_its_place_changes_anything(tmp_path, level, beat, make):
    make(own(tmp_path, orders.LINK) / orders.LEVEL_FILE)
    beat()
    assert level() == "WARNING"
