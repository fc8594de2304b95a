"""The `taimat` command: its table of commands, no logic. Each command imports what it needs when it is called."""
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.cli import options as opt
from agent.cli import options as out
from agent.cli.update.commands import update_app
from agent.cli.ward_commands import ward_app

EXIT_CODES = " · ".join((
    "[bold]Exit codes[/bold]  0 all right",
    "1 warnings only, or the reason is printed",
    "2 doctor found something bad, or the command was not understood",
    "69 an address to listen at can't be had, or a library is not installed",
    "70 a camera does not let go",
    "73 the store can't be read or written",
    "75 another Taimat works on this store",
    "78 the configuration is wrong"))
HELP = "Taimat records a camera on this computer, keeps the clips, and tells the ward's broker what happened."
ROLES, LOOK, SET_UP, WARD = "Record", "Look", "Set up and check", "Run a ward"

app = typer.Typer(
    name="taimat", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
config_app = typer.Typer(no_args_is_help=True, help="Make, check and show the configuration.")
clips_app = typer.Typer(invoke_without_command=True, help="Look at the recordings, and take them out.")
app.add_typer(config_app, name="config", rich_help_panel=SET_UP)
app.add_typer(clips_app, name="clips", rich_help_panel=LOOK)
requests_app = typer.Typer(invoke_without_command=True, help="What the ward has asked for: you decide.")
app.add_typer(requests_app, name="requests", rich_help_panel=LOOK)
app.add_typer(ward_app, name="ward", rich_help_panel=WARD)
home_app = typer.Typer(no_args_is_help=True, help="The recorder in the household's Home Assistant.")
app.add_typer(home_app, name="home", rich_help_panel=SET_UP)
app.add_typer(update_app, name="update", rich_help_panel=SET_UP)


def _become(module: str, config: Path | None, *more: str) -> NoReturn:
    """Turn this process into a role: it lives for months and must not carry the command line's libraries in memory."""
    from agent.cli.place import config_path
    os.execv(sys.executable, [sys.executable, "-m", module, "--config", str(config_path(config)), *more])


def _show_version(wanted: bool) -> None:
    if wanted:
        import agent
        typer.echo(f"taimat {agent.__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")]


@app.callback(help=HELP)
def _top(version: Version = False) -> None:
    """What is said before any command."""


@app.command(rich_help_panel=ROLES)
def run(config: opt.Config = None) -> None:
    """Run the whole recorder in the foreground, until Ctrl-C. On a device, systemd runs its parts instead."""
    _become("agent.cli.run", config)


@app.command(rich_help_panel=ROLES)
def capture(camera: opt.OneCamera = None, network: opt.Network = False, config: opt.Config = None) -> None:
    """One part: take pictures from cameras, look for motion, write clips."""
    if network == (camera is not None):
        raise typer.BadParameter("say which cameras: --camera NAME, or --network for all that come over the network")
    _become("agent.capture", config, *(("--network",) if network else ("--camera", str(camera))))


@app.command(rich_help_panel=ROLES)
def keeper(config: opt.Config = None) -> None:
    """One part: take care of the clips, and delete the oldest in time."""
    _become("agent.keeper", config)


@app.command(rich_help_panel=ROLES)
def link(config: opt.Config = None) -> None:
    """One part: send events and health to the ward's broker."""
    _become("agent.link", config)


@app.command(rich_help_panel=ROLES)
def web(config: opt.Config = None) -> None:
    """One part: the household's page."""
    _become("agent.web", config)


@requests_app.callback()
def _requests(context: typer.Context, config: opt.Config = None) -> None:
    """Without a word after it: the list."""
    if context.invoked_subcommand is None:
        requests_list(config=config)
    context.default_map = {name: {"config": config} for name in context.command.commands}


@requests_app.command("list")
def requests_list(last: opt.Last = 20, json: opt.Json = False, config: opt.Config = None) -> None:
    """List what the ward has asked for, newest first, and what became of it."""
    from agent.cli import requests as tool
    tool.show_all(config, last, json)


@requests_app.command("show")
def requests_show(number: opt.RequestNumber, json: opt.Json = False, config: opt.Config = None) -> None:
    """Show one request: who asks, by what law, and what exactly would leave the house."""
    from agent.cli import requests as tool
    tool.show(config, number, json)


@requests_app.command("approve")
def requests_approve(number: opt.RequestNumber, yes: opt.Yes = False, config: opt.Config = None) -> None:
    """Let the ward have it: it is packed, signed, sent, and written into the ledger."""
    from agent.cli import requests as tool
    tool.decide(config, number, "approved", yes)


@requests_app.command("refuse")
def requests_refuse(number: opt.RequestNumber, config: opt.Config = None) -> None:
    """Let nothing leave; also takes an approval back, until the ward has everything."""
    from agent.cli import requests as tool
    tool.decide(config, number, "refused", True)


