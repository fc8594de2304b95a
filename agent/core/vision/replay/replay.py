"""Runs the replay: shows each picture to the detectors of all variants that are due."""
from collections import defaultdict
from collections.abc import Sequence

from agent.core.vision.event import EventMachine
from agent.core.vision.luma import Luma
from agent.core.vision.replay.outcome import FootageStretch, Peak, VariantOutcome, silences
from agent.core.vision.replay.story import EventCollector
from agent.core.vision.replay.variant import Turns, Variant

GAP_S = 3.0                     # pictures further apart belong to two stretches of footage
STRETCHES_MAX = 20_000          # limit; further gaps are not recorded


class _Run:
    def __init__(self, variant: Variant, machine: EventMachine) -> None:
        self.turns = Turns(variant.fps)
        self._variant, self._detector, self._zones = variant, variant.detector(), variant.counting()
        self._story = EventCollector(machine)
        self._peak: Peak | None = None
        self._silent_s: defaultdict[str, float] = defaultdict(float)
        self._looks_n, self._moving_s, self._last_s = 0, 0.0, float("-inf")

    def forget(self) -> None:
        self._detector, self._zones = self._variant.detector(), self._variant.counting()

    def step(self, luma: Luma) -> None:
        self.turns.took(luma.mono_s)
        look = self._detector.step(luma)
        counted = self._zones.step(look, luma.mono_s)
        self._story.step(luma.mono_s, look, counted)
        self._looks_n += 1
        if self._peak is None or look.score > self._peak.score:
            self._peak = Peak(luma.mono_s, look.score)
        since_s, self._last_s = luma.mono_s - self._last_s, luma.mono_s
        if since_s <= GAP_S:
            self._moving_s += since_s * bool(counted.objects)
            for silence in silences(look, counted, self._story.is_open):
                self._silent_s[silence] += since_s

    def end(self) -> VariantOutcome:
        self._story.close()
        return VariantOutcome(self._variant, tuple(self._story.events), self._story.events_n, self._looks_n,
                              self._moving_s, dict(self._silent_s), self._peak)


class FootageReplay:
    """Footage seen by several variants at once. Its memory does not depend on the length of the footage."""

    def __init__(self, variants: Sequence[Variant], machine: EventMachine) -> None:
        """`machine` is new. It determines the length of events and of the time between them."""
        self._runs = [_Run(variant, machine) for variant in variants]
        self.stretches: list[FootageStretch] = []       # times with footage
        self._shape: tuple[int, ...] = ()

    def wants(self, at_s: float) -> bool:
        return any(run.turns.due(at_s) for run in self._runs)

    def look(self, luma: Luma) -> None:
        """Shows a picture. Times never go back; pictures far apart are judged like the recorder's after a gap."""
        at_s, stretches = luma.mono_s, self.stretches
        if stretches and (at_s - stretches[-1].ended_s <= GAP_S or len(stretches) >= STRETCHES_MAX):
            stretches[-1] = FootageStretch(stretches[-1].began_s, at_s)
        else:
            stretches.append(FootageStretch(at_s, at_s))
        if luma.shape != self._shape:
            self._shape = luma.shape
            for run in self._runs:
                run.forget()
        for run in self._runs:
            if run.turns.due(luma.mono_s):
                run.step(luma)

    def end(self) -> list[VariantOutcome]:
        """Ends the replay. Returns the outcome of each variant, in their order."""
        return [run.end() for run in self._runs]
