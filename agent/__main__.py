"""The `taimat` command: its table of commands, no logic. Each command imports what it needs when it is called."""
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

EXIT_CODES = " · ".join((
    "[bold]Exit codes[/bold]  0 all right",
    "1 warnings only, or the reason is printed",
    "2 doctor found something bad, or the command was not understood",
    "69 the page's address can't be had",
    "70 a camera does not let go",
    "73 the store can't be read or written",
    "75 another Taimat works on this store",
    "78 the configuration is wrong"))
HELP = "Taimat records a camera on this computer, keeps the clips, and tells the ward's broker what happened."
ROLES, LOOK, SET_UP = "Record", "Look", "Set up and check"

Config = Annotated[Path | None, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_CONFIG", show_default=False,
    help="The configuration. Without it: your own ~/.config/taimat/taimat.toml, or else /etc/taimat/taimat.toml.")]
CameraName = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="Only this camera.")]
OneCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="One camera, by its name in the configuration.")]
Camera = Annotated[str, typer.Argument(
    metavar="CAMERA", show_default=False, help="Its name in the configuration.")]
Cameras = Annotated[list[str] | None, typer.Argument(
    metavar="CAMERA", show_default=False, help="Their names in the configuration.")]
Output = Annotated[Path | None, typer.Option(
    "--output", "-o", metavar="FILE", show_default=False,
    help="Where to; '-' is the standard output. Without it, a file named after camera and time, here.")]
Length = Annotated[str | None, typer.Option(
    "--for", metavar="LENGTH", show_default=False, help="For so long: 30m, 2h, 1h30m, 1d.")]
Until = Annotated[str | None, typer.Option(
    "--until", metavar="HH:MM", show_default=False, help="Until it is next that time of day.")]
Listed = Annotated[bool, typer.Option("--list", help="Pause nothing: show what is paused, by whom and until when.")]
Forget = Annotated[bool, typer.Option(
    "--forget", help="Take every place for a calm one again: the tree is cut, the camera has been turned.")]
Network = Annotated[bool, typer.Option("--network", help="All network cameras and files together.")]
Last = Annotated[int, typer.Option("--last", "-n", metavar="N", min=1, max=100_000, help="How many, the newest ones.")]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on and show events as they happen, until Ctrl-C.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")]
NewFile = Annotated[Path | None, typer.Argument(
    metavar="[FILE]", show_default=False, help="Where to; without it, where taimat looks for it.")]
Force = Annotated[bool, typer.Option("--force", help="Replace a file that is already there.")]
Footage = Annotated[str | None, typer.Argument(
    metavar="[SOURCE]", show_default=False,
    help="A video file, rtsp://user:password@address/path, or /dev/video0. Without it: real surveillance footage.")]
Broker = Annotated[str | None, typer.Option(
    metavar="HOST:PORT", show_default=False, help="Use this MQTT 5 broker (without TLS) instead of starting one.")]
Seconds = Annotated[float | None, typer.Option(
    metavar="N", min=1, show_default=False, help="End after so long; without it, at Ctrl-C.")]
Port = Annotated[int, typer.Option(
    metavar="PORT", min=1, max=65535, help="Of the page; another one is taken if it is in use.")]
CameraUser = Annotated[str | None, typer.Option(
    "--user", "-u", metavar="NAME", show_default=False,
    help="The user that the cameras know. The password is asked for, or taken from TAIMAT_CAMERA_PASSWORD.")]
PasswordFile = Annotated[Path | None, typer.Option(
    "--password-file", metavar="FILE", show_default=False, help="Take the password from the file's first line.")]
At = Annotated[list[str] | None, typer.Option(
    "--at", metavar="ADDRESS[:PORT]", show_default=False,
    help="Look at this machine only; several times for several. Also finds cameras in other networks.")]
Networks = Annotated[list[str] | None, typer.Option(
    "--network", metavar="CIDR", show_default=False,
    help="Knock at every address of this network, as in 192.168.1.0/24, instead of our own.")]
Tune = Annotated[bool, typer.Option("--tune", help="Change the cameras: each small stream to 5 pictures a second.")]
WriteTo = Annotated[Path | None, typer.Option(
    "--write", metavar="FILE", show_default=False, help="Add new cameras to this configuration, with the password.")]
ShowPassword = Annotated[bool, typer.Option("--show-password", help="Print the password instead of a placeholder.")]
Films = Annotated[list[Path] | None, typer.Argument(
    metavar="FILE", show_default=False, help="Recordings of ours, or any other video.")]
LastClips = Annotated[str | None, typer.Option(
    "--last", metavar="LENGTH", show_default=False,
    help="Instead of files: a camera's clips of the last 24h, 90m or 2d.")]
TunedCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False,
    help="Whose clips, and whose settings. Without it, files are looked at with the default settings.")]
Sensitivity = Annotated[str | None, typer.Option(
    "--sensitivity", metavar="WORD", show_default=False, help="What if it were low, normal or high?")]
