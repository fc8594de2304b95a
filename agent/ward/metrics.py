"""The ingest's figures for Prometheus. No text of a device becomes a label: the contract's words alone do."""
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from agent.core.contract.wire import ward_side
from agent.ward.presence import State

KINDS = frozenset(("motion", "label", "clip", "tamper", "storage", "camera", "clock", "consent", "config", "command",
                   "security", "gap", "health_hist"))
# Figures begin at 0: what is there only after the first time can't ring for the first time.
REASONS = (*ward_side.REASONS, "strange_topic", "too_many_devices", "fault", "seq_reused", "over_rate", "over_room")
STATES: tuple[State, ...] = ("online", "stale", "offline", "never-seen", "maintenance")
COMMIT_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
LAG_S = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60)


class MetricsFault(Exception):
    """The figures' address can't be listened on; the text is one line with the remedy."""


def serve(registry: CollectorRegistry, listen: str, port: int, keys: str) -> None:
    """Answer at http://listen:port/metrics on a thread of its own; `keys` set the address. Raises MetricsFault."""
    try:
        start_http_server(port, listen, registry)
    except OSError as error:
        raise MetricsFault(f"{listen}:{port}: {error.strerror}; choose another under {keys}") from error


class ReceptionMetrics:
    """The figures of messages and commits."""

    def __init__(self, own: CollectorRegistry) -> None:
        """All at zero, in this registry."""
        self.messages = Counter("taimat_ward_messages", "Messages taken, by topic", ["what"], registry=own)
        self.bad = Counter("taimat_ward_bad_messages", "Messages not taken, by reason", ["code"], registry=own)
        for reason in REASONS:
            self.bad.labels(reason)
        self.zombies = Counter("taimat_ward_zombies", "Statuses of connections that had been replaced", registry=own)
        self.events = Counter("taimat_ward_events", "Events committed, by kind", ["kind"], registry=own)
        self.repeated = Counter("taimat_ward_repeated_events", "Events that were there already", registry=own)
        self.rejected = Counter("taimat_ward_rejected_events", "Events refused for good", registry=own)
        self.commit_s = Histogram("taimat_ward_commit_seconds", "Length of a commit", buckets=COMMIT_S, registry=own)
        self.lag_s = Histogram("taimat_ward_lag_seconds", "From an event to its commit, where the device's clock is "
                               "set by NTP and the event is not history", buckets=LAG_S, registry=own)

    def count_event(self, kind: str) -> None:
        """Count an event that was committed; kinds that are not the contract's count as "other"."""
        self.events.labels(kind if kind in KINDS else "other").inc()


class IngestMetrics:
    """The figures of one ingest."""

    def __init__(self) -> None:
        """All at zero, and not served yet."""
        self.registry = own = CollectorRegistry()
        ProcessCollector(namespace="taimat_ward", registry=own)
        self.reception = ReceptionMetrics(own)
        self.receipts = Counter("taimat_ward_receipts", "Receipts sent", registry=own)
        self.replays = Counter("taimat_ward_replays_asked", "Stretches of events asked for again", registry=own)
        self.pruned = Counter("taimat_ward_pruned_events", "Old events deleted", registry=own)
        self.devices = Gauge("taimat_ward_devices", "Devices by presence", ["state"], registry=own)
        self.missing = Gauge("taimat_ward_missing_events", "Events that were announced by later ones", registry=own)
        self.over_share = Gauge("taimat_ward_over_share_devices", "Devices that sent more than is taken of one, in the "
                                "last ten minutes", registry=own)
        self.cloned = Gauge("taimat_ward_cloned_devices", "Certificates with which two devices took turns, in the last "
                            "hour", registry=own)
        self.ending = Gauge("taimat_ward_certificates_ending_devices", "Devices whose certificate ends within 30 days, "
                            "or has ended", registry=own)
        self.connected = Gauge("taimat_ward_connected", "1: the broker has us", registry=own)
        self.database_up = Gauge("taimat_ward_database_up", "1: the database takes commits", registry=own)
        for state in STATES:
            self.devices.labels(state)

    def serve(self, listen: str, port: int) -> None:
        """Answer at http://listen:port/metrics on a thread of its own. Raises MetricsFault."""
        serve(self.registry, listen, port, "[metrics] listen and port")

    def show_presence(self, states: Iterable[State]) -> None:
        """Set how many devices are in which state now."""
        counted = dict.fromkeys(STATES, 0)
        for state in states:
            counted[state] += 1
        for state, n in counted.items():
            self.devices.labels(state).set(n)
