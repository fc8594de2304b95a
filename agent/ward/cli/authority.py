"""`taimat ward init` and its kin: who belongs to the ward, and what keeps that so.

They are run by root on the ward's machine, now and then; the others are services, or belong to the desk.
"""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Bundle, Json
from agent.ward.cli.options import DEVICES, MAKE, WARD_CONFIG, Config, Devices, Reload, Url, WaitS, absolute

app = typer.Typer()
rotate_app = typer.Typer(no_args_is_help=True,
                         help="Have a new CA, command key or release key in place of the present one.")
app.add_typer(rotate_app, name="rotate", rich_help_panel=MAKE)

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
Who = Annotated[list[str], typer.Argument(
    metavar="ID", show_default=False,
    help="A device's id or serial number; or its certificate: the file, or the serial number in hex.")]
NewRoot = Annotated[bool, typer.Option("--root", help="A new root, too, with a new passphrase.")]
DropFormer = Annotated[bool, typer.Option(
    "--drop-former", help="The former issuing CA counts no more, for its key was stolen: enrol all its devices anew.")]
Told = Annotated[list[str] | None, typer.Argument(
    metavar="DEVICE", show_default=False, help="Devices that are to obey the new command key; the others learn of it "
    "when they renew their certificates, or by taimat ward keys.")]
BackupFile = Annotated[Path | None, typer.Argument(
    metavar="FILE", show_default=False, callback=absolute, help="The file to write.")]
Shelf = Annotated[Path | None, typer.Option(
    "--to", metavar="FOLDER", show_default=False, callback=absolute,
    help="Write one named by the time into this folder, where the newest stay. Without it and without FILE: into "
    "[backup] folder of ward.toml, as a timer does each day.")]
AccountNames = Annotated[list[str], typer.Argument(
    metavar="NAME", show_default=False, help="What the broker is to call them: bridge-w07 and forward-w07, ingest-2.")]
AccountFolder = Annotated[Path, typer.Option(
    "--to", metavar="FOLDER", show_default=False, callback=absolute, help="Where NAME.pem and NAME.key go.")]
ServerHosts = Annotated[list[str] | None, typer.Option(
    "--host", metavar="HOST", show_default=False,
    help="They are servers, found by this name or address, such as the nodes of a cluster. Several times for several.")]
CityWards = Annotated[list[str], typer.Argument(
    metavar="WARD[=FILE]", show_default=False,
    help="A ward with a broker of its own; or, with the FILE that lists their ids, one whose devices come to the "
         "cluster.")]
IngestsN = Annotated[int, typer.Option("--ingests", metavar="N", min=1, max=9, help="How many ingests the city has.")]
Source = Annotated[Path, typer.Argument(
    metavar="FILE", show_default=False, callback=absolute, help="A backup.")]


@app.command("init", rich_help_panel=MAKE)
def init(name: Name = None, ward: WardName = None, host: Host = None, token: Token = None,
         passphrase_file: PassphraseFile = None, prefix: Prefix = Path("/")) -> int:
    """Make all that a ward has of its own (CAs, certificates, keys, settings) and start it. What is there stays."""
    from agent.ward.authority.init import InitWishes, run
    return run(InitWishes(name or "", ward or "", host or "", token or "", passphrase_file), prefix)


@app.command("account", rich_help_panel=MAKE)
def account(names: AccountNames, to: AccountFolder, host: ServerHosts = None, config: Config = WARD_CONFIG) -> int:
    """Make a key and a certificate for one more program at the broker, such as a ward's bridge at its city's."""
    from agent.ward.authority.accounts import run_make
    return run_make(config, names, host or (), to)


@app.command("rights", rich_help_panel=MAKE)
def rights(wards: CityWards, ingests: IngestsN = 2) -> int:
    """Print who may do what at a city's clustered broker, as RabbitMQ imports it."""
    from agent.ward.rights import run
    return run(wards, ingests)


@app.command("revoke", rich_help_panel=DEVICES)
def revoke(ids: Who, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Throw devices out, at once and for good: their certificates count no more, and their connections end."""
    from agent.ward.authority.revoke import run
    return run(config, ids, reload or "")


@app.command("renew", rich_help_panel=MAKE)
def renew(reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Make the ward's own certificates anew in time, and the lists of the revoked; a timer does it each day."""
    from agent.ward.authority.accounts import run_renew
    return run_renew(config, reload or "")


@rotate_app.command("ca")
def rotate_ca(root: NewRoot = False, drop_former: DropFormer = False, token: Token = None,
              passphrase_file: PassphraseFile = None, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Have a new issuing CA. What the present one has signed counts until it runs out."""
    from agent.ward.authority.accounts import run_rotate
    return run_rotate(config, root=root, drop_former=drop_former, token=token or "", passphrase_file=passphrase_file,
                      reload=reload or "")


@rotate_app.command("command")
def rotate_command(devices: Told = None, wait: WaitS = 30, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Have the next command key be the current one; the current one is nobody's then. Tell these devices."""
    from agent.ward.keys import run
    return run(config, devices or (), wait, json, rotates=True)


@rotate_app.command("release")
def rotate_release(bundle: Bundle, url: Url, devices: Devices, wait: WaitS = 30, json: Json = False,
                   config: Config = WARD_CONFIG) -> int:
    """Order the first release that its maker's next key has signed: devices that take it obey the former no more."""
    from agent.ward.orders import run_update
    return run_update(config, bundle, url, devices, wait_s=wait, as_json=json, rotates=True)


@app.command("backup", rich_help_panel=MAKE)
def backup(file: BackupFile = None, to: Shelf = None, config: Config = WARD_CONFIG) -> int:
    """Write keys, certificates, lists, enrolment book, settings and database into one file for a safe place."""
    if file and to:
        raise typer.BadParameter("give a FILE, or a folder with --to, not both")
    from agent.ward.authority.backup import run_backup
    return run_backup(config, file, to)


@app.command("restore", rich_help_panel=MAKE)
def restore(file: Source, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Put back what a backup holds. Who was revoked since stays so; a database that is there stays."""
    from agent.ward.authority.backup import run_restore
    return run_restore(config, file, reload or "")


@app.command("doctor", rich_help_panel=MAKE)
def doctor(json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Say part by part whether the ward is well, and what to do where it is not."""
    from agent.ward.authority.doctor import run
    return run(config, json)