@clips_app.callback()
def _clips(context: typer.Context, config: opt.Config = None) -> None:
    """Without a word after it: the list."""
    if context.invoked_subcommand is None:
        clips_list(config=config)
    context.default_map = {name: {"config": config} for name in context.command.commands}


@clips_app.command("list")
def clips_list(camera: opt.CameraName = None, last: opt.Last = 20, json: opt.Json = False,
               config: opt.Config = None) -> None:
    """List the newest clips: when, how long, how large, and the file."""
    from agent.cli import clips as tool
    tool.show(config, camera, last, json)


@clips_app.command("export")
def clips_export(clip: opt.ClipName = None, camera: opt.OnesCamera = None, since: opt.From = None, until: opt.To = None,
                 last: opt.LastTime = None, output: opt.FilmTo = None, force: opt.Force = False, json: opt.Json = False,
                 household_key: opt.HouseholdKey = None, config: opt.Config = None) -> None:
    """Write any time of a camera as one MP4: the pictures as they were recorded, from the keyframe before it on."""
    from agent.cli.clips_export import Wishes, export
    raise typer.Exit(export(Wishes(clip, camera, since, until, last, output, force, json, config, household_key)))


@clips_app.command("erase")
def clips_erase(camera: opt.ErasedCamera = None, since: opt.From = None, until: opt.To = None,
                everything: opt.Everything = False, held: opt.AlsoHeld = False, yes: opt.Yes = False,
                config: opt.Config = None) -> None:
    """Erase recordings for good: at once from the page, and with a day's last one the key that opens what is left."""
    from agent.cli.clips_erase import Wishes, run
    raise typer.Exit(run(Wishes(camera, since, until, everything, held, yes, config)))


@clips_app.command("hold")
def clips_hold(reason: opt.Reason, clip: opt.ClipNames = None, camera: opt.HeldCamera = None, since: opt.From = None,
               until: opt.To = None, length: opt.HoldLength = "90d", config: opt.Config = None) -> None:
    """Keep recordings whatever the card needs, for a time and within the ceiling that hold_max_pct sets."""
    from agent.cli.clips_hold import Wishes, hold
    hold(Wishes(clip or (), camera, since, until, reason, length, config))


@clips_app.command("release")
def clips_release(clip: opt.HeldClips, reason: opt.OneReason = None, config: opt.Config = None) -> None:
    """Let held recordings go when their time has come, like any other."""
    from agent.cli import clips_hold as tool
    tool.release(config, clip, reason)


@clips_app.command("holds")
def clips_holds(json: opt.Json = False, config: opt.Config = None) -> None:
    """List what is held, what for and until when."""
    from agent.cli import clips_hold as tool
    tool.show(config, json)


@app.command(rich_help_panel=LOOK)
def export(clip: opt.ClipName = None, camera: opt.OnesCamera = None, since: opt.From = None, until: opt.To = None,
           last: opt.LastTime = None, case: out.Case = None, purpose: out.Purpose = None, officer: out.Officer = None,
           recipient: out.Recipients = None, recipients_file: out.RecipientsFile = None, unsigned: out.Unsigned = False,
           output: out.PackageTo = None, json: opt.Json = False, household_key: opt.HouseholdKey = None,
           config: opt.Config = None) -> None:
    """Hand recordings out: films, signed by the recorder, with all that it takes to check them anywhere."""
    from agent.cli.export.main import Wishes, export
    raise typer.Exit(export(Wishes(clip, camera, since, until, last, case, purpose, officer, recipient or (),
                                   recipients_file, unsigned, output, json, household_key, config)))


@app.command(rich_help_panel=LOOK)
def events(camera: opt.CameraName = None, last: opt.Last = 20, follow: opt.Follow = False, json: opt.Json = False,
           config: opt.Config = None) -> None:
    """List the newest events: what moved, when, and the clip that shows it."""
    from agent.cli import events as tool
    tool.show(config, camera, last, follow, json)


@app.command(rich_help_panel=LOOK)
def snapshot(camera: opt.Camera, output: opt.Output = None, config: opt.Config = None) -> None:
    """Take a camera's picture of now: full size, with its masks, from the running recorder."""
    from agent.cli import snapshot as tool
    tool.take(config, camera, output)


@app.command(rich_help_panel=LOOK)
def busy(camera: opt.Camera, forget: opt.Forget = False, json: opt.Json = False, config: opt.Config = None) -> None:
    """Show where a camera's picture is restless, as with leaves in the wind, and why it tells of no motion now."""
    from agent.cli import busy as tool
    tool.show(config, camera, forget, json)


