"""When health goes out: each interval to the broker; in an outage now and then into the outbox, for a history."""
from agent.config.settings import Settings
from agent.config.units import units
from agent.core import wire
from agent.core.facts import Beat
from agent.core.health.report import Report
from agent.host.broker.connection import Outgoing
from agent.host.broker.session import Session
from agent.host.clock import Clock
from agent.host.monitor import Monitor
from agent.host.probes import Probes
from agent.link.bound import Backlog
from agent.link.pen import Pen
from agent.link.report import health
from agent.store.folders import Folders

HISTORY_EVERY_S = 300.0
THINNED_S = 300             # while the ward's ingest is away nobody reads more
AWAY_S = 300.0              # "away" is believed this long, as long as the broker keeps it


class Reporter:
    """Takes heartbeats in, looks at the device in time, and sends what it sees."""

    def __init__(self, settings: Settings, folders: Folders, clock: Clock, pen: Pen) -> None:
        self._clock, self._pen, self._usual_s = clock, pen, settings.ward.health_every_s
        continuous = [camera.name for camera in settings.camera if camera.enabled and camera.record != "motion"]
        self._monitor = Monitor(Probes(folders.root), units(settings), now_mono_s=clock.mono_s(),
                                free_floor_pct=settings.store.free_floor_pct, continuous=continuous,
                                endurance_tb=settings.store.card_endurance_tb)
        self.report: Report | None = None
        self.told: wire.Health | None = None        # what was made of it for the ward, last
        self._seq = 0
        self._thin_until_mono_s = 0.0
        self._due_mono_s = clock.mono_s()
        self._history_mono_s = clock.mono_s() + HISTORY_EVERY_S

    def take(self, beat: Beat) -> None:
        """A heartbeat has come."""
        self._monitor.take(beat, self._clock.mono_s())

    def report_each(self, usual_s: int) -> None:
        """Report so often from now on, in seconds."""
        self._usual_s = usual_s
        self._due_mono_s = min(self._due_mono_s, self._clock.mono_s() + self._every_s)

    def thin_out(self, thin: bool) -> None:
        """The ward's ingest is away: report less for a while, unless that is said again. Or it is back."""
        self._thin_until_mono_s = self._clock.mono_s() + AWAY_S if thin else 0.0
        self._due_mono_s = min(self._due_mono_s, self._clock.mono_s() + self._every_s)

    @property
    def _every_s(self) -> int:
        """The present interval."""
        return max(THINNED_S, self._usual_s) if self._clock.mono_s() < self._thin_until_mono_s else self._usual_s

    def hurry(self) -> None:
        """A connection has come up: report at once."""
        self._due_mono_s = self._clock.mono_s()

    def turn(self, session: Session | None, topics: wire.Topics | None, backlog: Backlog) -> None:
        """Look and report if it is time. Without a broker it only looks."""
        now_mono_s = self._clock.mono_s()
        if now_mono_s < self._due_mono_s:
            return
        self._due_mono_s = now_mono_s + self._every_s
        self.report = self._monitor.look(now_mono_s)
        if session is None:
            return
        if session.up and topics:
            self._history_mono_s = now_mono_s + HISTORY_EVERY_S
            session.post(Outgoing(topics.health, wire.encode(self._health(self.report, session, backlog)), qos=0,
                                  retain=True, expiry_s=3 * self._every_s))
        elif now_mono_s >= self._history_mono_s:
            self._history_mono_s = now_mono_s + HISTORY_EVERY_S
            self._pen.write("health_hist", self._health(self.report, session, backlog))

    def _health(self, report: Report, session: Session, backlog: Backlog) -> wire.Health:
        self._seq += 1
        self.told = health(report, self._clock.now(), self._seq, self._every_s, backlog,
                           max(0, session.connects_n - 1))
        return self.told
