"""Could a newer version be installed here? Looked at is what it takes; nothing is fetched."""
from pathlib import Path

from agent.config.settings import Update
from agent.core.ledger.chain import fingerprint
from agent.core.release import Refused
from agent.host.command_key import KeyProblem, load
from agent.host.updates import Doors
from agent.tools.doctor.verdict import Verdict, ok, warn
from agent.tools.update.main import execute
from agent.tools.update.versions import CURRENT, PROVEN, ROOT, Versions


def examine(update: Update, root: Path = ROOT, doors: Doors | None = None) -> Verdict:
    """Trouble is no more than a warning: what is installed goes on working."""
    asked = (doors or Doors()).asked
    try:
        key = load(update.release_key, "[update] release_key", "the maker", "root")
        current, proven = (Versions(execute, root).named(name) for name in (CURRENT, PROVEN))
    except KeyProblem as problem:
        return warn(str(problem), "until then no release counts")
    except Refused as refused:
        return warn(str(refused), "until then no release can be installed")
    if not asked.is_dir():
        return warn(f"{asked} is missing, where the link asks root for releases",
                    "install systemd/taimat.tmpfiles.conf: sudo systemd-tmpfiles --create")
    on_trial = "" if current == proven else f" on trial, {proven} takes over if it is not well"
    return ok(f"{current} runs{on_trial}; what counts are releases signed by key {fingerprint(key)}")
