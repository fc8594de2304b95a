"""The facts for the health rules: the machine and its units. None means unknown, never zero."""
from dataclasses import dataclass
from typing import TypeVar

from agent.core.contract.facts import Beat, RoleFacts

SILENT_S = 15.0         # a unit without a heartbeat for longer is down
NEVER_S = 60.0          # a unit that has sent nothing for this long, while others have, was never started
LOOP_STARTS_N = 3       # this many starts in ten minutes are a loop

Own = TypeVar("Own", bound=RoleFacts)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The probes' facts about the machine."""

    up_s: float | None = None
    cpu_pct: float | None = None                # of all cores, since the last look
    load1: float | None = None
    mem_avail_b: int | None = None
    mem_total_b: int | None = None
    mem_limits: bool | None = None              # the kernel enforces memory limits (cgroup controller)
    soc_temp_c: float | None = None
    throttle: int | None = None                 # the firmware's bits: 0-3 now, 16-19 since boot
    volt_low: bool | None = None                # supply voltage is too low, now or since the last look
    watchdog_reset: bool | None = None          # this boot came from the hardware watchdog
    clock: str | None = None                    # unset | saved | rtc | ntp
    card_missing: bool | None = None            # the store's folder, or the volume that it belongs on, is missing
    card_hung: bool | None = None               # the card does not answer
    card_error: bool | None = None              # a read from the card failed
    card_errors_n: int | None = None            # errors that ext4 counted since its last check
    card_errors_new_n: int | None = None        # of these, in the last seconds
    card_given_up: bool | None = None           # it refuses writes, and the machine no longer restarts because of it
    card_worn_pct: int | None = None            # as the eMMC reports
    card_lifetime_b: int | None = None          # written into the file system since it was made
    read_only: bool | None = None
    disk_tot_b: int | None = None
    disk_free_b: int | None = None              # for the agent, without root's reserve
    inodes_tot_n: int | None = None
    inodes_free_n: int | None = None
    disk_wr_b: int | None = None                # written to the whole card since boot, by all processes
    net_up: bool | None = None                  # a default route whose link is up
    net_tx_b: int | None = None
    net_rx_b: int | None = None
    rssi_dbm: int | None = None


@dataclass(frozen=True, slots=True)
class UnitFacts:
    """A process by its heartbeats."""

    unit: str
    role: str
    age_s: float                    # since its last heartbeat, or since the wait for the first
    recent_starts_n: int = 0        # starts in the last 10 minutes
    beat: Beat | None = None        # the newest heartbeat

    @property
    def silent(self) -> bool:
        return self.age_s > SILENT_S

    def own_facts(self, kind: type[Own]) -> Own | None:
        """Its facts about itself, if it is heard and they are of this kind; else None."""
        facts = self.beat.facts if self.beat and not self.silent else None
        return facts if isinstance(facts, kind) else None

    @property
    def unheard(self) -> bool:
        return self.beat is None and self.age_s > NEVER_S

    @property
    def restarting(self) -> bool:
        return self.recent_starts_n >= LOOP_STARTS_N


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The input of one judgement."""

    host: HostFacts = HostFacts()
    units: tuple[UnitFacts, ...] = ()
    days_left: float | None = None                      # see forecast.days_left
    card_written_b_per_day: float | None = None         # by all processes, at the rate of the last day at most
    card_life_days: tuple[float, float] | None = None   # see forecast.life_days
    card_end: str | None = None                         # see forecast.end_in_sight
    free_floor_pct: float = 10.0                        # space that retention keeps free
    continuous: frozenset[str] = frozenset()            # cameras that should record all the time
    cameras_n: int | None = None                        # configured and enabled cameras
