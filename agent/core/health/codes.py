"""The table of conditions: how bad each is, how soon it shows, and which causes explain it."""
from dataclasses import dataclass
from typing import Literal

from agent.core.recovery import NO_CURE

Severity = Literal["info", "warn", "alarm"]
RANK = {"info": 0, "warn": 1, "alarm": 2}


@dataclass(frozen=True, slots=True)
class Code:
    """One row. `after` names the causes that, while they last, make this condition a mere symptom."""

    severity: Severity
    visible_s: float                # must have been seen for this long before it shows
    clear_s: float                  # must have been gone for this long before it goes
    after: tuple[str, ...] = ()


ROLE = ("role_down", "role_restarting")
CARD = ("card_missing", "card_hung", "card_io", "card_read_only")
NETWORK = ("network_down", "clock_unset")       # TLS needs a clock that is not before its certificates
CAMERA = ("camera_not_found", "camera_unreachable", "camera_auth", "camera_stream_bad", "camera_no_frames",
          "camera_frozen", "camera_given_up", "encoder_missing")
CAMERA_AFTER_WIRE = ("power_low",)              # a Pi or USB camera falls off the bus when the voltage drops
CAMERA_AFTER_NETWORK = ("network_down",)

# "alarm" means that recordings are being lost or soon will be; "warn" that somebody should act; "info" explains.
CODES: dict[str, Code] = {
    "power_low": Code("alarm", 0, 120),
    "power_was_low": Code("info", 0, 60, ("power_low",)),
    "hot": Code("warn", 10, 60),                # an alarm from 85 degrees on
    "throttled": Code("warn", 10, 60, ("power_low", "hot")),
    "memory_low": Code("warn", 30, 60),
    "memory_unlimited": Code("info", 0, 60),
    "watchdog_reset": Code("info", 0, 60),
    "clock_unset": Code("warn", 60, 10, ("network_down",)),
    "network_down": Code("warn", 20, 20),
    "card_missing": Code("alarm", 0, 20),
    "card_hung": Code("alarm", 0, 30, ("card_missing",)),
    "card_io": Code("alarm", 0, 120, ("card_missing",)),
    "card_read_only": Code("alarm", 0, 20, ("card_missing", "card_io")),
    "card_full": Code("alarm", 5, 60, CARD),
    "inodes_low": Code("warn", 30, 60, CARD),
    "card_drops_writes": Code("alarm", 0, 20, ("card_missing",)),
    "database_damaged": Code("warn", 0, 20),
    "nothing_signed": Code("warn", 20, 20, CARD),
    "card_days_low": Code("warn", 600, 600, (*CARD, "card_full")),
    "holds_over": Code("warn", 60, 60, CARD),
    "role_restarting": Code("warn", 0, 60),
    "role_down": Code("warn", 0, 5, ("role_restarting",)),      # an alarm for capture
    "config_rejected": Code("warn", 0, 10),
    "camera_auth": Code("alarm", 5, 20, ROLE),
    "camera_unreachable": Code("alarm", 10, 20, ROLE),
    "camera_not_found": Code("alarm", 5, 20, ROLE),
    "camera_no_frames": Code("alarm", 10, 20, (*ROLE, "camera_given_up")),
    "camera_frozen": Code("alarm", 5, 30, ROLE),
    "camera_tampered": Code("alarm", 0, 20, (*ROLE, *CAMERA)),      # it has a picture, but not of what it is there for
    "camera_stream_bad": Code("alarm", 5, 20, ROLE),
    "encoder_missing": Code("alarm", 5, 20, ROLE),
    "camera_recovering": Code("info", 0, 10, (*ROLE, *NO_CURE)),       # their own words say what a person can do
    "camera_given_up": Code("alarm", 0, 20, (*ROLE, *NO_CURE)),
    "pause_unreadable": Code("warn", 0, 5),
    "hours_unknown": Code("warn", 60, 10),      # long enough for the network to bring the time
    "encoder_reduced": Code("info", 0, 20, (*ROLE, *CAMERA)),
    "camera_slow": Code("warn", 60, 60, (*ROLE, *CAMERA, "power_low", "hot", "throttled")),
    "not_recording": Code("alarm", 15, 20, (*ROLE, *CARD, "card_full", "inodes_low", *CAMERA)),
    "motion_blind": Code("warn", 30, 30, (*ROLE, *CAMERA)),
    "broker_unreachable": Code("warn", 60, 20, (*ROLE, *NETWORK)),
    "broker_refused": Code("warn", 5, 20, (*ROLE, "clock_unset")),
    "outbox_growing": Code("warn", 60, 60, (*ROLE, *NETWORK, "broker_unreachable", "broker_refused")),
}
