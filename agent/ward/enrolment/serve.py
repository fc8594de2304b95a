"""`taimat ward serve`: enrols devices by their claims, renews their certificates, and hears whether they are ready.

`python -m agent.ward.enrolment.serve`. It listens on a Unix socket, to nobody but the proxy in front of it.
"""
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.host.clock import Clock
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.enrolment.book import BookFault
from agent.ward.enrolment.door import EnrolmentDoor
from agent.ward.enrolment.metrics import EnrolmentMetrics
from agent.ward.enrolment.service import EnrolmentService
from agent.ward.metrics import MetricsFault
from agent.ward.proxied import EXIT_CANNOT_SERVE, answer_until_told, life, listener_at, run

NAME = "serve"

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


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the role. Returns the exit code."""
    return run(NAME, serve, dict.fromkeys((AuthorityFault, BookFault, MetricsFault), EXIT_CANNOT_SERVE), argv)


if __name__ == "__main__":
    sys.exit(main())
