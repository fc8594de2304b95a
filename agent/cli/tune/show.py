"""What came of a replay, for people and for programs."""
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from rich.markup import escape

from agent.cli.terminal import console, json_line, length, table
from agent.core.media.model import Box
from agent.core.vision.replay import (
    NO_ZONE,
    Difference,
    ReplayEvent,
    Variant,
    VariantOutcome,
    differences,
)
from agent.core.vision.zones.hint import ZoneHint, corners

Spell = Callable[[float], str]      # what a moment of the replay is called

EVENTS = ("began", "long", "highest", "largest object", "zones")
VARIANTS = ("looked at with", "events", "motion", "missed", "added", "silent, seconds")
WHAT: Mapping[str, str] = {"animal": "animals", "other": "things",
                           "nothing": "nothing that the recorder knows, such as leaves or light,"}
WHERE: Mapping[tuple[str, str], str] = {       # from the left, from the top
    ("begin", "begin"): "in the upper left", ("middle", "begin"): "at the top", ("end", "begin"): "in the upper right",
    ("begin", "middle"): "at the left edge", ("middle", "middle"): "in the middle",
    ("end", "middle"): "at the right edge", ("begin", "end"): "in the lower left", ("middle", "end"): "at the bottom",
    ("end", "end"): "in the lower right"}
NAMED_N = 4                 # missed or added events whose time is told; of more, how many they are


def as_json(outcomes: Sequence[VariantOutcome], spell: Spell) -> None:
    """One object a variant, the present settings first; times in seconds of the replay and as people read them."""
    now = outcomes[0]
    for outcome in outcomes:
        missed, added = differences(now.events, outcome.events)
        variant = outcome.variant
        json_line({
            "variant": variant.name, "sensitivity": variant.sensitivity, "smallest_pct": variant.smallest_pct,
            "fps": variant.fps, "ignore": variant.ignore, "zones": [zone.name for zone in variant.zones],
            "looks_n": outcome.looks_n, "events_n": outcome.events_n, "moving_s": round(outcome.moving_s, 1),
            "silent_s": {reason: round(value, 1) for reason, value in outcome.silent_s.items()},
            "events": [_plain(event, spell) for event in outcome.events],
            "missed": [_plain(event, spell) for event in missed], "added": [_plain(event, spell) for event in added]})


def _plain(event: ReplayEvent, spell: Spell) -> dict[str, object]:
    told = asdict(event) | {"largest": event.largest and [round(edge, 4) for edge in event.largest]}
    return {"at": spell(event.began_s)} | {
        key: round(value, 4) if isinstance(value, float) else value for key, value in told.items()}


def as_tables(title: str, outcomes: Sequence[VariantOutcome], footage_s: float, spell: Spell) -> None:
    """The events of the present settings, then what each variant would have changed."""
    now, out = outcomes[0], console()
    out.print(f"[bold]{escape(title)}[/bold], {length(int(footage_s * 1000))}, looked at with {_told(now.variant)}\n")
    if now.events:
        table(EVENTS, [_event(event, spell) for event in now.events], right=("long", "highest"))
    else:
        out.print(_why(now, spell))
    out.print()
    table(VARIANTS, [_row(now, outcome, spell) for outcome in outcomes], right=("events", "motion"),
          fold=("looked at with", "missed", "added", "silent, seconds"))


def _told(variant: Variant) -> str:
    ignored = f", areas ignored: {len(variant.ignore)}" if variant.ignore else ""
    zones = f", zones: {', '.join(zone.name for zone in variant.zones)}" if variant.zones else ""
    return (f"sensitivity {variant.sensitivity}, smallest object {variant.smallest_pct:g} %, "
            f"{variant.fps:g} pictures a second{ignored}{zones}")


def _event(event: ReplayEvent, spell: Spell) -> tuple[str, ...]:
    return (spell(event.began_s), length(round((event.ended_s - event.began_s) * 1000)),
            f"{100 * event.score:.2f} %", _box(event.largest) + (", continues" if event.continues else ""),
            ", ".join(event.zones))


def _box(box: Box | None) -> str:
    if box is None:
        return ""
    return (f"{100 * box.w * box.h:.2g} % of the picture: {100 * box.w:.0f} % x {100 * box.h:.0f} % "
            f"around {100 * (box.x + box.w / 2):.0f} %, {100 * (box.y + box.h / 2):.0f} %")


def _why(now: VariantOutcome, spell: Spell) -> str:
    """One sentence on why there is no event."""
    peak, least = now.peak, now.variant.least_share
    if peak is None or peak.score < least:
        most = f"never more than {100 * peak.score:.2g} % of the picture changed" if peak else "no picture came"
        return f"no event: {most}, and it takes {100 * least:.2g} % in one place"
    if elsewhere_s := now.silent_s.get(NO_ZONE):
        return (f"no event: something moved for {length(round(elsewhere_s * 1000))}, but nothing fulfilled a zone; "
                "what there would be without them: --without-zones")
    return (f"no event: up to {100 * peak.score:.2g} % of the picture changed (at {spell(peak.at_s)}), "
            "but nothing of it moved as an object does")


def _row(now: VariantOutcome, outcome: VariantOutcome, spell: Spell) -> tuple[str, ...]:
    difference: Difference = differences(now.events, outcome.events)
    silent = ", ".join(f"{reason.replace('_', ' ')} {value:.0f}" for reason, value in sorted(outcome.silent_s.items()))
    return (outcome.variant.name, str(outcome.events_n), length(round(outcome.moving_s * 1000)),
            _listed(difference.missed, spell), _listed(difference.added, spell), silent)


def _listed(events: Sequence[ReplayEvent], spell: Spell) -> str:
    more = [f"and {len(events) - NAMED_N} more"] if len(events) > NAMED_N else []
    return ", ".join([*(spell(event.began_s) for event in events[:NAMED_N]), *more])


def hint(found: ZoneHint, command: str) -> None:
    """Which place most events were about that were neither people nor vehicles, and what ignoring it would change."""
    drawn = " ".join(f"{x:g},{y:g}" for x, y in corners(found.area))
    console().print(
        f"\nOf {found.events_n} events with a word {found.here_n} were {WHAT[found.word]} {WHERE[found.place]} of the "
        f"picture. What there would be without that place: {command} --ignore '{drawn}'")
