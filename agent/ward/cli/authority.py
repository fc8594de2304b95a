"""`taimat ward init` and its like, which root runs on the ward's machine; and enrolment of devices and officers."""
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.options import Bundle, Json
from agent.core.card.packages import unfit
from agent.store.database import StoreError
from agent.ward.cli.options import (
    DEVICES,
    MAKE,
    WARD_CONFIG,
    Config,
    Devices,
    Reload,
    Url,
    WaitS,
    absolute,
    argument,
    option,
)

app = typer.Typer()
rotate_app = typer.Typer(no_args_is_help=True, help="Replace the CA, the command key or the release key.")
officers = typer.Typer(no_args_is_help=True, help="Officers of the ward's desk and their certificates.")
app.add_typer(rotate_app, name="rotate", rich_help_panel=MAKE)

Name = Annotated[str | None, option("--name", "TEXT", 'The ward\'s name for people: "Phường Bến Nghé".')]
WardName = Annotated[str | None, option("--ward", "NAME", "The ward's name in topics: w07.")]
Host = Annotated[str | None, option("--host", "HOST", "The name or address by which devices find this machine.")]
Token = Annotated[str | None, option(
    "--token", "URL", "The root's key stays on this token (PKCS#11): pkcs11:token=ward;object=root.")]
PassphraseFile = Annotated[Path | None, option(
    "--passphrase-file", "FILE", "A file whose first line is the passphrase of the root's key, or the token's PIN. "
    "Without it, the command asks the terminal.")]
Prefix = Annotated[Path, typer.Option("--prefix", metavar="FOLDER", help="Put everything below this folder instead.")]
Who = Annotated[list[str], argument(
    "ID", "A device's id or serial number; or its certificate: the file, or the serial number in hex.")]
NewRoot = Annotated[bool, typer.Option("--root", help="A new root, too, with a new passphrase.")]
DropFormer = Annotated[bool, typer.Option(
    "--drop-former", help="Revoke the former issuing CA, because its key was stolen: enrol all its devices again.")]
Informed = Annotated[list[str] | None, argument(
    "DEVICE", "Devices that get the new command key now; the others get it when they renew their certificates, or by "
    "taimat ward keys.")]
BackupFile = Annotated[Path | None, argument("FILE", "The file to write.", callback=absolute)]
BackupFolder = Annotated[Path | None, option(
    "--to", "FOLDER", "Write a file named by the time into this folder, and keep only the newest there. Without it and "
    "without FILE: into [backup] folder of ward.toml, as a timer does each day.", callback=absolute)]
AccountNames = Annotated[list[str], argument(
    "NAME", "Their names at the broker: bridge-w07 and forward-w07, ingest-2.")]
AccountFolder = Annotated[Path, option("--to", "FOLDER", "Where to write NAME.pem and NAME.key.", callback=absolute)]
ServerHosts = Annotated[list[str] | None, option(
    "--host", "HOST", "They are servers with this name or address, such as the nodes of a cluster. May be repeated.")]
CityWards = Annotated[list[str], argument(
    "WARD[=FILE]", "A ward with a broker of its own; or, with the FILE that lists its devices' ids, a ward whose "
    "devices connect to the cluster.")]
IngestsN = Annotated[int, typer.Option("--ingests", metavar="N", min=1, max=9, help="How many ingests the city has.")]
Source = Annotated[Path, argument("FILE", "A backup.", callback=absolute)]


@app.command("init", rich_help_panel=MAKE)
def init(name: Name = None, ward: WardName = None, host: Host = None, token: Token = None,
         passphrase_file: PassphraseFile = None, prefix: Prefix = Path("/")) -> int:
    """Make a ward's CAs, certificates, keys and settings, and start it. Existing files stay."""
    from agent.ward.authority.init import InitWishes, run
    return run(InitWishes(name or "", ward or "", host or "", token or "", passphrase_file), prefix)


@app.command("account", rich_help_panel=MAKE)
def account(names: AccountNames, to: AccountFolder, host: ServerHosts = None, config: Config = WARD_CONFIG) -> int:
    """Make a key and a certificate for another program at the broker, such as a ward's bridge at its city's."""
    from agent.ward.authority.accounts import run_make
    return run_make(config, names, host or (), to)


@app.command("rights", rich_help_panel=MAKE)
def rights(wards: CityWards, ingests: IngestsN = 2) -> int:
    """Print the users of a city's clustered broker and their rights, as RabbitMQ imports them."""
    from agent.ward.rights import run
    return run(wards, ingests)


