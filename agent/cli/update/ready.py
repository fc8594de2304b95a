"""What a version says of itself before its trial: whether it can work on this device. The version before it asks."""
import importlib
import sys
from pathlib import Path

from agent import __version__
from agent.config.load import load
from agent.store.database import demand_usable

ROLES = ("capture", "keeper", "link", "web")


def can_work(version: str, config: Path) -> int:
    """Look, and change nothing; returns the exit code. Raises ConfigError and StoreError: they are what is wrong."""
    if version != __version__:
        print(f"this is {__version__}, and was announced as {version}", file=sys.stderr)
        return 1
    demand_usable(Path(load(config).store.folder))
    for role in ROLES:
        try:
            importlib.import_module(f"agent.{role}.main")
        except ImportError as error:
            print(f"{role}: {error}; the library is neither in the release nor on this system", file=sys.stderr)
            return 1
    return 0
