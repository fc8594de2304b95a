"""The table of conditions (severity, delays, causes), the findings of the rules, and the conditions that are shown."""
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agent.core.passwords import redact
from agent.core.recovery import NO_CURE

Severity = Literal["info", "warn", "alarm"]
RANK = {"info": 0, "warn": 1, "alarm": 2}
ROLE = ("role_down", "role_restarting", "role_not_started")
CARD = ("card_missing", "card_hung", "card_io", "card_read_only", "card_given_up")
NETWORK = ("network_down", "clock_unset")       # TLS needs a clock that is not before its certificates
CAMERA = ("camera_not_found", "camera_unreachable", "camera_auth", "camera_stream_bad", "camera_no_frames",
          "camera_frozen", "camera_given_up", "camera_certificate", "encoder_missing", "masks_unsafe")
CAMERA_AFTER_WIRE = ("power_low",)              # a Pi or USB camera disconnects if the voltage drops
CAMERA_AFTER_NETWORK = ("network_down",)


@dataclass(frozen=True, slots=True)
class ConditionKind:
    """One row. While a cause in `after` lasts, this condition is only a symptom."""

    severity: Severity
    visible_s: float                # must be present this long before it shows
    clear_s: float                  # must be absent this long before it goes
    after: tuple[str, ...] = ()


# "alarm": recordings are lost or will be soon; "warn": a person should act; "info" explains.
CODES: dict[str, ConditionKind] = {
    "power_low": ConditionKind("alarm", 0, 120),
    "power_was_low": ConditionKind("info", 0, 60, ("power_low",)),
    "hot": ConditionKind("warn", 10, 60),                # an alarm from 85 degrees on
    "throttled": ConditionKind("warn", 10, 60, ("power_low", "hot")),
    "memory_low": ConditionKind("warn", 30, 60),
    "memory_unlimited": ConditionKind("info", 0, 60),
    "watchdog_reset": ConditionKind("info", 0, 60),
    "clock_unset": ConditionKind("warn", 60, 10, ("network_down",)),
    "network_down": ConditionKind("warn", 20, 20),
    "card_missing": ConditionKind("alarm", 0, 20),
    "card_hung": ConditionKind("alarm", 0, 30, ("card_missing",)),
    "card_io": ConditionKind("alarm", 0, 15, ("card_missing", "card_read_only", "card_given_up")),
    "card_read_only": ConditionKind("alarm", 0, 20, ("card_missing", "card_given_up")),
    "card_given_up": ConditionKind("alarm", 0, 20, ("card_missing",)),
    "card_full": ConditionKind("alarm", 5, 60, CARD),
    "inodes_low": ConditionKind("warn", 30, 60, CARD),
    "card_drops_writes": ConditionKind("alarm", 0, 20, ("card_missing",)),
    "card_ends": ConditionKind("warn", 0, 60, CARD),
    "card_went_back": ConditionKind("warn", 0, 20),
    "database_damaged": ConditionKind("warn", 0, 20),
    "database_unclear": ConditionKind("warn", 20, 20, CARD),
    "database_held": ConditionKind("warn", 20, 20, CARD),
    "nothing_signed": ConditionKind("warn", 20, 20, CARD),
    "clip_redated": ConditionKind("warn", 0, 20),
    "card_days_low": ConditionKind("warn", 600, 600, (*CARD, "card_full")),
    "holds_over": ConditionKind("warn", 60, 60, CARD),
    "role_restarting": ConditionKind("warn", 0, 60),
    "role_not_started": ConditionKind("warn", 0, 5),     # an alarm for capture, like the next
    "role_down": ConditionKind("warn", 0, 5, ("role_restarting", "role_not_started")),
    "config_rejected": ConditionKind("warn", 0, 10),
    "update_refused": ConditionKind("info", 0, 20),
    "no_camera": ConditionKind("warn", 0, 5),
    "camera_auth": ConditionKind("alarm", 5, 20, ROLE),
    "camera_certificate": ConditionKind("alarm", 0, 20, ROLE),
    "camera_unreachable": ConditionKind("alarm", 10, 20, ROLE),
    "camera_not_found": ConditionKind("alarm", 5, 20, ROLE),
    "camera_no_frames": ConditionKind("alarm", 10, 20, (*ROLE, "camera_given_up")),
    "camera_frozen": ConditionKind("alarm", 5, 30, ROLE),
    "camera_tampered": ConditionKind("alarm", 0, 20, (*ROLE, *CAMERA)),      # a picture, but not of the watched scene
    "camera_stream_bad": ConditionKind("alarm", 5, 20, ROLE),
    "encoder_missing": ConditionKind("alarm", 5, 20, ROLE),
    "masks_unsafe": ConditionKind("alarm", 0, 20, ROLE),
    "camera_recovering": ConditionKind("info", 0, 10, (*ROLE, *NO_CURE)),       # their own texts name the remedy
    "camera_given_up": ConditionKind("alarm", 0, 20, (*ROLE, *NO_CURE)),
    "pause_unreadable": ConditionKind("warn", 0, 5),
    "hours_unknown": ConditionKind("warn", 60, 10),      # long enough to get the time from the network
    "encoder_failed": ConditionKind("warn", 0, 20, (*ROLE, *CAMERA)),
    "encoder_reduced": ConditionKind("info", 0, 20, (*ROLE, *CAMERA, "encoder_failed")),
    "camera_slow": ConditionKind("warn", 60, 60, (*ROLE, *CAMERA, "power_low", "hot", "throttled")),
    "not_recording": ConditionKind("alarm", 15, 20, (*ROLE, *CARD, "card_full", "inodes_low", *CAMERA)),
    "picture_too_large": ConditionKind("warn", 5, 20, (*ROLE, *CAMERA)),
    "motion_blind": ConditionKind("warn", 30, 30, (*ROLE, *CAMERA, "picture_too_large")),
    "broker_unreachable": ConditionKind("warn", 60, 20, (*ROLE, *NETWORK)),
    "broker_refused": ConditionKind("warn", 5, 20, (*ROLE, "clock_unset")),
    "notifications_wait": ConditionKind("warn", 300, 20, (*ROLE, *NETWORK)),
    "outbox_growing": ConditionKind("warn", 60, 60, (*ROLE, *NETWORK, "broker_unreachable", "broker_refused")),
}