Smallest = Annotated[float | None, typer.Option(
    "--smallest", metavar="PCT", min=0.001, max=50, show_default=False,
    help="What if the smallest object were so many percent of the picture?")]
LookFps = Annotated[float | None, typer.Option(
    "--fps", metavar="N", min=1, max=15, show_default=False, help="What if motion looked so often in a second?")]
Ignore = Annotated[list[str] | None, typer.Option(
    "--ignore", metavar="AREA", show_default=False,
    help="What if this area were ignored, too? Corners as fractions: '0,0 1,0 1,0.3 0,0.3'.")]
WithoutZones = Annotated[bool, typer.Option(
    "--without-zones", help="What if no zone decided what counts? What is ignored stays so.")]
Card = Annotated[Path | None, typer.Argument(
    metavar="[FOLDER]", show_default=False,
    help="A store, as on a card in a reader. Without it, the one that the configuration names.")]
Heads = Annotated[list[str] | None, typer.Option(
    "--head", metavar="N:HEX", show_default=False,
    help="A row's number and hash as somebody else has kept them, such as the ward; several times for several.")]
KeyName = Annotated[str | None, typer.Option(
    "--key", metavar="HEX", show_default=False, help="The fingerprint of the device's key, as somebody has kept it.")]
Plot = Annotated[Path | None, typer.Option(
    "--plot", metavar="FILE", show_default=False, help="Also draw it, as FILE.svg or FILE.png.")]
ClipName = Annotated[str | None, typer.Argument(
    metavar="[CLIP]", show_default=False, help="All of this clip, instead of a time.")]
OnesCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="Whose recordings. Not needed where there is only one.")]
From = Annotated[str | None, typer.Option(
    "--from", metavar="TIME", show_default=False, help="From when on: '2026-11-25 14:00', or 14:00 for today.")]
To = Annotated[str | None, typer.Option(
    "--to", metavar="TIME", show_default=False, help="Until when; 14:10 is on the day of --from. Without it, now.")]
LastTime = Annotated[str | None, typer.Option(
    "--last", metavar="LENGTH", show_default=False, help="The last 10m, 2h or 1d, instead of --from and --to.")]
FilmTo = Annotated[Path | None, typer.Option(
    "--output", "-o", metavar="FILE", show_default=False,
    help="Where to. Without it, a file named after camera and time, here.")]

