"""The table of the commands `taimat ward ...`, no logic: each becomes the part of the ward's end that it names."""
from pathlib import Path

import typer

from agent.cli import options as opt
from agent.cli import ward_options as wish
from agent.cli.ward import become

WARD_CONFIG = Path("/etc/taimat-ward/ward.toml")

ward_app = typer.Typer(no_args_is_help=True, help="The ward's end: take in what its devices tell, and watch them.")
request_app = typer.Typer(no_args_is_help=True, help="Ask a device for pictures, and see what became of it.")
ward_app.add_typer(request_app, name="request")
conformance_app = typer.Typer(no_args_is_help=True, help="Hold a program against the contract, rule by rule.")
ward_app.add_typer(conformance_app, name="conformance")


@ward_app.command("init")
def ward_init(force: opt.Force = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Write a first configuration of the ward's ingest, with every key explained."""
    become("init", config, [("--force", force)])


@ward_app.command("ingest")
def ward_ingest(config: opt.WardConfig = WARD_CONFIG) -> None:
    """Take in what the devices of a ward tell, keep it in a database, and send receipts for it."""
    become("ingest", config)


@ward_app.command("forward")
def ward_forward(mark_all: opt.MarkAll = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Bring every event that the ward's ingest has taken in to the city's broker, until the city has it, too."""
    become("forward", config, [("--mark-all", mark_all)])


@ward_app.command("intake")
def ward_intake(config: opt.WardConfig = WARD_CONFIG) -> None:
    """Take in the pictures that devices bring when they were asked for, check them, keep them, and sign for them."""
    become("uploads.main", config)


@ward_app.command("keys")
def ward_keys(config: opt.WardConfig = WARD_CONFIG) -> None:
    """Make the keys that the configuration names, unless they are there: for commands, and for receipts."""
    become("keys", config)


@request_app.command("clip")
def ward_request_clip(dev: wish.Device, cam: wish.Camera, since: wish.From, until: wish.To, case: wish.Case,
                      purpose: wish.Purpose, officer: wish.Officer, basis: wish.Basis, wait: wish.Wait = False,
                      json: opt.Json = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Ask for a camera's recordings of up to an hour. They come only if the household agrees."""
    become("request.main", config, [("--wait", wait), ("--json", json)], [
        "clip", f"--from={since}", f"--to={until}", *wish.words(dev, cam, case, purpose, officer, basis)])


@request_app.command("snapshot")
def ward_request_snapshot(dev: wish.Device, cam: wish.Camera, case: wish.Case, purpose: wish.Purpose,
                          officer: wish.Officer, basis: wish.Basis, wait: wish.Wait = False, json: opt.Json = False,
                          config: opt.WardConfig = WARD_CONFIG) -> None:
    """Ask for a camera's picture, taken when the household has agreed."""
    become("request.main", config, [("--wait", wait), ("--json", json)], [
        "snapshot", *wish.words(dev, cam, case, purpose, officer, basis)])


@request_app.command("list")
def ward_request_list(last: opt.Last = 20, json: opt.Json = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """List what was asked for, newest first, and where each stands."""
    become("request.main", config, [("--json", json)], ["list", f"--last={last}"])


@request_app.command("show")
def ward_request_show(request: wish.Request, json: opt.Json = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Show one request, with each step that it took."""
    become("request.main", config, [("--json", json)], ["show", request])


@request_app.command("cancel")
def ward_request_cancel(request: wish.Request, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Take a request back: nothing is taken in for it any more."""
    become("request.main", config, words=["cancel", request])


@conformance_app.command("device")
def ward_conformance_device(dev: opt.TestedDevice, minutes: opt.LookMinutes = 2, as_ingest: opt.AsIngest = False,
                            json: opt.Json = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Look at a running device as ops, try it with harmless commands, and say which rules it keeps."""
    become("conformance", config, [("--json", json)], [
        "device", dev, f"--minutes={minutes}", *(["--as-ingest"] if as_ingest else [])])


@conformance_app.command("subscriber")
def ward_conformance_subscriber(cert: opt.TestCert = None, key: opt.TestKey = None, json: opt.Json = False,
                                config: opt.WardConfig = WARD_CONFIG) -> None:
    """Play a device before the ward's ingest, or whatever takes its place, for 3 minutes, and say which rules it keeps.
    """
    become("conformance", config, [("--json", json)], [
        "subscriber", *([f"--cert={cert.absolute()}"] if cert else []), *([f"--key={key.absolute()}"] if key else [])])


@ward_app.command("watch")
def ward_watch(once: opt.Once = False, json: opt.Json = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Show which devices of the ward are there, and why others are not: live, from the ingest's database."""
    become("watch", config, [("--once", once), ("--json", json)])


@ward_app.command("configure")
def ward_configure(devices: opt.Devices, pairs: opt.Pairs = None, file: opt.WishFile = None, clear: opt.Clear = False,
                   wait: opt.Wait = 30, json: opt.Json = False, config: opt.WardConfig = WARD_CONFIG) -> None:
    """Set on devices what a ward may set there, within what their households allow. Without a wish: show what holds."""
    words = [*(f"--set={pair}" for pair in pairs or ()), *([f"--file={file.absolute()}"] if file else ()),
             f"--wait={wait}", "--", *devices]
    become("configure", config, [("--clear", clear), ("--json", json)], words)


@ward_app.command("update")
def ward_update(bundle: opt.Bundle, url: wish.Url, devices: opt.Devices, wait: opt.Wait = 30, json: opt.Json = False,
                config: opt.WardConfig = WARD_CONFIG) -> None:
    """Order a release for devices, which fetch it from the URL. Each household's rule decides, each device tries it."""
    become("update", config, [("--json", json)], [f"--wait={wait}", "--", str(bundle.absolute()), url, *devices])


@ward_app.command("simulate")
def ward_simulate(devices: opt.SimulatedDevices = 370, rate: opt.EventRate = 3, minutes: opt.SteadyMinutes = 2,
                  restart: opt.WithRestart = False, processes: opt.SimulatedBy = 2, json: opt.Json = False) -> None:
    """Play a ward's or a city's devices on this machine, with a broker and an ingest of their own, and measure."""
    words = [f"--devices={devices}", f"--rate={rate}", f"--minutes={minutes}", f"--processes={processes}"]
    become("simulate", None, [("--restart", restart), ("--json", json)], words)
