"""The entry of `taimat ward request`: `python -m agent.ward.request.main clip|snapshot|list|show|cancel ...`."""
import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from agent.host.clock import Clock, SystemClock
from agent.ward import settings
from agent.ward.database import open_engine
from agent.ward.opslink import EXIT_UNDONE, OpsFault, ended
from agent.ward.request import form, show
from agent.ward.request.desk import RequestDesk
from agent.ward.request.follow import follow
from agent.ward.request.form import BadOrder
from agent.ward.requests import PictureRequest, PictureRequests

EXIT_NOT_UNDERSTOOD = 2
WORDS = ("dev", "cam", "case", "purpose", "officer", "basis")


def run(wishes: argparse.Namespace, clock: Clock) -> int:
    """Run the command; returns its exit code. Raises the faults of ward.opslink's EXITS, and BadOrder."""
    own = settings.load(wishes.config)
    requests = PictureRequests(open_engine(own.database.url, read_only=wishes.what in ("list", "show")))
    match wishes.what:
        case "list":
            return _list(requests, wishes)
        case "show":
            return _show(requests, wishes, Path(own.intake.folder))
        case "cancel":
            return _cancel(requests, wishes, RequestDesk(own, requests, clock))
    wish = form.read(wishes.what, vars(wishes), datetime.fromtimestamp(clock.now().wall_ms / 1000, UTC))
    request = RequestDesk(own, requests, clock).ask(wish)
    if not wishes.wait:
        print(show.as_json(request) if wishes.json else
              f"asked: {request.id}\nwhat becomes of it: taimat ward request show {request.id}")
        return 0
    return _follow(requests, request, wishes)


def _follow(requests: PictureRequests, request: PictureRequest, wishes: argparse.Namespace) -> int:
    try:
        ended = follow(lambda: _known(requests, request.id), wishes.json)
    except KeyboardInterrupt:
        print(f"\nit goes on: taimat ward request show {request.id}, or cancel {request.id}", file=sys.stderr)
        return EXIT_UNDONE
    if sys.stdout.isatty() and not wishes.json:
        print(f"{ended.id}: {show.says(ended)}")
    return 0 if ended.state == "done" else EXIT_UNDONE


def _list(requests: PictureRequests, wishes: argparse.Namespace) -> int:
    found = requests.newest(wishes.last)
    if sys.stdout.isatty() and not wishes.json:
        Console().print(show.table(found))
    else:
        for each in found:
            print(show.as_json(each) if wishes.json else "\t".join(show.line(each)))
    return 0


def _show(requests: PictureRequests, wishes: argparse.Namespace, folder: Path) -> int:
    request, steps = _known(requests, wishes.id), requests.steps(wishes.id)
    if wishes.json:
        print(show.as_json(request, steps))
    else:
        Console(soft_wrap=True).print(show.whole(request, steps, folder))
    return 0


def _cancel(requests: PictureRequests, wishes: argparse.Namespace, desk: RequestDesk) -> int:
    request = _known(requests, wishes.id)
    try:
        was_open = desk.cancel(request)
    except OpsFault as fault:
        print(f"{request.id}: cancelled: nothing is taken in for it any more; but its device does not know: {fault}")
        return 0
    if not was_open:
        print(f"{request.id}: {show.says(_known(requests, request.id))}; there is nothing to cancel", file=sys.stderr)
        return EXIT_UNDONE
    print(f"{request.id}: cancelled")
    return 0


def _known(requests: PictureRequests, request_id: str) -> PictureRequest:
    if (request := requests.find(request_id)) is None:
        raise BadOrder("unknown", f"{request_id}: there is no such request; taimat ward request list shows them")
    return request


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taimat ward request")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--json", action="store_true")
    commands = parser.add_subparsers(dest="what", required=True)
    for kind, words in (("clip", (*WORDS, "from", "to")), ("snapshot", WORDS)):
        asking = commands.add_parser(kind)
        for word in words:
            asking.add_argument(f"--{word}", required=True)
    commands.add_parser("list").add_argument("--last", type=int, default=20)
    for name in ("show", "cancel"):
        commands.add_parser(name).add_argument("id")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """The entry of the command. Returns the exit code."""
    return ended("request", lambda: run(_parser().parse_args(argv), SystemClock()), {BadOrder: EXIT_NOT_UNDERSTOOD})


if __name__ == "__main__":
    sys.exit(main())
