"""The replay itself: each picture is made small once, and shown to every variant's detector whose turn it is."""
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from agent.core.model import Luma
from agent.core.motion import Look, MotionSettings
from agent.core.motion.picture import shrunken, work_size
from agent.core.replay.outcome import UNCONFIRMED, Outcome
from agent.core.replay.story import Story
from agent.core.replay.trace import GAP_S, Stretch, Stretches, Trace, unconfirmed
from agent.core.replay.turns import Turns
from agent.core.replay.variant import Variant

WORK_PX = MotionSettings().work_px      # every detector's; a picture that has this size already is taken as it is


class _Run:
    """One variant on its way through the footage."""

    def __init__(self, variant: Variant, over_after_s: float, longest_s: float) -> None:
        self.turns = Turns(variant.fps)
        self._variant, self._detector = variant, variant.detector()
        self._story, self._trace = Story(over_after_s, longest_s), Trace()
        self._silent_s: defaultdict[str, float] = defaultdict(float)
        self._looks_n, self._moving_s, self._last_s = 0, 0.0, float("-inf")

    def forget(self) -> None:
        """What comes next is another scene to the detector."""
        self._detector = self._variant.detector()

    def step(self, luma: Luma) -> None:
        """Look at a picture whose turn it is."""
        self.turns.took(luma.mono_s)
        look = self._detector.step(luma)
        self._looks_n += 1
        self._trace.add(luma.mono_s, look)
        self._story.step(luma.mono_s, look)
        since_s, self._last_s = luma.mono_s - self._last_s, luma.mono_s
        if since_s <= GAP_S:
            self._count(look, since_s)

    def _count(self, look: Look, since_s: float) -> None:
        if look.moving:
            self._moving_s += since_s
            return
        for reason in look.reasons:
            self._silent_s[reason.value] += since_s
        if unconfirmed(look):
            self._silent_s[UNCONFIRMED] += since_s

    def end(self) -> Outcome:
        """What came of it."""
        self._story.close()
        return Outcome(self._variant, tuple(self._story.events), self._story.events_n, self._looks_n, self._moving_s,
                       dict(self._silent_s), self._trace.points)


class Replay:
    """Footage seen by several variants at once. Memory is bounded by them, not by how long the footage is."""

    def __init__(self, variants: Sequence[Variant], over_after_s: float, longest_s: float) -> None:
        """Without motion for `over_after_s` an event is over; at `longest_s` another one continues it."""
        self._runs = [_Run(variant, over_after_s, longest_s) for variant in variants]
        self._stretches = Stretches()
        self._shape: tuple[int, ...] = ()

    def wants(self, at_s: float) -> bool:
        """Whether anybody is to look at the picture of that time."""
        return any(run.turns.due(at_s) for run in self._runs)

    def look(self, luma: Luma) -> None:
        """Show a picture; times never go back, and pictures far apart are judged as the recorder would after a gap."""
        self._stretches.add(luma.mono_s)
        small = luma if luma.y.size == 0 else replace(luma, y=shrunken(luma.y, work_size(luma.y.shape, WORK_PX)))
        if luma.y.shape != self._shape:
            self._shape = luma.y.shape
            for run in self._runs:
                run.forget()
        for run in self._runs:
            if run.turns.due(luma.mono_s):
                run.step(small)

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Where there was footage."""
        return tuple(self._stretches.all)

    def end(self) -> list[Outcome]:
        """What came of each variant, in their order; the replay is over."""
        return [run.end() for run in self._runs]
