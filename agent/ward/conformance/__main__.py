"""`taimat ward conformance`: checks a running device, or the ward's subscriber, against the contract.

`python -m agent.ward.conformance`
"""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from agent.config.load import ConfigError
from agent.host.clock import SystemClock
from agent.ward import settings
from agent.ward.conformance.device import rules as device_rules
from agent.ward.conformance.device.examine import ExamineOptions, examine
from agent.ward.conformance.show import show
from agent.ward.conformance.subscriber import rules as subscriber_rules
from agent.ward.conformance.subscriber.play import PlayTempo, play
from agent.ward.conformance.verdict import RuleFinding, judge
from agent.ward.conformance.visit import VisitFault
from agent.ward.opslink import EXIT_BROKER, OpsAccount, ended

EXIT_BROKEN = 1                 # a rule is broken


def device(own: settings.Settings, wishes: argparse.Namespace) -> list[RuleFinding]:
    """Check a device. Raises ConfigError and VisitFault."""
    if not settings.ID.fullmatch(wishes.dev):
        raise ConfigError(f"{wishes.dev!r}: a device's id is made of a-z, 0-9 and '-', as in c-7f3a9c21b04d")
    look = examine(own, wishes.dev, ExamineOptions(wishes.minutes * 60, wishes.as_ingest), SystemClock())
    return judge(device_rules.rules(), look)


def subscriber(own: settings.Settings, wishes: argparse.Namespace) -> list[RuleFinding]:
    """Check the ward's subscriber by playing a device. Raises ConfigError and VisitFault."""
    ward = own.ward
    if bool(wishes.cert) != bool(wishes.key) or ward.tls and not wishes.cert:
        raise ConfigError("--cert and --key: give both, those of a device that is there for tests: its events are made "
                          "up, and stay in the ward's database")
    account = OpsAccount(ward.tls, ward.ca, str(wishes.cert or ""), str(wishes.key or ""), "", "")
    return judge(subscriber_rules.rules(), play(ward, account, PlayTempo(), SystemClock()))


def run(wishes: argparse.Namespace) -> int:
    """Check and print; returns the exit code. Raises ConfigError and VisitFault."""
    own = settings.load(wishes.config)
    with Console(stderr=True).status(wishes.busy.format_map(vars(wishes))):
        findings = wishes.look(own, wishes)
    show(findings, wishes.title.format_map(vars(wishes)), wishes.json)
    return EXIT_BROKEN if any(each.verdict == "fail" for each in findings) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    return ended("conformance", lambda: run(_parser().parse_args(argv)), {VisitFault: EXIT_BROKER})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taimat ward conformance")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    whom = parser.add_subparsers(required=True)
    of_subscriber = whom.add_parser("subscriber")
    of_subscriber.set_defaults(look=subscriber, title="the ward's subscriber", busy="this takes 3 min")
    of_subscriber.add_argument("--cert", type=Path)
    of_subscriber.add_argument("--key", type=Path)
    of_device = whom.add_parser("device")
    of_device.set_defaults(look=device, title="{dev}", busy="looking at {dev} for {minutes:g} min")
    of_device.add_argument("dev")
    of_device.add_argument("--minutes", type=float, default=2.0)
    of_device.add_argument("--as-ingest", action="store_true")
    return parser


if __name__ == "__main__":
    sys.exit(main())
