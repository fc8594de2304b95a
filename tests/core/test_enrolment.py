"""When a certificate is due, which refusal ends the trying, and what somebody at the camera is told is missing."""
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from agent.core.contract.enrolment import RefusalCode
from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts
from agent.core.enrolment import Watched, is_final, renewal_due

NOW = datetime(2026, 11, 30, tzinfo=UTC)
YEAR = timedelta(days=365)
WELL = CameraFacts(camera="gate", state="ok", last_frame_age_s=0.2)


def test_only_two_refusals_end_by_themselves():
    assert [code for code in get_args(RefusalCode) if not is_final(code)] == ["busy", "fault"]


@pytest.mark.parametrize(("granted", "days", "due"), [
    (NOW, 0, False), (NOW, 480, False), (NOW, 490, True),
    (NOW - 9 * YEAR, 240, False),           # the clock was unset: the certificate's own beginning counts
    (NOW - 9 * YEAR, 250, True)])
def test_a_certificate_is_due_at_two_thirds_of_its_life(granted: datetime, days: int, due: bool):
    assert renewal_due(granted, NOW - 2 * YEAR, NOW + 2 * YEAR, NOW + timedelta(days=days)) is due


def beats(camera: CameraFacts, keeper: KeeperFacts | None = None) -> Watched:
    watched = Watched(["gate"])
    watched.receive(Beat(role="capture", unit="capture@gate", pid=1, mono_s=1, up_s=1, cameras=[camera]), 100.0)
    watched.receive(Beat(role="keeper", unit="keeper", pid=2, mono_s=1, up_s=1, facts=keeper or KeeperFacts()), 100.0)
    return watched


def test_all_that_works_is_green():
    ready = beats(WELL).ready("ntp", "", 101.0)
    assert ready.is_green and ready.why == {}


@pytest.mark.parametrize(("camera", "why"), [
    (CameraFacts(camera="gate", state="retrying", fault="camera_auth", detail="401: wrong password"), "401"),
    (CameraFacts(camera="gate", state="paused"), "paused"), (CameraFacts(camera="yard", state="ok"), "not heard"),
    (CameraFacts(camera="gate", state="ok", last_frame_age_s=30), "no pictures")])
def test_a_camera_that_shows_nothing_is_named(camera: CameraFacts, why: str):
    ready = beats(camera).ready("ntp", "", 101.0)
    assert (ready.camera, ready.card) == (False, True) and why in ready.why["camera"] and "gate" in ready.why["camera"]


def test_card_clock_broker_and_silence_are_told_apart():
    ready = beats(WELL, KeeperFacts(card_fault="card_read_only")).ready("saved", "no route", 101.0)
    assert (ready.camera, ready.card, ready.clock, ready.broker) == (True, False, False, False)
    assert ready.why["card"] == "card_read_only" and ready.why["broker"] == "no route" and "saved" in ready.why["clock"]
    late = beats(WELL).ready("ntp", "", 200.0)
    assert late.why == {"camera": "gate: its process is not heard", "card": "the keeper is not heard"}
    assert Watched([]).ready("ntp", "", 0.0).why["camera"] == "no camera is configured"
