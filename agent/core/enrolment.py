"""How a recorder gets its ward's certificate and keeps it: which refusals are final, when to renew, and whether the
installed recorder works. Pure."""
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from agent.core.contract.enrolment import Ready, RefusalCode
from agent.core.contract.facts import Beat, CameraFacts

Step = Literal["waiting", "refused", "enrolled", "renewing"]
FRESH_S = 12.0                  # a heartbeat is valid for this time
FRAME_AGE_MAX_S = 10.0
RENEW_AT = 2 / 3                # of a certificate's life


def is_final(code: RefusalCode) -> bool:
    """Whether only a person can change the ward's answer."""
    return code not in ("busy", "fault")


def renewal_due(granted: datetime, not_before: datetime, not_after: datetime, now: datetime) -> bool:
    """Whether two thirds of a certificate's life are over. A certificate may be valid from long before it was made,
    and the recorder's clock may have been wrong then. So its life begins at the later of the two times."""
    began = max(granted, not_before)
    return now >= began + RENEW_AT * (not_after - began)


@dataclass(slots=True)
class Watched:
    """Collects the roles' heartbeats after an installation, to report what works."""

    cameras: Iterable[str]              # enabled cameras of the configuration
    _heard: dict[str, tuple[Beat, float]] = field(default_factory=dict)

    def receive(self, beat: Beat, now_mono_s: float) -> None:
        self._heard[beat.unit] = beat, now_mono_s

    def ready(self, clock: str, broker: str, now_mono_s: float) -> Ready:
        """Reports what works. `clock` is the state of the clock; `broker` says why the broker refuses, or ""."""
        beats = [beat for beat, mono_s in self._heard.values() if now_mono_s - mono_s <= FRESH_S]
        why = {"camera": self._camera(beats), "card": _card(beats), "broker": broker,
               "clock": "" if clock == "ntp" else f"no time server has answered yet ({clock})"}
        return Ready(camera=not why["camera"], card=not why["card"], clock=not why["clock"], broker=not broker,
                     why={name: text[:200] for name, text in why.items() if text})

    def _camera(self, beats: Iterable[Beat]) -> str:
        seen = {each.camera: each for beat in beats for each in beat.cameras}
        wanted = list(self.cameras)
        faults = [f"{name}: {fault}" for name in wanted if (fault := _blind(seen.get(name)))]
        return "; ".join(faults) if wanted else "no camera is configured"


def _blind(camera: CameraFacts | None) -> str:
    if camera is None:
        return "its process is not heard"
    age_s = camera.last_frame_age_s
    if camera.state == "ok" and age_s is not None and age_s <= FRAME_AGE_MAX_S:
        return ""
    return camera.detail or camera.fault or (camera.state if camera.state != "ok" else "no pictures")


def _card(beats: Iterable[Beat]) -> str:
    keepers = [beat for beat in beats if beat.role == "keeper"]
    if not keepers:
        return "the keeper is not heard"
    faults = [*(getattr(beat.facts, "card_fault", None) for beat in beats),
              *(getattr(beat.facts, "fault", None) for beat in keepers),
              *(camera.write_fault for beat in beats for camera in beat.cameras)]
    return next((fault for fault in faults if fault), "")
