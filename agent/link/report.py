"""The health report in the contract's form: the monitor's findings, and the link's own numbers."""
from collections.abc import Sequence
from pathlib import Path

from agent.config.settings import Settings
from agent.core.contract import wire
from agent.core.contract.facts import Beat, CameraFacts, KeeperFacts
from agent.core.health.report import TELL_EVERY_S, Report, reach_of
from agent.core.household.consent import Switch
from agent.host.clock import Clock, Instant
from agent.host.datagram import Outlet
from agent.link.audit import EventWriter
from agent.link.outbox_upkeep import OutboxBacklog
from agent.mqtt.messages import Outgoing
from agent.mqtt.session import Session
from agent.process.monitor import monitor_of
from agent.store.folders import Folders

HISTORY_EVERY_S = 300.0
THINNED_S = 300             # while the ward's ingest is away, because only the last report is kept
AWAY_S = 300.0              # "away" counts this long, as long as the broker keeps it


class Reporter:
    """Receives heartbeats, looks at the device when it is time, and sends the report."""

    def __init__(self, settings: Settings, folders: Folders, clock: Clock, writer: EventWriter) -> None:
        self._clock, self._writer, self._usual_s = clock, writer, settings.ward.health_every_s
        self._monitor = monitor_of(settings, folders.root, clock)
        self._runtime = Path(settings.store.runtime)
        self._outlet, self._tell_mono_s = Outlet(self._runtime), clock.mono_s()
        self._tell_every_s = 10.0 if settings.metrics.port else TELL_EVERY_S        # Prometheus asks about as often
        self.report: Report | None = None
        self.sent: wire.Health | None = None        # the last report as the ward got it
        self.is_shared = True                       # the household may withhold the whole report
        self._seq = 0
        self._thin_until_mono_s = 0.0
        self._due_mono_s = clock.mono_s()
        self._history_mono_s = clock.mono_s() + HISTORY_EVERY_S

    def withhold(self, withheld: Sequence[Switch]) -> None:
        self.is_shared = "health" not in withheld
        self.sent = self.sent if self.is_shared else None
        self.report_now()

    def receive(self, beat: Beat) -> None:
        self._monitor.receive(beat, self._clock.mono_s())

    def leave_known(self) -> None:
        self._monitor.leave_known(self._runtime, "link", self._clock.mono_s())

    def set_interval(self, usual_s: int) -> None:
        self._usual_s = usual_s
        self._due_mono_s = min(self._due_mono_s, self._clock.mono_s() + self._every_s)

    def thin_out(self, thin: bool) -> None:
        """Reports less often while the ward's ingest is away, or as usual again."""
        self._thin_until_mono_s = self._clock.mono_s() + AWAY_S if thin else 0.0
        self._due_mono_s = min(self._due_mono_s, self._clock.mono_s() + self._every_s)

    @property
    def _every_s(self) -> int:
        return max(THINNED_S, self._usual_s) if self._clock.mono_s() < self._thin_until_mono_s else self._usual_s

    def report_now(self) -> None:
        self._due_mono_s = self._clock.mono_s()

    def wait_s(self) -> float:
        return min(self._due_mono_s, self._tell_mono_s) - self._clock.mono_s()

    def turn(self, session: Session | None, topics: wire.Topics | None, backlog: OutboxBacklog) -> None:
        """Looks, tells the keeper and reports, each if it is time; without a broker there is no report."""
        now_mono_s = self._clock.mono_s()
        if self.wait_s() > 0:
            return
        self.report = self._monitor.look(now_mono_s)
        if now_mono_s >= self._tell_mono_s:
            self._tell_mono_s = now_mono_s + self._tell_every_s
            self._outlet.send(reach_of(self.report), "keeper")
        if now_mono_s < self._due_mono_s:
            return
        self._due_mono_s = now_mono_s + self._every_s
        if session is None or not self.is_shared:
            return
        if session.up and topics:
            self._history_mono_s = now_mono_s + HISTORY_EVERY_S
            session.post(Outgoing(topics.health, wire.encode(self._health(self.report, session, backlog)), qos=0,
                                  retain=True, expiry_s=3 * self._every_s))
        elif now_mono_s >= self._history_mono_s:
            self._history_mono_s = now_mono_s + HISTORY_EVERY_S
            self._writer.write("health_hist", self._health(self.report, session, backlog))

    def _health(self, report: Report, session: Session, backlog: OutboxBacklog) -> wire.Health:
        self._seq += 1
        self.sent = health(report, self._clock.now(), seq=self._seq, every_s=self._every_s, backlog=backlog,
                           reconnects_n=max(0, session.connects_n - 1))
        return self.sent


