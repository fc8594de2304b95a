"""One camera on the ladder of recovery: core/recovery.py decides; this module remembers, asks and logs.

A step that needs root is requested, and systemd's units carry it out or not (docs/design/health.md).
"""
import contextlib
import logging
import threading
from pathlib import Path

import msgspec

from agent.capture.pump import SourceState
from agent.config.settings import Recovery as RecoverySettings
from agent.core.contract.facts import CameraFacts
from agent.core.household.pause import DAY_MIN
from agent.core.media.headroom import HARDWARE
from agent.core.recovery import HEALTHY_AFTER_S, Allowed, Held, Ladder, Reboots, Step
from agent.host import rescue
from agent.host.clock import Clock, week_min
from agent.host.files import write_whole
from agent.host.runtime import own
from agent.store import restarts
from agent.store.folders import Folders

NAMES = {Step.PROCESS: "a new process", Step.DRIVER: "its driver restarts", Step.REBOOT: "the machine restarts"}

_log = logging.getLogger(__name__)


class Recovery:
    """One camera on the ladder. For the main loop's thread, except `stuck`, which any thread may set."""

    def __init__(self, camera: str, folders: Folders, runtime: Path, clock: Clock, requests: Path) -> None:
        """`runtime` is empty after a boot, `folders` is not. Root's units look for requests in `requests`."""
        self._camera, self._clock, self._requests = camera, clock, requests
        self._runtime, self._past_file = runtime, restarts.camera_file(folders, camera)
        self._past = restarts.load_reboots(self._past_file)
        self._held: Held | None = None          # None until the camera is opened
        self._ladder = Ladder((Step.PROCESS,))
        self.stuck = False                      # only the end of this process frees the camera

    def begin(self, recovery: RecoverySettings) -> Step | None:
        """Called before the camera opens and while it is open. Returns a step that is overdue and must come first."""
        if self._held is not None:
            return None
        self._look_up(None, recovery)
        held, overdue = self._known().begin(self._ladder, self._clock.now())
        self._hold(held)
        return overdue

    def look(self, source: SourceState, recovery: RecoverySettings) -> Step | None:
        """Returns the step that is due now; called about once a second while the camera may see."""
        assert self._held is not None
        self._look_up(source.fault, recovery)
        if source.flows_s() >= HEALTHY_AFTER_S:
            self._on_the_ground(self._held)
            return None
        return self._ladder.next(self._held.taken_n, source.silent_s(), self.stuck)

    def wants_encoder(self, encoder: str | None, recovery: RecoverySettings) -> bool:
        """Whether the machine should restart now, because x264 does the work of the board's encoder; `encoder` is the
        present one. Only a restart revives that encoder."""
        now = self._clock.now()
        if encoder == HARDWARE:
            self._remember(self._past.encodes())
        if encoder in (None, HARDWARE) or not recovery.reboot or not self._requests.is_dir():
            return False
        return self._past.may_for_encoder(now, week_min(now.wall_ms) % DAY_MIN)

    def carry_out(self, step: Step, why: str, for_encoder: bool = False) -> None:
        """Requests what the step needs, and logs it. The process must end after this."""
        assert self._held is not None
        self._hold(self._held.step())
        now = self._clock.now()
        try:
            if step is Step.REBOOT:
                self._past = self._past.another(now, for_encoder)
                restarts.save_reboots(self._past_file, self._past)
            if step is not Step.PROCESS:
                rescue.ask(self._requests, step.value, self._camera, now)
        except OSError as error:
            _log.error("%s: cannot request a %s: %s; a new process is tried instead", self._camera, step.value, error)
            step = Step.PROCESS
        _log.error("%s: %s: step %d of the ladder, %s", self._camera, why, self._held.taken_n, NAMES[step])

    def stop(self) -> None:
        """Notes that the camera closes for another reason; `begin` continues from here."""
        if self._held is not None and self._held.open_ms is not None:
            self._hold(self._held.stopped())
            self._held = None

    def facts(self, facts: CameraFacts) -> CameraFacts:
        if self._held is not None and facts.state != "paused":
            position = self._ladder.position(self._held.taken_n, self._past)
            if position.step is not None:
                facts.ladder, facts.ladder_n = "spent" if position.spent else position.step.value, position.n
        return facts

    def _look_up(self, fault: str | None, recovery: RecoverySettings) -> None:
        ready = self._requests.is_dir()
        allowed = Allowed(driver=ready and recovery.driver_reload, reboot=ready and recovery.reboot)
        self._ladder = Ladder.of(fault, allowed, self._past, self._clock.now())

    def _on_the_ground(self, held: Held) -> None:
        if held.taken_n:
            _log.info("%s: has a picture again, after %d steps of the ladder", self._camera, held.taken_n)
            self._hold(held.well())
        self._remember(self._past.picture())

    def _remember(self, past: Reboots) -> None:
        if self._past != past:
            self._past = past
            threading.Thread(target=self._save, args=(past,), name="ladder", daemon=True).start()   # a card may hang

    def _save(self, past: Reboots) -> None:
        with contextlib.suppress(OSError):      # the next process saves it when pictures last again
            restarts.save_reboots(self._past_file, past)

    def _known(self) -> Held:
        with contextlib.suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._held_file().read_bytes(), type=Held)
        return Held()

    def _hold(self, held: Held) -> None:
        self._held = held
        with contextlib.suppress(OSError):
            write_whole(self._held_file(), msgspec.json.encode(held))

    def _held_file(self) -> Path:
        return own(self._runtime, "capture") / f"{self._camera}.ladder"
