"""Rules on our own processes and their cameras: roles, sources, recording, the way to the ward."""
from collections.abc import Iterator
from typing import Any

from agent.core.contract.facts import CameraFacts, KeeperFacts, LinkFacts, RoleFacts, RunFacts
from agent.core.health.codes import CAMERA, CAMERA_AFTER_NETWORK, CAMERA_AFTER_WIRE, CARD, Severity
from agent.core.health.conditions import HealthFinding, Raised, above, below, finding
from agent.core.health.facts import Facts, Own, UnitFacts

PAUSED = "paused"                   # it sees nothing because the household wants it so: nothing is wrong
FROZEN = "frozen"                   # of core.vision.tamper.Kind: nobody's doing, but a camera that hangs
NO_FRAME_S = 10.0
FIRST_FRAME_S = 30.0                # what a camera may take until its first picture
WRITE_FAULTS = (*CARD, "card_full", "inodes_low")
AFTER_SOURCE: dict[str | None, tuple[str, ...]] = {
    "rtsp": CAMERA_AFTER_NETWORK, "picamera": CAMERA_AFTER_WIRE, "v4l2": CAMERA_AFTER_WIRE,
}


def roles(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Processes that are silent, that start again and again, or that nobody has enabled.

    `taimat run` starts all of its processes itself; which units of systemd are enabled is the owner's business.
    """
    enabled_by_hand = any(_heard(facts)) and not any(_told(facts, RunFacts))
    for unit in facts.units:
        severity: Severity = "alarm" if unit.role == "capture" else "warn"
        if unit.unheard and enabled_by_hand:
            yield finding("role_not_started", unit=unit.unit, severity=severity)
        elif unit.silent:
            yield finding("role_down", unit=unit.unit, severity=severity)
        if unit.restarting and not _climbs(unit):
            yield finding("role_restarting", unit=unit.unit, severity=severity)


def config(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """A configuration that was refused; the last good one is in use. Told once, though each role may say it."""
    for unit in facts.units:
        if (told := unit.told(RoleFacts)) and told.config_fault:
            yield finding("config_rejected", detail=told.config_fault)
            return


def cameras(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """That there is no camera at all, or what is wrong with each.

    Of a camera one fault at most, then what follows for its picture rate and for motion.
    """
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
    """What is done for a camera that stays dead, or that nothing more can be done."""
    for unit, camera in _cameras(facts):
        if camera.ladder is not None:
            code = "camera_given_up" if camera.ladder == "spent" else "camera_recovering"
            yield finding(code, unit=unit.unit, camera=camera.camera, detail=f"{camera.ladder} {camera.ladder_n}")


def pauses(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """A pause is no fault; not to know whether one is wanted is."""
    for unit, camera in _cameras(facts):
        if camera.paused_by == "unreadable":
            yield finding("pause_unreadable")
        if camera.hours_unknown:
            yield finding("hours_unknown", unit=unit.unit, camera=camera.camera)


def recording(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """What capture could not write; a fault of the card is the device's, not each camera's, and any role may meet it.
    """
    for _, told in _told(facts, RoleFacts):
        if told.card_fault in WRITE_FAULTS:
            yield finding(told.card_fault, severity="alarm")
    for unit, camera in _cameras(facts):
        if camera.write_fault in WRITE_FAULTS:
            yield finding(camera.write_fault, severity="alarm")
        idle = camera.recording is False and camera.state != PAUSED
        if camera.write_fault or (idle and camera.camera in facts.continuous):
            yield finding("not_recording", unit=unit.unit, camera=camera.camera, detail=camera.write_fault)


def holds(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """Clips on hold that take more of the card than they may; the keeper names those that last longest."""
    for _, told in _told(facts, KeeperFacts):
        if told.holds_over:
            yield finding("holds_over", detail=told.holds_over)


def store(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """What the keeper found out: a card that does not keep what it took, a database that had to be made anew.

    Also that it can sign nothing.
    """
    for _, told in _told(facts, KeeperFacts):
        if told.card_drops:
            yield finding("card_drops_writes", detail=told.card_drops)
        if told.database_aside:
            yield finding("database_damaged", detail=told.database_aside)
        if told.key_fault:
            yield finding("nothing_signed", detail=told.key_fault)


def ward(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """The way to the broker, by the link's own numbers."""
    for unit, told in _told(facts, LinkFacts):
        name = unit.unit
        if told.broker in ("unreachable", "refused"):
            yield finding(f"broker_{told.broker}", unit=name, detail=told.broker_detail)
        before = raised("outbox_growing", name) is not None
        if above(told.outbox_n, 1000, 200, before) or above(told.outbox_oldest_s, 900, 120, before):
            yield finding("outbox_growing", unit=name, detail=None if told.outbox_n is None else f"{told.outbox_n}")


def notifications(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """A phone of the household that can't be told. Which one and why is on its own page, and no business of the ward.
    """
    if any(told.notify_fault for _, told in _told(facts, LinkFacts)):
        yield finding("notifications_wait")


def network(facts: Facts, raised: Raised) -> Iterator[HealthFinding]:
    """A missing network is named only where something misses it: many a recorder lives without one on purpose."""
    if facts.host.net_up is False and (
            any("unreachable" in (told.broker, told.notify_fault) for _, told in _told(facts, LinkFacts))
            or any(camera.source == "rtsp" and _fault(unit, camera) for unit, camera in _cameras(facts))):
        yield finding("network_down")


def _fault(unit: UnitFacts, camera: CameraFacts) -> str | None:
    """The code that says best why this camera gives no picture, or None when it does or is not to."""
    if camera.state == PAUSED:
        return None
    if camera.fault in CAMERA:
        return camera.fault
    if camera.state in ("retrying", "stalled", "failed"):
        return "camera_no_frames"
    if camera.last_frame_age_s is not None:
        return "camera_no_frames" if camera.last_frame_age_s + unit.age_s > NO_FRAME_S else None
    return "camera_no_frames" if camera.state == "starting" and unit.beat.up_s > FIRST_FRAME_S else None


def _told(facts: Facts, kind: type[Own]) -> Iterator[tuple[UnitFacts, Own]]:
    """Units that are heard and tell facts of this kind of themselves."""
    return ((unit, told) for unit in facts.units if (told := unit.told(kind)))


def _heard(facts: Facts) -> Iterator[UnitFacts]:
    return (unit for unit in facts.units if unit.beat and not unit.silent)


def _cameras(facts: Facts) -> Iterator[tuple[UnitFacts, CameraFacts]]:
    return ((unit, camera) for unit in _heard(facts) for camera in unit.beat.cameras)


def _climbs(unit: UnitFacts) -> bool:
    """Whether its starts are steps of the ladder, which tells of itself."""
    return unit.beat is not None and any(camera.ladder for camera in unit.beat.cameras)


RULES = (roles, config, cameras, recovery, pauses, recording, store, holds, ward, notifications,
         network)
