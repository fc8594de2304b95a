"""A camera that is paused sees nothing because its household wants it so: that is no fault of anything."""
import pytest

from agent.core.contract.facts import Beat, CameraFacts
from agent.core.health.facts import Facts, HostFacts, UnitFacts
from agent.core.health.machine import HealthMachine


def codes(camera: CameraFacts) -> set[str]:
    """What stands after two minutes of the same facts about a camera that is to record all the time."""
    machine, shown = HealthMachine(), ()
    for second in range(0, 120, 5):
        beat = Beat(role="capture", unit="capture@network", pid=1, mono_s=second, up_s=500.0 + second, cameras=[camera])
        facts = Facts(host=HostFacts(net_up=False), units=(UnitFacts("capture@network", "capture", 0.0, 0, beat),),
                      continuous=frozenset({"gate"}))
        machine, shown = machine.step(facts, float(second))
    return {each.code for each in shown}


@pytest.mark.parametrize("more", [{}, {"fault": "camera_no_frames"}, {"fps": 0.0, "fps_set": 15.0}, {"luma_fps": 0.0}])
def test_paused_is_no_fault(more):
    silent = {"camera": "gate", "source": "rtsp", "recording": False, "last_frame_age_s": 900.0, **more}
    assert codes(CameraFacts(state="paused", paused_by="page", **silent)) == set()
    assert codes(CameraFacts(state="ok", **silent)) == {"network_down"}         # which would explain the rest


def test_a_card_fault_stays_one():
    assert "card_full" in codes(CameraFacts(camera="gate", state="paused", write_fault="card_full"))
