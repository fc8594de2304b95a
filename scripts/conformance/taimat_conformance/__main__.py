"""`taimat-conformance`: checks a running device, or a ward's subscriber, against the contract."""
import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from agent.config.load import EXIT_BAD_CONFIG, ConfigError
from agent.host import log
from agent.host.clock import SystemClock
from agent.ward import settings
from taimat_conformance.device import rules as device_rules
from taimat_conformance.device.examine import ExamineOptions, examine
from taimat_conformance.show import show
from taimat_conformance.subscriber import rules as subscriber_rules
from taimat_conformance.subscriber.play import PlayTempo, play
from taimat_conformance.verdict import RuleFinding, judge
from taimat_conformance.visit import VisitAccount, VisitFault

WARD_CONFIG = Path("/etc/taimat-ward/ward.toml")
MINUTES_MAX = 1440
EXIT_BROKEN = 1                 # a rule is broken, or a person has interrupted the check
EXIT_BROKER = 69                # sysexits.h EX_UNAVAILABLE


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
    account = VisitAccount(ward.tls, ward.ca, str(wishes.cert or ""), str(wishes.key or ""))
    return judge(subscriber_rules.rules(), play(ward, account, PlayTempo(), SystemClock()))


def check(wishes: argparse.Namespace) -> int:
    """Check and print; returns the exit code. Raises ConfigError and VisitFault."""
    if not wishes.config.exists():
        raise ConfigError(f"{wishes.config}: No such file; write one with [ward] ward, host and port, as "
                          "docs/reference/subscriber.md shows")
    own = settings.load(wishes.config)
    with Console(stderr=True).status(wishes.busy.format_map(vars(wishes))):
        findings = wishes.look(own, wishes)
    show(findings, wishes.title.format_map(vars(wishes)), wishes.json)
    return EXIT_BROKEN if any(each.verdict == "fail" for each in findings) else 0


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    parser = _parser()
    wishes = parser.parse_args(argv)
    if not 0 < getattr(wishes, "minutes", 1) <= MINUTES_MAX:
        parser.error(f"--minutes takes up to {MINUTES_MAX}")
    log.set_up("conformance", "error")          # what goes wrong is printed once, below
    try:
        return check(wishes)
    except (ConfigError, VisitFault) as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_CONFIG if isinstance(error, ConfigError) else EXIT_BROKER
    except (KeyboardInterrupt, BrokenPipeError):
        sys.stderr.close()                      # the interpreter would complain about the pipe at its end
    return EXIT_BROKEN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="taimat-conformance", description="Hold a program against the contract, rule by rule.",
        epilog="Exit codes: 0 no rule is broken, 1 one is, 69 the broker can't be reached, 78 the configuration is "
               "wrong.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-c", "--config", type=Path, metavar="FILE", default=WARD_CONFIG,
                        help="a ward.toml, of which [ward] and [ops] are read (%(default)s)")
    common.add_argument("--json", action="store_true", help="one JSON object a line, for programs")
    whom = parser.add_subparsers(required=True, metavar="{device,subscriber}")
    look = "look at a running device as ops, try it with harmless commands, and say which rules it keeps"
    game = "play a device before the ward's ingest, or its replacement, for 3 minutes, and say which rules it keeps"
    of_device = whom.add_parser("device", parents=[common], help=look, description=look)
    of_device.set_defaults(look=device, title="{dev}", busy="looking at {dev} for {minutes:g} min")
    of_device.add_argument("dev", metavar="DEVICE", help="its id")
    of_device.add_argument("--minutes", type=float, metavar="N", default=2.0, help="how long to look (%(default)g)")
    of_device.add_argument("--as-ingest", action="store_true",
                           help="also stand in for the ward's ingest, which must not run: nobody keeps its events")
    of_subscriber = whom.add_parser("subscriber", parents=[common], help=game, description=game)
    of_subscriber.set_defaults(look=subscriber, title="the ward's subscriber", busy="this takes 3 min")
    of_subscriber.add_argument("--cert", type=Path, metavar="FILE",
                               help="the certificate of a device that is there for tests")
    of_subscriber.add_argument("--key", type=Path, metavar="FILE", help="its key")
    return parser


if __name__ == "__main__":
    sys.exit(main())
