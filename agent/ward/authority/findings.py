"""What the doctor found when it last looked, for those who may not look themselves: the desk's page and Prometheus.

It looks as root, with the issuing CA's key; what it leaves is one file for the ward's group. Prometheus also gets the
ends of all certificates, whose files all may read.
"""
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from msgspec import Struct
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from agent.look.words import PageWords
from agent.ward.authority import certificates
from agent.ward.authority.places import FOR_GROUP, WARD_USER, Places, put

FILE = "findings.json"
OLD_MS = int(timedelta(hours=1).total_seconds() * 1000)     # its timer has it look each quarter of an hour
CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class WardFinding(Struct, frozen=True):
    """What was found of one part: a code with its words in the desk's i18n/, and what fills their gaps."""

    part: str
    ok: bool
    code: str
    told: dict[str, str] = {}

    def said(self, words: PageWords) -> tuple[str, str]:
        """What was found, and what to do about it, if there is something; the bare code where words have none."""
        return tuple(words(key, **self.told) if key in words.texts else other for key, other in (
            (f"finding.{self.code}", self.code), (f"remedy.{self.code}", "")))

    def line(self, words: PageWords) -> str:
        """For a terminal."""
        return f"{'ok ' if self.ok else 'BAD'}  {self.part:<12}  {'; '.join(filter(None, self.said(words)))}"


def well(part: str, code: str, **told: str) -> WardFinding:
    """A part that is as it should be."""
    return WardFinding(part, True, code, told)


def bad(part: str, code: str, **told: str) -> WardFinding:
    """One that is not."""
    return WardFinding(part, False, code, told)


class Examination(Struct, frozen=True):
    """All findings of one look."""

    at_ms: int                          # UTC
    found: list[WardFinding]

    @property
    def bad(self) -> list[WardFinding]:
        """What is to be mended."""
        return [each for each in self.found if not each.ok]

    def is_old(self, now_ms: int) -> bool:
        """Whether nobody knows from it how things are now."""
        return now_ms - self.at_ms > OLD_MS


def note(places: Places, found: list[WardFinding], now: datetime) -> None:
    """Leave them for the ward's group. Raises OSError."""
    made = Examination(int(now.timestamp() * 1000), found)
    put(places.authority / FILE, msgspec.json.encode(made), FOR_GROUP, group=WARD_USER)


def last(authority: Path) -> Examination | None:
    """Those of the last look; None where there was none, or they can't be read."""
    try:
        return msgspec.json.decode((authority / FILE).read_bytes(), type=Examination)
    except (OSError, msgspec.DecodeError):
        return None


class FindingsFigures(Collector):
    """Them for Prometheus, read anew each time."""

    def __init__(self, authority: Path) -> None:
        """`authority` is the folder in which they lie."""
        self._authority = authority

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """How many parts are not well, and when that was looked at; nothing where nobody ever has."""
        if made := last(self._authority):
            yield GaugeMetricFamily("taimat_ward_bad_findings", "Parts of the ward that are not well, by its doctor",
                                    len(made.bad))
            yield GaugeMetricFamily("taimat_ward_examined_seconds", "When its doctor last looked: Unix time",
                                    made.at_ms / 1000)


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
