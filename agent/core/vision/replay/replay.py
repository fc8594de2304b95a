"""The replay itself: each picture is shown to every variant's detector whose turn it is."""
from collections import defaultdict
from collections.abc import Sequence

from agent.core.vision.event import EventMachine
from agent.core.vision.luma import Luma
from agent.core.vision.replay.outcome import VariantOutcome, silences
from agent.core.vision.replay.story import EventCollector
from agent.core.vision.replay.trace import GAP_S, FootageStretch, Stretches, Trace, TracePoint
from agent.core.vision.replay.variant import Turns, Variant


class _Run:
    """One variant on its way through the footage."""

    def __init__(self, variant: Variant, machine: EventMachine) -> None:
        self.turns = Turns(variant.fps)
        self._variant, self._detector, self._zones = variant, variant.detector(), variant.counting()
        self._story, self._trace = EventCollector(machine), Trace()
        self._silent_s: defaultdict[str, float] = defaultdict(float)
        self._looks_n, self._moving_s, self._last_s = 0, 0.0, float("-inf")

    def forget(self) -> None:
        """The next pictures are another scene to the detector, with other objects in it."""
        self._detector, self._zones = self._variant.detector(), self._variant.counting()

    def step(self, luma: Luma) -> None:
        """Look at a picture whose turn it is."""
        self.turns.took(luma.mono_s)
        look = self._detector.step(luma)
        counted = self._zones.step(look, luma.mono_s)
        self._story.step(luma.mono_s, look, counted)
        self._note(TracePoint(luma.mono_s, luma.mono_s, look.score, bool(counted.objects),
                         silences(look, counted, self._story.told)))

    def _note(self, point: TracePoint) -> None:
        self._looks_n += 1
        self._trace.add(point)
        since_s, self._last_s = point.began_s - self._last_s, point.began_s
        if since_s <= GAP_S:
            self._moving_s += since_s * point.moving
            for silence in point.silences:
                self._silent_s[silence] += since_s

    def end(self) -> VariantOutcome:
        """End the variant; returns its outcome."""
        self._story.close()
        return VariantOutcome(self._variant, tuple(self._story.events), self._story.events_n, self._looks_n,
                              self._moving_s, dict(self._silent_s), self._trace.points)


class FootageReplay:
    """Footage seen by several variants at once. Memory is bounded by them, not by how long the footage is."""

    def __init__(self, variants: Sequence[Variant], machine: EventMachine) -> None:
        """`machine` has seen nothing so far: it says how long events last, and what lies between them."""
        self._runs = [_Run(variant, machine) for variant in variants]
        self._stretches = Stretches()
        self._shape: tuple[int, ...] = ()

    def wants(self, at_s: float) -> bool:
        """Whether anybody is to look at the picture of that time."""
        return any(run.turns.due(at_s) for run in self._runs)

    def look(self, luma: Luma) -> None:
        """Show a picture; times never go back, and pictures far apart are judged as the recorder would after a gap."""
        self._stretches.add(luma.mono_s)
        if luma.shape != self._shape:
            self._shape = luma.shape
            for run in self._runs:
                run.forget()
        for run in self._runs:
            if run.turns.due(luma.mono_s):
                run.step(luma)

    @property
    def stretches(self) -> tuple[FootageStretch, ...]:
        """Where there was footage."""
        return tuple(self._stretches.all)

    def end(self) -> list[VariantOutcome]:
        """End the replay; returns the outcome of each variant, in their order."""
        return [run.end() for run in self._runs]