class ConditionText(NamedTuple):
    """A title that needs no context, and one sentence with the remedy: agent/look/i18n."""

    title: str
    remedy: str


# raised(code, unit, camera): the severity of a finding from earlier looks, or None
Raised = Callable[..., Severity | None]


def above(value: float | None, enter: float, leave: float, before: bool) -> bool:
    """Whether `value` has reached `enter`, or has not fallen to `leave` since. False if it is unknown."""
    return value is not None and (value > leave if before else value >= enter)


def below(value: float | None, enter: float, leave: float, before: bool) -> bool:
    """Whether `value` has fallen below `enter`, or has not risen to `leave` since. False if it is unknown."""
    return value is not None and (value < leave if before else value < enter)


Key = tuple[str, str | None, str | None]        # code, unit, camera


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthFinding:
    """A rule's answer to one look. A finding about the whole device has neither unit nor camera."""

    code: str
    unit: str | None = None
    camera: str | None = None
    severity: Severity
    detail: str | None = None               # one line for a person
    after: tuple[str, ...] = ()             # causes that would explain it

    @property
    def key(self) -> Key:
        return self.code, self.unit, self.camera

    def explained_by(self, cause: "HealthFinding") -> bool:
        """Whether `cause` makes this a symptom: a cause in `after`, on the same camera or unit or the whole device."""
        return (cause.code in self.after
                and cause.unit in (None, self.unit) and cause.camera in (None, self.camera))


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A problem as people and the ward see it."""

    code: str
    severity: Severity
    since_mono_s: float
    unit: str | None = None
    camera: str | None = None
    detail: str | None = None
    depends_on: tuple[str, ...] = ()        # causes that would have hidden it


def finding(code: str, *, unit: str | None = None, camera: str | None = None, severity: Severity | None = None,
            detail: object = None, also_after: tuple[str, ...] = ()) -> HealthFinding:
    """Makes a finding from its row of the table. `detail` counts only if it is text; passwords in it are masked."""
    row = CODES[code]
    return HealthFinding(code=code, unit=unit, camera=camera, severity=severity or row.severity,
                         detail=redact(detail) if isinstance(detail, str) else None, after=row.after + also_after)
