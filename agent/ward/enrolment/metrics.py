"""What the enrolment's door tells Prometheus. No serial number and no id becomes a label."""
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from agent.core.contract.enrolment import RefusalCode
from agent.ward.metrics import serve

CODES: tuple[RefusalCode, ...] = RefusalCode.__args__       # type: ignore[attr-defined]


class EnrolmentMetrics:
    """The figures of one door."""

    def __init__(self, issuing_until_s: float) -> None:
        """All at zero, and served by nobody yet. `issuing_until_s`: Unix time at which the issuing CA ends."""
        self.registry = own = CollectorRegistry()
        ProcessCollector(namespace="taimat_ward_serve", registry=own)
        self.answers = Counter("taimat_ward_serve_answers", "Answers, by what was asked and status", ["what", "status"],
                               registry=own)
        self.granted = Counter("taimat_ward_serve_granted", "Certificates made, by what was asked", ["what"],
                               registry=own)
        self.refused = Counter("taimat_ward_serve_refused", "Asked in vain, by reason; claim_used: a card was copied",
                               ["code"], registry=own)
        Gauge("taimat_ward_serve_issuing_until_seconds", "When the issuing CA ends: Unix time", registry=own).set(
            issuing_until_s)
        for what in ("enrol", "renew"):
            self.granted.labels(what)
        for code in CODES:
            self.refused.labels(code)

    def serve(self, listen: str, port: int) -> None:
        """Answer at http://listen:port/metrics on a thread of its own. Raises MetricsFault."""
        serve(self.registry, listen, port, "[authority] metrics_port")
