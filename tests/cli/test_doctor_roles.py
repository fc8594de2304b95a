"""What doctor says of units, by what systemd says of them. A booted machine's doctor is in tests/systemd."""
from pathlib import Path

import pytest

from agent.cli.doctor import roles
from agent.cli.doctor.roles import examine, judge
from agent.config.load import DEFAULT_PATH
from agent.config.settings import Settings

KEEPER = "taimat-keeper.service"
WELL = {"LoadState": "loaded", "ActiveState": "active", "NRestarts": "0"}


@pytest.fixture(autouse=True)
def journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "last_words", lambda unit: "no space left")


@pytest.mark.parametrize(("change", "state", "text"), [
    ({}, "ok", "keeper runs"),
    ({"NRestarts": "2"}, "ok", "keeper runs, after 2 restarts"),
    ({"NRestarts": "3"}, "warn", "keeper runs, after 3 restarts"),
    ({"ActiveState": "inactive"}, "bad", "keeper does not run: inactive; its last words: no space left"),
    ({"ActiveState": "activating", "NRestarts": "7"}, "bad",
     "keeper does not run: activating, after 7 restarts; its last words: no space left"),
    ({"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": "78"}, "bad",
     "keeper does not run: failed (exit-code 78); its last words: no space left"),
    ({"LoadState": "masked", "ActiveState": "inactive"}, "bad", "keeper is switched off"),
    ({"LoadState": "not-found", "ActiveState": "inactive"}, "bad", "keeper is not installed")])
def test_each_state_has_its_words_and_what_is_wrong_a_remedy(change: dict[str, str], state: str, text: str):
    verdict = judge(KEEPER, WELL | change)
    assert (verdict.state, verdict.text) == (state, text)
    assert bool(verdict.remedy) == (state != "ok")


def test_a_configuration_of_one_s_own_has_no_units(tmp_path: Path):
    assert examine(Settings(), tmp_path / "taimat.toml").state == "skipped"


def test_a_machine_whose_systemd_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(roles, "BOOTED", tmp_path)
    monkeypatch.setattr(roles, "systemctl", lambda *words: "")
    assert examine(Settings(), DEFAULT_PATH).state == "warn"
