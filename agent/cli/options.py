"""What may stand behind the commands, each said once: name, value and one line of help."""
from pathlib import Path
from typing import Annotated

import typer

Case = Annotated[str | None, typer.Option(
    "--case", metavar="NUMBER", show_default=False, help="The number of the case. This and the next two are signed.")]
Purpose = Annotated[str | None, typer.Option(
    "--purpose", metavar="TEXT", show_default=False, help="What it is for.")]
Officer = Annotated[str | None, typer.Option(
    "--officer", metavar="NAME", show_default=False, help="Who asked for it.")]
Recipients = Annotated[list[str] | None, typer.Option(
    "--recipient", "-r", metavar="KEY", show_default=False,
    help="Seal it for this age1... or ssh-ed25519 key, so that nobody else can open it; several times for several.")]
RecipientsFile = Annotated[Path | None, typer.Option(
    "--recipients-file", "-R", metavar="FILE", show_default=False, help="Seal it for the keys in this file.")]
Unsigned = Annotated[bool, typer.Option(
    "--unsigned", help="Without the keeper, as from a card in a reader. Nobody vouches for such films.")]
PackageTo = Annotated[Path | None, typer.Option(
    "--output", "-o", metavar="NAME", show_default=False,
    help="The folder to make, or the sealed file. Without it, one named after camera and time, here.")]


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
    "--plot", metavar="FILE", show_default=False, help="Also draw it, as SVG.")]
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

HouseholdKey = Annotated[Path | None, typer.Option(
    "--household-key", metavar="FILE", show_default=False,
    help="Open encrypted recordings with the household's key, as it stands in this file; - asks for it.")]
ErasedCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="Whose recordings. Without it, those of all.")]
Everything = Annotated[bool, typer.Option("--all", help="All that there is.")]
AlsoHeld = Annotated[bool, typer.Option("--held", help="Also what is on hold.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]
ClipNames = Annotated[list[str] | None, typer.Argument(metavar="CLIP", show_default=False, help="These clips.")]
HeldClips = Annotated[list[str], typer.Argument(metavar="CLIP", show_default=False, help="Clips that are held.")]
HeldCamera = Annotated[str | None, typer.Option(
    "--camera", metavar="NAME", show_default=False, help="With --from: only this camera.")]
Reason = Annotated[str, typer.Option(
    "--reason", metavar="TEXT", show_default=False, help="What for, such as a case number; it goes into the ledger.")]
OneReason = Annotated[str | None, typer.Option(
    "--reason", metavar="TEXT", show_default=False, help="Only what is held for this. Without it, for any reason.")]
HoldLength = Annotated[str, typer.Option("--for", metavar="LENGTH", help="How long: 12h, 30d.")]
Replace = Annotated[bool, typer.Option("--replace", help="Make another key; the old one opens nothing any more.")]
WardConfig = Annotated[Path, typer.Option(
    "--config", "-c", metavar="FILE", envvar="TAIMAT_WARD_CONFIG", help="The configuration of the ward's ingest.")]
MarkAll = Annotated[bool, typer.Option(
    "--mark-all", help="Only mark all events for the city, even those that it has or has refused; who forwards brings "
    "them.")]
Once = Annotated[bool, typer.Option("--once", help="Show it as it is now, and end.")]
TestedDevice = Annotated[str, typer.Argument(metavar="DEVICE", show_default=False, help="Its id.")]
LookMinutes = Annotated[float, typer.Option("--minutes", metavar="N", min=0.5, max=1440, help="How long to look.")]
AsIngest = Annotated[bool, typer.Option(
    "--as-ingest", help="Also stand in for the ward's ingest, which must not run: its events are kept by nobody.")]
TestCert = Annotated[Path | None, typer.Option(
    "--cert", metavar="FILE", show_default=False, help="The certificate of a device that is there for tests.")]
TestKey = Annotated[Path | None, typer.Option(
    "--key", metavar="FILE", show_default=False, help="Its key.")]
RequestNumber = Annotated[int, typer.Argument(
    metavar="NO.", min=1, show_default=False, help="The request's number, as the list shows it.")]
Devices = Annotated[list[str], typer.Argument(metavar="DEVICE", show_default=False, help="Their ids.")]
Pairs = Annotated[list[str] | None, typer.Option(
    "--set", metavar="KEY=VALUE", show_default=False,
    help="health_int_s, retention_d or log_level; several times for several. What is not named goes back to the "
         "household's own value.")]
WishFile = Annotated[Path | None, typer.Option(
    "--file", metavar="FILE", show_default=False, help="The same as TOML: a line for each, as in health_int_s = 60.")]
Clear = Annotated[bool, typer.Option("--clear", help="All of it goes back to the household's own values.")]
Wait = Annotated[float, typer.Option("--wait", metavar="S", min=0, help="How long to wait for answers, in seconds.")]
Bundle = Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A release as its maker packs it.")]
SimulatedDevices = Annotated[int, typer.Option("--devices", metavar="N", min=1, max=20_000, help="How many devices.")]
EventRate = Annotated[float, typer.Option(
    "--rate", metavar="N", min=0, max=1000, help="How many events a second, of all devices together.")]
SteadyMinutes = Annotated[float, typer.Option(
    "--minutes", metavar="N", min=0.1, help="How long to measure while nothing breaks.")]
WithRestart = Annotated[bool, typer.Option(
    "--restart", help="Then kill the broker, start it again after 10 s, and wait until all devices are back.")]
SimulatedBy = Annotated[int, typer.Option(
    "--processes", metavar="N", min=1, max=64, help="How many processes play the devices.")]
