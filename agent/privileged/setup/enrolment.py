"""Root's part of the enrolment: takes the bundle from the card's boot partition, and writes the certificate into the
configuration once there is one. agent/privileged/enrol, which has a network, does the part between.
"""
import logging
import os
from pathlib import Path

from msgspec import UNSET, UnsetType

from agent.core.contract.enrolment import BUNDLE_FILE, BUNDLE_FOLDER, Bundle, BundleError
from agent.core.contract.setup import SetDevice, SetWard
from agent.core.delivery import certificate
from agent.host.files import destroy, rename_durably, write_durably
from agent.host.ward_folder import CERT, COMMANDS, KEY, ROOTS, WardFolder, WardRecord, is_of, parse, read_small
from agent.privileged.setup.kept import SettingsRefused

NOTE_FILE = "taimat-enrol.txt"
NOTE = Path(__file__).with_name("enrolment.txt").read_text(encoding="utf-8")

_log = logging.getLogger(__name__)


class EnrolDevice(SetDevice, kw_only=True, frozen=True):
    """The ward's name for the recorder. Only root makes this change, never a page."""

    site: str | UnsetType = UNSET


class EnrolWard(SetWard, kw_only=True, frozen=True):
    """The ward and its address. Only root makes this change, never a page."""

    ward: str
    host: str
    port: int
    tls: bool
    ca: str
    cert: str
    key: str
    command_key: str


def take(boot: Path, folder: WardFolder) -> bool:
    """Moves the bundle from the boot partition to us; a bad one gets a note. Returns whether it is a new one."""
    path = boot / BUNDLE_FOLDER / BUNDLE_FILE
    try:
        for left in (path, folder.claim):
            destroy(_dead(left))
        if not os.path.lexists(path):
            return False
        data = read_small(path)
        bundle, record = parse(data), folder.record()
        certificate.of_pem(bundle.roots)
        if record and record.ward != bundle.ward:
            raise BundleError(f"it is for the ward {bundle.ward}, and this recorder belongs to {record.ward}: hand it "
                              "over by taimat reset --factory first")
        if is_new := not is_of(bundle, record):
            folder.save(data)
        retire(path)
        (boot / NOTE_FILE).unlink(missing_ok=True)
        _log.info("%s: moved, and overwritten there", path)
        return is_new
    except certificate.NotACertificate:
        why = "roots: holds no certificate in PEM; ask the ward for another bundle"
    except (BundleError, OSError) as error:
        why = str(error)
    _log.error("%s: %s", path, why)
    try:
        text = NOTE.format(file=path.relative_to(boot), why=why).replace("\n", "\r\n")
        write_durably(boot / NOTE_FILE, text.encode())
    except OSError as error:
        _log.error("%s: %s", boot / NOTE_FILE, error.strerror)
    return False


def retire(path: Path) -> None:
    """Destroys a claim. If the power fails meanwhile, the next `take` removes the rest. Raises OSError."""
    rename_durably(path, _dead(path))
    destroy(_dead(path))


def _dead(path: Path) -> Path:
    return path.with_name(f".{path.name}.dead")


def text_for(text: str, file: str, folder: WardFolder, bundle: Bundle, record: WardRecord) -> str:
    """Returns the configuration's text with the ward in it. Raises SettingsRefused."""
    from agent.config.load import ConfigError, parse
    from agent.privileged.setup.changes import changed
    current = folder.current
    try:
        title = parse(text, file).device.title
    except ConfigError as error:
        raise SettingsRefused("broken_file", str(error)) from error
    changes = [EnrolWard(ward=record.ward, host=record.host, port=record.broker_port, tls=True, ca=str(current / ROOTS),
                         cert=str(current / CERT), key=str(current / KEY), command_key=str(current / COMMANDS),
                         enabled=True if record.join else UNSET)]
    if named := {"site": bundle.site} if bundle.site else {}:
        changes.append(EnrolDevice(**named))
    if bundle.title and not title:
        changes.append(EnrolDevice(title=bundle.title))
    for change in changes:
        text = changed(text, change, file)
    return text


def waiting_to_be_named(folder: WardFolder) -> tuple[Bundle, WardRecord] | None:
    """Returns bundle and record of an enrolment that the configuration does not name yet."""
    try:
        bundle, record = folder.bundle(), folder.record()
    except (BundleError, OSError) as error:
        _log.error("%s: %s", folder.claim, error)
        return None
    return (bundle, record) if bundle and record and is_of(bundle, record) else None
