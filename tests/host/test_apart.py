"""Calls in a process of their own: what comes back, what does not, and whose process it is."""
import contextlib
import grp
import os
import time
from collections.abc import Callable

import pytest

from agent.host import apart as module
from agent.host import users
from agent.host.apart import CallFailed, apart
from agent.host.users import become_reader
from tests.rigs.wait import Stopwatch

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="other users need root")


def nothing() -> None:
    """Meanwhile."""


def test_it_returns_what_the_call_returns_and_ticks_meanwhile():
    ticks: list[int] = []
    assert apart(lambda: (time.sleep(0.3), float("-inf"))[1], float, lambda: ticks.append(1)) == float("-inf")
    assert len(ticks) >= 2


@pytest.mark.parametrize(("call", "word"), [
    (lambda: os.kill(os.getpid(), 9), "."), (lambda: os._exit(0), "it said nothing"),
    (lambda: "no number", "it said nothing"),
    (lambda: 1 / 0, "ZeroDivisionError")], ids=["killed", "silent", "other kind", "raises"])
def test_a_call_that_dies_or_lies_is_told(call: Callable[[], object], word: str):
    with pytest.raises(CallFailed, match=word):
        apart(call, int, nothing)


def test_a_call_that_hangs_ends_with_its_deadline():
    with Stopwatch() as watch, pytest.raises(TimeoutError):
        apart(lambda: time.sleep(600), int, nothing, deadline_s=0.3)
    assert watch.fair_s < 5


def test_too_long_an_answer_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "ANSWER_MAX_B", 100_000)
    with pytest.raises(CallFailed):
        apart(lambda: b"x" * 1_000_000, bytes, nothing)


def test_it_has_no_terminal_and_no_input():
    def look() -> list[bool]:
        with pytest.raises(OSError, match="No such device"):
            os.open("/dev/tty", os.O_RDWR)
        return [os.getsid(0) == os.getpid(), os.path.samestat(os.fstat(0), os.stat(os.devnull))]
    assert apart(look, list[bool], nothing) == [True, True]


def whose() -> list[list[int]]:
    """User, group and groups of this process; root's again is no way."""
    with contextlib.suppress(PermissionError):
        os.seteuid(0)
    with contextlib.suppress(PermissionError):
        os.setuid(0)
    return [list(os.getresuid()), list(os.getresgid()), sorted(os.getgroups())]


@AS_ROOT
@pytest.mark.parametrize("stepped_down", [False, True])
def test_root_s_call_is_nobody_s_for_good_where_no_package_is(stepped_down: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(users, "READERS", ("taimat-none", "nobody"))

    def step_down() -> None:
        if stepped_down:        # as `users.step_down` leaves a process: root's still
            os.seteuid(61_999)
        become_reader()

    user, group, groups = apart(whose, list[list[int]], nothing, step_down=step_down)
    assert user == [65_534] * 3 and group == [65_534] * 3 and 0 not in groups


@AS_ROOT
def test_it_is_capture_s_where_that_user_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(users, "READERS", ("daemon", "nobody"))     # any account that Debian has
    user, group, groups = apart(whose, list[list[int]], nothing)
    cameras = grp.getgrnam(users.DEVICES).gr_gid
    assert user == [1, 1, 1] and group == [1, 1, 1] and cameras in groups and 0 not in groups


@AS_ROOT
def test_without_either_user_nothing_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setattr(users, "READERS", ("taimat-none", "taimat-neither"))
    with pytest.raises(CallFailed, match="root may not read what cameras send"):
        apart(lambda: (tmp_path / "read").touch(), type(None), nothing)
    assert not (tmp_path / "read").exists()


def test_for_everybody_else_nothing_changes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "getresuid", lambda: (1000, 1000, 1000))
    before = os.getgroups()
    become_reader()
    assert os.getgroups() == before
