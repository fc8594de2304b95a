"""The typed settings: every key with its type, unit, bounds and default. `config/default.toml` describes them."""
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from agent.config.source import FORMS
from agent.core.household.sharing_rules import Rule, Telling, TellingEvents

Polygon = list[tuple[float, float]]       # corners as fractions (0..1) of the picture's width and height

# Control characters, line ends, and marks that reverse text: a title could look like another, or empty.
UNPRINTED = r"\x00-\x1f\x7f-\xa0\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"

Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,23}$",
                           description="lower-case letters, digits and '-', at most 24")]
ZoneName = Annotated[str, Meta(pattern=r"^\w([\w .-]{0,18}\w)?\Z",
                               description="letters, digits, spaces, '-' and '.', at most 20")]
Title = Annotated[str, Meta(max_length=40, pattern=rf"^(?!\s)[^{UNPRINTED}]*(?<!\s)\Z",
                            description="any letters, no space at its ends")]
Prefix = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,32}(/[A-Za-z0-9_-]{1,32}){0,3}\Z",
                             description="levels of a topic: letters, digits, '-' and '_', with '/' between them")]


class Device(Struct, kw_only=True, forbid_unknown_fields=True):
    """How people identify this recorder."""

    title: Title = ""
    site: Annotated[str, Meta(max_length=64)] = ""
    language: Literal["vi", "en"] = "vi"


class Store(Struct, kw_only=True, forbid_unknown_fields=True):
    """Where recordings are stored, and how long."""

    folder: str = "/var/lib/taimat"
    runtime: str = "/run/taimat"
    volume: Annotated[str, Meta(max_length=64)] = ""
    keep_days: Annotated[float, Meta(gt=0, le=365)] = 10
    keep_continuous_days: Annotated[float, Meta(gt=0, le=365)] = 3
    quota_gb: Annotated[float, Meta(ge=0)] = 0
    free_floor_pct: Annotated[float, Meta(ge=1, le=50)] = 10
    hold_max_pct: Annotated[float, Meta(ge=0, le=90)] = 30
    card_endurance_tb: Annotated[float, Meta(ge=0)] = 0
    sync_every_s: Annotated[float, Meta(ge=0.2, le=5)] = 1.8
    encrypt: Literal["auto", "on", "off"] = "auto"


class Motion(Struct, kw_only=True, forbid_unknown_fields=True):
    """How motion is detected in one camera's picture."""

    enabled: bool = True
    fps: Annotated[float, Meta(ge=1, le=15)] = 5
    sensitivity: Literal["low", "normal", "high"] = "normal"
    smallest_pct: Annotated[float, Meta(gt=0, le=50)] = 0.1
    ignore: list[Polygon] = field(default_factory=list)


class Zone(Struct, kw_only=True, forbid_unknown_fields=True):
    """A part of one camera's picture, and when motion there counts."""

    name: ZoneName
    rule: Literal["watch", "ignore", "enter", "dwell", "cross"] = "watch"
    area: Polygon = field(default_factory=list)
    line: Polygon = field(default_factory=list)
    direction: Literal["both", "left", "right"] = "both"
    dwell_s: Annotated[float, Meta(ge=0, le=600)] = 0


class Sensor(Struct, kw_only=True, forbid_unknown_fields=True):
    """How a Raspberry Pi camera is set up."""

    flip: Literal["none", "horizontal", "vertical", "both"] = "none"
    tuning: Annotated[str, Meta(max_length=200)] = ""
    exposure_ev: Annotated[float, Meta(ge=-4, le=4)] = 0
    night_fps: Annotated[int, Meta(ge=0, le=60)] = 0
    focus: Literal["continuous", "once", "fixed"] = "continuous"
    focus_m: Annotated[float, Meta(ge=0, le=1000)] = 0


