"""A unit is asked to start anew by a file that its heart finds; an old, a strange or a damaged one asks for nothing."""
import os
from dataclasses import replace

import pytest

from agent.host.runtime import own
from agent.host.stop import Stop
from agent.process import orders
from agent.process.heartbeat import Heartbeat
from tests.rigs.device.command_desk import NOW, HandClock


def test_a_heart_that_finds_the_request_ends_its_process_and_only_that(tmp_path):
    clock, stop, other = HandClock(), Stop(), Stop()
    hearts = [Heartbeat("keeper", "keeper", tmp_path, clock, stop),
              Heartbeat("capture", "capture@gate", tmp_path, clock, other)]
    for heart in hearts:
        heart.beat()
    clock.step(1)
    orders.ask_restart(tmp_path, "keeper", clock.now())
    clock.step(5)
    for heart in hearts:
        heart.beat()
    assert stop.is_set() and not other.is_set()
    next_life = Stop()
    again = Heartbeat("keeper", "keeper", tmp_path, clock, next_life)
    clock.step(5)
    again.beat()
    assert not next_life.is_set()


BORN = replace(NOW, mono_ms=NOW.mono_ms - 60_000)


@pytest.mark.parametrize("text", ["", "9f2c1a7e", "9f2c1a7e soon", "00000000 1000000", "9f2c1a7e -5", "9f2c1a7e 1²",
                                  f"9f2c1a7e {NOW.mono_ms + 1}", f"9f2c1a7e {BORN.mono_ms}"])
def test_what_is_no_request_to_this_process_ends_nothing(tmp_path, text):
    (own(tmp_path, orders.LINK) / "link.restart").write_text(text)
    assert not orders.is_restart_asked(tmp_path, "link", BORN, NOW.mono_ms)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_nothing_strange_in_its_place_holds_a_role_up(tmp_path, make):
    make(own(tmp_path, orders.LINK) / "link.restart")
    assert not orders.is_restart_asked(tmp_path, "link", BORN, NOW.mono_ms)
