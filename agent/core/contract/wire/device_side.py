"""The device's messages about itself: status, birth, health, and its answers. Absent means unknown, never 0."""
from typing import Any, Literal

from msgspec import Struct

CommandState = Literal["accepted", "waiting_consent", "running", "done", "failed", "refused", "expired"]


class Status(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """`status`: online or not. Ignore an offline with an older `conn` than the latest online: it is of the past."""

    v: int
    online: bool                        # whether it is there
    boot: str
    conn: int                           # counts CONNECTs, never reset
    why: str | None = None              # lost (the will's) | shutdown | update | consent_withdrawn
    ts: int | None = None               # UTC ms
    clock: str | None = None
    mode: str | None = None             # active


class BirthCamera(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One camera in `birth`."""

    c: str
    src: str | None = None              # rtsp | file | v4l2 | picamera
    w: int | None = None                # of the picture, in pixels
    h: int | None = None                # of the picture, in pixels
    fps_set: float | None = None
    codec: str | None = None


class Birth(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """`birth`: what the device is and speaks."""

    v: int
    boot: str
    conn: int
    mono_ms: int
    clock: str
    agent: str                          # version of the software
    schemas: dict[str, int]             # version of each payload's form that it speaks
    caps: list[str]                     # what it can do beyond the contract's minimum
    cams: list[BirthCamera]             # its cameras; only their names if its health is withheld
    withheld: list[str] = []            # what the household keeps to itself: health, events
    only: list[str] = []                # it sends motion with these labels, and unlabelled motion; []: all motion
    ts: int | None = None
    seq_next: int | None = None         # what the next event will get
    outbox_n: int | None = None         # events that wait
    os: str | None = None               # distribution, kernel and machine
    hw: str | None = None               # the board's model
    site: str | None = None             # its place, which stays if the device is replaced
    cfg_sha256: str | None = None       # of the settings in use
    cfg_ver: int | None = None          # `iat` of the ward's command `set`, if the ward has set any of them
    cert_not_after: str | None = None   # RFC 3339; from then on its certificate is refused


class HealthCamera(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One camera in `health`."""

    c: str
    st: str                             # ok | starting | retrying | stalled | paused | ended | failed (its process)
    fault: str | None = None            # why there is no video: a code as in cond
    fps: float | None = None            # measured over the last seconds
    fps_set: float | None = None
    drop_n: int | None = None           # packets given up to stay inside a bound, since its process started
    kbps: float | None = None
    mot_n: int | None = None            # events, since its process started
    luma: float | None = None           # mean brightness: 0 black .. 255 white
    last_s: float | None = None         # age of the last frame
    gaps_n: int | None = None           # breaks of the video, since its process started
    gap_s: float | None = None          # time without video, in sum
    rec: bool | None = None             # whether it is recording now
    kept_d: float | None = None         # days that its footage stays at the present rate


class HealthCondition(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """One thing that is wrong, by its code in docs/design/health.md."""

    code: str
    sev: str                            # info | warn | alarm
    c: str | None = None                # the camera concerned
    unit: str | None = None             # the process concerned


class LedgerHead(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """The newest signed row. A copy of it proves that all rows up to it existed."""

    n: int                              # the row's number
    head: str                           # first 32 hex digits of its hash
    key: str                            # fingerprint of the key that signs


class Health(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """`health`: the state of the device."""

    v: int
    seq: int                            # counts reports of this connection's process; gaps are only counted
    boot: str
    clock: str
    mono_ms: int
    int_s: int                          # the next one comes after this long
    ts: int | None = None
    clk_err_ms: int | None = None       # largest error of the wall clock, if the kernel knows it
    clk_step_ms: int | None = None      # size of its last step in this boot
    up_s: float | None = None
    cpu_pct: float | None = None
    load1: float | None = None          # processes that want to run, mean of a minute
    mem_avail_b: int | None = None
    rss_b: int | None = None
    soc_temp_c: float | None = None
    throttle: int | None = None         # the firmware's bits: 0-3 now, 16-19 since boot
    volt_low: bool | None = None        # the supply voltage is too low now
    disk_free_b: int | None = None
    disk_tot_b: int | None = None
    disk_wr_b: int | None = None
    disk_wr_day_b: int | None = None    # written to the card in a day by all programs, at the present rate
    card_life_d: tuple[int, int] | None = None      # days until a new card would be worn out, at worst and at best
    card_days_left: float | None = None  # days until the free space has come down to its floor, at the present rate
    clips_n: int | None = None          # clips on the card
    clips_b: int | None = None
    outbox_n: int | None = None
    outbox_old_s: int | None = None
    quarantine_n: int | None = None     # messages set aside because they were refused
    rssi_dbm: int | None = None
    net_tx_b: int | None = None
    net_rx_b: int | None = None
    mqtt_rc_n: int | None = None        # connections after the first
    cams: list[HealthCamera] = []       # each camera
    roles: dict[str, str] = {}          # ok | down | restarting, for each role heard of
    restarts_n: dict[str, int] = {}     # of the roles that were started again since boot
    ledger: LedgerHead | None = None    # newest row of what the device has signed
    cond: list[HealthCondition] = []    # what is wrong: root causes only, not what follows from them


class Response(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """`rsp/{who}/{id}`: what became of a command."""

    v: int
    id: str                             # the command's
    st: CommandState
    code: str | None = None
    ts: int | None = None
    data: dict[str, Any] | None = None  # with "done": the result of the command
    request: int | None = None          # with "waiting_consent": the number by which the household knows it
    sent_b: int | None = None           # with "running", once it is being uploaded
    total_b: int | None = None


class Reported(Struct, kw_only=True, omit_defaults=True, frozen=True):
    """`cfg/reported`: the settings in effect after the ward's command `set`."""

    v: int
    ver: int                            # `iat` of the command
    cfg: dict[str, Any]                 # what is in effect, including the household's own values
    clamped: dict[str, str] = {}        # keys whose value was limited, and why: range | household
