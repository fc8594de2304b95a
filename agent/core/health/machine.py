"""The health machine: takes the findings of each look and returns conditions, by the delays and causes of the table."""
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from agent.core.health.conditions import CODES, RANK, Condition, HealthFinding, Key, Severity
from agent.core.health.facts import Facts
from agent.core.health.rules import RULES

EPISODES_N_MAX = 256


@dataclass(frozen=True, slots=True)
class Episode:
    """One finding over time: from its first sighting until it has been absent for the table's `clear_s`. A fault that
    comes and goes is one episode, so it shows once and stays instead of flapping."""

    finding: HealthFinding                # as last seen
    since_mono_s: float
    seen_mono_s: float
    severity: Severity              # the worst of the last `clear_s`
    worst_mono_s: float             # when that severity was last seen
    shown: bool = False             # has lasted for `visible_s` without a visible cause

    def go_on(self, seen: HealthFinding, now_mono_s: float) -> "Episode":
        """Continues the episode: it gets worse at once, and better only after `clear_s` without the worse severity."""
        better = RANK[seen.severity] < RANK[self.severity]
        if better and now_mono_s - self.worst_mono_s < CODES[seen.code].clear_s:
            return replace(self, finding=seen, seen_mono_s=now_mono_s)
        return replace(self, finding=seen, seen_mono_s=now_mono_s, severity=seen.severity, worst_mono_s=now_mono_s)

    def over(self, now_mono_s: float) -> bool:
        return now_mono_s - self.seen_mono_s >= CODES[self.finding.code].clear_s

    def explained(self, causes: Iterable["Episode"]) -> bool:
        return any(self.finding.explained_by(cause.finding) for cause in causes)

    def condition(self) -> Condition:
        seen = self.finding
        return Condition(code=seen.code, severity=self.severity, since_mono_s=self.since_mono_s, unit=seen.unit,
                         camera=seen.camera, detail=seen.detail, depends_on=seen.after)


@dataclass(frozen=True, slots=True)
class HealthMachine:
    """All open episodes. `step` returns the next machine and the conditions to show now."""

    episodes: Mapping[Key, Episode] = field(default_factory=dict)
    dropped_n: int = 0              # findings beyond `EPISODES_N_MAX`

    def step(self, facts: Facts, now_mono_s: float) -> tuple["HealthMachine", tuple[Condition, ...]]:
        """Judges one look. Returns conditions, worst first, then oldest first, without symptoms of others that show."""
        found = _by_key(self._findings(facts))
        episodes = {key: old for key, old in self.episodes.items() if key in found or not old.over(now_mono_s)}
        dropped_n = self.dropped_n
        for key, seen in found.items():
            if key in episodes:
                episodes[key] = episodes[key].go_on(seen, now_mono_s)
            elif len(episodes) < EPISODES_N_MAX:
                episodes[key] = Episode(seen, now_mono_s, now_mono_s, seen.severity, now_mono_s)
            else:
                dropped_n += 1
        episodes = {key: _show(episode, key in found, episodes, now_mono_s) for key, episode in episodes.items()}
        return HealthMachine(episodes, dropped_n), _conditions(episodes)

    def _findings(self, facts: Facts) -> Iterator[HealthFinding]:
        for rule in RULES:
            yield from rule(facts, self._raised)

    def _raised(self, code: str, unit: str | None = None, camera: str | None = None) -> Severity | None:
        episode = self.episodes.get((code, unit, camera))
        return episode.severity if episode else None


def _by_key(findings: Iterator[HealthFinding]) -> dict[Key, HealthFinding]:
    """One finding for each key, the worst; the worst keys first, so that the limit drops harmless ones."""
    found: dict[Key, HealthFinding] = {}
    for seen in sorted(findings, key=lambda each: -RANK[each.severity]):
        found.setdefault(seen.key, seen)
    return found


def _show(episode: Episode, seen: bool, episodes: Mapping[Key, Episode], now_mono_s: float) -> Episode:
    """Shows an episode that has lasted. A cause holds its symptoms back even before it shows itself."""
    lasted = now_mono_s - episode.since_mono_s >= CODES[episode.finding.code].visible_s
    if episode.shown or not (seen and lasted) or episode.explained(episodes.values()):
        return episode
    return replace(episode, shown=True)


def _conditions(episodes: Mapping[Key, Episode]) -> tuple[Condition, ...]:
    shown = [episode for episode in episodes.values() if episode.shown]
    roots = (each.condition() for each in shown if not each.explained(shown))
    return tuple(sorted(roots, key=lambda each: (-RANK[each.severity], each.since_mono_s)))
