"""The `taimat` command: the list of its commands. Each is imported from `agent.cli` when it is called."""
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup

from agent.cli.lazy import LazyCommand

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

# Panel of the help, then name, place in agent.cli, and the line that the command's own help has, too.
COMMANDS = {
    "Record": (
        ("run", "roles:run", "Run the whole recorder in the foreground, until Ctrl-C. On a device, systemd runs its "
         "parts instead."),
        ("capture", "roles:capture", "One part: take pictures from cameras, look for motion, write clips."),
        ("keeper", "roles:keeper", "One part: take care of the clips, and delete the oldest in time."),
        ("link", "roles:link", "One part: send events and health to the ward's broker."),
        ("web", "roles:web", "One part: the household's page."),
    ),
    "Look": (
        ("clips", "clips.main:app", "Look at the recordings, hold some, erase some."),
        ("export", "export.main:export", "Hand recordings out: films, signed by the recorder, with all that it takes "
         "to check them anywhere."),
        ("events", "events:events", "List the newest events: what moved, when, and the clip that shows it."),
        ("snapshot", "snapshot:snapshot", "Take a camera's picture of now: full size, with its masks, from the running "
         "recorder."),
        ("busy", "busy:busy", "Show where a camera's picture is restless, as with leaves in the wind, and why it tells "
         "of no motion now."),
        ("pause", "pause:pause", "Pause cameras: within two seconds they see, record and send nothing. Without names, "
         "all of them."),
        ("resume", "pause:resume", "Let paused cameras see again. Without names, all of them."),
        ("pair", "pair:pair", "Show the code (and a QR code) with which a browser of the household opens the page. For "
         "root and the owner."),
        ("requests", "requests:app", "What the ward has asked for: you decide."),
        ("verify", "verify.main:verify", "Check that the recordings are what was recorded: every clip, and the signed "
         "ledger of all that was done."),
    ),
    "Set up and check": (
        ("config", "config:app", "Make, check and show the configuration."),
        ("doctor", "doctor.main:doctor", "Examine this device: cameras, encoder, clock, card, broker, permissions. "
         "Each with a verdict and what to do."),
        ("discover", "discover.main:discover", "Find the cameras in the network, by ONVIF and by the paths of common "
         "makers, and show what to configure."),
        ("tune", "tune.main:tune", "Look at recorded footage again: which events, why not more, and what other "
         "settings would have made of it."),
        ("household-key", "household_key:household_key", "Make the household's own key to its encrypted recordings, "
         "and print it once."),
        ("home", "home:app", "The recorder in the household's Home Assistant."),
        ("card", "card.main:app", "The boot partition of a recorder's card: judge it, make it ready."),
        ("update", "update.main:app", "Newer versions of Taimat: you decide, and root installs them."),
        ("reset", "reset:reset", "Have this recorder forget everything: its household, its ward, its recordings. The "
         "program stays installed."),
        ("demo", "demo.main:demo", "Try everything here and now: a camera, a broker, events, clips and the page, in a "
         "store of its own."),
    ),
    "Hidden": (
        ("rescue", "roles:rescue", ""),
        ("setup", "roles:setup", ""),
    ),
}


# Listed where it is not installed, too: there it says how to install it.
WARD = ("ward", "agent.ward.cli.main:app", "Run a ward",
        "The ward's end: make it, enrol its devices, see how they are, ask for pictures.")
CLI = Path(__file__).with_name("cli")


def _is_here(place: str) -> bool:
    """Whether the command's module is installed: on a ward's machine most are not."""
    module = CLI.joinpath(*place.partition(":")[0].split("."))
    return module.with_suffix(".py").exists() or module.is_dir()


def _show_version(wanted: bool) -> None:
    if wanted:
        import agent
        typer.echo(f"taimat {agent.__version__}")
        raise typer.Exit


def group() -> TyperGroup:
    """The `taimat` command with all of its commands."""
    app = typer.Typer(
        name="taimat", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
        rich_markup_mode="rich", context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)

    @app.callback(help=HELP)
    def options(version: Annotated[bool, typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version.")] = False) -> None:
        """What may stand before any command."""

    made = typer.main.get_group(app)
    for panel, commands in COMMANDS.items():
        for name, place, line in commands:
            if _is_here(place):
                made.add_command(LazyCommand(name, f"agent.cli.{place}", panel, line))
    made.add_command(LazyCommand(*WARD))
    return made


def main() -> None:
    """The entry of the `taimat` command."""
    try:
        group()(prog_name="taimat")
    except Exception as error:
        from agent.cli.exits import say
        sys.exit(say(error))


if __name__ == "__main__":
    main()
