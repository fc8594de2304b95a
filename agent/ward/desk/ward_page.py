"""The desk's page of the ward itself: what its doctor finds, which certificates end next, how many devices are how."""
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import NameOID
from starlette.requests import Request
from starlette.responses import Response

from agent.host.clock import Clock
from agent.ward.authority import findings
from agent.ward.desk.board import DeskBoard
from agent.ward.desk.render import DeskRenderer
from agent.ward.desk.rows import counted
from agent.ward.settings import Settings

SOON_MS, ENDS_N = 60 * 86_400_000, 50


class Ending(NamedTuple):
    """Something that ends."""

    name: str
    until_ms: int


class WardPage:
    """Its handler runs on a thread: it reads files."""

    def __init__(self, own: Settings, board: DeskBoard, renderer: DeskRenderer, clock: Clock) -> None:
        self._own, self._board, self._renderer, self._clock = own, board, renderer, clock

    def show(self, request: Request) -> Response:
        """GET /ward."""
        found, now_ms = self._board.rows(), self._clock.now().wall_ms
        devices = sorted((row for row in found if row.dev and row.until_ms), key=lambda row: row.until_ms or 0)
        return self._renderer.page(
            request, "ward.html", now_ms=now_ms, soon_ms=now_ms + SOON_MS, states=counted(found), devices_n=len(found),
            green_n=sum(row.green for row in found), authorities=_certificates(Path(self._own.authority.ca)),
            lists=_lists(Path(self._own.intake.crl)), devices=devices[:ENDS_N],
            examined=findings.last(Path(self._own.authority.folder)))


def _certificates(path: Path) -> list[Ending]:
    """The CAs that devices are told to trust; none where the file can't be read."""
    try:
        return [Ending(_name(each.subject), _ms(each.not_valid_after_utc))
                for each in x509.load_pem_x509_certificates(path.read_bytes())]
    except (OSError, ValueError):
        return []


def _lists(path: Path) -> list[Ending]:
    """The lists of the revoked, each of which must be followed by a newer one."""
    try:
        parts = path.read_bytes().split(b"-----BEGIN X509 CRL-----")[1:]
        found = [x509.load_pem_x509_crl(b"-----BEGIN X509 CRL-----" + part) for part in parts]
        return [Ending(_name(each.issuer), _ms(each.next_update_utc)) for each in found if each.next_update_utc]
    except (OSError, ValueError):
        return []


def _name(of: x509.Name) -> str:
    found = of.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else of.rfc4514_string()


def _ms(when: datetime) -> int:
    return int(when.timestamp() * 1000)
