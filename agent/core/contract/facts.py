"""Datagrams between the roles: heartbeats with facts, pokes, and whether network and ward can be reached. They may get
lost.

None means unknown, never zero. Units are in the names.
"""
from typing import Annotated, Literal

import msgspec


class SoundFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of a camera's sound."""

    # silent: the camera announces sound and sends none
    state: Literal["off", "none", "unsupported", "recorded", "silent"]
    codec: str = ""                       # of the camera: "aac", "pcma", "g726", ...
    rate_hz: int = 0                      # of recorded sound


class CameraFacts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One camera as its capture process sees it."""

    camera: str
    state: str                            # starting | ok | retrying | stalled | paused | ended (a file, to its end)
    fault: str | None = None              # a code of core.health's table, for example "camera_auth"
    detail: str | None = None             # one line for a person, never with a password
    source: str | None = None             # rtsp | file | v4l2 | picamera
    codec: str | None = None
    encoder: str | None = None            # the encoder on this machine: "v4l2" (hardware) or "x264 ultrafast"
    reduced_from: str | None = None       # "1280x720": the size that was set, if this machine cannot encode it
    stands_in: bool | None = None         # x264 encodes because the board's own encoder failed
    width: int | None = None
    height: int | None = None
    fps: float | None = None              # measured over the last seconds
    fps_set: float | None = None          # as requested from the camera
    kbps: float | None = None
    audio: SoundFacts | None = None
    sound_dropped_n: int | None = None    # stretches of sound that came too late for their clip, or overlap
    last_frame_age_s: float | None = None
    too_large: str | None = None          # "7680x4320": the picture's size, if it is too large to decode
    luma_fps: float | None = None         # pictures a second that the detector got
    luma_mean: float | None = None        # 0 black .. 255 white
    score: float | None = None            # the latest motion score, 0..1
    tampered: tuple[str, ...] = ()        # active kinds of core.vision.tamper.Kind, oldest first
    recording: bool | None = None
    events_n: int | None = None           # since this process started, like every count below
    gaps_n: int | None = None             # runs that broke off
    gap_s: float | None = None            # total time without video
    reopens_n: int | None = None
    dropped_n: int | None = None          # packets dropped to stay within a limit
    write_errors_n: int | None = None
    write_fault: str | None = None        # card_full | card_read_only | card_io | database_held, while it lasts
    database_held_by: int | None = None   # the process that keeps all others from writing the database; 0: unknown
    slow_card: bool | None = None         # a flush in the last minutes took far too long
    paused_by: str | None = None          # core.household.pause.By, while it is paused
    paused_until_ms: int | None = None    # on the wall clock, if known
    hours_unknown: bool | None = None     # it has weekly hours, and the clock is not set
    ladder: str | None = None             # the last step of recovery: process | driver | reboot | spent
    ladder_n: int | None = None           # the number of such steps


class RoleFacts(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag_field="of"):
    """The base of what the roles report about themselves. Counts are since the process started."""

    config_fault: str | None = None       # a mistake in the present file, while the last good one is in use
    card_fault: str | None = None  # card_full, card_read_only, card_io, ...: the role's latest trouble, while it lasts


class CaptureFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="capture"):
    """A capture process as a whole. Each camera has its own facts."""


class LedgerFacts(msgspec.Struct, kw_only=True, frozen=True):
    """The newest row of the ledger."""

    n: int                                # of the newest row
    head: str                             # the first digits of its hash, hex
    key: str                              # fingerprint of the signing key


class RefusedVersion(msgspec.Struct, frozen=True, omit_defaults=True):
    """A version that was taken back after its trial."""

    version: str
    why: str                              # what did not work, with the last words of what died
    unit: str | None = None               # of our units, the first one that did not work


Megabytes = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class HealthSample(msgspec.Struct, frozen=True, array_like=True):
    """The state of the machine at one moment. `core.health.history` makes it, the store keeps it."""

    mono_ms: int
    clock: str                            # how trustworthy the wall clock was: unset | saved | rtc | ntp
    temp_c: Annotated[float, msgspec.Meta(ge=-100, le=300)] | None
    disk_mb: Megabytes | None             # size of the card
    free_mb: Megabytes | None
    written_mb: Megabytes | None          # to the whole card since boot, by all processes
    net_up: bool | None
    ward_up: bool | None                  # None also if there is no ward
    card_ill: int = 0                     # since the sample before: core.health.forecast.card_ill


class KeeperFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="keeper"):
    """The keeper's facts about card, footage, clock and ledger."""

    fault: str | None = None              # of its last round
    key_fault: str | None = None          # why nothing can be signed
    card_ill_days: int | None = None      # days with card trouble in the last weeks
    database_aside: str | None = None     # the name of a damaged database that this process has repaired
    database_unclear: bool = False        # errors that damage may explain, in a sound database
    redated_n: int | None = None  # rows of recordings whose times did not match the signed ones, in the last day
    card_drops: str | None = None         # what was lost because the card does not keep what it accepted
    card_went_back: str | None = None     # the ward's proof that the card is in an earlier state
    deleted_n: int | None = None          # clips
    clips_n: int | None = None
    clips_b: int | None = None
    held_b: int | None = None
    holds_over: str | None = None         # the longest holds, if all holds take more room than allowed
    kept_days: dict[str, float] = {}      # by camera: how long its footage stays
    clock_err_ms: int | None = None       # largest possible error of the wall clock
    clock_step_ms: int | None = None      # size of its last step
    ledger: LedgerFacts | None = None
    refused: RefusedVersion | None = None  # until another one is tried
    lately: list[HealthSample] = []       # samples that are not on the card yet


class LinkFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="link"):
    """The link's connections to the ward and to the household's own broker."""

    broker: Literal["off", "connected", "unreachable", "refused"] | None = None
    broker_detail: str | None = None
    home: Literal["off", "connected", "unreachable"] | None = None
    home_detail: str | None = None
    notify_fault: str | None = None       # why a phone gets no notifications: core.contract.helper_messages
    outbox_n: int | None = None           # waiting messages
    outbox_b: int | None = None
    outbox_oldest_s: float | None = None
    quarantine_n: int | None = None       # messages set aside
    security_n: int | None = None         # security events
    store_fault: str | None = None
    clerk_dropped_n: int | None = None    # jobs that the full queue of the store's thread refused
    mqtt_fault: str | None = None
    mqtt_connects_n: int | None = None
    mqtt_dropped_n: int | None = None
    evt_sent_n: int | None = None
    evt_settled_n: int | None = None
    evt_unheard_n: int | None = None
    evt_refused_n: int | None = None


class WebFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="web"):
    """The page's visitors and failures."""

    pairing_failures_n: int | None = None
    viewers_n: int | None = None
    card_troubles_n: int | None = None


class RunFacts(RoleFacts, kw_only=True, omit_defaults=True, frozen=True, tag="run"):
    """How often each unit of `taimat run` has died."""

    deaths_n: dict[str, int] = {}


UnitOwnFacts = CaptureFacts | KeeperFacts | LinkFacts | WebFacts | RunFacts


Role = Literal["capture", "keeper", "link", "web", "run"]


class Beat(msgspec.Struct, kw_only=True, omit_defaults=True, tag="beat"):
    """A heartbeat. Each process sends one every few seconds."""

    role: Role
    unit: str                             # the process: "capture@gate", "keeper", ...
    pid: int                              # by the kernel's word: agent/host/datagram.py
    mono_s: float                         # the sender's boot-time clock
    up_s: float
    rss_b: int | None = None
    cpu_s: float | None = None
    starts_n: int | None = None           # starts of this unit since boot, including this one
    cameras: list[CameraFacts] = []
    facts: UnitOwnFacts | None = None


class Poke(msgspec.Struct, kw_only=True, omit_defaults=True, tag="poke"):
    """The store has changed: the receiver looks now instead of at the next tick."""

    what: str       # one of POKERS


class ReachFacts(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="reach"):
    """Whether the network and the ward can be reached: the keeper has no network access and gets this report. Also how
    ill the card is by the reports of all roles, which the keeper does not receive."""

    net_up: bool | None = None
    ward_up: bool | None = None
    card_ill: int = 0


Message = Beat | Poke | ReachFacts
# The roles that send each poke. Root's commands send pokes, too.
POKERS: dict[str, tuple[Role, ...]] = {
    "outbox": ("capture", "keeper"), "clips": ("capture",), "space": ("capture",), "database": ("capture",),
    "sweep": ("capture",), "requests": ("keeper", "link", "web"), "membership": ("keeper", "web"), "notify": ("web",),
    "decided": ("keeper",),
    "erase": ("keeper",), "keys": ("keeper",), "updates": ("keeper", "link"), "browsers": ("keeper",),
    "stop": ("keeper",), "known": ("keeper", "web")}


def speakers(message: Message) -> tuple[Role, ...]:
    """The roles that may send this message. Empty if a heartbeat reports another role's unit, facts or cameras."""
    if isinstance(message, Poke):
        return POKERS.get(message.what, ())
    if isinstance(message, ReachFacts):
        return ("web", "link")
    own = message.unit.partition("@")[0] == message.role and (message.role == "capture" or not message.cameras)
    sent_by = message.role if message.facts is None else message.facts.__struct_config__.tag
    return (message.role,) if own and sent_by == message.role else ()
