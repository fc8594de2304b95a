"""`taimat ward serve`: enrols devices by their claims, renews their certificates, and hears whether they are ready.

It listens on a Unix socket, to nobody but the proxy in front of it.
"""
import logging
from pathlib import Path

from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.enrolment.book import BookFault
from agent.ward.enrolment.door import EnrolmentDoor, EnrolmentMetrics
from agent.ward.enrolment.service import EnrolmentService
from agent.ward.metrics import MetricsFault
from agent.ward.proxied import answer_until_told, life, listener_at
from agent.ward.service import EXIT_CANNOT_SERVE, run

NAME = "serve"
FAULTS = dict.fromkeys((AuthorityFault, BookFault, MetricsFault), EXIT_CANNOT_SERVE)

_log = logging.getLogger(__name__)


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Answer until told to stop. Raises CannotServe, AuthorityFault, BookFault, MetricsFault."""
    service = EnrolmentService(own, clock)
    metrics = EnrolmentMetrics(service.check().certificate.not_valid_after_utc.timestamp())
    listener = listener_at(Path(own.authority.socket), "[authority] socket")
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, own.authority.metrics_port)
    door = EnrolmentDoor(service, clock, metrics, lambda _: life(stop))
    _log.info("listens at %s", listener.getsockname())
    with listener:
        answer_until_told(door.app, listener)


def main(config: Path) -> int:
    """The entry of the service. Returns the exit code."""
    return run(NAME, config, serve, FAULTS)
