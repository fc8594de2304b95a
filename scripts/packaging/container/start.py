"""A container's first process: writes a first configuration, prints the pairing code, and becomes `taimat run`.

It has no terminal, so what a device shows on its screen goes to the container's log.
"""
import os
import sys
from contextlib import closing
from pathlib import Path

from agent.config.load import DEFAULT_PATH, ConfigError, load
from agent.core.household.access import grouped
from agent.host.address import PAGE
from agent.privileged.setup.local_cameras import first_text, write_first
from agent.store.database import StoreError
from agent.store.decisions import browsers
from agent.store.decisions import database as decisions
from agent.store.folders import Folders


def prepare(config: Path) -> None:
    """Writes the configuration if it is missing, and prints the code until a browser is paired."""
    if not config.exists():
        write_first(config, first_text([]))
        print(f"{config}: a first configuration without cameras; add yours there and restart the container")
    settings = load(config)
    if not settings.camera:
        print(f"{config}: has no camera yet")
    with closing(decisions.connect(Folders(Path(settings.store.folder)).create())) as own:
        code = browsers.code_to_show(own)
    if code and settings.web.enabled:
        print(f"page: {os.environ.get(PAGE, '')}  pairing code: {grouped(code)}")


if __name__ == "__main__":
    os.umask(0o007)
    try:
        prepare(DEFAULT_PATH)
    except (ConfigError, StoreError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        folder = Path(error.filename or DEFAULT_PATH).parent
        sys.exit(f"{folder}: {error.strerror}; the container's user needs to write there (sudo chown 990:990 FOLDER)")
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "agent.cli.run", "--config", str(DEFAULT_PATH)])
