"""The rules of health, and the machine that turns the findings of each look into conditions, by the table's delays.

Each rule returns its findings for one look.
"""
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent.core.contract.facts import CameraFacts, KeeperFacts, LinkFacts, RoleFacts, RunFacts
from agent.core.health.conditions import (
    CAMERA,
    CAMERA_AFTER_NETWORK,
    CAMERA_AFTER_WIRE,
    CARD,
    CODES,
    RANK,
    Condition,
    HealthFinding,
    Key,
    Raised,
    Severity,
    above,
    below,
    finding,
)
from agent.core.health.facts import Facts, HostFacts, Own, UnitFacts

UNDER_VOLTAGE_SINCE_BOOT = 1 << 16
SLOWED_NOW = 0b1110                 # frequency capped, throttled, or at the soft temperature limit
WATCHDOG_NEWS_S = 86_400.0
MB = 1_000_000
EPISODES_N_MAX = 256


def power(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Supply voltage, as the firmware reports it (raspberrypi.com, "get_throttled")."""
    host = facts.host
    if host.volt_low:
        yield finding("power_low")
    if (host.throttle or 0) & UNDER_VOLTAGE_SINCE_BOOT:
        yield finding("power_was_low")


def heat(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """The chip slows down from 80 degrees on, and strongly at 85."""
    temp_c, before = facts.host.soc_temp_c, raised("hot")
    if above(temp_c, 85, 82, before == "alarm"):
        yield finding("hot", severity="alarm", detail=f"{temp_c:.0f} °C")
    elif above(temp_c, 80, 77, before is not None):
        yield finding("hot", detail=f"{temp_c:.0f} °C")
    if (facts.host.throttle or 0) & SLOWED_NOW:
        yield finding("throttled")


def memory(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    host = facts.host
    if host.mem_avail_b is not None and host.mem_total_b:
        share_pct = 100 * host.mem_avail_b / host.mem_total_b
        if below(share_pct, 8, 12, raised("memory_low") is not None):
            yield finding("memory_low", detail=f"{host.mem_avail_b // MB} MB")
    if host.mem_limits is False:
        yield finding("memory_unlimited")


def boot(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Facts about the boot: a watchdog's reset shows for a day; the clock may have no date yet."""
    host = facts.host
    if host.watchdog_reset and host.up_s is not None and host.up_s < WATCHDOG_NEWS_S:
        yield finding("watchdog_reset")
    if host.clock == "unset":
        yield finding("clock_unset")


def card(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    host = facts.host
    if host.card_missing:
        yield finding("card_missing")
    if host.card_hung:
        yield finding("card_hung")
    if host.card_error or host.card_errors_new_n:
        yield finding("card_io")
    elif host.card_errors_n:
        yield finding("card_io", severity="warn")           # counted earlier, and not repaired
    if host.card_given_up:
        yield finding("card_given_up")
    if host.read_only:
        yield finding("card_read_only")
    if facts.card_end:
        yield finding("card_ends", detail=facts.card_end)


def space(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Space and inodes. Retention keeps its floor free, so half of the floor means that it fails."""
    host = facts.host
    if host.disk_free_b is not None and host.disk_tot_b:
        free_pct, floor_pct = 100 * host.disk_free_b / host.disk_tot_b, facts.free_floor_pct
        if below(free_pct, floor_pct / 2, floor_pct * 3 / 4, raised("card_full") is not None):
            known = [own.clips_b for unit in facts.units if (own := unit.own_facts(KeeperFacts))]
            others = [f"{(host.disk_tot_b - host.disk_free_b - b) // MB} MB no clips" for b in known if b is not None]
            yield finding("card_full", detail=", ".join([f"{host.disk_free_b // MB} MB free", *others]))
    if _inodes_low(host, raised("inodes_low") is not None):
        yield finding("inodes_low")
    if below(facts.days_left, 2, 3, raised("card_days_low") is not None):
        yield finding("card_days_low", detail=f"{facts.days_left:.1f}")


def _inodes_low(host: HostFacts, before: bool) -> bool:
    if host.inodes_free_n is None or not host.inodes_tot_n:
        return False
    return below(100 * host.inodes_free_n / host.inodes_tot_n, 3, 5, before)


PAUSED = "paused"                   # the household wants it: not a fault
FROZEN = "frozen"                   # of core.vision.tamper.Kind: a camera that hangs, not a person's act
NO_FRAME_S = 10.0
FIRST_FRAME_S = 30.0                # a camera's time limit for its first picture
WRITE_FAULTS = (*CARD, "card_full", "inodes_low")
AFTER_SOURCE: dict[str | None, tuple[str, ...]] = {
    "rtsp": CAMERA_AFTER_NETWORK, "picamera": CAMERA_AFTER_WIRE, "v4l2": CAMERA_AFTER_WIRE,
}


def roles(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Processes that are silent, restart repeatedly, or were not enabled. `taimat run` starts all of its processes
    itself. Which systemd units are enabled is the owner's choice."""
    enabled_by_hand = any(_heard(facts)) and not any(_facts_of(facts, RunFacts))
    for unit in facts.units:
        severity: Severity = "alarm" if unit.role == "capture" else "warn"
        if unit.unheard and enabled_by_hand:
            yield finding("role_not_started", unit=unit.unit, severity=severity)
        elif unit.silent:
            yield finding("role_down", unit=unit.unit, severity=severity)
        # The recovery ladder reports its own steps.
        climbs = unit.beat is not None and any(camera.ladder for camera in unit.beat.cameras)
        if unit.restarting and not climbs:
            yield finding("role_restarting", unit=unit.unit, severity=severity)


def config(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """A refused configuration, while the last good one is in use. Reported once, even if several roles report it."""
    for unit in facts.units:
        if (own := unit.own_facts(RoleFacts)) and own.config_fault:
            yield finding("config_rejected", detail=own.config_fault)
            return


def update(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    for _, own in _facts_of(facts, KeeperFacts):
        if own.refused:
            yield finding("update_refused", unit=own.refused.unit, detail=f"{own.refused.version}: {own.refused.why}")


def cameras(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """No camera at all, or the faults of each: at most one of its source, then of picture rate and motion."""
    if facts.cameras_n == 0:
        yield finding("no_camera")
    for unit, camera in _cameras(facts):
        if camera.state == PAUSED:
            continue
        name = camera.camera
        where: dict[str, Any] = {"unit": unit.unit, "camera": name}
        if code := _fault(unit, camera):
            yield finding(code, detail=camera.detail, also_after=AFTER_SOURCE.get(camera.source, ()), **where)
        if camera.tampered:
            code = "camera_frozen" if FROZEN in camera.tampered else "camera_tampered"
            yield finding(code, detail=", ".join(camera.tampered), **where)
        if camera.fps is not None and camera.fps_set:
            before = raised("camera_slow", unit.unit, name) is not None
            if below(camera.fps / camera.fps_set, 0.6, 0.8, before):
                yield finding("camera_slow", detail=f"{camera.fps:.1f}/{camera.fps_set:.0f}", **where)
        if camera.reduced_from:
            yield finding("encoder_reduced", detail=f"{camera.width}x{camera.height}/{camera.reduced_from}", **where)
        if camera.stands_in:
            yield finding("encoder_failed", detail=camera.encoder, **where)
        if camera.too_large:
            yield finding("picture_too_large", detail=camera.too_large, **where)
        if camera.luma_fps is not None and camera.luma_fps <= 0:
            yield finding("motion_blind", **where)


def recovery(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    for unit, camera in _cameras(facts):
        if camera.ladder is not None:
            code = "camera_given_up" if camera.ladder == "spent" else "camera_recovering"
            yield finding(code, unit=unit.unit, camera=camera.camera, detail=f"{camera.ladder} {camera.ladder_n}")


def pauses(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    for unit, camera in _cameras(facts):
        if camera.paused_by == "unreadable":
            yield finding("pause_unreadable")
        if camera.hours_unknown:
            yield finding("hours_unknown", unit=unit.unit, camera=camera.camera)


def recording(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Failed writes. A fault of the card belongs to the device, not to a camera, and any role may report it."""
    for _, own in _facts_of(facts, RoleFacts):
        if own.card_fault in WRITE_FAULTS:
            yield finding(own.card_fault, severity="alarm")
    for unit, camera in _cameras(facts):
        if camera.write_fault in WRITE_FAULTS:
            yield finding(camera.write_fault, severity="alarm")
        if camera.database_held_by is not None:
            pid = camera.database_held_by
            holder = next((each.unit for each in facts.units if each.beat and each.beat.pid == pid), None)
            yield finding("database_held", unit=holder, detail=f"process {pid or '?'}")
        idle = camera.recording is False and camera.state != PAUSED
        if camera.write_fault or (idle and camera.camera in facts.continuous):
            yield finding("not_recording", unit=unit.unit, camera=camera.camera, detail=camera.write_fault)


def store(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """The keeper's findings: a card that loses writes, a rebuilt database, changed rows of recordings, an unusable
    key, too many holds."""
    for _, own in _facts_of(facts, KeeperFacts):
        found = {"card_drops_writes": own.card_drops, "card_went_back": own.card_went_back,
                 "database_damaged": own.database_aside, "database_unclear": own.database_unclear,
                 "clip_redated": str(own.redated_n) if own.redated_n else None, "nothing_signed": own.key_fault,
                 "holds_over": own.holds_over}
        yield from (finding(code, detail=detail) for code, detail in found.items() if detail)


def ward(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    for unit, own in _facts_of(facts, LinkFacts):
        name = unit.unit
        if own.broker in ("unreachable", "refused"):
            yield finding(f"broker_{own.broker}", unit=name, detail=own.broker_detail)
        before = raised("outbox_growing", name) is not None
        if above(own.outbox_n, 1000, 200, before) or above(own.outbox_oldest_s, 900, 120, before):
            yield finding("outbox_growing", unit=name, detail=None if own.outbox_n is None else f"{own.outbox_n}")


def notifications(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """A phone of the household cannot be notified. Which one and why is only on its own page, not for the ward."""
    if any(own.notify_fault for _, own in _facts_of(facts, LinkFacts)):
        yield finding("notifications_wait")


def network(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """A missing network shows only if something needs it, because many recorders have none on purpose."""
    if facts.host.net_up is False and (
            any("unreachable" in (own.broker, own.notify_fault) for _, own in _facts_of(facts, LinkFacts))
            or any(camera.source == "rtsp" and _fault(unit, camera) for unit, camera in _cameras(facts))):
        yield finding("network_down")


def _fault(unit: UnitFacts, camera: CameraFacts) -> str | None:
    if camera.state == PAUSED:
        return None
    if camera.fault in CAMERA:
        return camera.fault
    if camera.state in ("retrying", "stalled", "failed"):
        return "camera_no_frames"
    if camera.last_frame_age_s is not None:
        return "camera_no_frames" if camera.last_frame_age_s + unit.age_s > NO_FRAME_S else None
    return "camera_no_frames" if camera.state == "starting" and unit.beat.up_s > FIRST_FRAME_S else None


def _facts_of(facts: Facts, kind: type[Own]) -> Iterator[tuple[UnitFacts, Own]]:
    return ((unit, own) for unit in facts.units if (own := unit.own_facts(kind)))


def _heard(facts: Facts) -> Iterator[UnitFacts]:
    return (unit for unit in facts.units if unit.beat and not unit.silent)


def _cameras(facts: Facts) -> Iterator[tuple[UnitFacts, CameraFacts]]:
    return ((unit, camera) for unit in _heard(facts) for camera in unit.beat.cameras)


RULES = (power, heat, memory, boot, card, space, roles, config, update, cameras, recovery, pauses, recording, store,
         ward, notifications, network)


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
        found = _by_key(each for rule in RULES for each in rule(facts, self._raised))
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
