"""`taimat ward init` and its kin: who belongs to the ward, and what keeps that so.

They are run by root on the ward's machine, now and then; the others are services, or belong to the desk.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Bundle, Json
from agent.cli.ward import panels
from agent.cli.ward.orders import Devices, Url, WaitS
from agent.cli.ward.part import WARD_CONFIG, Config, become

app = typer.Typer()
rotate_app = typer.Typer(no_args_is_help=True,
                         help="Have a new CA, command key or release key in place of the present one.")
app.add_typer(rotate_app, name="rotate", rich_help_panel=panels.MAKE)

Name = Annotated[str | None, typer.Option(
    "--name", metavar="TEXT", show_default=False, help='The ward, as people call it: "Phường Bến Nghé".')]
WardName = Annotated[str | None, typer.Option(
    "--ward", metavar="NAME", show_default=False, help="The ward, as topics name it: w07.")]
Host = Annotated[str | None, typer.Option(
    "--host", metavar="HOST", show_default=False, help="The name or address by which devices find this machine.")]
Token = Annotated[str | None, typer.Option(
    "--token", metavar="URL", show_default=False,
    help="The root's key is on a token (PKCS#11) and stays there: pkcs11:token=ward;object=root.")]
PassphraseFile = Annotated[Path | None, typer.Option(
    "--passphrase-file", metavar="FILE", show_default=False,
    help="Its first line is the passphrase of the root's key, or the token's PIN. Without it, the terminal is asked.")]
Prefix = Annotated[Path, typer.Option("--prefix", metavar="FOLDER", help="Put everything below this folder instead.")]
Reload = Annotated[str | None, typer.Option(
    "--reload", metavar="COMMAND", show_default=False,
    help="What has the broker read its files anew, where systemd does not run it.")]
Who = Annotated[list[str], typer.Argument(
    metavar="ID", show_default=False,
    help="A device's id or serial number; or its certificate: the file, or the serial number in hex.")]
NewRoot = Annotated[bool, typer.Option("--root", help="A new root, too, with a new passphrase.")]
DropFormer = Annotated[bool, typer.Option(
    "--drop-former", help="The former issuing CA counts no more, for its key was stolen: enrol all its devices anew.")]
Told = Annotated[list[str] | None, typer.Argument(
    metavar="DEVICE", show_default=False, help="Devices that are to obey the new command key; the others learn of it "
    "when they renew their certificates, or by taimat ward keys.")]
BackupFile = Annotated[Path | None, typer.Argument(metavar="FILE", show_default=False, help="The file to write.")]
Shelf = Annotated[Path | None, typer.Option(
    "--to", metavar="FOLDER", show_default=False, help="Write one named by the time into this folder, where the newest "
    "stay. Without it and without FILE: into [backup] folder of ward.toml, as a timer does each day.")]
AccountNames = Annotated[list[str], typer.Argument(
    metavar="NAME", show_default=False, help="What the broker is to call them: bridge-w07 and forward-w07, ingest-2.")]
AccountFolder = Annotated[Path, typer.Option(
    "--to", metavar="FOLDER", show_default=False, help="Where NAME.pem and NAME.key go.")]
ServerHosts = Annotated[list[str] | None, typer.Option(
    "--host", metavar="HOST", show_default=False,
    help="They are servers, found by this name or address, such as the nodes of a cluster. Several times for several.")]
CityWards = Annotated[list[str], typer.Argument(
    metavar="WARD[=FILE]", show_default=False,
    help="A ward with a broker of its own; or, with the FILE that lists their ids, one whose devices come to the "
         "cluster.")]
IngestsN = Annotated[int, typer.Option("--ingests", metavar="N", min=1, max=9, help="How many ingests the city has.")]
Source = Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="A backup.")]


def _words(given: dict[str, str | Path | None]) -> list[str]:
    """The options that have a value."""
    return [f"{name}={value}" for name, value in given.items() if value]


@app.command("init", rich_help_panel=panels.MAKE)
def init(name: Name = None, ward: WardName = None, host: Host = None, token: Token = None,
         passphrase_file: PassphraseFile = None, prefix: Prefix = Path("/")) -> None:
    """Make all that a ward has of its own (CAs, certificates, keys, settings) and start it. What is there stays."""
    become("authority.init", None, words=[f"--prefix={prefix}", *_words({
        "--name": name, "--ward": ward, "--host": host, "--token": token, "--passphrase-file": passphrase_file})])


@app.command("account", rich_help_panel=panels.MAKE)
def account(names: AccountNames, to: AccountFolder, host: ServerHosts = None, config: Config = WARD_CONFIG) -> None:
    """Make a key and a certificate for one more program at the broker, such as a ward's bridge at its city's."""
    hosts = [f"--host={each}" for each in host or ()]
    become("authority.account", config, words=[f"--to={to.absolute()}", *hosts, "--", *names])


@app.command("rights", rich_help_panel=panels.MAKE)
def rights(wards: CityWards, ingests: IngestsN = 2) -> None:
    """Print who may do what at a city's clustered broker, as RabbitMQ imports it."""
    become("rights", None, words=[f"--ingests={ingests}", "--", *wards])


