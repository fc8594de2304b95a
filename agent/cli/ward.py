"""`taimat ward ...`: each command becomes the part of the ward's end that it names.

That part has a configuration, an argument parser and libraries of its own; here are its options and their help.
"""
import importlib.util
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.cli.options import Bundle, Force, Json, Last

WARD_CONFIG = Path("/etc/taimat-ward/ward.toml")
NEEDS = ("sqlalchemy", "prometheus_client")
EXIT_INCOMPLETE = 69            # sysexits.h EX_UNAVAILABLE

app = typer.Typer(no_args_is_help=True, help="The ward's end: take in what its devices tell, and watch them.")
request_app = typer.Typer(no_args_is_help=True, help="Ask a device for pictures, and see what became of it.")
app.add_typer(request_app, name="request")
conformance_app = typer.Typer(no_args_is_help=True, help="Hold a program against the contract, rule by rule.")
app.add_typer(conformance_app, name="conformance")

Config = Annotated[Path, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_WARD_CONFIG", help="The configuration of the ward's ingest.")]
MarkAll = Annotated[bool, typer.Option(
    "--mark-all", help="Only mark all events for the city, even those that it has or has refused; the running "
    "forwarder brings them.")]
Once = Annotated[bool, typer.Option("--once", help="Show it as it is now, and end.")]
Devices = Annotated[list[str], typer.Argument(metavar="DEVICE", show_default=False, help="Their ids.")]
WaitS = Annotated[float, typer.Option("--wait", metavar="S", min=0, help="How long to wait for answers, in seconds.")]

# of `keys`
Rotate = Annotated[bool, typer.Option(
    "--rotate", help="First have the next command key be the current one; the current one is nobody's then.")]
Told = Annotated[list[str] | None, typer.Argument(
    metavar="DEVICE", show_default=False, help="Devices that are to obey the command keys that are here now.")]

# of `configure` and `update`
Pairs = Annotated[list[str] | None, typer.Option(
    "--set", metavar="KEY=VALUE", show_default=False,
    help="health_int_s, retention_d or log_level; several times for several. What is not named goes back to the "
         "household's own value.")]
WishFile = Annotated[Path | None, typer.Option(
    "--file", metavar="FILE", show_default=False, help="The same as TOML: a line for each, as in health_int_s = 60.")]
Clear = Annotated[bool, typer.Option("--clear", help="All of it goes back to the household's own values.")]
Url = Annotated[str, typer.Argument(
    metavar="URL", show_default=False, help="https:// address of the same file, for devices with their certificates.")]

# of `request`
Device = Annotated[str, typer.Option("--dev", metavar="ID", help="The device's id, as taimat ward watch shows it.")]
Camera = Annotated[str, typer.Option("--cam", metavar="NAME", help="Its camera.")]
From = Annotated[str, typer.Option(
    "--from", metavar="TIME", help="From when on: '2026-11-25 14:00' here, 14:00 today, or 2026-11-25T14:00:00+07:00.")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Until when; 14:10 is on the day of --from.")]
Case = Annotated[str, typer.Option("--case", metavar="NUMBER", help="The ward's number of the case.")]
Purpose = Annotated[str, typer.Option(
    "--purpose", metavar="WORD", help="What for, in the word that households have their rules by: theft, fire.")]
Officer = Annotated[str, typer.Option("--officer", metavar="NAME", help="Who answers for it.")]
Basis = Annotated[str, typer.Option("--basis", metavar="TEXT", help="The law that it is asked by.")]
Follow = Annotated[bool, typer.Option("--wait", help="Follow it to its end. Ctrl-C leaves it going on.")]
Request = Annotated[str, typer.Argument(metavar="ID", show_default=False, help="As the list shows it.")]

# of `conformance`
TestedDevice = Annotated[str, typer.Argument(metavar="DEVICE", show_default=False, help="Its id.")]
LookMinutes = Annotated[float, typer.Option("--minutes", metavar="N", min=0.5, max=1440, help="How long to look.")]
AsIngest = Annotated[bool, typer.Option(
    "--as-ingest", help="Also stand in for the ward's ingest, which must not run: its events are kept by nobody.")]
TestCert = Annotated[Path | None, typer.Option(
    "--cert", metavar="FILE", show_default=False, help="The certificate of a device that is there for tests.")]
TestKey = Annotated[Path | None, typer.Option(
    "--key", metavar="FILE", show_default=False, help="Its key.")]

# of `simulate`
DevicesN = Annotated[int, typer.Option("--devices", metavar="N", min=1, max=20_000, help="How many devices.")]
EventRate = Annotated[float, typer.Option(
    "--rate", metavar="N", min=0, max=1000, help="How many events a second, of all devices together.")]
SteadyMinutes = Annotated[float, typer.Option(
    "--minutes", metavar="N", min=0.1, help="How long to measure while nothing breaks.")]
WithRestart = Annotated[bool, typer.Option(
    "--restart", help="Then kill the broker, start it again after 10 s, and wait until all devices are back.")]
ProcessesN = Annotated[int, typer.Option(
    "--processes", metavar="N", min=1, max=64, help="How many processes play the devices.")]


def become(module: str, config: Path | None, flags: Iterable[tuple[str, bool]] = (),
           words: Iterable[str] = ()) -> NoReturn:
    """Turn this process into `agent.ward.{module}`, with the flags that are set, and these words.

    Ends it with 69 where the ward's package or one of its libraries is not installed.
    """
    if lacking := _lacking():
        print(lacking, file=sys.stderr)
        sys.exit(EXIT_INCOMPLETE)
    own = ["--config", str(config.absolute())] if config else []
    given = [*own, *(flag for flag, is_set in flags if is_set), *words]
    os.execv(sys.executable, [sys.executable, "-m", f"agent.ward.{module}", *given])


def _lacking() -> str:
    if importlib.util.find_spec("agent.ward") is None:
        return ("the ward's end is a package of its own (taimat-ward), and a recorder does without it: "
                "in a checkout of this version, pip install . ./agent/ward")
    if missing := [name for name in NEEDS if importlib.util.find_spec(name) is None]:
        return (f"a ward's end also needs {' and '.join(missing)}: apt install python3-sqlalchemy "
                "python3-prometheus-client, or: pip install ./agent/ward")
    return ""


def _words(dev: str, cam: str, case: str, purpose: str, officer: str, basis: str) -> list[str]:
    """The options that the requests for a clip and for a snapshot have in common, for the ward's own command."""
    return [f"--dev={dev}", f"--cam={cam}", f"--case={case}", f"--purpose={purpose}", f"--officer={officer}",
            f"--basis={basis}"]


@app.command("init")
def ward_init(force: Force = False, config: Config = WARD_CONFIG) -> None:
    """Write a first configuration of the ward's ingest, with every key explained."""
    become("init", config, [("--force", force)])


@app.command("ingest")
def ward_ingest(config: Config = WARD_CONFIG) -> None:
    """Take in what the devices of a ward tell, keep it in a database, and send receipts for it."""
    become("ingest", config)


@app.command("forward")
def ward_forward(mark_all: MarkAll = False, config: Config = WARD_CONFIG) -> None:
    """Bring every event that the ward's ingest has taken in to the city's broker, until the city has it, too."""
    become("forward", config, [("--mark-all", mark_all)])


@app.command("intake")
def ward_intake(config: Config = WARD_CONFIG) -> None:
    """Take in the pictures that devices bring when they were asked for, check them, keep them, and sign for them."""
    become("uploads.main", config)


@app.command("keys")
def ward_keys(devices: Told = None, rotate: Rotate = False, wait: WaitS = 30, json: Json = False,
              config: Config = WARD_CONFIG) -> None:
    """Make the keys that the configuration names, unless they are there: for commands, and for receipts."""
    become("keys", config, [("--rotate", rotate), ("--json", json)], [f"--wait={wait}", "--", *(devices or ())])


@request_app.command("clip")
def ward_request_clip(dev: Device, cam: Camera, since: From, until: To, case: Case,
                      purpose: Purpose, officer: Officer, basis: Basis, wait: Follow = False,
                      json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Ask for a camera's recordings of up to an hour. They come only if the household agrees."""
    become("request.main", config, [("--wait", wait), ("--json", json)], [
        "clip", f"--from={since}", f"--to={until}", *_words(dev, cam, case, purpose, officer, basis)])


@request_app.command("snapshot")
def ward_request_snapshot(dev: Device, cam: Camera, case: Case, purpose: Purpose,
                          officer: Officer, basis: Basis, wait: Follow = False, json: Json = False,
                          config: Config = WARD_CONFIG) -> None:
    """Ask for a camera's picture, taken when the household has agreed."""
    become("request.main", config, [("--wait", wait), ("--json", json)], [
        "snapshot", *_words(dev, cam, case, purpose, officer, basis)])


@request_app.command("list")
def ward_request_list(last: Last = 20, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """List what was asked for, newest first, and where each stands."""
    become("request.main", config, [("--json", json)], ["list", f"--last={last}"])


@request_app.command("show")
def ward_request_show(request: Request, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Show one request, with each step that it took."""
    become("request.main", config, [("--json", json)], ["show", request])


@request_app.command("cancel")
def ward_request_cancel(request: Request, config: Config = WARD_CONFIG) -> None:
    """Take a request back: nothing is taken in for it any more."""
    become("request.main", config, words=["cancel", request])


@conformance_app.command("device")
def ward_conformance_device(dev: TestedDevice, minutes: LookMinutes = 2, as_ingest: AsIngest = False,
                            json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Look at a running device as ops, try it with harmless commands, and say which rules it keeps."""
    become("conformance", config, [("--json", json)], [
        "device", dev, f"--minutes={minutes}", *(["--as-ingest"] if as_ingest else [])])


@conformance_app.command("subscriber")
def ward_conformance_subscriber(cert: TestCert = None, key: TestKey = None, json: Json = False,
                                config: Config = WARD_CONFIG) -> None:
    """Play a device before the ward's ingest, or whatever takes its place, for 3 minutes, and say which rules it keeps.
    """
    become("conformance", config, [("--json", json)], [
        "subscriber", *([f"--cert={cert.absolute()}"] if cert else []), *([f"--key={key.absolute()}"] if key else [])])


@app.command("watch")
def ward_watch(once: Once = False, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Show which devices of the ward are there, and why others are not: live, from the ingest's database."""
    become("watch", config, [("--once", once), ("--json", json)])


@app.command("configure")
def ward_configure(devices: Devices, pairs: Pairs = None, file: WishFile = None, clear: Clear = False,
                   wait: WaitS = 30, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Set on devices what a ward may set there, within what their households allow. Without a wish: show what holds."""
    words = [*(f"--set={pair}" for pair in pairs or ()), *([f"--file={file.absolute()}"] if file else ()),
             f"--wait={wait}", "--", *devices]
    become("configure", config, [("--clear", clear), ("--json", json)], words)


@app.command("update")
def ward_update(bundle: Bundle, url: Url, devices: Devices, wait: WaitS = 30, json: Json = False,
                config: Config = WARD_CONFIG) -> None:
    """Order a release for devices, which fetch it from the URL. Each household's rule decides, each device tries it."""
    become("update", config, [("--json", json)], [f"--wait={wait}", "--", str(bundle.absolute()), url, *devices])


@app.command("simulate")
def ward_simulate(devices: DevicesN = 370, rate: EventRate = 3, minutes: SteadyMinutes = 2,
                  restart: WithRestart = False, processes: ProcessesN = 2, json: Json = False) -> None:
    """Play a ward's or a city's devices on this machine, with a broker and an ingest of their own, and measure."""
    words = [f"--devices={devices}", f"--rate={rate}", f"--minutes={minutes}", f"--processes={processes}"]
    become("simulate", None, [("--restart", restart), ("--json", json)], words)
