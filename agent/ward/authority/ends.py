"""When the ward's certificates end, for Prometheus: read anew each time, for they are renewed while services run.

Whoever serves figures may add it: the files are readable by all.
"""
import re
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from agent.ward.authority import certificates

CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class CertificateEnds(Collector):
    """A gauge of every certificate beside `own` and of every CA in `ca`."""

    def __init__(self, own: str, ca: str) -> None:
        """Files; "" where there is none."""
        self._own, self._ca = own, ca

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The figures of this moment; a file that can't be read has none."""
        gauge = GaugeMetricFamily("taimat_ward_certificate_until_seconds", "When a certificate ends, after which its "
                                  "owner is not let in: Unix time", labels=["name", "kind"])
        found = {(certificates.common_name(made), kind): made.not_valid_after_utc.timestamp()
                 for kind, path in self._files() for made in _read(path)[:1 if kind == "own" else None]}
        for labels, ends_s in found.items():
            gauge.add_metric(labels, ends_s)
        yield gauge

    def _files(self) -> Iterator[tuple[str, Path]]:
        if self._own:
            yield from (("own", path) for path in sorted(Path(self._own).parent.glob("*.pem")))
        if self._ca:
            yield "ca", Path(self._ca)


def _read(path: Path) -> list[x509.Certificate]:
    try:
        return [x509.load_pem_x509_certificate(each) for each in CERTIFICATE.findall(path.read_bytes())]
    except (OSError, ValueError):
        return []
