"""What the intake tells Prometheus."""
from pathlib import Path

from cryptography import x509
from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector

from agent.ward.metrics import serve
from agent.ward.uploads.headers import KINDS

# Why an upload is refused: figures begin at 0, else the first one would not ring.
CODES = ("hash_differs", "not_a_picture", "not_an_export", "manifest_differs", "does_not_hold", "other_device",
         "other_wish", "uncheckable")


class IntakeMetrics:
    """The figures of one intake."""

    def __init__(self, crl: str) -> None:
        """All at zero, and served by nobody yet. `crl`: the file with the list of the revoked that the proxy heeds."""
        self.registry = own = CollectorRegistry()
        ProcessCollector(namespace="taimat_ward_intake", registry=own)
        self.answers = Counter("taimat_ward_intake_answers", "Answers, by status", ["status"], registry=own)
        self.taken_b = Counter("taimat_ward_intake_bytes", "Bytes of pieces taken", registry=own)
        self.kept = Counter("taimat_ward_intake_kept", "Uploads that hold, by kind", ["kind"], registry=own)
        self.refused = Counter("taimat_ward_intake_refused", "Uploads that do not, by reason", ["code"], registry=own)
        for kind in KINDS:
            self.kept.labels(kind)
        for code in CODES:
            self.refused.labels(code)
        self.over_share = Counter("taimat_ward_intake_over_share", "Announcements beyond what one device may announce",
                                  registry=own)
        self.free_b = Gauge("taimat_ward_intake_free_bytes", "Free on the disk of the exports", registry=own)
        self.coming = Gauge("taimat_ward_intake_coming", "Uploads that were announced, and go on", registry=own)
        Gauge("taimat_ward_intake_crl_until_seconds", "When the list of the revoked ends, after which nobody is let "
              "in: Unix time; 0 where there is none", registry=own).set_function(lambda: _ends(Path(crl)))

    def serve(self, listen: str, port: int) -> None:
        """Answer at http://listen:port/metrics on a thread of its own. Raises MetricsFault."""
        serve(self.registry, listen, port, "[intake] metrics_port")


def _ends(crl: Path) -> float:
    try:
        ends = x509.load_pem_x509_crl(crl.read_bytes()).next_update_utc
    except (OSError, ValueError):
        return 0.0
    return ends.timestamp() if ends else 0.0
