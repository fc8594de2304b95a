"""Is this recorder enrolled with its ward, and until when? What stands in its way is told as a technician needs it.

Apart from the broker's check: a recorder can be enrolled for years without its household joining.
"""
import time
from datetime import UTC, datetime
from pathlib import Path

from agent.cli.doctor.verdict import CheckVerdict, bad, ok, warn
from agent.core.delivery import certificate
from agent.core.enrolment import renewal_due
from agent.host.ward_folder import CERT, EnrolState, WardFolder, WardRecord, shown

AGAIN = "sudo systemctl restart enrol-taimat; journalctl -u enrol-taimat tells more"


def concerns(config: Path, runtime: Path) -> bool:
    """Whether there is anything to tell."""
    folder = _folder(config)
    return folder.claim.exists() or folder.record() is not None or shown(runtime) is not None


def examine(config: Path, runtime: Path) -> CheckVerdict:
    """How far it is."""
    folder, state = _folder(config), shown(runtime)
    if state and state.step == "refused":
        return bad(f"{state.code}: {state.detail}", f"when that is done: {AGAIN}")
    record = folder.record()
    if record is None:
        return warn(f"not enrolled yet: {_why(state)}", AGAIN)
    if folder.claim.exists():
        return warn(f"enrolled with {record.called}, and its claim is still there: {_why(state)}",
                    "journalctl -u setup-taimat says why the configuration does not name it yet")
    return _held(folder, record, state)


def _held(folder: WardFolder, record: WardRecord, state: EnrolState | None) -> CheckVerdict:
    try:
        leaf = certificate.of_pem((folder.current / CERT).read_text(encoding="ascii"))
    except (OSError, UnicodeDecodeError, certificate.NotACertificate) as error:
        return bad(f"{folder.current / CERT}: {error}", "have the ward enrol this recorder again, with a new claim")
    text = f"{record.dev} of {record.called} ({record.ward}), certificate until {leaf.not_after:%Y-%m-%d}"
    now = datetime.fromtimestamp(time.time(), UTC)
    if renewal_due(datetime.fromtimestamp(record.granted_ms / 1000, UTC), leaf.not_before, leaf.not_after, now):
        return warn(f"{text}, which is due for renewal: {_why(state)}", AGAIN)
    return ok(text)


def _why(state: EnrolState | None) -> str:
    return f"{state.code}: {state.detail}" if state and state.detail else "no try since this boot"


def _folder(config: Path) -> WardFolder:
    return WardFolder(config.with_name("ward"))