@app.command("revoke", rich_help_panel=DEVICES)
def revoke(ids: Who, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Throw devices out, at once and for good: revoke their certificates, and end their connections."""
    from agent.ward.authority.revoke import run
    return run(config, ids, reload or "")


@app.command("renew", rich_help_panel=MAKE)
def renew(reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Renew the ward's own certificates that are due, and the lists of the revoked. A timer runs this each day."""
    from agent.ward.authority.accounts import run_renew
    return run_renew(config, reload or "")


@rotate_app.command("ca")
def rotate_ca(root: NewRoot = False, drop_former: DropFormer = False, token: Token = None,
              passphrase_file: PassphraseFile = None, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Make a new issuing CA. Certificates of the present one stay valid until they expire."""
    from agent.ward.authority.accounts import run_rotate
    return run_rotate(config, root=root, drop_former=drop_former, token=token or "", passphrase_file=passphrase_file,
                      reload=reload or "")


@rotate_app.command("command")
def rotate_command(devices: Informed = None, wait: WaitS = 30, json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Replace the command key with the next one, and send it to these devices."""
    from agent.ward.keys import run
    return run(config, devices or (), wait, json, rotates=True)


@rotate_app.command("release")
def rotate_release(bundle: Bundle, url: Url, devices: Devices, wait: WaitS = 30, json: Json = False,
                   config: Config = WARD_CONFIG) -> int:
    """Order the first release that its maker's next key has signed. Devices that install it drop the former key."""
    from agent.ward.orders import run_update
    return run_update(config, bundle, url, devices, wait_s=wait, as_json=json, rotates=True)


@app.command("backup", rich_help_panel=MAKE)
def backup(file: BackupFile = None, to: BackupFolder = None, config: Config = WARD_CONFIG) -> int:
    """Write keys, certificates, lists, enrolment book, settings and database into one file for a safe place."""
    if file and to:
        raise typer.BadParameter("give a FILE, or a folder with --to, not both")
    from agent.ward.authority.backup import run_backup
    return run_backup(config, file, to)


@app.command("restore", rich_help_panel=MAKE)
def restore(file: Source, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Restore a backup. Later revocations stay in force, and an existing database stays."""
    from agent.ward.authority.backup import run_restore
    return run_restore(config, file, reload or "")


@app.command("doctor", rich_help_panel=MAKE)
def doctor(json: Json = False, config: Config = WARD_CONFIG) -> int:
    """Check each part of the ward, and say what to do about a fault."""
    from agent.ward.authority.doctor import run
    return run(config, json)


Sheet = Annotated[Path | None, argument(
    "[DEVICES.CSV]", "One row for each device; the first line names the columns.", callback=absolute)]
Folder = Annotated[Path, option(
    "--output -o", "FOLDER", "Where to write bundles and labels, for your eyes only.", callback=absolute)]
Again = Annotated[list[str] | None, option(
    "--again", "SERIAL", "A new claim for this device, for example after its card was lost; it revokes the former "
    "claim and certificate. May be repeated.")]
Serial = Annotated[str, argument("SERIAL", "The device's serial number.")]
Household = Annotated[str, typer.Option("--household", metavar="NAME", help="The new household.")]

# of `card`
PACKAGES = ("taimat", "taimat-board")       # of a recorder; the ward's own may be beside them

CardSerial = Annotated[str, typer.Option("--device", metavar="SERIAL", help="The serial number on the recorder.")]
Bundles = Annotated[Path, typer.Option("--bundles", metavar="DIR", help="The folder that taimat ward enrol has made.")]
BootFolder = Annotated[Path | None, option(
    "--boot", "DIR", "Where the card's first partition (bootfs) is mounted.")]
CardImage = Annotated[Path | None, option(
    "--image", "FILE", "Instead: an unpacked image of a card (.img). This needs no root.")]
CardPackages = Annotated[Path | None, option(
    "--packages", "DIR", "A folder with packages that the recorder installs from the card.")]

# of `officer`
Officer = Annotated[str, argument("NAME", "A name of a-z, 0-9 and '-', as in tran-van-binh.")]
Person = Annotated[str, option("--person", "TEXT", "The officer's name for people; households read it.")]
P12 = Annotated[Path | None, option(
    "--p12", "FILE", "Where to write the file for the officer's browser. Without it: desk-NAME.p12 here.",
    callback=absolute)]


@app.command("card", rich_help_panel=DEVICES)
def card(device: CardSerial, bundles: Bundles = Path("bundles"), boot: BootFolder = None, image: CardImage = None,
         packages: CardPackages = None) -> None:
    """Prepare a freshly flashed card, or its image, for one recorder: bundle, code, network. Then read it back."""
    from agent.cli.card.main import report
    from agent.ward.cli import card as cards
    if (boot is None) == (image is None):
        raise typer.BadParameter("give --boot, or --image, and not both")
    debs = [deb for name in PACKAGES for deb in sorted(packages.glob(f"{name}_*.deb")) if unfit(deb.name) is None] \
        if packages else []
    made = (cards.on_card(bundles / device, boot, debs) if boot
            else cards.in_image(bundles / device, image, debs))
    try:
        with made as read_back:
            report(read_back, str(boot or image))
    except OSError as error:
        raise StoreError(f"{error.filename or boot or image}: {error.strerror or error}") from error


@app.command("enrol", rich_help_panel=DEVICES)
def enrol(sheet: Sheet = None, *, folder: Folder, again: Again = None, config: Config = WARD_CONFIG) -> int:
    """Expect the devices of a list: make a claim, a card bundle and a label for each. Repeating a list is safe."""
    from agent.ward.enrolment.main import run_enrol
    return run_enrol(config, sheet, folder, again or ())


@app.command("handover", rich_help_panel=DEVICES)
def handover(serial: Serial, folder: Folder, household: Household = "", config: Config = WARD_CONFIG) -> int:
    """Give a device to another household: revoke its certificate, and make a new claim."""
    from agent.ward.enrolment.main import run_handover
    return run_handover(config, serial, household, folder)


@officers.command("add")
def add(name: Officer, person: Person = "", p12: P12 = None, config: Config = WARD_CONFIG) -> int:
    """Make an officer's certificate as a file for a browser, and show its passphrase once."""
    from agent.ward.desk.officers import run_add
    return run_add(config, name, person, p12)


@officers.command("list")
def listed(json: Json = False, config: Config = WARD_CONFIG) -> int:
    """List the officers, and when their certificates end."""
    from agent.ward.desk.officers import run_list
    return run_list(config, json)


@officers.command("remove")
def remove(name: Officer, reload: Reload = None, config: Config = WARD_CONFIG) -> int:
    """Revoke an officer's certificate: the desk does not let the officer in again."""
    from agent.ward.desk.officers import run_remove
    return run_remove(config, name, reload or "")


app.add_typer(officers, name="officer", rich_help_panel=DEVICES)
