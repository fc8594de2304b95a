"""A version on trial: well is who does what worked before, without a break; decided in bounded time whatever comes."""
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.contract.facts import Beat, CameraFacts
from agent.core.trial import Trial, TrialPace, worked

pytestmark = pytest.mark.core

PACE = TrialPace()
EVERY_S = 2.0


def beat(unit: str, pid: int = 1, born_s: float = 1.0, **cameras: str) -> Beat:
    return Beat(role=unit.partition("@")[0], unit=unit, pid=pid, mono_s=born_s + 5, up_s=5.0,
                cameras=[CameraFacts(camera=name, state=state) for name, state in cameras.items()])


BEFORE = worked([beat("capture@network", gate="ok", yard="retrying", hall="paused"), beat("keeper")])


def verdict(beats_at, until_s: float = 400.0) -> tuple[str | None, float]:
    """What comes of these heartbeats, told for each moment, and when."""
    trial = Trial(BEFORE, PACE, 0.0, 0.0)
    now_s = 0.0
    while now_s <= until_s:
        for each in beats_at(now_s):
            trial.receive(each, now_s)
        if found := trial.verdict(now_s):
            return found, now_s
        now_s += EVERY_S
    return None, now_s


def well(pid: int = 1) -> list[Beat]:
    return [beat("capture@network", pid, gate="ok", yard="retrying", hall="ok"), beat("keeper", pid)]


def test_what_worked_before_is_told_by_heartbeats():
    assert (BEFORE.units, BEFORE.cameras) == (["capture@network", "keeper"], ["gate", "hall"])


def test_well_for_a_minute_is_well_and_the_camera_that_failed_before_does_not_count():
    assert verdict(lambda now_s: well()) == ("well", PACE.settle_s)


def test_a_late_start_is_waited_for():
    assert verdict(lambda now_s: well() if now_s >= 100 else []) == ("well", 100 + PACE.settle_s)


@pytest.mark.parametrize("ill", [
    [beat("keeper")], [beat("capture@network", gate="ok", hall="ok")],
    [beat("capture@network", gate="retrying", hall="ok"), beat("keeper")], []])
def test_without_all_that_worked_it_is_unwell(ill: list[Beat]):
    assert verdict(lambda now_s: ill) == ("unwell", PACE.deadline_s)


def test_who_falls_silent_begins_anew_and_who_starts_again_and_again_is_unwell():
    assert verdict(lambda now_s: [] if 30 <= now_s < 60 else well()) == ("well", 60 + PACE.settle_s)
    assert verdict(lambda now_s: well(pid=int(now_s // 50))) == ("unwell", PACE.deadline_s)


def test_a_unit_that_dies_three_times_ends_the_trial_and_one_that_did_not_work_before_does_not():
    for deaths, found in ({"keeper": 2, "link": 9}, None), ({"keeper": 3}, "unwell"):
        trial = Trial(BEFORE, PACE, 0.0, 0.0)
        trial.receive_deaths(deaths)
        assert trial.verdict(1.0) == found
    assert trial.wrong(1.0)[1] == "keeper dies again and again"


def test_processes_of_the_old_version_that_nobody_has_ended_prove_nothing():
    old = [beat("capture@network", born_s=-60.0, gate="ok", hall="ok"), beat("keeper", born_s=-60.0)]
    assert verdict(lambda now_s: old) == ("unwell", PACE.deadline_s)


@given(st.lists(st.sampled_from([(), *(tuple(well(pid)) for pid in (1, 2)), (beat("keeper"),)]), min_size=200,
                max_size=200))
def test_whatever_comes_is_decided_in_time_and_never_well_sooner_than_a_minute(told: list[tuple[Beat, ...]]):
    found, when_s = verdict(lambda now_s: told[int(now_s // EVERY_S) % len(told)])
    assert found == "well" and when_s >= PACE.settle_s or (found, when_s) == ("unwell", PACE.deadline_s)