app = typer.Typer(
    name="taimat", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
config_app = typer.Typer(no_args_is_help=True, help="Make, check and show the configuration.")
clips_app = typer.Typer(invoke_without_command=True, help="Look at the recordings, and take them out.")
app.add_typer(config_app, name="config", rich_help_panel=SET_UP)
app.add_typer(clips_app, name="clips", rich_help_panel=LOOK)


def _become(module: str, config: Path | None, *more: str) -> NoReturn:
    """Turn this process into a role: it lives for months and must not carry the command line's libraries in memory."""
    from agent.tools.place import config_path
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
def run(config: Config = None) -> None:
    """Run the whole recorder in the foreground, until Ctrl-C. On a device, systemd runs its parts instead."""
    _become("agent.tools.run", config)


@app.command(rich_help_panel=ROLES)
def capture(camera: OneCamera = None, network: Network = False, config: Config = None) -> None:
    """One part: take pictures from cameras, look for motion, write clips."""
    if network == (camera is not None):
        raise typer.BadParameter("say which cameras: --camera NAME, or --network for all that come over the network")
    _become("agent.capture", config, *(("--network",) if network else ("--camera", str(camera))))


@app.command(rich_help_panel=ROLES)
def keeper(config: Config = None) -> None:
    """One part: take care of the clips, and delete the oldest in time."""
    _become("agent.keeper", config)


@app.command(rich_help_panel=ROLES)
def link(config: Config = None) -> None:
    """One part: send events and health to the ward's broker."""
    _become("agent.link", config)


@app.command(rich_help_panel=ROLES)
def web(config: Config = None) -> None:
    """One part: the household's page."""
    _become("agent.web", config)


@clips_app.callback()
def _clips(context: typer.Context, config: Config = None) -> None:
    """Without a word after it: the list."""
    if context.invoked_subcommand is None:
        clips_list(config=config)
    context.default_map = {"list": {"config": config}, "export": {"config": config}}


@clips_app.command("list")
def clips_list(camera: CameraName = None, last: Last = 20, json: Json = False, config: Config = None) -> None:
    """List the newest clips: when, how long, how large, and the file."""
    from agent.tools import clips as tool
    tool.show(config, camera, last, json)


@clips_app.command("export")
def clips_export(clip: ClipName = None, camera: OnesCamera = None, since: From = None, until: To = None,
                 last: LastTime = None, output: FilmTo = None, force: Force = False, json: Json = False,
                 config: Config = None) -> None:
    """Write any time of a camera as one MP4: the pictures as they were recorded, from the keyframe before it on."""
    from agent.tools.clips_export import Wishes, export
    raise typer.Exit(export(Wishes(clip, camera, since, until, last, output, force, json, config)))


@app.command(rich_help_panel=LOOK)
def events(camera: CameraName = None, last: Last = 20, follow: Follow = False, json: Json = False,
           config: Config = None) -> None:
    """List the newest events: what moved, when, and the clip that shows it."""
    from agent.tools import events as tool
    tool.show(config, camera, last, follow, json)


@app.command(rich_help_panel=LOOK)
def snapshot(camera: Camera, output: Output = None, config: Config = None) -> None:
    """Take a camera's picture of now: full size, with its masks, from the running recorder."""
    from agent.tools import snapshot as tool
    tool.take(config, camera, output)


@app.command(rich_help_panel=LOOK)
def busy(camera: Camera, forget: Forget = False, json: Json = False, config: Config = None) -> None:
    """Show where a camera's picture is restless, as with leaves in the wind, and why it tells of no motion now."""
    from agent.tools import busy as tool
    tool.show(config, camera, forget, json)


@app.command(rich_help_panel=LOOK)
def pause(cameras: Cameras = None, length: Length = None, until: Until = None, listed: Listed = False,
          config: Config = None) -> None:
    """Pause cameras: within two seconds they see, record and send nothing. Without names, all of them."""
    from agent.tools import pausing as tool
    if listed:
        tool.show(config)
    else:
        tool.pause_cameras(config, cameras or [], length, until)


@app.command(rich_help_panel=LOOK)
def resume(cameras: Cameras = None, config: Config = None) -> None:
    """Let paused cameras see again. Without names, all of them."""
    from agent.tools import pausing as tool
    tool.resume_cameras(config, cameras or [])


@app.command(rich_help_panel=LOOK)
def pair(config: Config = None) -> None:
    """Show the code (and a QR code) with which a phone of the household opens the page."""
    from agent.tools import pair as tool
    tool.show(config)


@config_app.command("init")
def config_init(path: NewFile = None, force: Force = False) -> None:
    """Write a first configuration with every key explained, and say what to do next."""
    from agent.tools import config as tool
    tool.init(path, force)


@config_app.command("check")
def config_check(config: Config = None) -> None:
    """Check the configuration and the files that it names; every mistake with its line and what would be right."""
    from agent.tools import config as tool
    raise typer.Exit(tool.check(config))


@config_app.command("show")
def config_show(config: Config = None) -> None:
    """Show the settings in effect, defaults included, without passwords."""
    from agent.tools import config as tool
    tool.show(config)


@app.command(rich_help_panel=SET_UP)
def doctor(json: Json = False, config: Config = None) -> None:
    """Examine this device: cameras, encoder, clock, card, broker, permissions. Each with a verdict and what to do."""
    from agent.tools.doctor import examine
    raise typer.Exit(examine(config, json))


@app.command(rich_help_panel=SET_UP)
def discover(user: CameraUser = None, password_file: PasswordFile = None, at: At = None, network: Networks = None,
             tune: Tune = False, write: WriteTo = None, show_password: ShowPassword = False, json: Json = False,
             config: Config = None) -> None:
    """Find the cameras in the network, by ONVIF and by the paths of common makers, and show what to configure."""
    from agent.tools.discover import Wishes, discover
    raise typer.Exit(discover(Wishes(user, password_file, at or [], network or [], tune, write, show_password, json,
                                     config)))


@app.command(rich_help_panel=SET_UP)
def tune(files: Films = None, last: LastClips = None, camera: TunedCamera = None, sensitivity: Sensitivity = None,
         smallest: Smallest = None, fps: LookFps = None, ignore: Ignore = None, without_zones: WithoutZones = False,
         plot: Plot = None, json: Json = False, config: Config = None) -> None:
    """Look at recorded footage again: which events, why not more, and what other settings would have made of it."""
    from agent.tools.tune import Wishes, tune
    raise typer.Exit(tune(Wishes(files or [], last, camera, sensitivity, smallest, fps, ignore or [], without_zones,
                                 plot, json, config)))


@app.command(rich_help_panel=LOOK)
def verify(folder: Card = None, heads: Heads = None, key: KeyName = None, json: Json = False,
           config: Config = None) -> None:
    """Check that the recordings are what was recorded: every clip, and the signed ledger of all that was done."""
    from agent.tools.verify import verify
    raise typer.Exit(verify(config, folder, heads or [], key or "", json))


@app.command(rich_help_panel=SET_UP)
def demo(source: Footage = None, broker: Broker = None, seconds: Seconds = None, port: Port = 8088) -> None:
    """Try everything here and now: a camera, a broker, events, clips and the page, in a store of its own."""
    from agent.tools.demo import play
    raise typer.Exit(play(source, broker, seconds, port))


@app.command(hidden=True)
def rescue(what: str, config: Config = None) -> None:
    """What systemd starts as root for a capture process whose camera stays dead."""
    _become("agent.tools.rescue", config, what)


def main() -> None:
    """The entry of the `taimat` command."""
    try:
        app(prog_name="taimat")
    except Exception as error:
        from agent.tools.exits import say
        sys.exit(say(error))


if __name__ == "__main__":
    main()
