"""What each service of the ward shows Prometheus. No text of a device becomes a label, only words of the contract."""
import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography import x509
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, ProcessCollector, start_http_server
from prometheus_client.registry import Collector

from agent.core.contract.enrolment import RefusalCode
from agent.ward import ward_side
from agent.ward.presence import State
from agent.ward.service import CannotServe

KINDS = frozenset(("motion", "label", "clip", "tamper", "storage", "camera", "clock", "consent", "config", "command",
                   "security", "gap", "health_hist"))
# Every label exists from the start with the value 0: an alert can't see the increase of one that appears later.
REASONS = (*ward_side.REASONS, "strange_topic", "too_many_devices", "fault", "seq_reused", "over_rate", "over_room")
STATES: tuple[State, ...] = ("online", "stale", "offline", "never-seen", "maintenance")
COMMIT_S = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
LAG_S = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60)
UPLOAD_REFUSALS = ("hash_differs", "not_a_picture", "not_an_export", "manifest_differs", "does_not_hold",
                   "other_device", "other_wish", "uncheckable")
ENROL_REFUSALS: tuple[RefusalCode, ...] = RefusalCode.__args__       # type: ignore[attr-defined]
READ_WITHIN_S = 86_400.0        # Prometheus may be away for a night, and must find the figures again


class _LastRead(Collector):
    """Has no figures: it notes when they are read."""

    def __init__(self) -> None:
        self.mono_s = -math.inf

    def describe(self) -> Iterator[Metric]:
        return iter(())                 # without this, registration itself would count as a read

    def collect(self) -> Iterator[Metric]:
        self.mono_s = time.monotonic()
        return iter(())


class ServiceMetrics:
    """The figures of one service, whose own names all begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self.registry, self._prefix = CollectorRegistry(), prefix
        ProcessCollector(namespace=prefix, registry=self.registry)
        self._last_read = _LastRead()
        self.registry.register(self._last_read)

    def serve(self, listen: str, port: int, keys: str) -> None:
        """Answers http://listen:port/metrics on a new thread; `keys` set the address. Raises CannotServe."""
        try:
            start_http_server(port, listen, self.registry)
        except OSError as error:
            raise CannotServe(f"{listen}:{port}: {error.strerror}; choose another under {keys}") from error

    def are_read(self) -> bool:
        """Whether somebody reads the figures, who would miss them if the program ended."""
        return time.monotonic() - self._last_read.mono_s < READ_WITHIN_S

    def _counter(self, name: str, text: str, label: str = "", values: Iterable[str] = ()) -> Counter:
        made = Counter(f"{self._prefix}_{name}", text, [label] if label else [], registry=self.registry)
        for value in values:
            made.labels(value)
        return made

    def _gauge(self, name: str, text: str, label: str = "", values: Iterable[str] = ()) -> Gauge:
        made = Gauge(f"{self._prefix}_{name}", text, [label] if label else [], registry=self.registry)
        for value in values:
            made.labels(value)
        return made


class IngestMetrics(ServiceMetrics):
    def __init__(self) -> None:
        super().__init__("taimat_ward")
        self.messages = self._counter("messages", "Messages taken, by topic", "what")
        self.bad = self._counter("bad_messages", "Messages not taken, by reason", "code", REASONS)
        self.zombies = self._counter("zombies", "Statuses of connections that had been replaced")
        self.events = self._counter("events", "Events committed, by kind", "kind")
        self.repeated = self._counter("repeated_events", "Events that were there already")
        self.rejected = self._counter("rejected_events", "Events refused for good")
        self.commit_s = Histogram("taimat_ward_commit_seconds", "Length of a commit", buckets=COMMIT_S,
                                  registry=self.registry)
        self.lag_s = Histogram("taimat_ward_lag_seconds", "From an event to its commit, if the device's clock is set "
                               "by NTP and the event is not history", buckets=LAG_S, registry=self.registry)
        self.receipts = self._counter("receipts", "Receipts sent")
        self.replays = self._counter("replays_asked", "Stretches of events asked for again")
        self.pruned = self._counter("pruned_events", "Old events deleted")
        self.devices = self._gauge("devices", "Devices by presence", "state", STATES)
        self.missing = self._gauge("missing_events", "Events that were announced by later ones")
        self.over_share = self._gauge("over_share_devices", "Devices that sent more than the ward takes from one "
                                      "device, in the last ten minutes")
        self.cloned = self._gauge("cloned_devices", "Certificates with which two devices took turns, in the last hour")
        self.ending = self._gauge("certificates_ending_devices", "Devices whose certificate ends within 30 days, or "
                                  "has ended")
        self.connected = self._gauge("connected", "1: connected to the broker")
        self.database_up = self._gauge("database_up", "1: the database takes commits")


class ForwardMetrics(ServiceMetrics):
    def __init__(self) -> None:
        super().__init__("taimat_forward")
        self.sent = self._counter("sent", "Events sent to the city, repetitions included")
        self.settled = self._counter("settled", "Events that got the city's receipt")
        self.replays = self._counter("replays", "Stretches that the city asked for again")
        self.waiting = self._gauge("waiting_events", "Events without the city's receipt")
        self.oldest_s = self._gauge("oldest_seconds", "How long the first of them has waited")
        self.refused = self._gauge("refused_events", "Events that the city will not take")
        self.connected = self._gauge("connected", "1: connected to the city's broker")
        self.database_up = self._gauge("database_up", "1: the ward's database can be used")


class IntakeMetrics(ServiceMetrics):
    """The figures of one intake. `crl` is the file with the list of the revoked that the proxy reads."""

    def __init__(self, crl: str) -> None:
        super().__init__("taimat_ward_intake")
        self.answers = self._counter("answers", "Answers, by status", "status")
        self.taken_b = self._counter("bytes", "Bytes of pieces taken")
        self.kept = self._counter("kept", "Uploads that hold, by kind", "kind", ("clip", "snapshot"))
        self.refused = self._counter("refused", "Uploads that do not, by reason", "code", UPLOAD_REFUSALS)
        self.over_share = self._counter("over_share", "Announcements beyond what one device may announce")
        self.free_b = self._gauge("free_bytes", "Free on the disk of the exports")
        self.coming = self._gauge("coming", "Uploads that were announced, and go on")
        self._gauge("crl_until_seconds", "When the list of the revoked ends, after which nobody is let in: Unix time; "
                    "0 without a list").set_function(lambda: _list_ends_s(Path(crl)))


class EnrolmentMetrics(ServiceMetrics):
    """The figures of `taimat ward serve`. The issuing CA ends at `issuing_until_s`, Unix time."""

    def __init__(self, issuing_until_s: float) -> None:
        super().__init__("taimat_ward_serve")
        self.answers = Counter("taimat_ward_serve_answers", "Answers, by what was asked and status", ["what", "status"],
                               registry=self.registry)
        self.granted = self._counter("granted", "Certificates made, by what was asked", "what", ("enrol", "renew"))
        self.refused = self._counter("refused", "Asked in vain, by reason; claim_used: a card was copied", "code",
                                     ENROL_REFUSALS)
        self._gauge("issuing_until_seconds", "When the issuing CA ends: Unix time").set(issuing_until_s)


def _list_ends_s(crl: Path) -> float:
    try:
        ends = x509.load_pem_x509_crl(crl.read_bytes()).next_update_utc
    except (OSError, ValueError):
        return 0.0
    return ends.timestamp() if ends else 0.0
