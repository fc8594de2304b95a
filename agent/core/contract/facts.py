"""Datagrams between the roles, which may get lost: heartbeats with facts, pokes, and who can be reached.

None means unknown, never zero. Units are in the names.
"""
from typing import Annotated, Literal

import msgspec


class SoundFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What becomes of a camera's sound."""

    state: Literal["off", "none", "unsupported", "recorded", "silent"]     # silent: it is promised, and does not come
    codec: str = ""                       # of the camera: "aac", "pcma", "g726", ...
    rate_hz: int = 0                      # of sound that is recorded


class CameraFacts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One camera as its capture process sees it."""

    camera: str
    state: str                            # starting | ok | retrying | stalled | paused | ended (a file, to its end)
    fault: str | None = None              # a code of core.health's table, for example "camera_auth"
    detail: str | None = None             # one line for a person, never with a password
    source: str | None = None             # rtsp | file | v4l2 | picamera
    codec: str | None = None
    encoder: str | None = None            # the encoder on this machine: "v4l2" (hardware) or "x264 ultrafast"
    reduced_from: str | None = None       # "1280x720": the size that was set, if this machine can't encode so much
    stands_in: bool | None = None         # x264 does it, because the board's own encoder failed
    width: int | None = None
    height: int | None = None
    fps: float | None = None              # measured over the last seconds
    fps_set: float | None = None          # as the camera was asked for
    kbps: float | None = None
    audio: SoundFacts | None = None
    sound_dropped_n: int | None = None    # stretches of sound that came too late for their clip, or overlap
    last_frame_age_s: float | None = None
    too_large: str | None = None          # "7680x4320": the picture's size, where it is too large to be decoded
    luma_fps: float | None = None         # pictures a second that the detector got
    luma_mean: float | None = None        # 0 black .. 255 white
    score: float | None = None            # the latest motion score, 0..1
    tampered: tuple[str, ...] = ()        # the kinds of core.vision.tamper.Kind that hold, oldest first
    recording: bool | None = None
    events_n: int | None = None           # since this process started, like every count below
    gaps_n: int | None = None             # runs that broke off
    gap_s: float | None = None            # time without video, in sum
    reopens_n: int | None = None
    dropped_n: int | None = None          # packets given up to stay inside a bound
    write_errors_n: int | None = None
    write_fault: str | None = None        # card_full | card_read_only | card_io, while it lasts
    paused_by: str | None = None          # core.household.pause.By, while it is paused
    paused_until_ms: int | None = None    # on the wall clock, where that is known
    hours_unknown: bool | None = None     # it has weekly hours, and the clock is not set
    ladder: str | None = None             # the last step of recovery: process | driver | reboot | spent
    ladder_n: int | None = None           # the number of such steps


class RoleFacts(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="of"):
    """The base of what the roles tell of themselves; counts are since the process started."""

    config_fault: str | None = None       # what is wrong with the present file, while the last good one is in use
    card_fault: str | None = None         # card_full, card_read_only, card_io, ...: what it met last, while that lasts


class CaptureFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="capture"):
    """A capture process as a whole; each camera has its own facts."""


class LedgerFacts(msgspec.Struct, kw_only=True, frozen=True):
    """The ledger's head."""

    n: int                                # of the newest row
    head: str                             # its hash, the first digits, hex
    key: str                              # fingerprint of the key that signs


Megabytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class HealthSample(msgspec.Struct, frozen=True, array_like=True):
    """How the machine was at one moment; `core.health.history` makes it, the store keeps it."""

    mono_ms: int
    clock: str                            # how far the wall clock was believed then: unset | saved | rtc | ntp
    temp_c: Annotated[float, msgspec.Meta(ge=-100, le=300)] | None
    disk_mb: Megabytes | None             # of the card, in sum
    free_mb: Megabytes | None
    written_mb: Megabytes | None          # to the whole card since boot, by anybody
    net_up: bool | None
    ward_up: bool | None                  # None also where there is no ward


class KeeperFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="keeper"):
    """What the keeper knows of card, stock, clock and ledger."""

    fault: str | None = None              # of its last round
    key_fault: str | None = None          # why nothing can be signed
    database_aside: str | None = None     # the name of a damaged database that this process has repaired
    card_drops: str | None = None         # what a card that does not keep what it took has lost
    deleted_n: int | None = None          # clips
    clips_n: int | None = None
    clips_b: int | None = None
    held_b: int | None = None
    holds_over: str | None = None         # the holds that last longest, while all take more room than they may
    kept_days: dict[str, float] = {}      # by camera: how long its footage stays
    clock_err_ms: int | None = None       # how far off the wall clock is at most
    clock_step_ms: int | None = None      # by how much it was moved last
    ledger: LedgerFacts | None = None
    lately: list[HealthSample] = []       # those that are not on the card yet


class LinkFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="link"):
    """The link's ways to the ward and to the household's own broker."""

    broker: Literal["off", "connected", "unreachable", "refused"] | None = None
    broker_detail: str | None = None
    home: Literal["off", "connected", "unreachable"] | None = None
    home_detail: str | None = None
    notify_fault: str | None = None       # why a phone gets no notifications: core.contract.notify_send
    outbox_n: int | None = None           # messages that wait
    outbox_b: int | None = None
    outbox_oldest_s: float | None = None
    quarantine_n: int | None = None       # messages set aside
    security_n: int | None = None         # events of security that were seen
    store_fault: str | None = None
    clerk_dropped_n: int | None = None    # jobs for the store's thread that found no place
    mqtt_fault: str | None = None
    mqtt_connects_n: int | None = None
    mqtt_dropped_n: int | None = None
    evt_sent_n: int | None = None
    evt_settled_n: int | None = None
    evt_unheard_n: int | None = None
    evt_refused_n: int | None = None


class WebFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="web"):
    """The page's visitors and troubles."""

    pairing_failures_n: int | None = None
    viewers_n: int | None = None
    card_troubles_n: int | None = None


class RunFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="run"):
    """`taimat run`: how often each unit has died."""

    deaths_n: dict[str, int] = {}


UnitOwnFacts = CaptureFacts | KeeperFacts | LinkFacts | WebFacts | RunFacts


class Beat(msgspec.Struct, kw_only=True, omit_defaults=True, tag="beat"):
    """A heartbeat: each process sends one every few seconds."""

    role: str                             # capture | keeper | link | web | run
    unit: str                             # the process: "capture@gate", "keeper", ...
    pid: int
    mono_s: float                         # the sender's boot-time clock
    up_s: float
    rss_b: int | None = None
    cpu_s: float | None = None
    starts_n: int | None = None           # starts of this unit since the machine booted, this one included
    cameras: list[CameraFacts] = []
    facts: UnitOwnFacts | None = None


class Poke(msgspec.Struct, kw_only=True, omit_defaults=True, tag="poke"):
    """Something has changed in the store: look now instead of at the next tick."""

    what: str       # outbox | clips | requests | settings | space | erase | keys | database | updates | browsers
                    # | membership | notify | decided | stop


class ReachFacts(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="reach"):
    """Whether the network and the ward can be reached, told to the keeper, which has no network to look into."""

    net_up: bool | None = None
    ward_up: bool | None = None


Message = Beat | Poke | ReachFacts