class Camera(Struct, kw_only=True, forbid_unknown_fields=True):
    """One camera: its source and what is recorded."""

    name: Name
    title: Title = ""
    source: Annotated[str, Meta(description=FORMS)]
    sub: str = ""
    reader: Literal["auto", "own", "libav"] = "auto"
    transport: Literal["tcp", "udp"] = "tcp"
    loop: bool = False
    enabled: bool = True
    off: list[str] = field(default_factory=list)
    width: Annotated[int, Meta(ge=160, le=4096)] = 1280
    height: Annotated[int, Meta(ge=120, le=2304)] = 720
    fps: Annotated[int, Meta(ge=1, le=60)] = 15
    bitrate_kbps: Annotated[int, Meta(ge=1000, le=25000)] = 2000
    record: Literal["motion", "continuous", "both"] = "motion"
    pre_roll_s: Annotated[float, Meta(ge=0, le=30)] = 5
    post_roll_s: Annotated[float, Meta(ge=0, le=120)] = 5
    merge_gap_s: Annotated[float, Meta(ge=0, le=120)] = 8
    cool_down_s: Annotated[float, Meta(ge=0, le=3600)] = 0
    max_clip_s: Annotated[float, Meta(ge=10, le=900)] = 300
    audio: bool = False
    masks: list[Polygon] = field(default_factory=list)
    privacy_mask: Literal["paint", "transcode", "camera"] = "paint"
    tamper: bool = True
    motion: Motion = field(default_factory=Motion)
    zone: list[Zone] = field(default_factory=list)
    sensor: Sensor = field(default_factory=Sensor)

    @property
    def label(self) -> str:
        return self.title or self.name


class Ward(Struct, kw_only=True, forbid_unknown_fields=True):
    """The broker for events and health."""

    enabled: bool = False
    ward: Name = "w00"
    host: str = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    tls: bool = True
    ca: str = ""
    cert: str = ""
    key: str = ""
    user: str = ""
    password_file: str = ""
    command_key: str = ""
    may_configure: bool = True
    delivery: Literal["receipt", "puback"] = "receipt"
    health_every_s: Annotated[int, Meta(ge=5, le=300)] = 30
    keepalive_s: Annotated[int, Meta(ge=5, le=600)] = 20


class Sharing(Struct, kw_only=True, forbid_unknown_fields=True):
    """What the ward may know, what pictures it may get, and how."""

    health: Telling = "allow"
    events: TellingEvents = "allow"
    default: Rule = "ask"
    never: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    allow: list[str] = field(default_factory=list)
    snapshots: Rule = "ask"
    ask_h: Annotated[float, Meta(gt=0, le=168)] = 24
    upload_pct: Annotated[int, Meta(ge=5, le=100)] = 50


class Home(Struct, kw_only=True, forbid_unknown_fields=True):
    """The household's own broker, where Home Assistant listens."""

    enabled: bool = False
    host: str = ""
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    tls: bool = False
    ca: str = ""
    user: str = ""
    password_file: str = ""
    prefix: Prefix = "homeassistant"
    snapshots: bool = False


class Notify(Struct, kw_only=True, forbid_unknown_fields=True):
    """A phone or another place that gets notifications, and for which events."""

    name: Annotated[Title, Meta(min_length=1)]
    url_file: str
    kinds: list[Literal["motion", "tamper", "person", "vehicle", "animal", "other"]] = field(default_factory=list)
    cameras: list[str] = field(default_factory=list)
    zones: list[str] = field(default_factory=list)
    hours: list[str] = field(default_factory=list)
    quiet: list[str] = field(default_factory=list)
    at_most_every_min: Annotated[int, Meta(ge=1, le=1440)] = 5
    pictures: bool = False


class Web(Struct, kw_only=True, forbid_unknown_fields=True):
    """The household's page."""

    enabled: bool = True
    listen: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 8088
    tls: bool = True
    afar: list[str] = field(default_factory=list)


class Metrics(Struct, kw_only=True, forbid_unknown_fields=True):
    """The recorder's figures for Prometheus, on this machine only."""

    port: Annotated[int, Meta(ge=0, le=65535)] = 0


class Recovery(Struct, kw_only=True, forbid_unknown_fields=True):
    """How far the recorder may go to revive a Pi or USB camera."""

    driver_reload: bool = True
    reboot: bool = True


class Update(Struct, kw_only=True, forbid_unknown_fields=True):
    """Whether the ward may replace the agent, and whose releases count."""

    rule: Rule = "ask"
    release_key: str = ""


class Log(Struct, kw_only=True, forbid_unknown_fields=True):
    """What goes into the journal."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Struct, kw_only=True, forbid_unknown_fields=True):
    """The whole configuration of one device."""

    device: Device = field(default_factory=Device)
    store: Store = field(default_factory=Store)
    camera: list[Camera] = field(default_factory=list)
    ward: Ward = field(default_factory=Ward)
    sharing: Sharing = field(default_factory=Sharing)
    home: Home = field(default_factory=Home)
    notify: list[Notify] = field(default_factory=list)
    web: Web = field(default_factory=Web)
    metrics: Metrics = field(default_factory=Metrics)
    recovery: Recovery = field(default_factory=Recovery)
    update: Update = field(default_factory=Update)
    log: Log = field(default_factory=Log)
