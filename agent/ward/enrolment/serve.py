"""`taimat ward serve`: enrols devices by their claims, renews their certificates, and hears whether they are ready.

It listens on a Unix socket, to nobody but the proxy in front of it.
"""
from pathlib import Path

from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.enrolment.book import BookFault
from agent.ward.enrolment.door import EnrolmentDoor
from agent.ward.enrolment.service import EnrolmentService
from agent.ward.metrics import EnrolmentMetrics
from agent.ward.proxied import answer_at, life
from agent.ward.service import EXIT_CANNOT_SERVE, run

NAME = "serve"
FAULTS = dict.fromkeys((AuthorityFault, BookFault), EXIT_CANNOT_SERVE)


def serve(own: settings.Settings, clock: Clock, stop: Stop) -> None:
    """Answer until told to stop. Raises CannotServe, AuthorityFault, BookFault."""
    service = EnrolmentService(own, clock)
    metrics = EnrolmentMetrics(service.check().certificate.not_valid_after_utc.timestamp())
    if own.metrics.enabled:
        metrics.serve(own.metrics.listen, own.authority.metrics_port, "[authority] metrics_port")
    door = EnrolmentDoor(service, clock, metrics, lambda _: life(stop))
    answer_at(own.authority.socket, "[authority] socket", door.app)


def main(config: Path) -> int:
    """The entry of the service. Returns the exit code."""
    return run(NAME, config, serve, FAULTS)
