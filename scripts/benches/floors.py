"""What our detector reaches on labelled clips, and how little of it a change may lose: the gate of bench and tests."""
from collections.abc import Mapping
from dataclasses import dataclass, field

from scripts.benches.score import Score, total

SLACK = 0.02        # event F1 wanders by this much with changes that are none


@dataclass(frozen=True)
class Reached:
    """The figures of one set of clips; raise them when the detector becomes better."""

    event_f1: Mapping[float, float]                             # by pictures a second
    known_false: Mapping[str, int] = field(default_factory=dict)     # false events of nuisance-only clips; else none


DEVELOPMENT = Reached(event_f1={10.0: 0.979, 5.0: 0.979})
MADE = Reached(event_f1={10.0: 0.926, 5.0: 0.920}, known_false={"veranda_webs_only": 4, "room_curtain_only": 1,
                                                                "yard_leaves_only": 1})
PEEK = Reached(event_f1={10.0: 1.0, 5.0: 1.0})


def shortfalls(reached: Reached, found: Mapping[float, Mapping[str, Score]]) -> list[str]:
    """One line for each figure that has fallen; `found` are scores by pictures a second and clip.

    Of a rate for which no event F1 is known, only the nuisance-only clips are judged.
    """
    short = []
    for fps, clips in found.items():
        event_f1, floor = total(clips.values()).event_f1 or 0.0, reached.event_f1.get(fps, 0.0) - SLACK
        if event_f1 < floor:
            short.append(f"{fps:g} pictures a second: event F1 {event_f1:.3f} is below {floor:.3f}")
        for clip, score in clips.items():
            if score.quiet_clips_false_events > reached.known_false.get(clip, 0):
                short.append(f"{fps:g} pictures a second: {clip}: {score.quiet_clips_false_events} false event(s), "
                             f"{reached.known_false.get(clip, 0)} known")
    return short