def health(report: Report, now: Instant, *, seq: int, every_s: int, backlog: OutboxBacklog,
           reconnects_n: int) -> wire.Health:
    """Returns one report, without unknown values."""
    host = report.host
    keeper = next((facts for unit in report.units if (facts := unit.own_facts(KeeperFacts))), KeeperFacts())
    ledger = keeper.ledger
    beats = [unit.beat for unit in report.units if unit.beat and not unit.silent]
    return wire.Health(
        v=wire.VERSION, seq=seq, boot=now.boot, clock=now.clock, mono_ms=now.mono_ms, int_s=every_s,
        ts=None if now.clock == "unset" else now.wall_ms,
        clk_err_ms=keeper.clock_err_ms, clk_step_ms=keeper.clock_step_ms,
        up_s=_rounded(host.up_s, 0), cpu_pct=_rounded(host.cpu_pct, 1), load1=_rounded(host.load1, 2),
        mem_avail_b=host.mem_avail_b,
        rss_b=sum(beat.rss_b for beat in beats if beat.rss_b) or None,
        soc_temp_c=_rounded(host.soc_temp_c, 1), throttle=host.throttle, volt_low=host.volt_low,
        disk_free_b=host.disk_free_b, disk_tot_b=host.disk_tot_b, disk_wr_b=host.disk_wr_b,
        disk_wr_day_b=None if (written_b := report.card_written_b_per_day) is None else int(written_b),
        card_life_d=report.card_life_days and (int(report.card_life_days[0]), int(report.card_life_days[1])),
        card_days_left=_rounded(report.card_days_left, 1),
        clips_n=keeper.clips_n, clips_b=keeper.clips_b,
        outbox_n=backlog.n, outbox_old_s=backlog.old_s, quarantine_n=backlog.quarantine_n or None,
        rssi_dbm=host.rssi_dbm, net_tx_b=host.net_tx_b, net_rx_b=host.net_rx_b, mqtt_rc_n=reconnects_n,
        cams=[_camera(facts, keeper.kept_days.get(facts.camera)) for facts in report.cameras],
        roles={name: role.state for name, role in report.roles.items()},
        restarts_n={name: role.restarts_n for name, role in report.roles.items() if role.restarts_n},
        ledger=ledger and wire.LedgerHead(n=ledger.n, head=ledger.head, key=ledger.key),
        cond=[wire.HealthCondition(code=found.code, sev=found.severity, c=found.camera, unit=found.unit)
              for found in report.conditions])


def _camera(facts: CameraFacts, kept_days: float | None) -> wire.HealthCamera:
    return wire.HealthCamera(
        c=facts.camera, st=facts.state, fault=facts.fault, fps=_rounded(facts.fps, 2), fps_set=facts.fps_set,
        drop_n=facts.dropped_n, kbps=_rounded(facts.kbps, 0), mot_n=facts.events_n, luma=_rounded(facts.luma_mean, 0),
        last_s=_rounded(facts.last_frame_age_s, 1),
        gaps_n=facts.gaps_n, gap_s=_rounded(facts.gap_s, 1), rec=facts.recording,
        kept_d=kept_days)


def _rounded(value: float | None, digits: int) -> float | None:
    """Returns the number in few bytes: 1180, not 1180.0. Each is sent 2,880 times a day."""
    return None if value is None else round(value, digits or None)
