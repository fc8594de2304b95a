"""The doctor's last findings, for readers without root's rights: the desk's page and Prometheus.

The doctor runs as root, with the issuing CA's key; it leaves one file for the ward's group. Prometheus also gets the
ends of all certificates, whose files everyone may read.
"""
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from agent.look.words import PageWords
from agent.ward.authority import certificates
from agent.ward.authority.places import FOR_GROUP, WARD_USER, Places, put

FILE = "findings.json"
OLD_MS = int(timedelta(hours=1).total_seconds() * 1000)     # its timer has it look each quarter of an hour


class WardFinding(Struct, frozen=True):
    """What the doctor found in one part: a code with its words in the desk's i18n/, and the values for their gaps."""

    part: str
    ok: bool
    code: str
    told: dict[str, str] = {}

    def said(self, words: PageWords) -> tuple[str, str]:
        """The finding and its remedy, or ""; the bare code if there are no words for it."""
        return tuple(words(key, **self.told) if key in words.texts else other for key, other in (
            (f"finding.{self.code}", self.code), (f"remedy.{self.code}", "")))

    def line(self, words: PageWords) -> str:
        return f"{'ok ' if self.ok else 'BAD'}  {self.part:<12}  {'; '.join(filter(None, self.said(words)))}"


def well(part: str, code: str, **told: str) -> WardFinding:
    return WardFinding(part, True, code, told)


def bad(part: str, code: str, **told: str) -> WardFinding:
    return WardFinding(part, False, code, told)


class Examination(Struct, frozen=True):
    at_ms: int                          # UTC
    found: list[WardFinding]

    @property
    def bad(self) -> list[WardFinding]:
        return [each for each in self.found if not each.ok]

    def is_old(self, now_ms: int) -> bool:
        return now_ms - self.at_ms > OLD_MS


def note(places: Places, found: list[WardFinding], now: datetime) -> None:
    """Stores findings for the ward's group. Raises OSError."""
    made = Examination(int(now.timestamp() * 1000), found)
    put(places.authority / FILE, msgspec.json.encode(made), FOR_GROUP, group=WARD_USER)


def last(authority: Path) -> Examination | None:
    """Returns the newest findings; None if they are missing or can't be read."""
    try:
        return msgspec.json.decode((authority / FILE).read_bytes(), type=Examination)
    except (OSError, msgspec.DecodeError):
        return None


class FindingsFigures(Collector):
    """Reads the findings in the folder `authority` each time Prometheus asks."""

    def __init__(self, authority: Path) -> None:
        self._authority = authority

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yields the number of bad parts and the time of the look; nothing before the first look."""
        if made := last(self._authority):
            yield GaugeMetricFamily("taimat_ward_bad_findings", "Parts of the ward that are not well, by its doctor",
                                    len(made.bad))
            yield GaugeMetricFamily("taimat_ward_examined_seconds", "When its doctor last looked: Unix time",
                                    made.at_ms / 1000)


class CertificateEnds(Collector):
    """A gauge of every certificate beside the file `own` and of every CA in the file `ca`; "" for no file."""

    def __init__(self, own: str, ca: str) -> None:
        self._own, self._ca = own, ca

    def collect(self) -> Iterator[GaugeMetricFamily]:
        gauge = GaugeMetricFamily("taimat_ward_certificate_until_seconds", "When a certificate ends, after which its "
                                  "owner is not let in: Unix time", labels=["name", "kind"])
        found = {(certificates.common_name(made), kind): made.not_valid_after_utc.timestamp()
                 for kind, path in self._files() for made in certificates.in_file(path)[:1 if kind == "own" else None]}
        for labels, ends_s in found.items():
            gauge.add_metric(labels, ends_s)
        yield gauge

    def _files(self) -> Iterator[tuple[str, Path]]:
        if self._own:
            yield from (("own", path) for path in sorted(Path(self._own).parent.glob("*.pem")))
        if self._ca:
            yield "ca", Path(self._ca)
