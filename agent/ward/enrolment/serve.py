"""`taimat ward serve`: enrols devices by their claims, renews their certificates, and hears whether they are ready.

`python -m agent.ward.enrolment.serve`. It listens on a Unix socket, to nobody but the proxy in front of it.
"""
import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.host import log
from agent.host.clock import Clock, SystemClock
from agent.host.notify import notify
from agent.host.stop import Stop
from agent.ward import settings
from agent.ward.authority.issuer import AuthorityFault
from agent.ward.enrolment.book import BookFault
from agent.ward.enrolment.door import EnrolmentDoor
from agent.ward.enrolment.metrics import EnrolmentMetrics
from agent.ward.enrolment.service import EnrolmentService
from agent.ward.metrics import MetricsFault
from agent.ward.proxied import EXIT_CANNOT_SERVE, CannotServe, answer_until_told, life, listener_at

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
    parser = argparse.ArgumentParser(prog="taimat ward serve")
    parser.add_argument("--config", type=Path, required=True)
    try:
        own = settings.load(parser.parse_args(argv).config)
        log.set_up(NAME, own.log.level)
        serve(own, SystemClock(), Stop().on_signals())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG
    except (CannotServe, AuthorityFault, BookFault, MetricsFault) as error:
        print(f"{NAME}: {error}", file=sys.stderr)
        return EXIT_CANNOT_SERVE
    notify("STOPPING=1")
    return 0


if __name__ == "__main__":
    sys.exit(main())
