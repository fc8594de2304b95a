"""One camera's tamper watch at work: pictures in, jobs out, and what holds now for the heartbeat."""
from collections.abc import Iterator, Sequence
from operator import attrgetter

from agent.capture.jobs import Tamper
from agent.config.settings import Camera
from agent.core.model import Luma
from agent.core.tamper import Phase, Tampering, TamperWatch

PAUSED = "The camera is paused: whether the usual view is back will not be seen."
STOPPED = "The recorder stops: whether the usual view is back will not be seen."
CHANGED = "Other settings apply: the view is being learned anew."

SEEN_BY = attrgetter("tamper", "motion.enabled", "masks", "privacy_mask", "sensor")

Changes = Sequence[Tampering]


class Guard:
    """Knows what has been told. `look` is for whoever has the pictures, the rest for whoever has the jobs."""

    def __init__(self, camera: Camera) -> None:
        self._told: list[str] = []          # what holds, oldest first
        self._watch = _watch(camera)

    @property
    def now(self) -> tuple[str, ...]:
        """What has been told and is not over, oldest first."""
        return tuple(self._told)

    def look(self, picture: Luma) -> Changes:
        """Show it a picture, no older than the last one; what has changed is to be handed to `tell`."""
        return self._watch.step(picture) if self._watch is not None else ()

    def tell(self, changes: Changes, shown_until_us: int) -> list[Tamper]:
        """The jobs for changes that `look` has found; a clip that begins before `shown_until_us` shows them."""
        return list(self._jobs(changes, shown_until_us))

    def _jobs(self, changes: Changes, shown_until_us: int) -> Iterator[Tamper]:
        for change in changes:
            code, starts = change.kind.value, change.phase is Phase.START
            if starts and self._watch is not None and change.kind in self._watch.now:
                self._told.append(code)
            elif code in self._told and not starts:
                self._told.remove(code)
            else:
                continue        # found by a watch that was given up in the meantime
            yield Tamper(code, change.phase.value, int(change.since_mono_s * 1e6), change.strength, change.detail,
                         shown_until_us)

    def begin_anew(self, camera: Camera, why: str, now_us: int) -> list[Tamper]:
        """Forget every picture, and go on by these settings; the jobs that cut what holds, with the reason."""
        self._watch, told, self._told = _watch(camera), self._told, []
        return [Tamper(code, "cut", now_us, 0.0, why, now_us) for code in told]


def concerns(before: Camera, after: Camera) -> bool:
    """Whether other settings change what the watch sees, or whether there is one."""
    return SEEN_BY(before) != SEEN_BY(after)


def _watch(camera: Camera) -> TamperWatch | None:
    """It looks at motion's pictures: where there are none, it would hold forever what it saw last."""
    return TamperWatch() if camera.tamper and camera.motion.enabled else None