@app.command(rich_help_panel=LOOK)
def pause(cameras: opt.Cameras = None, length: opt.Length = None, until: opt.Until = None, listed: opt.Listed = False,
          config: opt.Config = None) -> None:
    """Pause cameras: within two seconds they see, record and send nothing. Without names, all of them."""
    from agent.cli import pause as tool
    if listed:
        tool.show(config)
    else:
        tool.pause_cameras(config, cameras or [], length, until)


@app.command(rich_help_panel=LOOK)
def resume(cameras: opt.Cameras = None, config: opt.Config = None) -> None:
    """Let paused cameras see again. Without names, all of them."""
    from agent.cli import pause as tool
    tool.resume_cameras(config, cameras or [])


@app.command(rich_help_panel=LOOK)
def pair(config: opt.Config = None) -> None:
    """Show the code (and a QR code) with which a phone of the household opens the page."""
    from agent.cli import pair as tool
    tool.show(config)


@config_app.command("init")
def config_init(path: opt.NewFile = None, force: opt.Force = False) -> None:
    """Write a first configuration with every key explained, and say what to do next."""
    from agent.cli import config as tool
    tool.init(path, force)


@config_app.command("check")
def config_check(config: opt.Config = None) -> None:
    """Check the configuration and the files that it names; every mistake with its line and what would be right."""
    from agent.cli import config as tool
    raise typer.Exit(tool.check(config))


@config_app.command("show")
def config_show(config: opt.Config = None) -> None:
    """Show the settings in effect, defaults included, without passwords."""
    from agent.cli import config as tool
    tool.show(config)


@home_app.command("remove")
def home_remove(config: opt.Config = None) -> None:
    """Take the recorder out of Home Assistant, once [home] is switched off. The link does it, too, when it starts."""
    from agent.cli import home as tool
    raise typer.Exit(tool.remove_here(config))


@app.command("household-key", rich_help_panel=SET_UP)
def household_key(replace: opt.Replace = False, config: opt.Config = None) -> None:
    """Make the household's own key to its encrypted recordings, and print it once."""
    from agent.cli import household_key as tool
    tool.make(config, replace)


@app.command(rich_help_panel=SET_UP)
def doctor(json: opt.Json = False, config: opt.Config = None) -> None:
    """Examine this device: cameras, encoder, clock, card, broker, permissions. Each with a verdict and what to do."""
    from agent.cli.doctor import examine
    raise typer.Exit(examine(config, json))


@app.command(rich_help_panel=SET_UP)
def discover(user: opt.CameraUser = None, password_file: opt.PasswordFile = None, at: opt.At = None,
             network: opt.Networks = None, tune: opt.Tune = False, write: opt.WriteTo = None,
             show_password: opt.ShowPassword = False, json: opt.Json = False, config: opt.Config = None) -> None:
    """Find the cameras in the network, by ONVIF and by the paths of common makers, and show what to configure."""
    from agent.cli.discover import Wishes, discover
    raise typer.Exit(discover(Wishes(user, password_file, at or [], network or [], tune, write, show_password, json,
                                     config)))


@app.command(rich_help_panel=SET_UP)
def tune(files: opt.Films = None, last: opt.LastClips = None, camera: opt.TunedCamera = None,
         sensitivity: opt.Sensitivity = None, smallest: opt.Smallest = None, fps: opt.LookFps = None,
         ignore: opt.Ignore = None, without_zones: opt.WithoutZones = False, plot: opt.Plot = None,
         json: opt.Json = False, config: opt.Config = None) -> None:
    """Look at recorded footage again: which events, why not more, and what other settings would have made of it."""
    from agent.cli.tune import Wishes, tune
    raise typer.Exit(tune(Wishes(files or [], last, camera, sensitivity, smallest, fps, ignore or [], without_zones,
                                 plot, json, config)))


@app.command(rich_help_panel=LOOK)
def verify(folder: opt.Card = None, heads: opt.Heads = None, key: opt.KeyName = None, json: opt.Json = False,
           config: opt.Config = None) -> None:
    """Check that the recordings are what was recorded: every clip, and the signed ledger of all that was done."""
    from agent.cli.verify import verify
    raise typer.Exit(verify(config, folder, heads or [], key or "", json))


@app.command(rich_help_panel=SET_UP)
def demo(source: opt.Footage = None, broker: opt.Broker = None, seconds: opt.Seconds = None,
         port: opt.Port = 8088) -> None:
    """Try everything here and now: a camera, a broker, events, clips and the page, in a store of its own."""
    from agent.cli.demo import play
    raise typer.Exit(play(source, broker, seconds, port))


@app.command(hidden=True)
def rescue(what: str, config: opt.Config = None) -> None:
    """What systemd starts as root for a capture process whose camera stays dead."""
    _become("agent.cli.rescue", config, what)


def main() -> None:
    """The entry of the `taimat` command."""
    try:
        app(prog_name="taimat")
    except Exception as error:
        from agent.cli.exits import say
        sys.exit(say(error))


if __name__ == "__main__":
    main()