@app.command("revoke", rich_help_panel=panels.DEVICES)
def revoke(ids: Who, reload: Reload = None, config: Config = WARD_CONFIG) -> None:
    """Throw devices out, at once and for good: their certificates count no more, and their connections end."""
    become("authority.revoke", config, words=[*_words({"--reload": reload}), "--", *ids])


@app.command("renew", rich_help_panel=panels.MAKE)
def renew(reload: Reload = None, config: Config = WARD_CONFIG) -> None:
    """Make the ward's own certificates anew in time, and the lists of the revoked; a timer does it each day."""
    become("authority.renew", config, words=_words({"--reload": reload}))


@rotate_app.command("ca")
def rotate_ca(root: NewRoot = False, drop_former: DropFormer = False, token: Token = None,
              passphrase_file: PassphraseFile = None, reload: Reload = None, config: Config = WARD_CONFIG) -> None:
    """Have a new issuing CA. What the present one has signed counts until it runs out."""
    become("authority.rotate", config, [("--root", root), ("--drop-former", drop_former)], _words({
        "--token": token, "--passphrase-file": passphrase_file, "--reload": reload}))


@rotate_app.command("command")
def rotate_command(devices: Told = None, wait: WaitS = 30, json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Have the next command key be the current one; the current one is nobody's then. Tell these devices."""
    become("keys", config, [("--rotate", True), ("--json", json)], [f"--wait={wait}", "--", *(devices or ())])


@rotate_app.command("release")
def rotate_release(bundle: Bundle, url: Url, devices: Devices, wait: WaitS = 30, json: Json = False,
                   config: Config = WARD_CONFIG) -> None:
    """Order the first release that its maker's next key has signed: devices that take it obey the former no more."""
    become("update", config, [("--rotate", True), ("--json", json)],
           [f"--wait={wait}", "--", str(bundle.absolute()), url, *devices])


@app.command("backup", rich_help_panel=panels.MAKE)
def backup(file: BackupFile = None, to: Shelf = None, config: Config = WARD_CONFIG) -> None:
    """Write keys, certificates, lists, enrolment book, settings and database into one file for a safe place."""
    if file and to:
        raise typer.BadParameter("give a FILE, or a folder with --to, not both")
    words = _words({"--to": to and to.absolute(), "--file": file and file.absolute()})
    become("authority.backup", config, words=["backup", *words])


@app.command("restore", rich_help_panel=panels.MAKE)
def restore(file: Source, reload: Reload = None, config: Config = WARD_CONFIG) -> None:
    """Put back what a backup holds. Who was revoked since stays so; a database that is there stays."""
    become("authority.backup", config, words=["restore", *_words({"--reload": reload, "--file": file.absolute()})])


@app.command("doctor", rich_help_panel=panels.MAKE)
def doctor(json: Json = False, config: Config = WARD_CONFIG) -> None:
    """Say part by part whether the ward is well, and what to do where it is not."""
    become("authority.doctor", config, [("--json", json)])
