"""The forwarder's figures for Prometheus."""
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from agent.ward.forward_marks import ForwardBacklog


class ForwardMetrics:
    """The figures of one forwarder."""

    def __init__(self) -> None:
        """All at zero, and not served yet."""
        self.registry = own = CollectorRegistry()
        ProcessCollector(namespace="taimat_forward", registry=own)
        self.sent = Counter("taimat_forward_sent", "Events sent to the city, repetitions included", registry=own)
        self.settled = Counter("taimat_forward_settled", "Events that got the city's receipt", registry=own)
        self.replays = Counter("taimat_forward_replays", "Stretches that the city asked for again", registry=own)
        self.waiting = Gauge("taimat_forward_waiting_events", "Events without the city's receipt", registry=own)
        self.oldest_s = Gauge("taimat_forward_oldest_seconds", "How long the first of them has waited", registry=own)
        self.refused = Gauge("taimat_forward_refused_events", "Events that the city will not take", registry=own)
        self.connected = Gauge("taimat_forward_connected", "1: the city's broker has us", registry=own)
        self.database_up = Gauge("taimat_forward_database_up", "1: the ward's database can be used", registry=own)

    def show(self, backlog: ForwardBacklog, now_ms: int) -> None:
        """Show how much waits at this moment (UTC ms)."""
        self.waiting.set(backlog.waiting_n)
        self.refused.set(backlog.refused_n)
        self.oldest_s.set(max(0, now_ms - backlog.oldest_ms) / 1000 if backlog.oldest_ms is not None else 0)
